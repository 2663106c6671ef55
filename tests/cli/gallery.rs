//! The scripts of `docs/plugins/gallery.md`, each over a small site. The page has the files of `examples/scripts`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_tests::binary::{binary, cache};

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A site with one script of the gallery.
struct Gallery(TempDir);

impl Gallery {
    fn new(script: &str, kind: &str, settings: &str, files: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        let file = format!("{script}.js");
        fs::copy(repository().join("examples/scripts").join(&file), directory.path().join(&file)).unwrap();
        let site = "[[site]]\nname = \"docs\"\nstaged = \"site\"\ntarget = \"s3://docs-site/\"\n";
        let plugin = format!("[[site.{kind}]]\nplugin = \"{file}\"\nsettings = {settings}\n");
        fs::write(directory.path().join("tidegate.toml"), format!("{site}{plugin}")).unwrap();
        for (key, content) in files {
            let path = directory.path().join("site").join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Self(directory)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.current_dir(self.0.path()).env("XDG_CACHE_HOME", cache());
        command.args(["--local", "aws", "--json"]).args(arguments).output().unwrap()
    }

    fn plan(&self) -> Value {
        let output = self.run(&["plan", "docs"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    /// What is published: by key, the redirect or a header.
    fn published(&self, header: &str) -> Value {
        let plan = self.plan();
        let operations = plan["plan"]["operations"].as_array().unwrap_or_else(|| panic!("{plan}")).iter();
        operations
            .map(|operation| {
                let put = &operation["action"]["put"];
                let redirect = &put["body"]["redirect"];
                let shown = if redirect.is_null() { &put["headers"]["system"][header] } else { redirect };
                (operation["key"].as_str().unwrap().to_owned(), shown.clone())
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// The verdict of the script, and the code and key of each finding.
    fn judged(&self) -> Value {
        let plan = self.plan();
        let mut judgements = plan["judgements"].as_array().unwrap_or_else(|| panic!("{plan}")).iter();
        let judgement = judgements.rfind(|one| one["plugin"] != "guard").unwrap();
        let findings = judgement["findings"].as_array().unwrap().iter();
        let findings: Vec<Value> = findings.map(|finding| json!([finding["code"], finding["key"]])).collect();
        json!({ "verdict": judgement["verdict"], "findings": findings })
    }
}

#[test]
fn the_page_has_the_files() {
    let page = fs::read_to_string(repository().join("docs/plugins/gallery.md")).unwrap();
    let mut scripts = 0;
    for entry in fs::read_dir(repository().join("examples/scripts")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(page.contains(&format!("```js\n{text}```")), "{} differs from the page", path.display());
        assert!(text.lines().count() < 30, "{}", path.display());
        scripts += 1;
    }
    assert_eq!(scripts, page.matches("```js").count());
}

#[test]
fn maintenance() {
    let gallery =
        Gallery::new("maintenance", "sync", "{}", &[("a/index.html", ""), ("maintenance.html", "x"), ("s.css", "")]);
    let expected = json!({ "a/index.html": "/maintenance.html", "maintenance.html": null, "s.css": null });
    assert_eq!(gallery.published("cache-control"), expected);
}

#[test]
fn robots_per_site() {
    let files = [("index.html", ""), ("robots.production.txt", "a"), ("robots.preview.txt", "b")];
    let preview = Gallery::new("robots-per-site", "sync", "{}", &files);
    assert_eq!(preview.published("x"), json!({ "index.html": null, "robots.txt": null }));
    let explained = preview.run(&["explain", "docs", "robots.txt"]);
    assert!(String::from_utf8_lossy(&explained.stdout).contains("robots.preview.txt"), "{explained:?}");
    let production = Gallery::new("robots-per-site", "sync", "{ production = \"docs\" }", &files);
    let explained = production.run(&["explain", "docs", "robots.txt"]);
    assert!(String::from_utf8_lossy(&explained.stdout).contains("robots.production.txt"), "{explained:?}");
}

#[test]
fn moved_sections() {
    let files = [("blog/index.html", ""), ("blog/2026/post.html", ""), ("index.html", "")];
    let settings = "{ moved = { blog = \"https://blog.example.com\" } }";
    let gallery = Gallery::new("moved-sections", "sync", settings, &files);
    let expected = json!({
        "blog/2026/post.html": "https://blog.example.com/2026/post.html",
        "blog/index.html": "https://blog.example.com/",
        "index.html": null,
    });
    assert_eq!(gallery.published("x"), expected);
    let broken = Gallery::new("moved-sections", "sync", "{ moved = { blog = \"blog.example.com\" } }", &files);
    assert!(broken.plan().to_string().contains("blog.example.com is no URL"));
}

#[test]
fn languages() {
    let gallery =
        Gallery::new("languages", "sync", "{}", &[("de/a.html", ""), ("a.html", ""), ("es/a.html", ""), ("s.css", "")]);
    let expected = json!({ "a.html": "en", "de/a.html": "de", "es/a.html": "en", "s.css": null });
    assert_eq!(gallery.published("content-language"), expected);
}

#[test]
fn downloads() {
    let gallery =
        Gallery::new("downloads", "sync", "{}", &[("a/tool.zip", "x"), ("Grüße (1).pdf", "x"), ("a.html", "")]);
    let expected = json!({
        "Grüße (1).pdf": "attachment; filename=\"Gr__e (1).pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%281%29.pdf",
        "a.html": null,
        "a/tool.zip": "attachment; filename=\"tool.zip\"",
    });
    assert_eq!(gallery.published("content-disposition"), expected);
}

#[test]
fn lower_case() {
    let gallery =
        Gallery::new("lower-case", "sync", "{}", &[("Docs/About.html", ""), ("IMG.PNG", "x"), ("a.html", "")]);
    let expected =
        json!({ "Docs/About.html": "/docs/about.html", "a.html": null, "docs/about.html": null, "img.png": null });
    assert_eq!(gallery.published("x"), expected);
}

#[test]
fn large_images() {
    let gallery = Gallery::new(
        "large-images",
        "policy",
        "{ limits = { \".png\" = 3 } }",
        &[("a.png", "1234"), ("b.png", "123"), ("c.jpg", "x")],
    );
    let output = gallery.run(&["check"]);
    // Settings have the members of the defaults only.
    assert!(output.status.success(), "{output:?}");
    assert_eq!(gallery.judged(), json!({ "verdict": "deny", "findings": [["large-image", "a.png"]] }));
}

#[test]
fn alt_texts() {
    let gallery = Gallery::new(
        "alt-texts",
        "policy",
        "{}",
        &[
            ("a.html", "<img src=x alt=''><IMG alt src=y>"),
            ("b.html", "<p><img\n src=\"x\"><img alt=\"y\">"),
            ("c.html", "<image>"),
        ],
    );
    assert_eq!(gallery.judged(), json!({ "verdict": "hold", "findings": [["alt", "b.html"]] }));
}

#[test]
fn freeze_window() {
    let always = "{ days = [], periods = [{ from = \"2020-01-01\", to = \"2100-01-01\", why = \"a long freeze\" }] }";
    let gallery = Gallery::new("freeze-window", "policy", always, &[("a.html", "")]);
    assert_eq!(gallery.judged(), json!({ "verdict": "hold", "findings": [["freeze", null]] }));
    let over = "{ days = [], periods = [{ from = \"2020-01-01\", to = \"2020-01-02\", why = \"over\" }] }";
    let gallery = Gallery::new("freeze-window", "policy", over, &[("a.html", "")]);
    assert_eq!(gallery.judged(), json!({ "verdict": "allow", "findings": [] }));
    let days = "{ days = [\"Sun\", \"Mon\", \"Tue\", \"Wed\", \"Thu\", \"Fri\", \"Sat\"] }";
    let gallery = Gallery::new("freeze-window", "policy", days, &[("a.html", "")]);
    assert_eq!(gallery.judged()["verdict"], "hold");
}

#[test]
fn titles() {
    let gallery = Gallery::new(
        "titles",
        "policy",
        "{}",
        &[
            ("a.html", "<title>One</title>"),
            ("b.html", "<TITLE lang=en> One </TITLE>"),
            ("c.html", "<p>"),
            ("d.html", "<title>Two</title>"),
        ],
    );
    let expected = json!({ "verdict": "allow", "findings": [["same-title", "b.html"], ["no-title", "c.html"]] });
    assert_eq!(gallery.judged(), expected);
}
