//! Invalidations through the real SDK. Each rule names its page of AWS's documentation. No other known local server
//! checks these rules: others accept any path. The emulator can therefore only be compared with these pages, or with
//! AWS itself.

#![expect(clippy::expect_used, reason = "clippy treats test helpers without a test attribute as product code")]

#[path = "common/cloudfront.rs"]
mod cloudfront_client;

use std::time::Duration;

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::Credentials;
use aws_sdk_cloudfront::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use cloudfront_client::client;
use pretty_assertions::assert_eq;
use tidegate_emulator::LocalAws;
use tidegate_emulator::cloudfront::{InvalidationDelay, S3Origin, ViewerPath};

const ID: &str = "E2EXAMPLE";

/// CloudFront Developer Guide: valid paths, and what they clear.
const FILES: &str = "DeveloperGuide/invalidation-specifying-objects.html";
/// CloudFront Developer Guide: quotas of paths in progress.
const MOST: &str = "DeveloperGuide/InvalidationLimits.html";
/// CloudFront API Reference: error codes.
const CREATE: &str = "APIReference/API_CreateInvalidation.html";
/// CloudFront API Reference: caller references.
const BATCH: &str = "APIReference/API_InvalidationBatch.html";
/// CloudFront API Reference: pages of the list and their order.
const LIST: &str = "APIReference/API_ListInvalidations.html";
/// Service Authorization Reference: actions and their resources.
const ACTIONS: &str = "service-authorization/latest/reference/list_amazoncloudfront.html";

fn with_distribution() -> (LocalAws, Client) {
    let account = LocalAws::in_memory().expect("an account");
    let origin = S3Origin { bucket: "site".to_owned(), path: "/live".to_owned() };
    account.cloudfront().create_distribution(ID, origin, Some("index.html")).expect("a distribution");
    account.cloudfront().set_completion(InvalidationDelay::AfterPolls(1));
    let client = client(&account, account.root_credentials());
    (account, client)
}

/// Creates an invalidation and returns its ID and status, or the error code.
async fn invalidate(
    client: &Client,
    reference: &str,
    paths: &[String],
    quantity: usize,
) -> Result<(String, String), String> {
    let quantity = i32::try_from(quantity).expect("a small number");
    let paths = Paths::builder().quantity(quantity).set_items(Some(paths.to_vec())).build().expect("paths");
    let batch = InvalidationBatch::builder().caller_reference(reference).paths(paths).build().expect("a batch");
    let result = client.create_invalidation().distribution_id(ID).invalidation_batch(batch).send().await;
    let output = result.map_err(|error| code(&error))?;
    let invalidation = output.invalidation().expect("an invalidation");
    Ok((invalidation.id().to_owned(), invalidation.status().to_owned()))
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    error.code().unwrap_or("none").to_owned()
}

fn paths(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|&path| path.to_owned()).collect()
}

fn numbered(count: usize, suffix: &str) -> Vec<String> {
    (0..count).map(|number| format!("/page-{number}{suffix}")).collect()
}

async fn status(client: &Client, id: &str) -> String {
    let output = client.get_invalidation().distribution_id(ID).id(id).send().await.expect("an answer");
    output.invalidation().expect("an invalidation").status().to_owned()
}

#[tokio::test]
async fn an_invalidation_clears_once_it_is_complete() {
    let (account, client) = with_distribution();
    let own = paths(&["/a.html", "/caf%C3%A9/*"]);
    let (id, first) = invalidate(&client, "one", &own, 2).await.expect("an invalidation");
    assert_eq!(first, "InProgress");
    let output = client.get_invalidation().distribution_id(ID).id(&id).send().await.expect("an answer");
    let invalidation = output.invalidation().expect("an invalidation");
    assert_eq!(invalidation.status(), "InProgress");
    let batch = invalidation.invalidation_batch().expect("a batch");
    assert_eq!(batch.caller_reference(), "one");
    assert_eq!(batch.paths().expect("paths").items(), own);
    let before = ViewerPath::new("/a.html");
    assert!(
        !account.cloudfront().cleared_with(ID, &before, &[], 0).expect("an answer"),
        "caches keep the copy until the invalidation is complete"
    );
    assert_eq!(status(&client, &id).await, "Completed");
    assert!(account.cloudfront().cleared_with(ID, &before, &[], 0).expect("an answer"));
    assert!(!account.cloudfront().cleared_with(ID, &before, &[], 1).expect("an answer"), "a later copy is not cleared");
    assert!(!account.cloudfront().cleared_with(ID, &ViewerPath::new("/b.html"), &[], 0).expect("an answer"));
}

