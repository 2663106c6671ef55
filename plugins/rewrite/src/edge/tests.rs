//! The rules of a site with an edge, by dialect, with every size of batches.

use tidegate_plugin::testing::{SyncAnswer, TestArtifact, sync};

use crate::Rewrite;

fn answer(dialect: &str, settings: &str, artifact: TestArtifact) -> SyncAnswer {
    sync::<Rewrite>(settings, &artifact.edge(dialect)).unwrap()
}

/// The rules for a file on a site with some pages.
fn of_file(dialect: &str, file: &str) -> SyncAnswer {
    let artifact = TestArtifact::new().object("_redirects", file).objects(["a", "b/index.html", "index.html"]);
    answer(dialect, "{}", artifact)
}

/// Each rule as `PATH[/?] STATUS[!] TARGET [CONDITIONS]`, with `/?` if a slash at the end makes no difference.
fn rules(answer: &SyncAnswer) -> Vec<String> {
    let text = |rule: &tidegate_plugin::edge::RedirectRule| {
        let (slash, force) = (if rule.either_slash { "/?" } else { "" }, if rule.force { "!" } else { "" });
        let query =
            |one: &tidegate_plugin::Attribute| format!(" {}={}", one.name.trim_start_matches("query."), one.value);
        let query: String = rule.attributes.iter().map(query).collect();
        format!("{}{slash} {}{force} {}{query}", rule.path, rule.status, rule.target.as_deref().unwrap_or("-"))
    };
    answer.rules.redirects.iter().map(text).collect()
}

