//! The header rules of a site with an edge, by dialect.

use tidegate_core::edge::RESERVED_HEADERS;
use tidegate_plugin::testing::{SyncAnswer, TestArtifact, sync};

use crate::HeadersPlugin;

const SETTINGS: &str = r#"{"presets":{"fingerprinted":null,"pages":null,"others":null}}"#;

fn of_file(dialect: &str, file: &str) -> SyncAnswer {
    let artifact = TestArtifact::new().object("_headers", file).objects(["a.js", "index.html"]).edge(dialect);
    sync::<HeadersPlugin>(SETTINGS, &artifact).unwrap()
}

/// Each rule as `PATH[/?] name: value, … - removed`.
fn rules(answer: &SyncAnswer) -> Vec<String> {
    let text = |rule: &tidegate_plugin::edge::HeaderRule| {
        let headers = rule.headers.iter().map(|header| format!(" {}: {}", header.name, header.value));
        let removals = rule.removals.iter().map(|name| format!(" -{name}"));
        let slash = if rule.either_slash { "/?" } else { "" };
        format!("{}{slash}{}", rule.path, headers.chain(removals).collect::<Vec<_>>().join(";"))
    };
    answer.rules.headers.iter().map(text).collect()
}

fn codes(answer: &SyncAnswer) -> Vec<&str> {
    answer.summary.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn headers_that_s3_does_not_store_become_rules() {
    let file = "\
/*
  X-Frame-Options: DENY
  Cache-Control: no-store
  Content-Security-Policy: default-src 'self';img-src a,b
/docs/*
  X-Frame-Options: SAMEORIGIN
  Link: </a.css>; rel=preload
  link: </b.css>; rel=preload
  ! Content-Security-Policy
/api/none
  X-Robots-Tag: noindex
";
    let netlify = of_file("netlify", file);
    let expected = [
        "/*/? x-frame-options: DENY; content-security-policy: default-src 'self';img-src a, b",
        "/docs/*/? x-frame-options: SAMEORIGIN; link: </a.css>; rel=preload, </b.css>; rel=preload; -content-security-policy; \
         -x-frame-options",
        "/api/none/? x-robots-tag: noindex",
    ];
    assert_eq!(rules(&netlify), expected);
    assert_eq!(codes(&netlify), Vec::<&str>::new());
    assert_eq!(netlify.header("a.js", "cache-control").as_deref(), Some("no-store"), "S3 stores it");
    assert!(!netlify.published().contains_key("_headers"));
    let cloudflare = of_file("cloudflare", file);
    let expected = [
        "/* x-frame-options: DENY; content-security-policy: default-src 'self';img-src a,b",
        "/docs/* x-frame-options: SAMEORIGIN; link: </a.css>; rel=preload, </b.css>; rel=preload; -content-security-policy",
        "/api/none x-robots-tag: noindex",
    ];
    assert_eq!(rules(&cloudflare), expected);
}

#[test]
fn paths_are_those_of_the_host() {
    let table: [(&str, &[&str], &[&str]); 19] = [
        ("/", &["/"], &["/"]),
        ("/a", &["/a"], &["/a"]),
        ("/a/", &["/a"], &["/a/"]),
        ("/a/*", &["/a/*"], &["/a/*"]),
        ("/*.js", &["/*.js"], &["/*.js"]),
        ("/a*", &["/a*"], &["/a*"]),
        ("/*/index.html", &["/*/index.html", "/index.html"], &["/*/index.html"]),
        ("/:lang/about", &[":segment"], &["/:lang/about"]),
        ("/a-:id", &[], &["/a-:id"]),
        ("/caf%C3%A9", &["/café"], &["/café"]),
        ("/a*/b*", &[], &[]),
        ("/:s/*", &["/:segment/*"], &["/:s/*"]),
        ("/*/:splat", &["/*/:segment", "/:segment"], &[]),
        ("/:a/:ab", &["/:segment/:segment"], &[]),
        ("/a/../b", &[], &[]),
        ("/a%2A", &[], &[]),
        ("/a%0Ab", &[], &[]),
        ("/a%E2%80%AEb", &[], &[]),
        ("https://h.example/*", &[], &[]),
    ];
    for (path, netlify, cloudflare) in table {
        for (dialect, expected) in [("netlify", netlify), ("cloudflare", cloudflare)] {
            let answer = of_file(dialect, &format!("{path}\n  X-A: 1\n"));
            let found: Vec<&str> = answer.rules.headers.iter().map(|rule| rule.path.as_str()).collect();
            let expected: Vec<&str> =
                expected.iter().map(|path| if *path == ":segment" { "/:segment/about" } else { *path }).collect();
            assert_eq!(found, expected, "{dialect} {path}");
            assert_eq!(codes(&answer) == ["unsupported-path"], expected.is_empty(), "{dialect} {path}");
        }
    }
}

