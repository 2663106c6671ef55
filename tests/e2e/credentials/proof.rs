//! The session policy of a plan is least-privilege: it suffices, every permission in it is needed, and it allows
//! nothing outside of the site. Tested with random plans on the emulator, which enforces permissions.
//!
//! To test a smaller session policy, the test gives the smaller policy to the role: AWS allows only what both policies
//! allow.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_credential_types::Credentials;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::Value;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_core::request::PublishRequest;
use tidegate_emulator::cloudfront::{InvalidationBatch, InvalidationDelay, S3Origin};
use tidegate_emulator::iam::AccessRequest;
use tidegate_emulator::s3::{ObjectEncryption, Ownership};
use tidegate_tests::releases::STATE;
use tidegate_tests::source::STAGING;
use tidegate_tests::world::{BUCKET, DISTRIBUTION, site};
use tidegate_tests::{Publish, World};

use super::{ALL, ROLE, create_unrestricted_role};
use crate::model::scenario::{ExistingObject, PREFIX, Scenario};
use crate::model::{runner, runtime};

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d";

/// The header that cache tags are read from.
const TAGS: &str = "x-amz-meta-cache-tag";

/// A distribution of others.
const OTHER: &str = "EOTHER";

/// A scenario with settings of its site.
#[derive(Debug, Clone)]
struct Case {
    scenario: Scenario,
    /// The release that is live before, if the site has releases.
    before: Option<Scenario>,
    /// Whether the publish is a rollback to that release.
    rollback: bool,
    acl: bool,
    kms: bool,
    cdn: bool,
    /// Whether the CDN is invalidated by cache tags. Keys that start with `a` have one.
    tags: bool,
}

impl Case {
    fn any() -> impl Strategy<Value = Self> {
        let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
        (Scenario::any(), prop::option::of(Scenario::any()), flags).prop_map(
            |(mut scenario, before, (rollback, acl, kms, cdn))| {
                // The policy cannot name a KMS key that is not in the configuration.
                scenario.site.retain(|_, existing| !matches!(existing, ExistingObject::Kms(..)));
                Self { scenario, before, rollback, acl, kms, cdn, tags: false }
            },
        )
    }

    fn configuration(&self, scenario: &Scenario) -> String {
        let mut more = format!("role = \"{ROLE}\"\nkeep = {{ releases = 5, days = 0 }}\n");
        if self.cdn {
            let tags = if self.tags { ", cache-tags = \"cache-tag\"" } else { "" };
            more += &format!("cdn = [{{ distribution = \"{DISTRIBUTION}\"{tags} }}]\n");
        }
        let acl = if self.acl { "acl = \"private\", " } else { "" };
        let kms = if self.kms { format!("encryption = \"aws:kms\", kms-key = \"{KEY}\", ") } else { String::new() };
        more += &format!("objects = {{ {acl}{kms}storage-class = \"STANDARD\" }}\n");
        let state =
            if self.before.is_some() { format!("state = \"s3://{STATE}/tidegate/\"\n\n") } else { String::new() };
        let rules = format!("{{ rules = [{{ glob = \"a*\", set = {{ {TAGS} = \"a\" }} }}] }}");
        let rules = if self.tags { crate::plugin("sync", "headers", &rules) } else { String::new() };
        state + &scenario.configuration().replacen("delete = ", &format!("{more}delete = "), 1) + &rules
    }

    async fn publish(&self, world: &World, scenario: &Scenario, release: &str) -> Publish {
        let source = scenario.sources().stage(&world.directory().join(release), &world.client()).await;
        let request = PublishRequest { release: release.into(), ..tidegate_tests::world::request(source) };
        Publish { publisher: world.publisher(), site: site(&self.configuration(scenario)), request }
    }

