//! Target buckets: without ACLs, with KMS encryption, versioned, in other regions and accounts, and with objects of
//! other tools; and credentials that lack one permission.

use tidegate_core::report::Outcome;
use tidegate_emulator::s3::{ObjectEncryption, StoredHeaders, Website};
use tidegate_publish::publish::Publisher;
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::proxy::RecordingProxy;
use tidegate_tests::source::STAGING;
use tidegate_tests::world::{BUCKET, site};
use tidegate_tests::{BucketContents, Publish, SiteObject, SourceKind, SourceObject, Sources, World, calls};

use crate::{plugin, site_with, texts};

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d";

/// A site with a stale object, and a publish that changes a page and adds an asset.
async fn release(configuration: &str) -> (World, Publish) {
    let world = World::new().await;
    world.seed(&texts(&[("stale.html", "x"), ("index.html", "old"), ("same.css", "a{}")])).await;
    let files = [("index.html", "new"), ("app.js", "1"), ("same.css", "a{}")];
    let sources = Sources::directory(files.map(|(key, body)| SourceObject::text(key, body)));
    let publish = world.publish(configuration, &sources).await;
    world.clear_requests();
    (world, publish)
}

/// A publisher whose credentials allow only these statements.
fn limited(world: &World, statements: &str) -> Publisher {
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    world.account.iam().create_user("deployer", &[("deploys", &policy)]).unwrap();
    let key = world.account.iam().create_access_key("deployer").unwrap();
    world.publisher_with(key.credentials(), 1)
}

const ALL_OF_S3: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;

async fn encrypt_with_kms(world: &World) {
    let encryption =
        ObjectEncryption { algorithm: "aws:kms".to_owned(), kms_key: Some(KEY.to_owned()), bucket_key: Some(true) };
    world.account.s3().set_encryption(BUCKET, encryption).await.unwrap();
}

#[tokio::test]
async fn explains_a_rejected_acl_and_keeps_the_site_unchanged() {
    let (world, publish) = release(&site_with("objects = { acl = \"public-read\" }\n")).await;
    let before = world.site().await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    let text = report.to_string();
    assert!(
        text.contains("AccessControlListNotSupported") && text.contains("remove `objects.acl` or `--acl`"),
        "{text}"
    );
    assert_eq!(world.site().await, before);
    let calls = world.faults.calls();
    assert_eq!((calls::count(&calls, "DeleteObjects"), calls::keys(&calls, "PutObject")), (0, vec!["app.js"]));
    // S3 accepts the ACL that equals the default.
    let (_world, publish) = release(&site_with("objects = { acl = \"bucket-owner-full-control\" }\n")).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
}

#[tokio::test]
async fn recognizes_unchanged_objects_in_a_bucket_with_kms_encryption() {
    let (world, publish) = release(&site_with(&plugin("sync", "mime", "{}"))).await;
    encrypt_with_kms(&world).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    let site = world.site().await;
    let page = site.get("index.html").unwrap();
    assert_eq!((page.encryption.as_deref(), page.kms_key.as_deref()), (Some("aws:kms"), Some(KEY)));
    let info = world.account.s3().head(BUCKET, "index.html").unwrap();
    assert_ne!(info.etag, "22af645d1859cb5ca6da0c484f1f37ea", "the ETag must not be the MD5 of `new`");
    publish.assert_converged().await;
    // A change to bytes of the same size is found.
    world
        .stage(&Sources::directory(
            [("index.html", "NEW"), ("app.js", "1"), ("same.css", "a{}")]
                .map(|(key, body)| SourceObject::text(key, body)),
        ))
        .await;
    let planned = publish.plan().await.unwrap();
    assert_eq!(planned.plan.operations.len(), 1, "{:#?}", planned.plan.operations);
}

#[tokio::test]
async fn names_the_kms_key_and_both_missing_permissions() {
    let (world, mut publish) = release(&site_with("")).await;
    encrypt_with_kms(&world).await;
    publish.publisher = limited(&world, ALL_OF_S3);
    let report = publish.run().await;
    let text = report.to_string();
    assert_eq!(report.outcome, Outcome::Failed, "{text}");
    assert!(text.contains("kms:GenerateDataKey") && text.contains(KEY) && text.contains("`kms:Decrypt`"), "{text}");
    assert_eq!(calls::count(&world.faults.calls(), "DeleteObjects"), 0);
    // Reading a checksum needs the key as well, so planning already fails.
    publish.publisher = world.publisher();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    let key = world.account.iam().create_access_key("deployer").unwrap();
    publish.publisher = world.publisher_with(key.credentials(), 1);
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("HeadObject") && error.contains("403"), "{error}");
}

