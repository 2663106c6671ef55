//! Generated policies in the emulator, which enforces them: each allows what it is for and nothing else. Also
//! `tidegate check --aws`, and the changes that create identities.

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use tidegate_core::config::Site;
use tidegate_core::location::Source;
use tidegate_core::report::Outcome;
use tidegate_emulator::iam::{ACCOUNT_ID, AccessRequest};
use tidegate_emulator::s3::{ObjectEncryption, Ownership};
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{
    BucketSpec, Change, CredentialsKind, CredentialsSpec, PermissionsBoundary, PolicySpec, PolicyTargets, RoleChange,
    SHARED_ROLE, attach_policy, create_credentials, delete_group, delete_user, ensure_group, ensure_policy,
    remove_policy,
};
use tidegate_iam::check::check;
use tidegate_iam::document::{Partition, PolicyDocument};
use tidegate_iam::policies::{
    self, BucketAccess, BucketGrant, CiPublisher, Grant, S3Sync, SessionTags, UploadPlace, upload_grant, uploader,
    uploader_guard,
};
use tidegate_iam::preflight::PreflightSeverity;
use tidegate_tests::source::STAGING;
use tidegate_tests::world::{BUCKET, DISTRIBUTION, configuration, site};
use tidegate_tests::{SourceObject, Sources, World};

fn client(world: &World, credentials: Credentials) -> Client {
    let config = configuration(world.account.http_client(), credentials, 1);
    let config = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .build();
    Client::from_conf(config)
}

/// Credentials of a user with this grant and nothing else.
fn credentials_of(world: &World, grant: &Grant) -> Credentials {
    let document = grant.document.compact().unwrap();
    world.account.iam().create_user("holder", &[("grant", &document)]).unwrap();
    world.account.iam().create_access_key("holder").unwrap().credentials()
}

fn provisioner(world: &World) -> Provisioner {
    Provisioner::new(&world.publisher().connection)
}

/// The HTTP status of a failed request; 200 for a successful one.
macro_rules! status {
    ($request:expr) => {
        match $request.send().await {
            Ok(_) => 200,
            Err(error) => error.raw_response().map_or(0, |response| response.status().as_u16()),
        }
    };
}

fn body() -> ByteStream {
    ByteStream::from_static(b"x")
}

const SITE_WITH_ROLE: &str = r#"
state = "s3://state/tidegate/"

[[site]]
name = "docs"
staged = "s3://staging/source/"
target = "s3://site/docs/"
role = "arn:aws:iam::000000000000:role/publisher"
cdn = [{ distribution = "E2EXAMPLE", origin-path = "/docs" }]
keep = { releases = 1, days = 0 }

[[site.policy]]
plugin = "guard"
settings = { max-delete-share = 1.0 }
"#;

/// A world whose publisher role has this policy.
async fn world_with_role(document: &str) -> (World, Site) {
    let world = World::new().await;
    world.account.s3().create_bucket("state").await.unwrap();
    let trust = policies::trust_account(&format!("arn:aws:iam::{ACCOUNT_ID}:root")).document.compact().unwrap();
    world.account.iam().create_role("publisher", &trust, &[("site", document)]).unwrap();
    (world, site(SITE_WITH_ROLE))
}

/// The policy that `policy site` prints.
fn site_policy() -> String {
    policies::site(&site(SITE_WITH_ROLE), ACCOUNT_ID, &[]).document.compact().unwrap()
}

#[tokio::test]
async fn caller_and_publisher_policies_suffice_for_publishing_and_allow_nothing_else() {
    let (world, docs) = world_with_role(&site_policy()).await;
    let caller = policies::caller(&[&docs], ACCOUNT_ID, SessionTags::None);
    let credentials = credentials_of(&world, &caller);
    for (release, files) in
        [("one", [("index.html", "1"), ("old.js", "a")]), ("two", [("index.html", "2"), ("new.js", "b")])]
    {
        for (key, text) in files {
            let put = world.client().put_object().bucket(STAGING).key(format!("source/{release}/{key}"));
            put.body(ByteStream::from(text.as_bytes().to_vec())).send().await.unwrap();
        }
        let publisher = world.publisher_with(credentials.clone(), 1);
        let request = tidegate_tests::world::request(format!("s3://{STAGING}/source/{release}/").parse().unwrap());
        let publish = tidegate_tests::Publish { publisher, site: docs.clone(), request };
        let report = publish.publish().await.unwrap();
        assert_eq!(report.outcome, Outcome::Live, "{report}");
    }
    assert_eq!(world.site().await.keys(), ["docs/index.html", "docs/new.js"], "expired objects were pruned");
    // The caller itself can write neither the site nor staged builds.
    let client = client(&world, credentials);
    for (bucket, key) in [(BUCKET, "docs/index.html"), (STAGING, "source/x"), (BUCKET, "docs2/x")] {
        assert_eq!(status!(client.put_object().bucket(bucket).key(key).body(body())), 403, "{bucket}/{key}");
    }
    assert_eq!(status!(client.put_object().bucket("state").key("elsewhere").body(body())), 403);
}