    /// A new world and the publish of this case. Both are the same in every call.
    async fn set_up(&self) -> (World, Publish) {
        let world = World::new().await;
        create_unrestricted_role(&world);
        let s3 = world.account.s3();
        s3.create_bucket(STATE).await.unwrap();
        s3.create_bucket("elsewhere").await.unwrap();
        s3.set_ownership(BUCKET, Ownership::BucketOwnerPreferred).await.unwrap();
        if self.kms {
            let encryption = ObjectEncryption {
                algorithm: "aws:kms".to_owned(),
                kms_key: Some(KEY.to_owned()),
                bucket_key: Some(true),
            };
            s3.set_encryption(BUCKET, encryption.clone()).await.unwrap();
            s3.set_encryption(STAGING, encryption).await.unwrap();
        }
        let cloudfront = world.account.cloudfront();
        let origin = S3Origin { bucket: "elsewhere".to_owned(), path: String::new() };
        cloudfront.create_distribution(OTHER, origin, None).unwrap();
        cloudfront.set_cache_tags(DISTRIBUTION, self.tags.then_some(TAGS)).unwrap();
        let publish = match &self.before {
            None => {
                for mut object in self.scenario.seeds() {
                    object.tags.insert("team".to_owned(), "web".to_owned());
                    object.seed(&world.client(), BUCKET).await;
                }
                self.publish(&world, &self.scenario, "second").await
            }
            Some(before) => {
                let first = self.publish(&world, before, "first").await;
                assert!(matches!(first.run().await.outcome, Outcome::Live | Outcome::Unchanged));
                tag_all(&world).await;
                let mut second = self.publish(&world, &self.scenario, "second").await;
                if self.rollback {
                    assert!(matches!(second.run().await.outcome, Outcome::Live | Outcome::Unchanged));
                    tag_all(&world).await;
                    second.request.source = "release:r1".parse().unwrap();
                }
                second
            }
        };
        // Another invalidation is in progress, so the run reads its paths.
        cloudfront.set_completion(InvalidationDelay::After(Duration::from_secs(3_600)));
        let batch =
            InvalidationBatch { caller_reference: "theirs".to_owned(), quantity: 1, paths: vec!["/theirs".to_owned()] };
        cloudfront.create_invalidation(DISTRIBUTION, &batch).unwrap();
        (world, publish)
    }

    /// Plans with all permissions and applies with a role that has this policy.
    async fn run(&self, policy: &str) -> (World, PublishReport) {
        let (world, publish) = self.set_up().await;
        let planned = publish.plan().await.unwrap();
        world.account.iam().put_role_policy("publisher", "all", policy).unwrap();
        world.clear_requests();
        let report = publish.apply(planned).await;
        (world, report)
    }
}

/// Tags every object of the site as another tool would. A change of headers must keep the tag.
async fn tag_all(world: &World) {
    use aws_sdk_s3::types::{Tag, Tagging};
    for (key, _) in world.account.s3().list(BUCKET, PREFIX).unwrap() {
        let tag = Tag::builder().key("team").value("web").build().unwrap();
        let tags = Tagging::builder().tag_set(tag).build().unwrap();
        world.client().put_object_tagging().bucket(BUCKET).key(key).tagging(tags).send().await.unwrap();
    }
}

/// The policy and the access key of the last session.
fn session(world: &World) -> Option<(String, String)> {
    let requests = world.recorder.requests();
    let assume = requests.iter().rfind(|request| request.text.contains("Action=AssumeRole"))?;
    let body = assume.text.rsplit('\n').next()?;
    let policy = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "Policy")?.1.into_owned();
    let key = requests.iter().rfind(|request| request.access_key.starts_with("ASIA"))?.access_key.clone();
    Some((policy, key))
}

/// Whether AWS denied a request, or one key of a request.
fn was_denied(world: &World, report: &PublishReport) -> bool {
    world.recorder.requests().iter().any(|request| request.status == Some(403))
        || report.to_string().contains("AccessDenied")
}

/// A policy without one of its permissions.
struct SmallerPolicy {
    policy: String,
    /// The statement, action or resource that was removed.
    removed: String,
}

/// Every policy that lacks one statement, action or resource.
fn smaller_policies(policy: &str) -> Vec<SmallerPolicy> {
    let whole: Value = serde_json::from_str(policy).unwrap();
    let statements = whole["Statement"].as_array().unwrap();
    let with =
        |statements: Vec<Value>| serde_json::json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let mut found = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        if statements.len() > 1 {
            let rest = statements.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, each)| each.clone());
            found.push(SmallerPolicy { policy: with(rest.collect()), removed: format!("statement {statement}") });
        }
        for member in ["Action", "Resource"] {
            let Some(values) = statement[member].as_array() else { continue };
            for value in values {
                let mut less = statements.clone();
                less[at][member].as_array_mut().unwrap().retain(|other| other != value);
                let removed = format!("{member} {value} of {statement}");
                found.push(SmallerPolicy { policy: with(less), removed });
            }
        }
    }
    found
}

