//! The plugin in the SDK's harness, with every size of batches.

use proptest::prelude::*;
use tidegate_plugin::testing::{SyncAnswer, TestArtifact, canonical, sync};
use tidegate_plugin::{Failure, Finding};

use super::{Rewrite, RewriteSettings};

fn answer(settings: &str, artifact: &TestArtifact) -> SyncAnswer {
    sync::<Rewrite>(settings, artifact).unwrap()
}

fn failure(settings: &str, artifact: &TestArtifact) -> Failure {
    sync::<Rewrite>(settings, artifact).unwrap_err()
}

fn keys(settings: &str, keys: &[&str]) -> Vec<String> {
    objects(&answer(settings, &TestArtifact::new().objects(keys.iter().copied())))
}

/// The resulting keys without redirects.
fn objects(answer: &SyncAnswer) -> Vec<String> {
    let site = answer.published().into_iter();
    site.filter(|(_, entry)| entry.redirect.is_none()).map(|(key, _)| key).collect()
}

/// The resulting redirects, by key.
fn redirects(answer: &SyncAnswer) -> Vec<(String, String)> {
    answer.published().into_iter().filter_map(|(key, entry)| Some((key, entry.redirect?))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, to)| ((*key).to_owned(), (*to).to_owned())).collect()
}

#[test]
fn without_rules_nothing_changes() {
    let site = ["a.html", "b/index.html", "c"];
    assert_eq!(keys("{}", &site), site);
    let answer = answer("{}", &TestArtifact::new().objects(site));
    assert!(answer.decided.is_empty() && answer.findings().is_empty());
}

#[test]
fn strips_a_leading_folder() {
    let settings = r#"{"strip-prefix":"dist"}"#;
    assert_eq!(keys(settings, &["dist/.nojekyll", "dist/a.html", "dist/b/c.js"]), [".nojekyll", "a.html", "b/c.js"]);
    let outside = TestArtifact::new().objects(["README.md", "dist/a.html"]);
    let failure = failure(settings, &outside);
    assert_eq!(
        (failure.code.as_str(), failure.key.as_deref(), failure.rule.as_str()),
        ("outside-prefix", Some("README.md"), "/outside-prefix")
    );
    assert_eq!(
        keys(r#"{"strip-prefix":"dist/","outside-prefix":"exclude"}"#, &["README.md", "dist/a.html", "distant"]),
        ["a.html"]
    );
    assert_eq!(
        keys(r#"{"strip-prefix":"dist/","outside-prefix":"keep"}"#, &["README.md", "dist/a.html"]),
        ["README.md", "a.html"]
    );
}

#[test]
fn the_first_matching_rename_applies() {
    let settings = r#"{"rename":[
        {"pattern":"blog/(\\d{4})-(\\d\\d)-\\d\\d-(?<slug>.+)\\.html","to":"posts/$1/$2/${slug}.html"},
        {"prefix":"blog/","to":"archive/"},
        {"prefix":"blog/x","to":"never/"},
        {"prefix":"old-","to":""}
    ]}"#;
    let artifact =
        TestArtifact::new().objects(["blog/2024-01-31-news.html", "blog/x.html", "old-a.css", "my/blog/y.html"]);
    let answer = answer(settings, &artifact);
    let found: Vec<_> = answer.published().into_keys().collect();
    assert_eq!(found, ["a.css", "archive/x.html", "my/blog/y.html", "posts/2024/01/news.html"]);
    assert_eq!(answer.decided["blog/x.html"].rule, "/rename/1");
    assert_eq!(answer.decided["blog/2024-01-31-news.html"].rule, "/rename/0");
}

