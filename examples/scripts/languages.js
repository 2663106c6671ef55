// Sets the language of pages by their first folder, and a default for the others.
const { languages, fallback } = settings({ languages: ["de", "en", "fr"], fallback: "en" });

each("**/*.html", (page) => {
    const folder = page.key.split("/")[0];
    page.header("content-language", languages.includes(folder) ? folder : fallback);
});
