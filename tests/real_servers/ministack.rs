//! Publishing to ministack, a third-party emulator of S3, STS and CloudFront.
//!
//! It is reliable for objects after puts, copies and deletes, for listings, and for the form of CloudFront and STS requests. It
//! checks no permissions, no checksums and no conditions of copies.

use std::sync::Arc;

use aws_sdk_cloudfront::types::{
    CookiePreference, DefaultCacheBehavior, DistributionConfig, ForwardedValues, ItemSelection, Origin, Origins,
    S3OriginConfig, ViewerProtocolPolicy,
};
use tempfile::TempDir;
use tidegate_core::report::Outcome;
use tidegate_publish::Connection;
use tidegate_publish::progress::NoProgress;
use tidegate_publish::publish::Publisher;
use tidegate_tests::plugins::plugin_loader;
use tidegate_tests::world;

use crate::releases::{PLUGINS, assert_release, objects, publish, publish_both, stage, write_release};
use tidegate_tests::skipped::skipped;

use crate::server::Server;

fn start(test: &str) -> Option<Server> {
    Server::start("ministack", |port| vec![port.to_string()]).map_err(|reason| skipped(test, &reason)).ok()
}

fn client(config: &aws_config::SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// Creates a distribution for the bucket; returns its id.
async fn create_distribution(config: &aws_config::SdkConfig) -> String {
    let no_identity = S3OriginConfig::builder().origin_access_identity("").build();
    let origin = Origin::builder()
        .id("site")
        .domain_name("site.s3.amazonaws.com")
        .s3_origin_config(no_identity)
        .build()
        .unwrap();
    let cookies = CookiePreference::builder().forward(ItemSelection::None).build().unwrap();
    let forwarded = ForwardedValues::builder().query_string(false).cookies(cookies).build().unwrap();
    #[expect(deprecated, reason = "the minimal distribution that the API accepts")]
    let behavior = DefaultCacheBehavior::builder()
        .target_origin_id("site")
        .viewer_protocol_policy(ViewerProtocolPolicy::AllowAll)
        .forwarded_values(forwarded)
        .min_ttl(0)
        .build()
        .unwrap();
    let distribution = DistributionConfig::builder()
        .caller_reference("test")
        .comment("test")
        .enabled(true)
        .origins(Origins::builder().quantity(1).items(origin).build().unwrap())
        .default_cache_behavior(behavior)
        .build()
        .unwrap();
    let created =
        aws_sdk_cloudfront::Client::new(config).create_distribution().distribution_config(distribution).send().await;
    created.unwrap().distribution.unwrap().id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_a_site_to_ministack() {
    let Some(server) = start("publishes_a_site_to_ministack") else { return };
    let config = server.configuration("test", "test");
    let client = client(&config);
    for bucket in ["site", "staging"] {
        client.create_bucket().bucket(bucket).send().await.unwrap();
    }
    let id = create_distribution(&config).await;
    let directory = TempDir::new().unwrap();
    let site = world::site(&format!(
        "[[site]]\nname = \"docs\"\ntarget = \"s3://site/docs/\"\nrole = \"arn:aws:iam::000000000000:role/publisher\"\n\
         cdn = [{{ distribution = \"{id}\", origin-path = \"/docs\" }}]\n{PLUGINS}"
    ));
    let publisher = Publisher::new(Connection::new(config.clone(), true), plugin_loader(), Arc::new(NoProgress));
    publish_both(&publisher, &site, &client, directory.path()).await;

    // A visitor's requests, without the SDK and without credentials.
    let page = server.get("/site/docs/index.html");
    assert_eq!((page.status, page.body.as_slice()), (200, b"<p>release 2".as_slice()));
    assert!(page.head.contains("content-type: text/html; charset=utf-8"), "{}", page.head);
    assert_eq!(server.get("/site/docs/gone.html").status, 404);
    let redirect = client.head_object().bucket("site").key("docs/old.html").send().await.unwrap();
    assert_eq!(redirect.website_redirect_location(), Some("/index.html"));

    let cloudfront = aws_sdk_cloudfront::Client::new(&config);
    let listed = cloudfront.list_invalidations().distribution_id(&id).send().await.unwrap();
    assert_eq!(listed.invalidation_list.unwrap().items().len(), 2, "one for each release, none for repeated publishes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_a_staged_prefix_within_ministack() {
    let Some(server) = start("copies_a_staged_prefix_within_ministack") else { return };
    let config = server.configuration("test", "test");
    let client = client(&config);
    for bucket in ["site", "staging"] {
        client.create_bucket().bucket(bucket).send().await.unwrap();
    }
    let site = world::site(&format!("[[site]]\nname = \"docs\"\ntarget = \"s3://site/\"\n{PLUGINS}"));
    let publisher = Publisher::new(Connection::new(config, true), plugin_loader(), Arc::new(NoProgress));
    let source = stage(&client, "staging", 1).await;
    let (plan, report) = publish(&publisher, &site, &source).await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(plan.totals.bytes_to_write, 0);
    assert_release(&objects(&client, &site.target).await, 1);
    let (plan, report) = publish(&publisher, &site, &source).await;
    assert_eq!(report.outcome, Outcome::Unchanged, "{:#?}", plan.operations);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_with_the_binary_to_ministack() {
    let Some(server) = start("publishes_with_the_binary_to_ministack") else { return };
    let config = server.configuration("test", "test");
    let client = client(&config);
    client.create_bucket().bucket("site").send().await.unwrap();
    let directory = TempDir::new().unwrap();
    let configuration = format!("[[site]]\nname = \"docs\"\nstaged = \"source\"\ntarget = \"s3://site/\"\n{PLUGINS}");
    std::fs::write(directory.path().join("tidegate.toml"), configuration).unwrap();
    let run = |arguments: &[&str]| {
        let output = server.command(directory.path(), "not-to-be-printed").args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!text.contains("not-to-be-printed"), "{text}");
        (output.status.code(), text)
    };
    let target = "s3://site/".parse().unwrap();
    for release in [1, 2] {
        write_release(directory.path(), release);
        let (code, text) = run(&["-vv", "publish", "docs"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("docs: live"), "{text}");
        assert_release(&objects(&client, &target).await, release);
        let (code, text) = run(&["publish", "docs"]);
        assert_eq!((code, text.contains("docs: up to date")), (Some(0), true), "{text}");
    }
}