#[tokio::test]
async fn check_reports_missing_and_unneeded_permissions() {
    let (world, docs) = world_with_role(&site_policy()).await;
    let connection = world.publisher().connection;
    let found = check(&connection, &docs).await.unwrap();
    let [owner] = found.as_slice() else { panic!("the generated policy is exact: {found:?}") };
    assert!(
        owner.severity == PreflightSeverity::Note && owner.message.contains("`owner = \"000000000000\"`"),
        "{owner:?}"
    );
    let mut docs = docs;
    docs.owner = Some(ACCOUNT_ID.to_owned().try_into().unwrap());
    assert_eq!(check(&connection, &docs).await.unwrap(), []);
    docs.owner = Some("111111111111".to_owned().try_into().unwrap());
    let found = check(&connection, &docs).await.unwrap();
    assert!(found.iter().any(|one| one.severity == PreflightSeverity::Missing), "another owner: {found:?}");
    docs.owner = Some(ACCOUNT_ID.to_owned().try_into().unwrap());

    // Deletes are configured, but the role lacks `s3:DeleteObject`.
    let iam = world.account.iam();
    iam.put_role_policy("publisher", "site", &site_policy().replace("\"s3:DeleteObject\"", "\"s3:RestoreObject\""))
        .unwrap();
    let found = check(&connection, &docs).await.unwrap();
    assert!(
        found.iter().any(|one| one.severity == PreflightSeverity::Missing && one.message.contains("s3:DeleteObject")),
        "{found:?}"
    );

    // All actions on all resources.
    let all =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","cloudfront:*"],"Resource":"*"}]}"#;
    iam.put_role_policy("publisher", "site", all).unwrap();
    let found = check(&connection, &docs).await.unwrap();
    assert!(found.iter().all(|one| one.severity == PreflightSeverity::OverPermissive), "{found:?}");
    let reports = |text: &str| found.iter().any(|one| one.message.contains(text));
    assert!(reports("every distribution") && reports("every bucket"), "{found:?}");
    assert!(reports("with the same beginning") && reports("never deletes a bucket"), "{found:?}");

    // A prefix without its slash also matches a sibling.
    iam.put_role_policy("publisher", "site", &site_policy().replace("site/docs/*", "site/docs*")).unwrap();
    let found = check(&connection, &docs).await.unwrap();
    assert!(found.iter().any(|one| one.message.contains("docs2/tidegate-check")), "{found:?}");

    // A role that does not exist.
    let mut other = docs.clone();
    other.role = Some("arn:aws:iam::000000000000:role/missing".to_owned().try_into().unwrap());
    let found = check(&connection, &other).await.unwrap();
    assert!(
        found.iter().any(|one| one.severity == PreflightSeverity::Missing && one.message.contains("role/missing")),
        "{found:?}"
    );
    let writes = ["PutObject", "CopyObject", "DeleteObjects", "CreateInvalidation"];
    let calls = world.faults.calls();
    assert!(writes.iter().all(|name| tidegate_tests::calls::count(&calls, name) == 0), "the check changes nothing");
}

#[tokio::test]
async fn check_reports_an_acl_that_the_bucket_refuses() {
    let (world, mut docs) = world_with_role(&site_policy()).await;
    docs.objects.acl = Some("public-read".to_owned());
    let connection = world.publisher().connection;
    let found = check(&connection, &docs).await.unwrap();
    assert!(found.iter().any(|one| one.message.contains("remove `objects.acl`")), "{found:?}");
    world.account.s3().set_ownership(BUCKET, Ownership::BucketOwnerPreferred).await.unwrap();
    let found = check(&connection, &docs).await.unwrap();
    assert!(!found.iter().any(|one| one.message.contains("objects.acl")), "{found:?}");
    assert!(found.iter().any(|one| one.message.contains("s3:PutObjectAcl")), "{found:?}");
}