#[test]
fn a_rename_to_an_invalid_key_names_rule_and_key() {
    let table = [
        (r#"{"rename":[{"prefix":"a/","to":"/"}]}"#, "/rename/0"),
        (r#"{"rename":[{"pattern":"a/(.*)","to":"../$1"}]}"#, "/rename/0"),
        (r#"{"rename":[{"pattern":".*","to":""}]}"#, "/rename/0"),
    ];
    for (settings, rule) in table {
        let failure = failure(settings, &TestArtifact::new().objects(["a/b"]));
        assert_eq!(
            (failure.code.as_str(), failure.key.as_deref(), failure.rule.as_str()),
            ("bad-key", Some("a/b"), rule),
            "{settings}"
        );
    }
}

#[test]
fn moves_pages_to_their_own_folders() {
    let settings = r#"{"clean-urls":"html-to-directory"}"#;
    let found = keys(
        settings,
        &[
            "404.html",
            "about.html",
            "blog/index.html",
            "c++.html",
            "de/404.html",
            "google12ab.html",
            "index.html",
            "logo.svg",
        ],
    );
    assert_eq!(
        found,
        [
            "404.html",
            "about/index.html",
            "blog/index.html",
            "c++/index.html",
            "de/404.html",
            "google12ab.html",
            "index.html",
            "logo.svg"
        ]
    );
}

#[test]
fn removes_extensions_and_keeps_types() {
    let settings = r#"{"clean-urls":"strip-html"}"#;
    let artifact = TestArtifact::new().objects(["about.html", "blog/index.html", "index.html"]).object_with(
        "typed.html",
        "",
        &[("content-type", "text/html")],
    );
    let answer = answer(settings, &artifact);
    assert_eq!(objects(&answer), ["about", "blog/index.html", "index.html", "typed"]);
    assert_eq!(answer.header("about", "content-type").as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("typed", "content-type").as_deref(), Some("text/html"));
    assert_eq!(answer.decided["about.html"].rule, "/clean-urls");
}

#[test]
fn the_old_address_of_a_page_redirects_to_it() {
    let artifact = TestArtifact::new().objects(["404.html", "a b/ü.html", "about.html", "b/index.html", "index.html"]);
    let expected = pairs(&[("a b/ü.html", "/a%20b/%C3%BC"), ("about.html", "/about")]);
    let found = answer(r#"{"clean-urls":"strip-html"}"#, &artifact);
    assert_eq!(redirects(&found), expected);
    assert_eq!(found.summary.extras[0].rule, "/clean-urls-redirects");
    let found = answer(r#"{"clean-urls":"html-to-directory"}"#, &artifact);
    assert_eq!(redirects(&found)[1], ("about.html".to_owned(), "/about/".to_owned()));
    let off = answer(r#"{"clean-urls":"strip-html","clean-urls-redirects":false}"#, &artifact);
    assert_eq!(redirects(&off), []);
    // A rule for the old address takes precedence, and a redirect to the old address leads somewhere.
    let settings = r#"{"clean-urls":"strip-html","redirects":[{"from":"/about.html","to":"/"},{"from":"/x.html","to":"/b.html"}]}"#;
    let found = answer(settings, &TestArtifact::new().objects(["about.html", "b.html", "index.html"]));
    assert_eq!(redirects(&found), pairs(&[("about.html", "/"), ("b.html", "/b"), ("x.html", "/b.html")]));
    assert!(found.findings().is_empty(), "{:?}", found.findings());
}

#[test]
fn links_to_old_addresses_are_reported() {
    let artifact = TestArtifact::new()
        .object("dist/404.html", r#"<a href="/b.html">"#)
        .object("dist/a.html", r#"<a href="b.html"><a href="/a"><a href="/404.html"><a href="none.html">"#)
        .object("dist/b.html", "");
    let found = answer(r#"{"strip-prefix":"dist/","clean-urls":"strip-html"}"#, &artifact);
    assert_eq!(found.findings(), [("link-to-old-address", Some("404.html"))]);
    let message = &found.summary.findings[0].message;
    assert_eq!(message, "`404.html` links to `/b.html`, which redirects to `/b`; link to `/b`");
    let off = answer(r#"{"strip-prefix":"dist/","clean-urls":"strip-html","clean-urls-links":false}"#, &artifact);
    assert_eq!(off.findings(), []);
    let many = (0..30).map(|at| format!(r#"<a href="{at}.html">"#)).collect::<String>();
    let artifact = (0..30).fold(TestArtifact::new(), |artifact, at| artifact.object(&format!("{at}.html"), ""));
    let found = answer(r#"{"clean-urls":"strip-html"}"#, &artifact.object("index.html", many));
    assert_eq!(found.findings().len(), 21);
    assert_eq!(found.summary.findings[20].message, "pages link to 10 more old addresses");
}

#[test]
fn a_conflict_names_all_pages() {
    for mode in ["html-to-directory", "strip-html"] {
        let artifact = TestArtifact::new().objects([
            "about",
            "about.html",
            "about/index.html",
            "b.html",
            "b/index.html",
            "c.html",
        ]);
        let failure = failure(&format!(r#"{{"clean-urls":"{mode}"}}"#), &artifact);
        assert_eq!(
            (failure.code.as_str(), failure.key.as_deref(), failure.rule.as_str()),
            ("page-conflict", Some("about"), "/clean-urls")
        );
        assert!(
            failure.message.contains("`about`, `about.html`, `about/index.html` become `/about`"),
            "{}",
            failure.message
        );
        assert!(failure.message.contains("`b.html`, `b/index.html` become `/b`"), "{}", failure.message);
        assert!(!failure.message.contains("c.html"), "{}", failure.message);
    }
    let site = ["about", "about.html", "about/index.html"];
    assert_eq!(keys("{}", &site), site, "without clean URLs they are three addresses");
}

#[test]
fn renames_come_before_clean_urls() {
    let settings = r#"{"strip-prefix":"out/","rename":[{"prefix":"en/","to":""}],"clean-urls":"html-to-directory"}"#;
    let artifact = TestArtifact::new().objects(["out/en/a.html"]);
    let answer = answer(settings, &artifact);
    assert_eq!(objects(&answer), ["a/index.html"]);
    assert_eq!(answer.decided["out/en/a.html"].reason, "`out/` stripped; starts with `en/`; page in its own folder");
}

#[test]
fn adds_redirects_with_and_without_a_trailing_slash() {
    let settings = r#"{"redirects":[{"from":"/old","to":"/new/"},{"from":"/a.html","to":"https://example.org/"}]}"#;
    let answer = answer(settings, &TestArtifact::new().objects(["new/index.html"]));
    assert_eq!(
        redirects(&answer),
        pairs(&[("a.html", "https://example.org/"), ("old", "/new/"), ("old/index.html", "/new/")])
    );
    assert_eq!(answer.summary.extras[0].rule, "/redirects/1");
    assert!(answer.findings().is_empty());
}

#[test]
fn an_object_shadows_a_redirect_unless_it_is_forced() {
    let artifact = TestArtifact::new().objects(["new", "old/index.html"]);
    let shadowed = answer(r#"{"redirects":[{"from":"/old","to":"/new"}]}"#, &artifact);
    assert_eq!(redirects(&shadowed), []);
    assert_eq!(shadowed.findings(), [("redirect-shadowed", Some("old/index.html"))]);
    let forced = answer(r#"{"redirects":[{"from":"/old","to":"/new","force":true}]}"#, &artifact);
    assert_eq!(redirects(&forced), pairs(&[("old", "/new"), ("old/index.html", "/new")]));
    assert_eq!(forced.decided["old/index.html"].rule, "/redirects/0");
    assert!(forced.findings().is_empty());
}

#[test]
fn redirects_use_renamed_keys() {
    let settings = r#"{"clean-urls":"strip-html","redirects":[{"from":"/about","to":"/team","force":true},{"from":"/us","to":"/team"}]}"#;
    let answer = answer(settings, &TestArtifact::new().objects(["about.html", "team.html"]));
    assert_eq!(
        redirects(&answer),
        pairs(&[
            ("about", "/team"),
            ("about.html", "/about"),
            ("about/index.html", "/team"),
            ("team.html", "/team"),
            ("us", "/team"),
            ("us/index.html", "/team")
        ])
    );
    assert!(answer.findings().is_empty(), "{:?}", answer.findings());
}

#[test]
fn a_loop_denies_the_run() {
    let table = [
        r#"{"redirects":[{"from":"/a","to":"/b"},{"from":"/b","to":"/a"}]}"#,
        r#"{"redirects":[{"from":"/a","to":"/b/"},{"from":"/b","to":"/c?x=1"},{"from":"/c","to":"/a#top"}]}"#,
    ];
    for settings in table {
        let failure = failure(settings, &TestArtifact::new());
        assert_eq!((failure.code.as_str(), failure.rule.as_str()), ("redirect-loop", "/redirects/0"), "{settings}");
        assert!(failure.message.contains("`/a`"), "{}", failure.message);
    }
    let with_earlier = TestArtifact::new().redirect("b", "/a");
    assert_eq!(failure(r#"{"redirects":[{"from":"/a","to":"/b"}]}"#, &with_earlier).code, "redirect-loop");
    assert_eq!(failure("{}", &TestArtifact::new().redirect("a", "/b").redirect("b", "/a")).code, "redirect-loop");
}

#[test]
fn chains_and_trailing_slashes_are_not_loops() {
    let settings = r#"{"redirects":[{"from":"/a","to":"/b"},{"from":"/b","to":"/c"},{"from":"/docs","to":"/docs/"}]}"#;
    let answer = answer(settings, &TestArtifact::new().objects(["c", "docs/index.html"]));
    assert!(answer.findings().is_empty(), "{:?}", answer.findings());
    assert!(redirects(&answer).contains(&("docs".to_owned(), "/docs/".to_owned())));
    // The page `b` ends the loop.
    let broken = r#"{"redirects":[{"from":"/a","to":"/b"},{"from":"/b","to":"/a"}]}"#;
    let found = sync::<Rewrite>(broken, &TestArtifact::new().objects(["b"])).unwrap();
    assert_eq!(found.findings(), [("redirect-shadowed", Some("b"))]);
}

#[test]
fn a_redirect_to_nothing_is_reported() {
    let answer = answer(
        r#"{"redirects":[{"from":"/a","to":"/gone"},{"from":"/b","to":"https://example.org/gone"}]}"#,
        &TestArtifact::new(),
    );
    assert_eq!(answer.findings(), [("redirect-to-nothing", None)]);
    assert_eq!(answer.summary.findings[0].rule, "/redirects/0");
}

const FILE: &str = "# comment\n\n/old /new\n/moved\t/new   301  # trailing\n/forced /new 301!\n/soon /new 302\n/app/* /index.html 200\n\
/blog/:slug /news/:slug\n/q id=:id /new\n/de /new 301 Language=de\n/gone /x 404\nhttps://a.example/x /new\n/lonely\n/old /twice\n/same /same\n/late /new 308\n/odd /new 399\n";

#[test]
fn applies_the_file_of_the_artifact_without_publishing_it() {
    let artifact = TestArtifact::new().object("_redirects", FILE).objects(["forced", "new"]);
    let found = answer("{}", &artifact);
    assert!(!found.published().contains_key("_redirects"));
    let expected = [
        "forced",
        "forced/index.html",
        "late",
        "late/index.html",
        "moved",
        "moved/index.html",
        "old",
        "old/index.html",
    ];
    assert_eq!(redirects(&found).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), expected);
    let lines: Vec<(&str, &str)> = found
        .summary
        .findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.message.split(" of").next().unwrap_or_default()))
        .collect();
    let expected = [
        ("redirect-not-possible", "line 6"),
        ("redirect-not-possible", "line 7"),
        ("redirect-not-possible", "line 8"),
        ("redirect-not-possible", "line 9"),
        ("redirect-not-possible", "line 10"),
        ("redirect-not-possible", "line 11"),
        ("redirect-not-possible", "line 12"),
        ("redirect-not-possible", "line 13"),
        ("redirect-twice", "line 14"),
        ("redirect-to-itself", "line 15"),
        ("redirect-not-possible", "line 17"),
    ];
    assert_eq!(lines, expected);

    let permanent = answer(r#"{"redirects-file":{"temporary-as-permanent":true}}"#, &artifact);
    assert!(redirects(&permanent).contains(&("soon".to_owned(), "/new".to_owned())));
}

#[test]
fn the_file_is_in_the_stripped_folder_and_rules_come_first() {
    let artifact = TestArtifact::new().object("dist/_redirects", "/old /b\n").objects(["dist/a", "dist/b"]);
    let found = answer(r#"{"strip-prefix":"dist/","redirects":[{"from":"/old","to":"/a"}]}"#, &artifact);
    assert_eq!(redirects(&found), pairs(&[("old", "/a"), ("old/index.html", "/a")]));
    assert_eq!(found.findings(), [("redirect-twice", Some("_redirects"))]);
}

#[test]
fn the_file_can_be_strict_or_ignored() {
    let artifact = TestArtifact::new().object("_redirects", "/* /index.html 200\n");
    let failure = failure(r#"{"redirects-file":{"strict":true}}"#, &artifact);
    assert_eq!((failure.code.as_str(), failure.rule.as_str()), ("redirects-file", "/redirects-file/strict"));
    assert!(failure.message.starts_with("line 1 of `_redirects`"), "{}", failure.message);
    assert!(answer(r#"{"redirects-file":{"enabled":false}}"#, &artifact).published().contains_key("_redirects"));
}

/// The redirects by a file, and the code and message of each finding, the message without place and remedy.
fn by_file(settings: &str, file: &str, keys: &[&str]) -> (Vec<(String, String)>, Vec<String>) {
    let artifact = TestArtifact::new().object("_redirects", file).objects(keys.iter().copied());
    let answer = answer(settings, &artifact);
    let text = |finding: &Finding| {
        let message = finding.message.replace(" of `_redirects`:", "");
        format!("{}: {}", finding.code, message.split(';').next().unwrap_or_default())
    };
    (redirects(&answer), answer.summary.findings.iter().map(text).collect())
}

#[test]
fn placeholders_are_expanded_over_the_targets_that_exist() {
    let file =
        "/old/* /new/:splat\n/blog/:y/:slug /posts/:slug-:y.html\n/docs/* https://docs.example/:splat\n/v1/:page /v2\n";
    let site = ["new/a/index.html", "new/app.css", "new/index.html", "old/kept.html", "posts/x-2024.html"];
    let (found, findings) = by_file("{}", file, &site);
    let expected = [
        ("blog/2024/x", "/posts/x-2024.html"),
        ("blog/2024/x/index.html", "/posts/x-2024.html"),
        ("docs", "https://docs.example/"),
        ("docs/index.html", "https://docs.example/"),
        ("old", "/new/"),
        ("old/a", "/new/a"),
        ("old/a/index.html", "/new/a/"),
        ("old/app.css", "/new/app.css"),
        ("old/index.html", "/new/"),
    ];
    assert_eq!(found, pairs(&expected));
    let expected = [
        "redirect-expanded: line 1 `/old/*` redirects 5 keys, all those whose targets exist",
        "redirect-not-possible: line 3 S3 redirects only exact paths, so only `/docs` is redirected by `/docs/*`",
    ];
    assert_eq!(findings, expected);
}

#[test]
fn redirects_to_redirects_are_expanded() {
    let (found, _) = by_file("{}", "/v1/* /v2/:splat\n/v2/* /v3/:splat\n", &["v3/a.html"]);
    assert_eq!(found, pairs(&[("v1/a.html", "/v2/a.html"), ("v2/a.html", "/v3/a.html")]));
}

#[test]
fn the_first_line_that_matches_decides() {
    let table: [(&str, &[&str]); 9] = [
        ("/a* 200\n/a /c\n", &[]),
        ("/a* 301\n/a /c\n", &["/c"]),
        ("/a /b\n/a /c\n", &["/b"]),
        ("/* /x/:splat\n/a /c\n", &["/x/a"]),
        ("/a /b 302\n/a /c\n", &[]),
        ("/a* /b 200\n/a /c\n", &[]),
        ("/a /b 301 Language=de\n/a /c\n", &[]),
        ("/a id=:id /b\n/a /c\n", &[]),
        ("/* /b 302 Language=de\n/a /c\n", &["/c"]),
    ];
    for (file, expected) in table {
        let (found, findings) = by_file("{}", file, &["b", "c", "x/a"]);
        let of_a: Vec<&str> = found.iter().filter(|(key, _)| key == "a").map(|(_, to)| to.as_str()).collect();
        assert_eq!(of_a, expected, "{file}");
        assert!(!findings.is_empty(), "{file}");
    }
}

#[test]
fn a_path_with_a_dot_redirects_with_and_without_a_slash() {
    let (found, _) = by_file("{}", "/8.0.0 /a\n/old.html /a\n", &["a"]);
    assert_eq!(found, pairs(&[("8.0.0", "/a"), ("8.0.0/index.html", "/a"), ("old.html", "/a")]));
}

#[test]
fn redirects_to_the_same_page_have_no_effect() {
    let file = "/contact/ /contact/index.html\n/index.html /\n/x/ /x\n/y /y\n";
    for site in [&["contact/index.html", "index.html", "x/index.html"][..], &[]] {
        let (found, findings) = by_file("{}", file, site);
        assert_eq!(found, []);
        assert_eq!(
            findings,
            ["redirect-to-itself: line 1 `/contact/` redirects to the page itself, so it has no effect"]
        );
    }
    let strict = answer(r#"{"redirects-file":{"strict":true}}"#, &TestArtifact::new().object("_redirects", file));
    assert_eq!(strict.summary.findings.len(), 1);
    let (found, _) = by_file("{}", "/x/ /x\n/about /about.html\n", &["about.html", "x"]);
    assert_eq!(
        found,
        pairs(&[("about", "/about.html"), ("about/index.html", "/about.html"), ("x/index.html", "/x")]),
        "another spelling can lead to the page"
    );
}

#[test]
fn loops_by_the_file_are_findings_unless_it_is_strict() {
    let file = "/a /b\n/b /a\n/c /a\n";
    let (found, findings) = by_file("{}", file, &[]);
    assert_eq!(found, pairs(&[("c", "/a"), ("c/index.html", "/a")]));
    assert_eq!(findings[0], "redirect-loop: line 1 redirect loop: `/a` to `/b` to `/a`");
    let artifact = TestArtifact::new().object("_redirects", file);
    assert_eq!(failure(r#"{"redirects-file":{"strict":true}}"#, &artifact).code, "redirect-loop");
    let settings = r#"{"redirects":[{"from":"/b","to":"/a"}]}"#;
    let (found, _) = by_file(settings, "/a /b\n", &[]);
    assert_eq!(found, pairs(&[("b", "/a"), ("b/index.html", "/a")]));
}

#[test]
fn a_forced_redirect_to_nothing_keeps_its_page() {
    let file = "/a /missing 301!\n/b/* /gone/:splat 301!\n/c /d 301!\n/d /c 301!\n/e /z 301!\n/f /missing2 301!\n";
    let site = ["a", "b/x.html", "c", "d", "e/index.html", "z.html"];
    let (found, findings) = by_file(r#"{"clean-urls":"strip-html","clean-urls-except":["b/*"]}"#, file, &site);
    let forced =
        [("e", "/z"), ("e/index.html", "/z"), ("f", "/missing2"), ("f/index.html", "/missing2"), ("z.html", "/z")];
    assert_eq!(found, pairs(&forced), "`z` comes later, and from another key");
    let expected = [
        "redirect-to-nothing: line 1 `/a` does not replace `a`: `/missing` does not exist on this site",
        "redirect-loop: line 3 redirect loop: `/c` does not replace `c`",
    ];
    assert_eq!(findings, expected);
}

#[test]
fn the_default_status_is_a_setting() {
    let settings = r#"{"redirects-file":{"default-status":302}}"#;
    assert_eq!(by_file(settings, "/a /b\n/c /b 301\n", &["b"]).0, pairs(&[("c", "/b"), ("c/index.html", "/b")]));
}

#[test]
fn many_lines_are_reported_in_few_findings() {
    let file: String = (0..3_000).map(|at| format!("/{at} /b 302\n/x{at} /b 200\n")).collect();
    let artifact = TestArtifact::new().object("_redirects", file);
    let found = answer("{}", &artifact);
    assert!(found.summary.findings.len() < 120, "{}", found.summary.findings.len());
}

#[test]
fn composes_keys() {
    let (decomposed, composed) =
        (["cafe\u{301}/index.html", "s\u{307}\u{323}.css"], ["caf\u{e9}/index.html", "\u{1e69}.css"]);
    assert_eq!(keys("{}", &decomposed), decomposed);
    assert_eq!(keys(r#"{"normalize":"nfc"}"#, &decomposed), composed);
    let found = answer(r#"{"normalize":"nfc"}"#, &TestArtifact::new().objects(decomposed));
    let decided = &found.decided["cafe\u{301}/index.html"];
    assert_eq!((decided.rule.as_str(), decided.reason.as_str()), ("/normalize", "composed"));
    // The other steps see composed keys.
    let settings = format!(
        r#"{{"normalize":"nfc","strip-prefix":"caf{0}","rename":[{{"prefix":"h{0}","to":"x"}}],"clean-urls":"html-to-directory"}}"#,
        "\u{e9}"
    );
    assert_eq!(keys(&settings, &["cafe\u{301}/he\u{301}.html"]), ["x/index.html"]);
}

/// The composed and the decomposed form of names in Latin, Hangul and with several marks.
fn forms() -> impl Strategy<Value = (String, String)> {
    let letter = prop_oneof![
        Just("e\u{301}"),
        Just("s\u{323}\u{307}"),
        Just("\u{1112}\u{1161}\u{11ab}"),
        Just("\u{1100}\u{1161}"),
        Just("o\u{302}\u{301}"),
        Just("\u{3b1}\u{301}\u{345}"),
    ];
    let name = (letter, "[a-z]{0,2}").prop_map(|(letter, rest)| format!("{letter}{rest}"));
    prop::collection::vec(name, 1..4).prop_map(|names| {
        let decomposed = names.concat();
        (tidegate_plugin::key::compose(&decomposed).into_owned(), decomposed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whichever form file and keys have, the redirects lead to the key that exists.
    #[test]
    fn rules_match_keys_in_either_form(
        (composed, decomposed) in forms(),
        (in_file, in_key, encoded) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let key = if in_key { &composed } else { &decomposed };
        let text = if in_file { &composed } else { &decomposed };
        let text = if encoded { encode(text) } else { text.clone() };
        let file = format!("/to /{text}\n/dir /{text}x/\n/old/* /new/:splat\n/{text}1/* /{text}2/:splat\n/{text}.html /a.html 301!\n");
        let artifact = TestArtifact::new().object("_redirects", file.as_bytes()).objects([
            key.as_str(),
            &format!("{key}.html"),
            &format!("{key}2/z"),
            &format!("{key}x/index.html"),
            &format!("new/{key}y"),
            "a.html",
        ]);
        for settings in ["{}", r#"{"normalize":"nfc"}"#] {
            let found = answer(settings, &artifact);
            let key = if settings == "{}" { key } else { &composed };
            let all = redirects(&found);
            let to = |from: &str| all.iter().find(|(key, _)| key == from).map(|(_, to)| to.clone());
            prop_assert_eq!(to("to"), Some(format!("/{}", encode(key))));
            prop_assert_eq!(to("dir"), Some(format!("/{}x/", encode(key))));
            prop_assert_eq!(to(&format!("old/{composed}y")), Some(format!("/new/{}y", encode(key))));
            prop_assert_eq!(to(&format!("{composed}1/z")), Some(format!("/{}2/z", encode(key))));
            prop_assert_eq!(to(&format!("{key}.html")), Some("/a.html".to_owned()));
            let codes: Vec<&str> = found.findings().iter().map(|(code, _)| *code).collect();
            prop_assert!(codes.iter().all(|code| *code == "redirect-expanded"), "{:?}", found.findings());
        }
    }
}

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, crate::pattern::IN_KEYS).to_string()
}

#[test]
fn a_decomposed_address_can_lead_to_its_composed_key() {
    let artifact =
        TestArtifact::new().object("_redirects", "/cafe%CC%81.html /caf%C3%A9.html\n").objects(["caf\u{e9}.html"]);
    let found = answer("{}", &artifact);
    assert_eq!(redirects(&found), pairs(&[("cafe\u{301}.html", "/caf%C3%A9.html")]));
    assert_eq!(objects(&found), ["caf\u{e9}.html"]);
}

#[test]
fn settings_have_a_canonical_form() {
    let defaults = r#"{"normalize":"off","strip-prefix":"","outside-prefix":"fail","rename":[],"clean-urls":"off","clean-urls-except":["**/[45][0-9][0-9].html","google*.html","yandex_*.html"],"clean-urls-redirects":true,"clean-urls-links":true,"redirects":[],"redirects-file":{"enabled":true,"key":"_redirects","strict":false,"default-status":301,"temporary-as-permanent":false}}"#;
    assert_eq!(canonical::<RewriteSettings>("{}").unwrap(), defaults);
    let written = canonical::<RewriteSettings>(r#"{"strip-prefix":"dist","rename":[{"to":"b/","prefix":"a/"},{"to":"$1","pattern":"x/(.*)"}],"redirects":[{"to":"/b","from":"/a"}]}"#).unwrap();
    assert!(written.starts_with(r#"{"normalize":"off","strip-prefix":"dist/","outside-prefix":"fail","rename":[{"prefix":"a/","to":"b/"},{"pattern":"x/(.*)","to":"$1"}],"#), "{written}");
    assert!(written.contains(r#""redirects":[{"from":"/a","to":"/b","force":false}]"#), "{written}");
}

#[test]
fn issues_point_at_wrong_settings() {
    let table = [
        (r#"{"strip-prefix":"/dist/"}"#, "/strip-prefix"),
        (r#"{"rename":[{"prefix":"","to":""}]}"#, "/rename/0"),
        (r#"{"rename":[{"prefix":"a","pattern":"b","to":""}]}"#, "/rename/0"),
        (r#"{"rename":[{"pattern":"a(.*)","to":"$2"}]}"#, "/rename/0/to"),
        (r#"{"rename":[{"pattern":"a(.*)","to":"$1x"}]}"#, "/rename/0/to"),
        (r#"{"rename":[{"pattern":"a(","to":"b"}]}"#, "/rename/0/pattern"),
        (r#"{"rename":[{"prefix":"a","to":"b","from":"c"}]}"#, "/rename/0/from"),
        (r#"{"clean-urls":"on"}"#, "/clean-urls"),
        (r#"{"clean-urls-except":["["]}"#, "/clean-urls-except/0"),
        (r#"{"redirects":[{"from":"/a","to":"/b"},{"from":"a","to":"/b"}]}"#, "/redirects/1/from"),
        (r#"{"redirects":[{"from":"/a/*","to":"/b"}]}"#, "/redirects/0/from"),
        (r#"{"redirects":[{"from":"/a","to":"b"}]}"#, "/redirects/0/to"),
        (r#"{"redirects":[{"from":"/a","to":"/b"},{"from":"/a/","to":"/c"}]}"#, "/redirects/1/from"),
        (r#"{"redirects-file":{"key":"/x"}}"#, "/redirects-file/key"),
        (r#"{"redirects-file":{"default-status":303}}"#, "/redirects-file/default-status"),
        (r#"{"redirect":[]}"#, "/redirect"),
    ];
    for (settings, pointer) in table {
        assert_eq!(canonical::<RewriteSettings>(settings).unwrap_err()[0].0, pointer, "{settings}");
    }
}

#[test]
fn large_sites_do_not_depend_on_batches() {
    let artifact = (0..2_100).fold(TestArtifact::new().object("_redirects", "/old /7\n"), |artifact, at| {
        artifact.object(&format!("{at}.html"), "")
    });
    let found = answer(r#"{"clean-urls":"strip-html"}"#, &artifact);
    assert_eq!(objects(&found).len(), 2_100);
    assert_eq!(redirects(&found).len(), 2 + 1_900, "error documents keep their names");
    assert!(found.findings().is_empty());
}
