//! Visitors while releases come and go: between any two requests of a publish, a page that somebody has cached finds its
//! assets, and so does the page that is on the site.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tidegate_core::report::Outcome;
use tidegate_tests::fault::InjectedFault;

use super::*;

const KEEP: &str = "{ releases = 2, days = 0 }";

/// Release `n`: two pages, each naming assets of its own release and one that changes with every third.
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

/// What is missing right now for somebody who has one of `cached` open, or who asks for a page.
fn missed(account: &LocalAws, cached: &[usize], pages: &[(String, Vec<String>)]) -> Vec<String> {
    let mut missed = Vec::new();
    for n in cached {
        let page = files(*n).first().map(|(_, body)| body.clone()).unwrap();
        missed.extend(
            assets(&page).into_iter().filter(|key| !exists(account, key)).map(|key| format!("{key} for a cached page")),
        );
    }
    for (page, wanted) in pages {
        missed.extend(wanted.iter().filter(|key| !exists(account, key)).map(|key| format!("{key} for {page}")));
    }
    missed
}

/// The pages that are on the site, with what they ask for. ETags tell which release a page is of, without reading bodies.
fn pages(account: &LocalAws, known: &BTreeMap<String, Vec<String>>) -> Vec<(String, Vec<String>)> {
    let on_site = account.s3().list(BUCKET, "docs/").unwrap();
    on_site
        .into_iter()
        .filter(|(key, _)| key.ends_with(".html"))
        .filter_map(|(key, info)| Some((key, known.get(info.etag.trim_matches('"'))?.clone())))
        .collect()
}

fn known() -> BTreeMap<String, Vec<String>> {
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
async fn nobody_misses_an_asset_while_releases_follow_each_other() {
    let world = world().await;
    let looks = Arc::new(AtomicUsize::new(0));
    for n in 0..7 {
        let publish = release(&world, n).await;
        let cached: Vec<usize> = n.checked_sub(1).into_iter().collect();
        let missing: Arc<Mutex<Vec<String>>> = Arc::default();
        let (account, found, known, count) = (world.account.clone(), Arc::clone(&missing), known(), Arc::clone(&looks));
        world.trouble(move |call| {
            count.fetch_add(1, Ordering::SeqCst);
            let before = missed(&account, &cached, &pages(&account, &known));
            found.lock().unwrap().extend(before.into_iter().map(|what| format!("{what} before {call}")));
            None
        });
        assert_eq!(publish.go().await.unwrap().outcome, Outcome::Live);
        world.peace();
        let cached: Vec<usize> = n.checked_sub(1).into_iter().collect();
        let mut all = std::mem::take(&mut *missing.lock().unwrap());
        all.extend(missed(&world.account, &cached, &pages(&world.account, &self::known())));
        assert!(all.is_empty(), "release {n}: {all:#?}");
        // The one before that is gone, so it is retention that keeps them, not neglect.
        if let Some(old) = n.checked_sub(2) {
            assert!(!exists(&world.account, &format!("app-{old}.js")), "release {old} at {n}");
        }
        assert_tidy(&world.account).await;
    }
    assert!(looks.load(Ordering::SeqCst) > 100);
}

/// A run dies at every request; then another release comes. Whoever saw a page of the dead run finds its assets.
#[test]
fn nobody_misses_an_asset_after_a_run_that_died() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        use futures::{StreamExt, stream};
        let died: Vec<bool> = stream::iter(0..40).map(died_at).buffer_unordered(12).collect().await;
        assert!(died.iter().filter(|died| **died).count() > 20);
    });
}

async fn died_at(at: usize) -> bool {
    let world = world().await;
    for n in [0, 1] {
        assert_eq!(release(&world, n).await.go().await.unwrap().outcome, Outcome::Live);
    }
    let count = AtomicUsize::new(0);
    world.trouble(move |_| (count.fetch_add(1, Ordering::SeqCst) >= at).then_some(InjectedFault::Refuse));
    let first = mortal(release(&world, 2).await).go().await;
    world.peace();
    // Somebody looks at the site, and keeps the pages that there are.
    let seen = pages(&world.account, &known());
    assert!(missed(&world.account, &[1], &seen).is_empty(), "died at {at}: {first:?}");
    assert_eq!(release(&world, 3).await.go().await.unwrap().outcome, Outcome::Live);
    let after = missed(&world.account, &[], &seen);
    assert!(after.is_empty(), "died at {at}: {after:?} after the next release");
    assert_tidy(&world.account).await;
    first.is_err() || first.is_ok_and(|report| report.outcome != Outcome::Live)
}
