//! A site with releases, for tests: its configuration, its publishes, the objects that visitors see, and its stored
//! state. [`assert_tidy`] checks that nothing superfluous is stored.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::config::LeaseSeconds;
use tidegate_core::lease::LeaseRecord;
use tidegate_core::location::Source;
use tidegate_core::manifest::{ManifestDecoder, ManifestRecord};
use tidegate_core::release::{ReleaseId, ReleasePointer};
use tidegate_core::request::Revision;
use tidegate_emulator::LocalAws;

use crate::world::{BUCKET, DISTRIBUTION, site};
use crate::{Publish, SourceObject, Sources, World};

/// The bucket of the state.
pub const STATE: &str = "state";

/// A configuration with the site `docs` under `docs/` and a state. `keep` is the site's `keep` table.
#[must_use]
pub fn configuration(keep: &str) -> String {
    format!(
        r#"state = "s3://{STATE}/tidegate/"

[[site]]
name = "docs"
target = "s3://{BUCKET}/docs/"
cdn = [{{ distribution = "{DISTRIBUTION}", origin-path = "/docs" }}]
keep = {keep}

[[site.sync]]
plugin = "mime"

[[site.policy]]
plugin = "guard"
settings = {{ max-delete-share = 1.0 }}
"#
    )
}

/// A world with a bucket for the state.
pub async fn world() -> World {
    let world = World::new().await;
    world.account.s3().create_bucket(STATE).await.unwrap();
    world
}

/// Keys with their texts.
pub type Files<'a> = &'a [(&'a str, &'a str)];

/// A publish of these files, from a source directory of its own.
pub async fn publish_of(world: &World, keep: &str, release: &str, files: Files<'_>) -> Publish {
    let directory = world.directory().join(release);
    let objects = files.iter().map(|(key, body)| SourceObject::text(key, body));
    let source = Sources::directory(objects).stage(&directory, &world.client()).await;
    let mut request = crate::world::request(source);
    request.release = release.into();
    Publish { publisher: world.publisher(), site: site(&configuration(keep)), request }
}

/// The same publish with a lease of three seconds, for runs that a test pauses for longer. A configuration allows no such
/// lease.
#[must_use]
pub fn with_short_lease(mut publish: Publish) -> Publish {
    publish.site.lease_seconds = LeaseSeconds::any(3);
    publish
}

/// The stored lease.
pub async fn lease(account: &LocalAws) -> LeaseRecord {
    serde_json::from_slice(&stored(account, "lease.json").await.unwrap()).unwrap()
}

/// Stores a lease in place of the current one.
pub async fn replace_lease(world: &World, lease: &LeaseRecord) {
    let put = world.client().put_object().bucket(STATE).key("tidegate/docs/lease.json");
    put.body(serde_json::to_vec(lease).unwrap().into()).send().await.unwrap();
}

/// Lets the lease of a killed run expire.
pub async fn expire_lease(world: &World) {
    if stored(&world.account, "lease.json").await.is_some() {
        replace_lease(world, &LeaseRecord { seconds: 0, ..lease(&world.account).await }).await;
    }
}

/// The same publish with a revision at time `at`.
#[must_use]
pub fn with_revision(mut publish: Publish, at: u64) -> Publish {
    publish.request.revision = Some(Revision::of_commit(at));
    publish
}

/// A rollback to the release `id`.
#[must_use]
pub fn rollback_to(world: &World, keep: &str, id: &str) -> Publish {
    let mut request = crate::world::request(Source::Release(id.parse().unwrap()));
    request.release = format!("back to {id}").into();
    Publish { publisher: world.publisher(), site: site(&configuration(keep)), request }
}

/// The objects on the site: keys, without the site's prefix, with their texts.
pub async fn visible(account: &LocalAws) -> BTreeMap<String, String> {
    let mut objects = BTreeMap::new();
    for (key, _) in account.s3().list(BUCKET, "docs/").unwrap() {
        let bytes = account.s3().get(BUCKET, &key).unwrap().content.bytes().await.unwrap();
        objects.insert(key.trim_start_matches("docs/").to_owned(), String::from_utf8(bytes.to_vec()).unwrap());
    }
    objects
}

