//! The edge of a site whose pages are in the folder of a release: requests that fail while it is installed again and
//! removed, and the way back to pages in place.

use tidegate_core::report::PublishReport;
use tidegate_tests::world::request;

use super::faults::Visitors;
use super::*;

/// A site with a store. `releases` is the field of `[site.edge]`.
fn configured(store: &str, releases: &str) -> Site {
    let keep = CONFIGURATION.replace("[site.edge]", "keep = { releases = 1, days = 0 }\n[site.edge]");
    site(&format!("{keep}store = \"{store}\"\nreleases = \"{releases}\"\n"))
}

/// Publishes the pages of release `n`.
async fn publish(world: &World, site: &Site, n: usize) -> PublishReport {
    let files =
        ["index.html", "guide/index.html", "404.html"].map(|key| SourceObject::text(key, &format!("{key} {n}")));
    let directory = world.directory().join(format!("c{n}"));
    let source = Sources::directory(files).stage(&directory, &world.client()).await;
    let mut request = request(source);
    request.release = format!("c{n}").into();
    let publish = tidegate_tests::Publish { publisher: world.publisher(), site: site.clone(), request };
    let report = publish.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    // Errors leave the cache after 10 seconds.
    world.account.iam().clock().advance(Duration::from_secs(15));
    report
}

/// What the edge of a site should be, by its live release.
async fn live_spec(world: &World, site: &Site) -> EdgeSpec {
    let connection = connection(world, &Faults::none(), world.account.root_credentials());
    let mut spec = spec_of(site).with_releases(&connection, site).await.unwrap();
    // Two tests of the function are as good as all of them here.
    spec.probes.truncate(2);
    spec
}

/// A site whose second release is live in its folder, with an edge.
async fn atomic_site() -> (World, Visitors, Site) {
    let world = world().await;
    world.account.s3().create_bucket("state").await.unwrap();
    let installer = installer(&world, spec_of(&docs()));
    run_install(&installer, InstallMode::Keep).await.unwrap();
    let store = installer.read(StoreReading::Pointer).await.unwrap().store.unwrap().arn;
    let site = configured(&store, "atomic");
    let visitors = Visitors::of(&world).await;
    for n in 1..=2 {
        publish(&world, &site, n).await;
    }
    assert_release(&world, &visitors, 2).await;
    (world, visitors, site)
}

/// Visitors get the pages of this release, and index documents and the error page as long as the edge is installed.
async fn assert_release(world: &World, visitors: &Visitors, n: usize) {
    let behavior = config(world).await.default_cache_behavior.unwrap();
    let is_installed = behavior.function_associations.is_some_and(|functions| functions.quantity() > 0);
    for (path, key) in [("/", "index.html"), ("/guide/index.html", "guide/index.html")] {
        assert_eq!(visitors.get(path).await, (200, format!("{key} {n}")), "{path}, installed: {is_installed}");
    }
    if is_installed {
        assert_eq!(visitors.get("/guide/").await, (200, format!("guide/index.html {n}")));
        assert_eq!(visitors.get("/none").await, (404, format!("404.html {n}")));
    } else {
        assert_eq!((visitors.get("/guide/").await.0, visitors.get("/none").await.0), (403, 403));
    }
}

/// A failing request, once.
fn failing(world: &World, fault: &InjectedFault, number: usize, seen: &Arc<AtomicUsize>) -> Faults {
    let (seen, fault) = (Arc::clone(seen), fault.clone());
    impatient(world, move || (seen.fetch_add(1, Ordering::Relaxed) + 1 == number).then(|| fault.clone()))
}

/// What another program left of the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Store and function, without the associations of the distribution.
    Unassociated,
    /// Nothing.
    Nothing,
}

#[tokio::test]
async fn an_edge_with_a_release_folder_is_installed_through_faults() {
    for left in [Left::Unassociated, Left::Nothing] {
        for fault in [InjectedFault::Refuse, InjectedFault::Lose, InjectedFault::answer(503, "ServiceUnavailable")] {
            let requests = installed_through(left, &fault).await;
            assert!(requests > 12, "{left:?}: {requests} requests");
        }
    }
}

