//! A browser and `tidegate dev`: what people see of a site with an edge.

use std::path::Path;
use std::process::Command;

use tidegate_tests::skipped::skipped;

use crate::dev::{Dev, visit};
use crate::first_hour::Project;

const EDGE: &str = r#"state = "s3://state/tidegate/"

[[site]]
name   = "docs"
target = "s3://docs/"
cdn    = [{ distribution = "E2EXAMPLE" }]
sync   = [{ plugin = "rewrite" }, { plugin = "mime" }, { plugin = "headers" }]

[site.edge]
releases       = "atomic"
trailing-slash = "add"
"#;

const PAGE: &str = r#"<!doctype html><link rel="stylesheet" href="/style.css"><p id="at"></p>
<script src="/app.abcdef12.js"></script><script>document.getElementById("at").textContent = "TITLE " + location.pathname + location.search;</script>"#;

fn page(title: &str) -> String {
    PAGE.replace("TITLE", title)
}

/// The document of an address after its scripts ran.
fn browse(address: &str, path: &str, profile: &Path) -> String {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", profile.display())).arg(format!("http://{address}{path}"));
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn edge_project() -> Project {
    let project = Project::new(EDGE);
    let (home, guide, about, lost) = (page("home"), page("guide"), page("about"), page("lost"));
    project.build(
        "public",
        &[
            ("index.html", &home),
            ("guide/index.html", &guide),
            ("about.html", &about),
            ("404.html", &lost),
            ("style.css", "p { color: green }"),
            ("app.abcdef12.js", "document.title = 'run'"),
            (
                "_redirects",
                "/old /guide/ 302\n/blog/:slug /guide/:slug/ 301\n/away https://example.com/x 307\n/gone /x 410\n",
            ),
            ("_headers", "/*\n  X-Frame-Options: DENY\n/guide/*\n  X-Guide: yes\n"),
        ],
    );
    project
}

#[test]
fn dev_previews_the_function_that_is_deployed() {
    let project = edge_project();
    let dev = Dev::start(&project, "public");
    let address = dev.address();
    dev.wait_for_publish();
    for (path, status, text) in [
        ("/", 200, "home"),
        ("/guide/", 200, "guide"),
        ("/guide", 301, ""),
        ("/about", 200, "about"),
        ("/old", 302, ""),
        ("/blog/a", 301, ""),
        ("/away", 307, ""),
        ("/gone", 410, ""),
        ("/nothing/", 404, "lost"),
        ("/nothing.css", 404, "lost"),
        ("/.r/r1/index.html", 404, "lost"),
        ("/style.css", 200, "green"),
        ("/app.abcdef12.js", 200, "run"),
        ("/.r/now", 200, "r1"),
    ] {
        let (got, body) = visit(&address, path);
        assert_eq!(got, status, "{path}: {body}");
        assert!(body.contains(text), "{path}: {body}");
    }
    // A release switches at once.
    project.build(
        "public",
        &[("index.html", &page("home two")), ("guide/index.html", &page("guide two")), ("404.html", &page("lost"))],
    );
    dev.wait_for_publish();
    assert!(visit(&address, "/guide/").1.contains("guide two"));
    assert!(visit(&address, "/.r/now").1.starts_with("r2"));
    dev.stop();
}

#[test]
fn a_browser_follows_the_rules_of_the_edge() {
    if Command::new("chromium").arg("--version").output().is_err() {
        let reason = "chromium is not installed, run: scripts/servers install chromium";
        return skipped("a_browser_follows_the_rules_of_the_edge", reason);
    }
    let project = edge_project();
    let dev = Dev::start(&project, "public");
    let address = dev.address();
    dev.wait_for_publish();
    let profile = project.path("profile");
    for (path, shown) in [
        ("/", "home /"),
        ("/guide", "guide /guide/"),
        ("/guide?x=1", "guide /guide/?x=1"),
        ("/old?x=1", "guide /guide/?x=1"),
        ("/about/", "about /about"),
        ("/%67uide/", "guide /%67uide/"),
        ("/a/../guide/", "guide /guide/"),
        ("//guide//", "guide /guide/"),
        ("/nothing", "lost /nothing/"),
    ] {
        let document = browse(&address, path, &profile);
        assert!(document.contains(&format!(">{shown}</p>")), "{path}: {document}");
    }
    dev.stop();
}
