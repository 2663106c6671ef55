// Warns about large pages, and holds plans that delete objects until a person approves them.
const limits = settings({ "max-page-bytes": 100_000 });
const limit: number = limits["max-page-bytes"];
if (limit <= 0) invalid("max-page-bytes", "use a number above 0");

each("**/*.html", (page) => {
    const isNew = page.kind === "create" || page.kind === "update";
    if (isNew && page.size > limit) {
        finding(`the page has ${page.size} bytes, more than ${limit}`, { code: "large-page", key: page.key });
    }
});
last((counts) => {
    if (counts.delete > 0) hold(`${counts.delete} objects are deleted`, { code: "deletes" });
});
