//! The policy in the SDK's harness, with every size of batches.

use tidegate_plugin::testing::{TestPlan, canonical, judge};
use tidegate_plugin::{ChangeKind, Judgement, Severity, Verdict};

use super::{Guard, GuardSettings};

fn judgement(settings: &str, plan: &TestPlan) -> Judgement {
    judge::<Guard>(settings, plan).unwrap()
}

/// Code, key and rule of each finding.
fn findings(judgement: &Judgement) -> Vec<(&str, Option<&str>, &str)> {
    judgement
        .findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.key.as_deref(), finding.rule.as_str()))
        .collect()
}

/// A plan that keeps and deletes these numbers of objects.
fn site(kept: usize, deleted: usize) -> TestPlan {
    let plan = (0..kept).fold(TestPlan::new(), |plan, at| plan.change(ChangeKind::Keep, &format!("keep/{at}"), 10));
    (0..deleted).fold(plan, |plan, at| plan.change(ChangeKind::Delete, &format!("old/{at}"), 10))
}

#[test]
fn allows_an_ordinary_plan_without_findings() {
    let plan = site(3, 1).change(ChangeKind::Create, "index.html", 100).change(ChangeKind::Update, ".nojekyll", 0);
    assert_eq!(judgement("{}", &plan), Judgement::allow());
}

