//! Acts that add rules for requests. `edge-NAME` adds the rule `NAME` and ignores the answer.

use crate::tidegate::plugin::edge::{HeaderRule, RedirectRule, RuleError, add_headers, add_redirects};
use crate::tidegate::plugin::log::{Level, log};
use crate::tidegate::plugin::types::Attribute;

/// Performs an act of this module; does nothing for other acts.
pub(crate) fn perform(act: &str) {
    let Some(name) = act.strip_prefix("edge-") else { return };
    match name {
        "many" => {
            let _ = add_redirects(&vec![redirect(); 1_001]);
        }
        "many-headers" => {
            let _ = add_headers(&vec![header(); 1_001]);
        }
        "flood" => while add_redirects(&vec![redirect(); 1_000]).is_ok() {},
        "flood-headers" => {
            let rule = HeaderRule { reason: "x".repeat(10_000), ..header() };
            while add_headers(&vec![rule.clone(); 1_000]).is_ok() {}
        }
        "huge" => {
            let _ = add_redirects(&vec![RedirectRule { path: format!("/{}", "x".repeat(1 << 20)), ..redirect() }; 30]);
        }
        "all-or-none" => {
            let _ = add_redirects(&[redirect(), RedirectRule { status: 299, ..redirect() }]);
        }
        name => log(Level::Info, &format!("{:?}", add_one(name))),
    }
}

/// Adds the rule with this name.
pub(crate) fn add_one(name: &str) -> Result<(), RuleError> {
    let attribute = |name: &str, value: &str| Attribute { name: name.to_owned(), value: value.to_owned() };
    let path = |path: &str| add_redirects(&[RedirectRule { path: path.to_owned(), ..redirect() }]);
    let target = |to: &str| add_redirects(&[RedirectRule { target: Some(to.to_owned()), ..redirect() }]);
    let query = |conditions: &[(&str, &str)]| {
        let attributes = conditions.iter().map(|(name, value)| attribute(&format!("query.{name}"), value)).collect();
        add_redirects(&[RedirectRule { attributes, ..redirect() }])
    };
    let status = |status: u16| add_redirects(&[RedirectRule { status, ..redirect() }]);
    let headers =
        |name: &str, value: &str| add_headers(&[HeaderRule { headers: vec![attribute(name, value)], ..header() }]);
    match name {
        "path" => path("old"),
        "path-empty" => path(""),
        "path-query" => path("/a?b"),
        "path-dots" => path("/a/../b"),
        "path-host" => path("//evil.example"),
        "path-stars" => path("/*/*"),
        "path-long" => path(&format!("/{}", "\u{1b}".repeat(1_600))),
        "path-control" => path("/a\r\nb\u{1b}[2J"),
        "query-name" => query(&[("", "1")]),
        "query-names" => query(&[("a&b", "1")]),
        "query-value" => query(&[("a", "b\r\nc")]),
        "query-placeholder" => query(&[("a", ":1")]),
        "query-twice" => query(&[("a", "1"), ("a", "2")]),
        "status" => status(500),
        "status-zero" => status(0),
        "target" => target("relative"),
        "target-host" => target("//evil.example"),
        "target-script" => target("javascript:alert(1)"),
        "target-split" => target("/a\r\nset-cookie: a=b"),
        "target-long" => target(&format!("/{}", "x".repeat(2_048))),
        "target-choice" => target("https://x.example:splat"),
        "target-none" => add_redirects(&[RedirectRule { target: None, ..redirect() }]),
        "proxy" => {
            let target = Some("https://x.example/".to_owned());
            add_redirects(&[RedirectRule { status: 200, target, ..redirect() }])
        }
        "pointer" => add_redirects(&[RedirectRule { rule: "rules[0]".to_owned(), ..redirect() }]),
        "attribute" => add_redirects(&[RedirectRule { attributes: vec![attribute("weight", "1")], ..redirect() }]),
        "header-attribute" => add_headers(&[HeaderRule { attributes: vec![attribute("weight", "1")], ..header() }]),
        "header-path" => add_headers(&[HeaderRule { path: "/a/./b".to_owned(), ..header() }]),
        "header-name" => headers("a b", "x"),
        "header-case" => headers("X-Frame-Options", "DENY"),
        "header-reserved" => headers("x-amz-cf-id", "x"),
        "header-cookie" => headers("set-cookie", "a=b"),
        "header-split" => headers("x-a", "a\r\nset-cookie: a=b"),
        "header-empty" => headers("x-a", ""),
        "header-long" => headers("x-a", &"x".repeat(1_784)),
        "header-none" => add_headers(&[HeaderRule { headers: Vec::new(), ..header() }]),
        "removal" => add_headers(&[HeaderRule { removals: vec!["via".to_owned()], ..header() }]),
        "good-headers" => add_headers(&[HeaderRule { removals: vec!["x-b".to_owned()], ..header() }]),
        _ => add_redirects(&[redirect(), RedirectRule { path: "/b".to_owned(), ..redirect() }]),
    }
}

fn redirect() -> RedirectRule {
    RedirectRule {
        path: "/old/*".to_owned(),
        target: Some("/new/:splat".to_owned()),
        status: 301,
        either_slash: true,
        force: false,
        rule: "/rules/3".to_owned(),
        reason: "line 3\u{1b}[2J".to_owned(),
        attributes: Vec::new(),
    }
}

fn header() -> HeaderRule {
    HeaderRule {
        path: "/*".to_owned(),
        either_slash: false,
        headers: vec![Attribute { name: "x-frame-options".to_owned(), value: "DENY".to_owned() }],
        removals: Vec::new(),
        rule: "/rules/3".to_owned(),
        reason: String::new(),
        attributes: Vec::new(),
    }
}
