// Redirects every page to one page while the site is being repaired. Publish again without it to go back.
const { page } = settings({ page: "/maintenance.html" });

each("**/*.html", (o) => {
    if (`/${o.key}` !== page) o.redirect(page, "maintenance");
});