#[tokio::test]
async fn an_uploader_creates_releases_and_never_replaces_one() {
    let world = World::new().await;
    let (partition, staging) = (Partition::default(), "s3://staging/releases".parse().unwrap());
    let account = provisioner(&world);
    let guard = uploader_guard(&partition, &staging);
    let spec = PolicySpec { grant: &guard, partition: &partition, account: ACCOUNT_ID };
    for run in 0..2 {
        let found = account.read_policy(spec).await.unwrap();
        let change = ensure_policy(spec, &found).unwrap();
        assert_eq!(change.is_some(), run == 0, "the second run changes nothing");
        account.apply(change.as_slice(), |_| ()).await.unwrap();
    }
    let client = client(&world, credentials_of(&world, &uploader(&partition, &staging)));
    let put = |key: &str| client.put_object().bucket(STAGING).key(key.to_owned()).body(body());
    assert_eq!(status!(put("releases/1.zip")), 403, "without the condition");
    assert_eq!(status!(put("releases/1.zip").if_none_match("*")), 200);
    assert_eq!(status!(put("releases/1.zip").if_none_match("*")), 412, "it exists");
    assert_eq!(status!(put("releases2/1.zip").if_none_match("*")), 403);
    assert_eq!(status!(client.delete_object().bucket(STAGING).key("releases/1.zip")), 403);
    assert_eq!(status!(client.get_object().bucket(STAGING).key("releases/1.zip")), 403);
    // The bucket policy also applies to the account's administrator.
    let root = world.client();
    assert_eq!(status!(root.put_object().bucket(STAGING).key("releases/1.zip").body(body())), 403);
    // In a multipart upload, the condition applies only to its completion.
    let upload = client.create_multipart_upload().bucket(STAGING).key("releases/2.zip").send().await.unwrap();
    let complete = finish_upload(&client, STAGING, "releases/2.zip", upload.upload_id().unwrap()).await;
    assert_eq!(status!(complete.clone()), 403);
    assert_eq!(status!(complete.if_none_match("*")), 200);
}

/// Uploads one part, and returns the request that completes the upload.
async fn finish_upload(client: &Client, bucket: &str, key: &str, id: &str) -> CompleteMultipartUploadFluentBuilder {
    let part = client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(1).body(body());
    let etag = part.send().await.unwrap().e_tag;
    let done = aws_sdk_s3::types::CompletedPart::builder().part_number(1).set_e_tag(etag).build();
    let done = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(done).build();
    client.complete_multipart_upload().bucket(bucket).key(key).upload_id(id).multipart_upload(done)
}

#[tokio::test]
async fn an_uploader_of_a_staged_place_replaces_it() {
    let world = World::new().await;
    let places = [
        UploadPlace::Staged(format!("s3://{STAGING}/staged/").parse().unwrap()),
        UploadPlace::Zip(format!("s3://{STAGING}/site.zip").parse().unwrap()),
    ];
    let client = client(&world, credentials_of(&world, &upload_grant(&Partition::default(), &places, None)));
    let put = |key: &str| client.put_object().bucket(STAGING).key(key.to_owned()).body(body());
    for key in ["staged/index.html", "staged/.ready", "site.zip"] {
        assert_eq!(status!(put(key)), 200, "{key}");
        assert_eq!(status!(put(key)), 200, "{key} is replaced");
        assert_eq!(status!(client.get_object().bucket(STAGING).key(key)), 403, "{key}");
    }
    assert_eq!(status!(client.list_objects_v2().bucket(STAGING).prefix("staged/")), 200);
    assert_eq!(status!(client.delete_object().bucket(STAGING).key("staged/index.html")), 200);
    assert_eq!(status!(client.delete_object().bucket(STAGING).key("site.zip")), 403);
    assert_eq!(status!(client.list_objects_v2().bucket(STAGING)), 403);
    for key in ["staged2/index.html", "site.zip2", "site.zip/x", "x"] {
        assert_eq!(status!(put(key)), 403, "{key}");
    }
}

