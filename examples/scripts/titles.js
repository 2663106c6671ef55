// Warns about new pages without a title or with the title of another new page.
const seen = new Map();

each("**/*.html", { head: 8_192 }, (page) => {
    if (page.kind !== "create" && page.kind !== "update") return;
    const title = page.head.match(/<title[^>]*>([^<]*)/i)?.[1].trim();
    if (!title) return finding("the page has no title", { code: "no-title", key: page.key });
    const other = seen.get(title);
    if (other) finding(`the page has the title of ${other}`, { code: "same-title", key: page.key });
    else seen.set(title, page.key);
});
