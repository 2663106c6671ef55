//! Generated policies: their documents, their limits and their formats.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test, and must name its place")]

mod changes;
mod formats;
mod lint;
mod lint_trust;
mod trust_subjects;

use serde_json::Value;
use tidegate_core::config::{Config, FunctionConfig, Site};
use tidegate_core::location::{Bucket, Prefix};
use tidegate_iam::document::{DocumentKind, Partition, PolicyLimit, lint};
use tidegate_iam::policies::{
    BucketAccess, BucketGrant, CiPublisher, Grant, PolicyKind, S3Sync, SessionTags, TrustedJobs, UploadPlace, caller,
    edge, execution, lambda, public, site, state_machine, trust, trust_account, trust_people, trust_service,
    upload_grant, uploader, uploader_guard, website_url,
};

const ACCOUNT: &str = "123456789012";

const CONFIGURATION: &str = r#"
state = "s3://acme-artifacts/tidegate/"

[[site]]
name = "docs"
staged = "s3://acme-artifacts/staging/docs/"
target = "s3://docs.acme.com/v1/"
role = "arn:aws:iam::123456789012:role/tidegate-docs"
cdn = [{ distribution = "E2EXAMPLE", origin-path = "/v1" }]
objects = { encryption = "aws:kms", kms-key = "arn:aws:kms:us-east-1:123456789012:key/0a1b" }

[[site]]
name = "blog"
staged = "s3://acme-artifacts/staging/blog.zip"
target = "s3://blog.acme.com/"
role = "arn:aws:iam::123456789012:role/tidegate-blog"
delete = false

[[site.sync]]
plugin = "s3://acme-plugins/banner.wasm"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

[[site.webhook]]
provider = "github"
repository = "acme/blog"
branch = "main"
publish = "staged"
secrets = ["secretsmanager:repo/github.com/acme/blog#hook", "ssm:/tidegate/blog"]

[[site]]
name = "plain"
target = "s3://plain.acme.com/"
"#;

fn sites() -> Vec<Site> {
    Config::parse(CONFIGURATION).unwrap().sites
}

fn bucket(name: &str) -> Bucket {
    name.parse().unwrap()
}

fn s3_sync() -> S3Sync {
    S3Sync {
        partition: Partition::default(),
        account: ACCOUNT.to_owned(),
        target: "s3://www.acme.com/site".parse().unwrap(),
        distributions: vec!["E1".to_owned().try_into().unwrap()],
        delete: true,
        acl: true,
        find_distribution: false,
        configure_bucket: true,
    }
}

fn ci_publisher(dev: bool) -> CiPublisher {
    CiPublisher {
        partition: Partition::default(),
        account: ACCOUNT.to_owned(),
        region: "eu-west-1".to_owned(),
        bucket: bucket("acme-dist"),
        prefix: "release".parse().unwrap(),
        dev_prefix: "*/feature/".to_owned(),
        codeartifact_domain: Some("acme".to_owned()),
        allow_delete: true,
        dev,
        path: "/ci/".to_owned(),
        name: "publisher".to_owned(),
    }
}

