// Publishes keys in lower case, with redirects from the names that the build made.
const moved = [];

each((o) => {
    const key = o.key.toLowerCase();
    if (key === o.key) return;
    o.rename(key, "keys are in lower case");
    if (o.key.endsWith(".html")) moved.push([o.key, `/${key}`]);
});
last((site) => {
    for (const [key, target] of moved) site.redirect(key, target, "the key has upper-case letters");
});
