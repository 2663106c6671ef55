//! The changes that create credentials, groups and policies.

use std::collections::BTreeMap;

use tidegate_iam::changes::{
    BucketSpec, Change, CredentialsKind, CredentialsSpec, FoundBucket, FoundGroup, FoundIdentity, FoundPolicy,
    FoundRole, FoundUser, PermissionsBoundary, PolicySpec, PolicyTargets, SessionSeconds, attach_policy,
    check_same_purpose, create_credentials, delete_group, delete_user, ensure_group, ensure_policy, remove_policy,
};
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{BucketAccess, BucketGrant, S3Sync, TrustedJobs, trust, uploader, uploader_guard};

use super::trust_subjects::github;
use super::{ACCOUNT, bucket, s3_sync};

const LEA: &str = "arn:aws:iam::123456789012:user/lea";

fn spec(kind: CredentialsKind) -> CredentialsSpec {
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
        caller: Some(LEA.to_owned()),
    }
}

fn permanent() -> CredentialsSpec {
    spec(CredentialsKind::Permanent { user: None, boundary: PermissionsBoundary::Fitting })
}

fn with_bucket() -> FoundIdentity {
    FoundIdentity { buckets: BTreeMap::from([(bucket("acme"), FoundBucket::Accessible)]), ..FoundIdentity::default() }
}

fn sentences(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

fn created(spec: &CredentialsSpec, found: &FoundIdentity) -> Vec<String> {
    sentences(&create_credentials(spec, found).unwrap())
}

fn refused(spec: &CredentialsSpec, found: &FoundIdentity) -> String {
    create_credentials(spec, found).unwrap_err().to_string()
}

#[test]
fn permanent_credentials_are_a_user_with_a_policy_and_a_key() {
    assert_eq!(
        created(&permanent(), &with_bucket()),
        [
            "create the user `s3.read-only.acme` with the permissions boundary arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
            "set the policy `s3.read-only.acme` of the user `s3.read-only.acme`",
            "create an access key of the user `s3.read-only.acme`",
        ]
    );
    let again = FoundIdentity { user: Some(BTreeMap::new()), ..with_bucket() };
    assert_eq!(created(&permanent(), &again).len(), 2, "an existing user is not created again");
    let mut own = permanent();
    own.grant.statements.push(serde_json::json!({ "Effect": "Allow", "Action": "textract:*", "Resource": "*" }));
    assert!(!created(&own, &with_bucket())[0].contains("boundary"), "a boundary for S3 would deny the statement");
    let full = FoundIdentity { user: Some(BTreeMap::from([("other".to_owned(), "x".repeat(2_000))])), ..with_bucket() };
    assert!(refused(&permanent(), &full).contains("IAM allows 2048"));
}

#[test]
fn temporary_credentials_are_a_session_of_a_shared_role() {
    let temporary = spec(CredentialsKind::Temporary("15m".parse().unwrap()));
    let session = "assume arn:aws:iam::123456789012:role/tidegate.AmazonS3FullAccess as `s3.read-only.acme` for 900 s";
    assert_eq!(
        created(&temporary, &with_bucket()),
        [
            "create the role `/tidegate.AmazonS3FullAccess`",
            "attach arn:aws:iam::aws:policy/AmazonS3FullAccess to the role `tidegate.AmazonS3FullAccess`",
            session,
        ]
    );
    let created_role = create_credentials(&temporary, &with_bucket()).unwrap();
    let trust = created_role[0].document().unwrap().to_owned();
    assert!(trust.contains("\"aws:PrincipalArn\":\"arn:aws:iam::123456789012:user/lea\""), "{trust}");
    let with_role = |owner: Option<&str>| {
        let (owner, trust) = (owner.map(str::to_owned), trust.clone());
        FoundIdentity { role: Some(FoundRole { owner, trust, policies: BTreeMap::new() }), ..with_bucket() }
    };
    assert_eq!(created(&temporary, &with_role(Some("credentials"))), [session]);
    // Another caller is added, and the first one is still trusted.
    let other = CredentialsSpec { caller: Some(LEA.replace("lea", "ada")), ..temporary.clone() };
    let changes = create_credentials(&other, &with_role(Some("credentials"))).unwrap();
    let both = changes[0].document().unwrap();
    assert!(both.contains("user/ada") && both.contains("user/lea"), "{both}");
    assert_eq!(changes.len(), 2);
    // A role of the same name that something else created is not used.
    for owner in [None, Some("publisher")] {
        assert!(refused(&temporary, &with_role(owner)).contains("was not created by `tidegate credentials`"));
    }
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
        assert_eq!(text.parse::<SessionSeconds>().ok().map(SessionSeconds::get), seconds, "{text}");
    }
}