fn all_grants() -> Vec<Grant> {
    let sites = sites();
    let named: Vec<&Site> = sites.iter().collect();
    let staging = "s3://acme-artifacts/staging/docs".parse().unwrap();
    let partition = Partition::default();
    let mut grants: Vec<Grant> = sites.iter().map(|one| site(one, ACCOUNT, &[])).collect();
    grants.extend([
        caller(&named, ACCOUNT, SessionTags::Transitive),
        lambda(&named, ACCOUNT, "eu-west-1", &FunctionConfig::default()),
        state_machine(&named, ACCOUNT, "eu-west-1", &FunctionConfig::default()),
        execution(&named, ACCOUNT, "eu-west-1", &FunctionConfig::default()),
        uploader(&partition, &staging),
        uploader_guard(&partition, &staging),
        upload_grant(
            &partition,
            &[
                UploadPlace::Builds("s3://acme-artifacts/builds/docs/".parse().unwrap()),
                UploadPlace::Staged(staging.clone()),
                UploadPlace::Zip("s3://acme-artifacts/staging/blog.zip".parse().unwrap()),
            ],
            Some(&"arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000001".parse().unwrap()),
        ),
        trust_people(&[
            "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0123".parse().unwrap(),
            "arn:aws:iam::210987654321:root".parse().unwrap(),
        ]),
        s3_sync().grant(),
        ci_publisher(false).grant().unwrap(),
        ci_publisher(true).grant().unwrap(),
        trust(&partition, ACCOUNT, &trust_subjects::github("acme", &[])).unwrap(),
        trust(&partition, ACCOUNT, &trust_subjects::github("acme@123/docs@456", &[])).unwrap(),
        trust_account("arn:aws:iam::123456789012:root"),
        trust_service("lambda.amazonaws.com"),
        edge(&site_with_edge(""), ACCOUNT).unwrap(),
        edge(&site_with_edge(STORE), ACCOUNT).unwrap(),
    ]);
    grants
}

const STORE: &str = "store = \"arn:aws:cloudfront::123456789012:key-value-store/a1b2\"";

fn site_with_edge(settings: &str) -> Site {
    let text = CONFIGURATION
        .replace("\n\n[[site]]\nname = \"blog\"", &format!("\n[site.edge]\n{settings}\n[[site]]\nname = \"blog\""));
    Config::parse(&text).unwrap().sites.remove(0)
}

#[test]
fn the_policy_of_an_edge_names_one_function_and_the_configured_store() {
    let text = |settings: &str| edge(&site_with_edge(settings), ACCOUNT).unwrap().document.compact().unwrap();
    let (open, narrow) = (text(""), text(STORE));
    for document in [&open, &narrow] {
        assert!(document.contains("arn:aws:cloudfront::123456789012:function/tidegate-docs\""), "{document}");
        assert!(document.contains("arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE\""), "{document}");
        assert!(document.contains("arn:aws:s3:::acme-artifacts/tidegate/docs/*\""), "{document}");
        assert!(!document.contains("s3:PutObject"), "{document}");
    }
    assert!(open.contains("key-value-store/*\"") && !narrow.contains("key-value-store/*\""), "{narrow}");
    assert!(edge(&sites()[0], ACCOUNT).is_none());
}

#[test]
fn who_starts_executions_follows_those_of_the_sites_and_writes_nothing() {
    let sites = sites();
    let grant = execution(&[&sites[0]], ACCOUNT, "eu-west-1", &FunctionConfig::default());
    assert_eq!(grant.name, "tidegate-execution-docs");
    let document = grant.document.compact().unwrap();
    for resource in [
        "arn:aws:states:eu-west-1:123456789012:stateMachine:tidegate-publish",
        "arn:aws:states:eu-west-1:123456789012:execution:tidegate-publish:*-docs",
        "arn:aws:s3:::acme-artifacts/tidegate/docs/*",
    ] {
        assert!(document.contains(&format!("\"{resource}\"")), "{resource}: {document}");
    }
    let allowed = ["states:StartExecution", "states:DescribeExecution", "s3:ListBucket", "s3:GetObject"];
    assert!(allowed.iter().all(|action| document.contains(action)), "{document}");
    assert!(!["Put", "Delete", "Stop", "Invoke"].iter().any(|verb| document.contains(verb)), "{document}");
}

#[test]
fn documents_pass_the_linter_and_statements_have_reasons() {
    for grant in all_grants() {
        let (role, limit) = match &grant.attached {
            PolicyKind::Policy => (DocumentKind::Identity, PolicyLimit::Managed),
            PolicyKind::Trust => (DocumentKind::Trust, PolicyLimit::Trust),
            PolicyKind::Bucket(_) => (DocumentKind::Bucket, PolicyLimit::Bucket),
        };
        let mut concerns = lint(&grant.document.compact().unwrap(), role, limit);
        concerns.retain(|concern| !concern.note);
        assert_eq!(concerns, [], "{}", grant.name);
        assert!(grant.document.statements().iter().all(|statement| !statement.why().is_empty()), "{}", grant.name);
    }
}

