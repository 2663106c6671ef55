// Excludes pages that are marked as drafts, keeps caches from data, and adds a redirect for a robots.txt that is missing.
const { marker } = settings({ marker: '<meta name="draft"' });
if (marker === "") invalid("marker", "it is empty, so every page is a draft; set a marker");

let hasRobots = false;
each("robots.txt", () => {
    hasRobots = true;
});
each("**/*.html", { head: 1024 }, (page) => {
    if (page.head.includes(marker)) page.exclude("marked as a draft");
});
each("**/*.json", (data) => data.header("cache-control", "no-store", "data is never cached"));
last((site) => {
    if (!hasRobots) site.redirect("robots.txt", "/robots/", "the artifact has no robots.txt");
});