#[test]
fn secrets_are_never_published() {
    for edge in [None, Some("netlify"), Some("cloudflare")] {
        for line in
            ["Basic-Auth: me:hunter2", "authorization: Bearer hunter2", "X-API-Key: hunter2", "Cookie: a=hunter2"]
        {
            let artifact = TestArtifact::new().object("_headers", format!("/*\n  {line}\n")).objects(["index.html"]);
            let artifact = edge.map_or(artifact.clone(), |dialect| artifact.edge(dialect));
            let answer = sync::<HeadersPlugin>(SETTINGS, &artifact).unwrap();
            assert_eq!(codes(&answer)[0], "header-with-secret", "{line}");
            assert!(!format!("{answer:?}").contains("hunter2"), "{line}: {answer:?}");
        }
    }
}

#[test]
fn lines_that_no_function_can_follow_are_reported() {
    for (line, code) in [
        ("Via: x", "header-not-possible"),
        ("Warning: x", "header-not-possible"),
        ("X-Amz-Cf-Id: x", "header-not-possible"),
        ("Transfer-Encoding: chunked", "header-not-possible"),
        ("Set-Cookie: a=b", "header-not-possible"),
        ("X-A:", "invalid-header"),
        ("X-A: caf\u{e9}", "invalid-header"),
        ("X A: 1", "invalid-header"),
    ] {
        for dialect in ["netlify", "cloudflare"] {
            let answer = of_file(dialect, &format!("/*\n  {line}\n"));
            assert_eq!((rules(&answer), codes(&answer)[0]), (vec![], code), "{dialect} {line}");
        }
    }
    let long = of_file("netlify", &format!("/*\n  X-A: {}\n", "x".repeat(1_784)));
    assert_eq!((rules(&long), codes(&long)[0]), (vec![], "invalid-header"));
    // No broader block applies instead.
    let narrow = of_file("netlify", "/*\n  X-A: 1\n/b\n  X-A: caf\u{e9}\n  X-B: 2\n");
    assert_eq!(rules(&narrow), ["/*/? x-a: 1", "/b/? x-b: 2; -x-a"]);
}

#[test]
fn cloudflare_follows_the_last_of_two_blocks_and_replaces_names_in_values() {
    let twice = of_file("cloudflare", "/a\n  X-A: 1\n/*\n  X-B: 2\n/a\n  X-A: 3\n");
    assert_eq!(rules(&twice), ["/a x-a: 3", "/* x-b: 2"]);
    let named = of_file("cloudflare", "/m/:title\n  X-A: is :title\n  X-B: :other\n/n/*\n  X-A: :splat\n");
    assert_eq!(rules(&named), ["/m/:title x-b: :other"]);
    assert_eq!(codes(&named)[0], "header-not-possible");
}

/// The host would end the run.
#[test]
fn headers_that_the_host_refuses_are_findings() {
    for name in RESERVED_HEADERS.into_iter().chain(["x-amz-cf-id", "x-edge-location", "set-cookie"]) {
        let answer = of_file("netlify", &format!("/a.js\n  {name}: x\n"));
        assert_eq!((rules(&answer), codes(&answer).len()), (Vec::new(), 1), "{name}");
    }
}

#[test]
fn a_strict_file_denies_the_run() {
    let strict = r#"{"headers-file":{"strict":true}}"#;
    let of = |file: &str| {
        let artifact = TestArtifact::new().object("_headers", file).objects(["index.html"]).edge("netlify");
        sync::<HeadersPlugin>(strict, &artifact)
    };
    assert_eq!(of("/*\n  X-Frame-Options: DENY\n").unwrap().rules.headers.len(), 1);
    for file in ["/*\n  Via: x\n", "/*/*\n  X-A: 1\n", "/*\n  Basic-Auth: a:b\n"] {
        assert_eq!(of(file).unwrap_err().code, "headers-file", "{file}");
    }
}