#[test]
fn every_prefix_ends_with_a_slash() {
    for grant in all_grants() {
        let text = grant.document.compact().unwrap();
        for found in text.split(":::").skip(1) {
            let arn = found.split('"').next().unwrap();
            let Some((_, key)) = arn.split_once('/') else { continue };
            let fine = key == "*" || key.ends_with("/*") || !key.ends_with('*');
            assert!(fine, "{arn} in {}", grant.name);
        }
    }
    let docs = site(&sites()[0], ACCOUNT, &[]).document.compact().unwrap();
    assert!(docs.contains("arn:aws:s3:::docs.acme.com/v1/*") && docs.contains("\"s3:prefix\":\"v1/*\""), "{docs}");
}

#[test]
fn site_policy_allows_only_what_the_configuration_uses() {
    let [docs, blog, plain] = <[Site; 3]>::try_from(sites()).unwrap();
    let text = |one: &Site| site(one, ACCOUNT, &[]).document.compact().unwrap();
    assert!(text(&docs).contains("kms:GenerateDataKey") && text(&docs).contains("distribution/E2EXAMPLE"));
    assert!(!text(&docs).contains("PutObjectAcl"));
    // With a state, objects of old releases are pruned even where `delete` is off.
    assert!(text(&blog).contains("s3:DeleteObject") && !text(&blog).contains("cloudfront"));
    assert!(text(&blog).contains("acme-artifacts/staging/blog.zip") && !text(&plain).contains("staging"));
    let without_state = Config::parse("[[site]]\nname = \"a\"\ntarget = \"s3://abc/\"\ndelete = false\n").unwrap();
    assert!(!text(&without_state.sites[0]).contains("s3:DeleteObject"));
}

#[test]
fn execution_role_assumes_publishers_and_writes_no_site() {
    let sites = sites();
    let with_roles: Vec<&Site> = sites.iter().take(2).collect();
    let text = lambda(&with_roles, ACCOUNT, "eu-west-1", &FunctionConfig::default()).document.compact().unwrap();
    assert!(text.contains("role/tidegate-docs") && text.contains("role/tidegate-blog"));
    assert!(!text.contains("docs.acme.com") && !text.contains("blog.acme.com"), "{text}");
    // The function's package includes its plugins; `tidegate package` reads them as the caller.
    assert!(!text.contains("acme-plugins"), "{text}");
    assert!(
        caller(&with_roles, ACCOUNT, SessionTags::None)
            .document
            .compact()
            .unwrap()
            .contains("acme-plugins/banner.wasm")
    );
    // With trusted keys, the caller reads the signature beside the plugin.
    let signed = format!(
        "{CONFIGURATION}\n[plugins]\ntrusted-keys = [\"{}\"]\n",
        "RWRLEWh0uOxQZbekWF1wOJI0hrx0aevY9a0GbAft+8DGzDThkUOPxJ3I"
    );
    for (configuration, reads) in [(CONFIGURATION.to_owned(), false), (signed, true)] {
        let sites = Config::parse(&configuration).unwrap().sites;
        let text = caller(&[&sites[1]], ACCOUNT, SessionTags::None).document.compact().unwrap();
        assert_eq!(text.contains("acme-plugins/banner.wasm.minisig"), reads, "{text}");
    }
    assert!(
        text.contains("secret:repo/github.com/acme/blog-??????") && text.contains("parameter/tidegate/blog"),
        "{text}"
    );
    assert!(text.contains("lambda:eu-west-1:123456789012:function:tidegate"), "{text}");
    // The caller itself publishes a site without a role.
    let all: Vec<&Site> = sites.iter().collect();
    assert!(
        caller(&all, ACCOUNT, SessionTags::None).document.compact().unwrap().contains("arn:aws:s3:::plain.acme.com/*")
    );
}

