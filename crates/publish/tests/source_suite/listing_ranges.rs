//! Listings in ranges that are requested side by side: each object once and in order, whatever the ranges are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use tidegate_core::key::StoredKey;
use tidegate_core::listing::Pagination;
use tidegate_core::location::Location;
use tidegate_publish::AwsError;
use tidegate_publish::s3::RangedListing;
use tidegate_publish::source::{SourceOptions, open as open_source};

use crate::http;
use crate::memory_s3::MemoryS3;
use crate::support::keys;

/// Pages of one range that may wait, and the one that the next request returns.
const AHEAD: usize = 21;

fn location() -> Location {
    "s3://bucket/docs/".parse().unwrap()
}

fn splits(keys: &[impl AsRef<str>]) -> Vec<StoredKey> {
    keys.iter().map(|key| StoredKey::new(key.as_ref())).collect()
}

/// A bucket with these keys below `docs/`, and others beside it.
fn bucket(keys: impl IntoIterator<Item = impl AsRef<str>>, page: usize) -> MemoryS3 {
    let mut bucket = MemoryS3::new(&[("doc", b"x"), ("docs", b"x"), ("docs0", b"x"), ("e", b"x")]);
    for key in keys {
        bucket.put(&format!("docs/{}", key.as_ref()), b"x");
    }
    bucket.page = page;
    bucket
}

/// The keys of all pages, which must form one complete listing.
async fn read(listing: &mut RangedListing) -> Result<Vec<String>, AwsError> {
    let (mut keys, mut pagination) = (Vec::new(), Pagination::default());
    while let Some(page) = listing.next().await? {
        pagination.page(&page.objects, page.last).unwrap();
        assert_eq!(page.objects.len(), page.modified.len());
        keys.extend(page.objects.iter().map(|object| object.key.as_str().to_owned()));
    }
    assert_eq!(pagination.finish().unwrap().count(), keys.len() as u64);
    Ok(keys)
}

async fn list(bucket: &Arc<MemoryS3>, splits: Vec<StoredKey>) -> Result<Vec<String>, AwsError> {
    read(&mut bucket.client().pages_in_ranges(&location(), splits)).await
}

fn key() -> impl Strategy<Value = String> {
    "[ab/é !+\u{1}~]{1,4}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn every_object_is_listed_once_and_in_order(
        keys in btree_set(key(), 0..60),
        more in vec(key(), 0..30),
        chosen in vec(any::<prop::sample::Index>(), 0..20),
        page in 1_usize..12,
        ignores_start_after in any::<bool>(),
    ) {
        let sorted: Vec<&String> = keys.iter().collect();
        // Duplicates, empty and too long ones, and none in order.
        let mut texts = vec![String::new(), "x".repeat(1_024)];
        texts.extend(chosen.iter().filter(|_| !sorted.is_empty()).map(|index| (*index.get(&sorted)).clone()));
        texts.extend(more);
        let mut bucket = bucket(&keys, page);
        bucket.ignores_start_after = ignores_start_after;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listed = runtime.block_on(list(&Arc::new(bucket), splits(&texts))).unwrap();
        prop_assert_eq!(listed, keys.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_error_in_one_range_fails_the_listing() {
    let keys: Vec<String> = (0..40).map(|n| format!("{n:02}")).collect();
    for failing in 0..40 {
        let mut bucket = bucket(&keys, 1);
        bucket.failing_page = Some(failing);
        let error = list(&Arc::new(bucket), splits(&["09", "19", "29"])).await.unwrap_err();
        assert_eq!(error.code.as_deref(), Some("SlowDown"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_ignores_start_after_is_listed_page_by_page() {
    let keys: BTreeSet<String> = (0..400).map(|n| format!("{n:03}")).collect();
    let mut bucket = bucket(&keys, 10);
    bucket.ignores_start_after = true;
    let bucket = Arc::new(bucket);
    let every_tenth: Vec<&String> = keys.iter().skip(9).step_by(10).collect();
    assert_eq!(list(&bucket, splits(&every_tenth)).await.unwrap(), keys.iter().cloned().collect::<Vec<_>>());
    let lists = bucket.lists.load(Ordering::Relaxed);
    assert!(lists <= 17 + 40, "{lists} requests: one for each range in flight, then one for each page");
}

#[tokio::test]
async fn objects_out_of_order_are_an_error() {
    for (splits_of, unordered) in [(["m"], ["b", "a"]), (["m"], ["z", "b"]), (["b"], ["a", "a"])] {
        let client = http::client(move |_| {
            let contents: String =
                unordered.iter().map(|key| format!("<Contents><Key>docs/{key}</Key></Contents>")).collect();
            let page = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>");
            std::future::ready(http::response(200, page)).boxed()
        });
        let error = read(&mut client.pages_in_ranges(&location(), splits(&splits_of))).await.unwrap_err().to_string();
        assert!(error.contains("out of order"), "{error}");
    }
}

#[tokio::test]
async fn a_range_that_grew_waits_for_its_turn() {
    let grown = (0..500).map(|n| format!("b{n:03}"));
    let keys: Vec<String> = ["a".to_owned()].into_iter().chain(grown).chain(["c".to_owned()]).collect();
    let bucket = Arc::new(bucket(&keys, 1));
    let mut listing = bucket.client().pages_in_ranges(&location(), splits(&["a", "b", "bz"]));
    // One page of each other range.
    let expected = AHEAD + 3;
    while bucket.lists.load(Ordering::Relaxed) < expected {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bucket.lists.load(Ordering::Relaxed), expected, "pages that were requested before one was read");
    assert_eq!(read(&mut listing).await.unwrap(), keys);
}

#[tokio::test]
async fn ranges_are_relative_to_the_stripped_folder() {
    let keys_of_source: Vec<String> = (0..30).map(|n| format!("dist/{n:02}")).collect();
    let bucket = Arc::new(bucket(&keys_of_source, 5));
    let options = SourceOptions {
        strip_prefix: "dist/".parse::<tidegate_core::location::Prefix>().unwrap(),
        splits: splits(&["09", "19"]),
        ..SourceOptions::default()
    };
    let opened = open_source(&"s3://bucket/docs/".parse().unwrap(), &bucket.client(), &options).await.unwrap();
    assert_eq!(keys(&opened), (0..30).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    assert_eq!(bucket.lists.load(Ordering::Relaxed), 6, "three ranges of two pages");
}