/// Checks the session policy of one case. Returns the number of smaller policies that were tested.
async fn check_policy(case: &Case, actions: &mut BTreeSet<String>) -> Result<usize, String> {
    let (world, report) = case.run(ALL).await;
    if report.outcome == Outcome::Unchanged {
        return Ok(0);
    }
    if report.outcome != Outcome::Live {
        return Err(format!("the session policy does not suffice: {report}"));
    }
    let Some((policy, key)) = session(&world) else { return Err("no session was created".to_owned()) };
    check_nothing_outside(&world, &key)?;
    let (_, report) = case.run(&policy).await;
    if report.outcome != Outcome::Live {
        return Err(format!("the session policy does not suffice as the role's policy: {report}"));
    }
    check_scoped(case, &policy).await?;
    let smaller = smaller_policies(&policy);
    for SmallerPolicy { policy, removed } in &smaller {
        let (world, report) = case.run(policy).await;
        if !was_denied(&world, &report) {
            return Err(format!("{removed} is not needed:\n{report}"));
        }
        // A release can succeed without reading invalidations in progress or the distribution's configuration.
        let counting = removed.contains("GetInvalidation\" of") || removed.contains("ListInvalidations\" of");
        let reading_configuration = removed.contains("\"Action\":\"cloudfront:GetDistributionConfig\"");
        // Without the permission to read what a copy replaces, copies are not conditional, and the report says so.
        let unconditional = report.findings.iter().any(|finding| finding.code == "unconditional-copies");
        if report.outcome == Outcome::Live && !counting && !reading_configuration && !unconditional {
            return Err(format!("the run succeeded without {removed}:\n{report}"));
        }
    }
    let document: Value = serde_json::from_str(&policy).unwrap();
    for statement in document["Statement"].as_array().unwrap() {
        match &statement["Action"] {
            Value::String(one) => drop(actions.insert(one.clone())),
            many => actions.extend(many.as_array().unwrap().iter().map(|each| each.as_str().unwrap().to_owned())),
        }
    }
    Ok(smaller.len())
}

/// Checks the credentials that a run without a role gets: they suffice, allow nothing outside, and their policy is that
/// of the role's session, whose every permission is needed. It differs in two members: the account of a distribution,
/// and the KMS keys, which are unknown if the configuration names none.
async fn check_scoped(case: &Case, session_policy: &str) -> Result<(), String> {
    let (world, mut publish) = case.set_up().await;
    let caller = super::scoped::session_credentials(&world, super::scoped::ALL_WITH_SCOPE).await;
    let caller_key = caller.access_key_id().to_owned();
    publish.publisher = world.publisher_with(caller, 1);
    publish.site.role = None;
    let planned = publish.plan().await.map_err(|error| error.to_string())?;
    world.clear_requests();
    let report = publish.apply(planned).await;
    if report.outcome != Outcome::Live {
        return Err(format!("scoped credentials do not suffice: {report}"));
    }
    let key = scoped_key(&world, &caller_key).ok_or("writing has no scoped credentials")?;
    check_nothing_outside(&world, &key)?;
    let scoped = super::scoped::policies(&world).pop().ok_or("no scoped credentials")?;
    let mut scoped: Value =
        serde_json::from_str(&scoped.replace("cloudfront::*:", "cloudfront::000000000000:")).unwrap();
    if !case.kms {
        let any_key = |statement: &Value| statement["Resource"] == "*";
        scoped["Statement"].as_array_mut().unwrap().retain(|statement| !any_key(statement));
    }
    let expected: Value = serde_json::from_str(session_policy).unwrap();
    if scoped == expected { Ok(()) } else { Err(format!("the policies differ:\n{scoped}\n{expected}")) }
}

/// The last access key of a session that is not the caller's own.
fn scoped_key(world: &World, caller: &str) -> Option<String> {
    let requests = world.recorder.requests();
    let scoped = |request: &&tidegate_tests::recorder::SignedRequest| {
        request.access_key.starts_with("ASIA") && request.access_key != caller
    };
    requests.iter().rfind(scoped).map(|request| request.access_key.clone())
}

