// Holds plans with new pages whose images have no `alt`. An empty one is fine: the image is decoration.
const { head } = settings({ head: 65_536 });

each("**/*.html", { head }, (page) => {
    if (page.kind !== "create" && page.kind !== "update") return;
    const images = page.head.match(/<img\b[^>]*>/gi) ?? [];
    const missing = images.filter((tag) => !/\salt[\s=>/]/i.test(tag));
    if (missing.length > 0) {
        hold(`${missing.length} of ${images.length} images have no alt: ${missing[0]}`, { code: "alt", key: page.key });
    }
});
