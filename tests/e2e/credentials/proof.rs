//! The session of a plan suffices, nothing in it is spare, and nothing beside it is allowed: for random plans, by the
//! stand-in, which enforces every permission.
//!
//! What a session's policy is shorter by, the role's own policy is shorter by: AWS allows what both allow, so the run has
//! what a shorter session would have had.

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

use super::{ALL, ROLE, wide_role};
use crate::model::scenario::{Held, PREFIX, Scenario};
use crate::model::{runner, runtime};

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d";

/// The header that cache tags are read from.
const TAGS: &str = "x-amz-meta-cache-tag";

/// A distribution of others.
const OTHER: &str = "EOTHER";

/// One case: a scenario, and what its site is like besides.
#[derive(Debug, Clone)]
struct Case {
    scenario: Scenario,
    /// The release that is live before, where the site has releases.
    before: Option<Scenario>,
    /// Whether that one is then published again.
    rollback: bool,
    acl: bool,
    kms: bool,
    cdn: bool,
    /// Whether the distribution is told by cache tags: what starts with `a` carries one.
    tags: bool,
}

impl Case {
    fn any() -> impl Strategy<Value = Self> {
        let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
        (Scenario::any(), prop::option::of(Scenario::any()), flags).prop_map(
            |(mut scenario, before, (rollback, acl, kms, cdn))| {
                // Under a key that nobody configured, nobody can name the key.
                scenario.site.retain(|_, held| !matches!(held, Held::Kms(..)));
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
        let source = scenario.sources().lay(&world.directory().join(release), &world.client()).await;
        let request = PublishRequest { release: release.to_owned(), ..tidegate_tests::world::request(source) };
        Publish { publisher: world.publisher(), site: site(&self.configuration(scenario)), request }
    }

    /// The same world every time, with the same publish about to be planned.
    async fn begin(&self) -> (World, Publish) {
        let world = World::new().await;
        wide_role(&world);
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
        // Something is in progress already, so that it has to be counted.
        cloudfront.set_completion(InvalidationDelay::After(Duration::from_secs(3_600)));
        let batch =
            InvalidationBatch { caller_reference: "theirs".to_owned(), quantity: 1, paths: vec!["/theirs".to_owned()] };
        cloudfront.create_invalidation(DISTRIBUTION, &batch).unwrap();
        (world, publish)
    }

    /// Carries the plan out with a role that may do what `policy` says.
    async fn run(&self, policy: &str) -> (World, PublishReport) {
        let (world, publish) = self.begin().await;
        let planned = publish.plan().await.unwrap();
        world.account.iam().put_role_policy("publisher", "all", policy).unwrap();
        world.forget();
        let report = publish.apply(planned).await;
        (world, report)
    }
}

/// Somebody gave every object of the site a tag, which a change of headers must keep.
async fn tag_all(world: &World) {
    use aws_sdk_s3::types::{Tag, Tagging};
    for (key, _) in world.account.s3().list(BUCKET, PREFIX).unwrap() {
        let tag = Tag::builder().key("team").value("web").build().unwrap();
        let tags = Tagging::builder().tag_set(tag).build().unwrap();
        world.client().put_object_tagging().bucket(BUCKET).key(key).tagging(tags).send().await.unwrap();
    }
}

/// The policy of the last session that was asked for, and its access key.
fn session(world: &World) -> Option<(String, String)> {
    let requests = world.recorder.requests();
    let assume = requests.iter().rfind(|request| request.text.contains("Action=AssumeRole"))?;
    let body = assume.text.rsplit('\n').next()?;
    let policy = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "Policy")?.1.into_owned();
    let key = requests.iter().rfind(|request| request.access_key.starts_with("ASIA"))?.access_key.clone();
    Some((policy, key))
}

/// Whether anything was refused: a request, or one key of a request.
fn refused(world: &World, report: &PublishReport) -> bool {
    world.recorder.requests().iter().any(|request| request.status == Some(403))
        || report.to_string().contains("AccessDenied")
}

/// Every policy that is one statement, one action or one resource shorter, and what is gone.
fn shorter(policy: &str) -> Vec<(String, String)> {
    let whole: Value = serde_json::from_str(policy).unwrap();
    let statements = whole["Statement"].as_array().unwrap();
    let with =
        |statements: Vec<Value>| serde_json::json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let mut found = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        if statements.len() > 1 {
            let rest = statements.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, each)| each.clone());
            found.push((format!("statement {statement}"), with(rest.collect())));
        }
        for member in ["Action", "Resource"] {
            let Some(values) = statement[member].as_array() else { continue };
            for value in values {
                let mut less = statements.clone();
                less[at][member].as_array_mut().unwrap().retain(|other| other != value);
                found.push((format!("{member} {value} of {statement}"), with(less)));
            }
        }
    }
    found
}