#[tokio::test]
async fn explains_a_disabled_or_deleted_kms_key() {
    for code in ["KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"] {
        let (world, publish) = release(&site_with("")).await;
        world.inject_faults(move |call| (call.operation == "PutObject").then(|| InjectedFault::answer(400, code)));
        let text = publish.run().await.to_string();
        assert!(text.contains(code) && text.contains("enable or restore the KMS key"), "{text}");
    }
}

#[tokio::test]
async fn publishes_to_a_versioned_bucket() {
    let (world, publish) = release(&site_with("")).await;
    let s3 = world.account.s3();
    s3.set_versioned(BUCKET).await.unwrap();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(world.site().await.keys(), ["app.js", "index.html", "same.css"]);
    // The old page has no version ID, and the stale page is hidden by a delete marker.
    let old = s3.versions(BUCKET, "index.html").unwrap();
    assert_eq!(old.iter().map(|version| version.id.as_str()).collect::<Vec<_>>(), ["null"]);
    let stale = s3.versions(BUCKET, "stale.html").unwrap();
    assert_eq!(stale.iter().map(|version| version.object.is_some()).collect::<Vec<_>>(), [true, false]);
    assert!(s3.versions(BUCKET, "same.css").unwrap().is_empty(), "an unchanged object gets no new version");
    publish.assert_converged().await;
    world.clear_requests();
    assert_eq!(publish.run().await.outcome, Outcome::Unchanged);
    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());

    // A deleted page can be created and replaced again: a delete marker does not count as an object.
    for body in ["x", "y"] {
        let files = [("index.html", "new"), ("app.js", "1"), ("same.css", "a{}"), ("stale.html", body)];
        world.stage(&Sources::directory(files.map(|(key, body)| SourceObject::text(key, body)))).await;
        let report = publish.run().await;
        assert_eq!((report.outcome, report.done.written), (Outcome::Live, 1), "{report}");
        publish.assert_converged().await;
    }
    assert!(s3.head(BUCKET, "stale.html").unwrap().version.is_some());
    assert_eq!(s3.versions(BUCKET, "stale.html").unwrap().len(), 3);
}

#[tokio::test]
async fn identifies_a_staged_archive_by_its_version() {
    let world = World::new().await;
    world.account.s3().set_versioned(STAGING).await.unwrap();
    let sources = Sources { kind: SourceKind::StagedZip, objects: vec![SourceObject::text("index.html", "x")] };
    let publish = world.publish(&site_with(""), &sources).await;
    let first = publish.plan().await.unwrap().plan.inputs.artifact;
    let version = world.account.s3().head(STAGING, "build.zip").unwrap().version.unwrap();
    assert!(first.0.contains(&format!("version:{version}")), "{first:?}");
    // Staging equal bytes again creates another version.
    world.stage(&sources).await;
    assert_ne!(publish.plan().await.unwrap().plan.inputs.artifact, first);
}

#[tokio::test]
async fn names_the_region_of_a_bucket_in_another_region() {
    let (world, publish) = release(&site_with("")).await;
    world.account.s3().set_region(BUCKET, "eu-west-1").await.unwrap();
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("PermanentRedirect") && error.contains("`AWS_REGION=eu-west-1`"), "{error}");
    // The region may become known only with the first write.
    world.account.s3().set_region(BUCKET, "us-east-1").await.unwrap();
    let planned = publish.plan().await.unwrap();
    world.inject_faults(|call| {
        let message = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'ap-south-1'";
        let answer = InjectedFault::Answer {
            status: 400,
            code: "AuthorizationHeaderMalformed".to_owned(),
            message: message.to_owned(),
        };
        (call.operation == "PutObject").then_some(answer)
    });
    let report = publish.apply(planned).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    assert!(report.to_string().contains("`AWS_REGION=ap-south-1`"), "{report}");
}

#[tokio::test]
async fn names_the_region_of_a_staged_archive_from_a_response_without_a_body() {
    let world = World::new().await;
    let sources = Sources { kind: SourceKind::StagedZip, objects: vec![SourceObject::text("index.html", "x")] };
    let publish = world.publish(&site_with(""), &sources).await;
    world.account.s3().set_region(STAGING, "eu-central-1").await.unwrap();
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("s3://staging/build.zip") && error.contains("`AWS_REGION=eu-central-1`"), "{error}");
}