#[tokio::test]
async fn applied_policies_are_attached_and_removed() {
    let world = World::new().await;
    let (partition, account) = (Partition::default(), provisioner(&world));
    let iam = world.account.iam();
    iam.create_user("ci", &[]).unwrap();
    let client = client(&world, iam.create_access_key("ci").unwrap().credentials());
    let put = |key: &str| client.put_object().bucket(STAGING).key(key.to_owned()).if_none_match("*").body(body());
    let targets = PolicyTargets { users: vec!["ci".to_owned()], ..PolicyTargets::default() };
    let everyone = PolicyTargets::default();
    let locations = ["s3://staging/a/", "s3://staging/b/"].map(|place| place.parse().unwrap());
    for location in &locations {
        for grant in [uploader(&partition, location), uploader_guard(&partition, location)] {
            let spec = PolicySpec { grant: &grant, partition: &partition, account: ACCOUNT_ID };
            let found = account.read_policy(spec).await.unwrap();
            let mut changes: Vec<_> = ensure_policy(spec, &found).unwrap().into_iter().collect();
            if grant.attached == policies::PolicyKind::Policy {
                changes.extend(attach_policy(&spec.arn(), &targets, &everyone));
            }
            account.apply(&changes, |_| ()).await.unwrap();
        }
    }
    // The policies of both prefixes are in effect, and both guards.
    for key in ["a/1", "b/1"] {
        assert_eq!(status!(put(key)), 200, "{key}");
        assert_eq!(status!(put(key)), 412, "{key}");
    }
    let remove = async |grant: Grant| {
        let spec = PolicySpec { grant: &grant, partition: &partition, account: ACCOUNT_ID };
        let found = account.read_policy(spec).await.unwrap();
        let attached = match grant.attached {
            policies::PolicyKind::Policy => account.iam().attached_to(&spec.arn()).await.unwrap(),
            _ => PolicyTargets::default(),
        };
        let changes = remove_policy(spec, &found, &everyone, &attached).unwrap();
        account.apply(&changes, |_| ()).await.unwrap();
        assert_eq!(account.read_policy(spec).await.unwrap().document.is_none(), changes.len() > 1, "{changes:?}");
    };
    remove(uploader(&partition, &locations[0])).await;
    remove(uploader_guard(&partition, &locations[0])).await;
    assert_eq!(status!(put("a/2")), 403);
    assert_eq!(status!(put("b/2")), 200, "the other policy is still attached");
    assert_eq!(status!(put("b/2")), 412);
    let root = world.client();
    assert_eq!(status!(root.put_object().bucket(STAGING).key("a/1").body(body())), 200, "the guard is removed");
    assert_eq!(status!(root.put_object().bucket(STAGING).key("b/1").body(body())), 403, "the other guard is not");
}

#[tokio::test]
async fn people_that_a_publisher_role_trusts_can_publish() {
    let (world, docs) = world_with_role(&site_policy()).await;
    let (iam, account) = (world.account.iam(), provisioner(&world));
    let caller = policies::caller(&[&docs], ACCOUNT_ID, SessionTags::None).document.compact().unwrap();
    for name in ["lea", "ada"] {
        iam.create_user(name, &[("caller", &caller)]).unwrap();
    }
    let execution = format!("arn:aws:iam::{ACCOUNT_ID}:role/tidegate-execution");
    let function = policies::trust_role(&Partition::default(), ACCOUNT_ID, &execution).document;
    let lea = format!("arn:aws:iam::{ACCOUNT_ID}:user/lea").parse().unwrap();
    let people = policies::trust_people(&[lea]).document;
    let both = function.statements().iter().chain(people.statements()).cloned().collect();
    let put = world.client().put_object().bucket(STAGING).key("source/one/index.html").body(body());
    put.send().await.unwrap();
    let publish = async |name: &str, trust: &PolicyDocument| {
        let (role, trust) = ("publisher".to_owned(), trust.compact().unwrap());
        account.apply(&[Change::Role(RoleChange::SetTrust { role, current: None, trust })], |_| ()).await.unwrap();
        let credentials = iam.create_access_key(name).unwrap().credentials();
        let request = tidegate_tests::world::request(format!("s3://{STAGING}/source/one/").parse().unwrap());
        let publisher = world.publisher_with(credentials, 1);
        let publish = tidegate_tests::Publish { publisher, site: docs.clone(), request };
        publish.publish().await.map(|report| report.outcome)
    };
    assert!(publish("lea", &function).await.is_err(), "the role trusts the function alone");
    let both = PolicyDocument::new(both);
    assert_eq!(publish("lea", &both).await.unwrap(), Outcome::Live);
    assert!(publish("ada", &both).await.is_err(), "the role trusts no other user");
}

