// Publishes `robots.production.txt` as `robots.txt` on one site, and `robots.preview.txt` on all others.
const { production } = settings({ production: "production" });
const wanted = run.site === production ? "production" : "preview";

each("robots.*.txt", (o) => {
    if (o.key === `robots.${wanted}.txt`) o.rename("robots.txt", `the site is ${run.site}`);
    else o.exclude("for other sites");
});