#[tokio::test]
async fn distinguishes_a_bucket_of_another_account_from_a_missing_one() {
    let (world, publish) = release(&site_with("")).await;
    world.account.s3().set_owner(BUCKET, "999999999999").await.unwrap();
    let foreign = publish.plan().await.unwrap_err().to_string();
    assert!(foreign.contains("AccessDenied") && foreign.contains("`s3:ListBucket`"), "{foreign}");
    let mut missing = publish;
    missing.site = site(&site_with("").replace("s3://site/", "s3://nowhere/"));
    let missing = missing.plan().await.unwrap_err().to_string();
    assert!(missing.contains("NoSuchBucket") && !missing.contains("`s3:ListBucket`"), "{missing}");
}

#[tokio::test]
async fn names_both_causes_of_an_unreadable_archive_without_list_bucket() {
    let world = World::new().await;
    let sources = Sources { kind: SourceKind::StagedZip, objects: vec![SourceObject::text("index.html", "x")] };
    let mut publish = world.publish(&site_with(""), &sources).await;
    world.client().delete_object().bucket(STAGING).key("build.zip").send().await.unwrap();
    let absent = publish.plan().await.unwrap_err().to_string();
    assert!(absent.contains("does not exist"), "{absent}");
    publish.publisher =
        limited(&world, r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::staging/*"}"#);
    let hidden = publish.plan().await.unwrap_err().to_string();
    assert!(
        hidden.contains("403") && hidden.contains("`s3:ListBucket`") && hidden.contains("does not exist"),
        "{hidden}"
    );
}

#[tokio::test]
async fn names_list_bucket_if_the_site_cannot_be_listed() {
    let (world, mut publish) = release(&site_with("")).await;
    publish.publisher = limited(
        &world,
        r#"{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"*"}"#,
    );
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("s3://site/") && error.contains("s3:ListBucket"), "{error}");
    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
}

#[tokio::test]
async fn publishes_everything_else_without_delete_object_and_names_it() {
    let (world, mut publish) = release(&site_with("")).await;
    publish.publisher = limited(
        &world,
        r#"{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:ListBucket"],"Resource":"*"}"#,
    );
    let report = publish.run().await;
    assert_eq!((report.outcome, report.done.written, report.done.deleted), (Outcome::Partial, 2, 0), "{report}");
    assert!(report.to_string().contains("s3:DeleteObject"), "{report}");
    publish.site.delete = false;
    assert_eq!(publish.run().await.outcome, Outcome::Unchanged);
    // Some servers do not name the missing permission.
    publish.site.delete = true;
    world.inject_faults(|call| (call.operation == "DeleteObjects").then(|| InjectedFault::answer(403, "AccessDenied")));
    let text = publish.run().await.to_string();
    assert!(text.contains("allow `s3:DeleteObject` and `s3:GetObject`") && text.contains("`delete = false`"), "{text}");
}

#[tokio::test]
async fn objects_outside_of_the_prefix_cost_no_request() {
    let mut traces = Vec::new();
    for foreign in [0_usize, 20_000] {
        let world = World::new().await;
        let store = world.account.s3().clone();
        let mut puts = tokio::task::JoinSet::new();
        for n in 0..foreign {
            // Keys that sort before and after the prefix, and keys that begin with its name.
            let (store, key) = (store.clone(), format!("{}/{n}", ["aaa", "docs-old", "docs2", "zzz"][n % 4]));
            puts.spawn(async move { store.put(BUCKET, &key, "x", StoredHeaders::default()).await.unwrap() });
        }
        puts.join_all().await;
        let configuration = site_with("").replace("s3://site/", "s3://site/docs/");
        let files = [SourceObject::text("index.html", "x"), SourceObject::text("app.js", "x")];
        let publish = world.publish(&configuration, &Sources::directory(files)).await;
        world.clear_requests();
        let report = publish.run().await;
        assert_eq!((report.outcome, report.done.written), (Outcome::Live, 2), "{report}");
        let mut trace: Vec<String> = world
            .faults
            .calls()
            .iter()
            .map(|call| format!("{} {}", call.operation, call.key.as_deref().unwrap_or_default()))
            .collect();
        trace.sort();
        traces.push(trace);
    }
    assert_eq!(traces[0], traces[1]);
    assert_eq!(traces[1], ["ListObjectsV2 ", "PutObject docs/app.js", "PutObject docs/index.html"]);
}

#[tokio::test]
async fn never_changes_the_configuration_of_a_bucket() {
    let (world, publish) =
        release(&site_with(&plugin("sync", "rewrite", "{ redirects = [{ from = \"/old\", to = \"/index.html\" }] }")))
            .await;
    let website = Website { index_document: "index.html".to_owned(), error_document: Some("404.html".to_owned()) };
    world.account.s3().set_website(BUCKET, Some(website)).await.unwrap();
    let before = world.account.s3().bucket(BUCKET).unwrap();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(world.account.s3().bucket(BUCKET).unwrap(), before);
    let known = ["ListObjectsV2", "HeadObject", "PutObject", "DeleteObjects"];
    for call in world.faults.calls() {
        assert!(known.contains(&call.operation.as_str()), "{call}");
    }
}

#[tokio::test]
async fn reports_objects_that_share_a_url_path() {
    let world = World::new().await;
    let files = ["index.html", "about", "about.html", "about/index.html", "team.html"];
    let sources = Sources::directory(files[..3].iter().chain(&files[4..]).map(|key| SourceObject::text(key, "x")));
    let publish = world.publish(&site_with(""), &sources).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let text = report.to_string();
    assert!(text.contains("warning from `guard`") && text.contains("`about` and `about.html` for `/about`"), "{text}");
    // A redirect resolves the conflict.
    let redirect = SiteObject { redirect: Some("/about.html".to_owned()), ..SiteObject::text("about", "") };
    world.seed(&BucketContents { objects: vec![redirect] }).await;
    let redirected = plugin("sync", "rewrite", "{ redirects = [{ from = \"/about\", to = \"/about.html\" }] }");
    let sources = Sources::directory([files[0], files[2], files[4]].map(|key| SourceObject::text(key, "x")));
    let publish = world.publish(&site_with(&redirected), &sources).await;
    let report = publish.run().await;
    assert!(!report.to_string().contains("one address"), "{report}");
}

/// Runs the binary against the account. Returns the requests that it sent, and its output.
async fn run_binary(world: &World, arguments: &[&str]) -> (Vec<String>, String) {
    let proxy = RecordingProxy::start(world.account.clone()).await;
    let root = world.account.root_credentials();
    let output = tokio::process::Command::new(tidegate_tests::binary::binary())
        .args(arguments)
        .args(["--endpoint-url", &proxy.url()])
        .current_dir(world.directory())
        .env_clear()
        .env("HOME", world.directory())
        .env("XDG_CACHE_HOME", tidegate_tests::binary::cache())
        .env("AWS_ACCESS_KEY_ID", root.access_key_id())
        .env("AWS_SECRET_ACCESS_KEY", root.secret_access_key())
        .env("AWS_REGION", "us-east-1")
        .output()
        .await
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    (proxy.requests(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_runs_only_read() {
    let (world, _) = release(&site_with("")).await;
    std::fs::write(world.directory().join("tidegate.toml"), site_with(&plugin("sync", "mime", "{}"))).unwrap();
    let before = world.site().await;
    let commands =
        [vec!["sync", "source", "s3://site/", "--delete", "--dry-run"], vec!["plan", "docs", "--from", "source"]];
    for arguments in commands {
        let (requests, output) = run_binary(&world, &arguments).await;
        assert!(output.contains("index.html") && output.contains("stale.html"), "{arguments:?}: {output}");
        assert!(requests.iter().any(|request| request.contains("list-type=2")), "{arguments:?}: {requests:?}");
        let only_reads = requests.iter().all(|request| request.starts_with("GET ") || request.starts_with("HEAD "));
        assert!(only_reads, "{arguments:?}: {requests:?}");
        assert_eq!(world.site().await, before);
    }
    // Without `--dry-run`, the proxy records writes.
    let (requests, _) = run_binary(&world, &["sync", "source", "s3://site/", "--delete"]).await;
    assert!(requests.iter().any(|request| request.starts_with("PUT ")), "{requests:?}");
    assert!(requests.iter().any(|request| request.starts_with("POST ")), "{requests:?}");
}

#[tokio::test]
async fn refuses_keys_that_are_too_long_below_the_prefix_while_planning() {
    let world = World::new().await;
    let configuration = site_with("").replace("s3://site/", &format!("s3://site/{}/", "p".repeat(100)));
    let sources = |key: &str| Sources::directory([SourceObject::text("index.html", "1"), SourceObject::text(key, "2")]);
    // A directory entry has at most 255 bytes, so the key has folders.
    let key = |length: usize| format!("{}{}", "f/".repeat(400), "k".repeat(length - 800));
    let publish = world.publish(&configuration, &sources(&key(1_024 - 101))).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    world.stage(&sources(&key(1_024 - 100))).await;
    world.clear_requests();
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("1 key is too long below") && error.contains("with 1025 bytes"), "{error}");
    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
}