#[tokio::test]
async fn sessions_of_the_shared_role_are_for_those_who_created_them() {
    let world = World::new().await;
    let account = provisioner(&world);
    let iam = world.account.iam();
    let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:*","s3:*"],"Resource":"*"}}"#;
    for name in ["lea", "ada", "eve"] {
        iam.create_user(name, &[("all", all)]).unwrap();
    }
    let sts = |name: &str| {
        let credentials = iam.create_access_key(name).unwrap().credentials();
        tidegate_publish::Sts::new(&world.publisher_with(credentials, 1).connection)
    };
    let mut sts_of = std::collections::BTreeMap::new();
    for name in ["lea", "ada", "eve"] {
        sts_of.insert(name, sts(name));
    }
    let create = async |name: &str| {
        let kind = CredentialsKind::Temporary("15m".parse().unwrap());
        let mut spec = spec(BucketAccess::ReadOnly, "", kind, BucketSpec::default());
        spec.grant.buckets = vec![BUCKET.parse().unwrap()];
        spec.caller = Some(format!("arn:aws:iam::{ACCOUNT_ID}:user/{name}"));
        let found = account.read_identity(&spec).await.unwrap();
        let mut changes = create_credentials(&spec, &found).unwrap();
        // The session is started with the caller's own credentials below.
        changes.retain(|change| !matches!(change, Change::Credentials(_)));
        account.apply(&changes, |_| ()).await.unwrap();
    };
    let assume = async |name: &str| {
        let role = format!("arn:aws:iam::{ACCOUNT_ID}:role/{SHARED_ROLE}").try_into().unwrap();
        sts_of[name].assume_for(&role, "session", all, std::time::Duration::from_secs(900)).await.is_ok()
    };
    create("lea").await;
    assert!(assume("lea").await && !assume("ada").await && !assume("eve").await);
    create("ada").await;
    assert!(assume("lea").await && assume("ada").await && !assume("eve").await);
}

#[tokio::test]
async fn a_group_can_sync_one_prefix() {
    let world = World::new().await;
    let sync = S3Sync {
        partition: Partition::default(),
        account: ACCOUNT_ID.to_owned(),
        target: format!("s3://{BUCKET}/www").parse().unwrap(),
        distributions: vec![DISTRIBUTION.to_owned().try_into().unwrap()],
        delete: true,
        acl: false,
        find_distribution: false,
        configure_bucket: false,
    };
    world.account.iam().create_user("lea", &[]).unwrap();
    let key = world.account.iam().create_access_key("lea").unwrap();
    let client = client(&world, key.credentials());
    assert_eq!(status!(client.put_object().bucket(BUCKET).key("www/a").body(body())), 403);
    let account = provisioner(&world);
    let changes = ensure_group("publishers", &sync.grant(), &["lea".to_owned()], None).unwrap();
    account.apply(&changes, |_| ()).await.unwrap();
    assert_eq!(status!(client.put_object().bucket(BUCKET).key("www/a").body(body())), 200);
    assert_eq!(status!(client.list_objects_v2().bucket(BUCKET).prefix("www/")), 200);
    assert_eq!(status!(client.list_objects_v2().bucket(BUCKET)), 403);
    assert_eq!(status!(client.delete_object().bucket(BUCKET).key("www/a")), 200);
    assert_eq!(status!(client.put_object().bucket(BUCKET).key("www2/a").body(body())), 403);
    let found = account.iam().group("publishers").await.unwrap().unwrap();
    assert_eq!(found.users, ["lea"]);
    let changes = delete_group("publishers", &found);
    account.apply(&changes, |_| ()).await.unwrap();
    assert_eq!(status!(client.put_object().bucket(BUCKET).key("www/a").body(body())), 403);
    assert_eq!(account.iam().group("publishers").await.unwrap(), None);
}

