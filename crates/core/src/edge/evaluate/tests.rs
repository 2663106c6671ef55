//! Paths and what rules do with them.

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::super::{EdgeHeaderRule, QueryCondition, RuleOrigin, RulePath, SlashMatch};
use super::*;

/// A rule as in `/from /to 301! either id=:id`.
fn rule(text: &str) -> EdgeRedirect {
    let words: Vec<&str> = text.split(' ').collect();
    let code = words[2];
    let rule = EdgeRedirect {
        path: RulePath::new(words[0]).unwrap(),
        slash: if words.contains(&"either") { SlashMatch::Either } else { SlashMatch::AsWritten },
        status: RuleStatus::new(code.trim_end_matches('!').parse().unwrap()).unwrap(),
        target: (words[1] != "-").then(|| RuleTarget::new(words[1]).unwrap()),
        query: words.iter().skip(3).filter_map(|word| word.split_once('=')).map(condition).collect(),
        force: code.ends_with('!'),
        origin: RuleOrigin::default(),
    };
    rule.check().unwrap();
    rule
}

fn condition((name, value): (&str, &str)) -> QueryCondition {
    QueryCondition::new(name, value).unwrap()
}

fn rules(lines: &[&str]) -> EdgeRules {
    EdgeRules { redirects: lines.iter().map(|line| rule(line)).collect(), headers: Vec::new() }
}

/// `STATUS LOCATION`, `STATUS = PATH` for content, or `page`.
fn answer(rules: &EdgeRules, request: &str, pages: &[&str]) -> String {
    let (path, query) = request.split_once('?').unwrap_or((request, ""));
    match EdgeEvaluator::new(rules).outcome(path, query, |path| pages.contains(&path)) {
        EdgeOutcome::Page => "page".to_owned(),
        EdgeOutcome::Redirect { status, location, .. } => format!("{status} {location}"),
        EdgeOutcome::Content { status, path, .. } => format!("{status} = {path}"),
        EdgeOutcome::Gone { .. } => "410".to_owned(),
    }
}

