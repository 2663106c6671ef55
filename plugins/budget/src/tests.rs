//! The policy in the SDK's harness, with every size of batches.

use proptest::prelude::*;
use tidegate_plugin::testing::{TestPlan, canonical, judge};
use tidegate_plugin::{ChangeKind, Judgement, Verdict};

use super::{Budget, BudgetSettings};

fn judgement(settings: &str, plan: &TestPlan) -> Judgement {
    judge::<Budget>(settings, plan).unwrap()
}

/// Code, rule and message of each finding.
fn findings(settings: &str, plan: &TestPlan) -> Vec<String> {
    let judgement = judgement(settings, plan);
    judgement.findings.iter().map(|f| format!("{} {} {}", f.code, f.rule, f.message)).collect()
}

fn page(plan: TestPlan, key: &str, text: &str) -> TestPlan {
    plan.change(ChangeKind::Create, key, text.len() as u64).content(key, text)
}

fn site() -> TestPlan {
    TestPlan::new()
        .change(ChangeKind::Create, "app.js", 300_000)
        .change(ChangeKind::Keep, "vendor/old.js", 250_000)
        .change(ChangeKind::Headers, "b.js", 1_000)
        .change(ChangeKind::Delete, "gone.js", 900_000)
        .redirect(ChangeKind::Create, "r.js", "/app.js")
        .change(ChangeKind::Update, "a.png", 40_000)
}

#[test]
fn files_have_limits_one_by_one_and_together() {
    let settings = r#"{"rules":[
        {"files":"**/*.js","max-total":"500 KB","max-file":"280 KB","max-files":2},
        {"files":["*.png","*.jpg"],"max-total":40000,"max-file":"0.04 MB","max-files":1},
        {"files":["*","!vendor/"],"max-total":"341 KB"}
    ]}"#;
    assert_eq!(
        findings(settings, &site()),
        [
            "file-too-large /rules/0/max-file `app.js` has 300.0 kB, and the limit is 280.0 kB",
            "total-too-large /rules/0/max-total 3 files of this rule would have 551.0 kB, and the limit is 500.0 kB; the largest are `app.js` (300.0 kB), `vendor/old.js` (250.0 kB), `b.js` (1.0 kB)",
            "too-many-files /rules/0/max-files the site would have 3 files of this rule, and the limit is 2",
        ]
    );
    assert_eq!(judgement(settings, &site()).verdict, Verdict::Deny);
    let held = r#"{"on-violation":"hold","rules":[{"files":"*.js","max-files":2}]}"#;
    assert_eq!(judgement(held, &site()).verdict, Verdict::Hold);
    assert_eq!(judgement("{}", &site()), Judgement::allow());
}

const PAGE: &str = "<link rel=stylesheet href=../css/a.css><script src=/app.js></script><script src=/app.js?v=2></script>\
                <img src=a.png srcset='b.png 2x'><a href=/big.zip><link rel=preload as=font href=/f.woff2>\
                <img src=https://www.acme.io/c.png><img src=https://cdn.io/d.png><img src=gone.png><iframe src=/frame/></iframe>";

fn pages() -> TestPlan {
    page(page(site(), "p/index.html", PAGE), "plain.html", "<p>text")
        .change(ChangeKind::Keep, "css/a.css", 20_000)
        .change(ChangeKind::Keep, "p/a.png", 50_000)
        .change(ChangeKind::Keep, "p/b.png", 5_000_000)
        .change(ChangeKind::Keep, "c.png", 7_000)
        .change(ChangeKind::Keep, "f.woff2", 30_000)
        .change(ChangeKind::Keep, "frame/index.html", 2_000)
        .change(ChangeKind::Keep, "big.zip", 90_000_000)
}