/// The objects of a site that holds exactly these files.
#[must_use]
pub fn texts_of(files: Files<'_>) -> BTreeMap<String, String> {
    files.iter().map(|(key, body)| ((*key).to_owned(), (*body).to_owned())).collect()
}

/// An object of the site's state, if it exists.
pub async fn stored(account: &LocalAws, key: &str) -> Option<Vec<u8>> {
    let object = account.s3().get(STATE, &format!("tidegate/docs/{key}")).ok()?;
    Some(object.content.bytes().await.unwrap().to_vec())
}

/// The site's release pointer.
pub async fn pointer(account: &LocalAws) -> ReleasePointer {
    serde_json::from_slice(&stored(account, "current.json").await.unwrap()).unwrap()
}

/// The records of a release's manifest.
pub async fn manifest(account: &LocalAws, id: ReleaseId) -> Vec<ManifestRecord> {
    let bytes = stored(account, &format!("releases/{}.manifest.gz", id.stem())).await.unwrap();
    let mut decoder = ManifestDecoder::default();
    let mut records = decoder.push(&bytes).unwrap();
    records.extend(decoder.finish().unwrap());
    records
}

/// The keys in a folder of the site's state, relative to that folder.
#[must_use]
pub fn state_files(account: &LocalAws, folder: &str) -> BTreeSet<String> {
    let prefix = format!("tidegate/docs/{folder}");
    account
        .s3()
        .list(STATE, &prefix)
        .unwrap()
        .into_iter()
        .map(|(key, _)| key.trim_start_matches(prefix.as_str()).to_owned())
        .collect()
}

/// Checks that the pointer is finalized, that the manifest equals the site, and that the state holds only files that a
/// kept release needs.
pub async fn assert_tidy(account: &LocalAws) {
    let pointer = pointer(account).await;
    assert!(pointer.finalized && pointer.pending_invalidations.is_empty(), "{pointer:#?}");
    let live = pointer.live().unwrap();
    let records = manifest(account, live.manifest.unwrap()).await;

    let on_site: BTreeMap<String, String> = records
        .iter()
        .filter(|record| record.state.is_on_site())
        .map(|record| (record.key.to_string(), record.etag.to_string()))
        .collect();
    let listed: BTreeMap<String, String> = account
        .s3()
        .list(BUCKET, "docs/")
        .unwrap()
        .into_iter()
        .map(|(key, info)| (key.trim_start_matches("docs/").to_owned(), info.etag.trim_matches('"').to_owned()))
        .collect();
    assert_eq!(on_site, listed, "the manifest must equal the site");

    let needed: BTreeSet<String> =
        records.iter().filter(|record| !record.state.is_on_site()).map(ManifestRecord::body_name).collect();
    assert_eq!(
        state_files(account, "bodies/"),
        needed,
        "the state must hold exactly the archived bodies that are needed"
    );

    let files: BTreeSet<String> = state_files(account, "releases/");
    let known = |name: &String| {
        let stem = name.split('.').next().unwrap();
        let id: ReleaseId = stem.parse().unwrap();
        pointer.releases.iter().any(|entry| entry.id == id || entry.manifest == Some(id))
    };
    assert!(files.iter().all(known), "{files:?} of {pointer:#?}");
    let others = ["edge-keys.json", "staged-headers.gz"];
    let is_document = |name: &&String| !name.contains('/') && !others.contains(&name.as_str());
    let top_level = state_files(account, "").iter().filter(is_document).count();
    assert_eq!(top_level, 2, "only the lease and the pointer are outside of folders");
}

/// The paths of each invalidation of the distribution, oldest first.
#[must_use]
pub fn invalidated_paths(account: &LocalAws) -> Vec<BTreeSet<String>> {
    let all = account.cloudfront().invalidations(DISTRIBUTION).unwrap();
    all.iter()
        .rev()
        .map(|invalidation| invalidation.paths.iter().map(|path| path.as_str().to_owned()).collect())
        .collect()
}
