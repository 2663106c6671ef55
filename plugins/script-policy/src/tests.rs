//! Scripts over small plans.

use serde_json::json;
use tidegate_plugin::testing::{TestPlan, judge};
use tidegate_plugin::{ChangeKind, Judgement, Severity, Verdict};
use tidegate_script_engine::ScriptPolicy;

fn review(code: &str) -> Judgement {
    let plan = TestPlan::new()
        .change(ChangeKind::Create, "a.html", 10)
        .change(ChangeKind::Delete, "b.html", 20)
        .change(ChangeKind::Keep, "c.png", 3_000_000)
        .content("a.html", "<img src=x>");
    judge::<ScriptPolicy>(&json!({ "code": code, "file": "rules.js" }).to_string(), &plan).unwrap()
}

#[test]
fn denies_and_holds_with_findings() {
    let judgement = review(
        r#"
        each("**/*.png", (change) => { if (change.size > 1e6) hold(`${change.key} is large`, { key: change.key }); });
        each((change) => { if (change.kind === "delete") deny(`${change.key} is deleted`, { code: "deleted", key: change.key }); });
        "#,
    );
    assert_eq!(judgement.verdict, Verdict::Deny);
    let findings: Vec<_> = judgement
        .findings
        .iter()
        .map(|f| (f.code.as_str(), f.severity, f.message.as_str(), f.key.as_deref()))
        .collect();
    assert_eq!(
        findings,
        [
            ("deleted", Severity::Error, "b.html is deleted", Some("b.html")),
            ("hold", Severity::Warning, "c.png is large", Some("c.png")),
        ]
    );
    assert!(judgement.findings.iter().all(|finding| finding.rule == "/code"));
}

#[test]
fn a_hold_is_weaker_than_a_deny_in_any_order() {
    assert_eq!(review("last(() => { deny('x'); hold('y'); });").verdict, Verdict::Deny);
    assert_eq!(review("last(() => { hold('y'); deny('x'); });").verdict, Verdict::Deny);
    assert_eq!(review("last(() => hold('y'));").verdict, Verdict::Hold);
    assert_eq!(review("last(() => finding('y'));").verdict, Verdict::Allow);
}

#[test]
fn reads_pages_and_counts() {
    let judgement = review(
        r#"
        each("**/*.html", { head: 4096 }, (page) => {
            if (page.kind !== "delete" && /<img (?![^>]*alt=)/.test(page.head)) deny("an image has no alt text", { key: page.key });
        });
        last((counts) => { if (counts.delete > 0) finding(`${counts["site-objects"]} objects, of ${run.site}`); });
        "#,
    );
    assert_eq!(judgement.verdict, Verdict::Deny);
    assert_eq!(judgement.findings[0].message, "an image has no alt text");
    assert!(judgement.findings[1].message.starts_with("2 objects, of "), "{}", judgement.findings[1].message);
}