#[test]
fn four_buckets_fit_into_a_session_and_more_are_refused() {
    let grant = |count: usize, length: usize, prefix: &str| BucketGrant {
        partition: Partition::default(),
        buckets: (0..count).map(|at| bucket(&format!("{at:0length$}"))).collect(),
        prefix: prefix.parse().unwrap(),
        access: BucketAccess::ReadWrite,
        custom: None,
        statements: Vec::new(),
    };
    // Four names of the maximum length, with a prefix of ten characters.
    assert!(grant(4, 63, "0123456789").text(PolicyLimit::Session).is_ok());
    assert!(grant(4, 63, "0123456789").text(PolicyLimit::User).is_ok());
    let error = grant(20, 63, "").text(PolicyLimit::Session).unwrap_err().to_string();
    assert!(error.contains("20 buckets") && error.contains("2048") && error.contains("fewer buckets"), "{error}");
    assert!(grant(20, 63, "").user_name().len() <= 64 && grant(20, 63, "").policy_name().len() <= 128);
    assert_ne!(grant(20, 63, "").user_name(), grant(21, 63, "").user_name());
}

#[test]
fn custom_policies_are_applied_to_every_bucket_and_checked() {
    let mut grant = BucketGrant {
        partition: Partition::default(),
        buckets: vec![bucket("one"), bucket("two")],
        prefix: Prefix::default(),
        access: BucketAccess::ReadWrite,
        custom: Some(
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::$!BUCKET_NAME!$/*"]},
                {"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}"#
                .to_owned(),
        ),
        statements: vec![tidegate_iam::policies::parse_statement(r#"{"Effect":"Allow","Action":"textract:DetectText","Resource":"*"}"#).unwrap()],
    };
    let value: Value = serde_json::from_str(&grant.text(PolicyLimit::Session).unwrap()).unwrap();
    let text = value.to_string();
    assert!(text.contains("arn:aws:s3:::one/*") && text.contains("arn:aws:s3:::two/*") && text.contains("textract"));
    assert_eq!(value["Statement"].as_array().unwrap().len(), 4, "a statement without a bucket is not repeated: {text}");
    assert_eq!(text.matches("\"Sid\"").count(), 1);
    // A trailing comma, as in a published example for s3-credentials.
    grant.custom = Some(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*",}]}"#
            .to_owned(),
    );
    let error = grant.text(PolicyLimit::Session).unwrap_err().to_string();
    assert!(error.contains("not JSON") && error.contains("trailing comma"), "{error}");
    // Over-permissive is not wrong, and an editor's byte order mark is none of the document's.
    for resource in ["arn:aws:s3:::*", "arn:aws:s3:::$!BUCKET_NAME!$*", "*"] {
        grant.custom = Some(format!(
            "\u{feff}{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"{resource}\"}}]}}"
        ));
        assert!(grant.text(PolicyLimit::Session).is_ok(), "{resource}: {:?}", grant.text(PolicyLimit::Session));
    }
    // A statement with the placeholder is there for each bucket.
    grant.custom = None;
    let own = r#"{"Effect":"Allow","Action":"s3:ListBucketVersions","Resource":"arn:aws:s3:::$!BUCKET_NAME!$"}"#;
    grant.statements = vec![tidegate_iam::policies::parse_statement(own).unwrap()];
    let text = grant.text(PolicyLimit::Session).unwrap();
    assert_eq!(text.matches("s3:ListBucketVersions").count(), 2, "{text}");
    assert!(!text.contains("BUCKET_NAME"), "{text}");
    for (statement, expected) in [
        (r#"{"Action":"s3:GetObject","Resource":"*"}"#, "/Effect"),
        (r#"{"Effect":"Allow","Resource":"*"}"#, "exactly one of `Action`"),
        (r#"{"Effect":"Allow","Action":"GetObject","Resource":"*"}"#, "is not an action"),
        ("[", "not JSON"),
    ] {
        let error = tidegate_iam::policies::parse_statement(statement).unwrap_err().to_string();
        assert!(error.contains(expected) && error.starts_with("invalid statement"), "{error}");
    }
}

#[test]
fn access_kinds_allow_their_actions() {
    let text = |access| {
        let grant = BucketGrant {
            partition: Partition::default(),
            buckets: vec![bucket("one")],
            prefix: "docs".parse().unwrap(),
            access,
            custom: None,
            statements: Vec::new(),
        };
        grant.text(PolicyLimit::Session).unwrap()
    };
    let has = |access, action: &str| text(access).contains(action);
    assert!(has(BucketAccess::ReadOnly, "s3:GetObject\"") && !has(BucketAccess::ReadOnly, "s3:PutObject"));
    assert!(
        has(BucketAccess::WriteOnly, "s3:PutObject")
            && !has(BucketAccess::WriteOnly, "GetObject")
            && !has(BucketAccess::WriteOnly, "ListBucket")
    );
    assert!(has(BucketAccess::ReadWrite, "s3:DeleteObject") && has(BucketAccess::ReadWrite, "s3:AbortMultipartUpload"));
    assert!(text(BucketAccess::ReadOnly).contains("one/docs/*") && text(BucketAccess::ReadOnly).contains("\"docs/*\""));
    let open = public(&Partition::default(), &bucket("one")).compact().unwrap();
    assert!(open.contains("\"Principal\":\"*\"") && !open.contains("ListBucket"));
}

#[test]
fn arns_have_the_partition_of_the_role() {
    let text = CONFIGURATION.replace("arn:aws:iam", "arn:aws-cn:iam");
    let china = Config::parse(&text).unwrap().sites;
    let granted = site(&china[0], ACCOUNT, &[]).document.compact().unwrap();
    assert!(granted.contains("arn:aws-cn:s3:::docs.acme.com") && !granted.contains("arn:aws:s3"), "{granted}");
    assert!("aws-us-gov".parse::<Partition>().is_ok() && "azure".parse::<Partition>().is_err());
}

#[test]
fn arns_of_sites_without_a_role_have_the_partition_of_the_region() {
    let text: String =
        CONFIGURATION.lines().filter(|line| !line.starts_with("role")).map(|line| format!("{line}\n")).collect();
    let text = text.replace("arn:aws:kms:us-east-1", "arn:aws-cn:kms:cn-north-1");
    let mut config = Config::parse(&text).unwrap();
    config.set_default_partition(&Partition::of_region("cn-north-1"));
    let all: Vec<&Site> = config.sites.iter().collect();
    let mut grants = vec![
        caller(&all, ACCOUNT, SessionTags::Transitive),
        lambda(&all, ACCOUNT, "cn-north-1", &config.function),
        state_machine(&all, ACCOUNT, "cn-north-1", &config.function),
    ];
    grants.extend(all.iter().map(|one| site(one, ACCOUNT, &[])));
    for grant in grants {
        let document = grant.document.compact().unwrap();
        assert!(document.contains("arn:aws-cn:s3:::") && !document.contains("arn:aws:"), "{document}");
    }
}

#[test]
fn prefix_of_feature_branches_names_a_folder() {
    for (prefix, fine) in
        [("*/feature/", true), ("feature", false), ("*", false), ("*/", false), ("/x/", false), ("a${b}/", false)]
    {
        let publisher = CiPublisher { dev_prefix: prefix.to_owned(), ..ci_publisher(true) };
        assert_eq!(publisher.grant().is_ok(), fine, "{prefix}");
    }
    let dev = ci_publisher(true).grant().unwrap().document.compact().unwrap();
    assert!(dev.contains("acme-dist/*/feature/*") && !dev.contains("Delete") && !dev.contains("codeartifact"), "{dev}");
    let release = ci_publisher(false).grant().unwrap().document.compact().unwrap();
    assert!(release.contains("acme-dist/release/*") && release.contains("ecr:BatchDeleteImage"), "{release}");
    let kept = CiPublisher { allow_delete: false, ..ci_publisher(false) }.grant().unwrap().document.compact().unwrap();
    assert!(!kept.contains("Delete"), "{kept}");
}

#[test]
fn website_addresses_are_those_of_the_region() {
    // Source: AWS General Reference, "Amazon S3 website endpoints".
    for (region, host) in [
        ("us-east-1", "s3-website-us-east-1.amazonaws.com"),
        ("eu-west-1", "s3-website-eu-west-1.amazonaws.com"),
        ("eu-central-1", "s3-website.eu-central-1.amazonaws.com"),
        ("us-east-2", "s3-website.us-east-2.amazonaws.com"),
        ("us-gov-west-1", "s3-website-us-gov-west-1.amazonaws.com"),
        ("us-gov-east-1", "s3-website.us-gov-east-1.amazonaws.com"),
        ("cn-northwest-1", "s3-website.cn-northwest-1.amazonaws.com.cn"),
    ] {
        assert_eq!(website_url(&bucket("acme"), region), format!("http://acme.{host}/"));
    }
    for (region, partition) in
        [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("us-west-1", "aws"), ("", "aws")]
    {
        assert_eq!(Partition::of_region(region).as_str(), partition);
    }
}

#[test]
fn github_tokens_have_the_audience_of_the_partition() {
    for (partition, audience) in
        [("aws", "sts.amazonaws.com"), ("aws-us-gov", "sts.amazonaws.com"), ("aws-cn", "sts.amazonaws.com.cn")]
    {
        let grant = trust(
            &partition.parse().unwrap(),
            ACCOUNT,
            &trust_subjects::github("acme/docs", &[TrustedJobs::Branch("main".to_owned())]),
        )
        .unwrap();
        let text = grant.document.compact().unwrap();
        assert!(text.contains(&format!(":aud\":\"{audience}\"")), "{text}");
        assert!(text.contains(&format!("arn:{partition}:iam::{ACCOUNT}:oidc-provider/")), "{text}");
    }
}

#[test]
fn trusted_principals_are_users_roles_and_accounts() {
    use tidegate_iam::policies::TrustedArn;
    for (arn, fine) in [
        ("arn:aws:iam::123456789012:role/docs-ci", true),
        ("arn:aws-cn:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Dev_1", true),
        ("arn:aws:iam::123456789012:user/lea", true),
        ("arn:aws:iam::123456789012:root", true),
        ("arn:aws:iam::123456789012:role/", false),
        ("arn:aws:iam::123456789012:role/*", false),
        ("arn:aws:iam::123456789012:group/editors", false),
        ("arn:aws:sts::123456789012:assumed-role/docs-ci/session", false),
        ("arn:aws:iam::123456789012:policy/x", false),
        ("123456789012", false),
        ("*", false),
    ] {
        assert_eq!(arn.parse::<TrustedArn>().is_ok(), fine, "{arn}");
    }
    let people: Vec<TrustedArn> =
        ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::210987654321:user/b"].map(|arn| arn.parse().unwrap()).into();
    let value: Value = serde_json::from_str(&trust_people(&people).document.compact().unwrap()).unwrap();
    let statements = value["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 1, "{value}");
    let roots = serde_json::json!(["arn:aws:iam::123456789012:root", "arn:aws:iam::210987654321:root"]);
    assert_eq!(statements[0]["Principal"]["AWS"], roots);
    assert_eq!(
        statements[0]["Condition"]["ArnEquals"]["aws:PrincipalArn"],
        serde_json::json!(["arn:aws:iam::123456789012:role/a", "arn:aws:iam::210987654321:user/b"])
    );
}