#[test]
fn one_rule_and_one_request() {
    let table = [
        // Slashes at the end.
        ("/a /b 301", "/a", "301 /b"),
        ("/a /b 301", "/a/", "page"),
        ("/a/ /b 301", "/a/", "301 /b"),
        ("/a /b 301 either", "/a/", "301 /b"),
        ("/a/ /b 301 either", "/a", "301 /b"),
        ("/ /b 302 either", "/", "302 /b"),
        ("/ /b 302", "/", "302 /b"),
        ("/a /b 301 either", "/ab", "page"),
        ("/A /b 301 either", "/a", "page"),
        // Conditions on the query.
        ("/a /b/:id 301 id=:id", "/a?x=1&id=5", "301 /b/5?x=1&id=5"),
        ("/a /b/:id?q=:id 301 id=:id", "/a?id=a%2Fb+c", "301 /b/a%2Fb%20c?q=a%2Fb%20c"),
        ("/a /b/:id 301 id=:id", "/a?ID=5", "page"),
        ("/a /b 301 id=5 tag=", "/a?tag&id=6&id=5", "301 /b?tag&id=6&id=5"),
        ("/a /b 301 id=5 tag=", "/a?id=5", "page"),
        ("/a/* /b/:splat/:x 302 either x=:x", "/a?x=1", "302 /b/1?x=1"),
        ("/a /b/:x.html 200 x=:x", "/a?x=é", "200 = /b/é.html"),
        ("/a /b/:x.html 200 x=:x", "/a?x=../c", "page"),
        ("/a /b/:x 404 x=:x", "/a?x=..", "page"),
        ("/a - 410 x=1", "/a?x=1", "410"),
        ("/a /a 301 x=1", "/a?x=1", "page"),
        // Splats.
        ("/old/* /new/:splat 301", "/old/x/y", "301 /new/x/y"),
        ("/old/* /new/:splat 301", "/old/", "301 /new/"),
        ("/old/* /new/:splat 301", "/old", "page"),
        ("/old/* /new/:splat 301 either", "/old", "301 /new/"),
        ("/old/* /new/:splat 301 either", "/old/", "301 /new/"),
        ("/old/* /new/:splat 301 either", "/old/x/", "301 /new/x/"),
        ("/old/* /new/:splat 301 either", "/older", "page"),
        ("/a* /b:splat 301 either", "/ab/c/", "301 /bb/c/"),
        ("/x/*/y /z/:splat 301", "/x/1/y/2/y", "301 /z/1/y/2"),
        ("/x/*/y /z/:splat 301 either", "/x/1/y/", "301 /z/1"),
        ("/*.php /:splat 301", "/a/b.php", "301 /a/b"),
        ("/* /:splat.html 301", "/a", "301 /a.html"),
        // Names.
        ("/blog/:slug /news/:slug 301 either", "/blog/x/", "301 /news/x"),
        ("/blog/:slug /news/:slug 301", "/blog/", "page"),
        ("/blog/:slug /news/:slug 301", "/blog/x/y", "page"),
        ("/p-:id/:a.:b /q/:b/:a/:id 307", "/p-1/x.y.z", "307 /q/z/x.y/1"),
        ("/n/:a/:ab /:ab/:a 301", "/n/1/2", "301 /2/1"),
        ("/n/:a /x/:ab/:b 301", "/n/1", "301 /x/1b/:b"),
        ("/n/:a/:a /x/:a 301", "/n/1/2", "301 /x/1"),
        ("/t/12:30 /x 301", "/t/12:30", "301 /x"),
        // Queries and fragments.
        ("/a /b 301", "/a?x=1", "301 /b?x=1"),
        ("/a /b?y=2 301", "/a?x=1", "301 /b?y=2"),
        ("/a /b?y=2#z 301", "/a?x=1", "301 /b?y=2#z"),
        ("/a /b#z 301", "/a?x=1", "301 /b?x=1#z"),
        ("/p/:id /q?id=:id 302", "/p/7?x=1", "302 /q?id=7"),
        ("/a https://x.example 301", "/a?x=1", "301 https://x.example?x=1"),
        ("/a/* https://x.example/:splat 301", "/a/b//c", "301 https://x.example/b//c"),
        // Encoding.
        ("/é/* /ü%20/:splat 301".replace('ü', "%C3%BC").leak(), "/é/ö #.html", "301 /%C3%BC%20/%C3%B6%20%23.html"),
        ("/p/* /q/:splat 301", "/p/a+b[1]%", "301 /q/a%2Bb%5B1%5D%25"),
        // Never another host.
        ("/o/* /:splat/x 301", "/o/", "301 /x"),
        ("/o/* /:splat 301", "/o//evil.example", "301 /evil.example"),
        ("/o* /:splat 301", "/o/\\evil.example", "301 /%5Cevil.example"),
        // Paths that are already at the target.
        ("/a /a 301", "/a", "page"),
        ("/a /a/ 301", "/a", "301 /a/"),
        ("/a /a/ 301 either", "/a", "page"),
        ("/a /a/ 301 either", "/a/", "page"),
        ("/a/:x /a/b 301", "/a/b", "page"),
        ("/* /en/:splat 301", "/en/a", "page"),
        ("/* /en/:splat 301", "/en", "page"),
        ("/* /en/:splat 301", "/fr", "301 /en/fr"),
        ("/a/* /a/b 302", "/a/b/c", "page"),
        ("/a/old/* /a/:splat 302", "/a/old/b", "302 /a/b"),
        ("/a/* / 302", "/a/b", "302 /"),
        ("/* / 302", "/a/b", "page"),
        ("/* /en/:splat/x 301", "/en/a", "page"),
        ("/* /en/:splat 200", "/en/a", "200 = /en/en/a"),
        ("/* https://x.example/:splat 301", "/a", "301 https://x.example/a"),
        // Content.
        ("/* /index.html 200", "/a/b.js", "200 = /index.html"),
        ("/a /b?x=1#y 200", "/a?z=2", "200 = /b"),
        ("/%20 /é 200".replace('é', "%C3%A9").leak(), "/%20", "200 = /é"),
        ("/x-:a /y/.:a 200", "/x-.", "page"),
        ("/* /404.html 404", "/a", "404 = /404.html"),
        ("/* /404.html 404", "/404.html", "page"),
        ("/a - 410", "/a", "410"),
        ("/a /b 410", "/a", "410"),
    ];
    for (line, request, expected) in table {
        assert_eq!(answer(&rules(&[line]), request, &[]), expected, "{line} for {request}");
    }
}