#[tokio::test]
async fn an_invalidation_can_complete_by_the_clock() {
    let (account, client) = with_distribution();
    account.cloudfront().set_completion(InvalidationDelay::After(Duration::from_secs(600)));
    let (id, _) = invalidate(&client, "one", &paths(&["/*"]), 1).await.expect("an invalidation");
    assert_eq!(status(&client, &id).await, "InProgress");
    account.iam().clock().advance(Duration::from_secs(601));
    assert_eq!(status(&client, &id).await, "Completed");
}

/// Rows: paths, stated quantity, error code, page.
#[tokio::test]
async fn rejects_invalid_requests_and_starts_nothing() {
    let (account, client) = with_distribution();
    let long = format!("/{}", "a".repeat(4_000));
    let longest = format!("/{}", "a".repeat(3_999));
    for (own, quantity, expected, page) in [
        (paths(&["a.html"]), 1, "InvalidArgument", FILES),
        (paths(&["*"]), 1, "InvalidArgument", FILES),
        (paths(&["/a/*/b"]), 1, "InvalidArgument", FILES),
        (paths(&["/a b"]), 1, "InvalidArgument", FILES),
        (paths(&["/caf\u{e9}"]), 1, "InvalidArgument", FILES),
        (paths(&["/~user"]), 1, "InvalidArgument", FILES),
        (paths(&["/100%"]), 1, "InvalidArgument", FILES),
        (paths(&[&long]), 1, "InvalidArgument", FILES),
        (paths(&["/a", "b"]), 2, "InvalidArgument", FILES),
        (Vec::new(), 0, "InvalidArgument", CREATE),
        (paths(&["/a", "/b"]), 1, "InconsistentQuantities", CREATE),
        (paths(&["/a"]), 2, "InconsistentQuantities", CREATE),
        (numbered(3_001, ""), 3_001, "BatchTooLarge", CREATE),
        (numbered(16, "/*"), 16, "TooManyInvalidationsInProgress", MOST),
    ] {
        let answer = invalidate(&client, "one", &own, quantity).await;
        assert_eq!(answer, Err(expected.to_owned()), "{:?}, by {page}", own.first());
    }
    assert!(account.cloudfront().invalidations(ID).expect("a list").is_empty());
    assert!(invalidate(&client, "one", &paths(&["/%7Euser", "/a%20b", "/c++.html", &longest]), 4).await.is_ok());
}

#[tokio::test]
async fn allows_three_thousand_paths_in_progress_in_any_split() {
    for split in [&[3_000][..], &[1_000, 1_000, 1_000], &[1, 2_998, 1]] {
        let (_account, client) = with_distribution();
        for (run, count) in split.iter().enumerate() {
            let sent = invalidate(&client, &format!("run-{run}"), &numbered(*count, ""), *count).await;
            assert!(sent.is_ok(), "{split:?}, by {MOST}");
        }
        let one_more = invalidate(&client, "one more", &paths(&["/a"]), 1).await;
        assert_eq!(one_more, Err("TooManyInvalidationsInProgress".to_owned()), "{split:?}, by {MOST}");
    }
}

#[tokio::test]
async fn allows_fifteen_wildcards_beside_three_thousand_paths() {
    let (_account, client) = with_distribution();
    let (first, _) = invalidate(&client, "one", &numbered(2_999, ""), 2_999).await.expect("an invalidation");
    let (wildcards, _) =
        invalidate(&client, "wild", &numbered(15, "/*"), 15).await.expect("wildcards have a quota of their own");
    assert!(invalidate(&client, "two", &paths(&["/a"]), 1).await.is_ok(), "the 3,000th");
    let too_many = Err("TooManyInvalidationsInProgress".to_owned());
    assert_eq!(invalidate(&client, "three", &paths(&["/b"]), 1).await, too_many);
    assert_eq!(invalidate(&client, "four", &paths(&["/b/*"]), 1).await, too_many);
    for id in [&first, &wildcards] {
        assert_eq!(status(&client, id).await, "InProgress");
        assert_eq!(status(&client, id).await, "Completed");
    }
    assert!(invalidate(&client, "three", &paths(&["/b"]), 1).await.is_ok());
    assert!(invalidate(&client, "four", &paths(&["/b/*"]), 1).await.is_ok());
}

#[tokio::test]
async fn a_repeated_reference_starts_nothing_new() {
    let (account, client) = with_distribution();
    let own = paths(&["/a", "/b"]);
    let (id, _) = invalidate(&client, "one", &own, 2).await.expect("an invalidation");
    assert_eq!(invalidate(&client, "one", &own, 2).await.expect("the same").0, id, "by {BATCH}");
    let other = invalidate(&client, "one", &paths(&["/a", "/c"]), 2).await;
    assert_eq!(other, Err("InvalidationBatchAlreadyExists".to_owned()), "by {BATCH}");
    assert_ne!(invalidate(&client, "two", &own, 2).await.expect("another").0, id);
    assert_eq!(account.cloudfront().invalidations(ID).expect("a list").len(), 2);
}