#[test]
fn reports_and_allows_shared_addresses() {
    let plan = TestPlan::new()
        .change(ChangeKind::Create, "about", 1)
        .change(ChangeKind::Keep, "about.html", 1)
        .change(ChangeKind::Update, "about/index.html", 1)
        .change(ChangeKind::Keep, "index.html", 1)
        .change(ChangeKind::Delete, "team", 1)
        .change(ChangeKind::Create, "team.html", 1);
    let found = judgement("{}", &plan);
    assert_eq!(found.verdict, Verdict::Allow);
    assert_eq!(findings(&found), [("shared-address", None, "/on-violation/addresses")]);
    assert_eq!(found.findings[0].severity, Severity::Warning);
    assert!(!found.findings[0].message.contains("team"), "a deleted object does not share an address");
    assert_eq!(judgement(r#"{"on-violation":{"addresses":"deny"}}"#, &plan).verdict, Verdict::Deny);
    assert_eq!(judgement(r#"{"on-violation":{"addresses":"hold"}}"#, &plan).verdict, Verdict::Hold);
}

#[test]
fn denies_an_empty_source() {
    let plan = site(0, 3);
    let found = judgement("{}", &plan);
    assert_eq!(found.verdict, Verdict::Deny);
    assert_eq!(findings(&found), [("empty", None, "/allow-empty")]);
    assert!(found.findings[0].message.starts_with("the source is empty, and the site has 3 objects;"));
    let excluded = judgement("{}", &plan.clone().count("source-objects", 7));
    assert!(excluded.findings[0].message.starts_with("the plugins excluded every object of the source,"));
    assert_eq!(judgement(r#"{"allow-empty":true}"#, &plan), Judgement::allow());
}

#[test]
fn limits_the_number_of_deletes() {
    let settings = r#"{"max-deletes":2}"#;
    assert_eq!(judgement(settings, &site(10, 2)).verdict, Verdict::Allow);
    let found = judgement(settings, &site(10, 3));
    assert_eq!(found.verdict, Verdict::Deny);
    assert_eq!(findings(&found), [("too-many-deletes", None, "/max-deletes")]);
    assert_eq!(found.findings[0].message, "3 objects would be deleted, and the limit is 2");
    let found = judgement(r#"{"max-deletes":0}"#, &site(10, 1));
    assert_eq!(found.verdict, Verdict::Deny);
    assert_eq!(found.findings[0].message, "1 object would be deleted, and the limit is 0");
}

#[test]
fn limits_the_share_of_deletes() {
    assert_eq!(judgement("{}", &site(1, 20)).verdict, Verdict::Allow, "the share of a few deletes is not checked");
    assert_eq!(judgement("{}", &site(21, 21)).verdict, Verdict::Allow, "half is not more than half");
    let found = judgement("{}", &site(20, 21));
    assert_eq!(findings(&found), [("too-large-share-of-deletes", None, "/max-delete-share")]);
    assert_eq!(
        found.findings[0].message,
        "21 of the site's 41 objects would be deleted, and the limit is a share of 0.5"
    );
    let created = (0..100).fold(site(20, 21), |plan, at| plan.change(ChangeKind::Create, &format!("new/{at}"), 1));
    assert_eq!(judgement("{}", &created).verdict, Verdict::Deny, "new objects do not change the share");
    assert_eq!(judgement(r#"{"max-delete-share":0.2,"delete-share-above":0}"#, &site(4, 1)).verdict, Verdict::Allow);
    assert_eq!(judgement(r#"{"max-delete-share":0.2,"delete-share-above":0}"#, &site(3, 1)).verdict, Verdict::Deny);
    assert_eq!(judgement(r#"{"max-delete-share":null}"#, &site(1, 500)).verdict, Verdict::Allow);
}

#[test]
fn required_keys_are_globs_from_the_root() {
    let settings = r#"{"required":["index.html","assets/*.css"]}"#;
    let complete =
        TestPlan::new().change(ChangeKind::Keep, "index.html", 1).change(ChangeKind::Create, "assets/a.css", 1);
    assert_eq!(judgement(settings, &complete).verdict, Verdict::Allow);
    let incomplete = TestPlan::new()
        .change(ChangeKind::Keep, "docs/index.html", 1)
        .change(ChangeKind::Delete, "index.html", 1)
        .change(ChangeKind::Keep, "assets/a.css", 1);
    assert_eq!(findings(&judgement(settings, &incomplete)), [("required-missing", None, "/required/0")]);
}

#[test]
fn limits_sizes() {
    let plan = TestPlan::new().change(ChangeKind::Create, "a.mp4", 600).change(ChangeKind::Keep, "b.png", 500);
    let found = judgement(r#"{"max-object-bytes":500}"#, &plan);
    assert_eq!(findings(&found), [("object-too-large", Some("a.mp4"), "/max-object-bytes")]);
    assert_eq!(
        findings(&judgement(r#"{"max-site-bytes":1099}"#, &plan)),
        [("site-too-large", None, "/max-site-bytes")]
    );
    assert_eq!(judgement(r#"{"max-site-bytes":1100,"max-object-bytes":600}"#, &plan).verdict, Verdict::Allow);
    assert_eq!(findings(&judgement(r#"{"min-objects":3}"#, &plan)), [("too-few-objects", None, "/min-objects")]);
}

#[test]
fn denies_secrets_including_published_ones() {
    let names = [
        ".env",
        "api/.env.production",
        ".git/config",
        "certs/server.pem",
        "tls.key",
        ".ssh/id_rsa.pub",
        ".aws/credentials",
        ".npmrc",
        ".htpasswd",
    ];
    let plan = names.iter().fold(site(1, 0), |plan, key| plan.change(ChangeKind::Keep, key, 1));
    let found = judgement("{}", &plan);
    assert_eq!(found.verdict, Verdict::Deny);
    let mut expected = names.to_vec();
    expected.sort_unstable();
    assert_eq!(findings(&found).iter().filter_map(|(_, key, _)| *key).collect::<Vec<_>>(), expected);
    assert!(
        found.findings[0].message.contains("`.aws/credentials` matches the forbidden name `.aws/`"),
        "{}",
        found.findings[0].message
    );

    let allowed =
        [".env.example", ".well-known/security.txt", "keys.html", "environment/index.html", "pem.html", "monkey.png"];
    let plan = allowed.iter().fold(TestPlan::new(), |plan, key| plan.change(ChangeKind::Create, key, 1));
    assert_eq!(judgement("{}", &plan).verdict, Verdict::Allow);
    assert_eq!(
        judgement("{}", &site(1, 0).change(ChangeKind::Delete, ".env", 1)).verdict,
        Verdict::Allow,
        "a secret may be deleted"
    );
}

#[test]
fn redirects_are_neither_secrets_nor_pages() {
    let plan = site(1, 0)
        .redirect(ChangeKind::Create, ".env", "/")
        .redirect(ChangeKind::Keep, ".git/config", "/")
        .redirect(ChangeKind::Update, "about", "/about/")
        .change(ChangeKind::Create, "about/index.html", 1);
    assert_eq!(judgement("{}", &plan), Judgement::allow());
}

#[test]
fn forbidden_names_can_be_replaced_and_excepted() {
    let plan = TestPlan::new().change(ChangeKind::Create, "demo/public.key", 1).change(ChangeKind::Create, "a.psd", 1);
    assert_eq!(judgement(r#"{"allow":["/demo/*.key"]}"#, &plan).verdict, Verdict::Allow);
    let found = judgement(r#"{"forbidden":["*.zip","*.psd"]}"#, &plan);
    assert_eq!(findings(&found), [("forbidden-name", Some("a.psd"), "/forbidden/1")]);
}

#[test]
fn names_the_first_violations_and_counts_the_rest() {
    let plan = (0..2_050).fold(TestPlan::new(), |plan, at| plan.change(ChangeKind::Create, &format!("{at:04}.pem"), 1));
    let found = judgement("{}", &plan);
    assert_eq!(found.findings.len(), 21);
    assert_eq!(found.findings[0].key.as_deref(), Some("0000.pem"));
    assert_eq!(found.findings[20].message, "2030 more objects have forbidden names");
}

#[test]
fn a_rule_can_hold_and_deny_takes_precedence() {
    let plan = site(5, 3);
    let found = judgement(r#"{"max-deletes":2,"on-violation":{"max-deletes":"hold"}}"#, &plan);
    assert_eq!((found.verdict, found.findings[0].severity), (Verdict::Hold, Severity::Warning));
    let found = judgement(r#"{"max-changes":2}"#, &plan);
    assert_eq!((&found.verdict, findings(&found)[0].2), (&Verdict::Hold, "/max-changes"));
    let found = judgement(r#"{"max-changes":2,"max-deletes":2,"required":["index.html"]}"#, &plan);
    assert_eq!(found.verdict, Verdict::Deny);
    assert_eq!(found.findings.len(), 3, "a report has every violation");
    let severities: Vec<_> = found.findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Error, Severity::Warning]);
}

#[test]
fn settings_have_a_canonical_form() {
    let written = canonical::<GuardSettings>(
        r#"{"max-delete-share":0.2,"max-deletes":200,"required":["index.html"],"forbidden":[".env"]}"#,
    )
    .unwrap();
    let expected = r#"{"allow-empty":false,"min-objects":null,"required":["index.html"],"max-deletes":200,"max-delete-share":0.2,"delete-share-above":20,"max-changes":null,"max-object-bytes":null,"max-site-bytes":null,"forbidden":[".env"],"allow":[],"on-violation":{"allow-empty":"deny","min-objects":"deny","required":"deny","max-deletes":"deny","max-delete-share":"deny","max-changes":"hold","max-object-bytes":"deny","max-site-bytes":"deny","forbidden":"deny","addresses":"report"}}"#;
    assert_eq!(written, expected);
    assert!(canonical::<GuardSettings>("{}").unwrap().contains(r#"".env",".env.*","!.env.example",".git/""#));
    assert!(canonical::<GuardSettings>(r#"{"max-delete-share":1}"#).unwrap().contains(r#""max-delete-share":1.0"#));
}

#[test]
fn issues_point_at_wrong_settings() {
    let table = [
        (r#"{"max-deletes":-1}"#, "/max-deletes"),
        (r#"{"max-delete-share":1.5}"#, "/max-delete-share"),
        (r#"{"max-delete-share":20}"#, "/max-delete-share"),
        (r#"{"required":["a","!b"]}"#, "/required/1"),
        (r#"{"forbidden":["["]}"#, "/forbidden/0"),
        (r#"{"on-violation":{"required":"warn"}}"#, "/on-violation/required"),
        (r#"{"on-violation":{"require":"hold"}}"#, "/on-violation/require"),
        (r#"{"max-object-bytes":2,"max-site-bytes":1}"#, "/max-object-bytes"),
        (r#"{"max_deletes":1}"#, "/max_deletes"),
    ];
    for (settings, pointer) in table {
        assert_eq!(canonical::<GuardSettings>(settings).unwrap_err()[0].0, pointer, "{settings}");
    }
}

#[test]
fn presentations_of_keynote_are_not_private_keys() {
    let plan = TestPlan::new()
        .change(ChangeKind::Create, "a/talk.key", 10)
        .content("a/talk.key", b"PK\x03\x04\x14\0".as_slice())
        .change(ChangeKind::Create, "server.key", 30)
        .content("server.key", "-----BEGIN PRIVATE KEY-----")
        .change(ChangeKind::Create, "unread.key", 30);
    let forbidden = |settings: &str| -> Vec<String> {
        let judgement = judge::<Guard>(settings, &plan).unwrap();
        judgement
            .findings
            .iter()
            .filter(|finding| finding.code == "forbidden-name")
            .filter_map(|finding| finding.key.clone())
            .collect()
    };
    assert_eq!(forbidden("{}"), ["server.key", "unread.key"]);
    // Another pattern forbids them all.
    assert_eq!(forbidden(r#"{"forbidden":["*.key", "a/"]}"#), ["a/talk.key", "server.key", "unread.key"]);
}
