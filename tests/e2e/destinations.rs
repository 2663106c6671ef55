//! Destinations as they are in the field: buckets without ACLs, under KMS, with versions, in other regions and accounts, full
//! of what is not ours, and credentials that lack one permission. `docs/target-buckets.md` says the same in words.

use tidegate_core::report::Outcome;
use tidegate_emulator::s3::{ObjectEncryption, StoredHeaders, Website};
use tidegate_publish::publish::Publisher;
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::source::STAGING;
use tidegate_tests::wire::Wire;
use tidegate_tests::world::{BUCKET, site};
use tidegate_tests::{Publish, SiteObject, SiteState, SourceKind, SourceObject, Sources, World, calls};

use crate::{plugin, site_with, texts};

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d";

/// Two pages and an asset over a site with a stale object.
async fn release(configuration: &str) -> (World, Publish) {
    let world = World::new().await;
    world.seed(&texts(&[("stale.html", "x"), ("index.html", "old"), ("same.css", "a{}")])).await;
    let files = [("index.html", "new"), ("app.js", "1"), ("same.css", "a{}")];
    let sources = Sources::directory(files.map(|(key, body)| SourceObject::text(key, body)));
    let publish = world.publish(configuration, &sources).await;
    world.forget();
    (world, publish)
}

/// A publisher that may do what these statements say.
fn limited(world: &World, statements: &str) -> Publisher {
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    world.account.iam().create_user("deployer", &[("deploys", &policy)]).unwrap();
    let key = world.account.iam().create_access_key("deployer").unwrap();
    world.publisher_with(key.credentials(), 1)
}

const ALL_OF_S3: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;

async fn kms(world: &World) {
    let encryption =
        ObjectEncryption { algorithm: "aws:kms".to_owned(), kms_key: Some(KEY.to_owned()), bucket_key: Some(true) };
    world.account.s3().set_encryption(BUCKET, encryption).await.unwrap();
}

#[tokio::test]
async fn an_acl_on_a_bucket_without_acls_says_what_to_remove_and_leaves_the_site_alone() {
    let (world, publish) = release(&site_with("objects = { acl = \"public-read\" }\n")).await;
    let before = world.site().await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    let said = report.to_string();
    assert!(
        said.contains("AccessControlListNotSupported") && said.contains("remove `objects.acl` or `--acl`"),
        "{said}"
    );
    assert_eq!(world.site().await, before);
    let calls = world.faults.calls();
    assert_eq!((calls::count(&calls, "DeleteObjects"), calls::keys(&calls, "PutObject")), (0, vec!["app.js"]));
    // The one ACL that says what is so anyway is taken.
    let (_world, publish) = release(&site_with("objects = { acl = \"bucket-owner-full-control\" }\n")).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
}

#[tokio::test]
async fn a_bucket_that_encrypts_with_kms_converges_although_no_etag_is_an_md5() {
    let (world, publish) = release(&site_with(&plugin("sync", "mime", "{}"))).await;
    kms(&world).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    let site = world.site().await;
    let page = site.get("index.html").unwrap();
    assert_eq!((page.encryption.as_deref(), page.kms_key.as_deref()), (Some("aws:kms"), Some(KEY)));
    let info = world.account.s3().head(BUCKET, "index.html").unwrap();
    assert_ne!(info.etag, "22af645d1859cb5ca6da0c484f1f37ea", "an MD5 of `new` would prove nothing here");
    publish.assert_converged().await;
    // Other bytes of the same size are found all the same.
    world
        .lay(&Sources::directory(
            [("index.html", "NEW"), ("app.js", "1"), ("same.css", "a{}")]
                .map(|(key, body)| SourceObject::text(key, body)),
        ))
        .await;
    let planned = publish.plan().await.unwrap();
    assert_eq!(planned.plan.operations.len(), 1, "{:#?}", planned.plan.operations);
}

#[tokio::test]
async fn a_key_that_may_not_be_used_is_named_with_both_permissions() {
    let (world, mut publish) = release(&site_with("")).await;
    kms(&world).await;
    publish.publisher = limited(&world, ALL_OF_S3);
    let report = publish.run().await;
    let said = report.to_string();
    assert_eq!(report.outcome, Outcome::Failed, "{said}");
    assert!(said.contains("kms:GenerateDataKey") && said.contains(KEY) && said.contains("`kms:Decrypt`"), "{said}");
    assert_eq!(calls::count(&world.faults.calls(), "DeleteObjects"), 0);
    // The checksum of an object needs its key as well: that is found out while planning.
    publish.publisher = world.publisher();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    let key = world.account.iam().create_access_key("deployer").unwrap();
    publish.publisher = world.publisher_with(key.credentials(), 1);
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("HeadObject") && error.contains("403"), "{error}");
}

