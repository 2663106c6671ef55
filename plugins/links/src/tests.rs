//! The policy in the SDK's harness, with every size of batches.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidegate_plugin::testing::{TestPlan, canonical, judge};
use tidegate_plugin::{ChangeKind, Judgement, Verdict};

use super::{LinkCheck, LinkSettings};

fn add(plan: TestPlan, kind: ChangeKind, key: &str, text: &str) -> TestPlan {
    plan.change(kind, key, text.len() as u64).content(key, text)
}

/// A plan that creates these files.
fn site(files: &[(&str, &str)]) -> TestPlan {
    files.iter().fold(TestPlan::new(), |plan, (key, text)| add(plan, ChangeKind::Create, key, text))
}

fn judgement(settings: &str, plan: &TestPlan) -> Judgement {
    judge::<LinkCheck>(settings, plan).unwrap()
}

fn messages(settings: &str, plan: &TestPlan) -> Vec<String> {
    judgement(settings, plan).findings.into_iter().map(|finding| finding.message).collect()
}

#[test]
fn links_to_what_the_site_has_are_allowed() {
    let plan = site(&[
        ("a/index.html", "<base href=/><a href=a/>x<a href='b.html?x=1#y'>y<img src=img/%C3%A9%20x.png srcset='img/2.png 2x'>"),
        ("b.html", "<a href=./><a href=a/index.html><a href=old><a href=kept.html><link rel=stylesheet href=css/a.css><a href=#x>"),
        ("css/a.css", "a{b:url(../img/2.png)} @import 'b.css';"),
        ("css/b.css", ""),
        ("img/2.png", ""),
        ("img/é x.png", ""),
        ("index.html", "<a href=https://other.io/x><a href=//cdn.io/y><a href=mailto:a@b><img src=data:,x>"),
    ])
    .change(ChangeKind::Keep, "kept.html", 1)
    .redirect(ChangeKind::Create, "old", "/b.html");
    assert_eq!(judgement("{}", &plan), Judgement::allow());
}