#[test]
fn missing_buckets_are_created_on_request_and_existing_ones_never_made_public() {
    assert!(refused(&permanent(), &FoundIdentity::default()).contains("add `--create-bucket`"));
    let denied =
        FoundIdentity { buckets: BTreeMap::from([(bucket("acme"), FoundBucket::Denied)]), ..FoundIdentity::default() };
    assert!(refused(&permanent(), &denied).contains("another account"));
    let mut website = permanent();
    website.buckets = BucketSpec { create: true, region: Some("eu-west-1".to_owned()), public: false, website: true };
    assert_eq!(
        created(&website, &FoundIdentity::default())[..4],
        [
            "create the bucket `acme` in eu-west-1",
            "allow public access to the bucket `acme`",
            "set the policy of the bucket `acme`",
            "make the bucket `acme` a website with `index.html` and `error.html`",
        ]
    );
    assert!(refused(&website, &with_bucket()).contains("exists already"));
}

#[test]
fn users_and_groups_are_deleted_with_their_policies() {
    let found = FoundUser {
        keys: vec!["AKIA1".to_owned()],
        policies: vec!["p".to_owned()],
        attached: vec!["arn:x".to_owned()],
        groups: vec!["g".to_owned()],
    };
    let changes = sentences(&delete_user("lea", &found));
    assert_eq!(changes.len(), 5);
    assert!(changes[0].contains("access key AKIA1") && changes[4] == "delete the user `lea`");
    let grant = s3_sync().grant();
    let users = ["lea".to_owned()];
    assert_eq!(ensure_group("publishers", &grant, &users, None).unwrap().len(), 3);
    let policy = grant.document.compact().unwrap();
    let found =
        FoundGroup { users: vec!["lea".to_owned()], policies: vec![(grant.name.clone(), policy)], attached: vec![] };
    assert_eq!(ensure_group("publishers", &grant, &users, Some(&found)).unwrap(), []);
    assert_eq!(delete_group("publishers", &found).len(), 3);
}