/// The codes of findings, each with its first line.
fn findings(answer: &SyncAnswer) -> Vec<(String, usize)> {
    let line = |message: &str| message.strip_prefix("line ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    let of = |finding: &tidegate_plugin::Finding| (finding.code.clone(), line(&finding.message).unwrap_or_default());
    answer.summary.findings.iter().map(of).collect()
}

#[test]
fn netlify_lines_become_rules() {
    let table: [(&str, &[&str]); 58] = [
        ("/x /b/", &["/x/? 301 /b/"]),
        ("/x/ /b/ 302", &["/x/? 302 /b/"]),
        ("/x /b/ 301!", &["/x/? 301! /b/"]),
        ("/x /b/ 303", &["/x/? 303 /b/"]),
        ("/x /b/ 307", &["/x/? 307 /b/"]),
        ("/x /b/ 308 # comment", &["/x/? 308 /b/"]),
        ("/x /b/ 410", &["/x/? 410 -"]),
        ("/x /b/ 404!", &["/x/? 404! /b/"]),
        ("/* /index.html 200", &["/*/? 200 /index.html"]),
        ("x /b/", &["/x/? 301 /b/"]),
        ("/x/* /b/:splat", &["/x/*/? 301 /b/:splat"]),
        ("/x/* https://h.example/:splat 302", &["/x/*/? 302 https://h.example/:splat"]),
        ("/x* /b/:splat", &["/x/*/? 301 /b/:splat", "/x*/? 301 /b/:splat"]),
        ("/x/*/y /b/:splat", &["/x/*/y/? 301 /b/:splat", "/x/y/? 301 /b/"]),
        ("/*/y /:splat/z", &["/*/y/? 301 /:splat/z", "/y/? 301 /z"]),
        ("/x/*/y /:splat/z 200", &["/x/*/y/? 200 /:splat/z", "/x/y/? 200 /z"]),
        ("/n/:a/:b /:b/:a", &["/n/:a/:b/? 301 /:b/:a"]),
        // Names that a target could confuse.
        ("/n/:a/:ab /:ab/:a", &["/n/:paa/:pab/? 301 /:paab/:paa"]),
        ("/n/:a/:a /:a", &["/n/:paa/:pab/? 301 /:paa"]),
        ("/n/:post-id /:post-id", &["/n/:paa/? 301 /:paa"]),
        ("/n/:sp/* /:splat/:sp", &["/n/:paa/*/? 301 /:paalat/:paa"]),
        ("/n/:1 /:1", &["/n/:paa/? 301 /:paa"]),
        ("/x/:a /b?q=:a&t=:zz#:a", &["/x/:a/? 301 /b?q=:a&t=%3Azz#:a"]),
        ("/caf%C3%A9/* /é/:splat", &["/café/*/? 301 /%C3%A9/:splat"]),
        ("/api/* 200", &["/api/*/? 200 /api/:splat"]),
        // Parameters of the query.
        ("/x id=:id /b/:id 301", &["/x/? 301 /b/:id id=:id"]),
        ("/ p=12 /b/ 301!", &["//? 301! /b/ p=12"]),
        ("/x id=:id tag=a,b /b/:id?t=:id 302", &["/x/? 302 /b/:id?t=:id id=:id tag=a,b"]),
        ("/x id=1 id=2 /b", &["/x/? 301 /b id=2"]),
        ("/x a=b=c /b", &["/x/? 301 /b a=b"]),
        ("/x id= /b 410", &["/x/? 410 - id="]),
        ("/x/:a id=:ab /:ab/:a", &["/x/:paa/? 301 /:paab/:paa id=:pab"]),
        ("/x/:id id=:id /:id", &["/x/:paa/? 301 /:paa id=:pab"]),
        ("/x id=:post-id /:post-id", &["/x/? 301 /:paa id=:paa"]),
        ("/x id=: /b:c", &["/x/? 301 /b%3Ac id=:paa"]),
        ("/x/* q=:splat /y/:splat", &["/x/*/? 301 /y/:splat q=:pab"]),
        ("/x* q=:q /y/:splat/:q 200", &["/x/*/? 200 /y/:splat/:q q=:q", "/x*/? 200 /y/:splat/:q q=:q"]),
        ("/x id=:h https://:h.example/", &[]),
        ("/x id /b", &[]),
        ("/x =1 /b", &[]),
        ("/x id=a\u{202e} /b", &[]),
        // What an edge cannot do.
        ("/x https://h.example/ 200", &[]),
        ("/x/* /.netlify/functions/y 200", &[]),
        ("/x /b 301 Country=de", &[]),
        ("/x /b 302 Language=de,fr", &[]),
        ("/x /b 200! Role=admin", &[]),
        ("https://h.example/x /b", &[]),
        ("/x /b 401", &[]),
        ("/x /b 500", &[]),
        ("/x/* https://:splat.example/", &[]),
        ("/x/*/y/* /b", &[]),
        ("/a-:id /b", &[]),
        ("/x /b/../../c 200", &[]),
        ("/a%00b /b", &[]),
        ("/a%E2%80%AEb /b", &[]),
        ("/a//b /b", &[]),
        ("/a/%2E%2E/b /b", &[]),
        ("/a%3Fb /b", &[]),
    ];
    for (line, expected) in table {
        let answer = of_file("netlify", line);
        assert_eq!(rules(&answer), expected, "{line}");
        let is_refused = expected.is_empty();
        let refusals = answer.summary.findings.iter().filter(|finding| finding.code == "redirect-not-possible").count();
        assert_eq!(refusals, usize::from(is_refused), "{line}: {:?}", answer.summary.findings);
    }
}

#[test]
fn cloudflare_lines_become_rules() {
    let table: [(&str, &[&str]); 34] = [
        ("/x /b/", &["/x 302! /b/"]),
        ("/x/ /b/ 301", &["/x/ 301! /b/"]),
        ("x /b/", &["/x 302! /b/"]),
        ("/x?y=1 /b/", &["/x 302! /b/"]),
        ("/x /b/ 303 # comment", &["/x 303! /b/"]),
        ("/x /b/ 307", &["/x 307! /b/"]),
        ("/x /b/ 308", &["/x 308! /b/"]),
        ("/x/* /b/ 200", &["/x/* 200! /b/"]),
        ("/x/* https://h.example/:splat", &["/x/* 302! https://h.example/:splat"]),
        ("/*.php /:splat", &["/*.php 302! /:splat"]),
        ("/x/*/y /b/:splat", &["/x/*/y 302! /b/:splat"]),
        ("/x/a-:id.html /b/:id", &["/x/a-:id.html 302! /b/:id"]),
        ("/n/:ab/:a /:ab/:a", &["/n/:paa/:pab 302! /:paa/:pab"]),
        ("/x/:1 /b/", &["/x/:1 302! /b/"]),
        ("/x/:s/* /b/:splat", &["/x/:paa/* 302! /b/:paaplat"]),
        ("/x/*/:splatter /b/:splatter", &["/x/*/:pab 302! /b/:splatter"]),
        ("/x/:id /b?q=:idx", &["/x/:id 302! /b?q=:idx"]),
        ("/caf%C3%A9 /é", &["/café 302! /%C3%A9"]),
        // What Cloudflare ignores.
        ("/x /b 404", &[]),
        ("/x /b 410", &[]),
        ("/x /b 301!", &[]),
        ("/x /b 301 Country=de", &[]),
        ("/x id=:id /b 301", &[]),
        ("/x", &[]),
        ("/x http://h.example/", &[]),
        ("https://h.example/x /b", &[]),
        ("/* /index.html 200", &[]),
        ("/x/ /b/index", &[]),
        ("/x/*/y/* /b", &[]),
        ("/x/:a/:a /b", &[]),
        ("/x/:a/:ab /b", &[]),
        ("/x/*/:splat /b", &[]),
        // What an edge cannot do.
        ("/x https://h.example/ 200", &[]),
        ("/x/:h https://:h.example/", &[]),
    ];
    for (line, expected) in table {
        let answer = of_file("cloudflare", line);
        assert_eq!(rules(&answer), expected, "{line}");
        let refusals = answer.summary.findings.iter().filter(|finding| finding.code == "redirect-not-possible").count();
        assert_eq!(refusals, usize::from(expected.is_empty()), "{line}: {:?}", answer.summary.findings);
    }
    let long = of_file("cloudflare", &format!("/{} /b", "x".repeat(2_000)));
    assert_eq!(findings(&long), [("redirect-not-possible".to_owned(), 1)]);
    let twice = of_file("cloudflare", "/x /a 301\n/x /b/ 301\n/y https://h.example 200\n/y /b/\n");
    assert_eq!((rules(&twice), findings(&twice).len()), (vec!["/x 301! /a".to_owned()], 2));
}

#[test]
fn a_line_that_is_not_followed_keeps_its_paths_from_later_lines() {
    let shielded = of_file("netlify", "/api/* https://h.example/:splat 200!\n/x /y 500\n/* /index.html 200\n");
    assert_eq!(rules(&shielded), ["/api/*/? 200 /api/:splat", "/x/? 200 /x", "/*/? 200 /index.html"]);
    // Nothing that comes later would answer.
    let alone = of_file("netlify", "/* /index.html 200\n/api/* https://h.example/:splat 200\n/other /b/\n");
    assert_eq!(rules(&alone), ["/*/? 200 /index.html"]);
    // For these parameters only.
    let proxied = of_file("netlify", "/x/* id=:id https://h.example/:id 200\n/x/* /a 302\n/y id /b/\n/y /a\n");
    assert_eq!(rules(&proxied), ["/x/*/? 200 /x/:splat id=:id", "/x/*/? 302 /a", "/y/? 200 /y"]);
    // Conditions are about some visitors, and later lines are for the others.
    let conditional = of_file("netlify", "/ /de 302 Language=de\n/x/* /a 302 Country=de\n/x/* /b/ 302\n");
    assert_eq!(rules(&conditional), ["/x/*/? 302 /b/"]);
}

#[test]
fn rules_of_the_settings_come_first_and_nothing_becomes_an_object() {
    let settings = r#"{"redirects":[{"from":"/start","to":"/"},{"from":"/a","to":"https://h.example/","force":true}]}"#;
    for dialect in ["netlify", "cloudflare"] {
        let artifact =
            TestArtifact::new().object("_redirects", "/start /b/ 301\n/y /start 301\n").objects(["a", "index.html"]);
        let answer = answer(dialect, settings, artifact);
        assert_eq!(rules(&answer)[..2], ["/start/? 301 /", "/a/? 301! https://h.example/"]);
        assert_eq!(rules(&answer).len(), 3, "{dialect}");
        assert!(answer.summary.extras.is_empty());
        assert_eq!(answer.published().into_keys().collect::<Vec<_>>(), ["a", "index.html"]);
        assert_eq!(findings(&answer), [("redirect-twice".to_owned(), 1)]);
        assert_eq!(answer.rules.redirects[0].rule, "/redirects/0");
        assert_eq!(answer.rules.redirects[2].reason, "line 2 of `_redirects`");
    }
}

#[test]
fn lines_without_effect_are_reported() {
    let file = "\
/a /b/
/old/* /b/:splat
/old/x /b/
/gone /nowhere
/same /same/
/same /b/
/p /q 302
/q /p 302
/l/* /m/:splat
/m/* /l/:splat
/r /nothing.html 200
/a /b/ 301!
";
    let answer = of_file("netlify", file);
    let found = findings(&answer);
    let found: Vec<_> = found.iter().map(|(code, line)| (code.as_str(), *line)).collect();
    let expected = [
        ("redirect-shadowed", 1),
        ("redirect-twice", 3),
        ("redirect-to-nothing", 4),
        ("redirect-to-itself", 5),
        ("redirect-loop", 7),
    ];
    assert_eq!(found, expected, "{:#?}", answer.summary.findings);
    for (finding, more) in answer.summary.findings.iter().zip(["", ": lines 6, 12", ": line 11", "", ": lines 8-10"]) {
        assert!(finding.message.ends_with(more), "{}", finding.message);
    }
    // A loop of exact paths has no rule. One with placeholders leads somewhere where a page ends it.
    assert!(
        !rules(&answer).iter().any(|rule| rule.starts_with("/p/") || rule.starts_with("/q/")),
        "{:?}",
        rules(&answer)
    );
    assert!(!rules(&answer).contains(&"/same/? 301 /b/".to_owned()), "the first line decides about its path");
    let strict = r#"{"redirects-file":{"strict":true}}"#;
    for file in ["/x /y\n/y /x\n", "/x /b/\n/x /a\n", "/x /b/ 500\n"] {
        let artifact = TestArtifact::new().object("_redirects", file).objects(["a", "b/index.html"]).edge("netlify");
        assert!(sync::<Rewrite>(strict, &artifact).is_err(), "{file}");
    }
    let loop_of_rules = r#"{"redirects":[{"from":"/x","to":"/y"},{"from":"/y","to":"/x"}]}"#;
    let failure = sync::<Rewrite>(loop_of_rules, &TestArtifact::new().edge("netlify")).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.rule.as_str()), ("redirect-loop", "/redirects/0"));
}

#[test]
fn old_addresses_of_pages_are_rules() {
    let settings = r#"{"clean-urls":"html-to-directory","clean-urls-links":false}"#;
    let file = "/about.html /team/ 301\n/* /index.html 200\n";
    let artifact =
        TestArtifact::new().object("_redirects", file).objects(["404.html", "about.html", "index.html", "team.html"]);
    let answer = answer("netlify", settings, artifact);
    assert_eq!(rules(&answer), ["/team.html 301 /team/", "/about.html/? 301 /team/", "/*/? 200 /index.html"]);
    let keys: Vec<String> = answer.published().into_keys().collect();
    assert_eq!(keys, ["404.html", "about/index.html", "index.html", "team/index.html"]);
    assert_eq!(answer.findings(), []);
}

#[test]
fn old_addresses_that_no_rule_can_have_are_left_out() {
    let settings = r#"{"clean-urls":"strip-html","clean-urls-links":false}"#;
    let artifact = TestArtifact::new().objects(["a:b.html", "c++.html", "q?.html", "x*.html", "é #.html"]);
    let answer = answer("netlify", settings, artifact);
    assert_eq!(rules(&answer), ["/c++.html 301 /c++"]);
}

#[test]
fn a_target_has_the_form_of_the_key_that_it_leads_to() {
    let artifact = TestArtifact::new().object("_redirects", "/x /caf\u{e9}/ 301\n").objects(["cafe\u{301}/index.html"]);
    let answer = answer("netlify", "{}", artifact);
    assert_eq!((rules(&answer), answer.findings()), (vec!["/x/? 301 /cafe%CC%81/".to_owned()], vec![]));
}

#[test]
fn an_unknown_dialect_is_refused() {
    let failure = sync::<Rewrite>("{}", &TestArtifact::new().edge("apache")).unwrap_err();
    assert_eq!(failure.code, "unknown-dialect");
}
