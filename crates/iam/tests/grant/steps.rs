//! The steps towards credentials, groups and policies, from what is there.

use std::collections::BTreeMap;

use tidegate_iam::changes::{
    BucketSpec, CredentialsKind, CredentialsSpec, FoundBucket, FoundGroup, FoundIdentity, FoundPolicy, FoundUser,
    PermissionsBoundary, PolicySpec, delete_group, delete_user, group, plan_changes, policy,
};
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{BucketAccess, BucketGrant, uploader, uploader_guard};

use super::{ACCOUNT, bucket, s3_sync};

fn asked(kind: CredentialsKind) -> CredentialsSpec {
    CredentialsSpec {
        grant: BucketGrant {
            partition: Partition::default(),
            buckets: vec![bucket("acme")],
            prefix: "docs".parse().unwrap(),
            access: BucketAccess::ReadOnly,
            custom: None,
            statements: Vec::new(),
        },
        kind,
        buckets: BucketSpec::default(),
        account: ACCOUNT.to_owned(),
    }
}

fn permanent() -> CredentialsSpec {
    asked(CredentialsKind::Permanent { user: None, boundary: PermissionsBoundary::Fitting })
}

fn there() -> FoundIdentity {
    FoundIdentity { buckets: BTreeMap::from([(bucket("acme"), FoundBucket::Ours)]), ..FoundIdentity::default() }
}

fn told(wish_: &CredentialsSpec, found: &FoundIdentity) -> Vec<String> {
    match plan_changes(wish_, found) {
        Ok(changes) => changes.iter().map(ToString::to_string).collect(),
        Err(error) => vec![format!("refused: {error}")],
    }
}

#[test]
fn permanent_credentials_are_a_user_with_one_policy_and_a_key() {
    assert_eq!(
        told(&permanent(), &there()),
        [
            "create the user `s3.read-only.acme` with the permissions boundary arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
            "set the policy `s3.read-only.acme` of the user `s3.read-only.acme`",
            "create an access key of the user `s3.read-only.acme`",
        ]
    );
    let again = FoundIdentity { user: Some(BTreeMap::new()), ..there() };
    assert_eq!(told(&permanent(), &again).len(), 2, "a user that is there is not made again");
    let mut own = permanent();
    own.grant.statements.push(serde_json::json!({ "Effect": "Allow", "Action": "textract:*", "Resource": "*" }));
    assert!(!told(&own, &there())[0].contains("boundary"), "a boundary of S3 alone would take away what was asked for");
    let full = FoundIdentity { user: Some(BTreeMap::from([("other".to_owned(), "x".repeat(2_000))])), ..there() };
    assert!(told(&permanent(), &full)[0].contains("a user may have 2048"));
}

#[test]
fn temporary_credentials_are_a_session_of_a_role_that_is_made_once() {
    let temporary = asked(CredentialsKind::Temporary("15m".parse().unwrap()));
    let session = "assume arn:aws:iam::123456789012:role/tidegate.AmazonS3FullAccess as `s3.read-only.acme` for 900 s";
    assert_eq!(
        told(&temporary, &there()),
        [
            "create the role `tidegate.AmazonS3FullAccess`",
            "attach arn:aws:iam::aws:policy/AmazonS3FullAccess to the role `tidegate.AmazonS3FullAccess`",
            session,
        ]
    );
    assert_eq!(told(&temporary, &FoundIdentity { role: true, ..there() }), [session]);
    for (text, seconds) in [
        ("900s", Some(900)),
        ("12h", Some(43_200)),
        ("1h", Some(3_600)),
        ("899s", None),
        ("13h", None),
        ("1", None),
        ("h", None),
        ("", None),
        ("-5m", None),
    ] {
        assert_eq!(
            text.parse::<tidegate_iam::changes::SessionSeconds>().ok().map(|found| found.get()),
            seconds,
            "{text}"
        );
    }
}

#[test]
fn buckets_are_made_only_where_that_was_asked_for_and_never_opened_afterwards() {
    assert!(told(&permanent(), &FoundIdentity::default())[0].contains("add `--create-bucket`"));
    let theirs =
        FoundIdentity { buckets: BTreeMap::from([(bucket("acme"), FoundBucket::Theirs)]), ..FoundIdentity::default() };
    assert!(told(&permanent(), &theirs)[0].contains("another account"));
    let mut website = permanent();
    website.buckets = BucketSpec { create: true, region: Some("eu-west-1".to_owned()), public: false, website: true };
    assert_eq!(
        told(&website, &FoundIdentity::default())[..4],
        [
            "create the bucket `acme` in eu-west-1",
            "allow public access to the bucket `acme`",
            "set the policy of the bucket `acme`",
            "make `acme` a website with `index.html` and `error.html`",
        ]
    );
    assert!(told(&website, &there())[0].contains("exists already"));
}

#[test]
fn users_and_groups_go_with_everything_that_would_keep_them() {
    let found = FoundUser {
        keys: vec!["AKIA1".to_owned()],
        policies: vec!["p".to_owned()],
        attached: vec!["arn:x".to_owned()],
        groups: vec!["g".to_owned()],
    };
    let steps: Vec<String> = delete_user("lea", &found).iter().map(ToString::to_string).collect();
    assert_eq!(steps.len(), 5);
    assert!(steps[0].contains("access key AKIA1") && steps[4] == "delete the user `lea`");
    let grant = s3_sync().grant();
    let made = group("publishers", Some(&grant), &["lea".to_owned()], None).unwrap();
    assert_eq!(made.len(), 3);
    let policy = grant.document.compact().unwrap();
    let found =
        FoundGroup { users: vec!["lea".to_owned()], policies: vec![(grant.name.clone(), policy)], attached: vec![] };
    assert_eq!(group("publishers", Some(&grant), &["lea".to_owned()], Some(&found)).unwrap(), []);
    assert_eq!(delete_group("publishers", &found).len(), 3);
}

#[test]
fn a_policy_that_says_the_same_is_left_alone_and_others_statements_stay() {
    let (partition, staging) = (Partition::default(), "s3://acme/staging".parse().unwrap());
    let grant = uploader(&partition, &staging);
    let asked = PolicySpec { grant: &grant, partition: &partition, account: ACCOUNT };
    assert!(
        policy(asked, &FoundPolicy::default()).unwrap()[0]
            .to_string()
            .starts_with("create the policy `/tidegate-uploader`")
    );
    let same = FoundPolicy { document: Some(grant.document.pretty().unwrap()), versions: vec![] };
    assert_eq!(policy(asked, &same).unwrap(), []);
    let versions: Vec<String> = (1..5).map(|at| format!("v{at}")).collect();
    let other = FoundPolicy { document: Some("{}".to_owned()), versions };
    assert!(policy(asked, &other).unwrap()[0].to_string().ends_with("delete its version v1"));

    let guard = uploader_guard(&partition, &staging);
    let asked = PolicySpec { grant: &guard, ..asked };
    let theirs = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Theirs","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::acme/public/*"}]}"#;
    let found = FoundPolicy { document: Some(theirs.to_owned()), versions: vec![] };
    let steps = policy(asked, &found).unwrap();
    let merged = steps[0].document().unwrap();
    assert!(merged.contains("Theirs") && merged.contains("NeverReplaceARelease"), "{merged}");
    let again = FoundPolicy { document: Some(merged.to_owned()), versions: vec![] };
    assert_eq!(policy(asked, &again).unwrap(), [], "a second time changes nothing");
}
