//! Visitors of an atomic site: between any two requests of a publish or a rollback, an edge location shows one whole
//! release, whether the switch has reached it or not.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tidegate_core::edge::{EdgeKeys, OnFailure, function_code};
use tidegate_emulator::LocalAws;
use tidegate_emulator::function::{EdgeFunction, request_event};
use tidegate_tests::fault::{AwsService, InjectedFault};
use tidegate_tests::world::configuration as sdk_configuration;

use super::releases::{KEEP, files};
use super::*;

/// The keys of the store, read without faults.
fn keys(account: &LocalAws, store: &str) -> EdgeKeys {
    let connection = Connection::new(sdk_configuration(account.http_client(), account.root_credentials(), 1), true);
    let values = KeyValues::new(&connection, &store.to_owned().try_into().unwrap());
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(values.keys())).unwrap()
}

/// An edge location, with the keys that have reached it.
struct EdgeLocation<'a> {
    account: &'a LocalAws,
    function: EdgeFunction,
}

impl<'a> EdgeLocation<'a> {
    fn new(account: &'a LocalAws, keys: EdgeKeys) -> Self {
        let code = function_code(&"docs".to_owned().try_into().unwrap(), OnFailure::Open);
        Self { account, function: EdgeFunction::new(&code, move |key| keys.get(key).cloned()).unwrap() }
    }

    /// The text of a path; `None` for an error.
    fn get(&self, path: &str) -> Option<String> {
        let answer = self.function.request(&request_event("docs.example.com", path)).unwrap();
        let uri = answer["uri"].as_str().unwrap_or_else(|| panic!("{path}: {answer}"));
        let key = format!("docs{}", percent_encoding::percent_decode_str(uri).decode_utf8().unwrap());
        let object = self.account.s3().get(BUCKET, &key).ok()?;
        let bytes = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(object.content.bytes()));
        Some(String::from_utf8(bytes.unwrap().to_vec()).unwrap())
    }

    /// The release that visitors see, or what is wrong with it.
    fn release(&self) -> Result<usize, String> {
        let home = self.get("/").ok_or("no home page")?;
        let n: usize = home.rsplit(' ').next().unwrap().parse().map_err(|_| format!("`{home}`"))?;
        for (key, text) in files(n) {
            let path = format!("/{}", key.trim_end_matches("index.html"));
            match self.get(&path) {
                Some(found) if found == text => {}
                found => return Err(format!("{path} of release {n} is {found:?}")),
            }
        }
        Ok(n)
    }
}

/// Every release that visitors see now, at an edge location that has the keys of the store, or those of before.
fn seen(account: &LocalAws, store: &str, before: &EdgeKeys) -> Result<BTreeSet<usize>, String> {
    let mut seen = BTreeSet::new();
    for keys in [keys(account, store), before.clone()] {
        seen.insert(EdgeLocation::new(account, keys).release()?);
    }
    Ok(seen)
}

async fn live_site() -> (World, String, String) {
    let world = world().await;
    let store = create_store(&world).await;
    let configuration = edge_configuration(KEEP, &format!("releases = \"atomic\"\nstore = \"{store}\""));
    (world, store, configuration)
}

async fn release(world: &World, configuration: &str, n: usize) -> Publish {
    let files = files(n);
    let files: Vec<(&str, &str)> = files.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    publish_edge(world, configuration, &format!("c{n}"), &files).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_see_one_whole_release_during_publishes_and_rollbacks() {
    let (world, store, configuration) = live_site().await;
    release(&world, &configuration, 1).await.publish().await.unwrap();
    let checks = Arc::new(AtomicUsize::new(0));
    let mut live = 1;
    for (step, target) in [Ok(2), Ok(3), Err(("r2", 2)), Ok(4), Err(("r4", 2)), Ok(5)].into_iter().enumerate() {
        let (publish, n) = match target {
            Ok(n) => (release(&world, &configuration, n).await, n),
            Err((id, n)) => (rollback_edge(&world, &configuration, id), n),
        };
        let before = keys(&world.account, &store);
        let wrong: Arc<Mutex<Vec<String>>> = Arc::default();
        let (account, found, count, name) =
            (world.account.clone(), Arc::clone(&wrong), Arc::clone(&checks), store.clone());
        let old = before.clone();
        world.inject_faults(move |call| {
            count.fetch_add(1, Ordering::SeqCst);
            match seen(&account, &name, &old) {
                Ok(seen) if seen.iter().all(|seen| [live, n].contains(seen)) => {}
                seen => found.lock().unwrap().push(format!("{seen:?} before {call}")),
            }
            None
        });
        let report = publish.publish().await.unwrap();
        world.stop_faults();
        assert_eq!(report.outcome, Outcome::Live, "step {step}: {report}");
        let wrong = std::mem::take(&mut *wrong.lock().unwrap());
        assert!(wrong.is_empty(), "step {step}, from {live} to {n}: {wrong:#?}");
        let after = seen(&world.account, &store, &before).unwrap();
        assert_eq!(after, BTreeSet::from([live, n]), "step {step}");
        // Neither a page nor a style sheet: only what is served in place.
        let mut paths = report.invalidations.iter().flat_map(|one| &one.paths);
        assert!(paths.all(|path| path == "/404.html" || path.starts_with("/app.")), "{:?}", report.invalidations);
        assert_tidy(&world.account).await;
        live = n;
    }
    println!("{} checks", checks.load(Ordering::SeqCst));
    assert!(checks.load(Ordering::SeqCst) > 100);
}

/// A run is killed at each request, then it is repeated.
#[test]
fn visitors_see_one_whole_release_after_a_killed_run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut killed = 0;
        for rollback in [false, true] {
            for at in 0..60 {
                if !killed_at(at, rollback).await {
                    break;
                }
                killed += 1;
            }
        }
        println!("killed at {killed} requests");
        assert!(killed > 40, "{killed}");
    });
}