/// Returns how many requests an installation needs.
async fn installed_through(left: Left, fault: &InjectedFault) -> usize {
    let mut number = 1;
    loop {
        let (world, visitors, site) = atomic_site().await;
        let spec = live_spec(&world, &site).await;
        if left == Left::Nothing {
            // `remove` refuses to do this.
            run_remove(&installer(&world, EdgeSpec { served: ServedPages::InPlace, ..spec.clone() })).await.unwrap();
        } else {
            change(&world, |config| {
                let behavior = config.default_cache_behavior.as_mut().unwrap();
                behavior.function_associations = Some(FunctionAssociations::builder().quantity(0).build().unwrap());
            })
            .await;
        }
        let context = format!("{left:?}, {fault:?} at request {number}");
        let seen = Arc::new(AtomicUsize::new(0));
        let through = installer_with(&world, spec.clone(), &failing(&world, fault, number, &seen));
        if run_install(&through, InstallMode::Keep).await.is_err() {
            assert_safe(&world, &installer(&world, spec.clone())).await;
            if left == Left::Nothing {
                assert_release(&world, &visitors, 2).await;
            }
            run_install(&through, InstallMode::Keep).await.unwrap_or_else(|error| panic!("{context}: {error}"));
        }
        assert_safe(&world, &installer(&world, spec.clone())).await;
        assert_release(&world, &visitors, 2).await;
        assert_eq!(visitors.get("/.r/now").await.1, "r2\n", "{context}");
        if seen.load(Ordering::Relaxed) < number {
            // The next publish writes to the store, which is a new one if nothing was left.
            let store = installer(&world, spec).read(StoreReading::Pointer).await.unwrap().store.unwrap().arn;
            publish(&world, &configured(&store, "atomic"), 3).await;
            assert_release(&world, &visitors, 3).await;
            return number;
        }
        number += 1;
    }
}

#[tokio::test]
async fn the_way_back_from_releases_leads_through_pages_in_place() {
    for fault in [InjectedFault::Refuse, InjectedFault::Lose, InjectedFault::answer(503, "ServiceUnavailable")] {
        let mut number = 1;
        loop {
            let (world, visitors, site) = atomic_site().await;
            let before = config(&world).await;
            let refused = installer(&world, live_spec(&world, &site).await);
            let error = run_remove(&refused).await.unwrap_err().to_string();
            assert!(error.contains("`releases = \"in-place\"` in `[site.edge]` of `docs` and publish"), "{error}");
            assert_eq!(config(&world).await, before, "nothing was changed");
            // The same pages, at their own keys.
            let in_place = configured(site.edge.as_ref().unwrap().store.as_ref().unwrap().as_str(), "in-place");
            publish(&world, &in_place, 2).await;
            assert_release(&world, &visitors, 2).await;
            let spec = live_spec(&world, &in_place).await;
            assert_eq!(spec.served, ServedPages::InPlace);
            let seen = Arc::new(AtomicUsize::new(0));
            let through = installer_with(&world, spec.clone(), &failing(&world, &fault, number, &seen));
            if run_remove(&through).await.is_err() {
                assert_release(&world, &visitors, 2).await;
                run_remove(&through).await.unwrap_or_else(|error| panic!("{fault:?} at request {number}: {error}"));
            }
            let functions = config(&world).await.default_cache_behavior.unwrap().function_associations;
            assert!(functions.is_none_or(|functions| functions.quantity() == 0));
            assert_release(&world, &visitors, 2).await;
            let found = installer(&world, spec).read(StoreReading::Pointer).await.unwrap();
            assert!(found.store.is_none() && found.development.is_none());
            if seen.load(Ordering::Relaxed) < number {
                let mut without = in_place.clone();
                without.edge = None;
                publish(&world, &without, 4).await;
                assert_release(&world, &visitors, 4).await;
                break;
            }
            number += 1;
        }
        assert!(number > 10, "{number} requests");
    }
}

/// The configuration loses `[site.edge]` or its store, but the distribution still runs the function.
#[tokio::test]
async fn visitors_keep_their_release_while_publishes_do_not_know_the_store() {
    for keeps_section in [false, true] {
        let (world, visitors, mut site) = atomic_site().await;
        match &mut site.edge {
            Some(edge) if keeps_section => edge.store = None,
            edge => *edge = None,
        }
        for n in 3..=6 {
            publish(&world, &site, n).await;
            assert_eq!(visitors.get("/guide/").await, (200, "guide/index.html 2".to_owned()), "release {n}");
        }
    }
}
