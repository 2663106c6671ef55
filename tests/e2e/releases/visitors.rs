//! Assets during releases: between any two requests of a publish, the assets of cached pages and of the pages on the
//! site exist.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tidegate_core::report::Outcome;
use tidegate_tests::fault::InjectedFault;

use super::*;

const KEEP: &str = "{ releases = 2, days = 0 }";

/// Release `n`: two pages that name the assets of this release and one asset that changes with every third release.
fn files(n: usize) -> Vec<(String, String)> {
    let shared = n / 3;
    let page = |name: &str| (format!("{name}.html"), format!("app-{n}.js style-{n}.css shared-{shared}.js"));
    let mut files = vec![page("index"), page("a/page")];
    for asset in [format!("app-{n}.js"), format!("style-{n}.css"), format!("shared-{shared}.js")] {
        files.push((asset.clone(), asset));
    }
    files
}

fn assets(page: &str) -> Vec<String> {
    page.split(' ').map(str::to_owned).collect()
}

fn exists(account: &LocalAws, key: &str) -> bool {
    account.s3().head(BUCKET, &format!("docs/{key}")).is_ok()
}

async fn release(world: &World, n: usize) -> Publish {
    let files = files(n);
    let files: Vec<(&str, &str)> = files.iter().map(|(key, body)| (key.as_str(), body.as_str())).collect();
    publish_of(world, KEEP, &format!("c{n}"), &files).await
}

/// Assets that are missing for pages of the `cached` releases or for `pages`.
fn missing_assets(account: &LocalAws, cached: &[usize], pages: &[(String, Vec<String>)]) -> Vec<String> {
    let mut missing = Vec::new();
    for n in cached {
        let page = files(*n).first().map(|(_, body)| body.clone()).unwrap();
        missing.extend(
            assets(&page).into_iter().filter(|key| !exists(account, key)).map(|key| format!("{key} for a cached page")),
        );
    }
    for (page, assets) in pages {
        missing.extend(assets.iter().filter(|key| !exists(account, key)).map(|key| format!("{key} for {page}")));
    }
    missing
}

/// The pages on the site with their assets. The release of a page is known from its ETag, so no body is read.
fn pages(account: &LocalAws, assets: &BTreeMap<String, Vec<String>>) -> Vec<(String, Vec<String>)> {
    let on_site = account.s3().list(BUCKET, "docs/").unwrap();
    on_site
        .into_iter()
        .filter(|(key, _)| key.ends_with(".html"))
        .filter_map(|(key, info)| Some((key, assets.get(info.etag.trim_matches('"'))?.clone())))
        .collect()
}

/// The assets of each page by the page's ETag.
fn assets_by_etag() -> BTreeMap<String, Vec<String>> {
    (0..8)
        .map(|n| {
            let body = files(n).remove(0).1;
            (md5(&body), assets(&body))
        })
        .collect()
}

fn md5(text: &str) -> String {
    use md5::{Digest, Md5};
    hex::encode(Md5::digest(text))
}

#[tokio::test]
async fn assets_of_visible_pages_exist_during_every_publish() {
    let world = world().await;
    let checks = Arc::new(AtomicUsize::new(0));
    for n in 0..7 {
        let publish = release(&world, n).await;
        let cached: Vec<usize> = n.checked_sub(1).into_iter().collect();
        let missing: Arc<Mutex<Vec<String>>> = Arc::default();
        let (account, found, assets) = (world.account.clone(), Arc::clone(&missing), assets_by_etag());
        let count = Arc::clone(&checks);
        world.inject_faults(move |call| {
            count.fetch_add(1, Ordering::SeqCst);
            let before = missing_assets(&account, &cached, &pages(&account, &assets));
            found.lock().unwrap().extend(before.into_iter().map(|asset| format!("{asset} before {call}")));
            None
        });
        assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
        world.stop_faults();
        let cached: Vec<usize> = n.checked_sub(1).into_iter().collect();
        let mut all = std::mem::take(&mut *missing.lock().unwrap());
        all.extend(missing_assets(&world.account, &cached, &pages(&world.account, &assets_by_etag())));
        assert!(all.is_empty(), "release {n}: {all:#?}");
        // Assets of expired releases are deleted, so the others exist because they are retained.
        if let Some(old) = n.checked_sub(2) {
            assert!(!exists(&world.account, &format!("app-{old}.js")), "release {old} at {n}");
        }
        assert_tidy(&world.account).await;
    }
    assert!(checks.load(Ordering::SeqCst) > 100);
}

/// A run is killed at each request, and then another release is published. The assets of pages that visitors saw in
/// between exist.
#[test]
fn assets_of_visible_pages_exist_after_a_killed_run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        use futures::{StreamExt, stream};
        let killed: Vec<bool> = stream::iter(0..40).map(killed_at).buffer_unordered(12).collect().await;
        assert!(killed.iter().filter(|killed| **killed).count() > 20);
    });
}

async fn killed_at(at: usize) -> bool {
    let world = world().await;
    for n in [0, 1] {
        assert_eq!(release(&world, n).await.publish().await.unwrap().outcome, Outcome::Live);
    }
    let count = AtomicUsize::new(0);
    world.inject_faults(move |_| (count.fetch_add(1, Ordering::SeqCst) >= at).then_some(InjectedFault::Refuse));
    let first = release(&world, 2).await.publish().await;
    world.stop_faults();
    expire_lease(&world).await;
    // A visitor caches the pages on the site.
    let cached = pages(&world.account, &assets_by_etag());
    assert!(missing_assets(&world.account, &[1], &cached).is_empty(), "killed at {at}: {first:?}");
    assert_eq!(release(&world, 3).await.publish().await.unwrap().outcome, Outcome::Live);
    let after = missing_assets(&world.account, &[], &cached);
    assert!(after.is_empty(), "killed at {at}: {after:?} after the next release");
    assert_tidy(&world.account).await;
    first.is_err() || first.is_ok_and(|report| report.outcome != Outcome::Live)
}