/// Actions on objects, buckets, distributions, identities and keys.
const ACTIONS: [&str; 35] = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectAcl",
    "s3:GetObjectTagging",
    "s3:GetObjectAttributes",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectTagging",
    "s3:PutObjectRetention",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:DeleteObjectTagging",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:ListAllMyBuckets",
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:PutBucketPolicy",
    "s3:PutBucketWebsite",
    "s3:PutBucketVersioning",
    "s3:PutBucketNotification",
    "s3:BypassGovernanceRetention",
    "cloudfront:CreateInvalidation",
    "cloudfront:GetInvalidation",
    "cloudfront:ListInvalidations",
    "cloudfront:GetDistributionConfig",
    "cloudfront:UpdateDistribution",
    "cloudfront:DeleteDistribution",
    "iam:CreateUser",
    "iam:PutRolePolicy",
    "sts:AssumeRole",
    "kms:ScheduleKeyDeletion",
];

/// The session allows no action outside of the site, the staged objects and the distribution, and only reads staged
/// objects.
fn check_nothing_outside(world: &World, key: &str) -> Result<(), String> {
    let iam = world.account.iam();
    let allowed = |action: &str, resource: &str, prefix: Option<&str>| {
        let context: Vec<(&str, &str)> = prefix.map(|prefix| ("s3:prefix", prefix)).into_iter().collect();
        iam.authorize(key, &AccessRequest { action, resource, context: &context }).is_ok()
    };
    let theirs = [
        "arn:aws:s3:::site",
        "arn:aws:s3:::site/p",
        "arn:aws:s3:::site/p2/a",
        "arn:aws:s3:::site/p-/a",
        "arn:aws:s3:::site/a",
        "arn:aws:s3:::site/P/a",
        "arn:aws:s3:::site2/p/a",
        "arn:aws:s3:::elsewhere/p/a",
        "arn:aws:s3:::staging",
        "arn:aws:s3:::staging/other/a",
        "arn:aws:s3:::state",
        "arn:aws:s3:::state/tidegate/docs/current.json",
        "arn:aws:s3:::state/tidegate/docs/lease.json",
        "arn:aws:s3:::state/tidegate/other/bodies/x",
        "arn:aws:cloudfront::000000000000:distribution/EOTHER",
        "arn:aws:iam::000000000000:role/publisher",
        "arn:aws:iam::000000000000:user/x",
        "arn:aws:kms:us-east-1:000000000000:key/other",
        "*",
    ];
    for action in ACTIONS {
        for resource in theirs {
            for prefix in [None, Some("p/"), Some("p2/"), Some("")] {
                if allowed(action, resource, prefix) {
                    return Err(format!("{action} on {resource} is allowed"));
                }
            }
        }
        // Actions on the site's own objects that no plan needs.
        let never = !matches!(
            action,
            "s3:GetObject"
                | "s3:GetObjectTagging"
                | "s3:PutObject"
                | "s3:PutObjectAcl"
                | "s3:PutObjectTagging"
                | "s3:DeleteObject"
                | "s3:AbortMultipartUpload"
        );
        if never && allowed(action, "arn:aws:s3:::site/p/a", None) {
            return Err(format!("{action} on the site is allowed"));
        }
        if action != "s3:GetObject" && allowed(action, "arn:aws:s3:::staging/source/a", None) {
            return Err(format!("{action} on staged objects is allowed"));
        }
    }
    Ok(())
}

/// Fixed cases with every kind of operation, with and without releases.
fn fixed_cases() -> Vec<Case> {
    let everything =
        "prefix delete 3 | a:7.0 b:4096.0 b-:7.1 | c | a:plain:1.1:5 b-:plain:7.1:1 d:plain:4096.0:5 e:plain:1.0:1";
    let scenario = |text: &str| Scenario::parse(text);
    let case = Case {
        scenario: scenario(everything),
        before: None,
        rollback: false,
        acl: true,
        kms: true,
        cdn: true,
        tags: false,
    };
    let before = scenario("directory delete 1 | a:1.0 b-:7.1 e:1.1 | | ");
    let tagged = scenario("directory delete 3 | aa:7.0 ab:7.1 c:7.0 | | ");
    let before_tags = scenario("directory delete 1 | aa:1.0 ab:1.1 c:7.0 | | ");
    vec![
        Case { scenario: tagged, before: Some(before_tags), tags: true, ..case.clone() },
        Case { acl: false, kms: false, ..case.clone() },
        Case { before: Some(before.clone()), ..case.clone() },
        Case { before: Some(before), rollback: true, kms: false, ..case.clone() },
        case,
    ]
}

