//! Scripts over small artifacts.

use serde_json::json;
use tidegate_plugin::Failure;
use tidegate_plugin::settings::canonical;
use tidegate_plugin::testing::{SyncAnswer, TestArtifact, sync};
use tidegate_script_engine::{ScriptSettings, ScriptSync};

fn artifact() -> TestArtifact {
    TestArtifact::new()
        .object_with("a.html", "<p>done", &[("content-type", "text/html")])
        .object_with("b.html", "<meta name=\"draft\"><p>later", &[("content-type", "text/html")])
        .object_with("data/feed.json", "{}", &[("content-type", "application/json"), ("cache-control", "max-age=60")])
        .redirect("old", "/a.html")
}

fn settings(code: &str) -> String {
    json!({ "code": code, "file": "rules.js" }).to_string()
}

fn run(code: &str) -> Result<SyncAnswer, Failure> {
    sync::<ScriptSync>(&settings(code), &artifact())
}

fn failure(code: &str) -> (String, String, Option<String>) {
    let failure = run(code).unwrap_err();
    assert_eq!(failure.rule, "/code");
    (failure.code, failure.message, failure.key)
}

fn issues(code: &str) -> Vec<(String, String)> {
    let issues = canonical::<ScriptSettings<false>>(&settings(code)).unwrap_err();
    issues.into_iter().map(|issue| (issue.pointer, issue.message)).collect()
}

#[test]
fn edits_objects_and_adds_redirects() {
    let answer = run(r#"
        let robots = false;
        each((o) => { if (o.key === "robots.txt") robots = true; });
        each("*.html", { head: 1024 }, (page) => {
            if (page.head.includes('<meta name="draft"')) page.exclude("marked as a draft");
        });
        each("**/*.json", (o) => {
            o.header("Cache-Control", "no-store");
            o.meta("built-by", run.site);
            o.rename(o.key.replace("data/", "api/"));
        });
        last((site) => { if (!robots) site.redirect("robots.txt", "/robots/", "there is no robots.txt"); });
    "#)
    .unwrap();
    let published = answer.published();
    assert_eq!(published.keys().collect::<Vec<_>>(), ["a.html", "api/feed.json", "old", "robots.txt"]);
    assert_eq!(answer.header("api/feed.json", "cache-control").unwrap(), "no-store");
    assert_eq!(published["robots.txt"].redirect.as_deref(), Some("/robots/"));
    let draft = &answer.decided["b.html"];
    assert_eq!((draft.rule.as_str(), draft.reason.as_str()), ("/code", "marked as a draft"));
    // Without a reason of the script: where `each` is.
    assert_eq!(answer.decided["data/feed.json"].reason, "rules.js:7");
}

#[test]
fn objects_have_their_properties() {
    let answer = run(r#"
        each((o) => finding([o.key, o.size, o.type, o.target, o.head, Object.keys(o.headers), o.metadata.x].join("|"), { severity: "info", key: o.key }));
    "#)
    .unwrap();
    let messages: Vec<&str> = answer.summary.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "a.html|7|text/html|||content-type|",
            "b.html|27|text/html|||content-type|",
            "data/feed.json|2|application/json|||content-type,cache-control|",
            "old|0||/a.html|||",
        ]
    );
}