#[test]
fn equal_policies_are_unchanged_and_other_statements_are_kept() {
    let (partition, staging) = (Partition::default(), "s3://acme/staging".parse().unwrap());
    let grant = uploader(&partition, &staging);
    let spec = PolicySpec { grant: &grant, partition: &partition, account: ACCOUNT };
    let created = ensure_policy(spec, &FoundPolicy::default()).unwrap().unwrap();
    assert!(created.to_string().starts_with("create the policy `/tidegate-uploader-acme-staging-"));
    let same = FoundPolicy { document: Some(grant.document.pretty().unwrap()), versions: vec![] };
    assert_eq!(ensure_policy(spec, &same).unwrap(), None);
    let versions: Vec<String> = (1..5).map(|at| format!("v{at}")).collect();
    let other = FoundPolicy { document: Some("{}".to_owned()), versions };
    assert!(ensure_policy(spec, &other).unwrap().unwrap().to_string().ends_with("delete its version v1"));

    let guard = uploader_guard(&partition, &staging);
    let spec = PolicySpec { grant: &guard, ..spec };
    let other = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Other","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::acme/public/*"}]}"#;
    let found = FoundPolicy { document: Some(other.to_owned()), versions: vec![] };
    let change = ensure_policy(spec, &found).unwrap().unwrap();
    let merged = change.document().unwrap();
    assert!(merged.contains("Other") && merged.contains("DenyReplacingBuilds"), "{merged}");
    let again = FoundPolicy { document: Some(merged.to_owned()), versions: vec![] };
    assert_eq!(ensure_policy(spec, &again).unwrap(), None, "a second run changes nothing");
}

const OPEN_GITHUB: &str = r#"{"Sid":"Old","Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},"Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:acme/*"}}}"#;
const OF_OTHERS: [&str; 4] = [
    r#"{"Sid":"People","Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::123456789012:role/admin"}}"#,
    r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}"#,
    r#"{"Sid":"TrustCiJobs","Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/gitlab.com"}}"#,
    r#"{"Sid":"Never","Effect":"Deny","Action":"sts:*","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}}"#,
];

/// A role that exists: the statements that allow the provider are replaced, also those of others; the rest is kept.
#[test]
fn trust_of_a_role_is_replaced_for_one_provider_and_kept_for_others() {
    let partition = Partition::default();
    let jobs = [TrustedJobs::Branch("main".to_owned())];
    let grant = trust(&partition, ACCOUNT, &github("acme@1/docs@2", &jobs)).unwrap();
    let spec = PolicySpec { grant: &grant, partition: &partition, account: ACCOUNT };
    let apply = |document: &str| {
        let found = FoundPolicy { document: Some(document.to_owned()), versions: vec![] };
        ensure_policy(spec, &found).unwrap()
    };
    let mut statements = vec![OPEN_GITHUB];
    statements.extend(OF_OTHERS);
    let current = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    let change = apply(&current).unwrap();
    assert_eq!(change.to_string(), "set the trust policy of the role `tidegate-trust`");
    let document: serde_json::Value = serde_json::from_str(change.document().unwrap()).unwrap();
    let merged = document["Statement"].as_array().unwrap();
    for other in OF_OTHERS {
        assert!(merged.contains(&serde_json::from_str(other).unwrap()), "{other}");
    }
    assert_eq!((merged.len(), &merged[4]["Sid"]), (5, &"TrustCiJobs2".into()), "{document:#}");
    assert!(!document.to_string().contains("repo:acme/*"));
    let difference = change.difference();
    assert!(difference[0].starts_with("- {") && difference[0].contains("repo:acme/*"), "{difference:?}");
    assert!(difference[1].starts_with("+ {") && difference.len() == 2, "{difference:?}");
    assert_eq!(apply(change.document().unwrap()), None, "a second run changes nothing");
    // A statement with several providers keeps the others, and one that is not a list is read as such.
    let several = OPEN_GITHUB.replace(
        r#""arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}"#,
        r#"["arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com","arn:aws:iam::123456789012:oidc-provider/a.example.com"]}"#,
    );
    let change = apply(&format!(r#"{{"Version":"2012-10-17","Statement":{several}}}"#)).unwrap();
    let text = change.document().unwrap();
    assert!(text.contains(r#"{"Federated":["arn:aws:iam::123456789012:oidc-provider/a.example.com"]}"#), "{text}");
}

#[test]
fn sessions_refuse_what_their_role_cannot_allow() {
    let with = |statement: &str| {
        let mut temporary = spec(CredentialsKind::Temporary("15m".parse().unwrap()));
        temporary.grant.statements.push(serde_json::from_str(statement).unwrap());
        create_credentials(&temporary, &with_bucket())
    };
    for (statement, action) in [
        (r#"{"Effect":"Allow","Action":"textract:DetectText","Resource":"*"}"#, "textract:DetectText"),
        (r#"{"Effect":"Allow","Action":["s3:GetObject","kms:Decrypt"],"Resource":"*"}"#, "kms:Decrypt"),
        (r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#, "*"),
        (r#"{"Effect":"Allow","NotAction":"s3:PutObject","Resource":"*"}"#, "NotAction"),
    ] {
        let error = with(statement).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot allow `{action}`")) && error.contains("--duration"), "{error}");
    }
    for statement in [
        r#"{"Effect":"Allow","Action":["S3:ListBucketVersions","s3-object-lambda:GetObject"],"Resource":"*"}"#,
        r#"{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}"#,
    ] {
        assert!(with(statement).is_ok(), "{statement}");
    }
    let mut temporary = spec(CredentialsKind::Temporary("15m".parse().unwrap()));
    temporary.grant.custom = Some(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}}"#
            .to_owned(),
    );
    assert!(refused(&temporary, &with_bucket()).contains("`sqs:SendMessage`"));
}

#[test]
fn policies_of_two_prefixes_do_not_replace_each_other() {
    let partition = Partition::default();
    let places = ["s3://acme/", "s3://acme/a/", "s3://acme/a/b/", "s3://acme/a-b/", "s3://acme/A/", "s3://acme-a/"];
    let places: Vec<tidegate_core::location::Location> = places.map(|place| place.parse().unwrap()).into();
    let sync = |target: &tidegate_core::location::Location| S3Sync { target: target.clone(), ..s3_sync() }.grant();
    for names in [
        places.iter().map(|place| sync(place).name).collect::<Vec<_>>(),
        places.iter().map(|place| uploader(&partition, place).name).collect(),
        places.iter().map(|place| uploader_guard(&partition, place).name).collect(),
    ] {
        // IAM compares names without case.
        let distinct: std::collections::BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(distinct.len(), places.len(), "{names:?}");
    }
    // Each guard keeps the statements of the others, and removing one keeps the rest.
    let mut current: Option<String> = None;
    let guards: Vec<_> = places.iter().map(|place| uploader_guard(&partition, place)).collect();
    for guard in &guards {
        let spec = PolicySpec { grant: guard, partition: &partition, account: ACCOUNT };
        let found = FoundPolicy { document: current, versions: vec![] };
        current = Some(ensure_policy(spec, &found).unwrap().unwrap().document().unwrap().to_owned());
    }
    let count = |text: &str| text.matches("DenyReplacingBuilds").count();
    assert_eq!(count(current.as_deref().unwrap()), guards.len());
    let everyone = PolicyTargets::default();
    for (left, guard) in guards.iter().enumerate().rev() {
        let spec = PolicySpec { grant: guard, partition: &partition, account: ACCOUNT };
        let found = FoundPolicy { document: current, versions: vec![] };
        let changes = remove_policy(spec, &found, &everyone, &everyone).unwrap();
        assert_eq!(changes.len(), 1);
        current = changes[0].document().map(str::to_owned);
        assert_eq!(current.as_deref().map_or(0, count), left, "{changes:?}");
        let again = FoundPolicy { document: current.clone(), versions: vec![] };
        assert_eq!(remove_policy(spec, &again, &everyone, &everyone).unwrap(), []);
    }
}

#[test]
fn policies_are_attached_once_and_removed_completely() {
    let (partition, staging) = (Partition::default(), "s3://acme/staging".parse().unwrap());
    let grant = uploader(&partition, &staging);
    let spec = PolicySpec { grant: &grant, partition: &partition, account: ACCOUNT };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let targets =
        PolicyTargets { users: names(&["lea", "ada"]), groups: names(&["editors"]), roles: names(&["docs-ci"]) };
    let attached = PolicyTargets { users: names(&["Lea"]), ..PolicyTargets::default() };
    let arn = spec.arn();
    assert_eq!(
        sentences(&attach_policy(&arn, &targets, &attached)),
        [
            format!("attach {arn} to the user `ada`"),
            format!("attach {arn} to the group `editors`"),
            format!("attach {arn} to the role `docs-ci`"),
        ]
    );
    assert_eq!(attach_policy(&arn, &targets, &targets), []);
    let found = FoundPolicy { document: Some(grant.document.compact().unwrap()), versions: names(&["v1", "v2"]) };
    let only = PolicyTargets { users: names(&["ada", "eve"]), ..PolicyTargets::default() };
    let detached = remove_policy(spec, &found, &only, &targets).unwrap();
    assert_eq!(sentences(&detached), [format!("detach {arn} from the user `ada`")]);
    assert_eq!(
        sentences(&remove_policy(spec, &found, &PolicyTargets::default(), &targets).unwrap()),
        [
            format!("detach {arn} from the user `lea`"),
            format!("detach {arn} from the user `ada`"),
            format!("detach {arn} from the group `editors`"),
            format!("detach {arn} from the role `docs-ci`"),
            format!("delete the version v1 of {arn}"),
            format!("delete the version v2 of {arn}"),
            format!("delete the policy {arn}"),
        ]
    );
    let nothing = PolicyTargets::default();
    assert_eq!(remove_policy(spec, &FoundPolicy::default(), &nothing, &nothing).unwrap(), []);
}

#[test]
fn a_policy_for_other_resources_is_not_replaced() {
    let partition = Partition::default();
    let grant = uploader(&partition, &"s3://acme/builds/".parse().unwrap());
    let spec = PolicySpec { grant: &grant, partition: &partition, account: ACCOUNT };
    let found = |document: &str| FoundPolicy { document: Some(document.to_owned()), versions: vec![] };
    let other = uploader(&partition, &"s3://shop/builds/".parse().unwrap()).document.compact().unwrap();
    let error = check_same_purpose(spec, &found(&other)).unwrap_err().to_string();
    assert!(error.contains("is for other resources") && error.contains("--name"), "{error}");
    for document in ["{}", "", r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#] {
        assert!(check_same_purpose(spec, &found(document)).is_ok(), "{document}");
    }
    assert!(check_same_purpose(spec, &found(&grant.document.pretty().unwrap())).is_ok());
    assert!(check_same_purpose(spec, &FoundPolicy::default()).is_ok());
}