#[tokio::test]
async fn a_feature_branch_pipeline_cannot_change_a_release() {
    let world = World::new().await;
    let mut publisher = CiPublisher {
        partition: Partition::default(),
        account: ACCOUNT_ID.to_owned(),
        region: "us-east-1".to_owned(),
        bucket: BUCKET.parse().unwrap(),
        prefix: "".parse().unwrap(),
        dev_prefix: "*/feature/".to_owned(),
        codeartifact_domain: None,
        allow_delete: true,
        dev: true,
        path: "/ci/".to_owned(),
        name: "publisher-dev".to_owned(),
    };
    world
        .client()
        .put_object()
        .bucket(BUCKET)
        .key("app/feature/kept.zip")
        .tagging("Release=true")
        .body(body())
        .send()
        .await
        .unwrap();
    let dev = client(&world, credentials_of(&world, &publisher.grant().unwrap()));
    let put = |key: &str| dev.put_object().bucket(BUCKET).key(key.to_owned()).body(body());
    assert_eq!(status!(put("app/feature/1.zip").tagging("Release=false").if_none_match("*")), 200);
    assert_eq!(
        status!(put("app/feature/0.zip").tagging("Team=docs").if_none_match("*")),
        403,
        "tags without `Release`"
    );
    assert_eq!(status!(put("app/feature/2.zip").tagging("Release=true").if_none_match("*")), 403);
    assert_eq!(status!(put("app/1.zip").tagging("Release=false").if_none_match("*")), 403);
    // An upload in parts: only its first request has the tags, and only its last one the condition.
    let tagged =
        |tags: &'static str| dev.create_multipart_upload().bucket(BUCKET).key("app/feature/large.zip").tagging(tags);
    assert_eq!(status!(tagged("Release=true")), 403);
    let upload = tagged("Release=false").send().await.unwrap();
    let complete = finish_upload(&dev, BUCKET, "app/feature/large.zip", upload.upload_id().unwrap()).await;
    assert_eq!(status!(complete.clone()), 403, "without the condition");
    assert_eq!(status!(complete.if_none_match("*")), 200);
    let elsewhere = dev.create_multipart_upload().bucket(BUCKET).key("app/large.zip").tagging("Release=false");
    assert_eq!(status!(elsewhere), 403);
    // Replacing a release by an unconditional write.
    assert_eq!(status!(put("app/feature/kept.zip").tagging("Release=false")), 403);
    assert_eq!(status!(put("app/feature/kept.zip").tagging("Release=false").if_none_match("*")), 412);
    assert_eq!(status!(dev.delete_object().bucket(BUCKET).key("app/feature/1.zip")), 403);
    publisher.dev = false;
    let document = publisher.grant().unwrap().document.compact().unwrap();
    world.account.iam().put_user_policy("holder", "grant", &document).unwrap();
    assert_eq!(status!(put("app/1.zip")), 200);
    assert_eq!(status!(dev.delete_object().bucket(BUCKET).key("app/1.zip")), 200);
    assert_eq!(status!(dev.get_object().bucket(BUCKET).key("app/feature/1.zip")), 403);
}

fn spec(access: BucketAccess, prefix: &str, kind: CredentialsKind, buckets: BucketSpec) -> CredentialsSpec {
    let grant = BucketGrant {
        partition: Partition::default(),
        buckets: vec![BUCKET.parse().unwrap(), "other-bucket".parse().unwrap()],
        prefix: prefix.parse().unwrap(),
        access,
        custom: None,
        statements: Vec::new(),
    };
    CredentialsSpec { grant, kind, buckets, account: ACCOUNT_ID.to_owned(), caller: None }
}