#[test]
fn pages_weigh_what_they_load() {
    let own = PAGE.len();
    let all = own + 300_000 + 20_000 + 50_000 + 30_000 + 2_000;
    let limit = |limits: &str| findings(&format!("{{\"pages\":{{{limits}}}}}"), &pages());
    assert_eq!(limit(&format!("\"max\":{all}")), [] as [&str; 0]);
    assert_eq!(
        limit(&format!("\"max\":{}", all - 1)),
        [
            "page-too-heavy /pages/max `p/index.html` weighs 402.3 kB, and the limit is 402.3 kB; the largest are `app.js` (300.0 kB), `p/a.png` (50.0 kB), `f.woff2` (30.0 kB)"
        ]
    );
    assert_eq!(
        limit(r#""max-scripts":299999,"max-styles":"19 KB","max-images":49999,"max-fonts":29999,"max-requests":5"#),
        [
            "page-too-heavy /pages/max-scripts `p/index.html` loads scripts of 300.0 kB, and the limit is 300.0 kB; the largest are `app.js` (300.0 kB)",
            "page-too-heavy /pages/max-styles `p/index.html` loads style sheets of 20.0 kB, and the limit is 19.0 kB; the largest are `css/a.css` (20.0 kB)",
            "page-too-heavy /pages/max-images `p/index.html` loads images of 50.0 kB, and the limit is 50.0 kB; the largest are `p/a.png` (50.0 kB)",
            "page-too-heavy /pages/max-fonts `p/index.html` loads fonts of 30.0 kB, and the limit is 30.0 kB; the largest are `f.woff2` (30.0 kB)",
            "too-many-requests /pages/max-requests `p/index.html` makes 6 requests, and the limit is 5",
        ]
    );
    assert_eq!(
        limit(r#""max-scripts":300000,"max-styles":20000,"max-images":50000,"max-fonts":30000,"max-requests":6"#),
        [] as [&str; 0]
    );
    assert_eq!(limit(r#""max-images":50000,"hosts":["www.acme.io"]"#).len(), 1);
    assert_eq!(limit(r#""max":1000,"ignore":"p/""#), [] as [&str; 0]);
}

#[test]
fn unchanged_pages_are_read_only_if_the_settings_say_so() {
    let plan = TestPlan::new().change(ChangeKind::Keep, "a.html", 100).content("a.html", [b' '; 100]);
    assert_eq!(judgement(r#"{"pages":{"max":10}}"#, &plan), Judgement::allow());
    assert_eq!(judgement(r#"{"pages":{"max":10},"include-unchanged":true}"#, &plan).verdict, Verdict::Deny);
}

#[test]
fn the_first_files_and_pages_are_named_and_the_rest_is_counted() {
    let plan = (0..70).fold(TestPlan::new(), |plan, at| page(plan, &format!("{at:02}.html"), "<p>text"));
    let found = findings(r#"{"rules":[{"files":"*.html","max-file":1}],"pages":{"max":1,"max-requests":0}}"#, &plan);
    assert_eq!(found.len(), 63);
    assert_eq!(found[20], "file-too-large /rules/0/max-file 50 more files are too large");
    assert_eq!(found[41], "page-too-heavy /pages/max 50 more pages are too heavy");
    assert_eq!(found[62], "too-many-requests /pages/max-requests 50 more pages make too many requests");
}

#[test]
fn settings_have_a_canonical_form() {
    assert_eq!(
        canonical::<BudgetSettings>(
            r#"{"rules":[{"files":"*.js","max-file":"200 KB","max-total":"1.5 MiB"}],"pages":{"max":"2 MB"}}"#
        )
        .unwrap(),
        r#"{"rules":[{"files":["*.js"],"max-file":200000,"max-total":1572864,"max-files":null}],"pages":{"max":2000000,"max-scripts":null,"max-styles":null,"max-images":null,"max-fonts":null,"max-requests":null,"hosts":[],"ignore":[]},"include-unchanged":false,"on-violation":"deny"}"#
    );
    for (settings, pointer) in [
        (r#"{"rules":[{"files":"*.js"}]}"#, "/rules/0"),
        (r#"{"rules":[{"max-file":1}]}"#, "/rules/0"),
        (r#"{"rules":[{"files":"*.js","max-file":"200 KX"}]}"#, "/rules/0/max-file"),
        (r#"{"rules":[{"files":"*.js","max-file":-1}]}"#, "/rules/0/max-file"),
        (r#"{"rules":[{"files":"*.js","max-file":2,"max-total":1}]}"#, "/rules/0/max-file"),
        (r#"{"rules":[{"files":"[","max-file":2}]}"#, "/rules/0/files"),
        (r#"{"pages":{"max-size":2}}"#, "/pages/max-size"),
    ] {
        assert_eq!(canonical::<BudgetSettings>(settings).unwrap_err()[0].0, pointer, "{settings}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The totals of a rule are the sums over the site.
    #[test]
    fn totals_are_sums(sizes in prop::collection::vec((0_u64..2_000, any::<bool>(), 0_usize..4), 1..80)) {
        let kinds = [ChangeKind::Create, ChangeKind::Update, ChangeKind::Keep, ChangeKind::Delete];
        let mut plan = TestPlan::new();
        let (mut bytes, mut count) = (0, 0);
        for (at, (size, is_script, kind)) in sizes.iter().enumerate() {
            let key = format!("{at:03}.{}", if *is_script { "js" } else { "css" });
            plan = plan.change(kinds[*kind].clone(), &key, *size);
            if *is_script && *kind < 3 {
                bytes += size;
                count += 1;
            }
        }
        let settings = |bytes: u64, count: u64| format!(r#"{{"rules":[{{"files":"*.js","max-total":{bytes},"max-files":{count}}}]}}"#);
        prop_assert_eq!(judgement(&settings(bytes, count), &plan).verdict, Verdict::Allow);
        if bytes > 0 {
            prop_assert_eq!(judgement(&settings(bytes - 1, count), &plan).findings.len(), 1);
        }
        if count > 0 {
            prop_assert_eq!(judgement(&settings(bytes, count - 1), &plan).findings.len(), 1);
        }
    }
}
