// Redirects whole folders that moved to other hosts, with the rest of each path.
const { moved } = settings({ moved: {} });

each("**/*.html", (o) => {
    for (const [folder, host] of Object.entries(moved)) {
        if (!o.key.startsWith(`${folder}/`)) continue;
        const rest = o.key.slice(folder.length).replace(/index\.html$/, "");
        o.redirect(new RegExp("^https?://").test(host) ? host + rest : fail(`${host} is no URL`), `${folder} moved`);
    }
});