#[test]
fn broken_links_are_named_with_the_first_page_and_counted() {
    let plan = site(&[
        ("a.html", "<a href=gone.html><a href=b/><img src=/x.png>"),
        ("b.html", "<a href=gone.html><a href=/gone.html><script src=app.js></script><a href=%FF>"),
        ("c.css", "a{b:url(f.woff2)}"),
        ("deleted-link.html", "<a href=old.html>"),
        ("index.html", ""),
        ("page", "<a href=gone.html>"),
    ])
    .change(ChangeKind::Delete, "old.html", 9)
    .redirect(ChangeKind::Create, "r", "/nowhere/");
    let found = judgement("{}", &plan);
    assert_eq!(found.verdict, Verdict::Deny);
    let lines: Vec<String> = found.findings.iter().map(|f| format!("{} {} {}", f.code, f.rule, f.message)).collect();
    assert_eq!(
        lines,
        [
            "missing-asset /on-violation/assets `b.html` needs `/app.js`, which the site would not have",
            "missing-asset /on-violation/assets `c.css` needs `/f.woff2`, which the site would not have",
            "missing-asset /on-violation/assets `a.html` needs `/x.png`, which the site would not have",
            "broken-link /on-violation/links `b.html` links to `/%FF`, which the site would not have",
            "broken-link /on-violation/links `a.html` links to `/b/`, which the site would not have",
            "broken-link /on-violation/links `a.html` links to `/gone.html`, which the site would not have, and so do 2 more links",
            "broken-link /on-violation/links `r` links to `/nowhere/`, which the site would not have",
            "broken-link /on-violation/links `deleted-link.html` links to `/old.html`, which the site would not have",
        ]
    );
    let held = judgement(r#"{"on-violation":{"links":"report","assets":"hold"}}"#, &plan);
    assert_eq!(held.verdict, Verdict::Hold);
    assert_eq!(judgement(r#"{"on-violation":{"links":"report","assets":"report"}}"#, &plan).verdict, Verdict::Allow);
}

#[test]
fn settings_say_what_an_address_leads_to() {
    let files = [
        (
            "about.html",
            "<a href=/><a href=/team><a href=/team/><a href=/docs><a href=/docs/><a href=/about><a href=/about/>",
        ),
        ("docs/index.html", "<a href=https://www.acme.io/docs/><a href=https://www.acme.io/nope>"),
        ("index.html", ""),
        ("team.html", ""),
    ];
    let plan = site(&files);
    let broken = |settings: &str| -> BTreeSet<String> {
        messages(settings, &plan).iter().map(|m| m.split('`').nth(3).unwrap().to_owned()).collect()
    };
    let set = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(broken("{}"), set(&["/about", "/about/", "/docs", "/team", "/team/"]));
    assert_eq!(broken(r#"{"clean-urls":true}"#), set(&[]));
    assert_eq!(broken(r#"{"clean-urls":true,"hosts":["WWW.acme.io"]}"#), set(&["/nope"]));
    assert_eq!(broken(r#"{"clean-urls":true,"hosts":["www.acme.io"],"ignore":"/nope"}"#), set(&[]));
    assert_eq!(broken(r#"{"ignore":["/about","/team"]}"#), set(&["/docs"]));
    assert_eq!(broken(r#"{"ignore-pages":"about.html"}"#), set(&[]));
    assert_eq!(
        broken(r#"{"index-document":""}"#),
        set(&["/", "/about", "/about/", "/docs", "/docs/", "/team", "/team/"])
    );
}

#[test]
fn unchanged_pages_are_read_only_if_the_settings_say_so() {
    let plan = add(site(&[("index.html", "")]), ChangeKind::Keep, "kept.html", "<a href=gone.html>").change(
        ChangeKind::Delete,
        "gone.html",
        3,
    );
    assert_eq!(judgement("{}", &plan), Judgement::allow());
    assert_eq!(
        messages(r#"{"include-unchanged":true}"#, &plan),
        ["`kept.html` links to `/gone.html`, which the site would not have"]
    );
}

#[test]
fn large_pages_are_read_in_parts() {
    let filler = "<p>text</p>".repeat(200_000);
    let page = format!("<a href=first.html>{filler}<a href=last.html>");
    let plan = site(&[("a.html", &page), ("first.html", "")]);
    assert_eq!(messages("{}", &plan), ["`a.html` links to `/last.html`, which the site would not have"]);
}

#[test]
fn the_first_broken_links_are_named_and_the_rest_is_counted() {
    let links: String = (0..80).map(|at| format!("<a href={at:03}.html>")).collect();
    let found = messages("{}", &site(&[("index.html", &links)]));
    assert_eq!((found.len(), found[50].as_str()), (51, "30 more links lead to what the site would not have"));
}

#[test]
fn settings_have_a_canonical_form() {
    assert_eq!(
        canonical::<LinkSettings>("{}").unwrap(),
        r#"{"index-document":"index.html","clean-urls":false,"hosts":[],"ignore":[],"ignore-pages":[],"include-unchanged":false,"on-violation":{"links":"deny","assets":"deny"}}"#
    );
    for (settings, pointer) in [
        (r#"{"hosts":["https://a.io"]}"#, "/hosts/0"),
        (r#"{"hosts":[""]}"#, "/hosts/0"),
        (r#"{"index-document":"a/b"}"#, "/index-document"),
        (r#"{"ignore":"["}"#, "/ignore"),
        (r#"{"on-violation":{"link":"deny"}}"#, "/on-violation/link"),
    ] {
        assert_eq!(canonical::<LinkSettings>(settings).unwrap_err()[0].0, pointer, "{settings}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Beside a check that knows all keys from the start.
    #[test]
    fn finds_what_a_check_of_the_whole_site_finds(
        links in prop::collection::vec((0_usize..40, 0_usize..60), 0..200),
        kept in prop::collection::btree_set(0_usize..60, 0..30),
    ) {
        let name = |at: usize| format!("{:02}.html", at * 7 % 60);
        let mut pages: Vec<String> = vec![String::new(); 40];
        links.iter().for_each(|(from, to)| pages[*from].push_str(&format!("<a href='{}'>", name(*to))));
        let mut plan = TestPlan::new();
        for at in kept.iter().filter(|at| **at >= 40) {
            plan = plan.change(ChangeKind::Keep, &name(*at), 1);
        }
        for (at, text) in pages.iter().enumerate() {
            plan = add(plan, ChangeKind::Create, &name(at), text);
        }
        let expected: BTreeSet<String> =
            links.iter().filter(|(_, to)| *to >= 40 && !kept.contains(to)).map(|(_, to)| format!("/{}", name(*to))).collect();
        let found: BTreeSet<String> = messages("{}", &plan).iter().map(|m| m.split('`').nth(3).unwrap().to_owned()).collect();
        prop_assert_eq!(found, expected);
    }
}
