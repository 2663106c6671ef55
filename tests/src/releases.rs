//! Sites with releases, for tests: how they are configured and published, what visitors get of them, and what is stored.
//!
//! Owns what "nothing is left over" means: [`assert_tidy`].

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::location::Source;
use tidegate_core::manifest::{ManifestDecoder, ManifestRecord};
use tidegate_core::release::{ReleaseId, ReleasePointer};
use tidegate_core::request::Revision;
use tidegate_emulator::LocalAws;

use crate::world::{BUCKET, DISTRIBUTION, site};
use crate::{Publish, SourceObject, Sources, World};

/// Where releases are kept.
pub const STATE: &str = "state";

/// The site `docs` with releases, below a prefix of its bucket.
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

/// A world with a bucket for releases.
pub async fn world() -> World {
    let world = World::new().await;
    world.account.s3().create_bucket(STATE).await.unwrap();
    world
}

/// Keys and texts.
pub type Files<'a> = &'a [(&'a str, &'a str)];

/// A publish of some files, staged where nothing else is.
pub async fn publish_of(world: &World, keep: &str, release: &str, files: Files<'_>) -> Publish {
    let place = world.directory().join(release);
    let objects = files.iter().map(|(key, body)| SourceObject::text(key, body));
    let source = Sources::directory(objects).lay(&place, &world.client()).await;
    let mut request = crate::world::request(source);
    request.release = release.to_owned();
    Publish { publisher: world.publisher(), site: site(&configuration(keep)), request }
}

/// The same publish with a lease that lasts a second, for runs that are about to die.
#[must_use]
pub fn mortal(mut publish: Publish) -> Publish {
    publish.site.lease_seconds = 1.try_into().unwrap();
    publish
}

/// The same publish with a place in time.
#[must_use]
pub fn ordered(mut publish: Publish, at: u64) -> Publish {
    publish.request.revision = Some(Revision::of_commit(at));
    publish
}

/// A rollback to a release.
#[must_use]
pub fn back_to(world: &World, keep: &str, id: &str) -> Publish {
    let mut request = crate::world::request(Source::Release(id.parse().unwrap()));
    request.release = format!("back to {id}");
    Publish { publisher: world.publisher(), site: site(&configuration(keep)), request }
}

/// What visitors get: key and text.
pub async fn visible(account: &LocalAws) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (key, _) in account.s3().list(BUCKET, "docs/").unwrap() {
        let bytes = account.s3().get(BUCKET, &key).unwrap().content.bytes().await.unwrap();
        found.insert(key.trim_start_matches("docs/").to_owned(), String::from_utf8(bytes.to_vec()).unwrap());
    }
    found
}

/// What a site of such files is.
#[must_use]
pub fn texts_of(files: Files<'_>) -> BTreeMap<String, String> {
    files.iter().map(|(key, body)| ((*key).to_owned(), (*body).to_owned())).collect()
}

/// An object of the state; nothing where there is none.
pub async fn stored(account: &LocalAws, key: &str) -> Option<Vec<u8>> {
    let object = account.s3().get(STATE, &format!("tidegate/docs/{key}")).ok()?;
    Some(object.content.bytes().await.unwrap().to_vec())
}

/// The pointer.
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

/// The names below a folder of the state.
#[must_use]
pub fn names(account: &LocalAws, folder: &str) -> BTreeSet<String> {
    let prefix = format!("tidegate/docs/{folder}");
    account
        .s3()
        .list(STATE, &prefix)
        .unwrap()
        .into_iter()
        .map(|(key, _)| key.trim_start_matches(prefix.as_str()).to_owned())
        .collect()
}

/// Everything is accounted for: the pointer is settled, the manifest says what the site holds, and nothing lies around in
/// the state that no kept release names.
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
    assert_eq!(on_site, listed, "the manifest says what the site holds");

    let needed: BTreeSet<String> =
        records.iter().filter(|record| !record.state.is_on_site()).map(ManifestRecord::body_name).collect();
    assert_eq!(names(account, "bodies/"), needed, "every body that was set aside is needed");

    let files: BTreeSet<String> = names(account, "releases/");
    let known = |name: &String| {
        let stem = name.split('.').next().unwrap();
        let id: ReleaseId = stem.parse().unwrap();
        pointer.releases.iter().any(|past| past.id == id || past.manifest == Some(id))
    };
    assert!(files.iter().all(known), "{files:?} of {pointer:#?}");
    assert_eq!(names(account, "").iter().filter(|name| !name.contains('/')).count(), 2, "a lease and a pointer");
}

/// What the distribution was told, the first first.
#[must_use]
pub fn told(account: &LocalAws) -> Vec<BTreeSet<String>> {
    let all = account.cloudfront().invalidations(DISTRIBUTION).unwrap();
    all.iter().rev().map(|one| one.paths.iter().map(|path| path.as_str().to_owned()).collect()).collect()
}