#[test]
fn a_later_rule_edits_the_same_object() {
    let answer = run(r#"
        each("a.html", (o) => o.header("cache-control", "no-cache"));
        each("a.html", (o) => o.header("content-language", "en", "English"));
    "#)
    .unwrap();
    assert_eq!(answer.header("a.html", "cache-control").unwrap(), "no-cache");
    assert_eq!(answer.header("a.html", "content-language").unwrap(), "en");
    assert_eq!(answer.decided["a.html"].reason, "English");
}

#[test]
fn the_run_has_the_only_clock() {
    let answer = run(r#"
        last(() => finding([Date.now() === run.now, new Date().getTime() === run.now, new Date(0).toISOString()].join()));
    "#)
    .unwrap();
    assert_eq!(answer.summary.findings[0].message, "true,true,1970-01-01T00:00:00.000Z");
    assert!(failure("each(() => Math.random());").1.contains("there is no randomness"));
}

#[test]
fn exceptions_are_failures_with_a_line() {
    let (code, message, key) = failure("\neach('b.html', (o) => {\n  o.missing.x = 1;\n});");
    assert_eq!((code.as_str(), key.as_deref()), ("exception", Some("b.html")));
    assert_eq!(message, "TypeError: cannot set property 'x' of undefined (rules.js:3)");
    let (code, message, key) = failure("each((o) => fail('no page may be old', o.key));");
    assert_eq!((code.as_str(), message.as_str(), key.as_deref()), ("script", "no page may be old", Some("a.html")));
    // A failure stays one, even if the script catches its exception.
    assert_eq!(failure("each((o) => { try { fail('first'); } catch {} });").1, "first");
    let (_, message, _) = failure("const f = () => f() + 1; each(() => f());");
    assert!(message.contains("Maximum call stack size exceeded"), "{message}");
    assert!(failure("each(async () => {});").1.contains("must not be async"));
    assert_eq!(failure("each(() => { throw 'plain text'; });").1, "plain text");
    assert!(failure("each(() => { throw 7; });").1.contains("use `fail` or `new Error`"));
    assert_eq!(
        failure("each((o) => o.rename(null));").1,
        "TypeError: the new key must be text, and is null (rules.js:1)"
    );
    let (_, message, _) = failure("let kept; each((o) => { kept ??= o; }); last(() => kept.exclude());");
    assert!(message.contains("edit a.html in the callback of each"), "{message}");
}

#[test]
fn mistakes_are_found_while_the_configuration_is_checked() {
    for (code, part) in [
        ("", "there is no code"),
        ("each((o) => {\n  o.exclude(;\n});", "(rules.js:2)"),
        ("eech(() => {});", "eech is not defined (rules.js:1)"),
        ("each('[a', () => {});", "invalid glob `[a`"),
        ("each();", "the last argument of each must be a function (rules.js:1)"),
        ("each({ heads: 3 }, () => {});", "each has no option heads; it has head"),
        ("each({ head: 65537 }, () => {});", "head must be 0 to 65536 bytes"),
        ("import x from 'x';", "rules.js:1"),
        ("deny('x');", "deny is not defined"),
        ("settings(); settings();", "call settings once"),
    ] {
        let issues = issues(code);
        assert_eq!(issues.len(), 1, "{code}: {issues:?}");
        assert_eq!(issues[0].0, "/code", "{code}");
        assert!(issues[0].1.contains(part), "{code}: {}", issues[0].1);
    }
}

#[test]
fn scripts_declare_their_settings() {
    let with = |given: serde_json::Value| {
        let code = r#"
            const { marker, limits } = settings({ marker: "draft", limits: { pages: 10 }, paths: [] });
            if (marker === "") invalid("marker", "it is empty; name the text that marks drafts");
            last(() => finding(`${marker} ${limits.pages}`));
        "#;
        json!({ "code": code, "settings": given }).to_string()
    };
    let canonical = |given| canonical::<ScriptSettings<false>>(&with(given));
    let text = canonical(json!({ "limits": { "pages": 3 } })).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["settings"], json!({ "limits": { "pages": 3 }, "marker": "draft", "paths": [] }));
    let answer = sync::<ScriptSync>(&text, &artifact()).unwrap();
    assert_eq!(answer.summary.findings[0].message, "draft 3");
    let wrong = canonical(json!({ "marker": 3, "limits": { "page": 1 }, "more": true, "paths": "x" })).unwrap_err();
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|issue| (issue.pointer.as_str(), issue.message.as_str())).collect();
    assert_eq!(
        wrong,
        [
            ("/settings/more", "unknown setting; the script has `limits`, `marker`, `paths`"),
            ("/settings/limits/page", "unknown setting; the script has `pages`"),
            ("/settings/marker", "use a string"),
            ("/settings/paths", "use an array"),
        ]
    );
    let empty = canonical(json!({ "marker": "" })).unwrap_err();
    assert_eq!(empty[0].pointer, "/settings/marker");
    let none = json!({ "code": "each(() => {});", "settings": { "a": 1 } }).to_string();
    assert!(self::canonical::<ScriptSettings<false>>(&none).unwrap_err()[0].message.contains("declare them"));
}

#[test]
fn objects_that_no_rule_matches_are_never_shown() {
    let answer = run("each('none/**', () => fail('shown'));").unwrap();
    assert!(answer.decided.is_empty());
    let keys = "each(['*.html', 'old'], (o) => finding(o.key)); ";
    let answer = run(keys).unwrap();
    assert_eq!(answer.summary.findings.len(), 3);
    let matches = "each((o) => { if (matches('data/**', o.key)) finding(o.key); });";
    assert_eq!(run(matches).unwrap().summary.findings.len(), 1);
}