#[tokio::test]
async fn credentials_allow_their_kind_of_access() {
    let world = World::new().await;
    let account = provisioner(&world);
    for key in ["docs/a", "docs2/a", "a"] {
        world.client().put_object().bucket(BUCKET).key(key).body(body()).send().await.unwrap();
    }
    let create = || BucketSpec { create: true, ..BucketSpec::default() };
    let rows = [
        (BucketAccess::ReadOnly, [200, 403, 403, 200]),
        (BucketAccess::WriteOnly, [403, 200, 403, 403]),
        (BucketAccess::ReadWrite, [200, 200, 204, 200]),
    ];
    for (access, [get, put, delete, list]) in rows {
        for kind in [
            CredentialsKind::Permanent { user: None, boundary: PermissionsBoundary::Fitting },
            CredentialsKind::Temporary("15m".parse().unwrap()),
        ] {
            let spec = spec(access, "docs", kind, create());
            let found = account.read_identity(&spec).await.unwrap();
            let issued = account.apply(&create_credentials(&spec, &found).unwrap(), |_| ()).await.unwrap().unwrap();
            let token = issued.session_token.as_ref().map(|token| token.reveal().to_owned());
            let credentials =
                Credentials::new(&issued.access_key_id, issued.secret_access_key.reveal(), token, None, "issued");
            let client = client(&world, credentials);
            assert_eq!(status!(client.get_object().bucket(BUCKET).key("docs/a")), get, "{access:?}");
            assert_eq!(status!(client.put_object().bucket(BUCKET).key("docs/b").body(body())), put, "{access:?}");
            let deleted = status!(client.delete_object().bucket(BUCKET).key("docs/b"));
            assert_eq!(deleted == 200, delete == 204, "{access:?}");
            assert_eq!(status!(client.list_objects_v2().bucket(BUCKET).prefix("docs/")), list, "{access:?}");
            for key in ["docs2/a", "a"] {
                assert_eq!(status!(client.get_object().bucket(BUCKET).key(key)), 403, "{access:?} {key}");
                assert_eq!(status!(client.put_object().bucket(BUCKET).key(key).body(body())), 403, "{access:?} {key}");
            }
            for prefix in ["", "docs", "docs2/"] {
                assert_eq!(status!(client.list_objects_v2().bucket(BUCKET).prefix(prefix)), 403, "{access:?} {prefix}");
            }
            assert_eq!(
                status!(client.put_object().bucket("other-bucket").key("docs/x").body(body())),
                put,
                "{access:?}"
            );
        }
    }
    // Users are deleted with everything they have; the shared role is kept.
    for user in account.iam().users().await.unwrap() {
        let found = account.iam().user(&user.name).await.unwrap().unwrap();
        account.apply(&delete_user(&user.name, &found), |_| ()).await.unwrap();
    }
    assert_eq!(account.iam().users().await.unwrap(), []);
    assert_eq!(account.iam().roles(tidegate_iam::RoleFilter::Names).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_public_bucket_is_readable_without_credentials() {
    let world = World::new().await;
    let account = provisioner(&world);
    let buckets = BucketSpec { create: true, website: true, ..BucketSpec::default() };
    let mut spec = spec(
        BucketAccess::ReadWrite,
        "",
        CredentialsKind::Permanent { user: None, boundary: PermissionsBoundary::None },
        buckets,
    );
    spec.grant.buckets = vec!["open-bucket".parse().unwrap()];
    let found = account.read_identity(&spec).await.unwrap();
    account.apply(&create_credentials(&spec, &found).unwrap(), |_| ()).await.unwrap();
    world.client().put_object().bucket("open-bucket").key("index.html").body(body()).send().await.unwrap();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .http_client(world.account.http_client())
        .allow_no_auth()
        .force_path_style(true)
        .build();
    let anonymous = Client::from_conf(config);
    assert_eq!(status!(anonymous.get_object().bucket("open-bucket").key("index.html")), 200);
    assert_eq!(status!(anonymous.list_objects_v2().bucket("open-bucket")), 403);
    assert_eq!(status!(anonymous.put_object().bucket("open-bucket").key("x").body(body())), 403);
    assert_eq!(status!(anonymous.get_object().bucket(BUCKET).key("index.html")), 403);
    assert_eq!(world.account.s3().bucket("open-bucket").unwrap().website.unwrap().index_document, "index.html");
}

#[tokio::test]
async fn a_failed_change_reports_progress_and_a_second_run_continues() {
    use tidegate_tests::fault::InjectedFault;
    let world = World::new().await;
    let account = provisioner(&world);
    let mut spec = spec(
        BucketAccess::ReadOnly,
        "",
        CredentialsKind::Permanent { user: Some("lea".to_owned()), boundary: PermissionsBoundary::None },
        BucketSpec::default(),
    );
    spec.grant.buckets = vec![BUCKET.parse().unwrap()];
    world.inject_faults(|call| {
        call.to_string().contains("CreateAccessKey").then(|| InjectedFault::answer(500, "ServiceFailure"))
    });
    let found = account.read_identity(&spec).await.unwrap();
    let error = account.apply(&create_credentials(&spec, &found).unwrap(), |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("2 changes were made before it"), "{error}");
    world.stop_faults();
    let found = account.read_identity(&spec).await.unwrap();
    let changes = create_credentials(&spec, &found).unwrap();
    assert_eq!(changes.len(), 2, "the user exists: {changes:?}");
    assert!(account.apply(&changes, |_| ()).await.unwrap().is_some());
}

#[tokio::test]
async fn the_uploader_guard_does_not_prevent_publishing() {
    let world = World::new().await;
    let staging = format!("s3://{STAGING}/").parse().unwrap();
    let sources = Sources::prefix([SourceObject::text("index.html", "1")]);
    let publish = world.publish(&crate::site_with(""), &sources).await;
    let guard = uploader_guard(&Partition::default(), &staging).document.compact().unwrap();
    world.account.s3().set_policy(STAGING, Some(guard)).await.unwrap();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
}

const STATE_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d-0000-0000-0000-00000000000a";
const BUILDS_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d-0000-0000-0000-00000000000b";

/// Publishes two releases and rolls back, in buckets of the state and the builds that are encrypted with keys, with the
/// policies for `granted`.
async fn publish_with_keys(configuration: &str, granted: &str, bucket_key: bool) -> Result<World, String> {
    let (docs, granted) = (site(configuration), site(granted));
    let document = policies::site(&granted, ACCOUNT_ID, &[]).document.compact().unwrap();
    let (world, _) = world_with_role(&document).await;
    let encryption = |key: &str| ObjectEncryption {
        algorithm: "aws:kms".to_owned(),
        kms_key: Some(key.to_owned()),
        bucket_key: Some(bucket_key),
    };
    world.account.s3().set_encryption(STAGING, encryption(BUILDS_KEY)).await.unwrap();
    world.account.s3().set_encryption("state", encryption(STATE_KEY)).await.unwrap();
    let credentials = credentials_of(&world, &policies::caller(&[&granted], ACCOUNT_ID, SessionTags::None));
    let uploads = upload_grant(
        &Partition::default(),
        &[UploadPlace::Staged(format!("s3://{STAGING}/source/").parse().unwrap())],
        granted.builds_kms_key.as_ref(),
    );
    world.account.iam().create_user("ci", &[("grant", &uploads.document.compact().unwrap())]).unwrap();
    let ci = client(&world, world.account.iam().create_access_key("ci").unwrap().credentials());
    for release in ["one", "two"] {
        let key = format!("source/{release}/index.html");
        let put = ci.put_object().bucket(STAGING).key(key).body(ByteStream::from(release.as_bytes().to_vec()));
        put.send().await.map_err(|error| format!("{error:?}"))?;
        let request = tidegate_tests::world::request(format!("s3://{STAGING}/source/{release}/").parse().unwrap());
        let publisher = world.publisher_with(credentials.clone(), 1);
        let publish = tidegate_tests::Publish { publisher, site: docs.clone(), request };
        let report = publish.publish().await.map_err(|error| error.to_string())?;
        if report.outcome != Outcome::Live {
            return Err(report.to_string());
        }
    }
    let mut request = tidegate_tests::world::request(Source::Release("r1".parse().unwrap()));
    request.release = "back to r1".into();
    let publish = tidegate_tests::Publish { publisher: world.publisher_with(credentials, 1), site: docs, request };
    let report = publish.publish().await.map_err(|error| error.to_string())?;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    Ok(world)
}

#[tokio::test]
async fn keys_of_state_and_builds_are_used_for_them_and_for_nothing_else() {
    let keys = format!("state-kms-key = \"{STATE_KEY}\"\nstate = ");
    let with_state = SITE_WITH_ROLE.replacen("state = ", &keys, 1).replace("releases = 1", "releases = 5");
    let both = with_state.replace("target = ", &format!("builds-kms-key = \"{BUILDS_KEY}\"\ntarget = "));
    for bucket_key in [false, true] {
        let world = publish_with_keys(&both, &both, bucket_key).await.unwrap();
        let client = world.client();
        let listed = client.list_objects_v2().bucket("state").send().await.unwrap();
        let mut bodies = 0;
        for object in listed.contents() {
            let key = object.key().unwrap();
            let head = client.head_object().bucket("state").key(key).send().await.unwrap();
            assert_eq!(head.ssekms_key_id(), Some(STATE_KEY), "{key}");
            bodies += usize::from(key.contains("/bodies/"));
        }
        assert!(bodies > 0, "the replaced page was archived");
        // The key is for these objects only.
        let caller = world.account.iam().create_access_key("holder").unwrap().id;
        for (resource, allowed) in [
            ("arn:aws:s3:::state/tidegate/x", true),
            ("arn:aws:s3:::state", true),
            ("arn:aws:s3:::state/elsewhere", false),
            ("arn:aws:s3:::site/docs/index.html", false),
        ] {
            let context =
                [("kms:ViaService", "s3.us-east-1.amazonaws.com"), ("kms:EncryptionContext:aws:s3:arn", resource)];
            let request = AccessRequest { action: "kms:Decrypt", resource: STATE_KEY, context: &context };
            assert_eq!(world.account.iam().authorize(&caller, &request).is_ok(), allowed, "{resource}");
        }
    }
    // Without the keys in the configuration, the policies do not suffice.
    for granted in [with_state.as_str(), &both.replace(&keys, "state = ")] {
        let error = publish_with_keys(&both, granted, false).await.unwrap_err();
        assert!(error.contains("kms:") || error.contains("AccessDenied"), "{error}");
    }
}
