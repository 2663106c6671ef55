//! Atomic releases: every release has its pages in a folder of its own.

use super::*;

pub(super) const KEEP: &str = "{ releases = 2, days = 0 }";

/// The lines of `[site.edge]` with atomic releases, and those without.
async fn edges(world: &World) -> (String, String) {
    let in_place = format!("shared = [\"_assets/\"]\nstore = \"{}\"", create_store(world).await);
    (format!("{in_place}\nreleases = \"atomic\""), in_place)
}

/// Release `n`: pages, a style sheet with a stable name, a fingerprinted script, and a shared image that stays.
pub(super) fn files(n: usize) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> =
        [("index.html", "home"), ("guide/index.html", "guide"), ("404.html", "lost"), ("style.css", "style")]
            .into_iter()
            .map(|(key, text)| (key.to_owned(), format!("{text} {n}")))
            .collect();
    files.push((format!("app.abcdef1{n}.js"), format!("script {n}")));
    files.push(("_assets/logo.svg".to_owned(), "logo".to_owned()));
    files
}

async fn release(world: &World, edge: &str, n: usize) -> Publish {
    let files = files(n);
    let files: Vec<(&str, &str)> = files.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    publish_edge(world, &edge_configuration(KEEP, edge), &format!("c{n}"), &files).await
}

/// The objects in place, and those in the folder of each release.
async fn folders(world: &World) -> (BTreeMap<String, String>, BTreeMap<String, BTreeMap<String, String>>) {
    let (mut place, mut folders) = (BTreeMap::new(), BTreeMap::<String, BTreeMap<String, String>>::new());
    for (key, text) in visible(&world.account).await {
        match key.strip_prefix(".r/").and_then(|rest| rest.split_once('/')) {
            Some((folder, key)) => drop(folders.entry(folder.to_owned()).or_default().insert(key.to_owned(), text)),
            None => drop(place.insert(key, text)),
        }
    }
    (place, folders)
}

fn in_folder(n: usize) -> BTreeMap<String, String> {
    files(n).into_iter().filter(|(key, _)| !key.starts_with("app.") && !key.starts_with("_assets/")).collect()
}

fn of_release(n: usize) -> BTreeMap<String, String> {
    files(n).into_iter().collect()
}