#[tokio::test]
async fn lists_invalidations_in_pages_newest_first() {
    let (_account, client) = with_distribution();
    let mut expected = Vec::new();
    for number in 0..7 {
        let reference = format!("run-{number}");
        expected.insert(0, invalidate(&client, &reference, &paths(&["/a"]), 1).await.expect("an invalidation").0);
    }
    let mut found = Vec::new();
    let mut sizes = Vec::new();
    let mut marker = None;
    loop {
        let page = client.list_invalidations().distribution_id(ID).max_items(3).set_marker(marker).send().await;
        let page = page.expect("a page").invalidation_list.expect("a list");
        sizes.push(page.quantity());
        found.extend(page.items().iter().map(|summary| summary.id().to_owned()));
        marker = page.next_marker().map(str::to_owned);
        assert_eq!(page.is_truncated(), marker.is_some());
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(found, expected, "by {LIST}");
    assert_eq!(sizes, [3, 3, 1]);
    let wrong =
        client.list_invalidations().distribution_id(ID).marker("I0NONE").send().await.expect_err("no such page");
    assert_eq!(code(&wrong), "InvalidArgument", "by {LIST}");
}

#[tokio::test]
async fn distributions_report_their_origin() {
    let (account, client) = with_distribution();
    let origin = S3Origin { bucket: "site-old".to_owned(), path: String::new() };
    account.cloudfront().create_distribution("E1OTHER", origin, None).expect("a distribution");
    let output = client.get_distribution().id(ID).send().await.expect("an answer");
    let distribution = output.distribution().expect("a distribution");
    assert_eq!(distribution.arn(), "arn:aws:cloudfront::000000000000:distribution/E2EXAMPLE");
    assert_eq!(distribution.status(), "Deployed");
    let config = distribution.distribution_config().expect("a configuration");
    assert!(config.enabled());
    assert_eq!(config.default_root_object(), Some("index.html"));
    let own = config.origins().expect("origins").items();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].domain_name(), "site.s3-website-us-east-1.amazonaws.com");
    assert_eq!(own[0].origin_path(), Some("/live"));
    let page =
        client.list_distributions().max_items(1).send().await.expect("a page").distribution_list.expect("a list");
    assert_eq!(page.items().iter().map(|item| item.id()).collect::<Vec<_>>(), ["E1OTHER"]);
    let page = client.list_distributions().marker(page.next_marker().expect("more")).send().await.expect("a page");
    let page = page.distribution_list.expect("a list");
    assert_eq!(page.items().iter().map(|item| item.id()).collect::<Vec<_>>(), [ID]);
    assert!(!page.is_truncated());
}

#[tokio::test]
async fn distinguishes_missing_distributions_and_invalidations() {
    let (_account, client) = with_distribution();
    let missing = client.get_distribution().id("E0NONE").send().await.expect_err("none");
    assert_eq!(code(&missing), "NoSuchDistribution");
    let missing = client.get_invalidation().distribution_id(ID).id("I0NONE").send().await.expect_err("none");
    assert_eq!(code(&missing), "NoSuchInvalidation");
    let missing = client.get_invalidation().distribution_id("E0NONE").id("I0NONE").send().await.expect_err("none");
    assert_eq!(code(&missing), "NoSuchDistribution");
}