async fn proved(case: &Case, actions: &mut BTreeSet<String>) -> Result<usize, String> {
    let (world, report) = case.run(ALL).await;
    if report.outcome == Outcome::Unchanged {
        return Ok(0);
    }
    if report.outcome != Outcome::Live {
        return Err(format!("with its session alone: {report}"));
    }
    let Some((policy, key)) = session(&world) else { return Err("no session was asked for".to_owned()) };
    outside(&world, &key)?;
    let (_, report) = case.run(&policy).await;
    if report.outcome != Outcome::Live {
        return Err(format!("what is asked for does not suffice: {report}"));
    }
    let shorter = shorter(&policy);
    for (gone, policy) in &shorter {
        let (world, report) = case.run(policy).await;
        if !refused(&world, &report) {
            return Err(format!("{gone} is spare:\n{report}"));
        }
        // Counting what is in progress, and asking whether tags are read, is all that a release can do without.
        let counting = gone.contains("GetInvalidation\" of") || gone.contains("ListInvalidations\" of");
        let asking = gone.contains("\"Action\":\"cloudfront:GetDistributionConfig\"");
        if report.outcome == Outcome::Live && !counting && !asking {
            return Err(format!("it went well without {gone}:\n{report}"));
        }
    }
    let document: Value = serde_json::from_str(&policy).unwrap();
    for statement in document["Statement"].as_array().unwrap() {
        match &statement["Action"] {
            Value::String(one) => drop(actions.insert(one.clone())),
            many => actions.extend(many.as_array().unwrap().iter().map(|each| each.as_str().unwrap().to_owned())),
        }
    }
    Ok(shorter.len())
}

/// Everything that S3 and CloudFront can be asked to do to objects, buckets and distributions.
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

/// Nothing beside the site, the staged objects and the distribution may be touched, by whatever action; what is read there
/// may not be written.
fn outside(world: &World, key: &str) -> Result<(), String> {
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
        // Its own bucket's objects: what nobody needs for any plan.
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
            return Err(format!("{action} on what is staged is allowed"));
        }
    }
    Ok(())
}

/// Cases that no generator should have to find: every kind of operation, without releases and with them.
fn fixed() -> Vec<Case> {
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
fn the_session_of_a_plan_suffices_and_nothing_in_it_is_spare() {
    let runtime = runtime();
    let (mut without, mut actions) = (0, BTreeSet::new());
    for case in fixed() {
        without += runtime.block_on(proved(&case, &mut actions)).unwrap_or_else(|why| panic!("{case:?}\n{why}"));
    }
    let (count, seen) = (std::cell::RefCell::new(&mut without), std::cell::RefCell::new(&mut actions));
    runner(20)
        .run(&Case::any(), |case| {
            let mut seen = seen.borrow_mut();
            let shorter = runtime.block_on(proved(&case, &mut seen)).map_err(TestCaseError::fail)?;
            **count.borrow_mut() += shorter;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    // The cases were not all alike: each kind of permission was needed by some plan.
    assert!(without > 120, "only {without} shorter policies were tried");
    let wanted = [
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
    assert_eq!(actions.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

/// Giving up an upload in parts is a permission that only a run needs in which something fails: it is proved by one.
#[tokio::test]
async fn an_upload_in_parts_that_fails_is_given_up_and_only_with_the_permission() {
    use tidegate_tests::fault::InjectedFault;
    use tidegate_tests::{SourceObject, Sources};
    let files = [SourceObject::sized("film.mp4", 65 * 1024 * 1024, 1)];
    let configuration = crate::site_with(&format!("role = \"{ROLE}\"\n")).replace("s3://site/", "s3://site/docs/");
    for without in [false, true] {
        let world = World::new().await;
        wide_role(&world);
        let publish = world.publish(&configuration, &Sources::directory(files.clone())).await;
        let planned = publish.plan().await.unwrap();
        if without {
            let some = ALL.replace("\"s3:*\"", "\"s3:GetObject\",\"s3:PutObject\"");
            world.account.iam().put_role_policy("publisher", "all", &some).unwrap();
        }
        world.trouble(|call| {
            (call.operation == "CompleteMultipartUpload").then(|| InjectedFault::answer(400, "InvalidPart"))
        });
        let report = publish.apply(planned).await;
        assert_eq!(report.outcome, Outcome::Failed, "{report}");
        assert!(session(&world).unwrap().0.contains("AbortMultipartUpload"));
        let left = world.client().list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads().len();
        assert_eq!(left, usize::from(without));
    }
}

/// The same by requests instead of questions: the credentials of a run, used by somebody else.
#[tokio::test]
async fn credentials_of_a_run_are_refused_beside_it() {
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
        status(put.unwrap_err().raw_response().map(|answer| answer.status().as_u16()));
        status(get.unwrap_err().raw_response().map(|answer| answer.status().as_u16()));
        status(delete.unwrap_err().raw_response().map(|answer| answer.status().as_u16()));
        status(copy.unwrap_err().raw_response().map(|answer| answer.status().as_u16()));
    }
    for prefix in ["", "p", "p2/", "p-"] {
        let list = client.list_objects_v2().bucket(BUCKET).prefix(prefix).send().await;
        assert_eq!(list.unwrap_err().raw_response().unwrap().status().as_u16(), 403, "{prefix}");
    }
    assert_eq!(world.site().await, before);
    // The same credentials work where they are meant to.
    client.put_object().bucket(BUCKET).key("p/a").body(ByteStream::from_static(b"x")).send().await.unwrap();
}
