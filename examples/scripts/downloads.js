// Lets browsers save some files instead of showing them, under the names that they have on the site.
const { patterns } = settings({ patterns: ["**/*.zip", "**/*.pdf"] });

each(patterns, (o) => {
    const name = o.key.split("/").pop();
    // Other characters than ASCII need the form of RFC 8187.
    const ascii = name.replace(/[^ -~]|["\\]/g, "_");
    const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    o.header("content-disposition", `attachment; filename="${ascii}"` + (ascii === name ? "" : `; filename*=UTF-8''${encoded}`));
});