async fn killed_at(at: usize, rollback: bool) -> bool {
    let (world, store, configuration) = live_site().await;
    for n in [1, 2] {
        assert_eq!(release(&world, &configuration, n).await.publish().await.unwrap().outcome, Outcome::Live);
    }
    let (again, n) = match rollback {
        true => (rollback_edge(&world, &configuration, "r1"), 1),
        false => (release(&world, &configuration, 3).await, 3),
    };
    let before = keys(&world.account, &store);
    let count = AtomicUsize::new(0);
    world.inject_faults(move |_| (count.fetch_add(1, Ordering::SeqCst) >= at).then_some(InjectedFault::Refuse));
    let first = again.publish().await;
    world.stop_faults();
    expire_lease(&world).await;
    let context = |what: &str| format!("{what} after a kill at {at}, rollback: {rollback}, {first:?}");
    let between = seen(&world.account, &store, &before).unwrap_or_else(|error| panic!("{}", context(&error)));
    assert!(between.iter().all(|seen| [2, n].contains(seen)), "{}", context(&format!("{between:?}")));
    let keys_between = keys(&world.account, &store);
    let report = again.publish().await.unwrap();
    assert!(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), "{}", context(&report.to_string()));
    let after = EdgeLocation::new(&world.account, keys(&world.account, &store)).release();
    assert_eq!(after, Ok(n), "{}", context("the repetition"));
    for stale in [before, keys_between] {
        let seen = EdgeLocation::new(&world.account, stale).release();
        assert!(seen == Ok(2) || seen == Ok(n), "{}", context(&format!("a stale edge location sees {seen:?}")));
    }
    assert_tidy(&world.account).await;
    first.is_err() || first.is_ok_and(|report| report.outcome != Outcome::Live)
}

/// The store loses its keys, or another program changes the pointer: visitors get the pages in place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_get_the_pages_in_place_without_a_pointer() {
    let (world, store, configuration) = live_site().await;
    for n in [1, 2] {
        release(&world, &configuration, n).await.publish().await.unwrap();
    }
    let mut broken = keys(&world.account, &store);
    broken.insert("docs".to_owned(), "{".to_owned());
    for keys in [EdgeKeys::new(), broken] {
        assert_eq!(EdgeLocation::new(&world.account, keys).release(), Ok(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_switch_is_pending_and_repeated() {
    let (world, store, configuration) = live_site().await;
    release(&world, &configuration, 1).await.publish().await.unwrap();
    for fault in [InjectedFault::Refuse, InjectedFault::Lose] {
        let n = if fault == InjectedFault::Refuse { 2 } else { 3 };
        let publish = release(&world, &configuration, n).await;
        world.inject_faults(move |call| (call.operation == "UpdateKeys").then(|| fault.clone()));
        let report = publish.publish().await.unwrap();
        world.stop_faults();
        assert_eq!(report.outcome, Outcome::LiveSwitchPending, "{report}");
        assert!(report.to_string().contains("edge: not switched to"), "{report}");
        let repeated = publish.publish().await.unwrap();
        assert_eq!(repeated.outcome, Outcome::Live, "{repeated}");
        assert_eq!(EdgeLocation::new(&world.account, keys(&world.account, &store)).release(), Ok(n));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_is_one_update_of_the_store() {
    let (world, _, configuration) = live_site().await;
    for n in [1, 2] {
        release(&world, &configuration, n).await.publish().await.unwrap();
    }
    world.clear_requests();
    let report = rollback_edge(&world, &configuration, "r1").publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let calls = world.faults.calls();
    let of_store: Vec<&str> = calls
        .iter()
        .filter(|call| call.service == AwsService::KeyValueStore)
        .map(|call| call.operation.as_str())
        .collect();
    assert_eq!(of_store, ["DescribeKeyValueStore", "UpdateKeys"]);
    let written = calls.iter().filter(|call| call.bucket.as_deref() == Some(BUCKET) && !call.only_reads());
    assert_eq!(written.count(), 0);
    assert!(!calls.iter().any(|call| call.operation == "CreateInvalidation"));
}