#[tokio::test]
async fn every_release_has_its_pages_in_a_folder() {
    let world = world().await;
    let (atomic, _) = edges(&world).await;
    for n in 1..=4 {
        let report = release(&world, &atomic, n).await.publish().await.unwrap();
        age_switches(&world).await;
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        assert_eq!(report.totals.published_objects, 6);
        assert_eq!(report.totals.versioned, 4);
        let (place, folders) = folders(&world).await;
        let pages: BTreeMap<String, String> = place
            .iter()
            .filter(|(key, _)| of_release(n).contains_key(*key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        assert_eq!(pages, of_release(n));
        assert_eq!(folders.get(&format!("r{n}")), Some(&in_folder(n)));
        let kept: Vec<String> = (n.saturating_sub(1).max(1)..=n).map(|n| format!("r{n}")).collect();
        assert_eq!(folders.keys().cloned().collect::<Vec<_>>(), kept, "releases = 2 keeps two folders");
        // The folder holds what a rollback needs.
        assert_eq!(report.done.archived, 0);
        assert_tidy(&world.account).await;
    }
    let unchanged = release(&world, &atomic, 4).await.publish().await.unwrap();
    assert_eq!(unchanged.outcome, Outcome::Unchanged, "{unchanged}");
    assert_eq!(folders(&world).await.1.len(), 2);
}

#[tokio::test]
async fn a_rollback_writes_nothing_to_the_site() {
    let world = world().await;
    let (atomic, _) = edges(&world).await;
    for n in 1..=2 {
        release(&world, &atomic, n).await.publish().await.unwrap();
        age_switches(&world).await;
    }
    let before = visible(&world.account).await;
    let configuration = edge_configuration(KEEP, &atomic);
    for (id, folder, release) in [("r1", "r1", 3), ("r2", "r2", 4), ("r3", "r1", 5)] {
        let report = rollback_edge(&world, &configuration, id).publish().await.unwrap();
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        assert_eq!((report.done.written, report.done.deleted, report.done.archived), (0, 0, 0), "{report}");
        assert_eq!(report.totals.published_objects, 6, "{report}");
        assert!(report.invalidations.is_empty());
        assert_eq!(stored_edge(&world, release).await["folder"], folder);
        assert_eq!(visible(&world.account).await, before);
        let pointer = pointer(&world.account).await;
        assert_eq!(pointer.live().unwrap().id.to_string(), format!("r{release}"));
    }
    // The release after a rollback is complete again.
    let report = release(&world, &atomic, 2).await.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let (place, folders) = folders(&world).await;
    assert_eq!(folders.get("r6"), Some(&in_folder(2)));
    assert!(of_release(2).iter().all(|(key, text)| place.get(key) == Some(text)));
}

#[tokio::test]
async fn a_site_can_become_atomic_and_back() {
    let world = world().await;
    let (atomic, in_place) = edges(&world).await;
    release(&world, &in_place, 1).await.publish().await.unwrap();
    release(&world, &atomic, 2).await.publish().await.unwrap();
    // The release before was in place: its bodies are archived, and it gets a folder.
    let configuration = edge_configuration(KEEP, &atomic);
    let report = rollback_edge(&world, &configuration, "r1").publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    let (place, all) = folders(&world).await;
    assert_eq!(all.get("r3"), Some(&in_folder(1)));
    assert!(of_release(1).iter().all(|(key, text)| place.get(key) == Some(text)));
    // A rollback without folders takes the pages from one.
    let report = rollback_edge(&world, &edge_configuration(KEEP, &in_place), "r2").publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    // A CDN may have copies of pages in place from before the folders.
    let paths: Vec<&str> = report.invalidations.iter().flat_map(|one| &one.paths).map(|path| path.as_str()).collect();
    for page in ["/", "/guide", "/guide/", "/guide/index.html", "/style.css"] {
        assert!(paths.contains(&page), "{paths:?}");
    }
    let (place, _) = folders(&world).await;
    assert!(of_release(2).iter().all(|(key, text)| place.get(key) == Some(text)));
    for n in 5..8 {
        age_switches(&world).await;
        let report = release(&world, &in_place, n).await.publish().await.unwrap();
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        let paths = report.invalidations.iter().flat_map(|one| &one.paths);
        assert!(paths.clone().all(|path| path.as_str() != "/_assets/logo.svg"), "{report}");
    }
    assert!(folders(&world).await.1.is_empty(), "no kept release has a folder");
    assert_tidy(&world.account).await;
}

/// Before the edge is installed, no function finds the folder of a release.
#[tokio::test]
async fn releases_are_in_place_without_a_store() {
    let world = world().await;
    let edge = "releases = \"atomic\"";
    for n in 1..=2 {
        let report = release(&world, edge, n).await.publish().await.unwrap();
        assert!(report.findings.iter().any(|finding| finding.code == "edge-not-installed"), "{report}");
    }
    let report = rollback_edge(&world, &edge_configuration(KEEP, edge), "r1").publish().await.unwrap();
    assert_eq!((report.outcome, report.invalidations.len()), (Outcome::Live, 1), "{report}");
    let (place, folders) = folders(&world).await;
    assert!(folders.is_empty() && of_release(1).iter().all(|(key, text)| place.get(key) == Some(text)), "{place:?}");
}

#[tokio::test]
async fn keys_in_the_folders_of_tidegate_are_refused() {
    let world = world().await;
    let (atomic, _) = edges(&world).await;
    for key in [".r/x.html", ".r/r1/index.html", ".p/pr-1/index.html"] {
        let files = [("index.html", "home"), (key, "text")];
        let publish = publish_edge(&world, &edge_configuration(KEEP, &atomic), "c1", &files).await;
        let error = publish.publish().await.unwrap_err().to_string();
        assert!(error.contains(key) && error.contains("Tidegate uses"), "{error}");
    }
    assert!(visible(&world.account).await.is_empty());
}