#[test]
fn the_first_match_decides_and_pages_come_first_unless_it_is_forced() {
    let all = rules(&["/a /b 301", "/a /c 301!", "/d/* /e 302!", "/d/x /f 301", "/* /index.html 200"]);
    assert_eq!(answer(&all, "/a", &[]), "301 /b");
    assert_eq!(answer(&all, "/a", &["/a"]), "page");
    assert_eq!(answer(&all, "/d/x", &["/d/x"]), "302 /e");
    assert_eq!(answer(&all, "/z", &["/d/x"]), "200 = /index.html");
    assert_eq!(answer(&all, "/index.html", &["/index.html"]), "page");
    // A redirect that leads to the path itself does not leave it to later rules.
    assert_eq!(answer(&rules(&["/a/:x /a/b 301", "/a/* /c 302"]), "/a/b", &[]), "page");
}

#[test]
fn headers_of_matching_rules_are_joined_and_removed_in_order() {
    let header = |path: &str, headers: &[(&str, &str)], removals: &[&str]| EdgeHeaderRule {
        path: RulePath::new(path).unwrap(),
        slash: SlashMatch::Either,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        removals: removals.iter().map(|name| (*name).to_owned()).collect(),
        origin: RuleOrigin::default(),
    };
    let rules = EdgeRules {
        redirects: Vec::new(),
        headers: vec![
            header("/*", &[("x-a", "1"), ("x-b", "2")], &[]),
            header("/docs/*", &[("x-a", "3")], &[]),
            header("/docs/:page", &[("x-b", "4")], &["x-b", "x-c"]),
        ],
    };
    let expect = |path: &str, expected: &[(&str, &str)]| {
        let found = EdgeEvaluator::new(&rules).headers(path);
        assert_eq!(found.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(), expected, "{path}");
    };
    expect("/x", &[("x-a", "1"), ("x-b", "2")]);
    expect("/docs", &[("x-a", "1, 3"), ("x-b", "2")]);
    expect("/docs/a/", &[("x-a", "1, 3"), ("x-b", "4")]);
}

#[test]
fn no_visitor_chooses_the_host() {
    let check = |to: &str| EdgeRedirect { target: Some(RuleTarget::new(to).unwrap()), ..rule("/*/:a /x 301") }.check();
    for to in ["https://x.example:splat", "https://x.example:a/", "http://a.:a.example/", "https://x:splat@y.example/"]
    {
        let error = check(to).unwrap_err().to_string();
        assert!(error.contains("must not have placeholders") && error.contains(to), "{error}");
    }
    for to in ["https://x.example:8080/:a", "https://x.example/:splat", "https://x.example?q=:a", "/:splat"] {
        check(to).unwrap();
    }
}

/// Text of the characters that rules give a meaning.
fn path_text() -> impl Strategy<Value = String> {
    "(/[a-c:*.%é]{1,4}){1,3}/?"
        .prop_filter("no dot segments", |path| !path.split('/').any(|segment| matches!(segment, "." | "..")))
}

proptest! {
    #[test]
    fn no_rule_leads_to_another_host_or_out_of_the_site(
        from in path_text(),
        to in "(/|/:splat|/:a|/b|:splat|\\?:a|#:a){1,4}",
        path in path_text(),
        status in prop::sample::select(vec![301_u16, 200, 404]),
        either in any::<bool>(),
    ) {
        let (Ok(from), Ok(to)) = (RulePath::new(&from), RuleTarget::new(&to)) else { return Ok(()) };
        let slash = if either { SlashMatch::Either } else { SlashMatch::AsWritten };
        let status = RuleStatus::new(status).unwrap();
        let rule = EdgeRedirect {
            path: from, slash, query: Vec::new(), status, target: Some(to), force: true, origin: RuleOrigin::default(),
        };
        prop_assume!(rule.check().is_ok());
        let rules = EdgeRules { redirects: vec![rule], headers: Vec::new() };
        match EdgeEvaluator::new(&rules).outcome(&path, "", |_| false) {
            EdgeOutcome::Redirect { location, .. } => {
                prop_assert!(location.starts_with('/') && !location.starts_with("//"), "{}", location);
                prop_assert!(location.is_ascii());
                prop_assert_ne!(percent_decode_str(&location).decode_utf8().unwrap(), path);
            }
            EdgeOutcome::Content { path, .. } => {
                prop_assert!(path.starts_with('/') && !path.contains("//"), "{}", path);
                prop_assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")), "{}", path);
            }
            EdgeOutcome::Page | EdgeOutcome::Gone { .. } => {}
        }
    }
}