#[tokio::test]
async fn every_action_needs_permission_on_the_distribution() {
    let (account, _) = with_distribution();
    let other = S3Origin { bucket: "site".to_owned(), path: String::new() };
    account.cloudfront().create_distribution("E1OTHER", other, None).expect("a distribution");
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["cloudfront:CreateInvalidation","cloudfront:GetInvalidation"],
        "Resource":"arn:aws:cloudfront::000000000000:distribution/E2EXAMPLE"}}"#;
    account.iam().create_user("lea", &[("invalidate", policy)]).expect("a user");
    let key = account.iam().create_access_key("lea").expect("a key");
    let client = client(&account, key.credentials());
    let (id, _) = invalidate(&client, "one", &paths(&["/a"]), 1).await.expect("an invalidation");
    assert_eq!(status(&client, &id).await, "InProgress");

    let denied = client.get_invalidation().distribution_id("E1OTHER").id(&id).send().await.expect_err("denied");
    assert_eq!(code(&denied), "AccessDenied");
    assert_eq!(
        denied.message(),
        Some(
            "User: arn:aws:iam::000000000000:user/lea is not authorized to perform: cloudfront:GetInvalidation on resource: \
              arn:aws:cloudfront::000000000000:distribution/E1OTHER because no identity-based policy allows the cloudfront:GetInvalidation action"
        )
    );
    assert_eq!(code(&client.get_distribution().id(ID).send().await.expect_err("denied")), "AccessDenied");
    assert_eq!(code(&client.list_distributions().send().await.expect_err("denied")), "AccessDenied");
    assert_eq!(
        code(&client.list_invalidations().distribution_id(ID).send().await.expect_err("denied")),
        "AccessDenied"
    );
    // A permission for one action and distribution does not cover other actions or distributions.
    let lists =
        policy.replace("cloudfront:CreateInvalidation\",\"cloudfront:GetInvalidation", "cloudfront:ListInvalidations");
    assert_ne!(lists, policy);
    account.iam().create_user("liz", &[("list", &lists)]).expect("a user");
    let liz = self::client(&account, account.iam().create_access_key("liz").expect("a key").credentials());
    let list = liz.list_invalidations().distribution_id(ID).send().await.expect("a list");
    assert_eq!(list.invalidation_list().expect("a list").quantity(), 1, "by {ACTIONS}");
    for denied in [
        code(&liz.list_invalidations().distribution_id("E1OTHER").send().await.expect_err("denied")),
        code(&liz.get_invalidation().distribution_id(ID).id(&id).send().await.expect_err("denied")),
        invalidate(&liz, "two", &paths(&["/a"]), 1).await.expect_err("denied"),
    ] {
        assert_eq!(denied, "AccessDenied", "by {ACTIONS}");
    }
    // A caller without permission must not learn whether a distribution exists.
    assert_eq!(code(&client.get_distribution().id("E0NONE").send().await.expect_err("denied")), "AccessDenied");
}

#[tokio::test]
async fn rejects_a_wrong_secret() {
    let (account, _) = with_distribution();
    let root = account.root_credentials();
    let wrong = Credentials::new(root.access_key_id(), "wrong", None, None, "test");
    let rejected = client(&account, wrong).get_distribution().id(ID).send().await.expect_err("rejected");
    assert_eq!(code(&rejected), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn distributions_and_invalidations_survive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let id = {
        let account = LocalAws::open(directory.path()).expect("an account");
        let origin = S3Origin { bucket: "site".to_owned(), path: String::new() };
        account.cloudfront().create_distribution(ID, origin, None).expect("a distribution");
        account.cloudfront().set_completion(InvalidationDelay::AfterPolls(0));
        let client = client(&account, account.root_credentials());
        let (id, _) = invalidate(&client, "one", &paths(&["/a", "/b*"]), 2).await.expect("an invalidation");
        assert_eq!(status(&client, &id).await, "Completed");
        id
    };
    let account = LocalAws::open(directory.path()).expect("the same account");
    let client = client(&account, account.root_credentials());
    assert_eq!(status(&client, &id).await, "Completed");
    assert_eq!(invalidate(&client, "one", &paths(&["/b*", "/a"]), 2).await.expect("the same").0, id);
}

/// Source: CloudFront Developer Guide, "Invalidating content by cache tags". AWS documents no error for a tag without a
/// configuration, so that part is our interpretation.
#[tokio::test]
async fn cache_tags_need_a_configuration_and_count_as_paths() {
    let (account, client) = with_distribution();
    let header = async || {
        let answer = client.get_distribution_config().id(ID).send().await.expect("a configuration");
        answer.distribution_config.and_then(|config| config.cache_tag_config).map(|tags| tags.header_name)
    };
    assert_eq!(header().await, None);
    let own = paths(&["/a.html", "#News"]);
    assert_eq!(invalidate(&client, "early", &own, 2).await.expect_err("rejected"), "InvalidArgument");
    account.cloudfront().set_cache_tags(ID, Some("X-Amz-Meta-Cache-Tag")).expect("set");
    assert_eq!(header().await.as_deref(), Some("x-amz-meta-cache-tag"));
    invalidate(&client, "one", &own, 2).await.expect("an invalidation");
    for wrong in ["#", "#a b", "#a,b", "#caf\u{e9}"] {
        assert_eq!(invalidate(&client, wrong, &paths(&[wrong]), 1).await.expect_err("rejected"), "InvalidArgument");
    }
    // Sixteen tags that end in the wildcard character are not wildcards.
    let stars: Vec<String> = (0..16).map(|number| format!("#{number}*")).collect();
    invalidate(&client, "stars", &stars, 16).await.expect("an invalidation");
    let most: Vec<String> = (0..3_000 - 18).map(|number| format!("#{number}")).collect();
    invalidate(&client, "most", &most, most.len()).await.expect("an invalidation");
    let over = invalidate(&client, "over", &paths(&["#x"]), 1).await.expect_err("rejected");
    assert_eq!(over, "TooManyInvalidationsInProgress");
}