#[test]
fn the_session_policy_of_any_plan_is_sufficient_and_minimal() {
    let runtime = runtime();
    let (mut tested, mut actions) = (0, BTreeSet::new());
    for case in fixed_cases() {
        tested += runtime.block_on(check_policy(&case, &mut actions)).unwrap_or_else(|why| panic!("{case:?}\n{why}"));
    }
    let (count, seen) = (std::cell::RefCell::new(&mut tested), std::cell::RefCell::new(&mut actions));
    runner(20)
        .run(&Case::any(), |case| {
            let mut seen = seen.borrow_mut();
            let smaller = runtime.block_on(check_policy(&case, &mut seen)).map_err(TestCaseError::fail)?;
            **count.borrow_mut() += smaller;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    // Together, the cases need every kind of permission.
    assert!(tested > 120, "only {tested} smaller policies were tested");
    let expected = [
        "cloudfront:CreateInvalidation",
        "cloudfront:GetDistributionConfig",
        "cloudfront:GetInvalidation",
        "cloudfront:ListInvalidations",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:GetObjectTagging",
        "s3:PutObject",
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
    ];
    assert_eq!(actions.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// Only a run with a failure needs the permission to abort a multipart upload.
#[tokio::test]
async fn a_failed_multipart_upload_is_aborted_if_the_session_allows_it() {
    use tidegate_tests::fault::InjectedFault;
    use tidegate_tests::{SourceObject, Sources};
    let files = [SourceObject::sized("film.mp4", 65 * 1024 * 1024, 1)];
    let configuration = crate::site_with(&format!("role = \"{ROLE}\"\n")).replace("s3://site/", "s3://site/docs/");
    for without in [false, true] {
        let world = World::new().await;
        create_unrestricted_role(&world);
        let publish = world.publish(&configuration, &Sources::directory(files.clone())).await;
        let planned = publish.plan().await.unwrap();
        if without {
            let some = ALL.replace("\"s3:*\"", "\"s3:GetObject\",\"s3:PutObject\"");
            world.account.iam().put_role_policy("publisher", "all", &some).unwrap();
        }
        world.inject_faults(|call| {
            (call.operation == "CompleteMultipartUpload").then(|| InjectedFault::answer(400, "InvalidPart"))
        });
        let report = publish.apply(planned).await;
        assert_eq!(report.outcome, Outcome::Failed, "{report}");
        assert!(session(&world).unwrap().0.contains("AbortMultipartUpload"));
        let left = world.client().list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads().len();
        assert_eq!(left, usize::from(without));
    }
}

/// Requests with stolen session credentials, outside of the site.
#[tokio::test]
async fn session_credentials_are_denied_outside_of_the_site() {
    use aws_sdk_s3::primitives::ByteStream;
    let case = Case {
        scenario: Scenario::parse("directory delete 3 | a:7.0 b:7.1 | | c:plain:7.0:5 b:plain:7.1:1"),
        before: None,
        rollback: false,
        acl: false,
        kms: false,
        cdn: true,
        tags: false,
    };
    let (world, report) = case.run(ALL).await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let (_, key) = session(&world).unwrap();
    let secret = world.account.iam().secret_key(&key).unwrap();
    let credentials = Credentials::new(&key, secret.secret.clone(), secret.session_token.clone(), None, "stolen");
    let config = tidegate_tests::world::configuration(world.account.http_client(), credentials, 1);
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let before = world.site().await;
    for key in ["p", "p2/a", "p-/a", "a", "other"] {
        let put = client.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"x")).send().await;
        let get = client.get_object().bucket(BUCKET).key(key).send().await;
        let delete = client.delete_object().bucket(BUCKET).key(key).send().await;
        let copy = client.copy_object().bucket(BUCKET).key("p/a").copy_source(format!("{BUCKET}/{key}")).send().await;
        let status = |status: Option<u16>| assert_eq!(status, Some(403), "{key}");
        status(put.unwrap_err().raw_response().map(|response| response.status().as_u16()));
        status(get.unwrap_err().raw_response().map(|response| response.status().as_u16()));
        status(delete.unwrap_err().raw_response().map(|response| response.status().as_u16()));
        status(copy.unwrap_err().raw_response().map(|response| response.status().as_u16()));
    }
    for prefix in ["", "p", "p2/", "p-"] {
        let list = client.list_objects_v2().bucket(BUCKET).prefix(prefix).send().await;
        assert_eq!(list.unwrap_err().raw_response().unwrap().status().as_u16(), 403, "{prefix}");
    }
    assert_eq!(world.site().await, before);
    // The same credentials work on the site.
    client.put_object().bucket(BUCKET).key("p/a").body(ByteStream::from_static(b"x")).send().await.unwrap();
}