#[tokio::test]
async fn a_key_that_is_disabled_or_gone_says_so() {
    for code in ["KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"] {
        let (world, publish) = release(&site_with("")).await;
        world.trouble(move |call| (call.operation == "PutObject").then(|| InjectedFault::answer(400, code)));
        let said = publish.run().await.to_string();
        assert!(said.contains(code) && said.contains("enable or restore the KMS key"), "{said}");
    }
}

#[tokio::test]
async fn versions_keep_what_is_replaced_and_deleted() {
    let (world, publish) = release(&site_with("")).await;
    let s3 = world.account.s3();
    s3.set_versioned(BUCKET).await.unwrap();
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    assert_eq!(world.site().await.keys(), ["app.js", "index.html", "same.css"]);
    // The old page, from before the bucket had versions, and the stale one under its marker.
    let old = s3.versions(BUCKET, "index.html").unwrap();
    assert_eq!(old.iter().map(|version| version.id.as_str()).collect::<Vec<_>>(), ["null"]);
    let stale = s3.versions(BUCKET, "stale.html").unwrap();
    assert_eq!(stale.iter().map(|version| version.object.is_some()).collect::<Vec<_>>(), [true, false]);
    assert!(s3.versions(BUCKET, "same.css").unwrap().is_empty(), "what is unchanged makes no version");
    publish.assert_converged().await;
    world.forget();
    assert_eq!(publish.run().await.outcome, Outcome::Unchanged);
    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());

    // What was deleted can come again, and be replaced and deleted again: a marker is no object.
    for body in ["x", "y"] {
        let files = [("index.html", "new"), ("app.js", "1"), ("same.css", "a{}"), ("stale.html", body)];
        world.lay(&Sources::directory(files.map(|(key, body)| SourceObject::text(key, body)))).await;
        let report = publish.run().await;
        assert_eq!((report.outcome, report.done.written), (Outcome::Live, 1), "{report}");
        publish.assert_converged().await;
    }
    assert!(s3.head(BUCKET, "stale.html").unwrap().version.is_some());
    assert_eq!(s3.versions(BUCKET, "stale.html").unwrap().len(), 3);
}

#[tokio::test]
async fn a_staged_archive_in_a_versioned_bucket_is_told_by_its_version() {
    let world = World::new().await;
    world.account.s3().set_versioned(STAGING).await.unwrap();
    let sources = Sources { kind: SourceKind::StagedZip, objects: vec![SourceObject::text("index.html", "x")] };
    let publish = world.publish(&site_with(""), &sources).await;
    let first = publish.plan().await.unwrap().plan.inputs.artifact;
    let version = world.account.s3().head(STAGING, "build.zip").unwrap().version.unwrap();
    assert!(first.0.contains(&format!("version:{version}")), "{first:?}");
    // The same bytes staged again are another version.
    world.lay(&sources).await;
    assert_ne!(publish.plan().await.unwrap().plan.inputs.artifact, first);
}

#[tokio::test]
async fn a_bucket_in_another_region_is_told_with_its_region() {
    let (world, publish) = release(&site_with("")).await;
    world.account.s3().set_region(BUCKET, "eu-west-1").await.unwrap();
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("PermanentRedirect") && error.contains("`AWS_REGION=eu-west-1`"), "{error}");
    // Where the bucket is known to be elsewhere only once it is written to.
    world.account.s3().set_region(BUCKET, "us-east-1").await.unwrap();
    let planned = publish.plan().await.unwrap();
    world.trouble(|call| {
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
async fn the_region_of_a_staged_archive_is_told_by_an_answer_without_a_body() {
    let world = World::new().await;
    let sources = Sources { kind: SourceKind::StagedZip, objects: vec![SourceObject::text("index.html", "x")] };
    let publish = world.publish(&site_with(""), &sources).await;
    world.account.s3().set_region(STAGING, "eu-central-1").await.unwrap();
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("s3://staging/build.zip") && error.contains("`AWS_REGION=eu-central-1`"), "{error}");
}

#[tokio::test]
async fn a_bucket_of_another_account_is_refused_and_a_missing_one_is_missing() {
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
async fn without_list_bucket_a_missing_archive_is_told_with_both_causes() {
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
async fn without_list_bucket_the_site_cannot_be_planned_and_the_permission_is_named() {
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
async fn without_delete_object_everything_else_is_published_and_the_permission_is_named() {
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
    // Some servers do not say which permission it is.
    publish.site.delete = true;
    world.trouble(|call| (call.operation == "DeleteObjects").then(|| InjectedFault::answer(403, "AccessDenied")));
    let said = publish.run().await.to_string();
    assert!(said.contains("allow `s3:DeleteObject` and `s3:GetObject`") && said.contains("`delete = false`"), "{said}");
}

#[tokio::test]
async fn foreign_objects_beside_the_prefix_cost_no_request() {
    let mut traces = Vec::new();
    for foreign in [0_usize, 20_000] {
        let world = World::new().await;
        let store = world.account.s3().clone();
        let mut puts = tokio::task::JoinSet::new();
        for n in 0..foreign {
            // Before the prefix and behind it, and beginning like it.
            let (store, key) = (store.clone(), format!("{}/{n}", ["aaa", "docs-old", "docs2", "zzz"][n % 4]));
            puts.spawn(async move { store.put(BUCKET, &key, "x", StoredHeaders::default()).await.unwrap() });
        }
        puts.join_all().await;
        let configuration = site_with("").replace("s3://site/", "s3://site/docs/");
        let files = [SourceObject::text("index.html", "x"), SourceObject::text("app.js", "x")];
        let publish = world.publish(&configuration, &Sources::directory(files)).await;
        world.forget();
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
async fn a_publish_never_touches_what_a_bucket_is_configured_with() {
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
async fn objects_of_one_address_are_reported() {
    let world = World::new().await;
    let files = ["index.html", "about", "about.html", "about/index.html", "team.html"];
    let sources = Sources::directory(files[..3].iter().chain(&files[4..]).map(|key| SourceObject::text(key, "x")));
    let publish = world.publish(&site_with(""), &sources).await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let said = report.to_string();
    assert!(said.contains("warning from `guard`") && said.contains("`about` and `about.html` for `/about`"), "{said}");
    // A redirect is how two of them are made one.
    let redirect = SiteObject { redirect: Some("/about.html".to_owned()), ..SiteObject::text("about", "") };
    world.seed(&SiteState { objects: vec![redirect] }).await;
    let redirected = plugin("sync", "rewrite", "{ redirects = [{ from = \"/about\", to = \"/about.html\" }] }");
    let sources = Sources::directory([files[0], files[2], files[4]].map(|key| SourceObject::text(key, "x")));
    let publish = world.publish(&site_with(&redirected), &sources).await;
    let report = publish.run().await;
    assert!(!report.to_string().contains("one address"), "{report}");
}

/// Runs the binary against an account that is served, and says which requests it sent.
async fn trace_of(world: &World, arguments: &[&str]) -> (Vec<String>, String) {
    let wire = Wire::before(world.account.clone()).await;
    let root = world.account.root_credentials();
    let output = tokio::process::Command::new(tidegate_tests::binary::binary())
        .args(arguments)
        .args(["--endpoint-url", &wire.url()])
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
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    (wire.requests(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_runs_of_the_binary_send_nothing_but_reads() {
    let (world, _) = release(&site_with("")).await;
    std::fs::write(world.directory().join("tidegate.toml"), site_with(&plugin("sync", "mime", "{}"))).unwrap();
    let before = world.site().await;
    let dry = [vec!["sync", "source", "s3://site/", "--delete", "--dry-run"], vec!["plan", "docs", "--from", "source"]];
    for arguments in dry {
        let (requests, said) = trace_of(&world, &arguments).await;
        assert!(said.contains("index.html") && said.contains("stale.html"), "{arguments:?}: {said}");
        assert!(requests.iter().any(|request| request.contains("list-type=2")), "{arguments:?}: {requests:?}");
        let only_reads = requests.iter().all(|request| request.starts_with("GET ") || request.starts_with("HEAD "));
        assert!(only_reads, "{arguments:?}: {requests:?}");
        assert_eq!(world.site().await, before);
    }
    // The trace does show writes where there are any.
    let (requests, _) = trace_of(&world, &["sync", "source", "s3://site/", "--delete"]).await;
    assert!(requests.iter().any(|request| request.starts_with("PUT ")), "{requests:?}");
    assert!(requests.iter().any(|request| request.starts_with("POST ")), "{requests:?}");
}
