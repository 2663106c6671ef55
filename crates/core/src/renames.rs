//! Detects renamed files, so that S3 copies them instead of receiving them again: new entries whose bytes are those of an
//! object that is not desired any more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::desired::{DesiredBody, DesiredEntry, DesiredSite};
use crate::identity::Sameness;
use crate::listing::ListedObject;
use crate::site_state::SiteState;

/// Smallest renamed body, in bytes, that is worth a digest.
const SMALLEST_RENAME: u64 = 4096;

/// Objects that are not desired, by size and content.
pub(crate) struct RenameIndex<'a> {
    /// The first object, in the order of keys, with this size and ETag. An ETag in the form of an MD5 is in lower case.
    by_content: HashMap<(u64, String), &'a ListedObject>,
    by_size: HashMap<u64, EqualSize>,
}

/// ETags in the form of an MD5 of objects with the same size.
enum EqualSize {
    /// All of them are equal.
    One(String),
    /// There are different ones.
    Several,
}

/// Entries of which the site has no object.
pub(crate) fn new_entries<'a>(desired: &'a DesiredSite, site: &'a SiteState) -> impl Iterator<Item = &'a DesiredEntry> {
    let unproven = desired.entries().iter().enumerate().filter(|(at, _)| !site.is_proven(*at));
    unproven.map(|(_, entry)| entry).filter(|entry| site.get(entry.key.as_str()).is_none())
}

impl<'a> RenameIndex<'a> {
    pub(crate) fn new(desired: &DesiredSite, site: &'a SiteState) -> Self {
        let mut index = Self { by_content: HashMap::new(), by_size: HashMap::new() };
        for object in site.objects() {
            if object.size < SMALLEST_RENAME || desired.get(object.key.as_str()).is_some() {
                continue;
            }
            let md5 = object.etag.as_md5().map(hex::encode);
            if let Some(md5) = &md5 {
                match index.by_size.entry(object.size) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(EqualSize::One(md5.clone()));
                    }
                    Entry::Occupied(mut other) => {
                        if matches!(other.get(), EqualSize::One(one) if one != md5) {
                            other.insert(EqualSize::Several);
                        }
                    }
                }
            }
            let content = md5.unwrap_or_else(|| object.etag.text().into_owned());
            index.by_content.entry((object.size, content)).or_insert(object);
        }
        index
    }

    /// Whether nothing can have been renamed.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_content.is_empty()
    }

    /// Whether only the entry's MD5 shows whether one of the objects has its content.
    pub(crate) fn needs_md5(&self, entry: &DesiredEntry) -> bool {
        let DesiredBody::Object { size, identity, .. } = &entry.body else { return false };
        let identity = identity.get();
        identity.md5.is_none()
            && match self.by_size.get(size) {
                // An equal ETag is proof already.
                Some(EqualSize::One(md5)) => identity.opaque.as_ref() != Some(md5),
                Some(EqualSize::Several) => true,
                None => false,
            }
    }

    /// The first object, in the order of keys, that has the content of a new entry.
    pub(crate) fn find(&self, entry: &DesiredEntry) -> Option<&'a ListedObject> {
        let DesiredBody::Object { size, identity, .. } = &entry.body else { return None };
        let identity = identity.get();
        let contents = [identity.opaque.clone(), identity.md5.map(hex::encode)];
        contents
            .into_iter()
            .flatten()
            .filter_map(|content| self.by_content.get(&(*size, content)).copied())
            .filter(|object| identity.compare(&object.identity()) == Sameness::Same)
            .min_by(|a, b| a.key.cmp(&b.key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::artifact::{Artifact, ArtifactItem, ArtifactNames, Fingerprint};
    use crate::declared::DeclaredHeaders;
    use crate::identity::{ContentIdentity, ETag, comparisons};
    use crate::key::{Key, StoredKey};
    use crate::listing::Pagination;
    use crate::release::id::ReleaseId;
    use crate::site_state::{SiteMerge, SiteMergeInputs, UnfinishedRuns};

    /// The desired site with these files, and a site with these objects. Both are sorted.
    fn sites(files: &[(String, u64, ContentIdentity)], objects: &[ListedObject]) -> (DesiredSite, SiteState) {
        let item = |(key, size, identity): &(String, u64, ContentIdentity)| ArtifactItem {
            key: Key::new(key).unwrap(),
            size: *size,
            identity: identity.clone().into(),
            declared: DeclaredHeaders::default(),
        };
        let items = files.iter().map(item).collect();
        let artifact = Artifact::new(items, Fingerprint("test".into()), ArtifactNames::Bucket).unwrap();
        let desired = DesiredSite::from(&artifact);
        let (unfinished, mut pagination) = (UnfinishedRuns::default(), Pagination::default());
        let mut merge = SiteMerge::new(SiteMergeInputs {
            desired: &desired,
            artifact: artifact.fingerprint(),
            unfinished: &unfinished,
            live: ReleaseId::default(),
            oldest_kept: ReleaseId::default(),
            verify: false,
        });
        pagination.page(objects, true).unwrap();
        objects.iter().for_each(|object| merge.push(Some(object.clone()), None));
        let site = merge.finish(pagination.finish().unwrap());
        (desired, site)
    }

    /// The definition: every new entry against every object of the same size.
    fn compare_all<'a>(
        entry: &DesiredEntry,
        desired: &DesiredSite,
        site: &'a SiteState,
    ) -> (bool, Option<&'a ListedObject>) {
        let DesiredBody::Object { size, identity, .. } = &entry.body else { return (false, None) };
        let identity = identity.get();
        let candidates: Vec<&ListedObject> = site
            .objects()
            .iter()
            .filter(|object| object.size >= SMALLEST_RENAME && object.size == *size)
            .filter(|object| desired.get(object.key.as_str()).is_none())
            .collect();
        let unknown = candidates
            .iter()
            .any(|object| object.etag.as_md5().is_some() && identity.compare(&object.identity()) == Sameness::Unknown);
        let same = candidates.into_iter().find(|object| identity.compare(&object.identity()) == Sameness::Same);
        (unknown && identity.md5.is_none(), same)
    }

    /// Few different values, so that many are equal.
    fn content() -> impl Strategy<Value = u8> {
        0_u8..3
    }

    fn identity() -> impl Strategy<Value = ContentIdentity> {
        let opaque = prop_oneof![
            content().prop_map(|byte| format!("multipart-{byte}")),
            content().prop_map(|byte| hex::encode([byte; 16])),
        ];
        let digests = (proptest::option::of(content()), proptest::option::of(content()), proptest::option::of(opaque));
        digests.prop_map(|(sha256, md5, opaque)| ContentIdentity {
            sha256: sha256.map(|byte| [byte; 32]),
            md5: md5.map(|byte| [byte; 16]),
            opaque,
            ..ContentIdentity::default()
        })
    }

    fn etag() -> impl Strategy<Value = ETag> {
        prop_oneof![
            4 => content().prop_map(|byte| ETag::new(&hex::encode([byte; 16]))),
            1 => content().prop_map(|byte| ETag::new(&hex::encode_upper([byte + 0xa0; 16]))),
            1 => content().prop_map(|byte| ETag::new(&format!("multipart-{byte}"))),
        ]
    }

    fn size() -> impl Strategy<Value = u64> {
        prop_oneof![Just(100_u64), Just(5_000), Just(6_000)]
    }

    proptest! {
        #[test]
        fn finds_what_comparing_all_with_all_finds(
            files in proptest::collection::btree_map("[a-e]{1,2}", (size(), identity()), 0..12),
            objects in proptest::collection::btree_map("[a-e]{1,2}", (size(), etag()), 0..12),
        ) {
            let files: Vec<_> = files.into_iter().map(|(key, (size, identity))| (key, size, identity)).collect();
            let objects: Vec<ListedObject> = objects
                .into_iter()
                .map(|(key, (size, etag))| ListedObject { key: StoredKey::new(&key), size, etag })
                .collect();
            let (desired, site) = sites(&files, &objects);
            let index = RenameIndex::new(&desired, &site);
            for entry in new_entries(&desired, &site) {
                let expected = compare_all(entry, &desired, &site);
                prop_assert_eq!((index.needs_md5(entry), index.find(entry)), expected, "{}", entry.key);
            }
        }
    }

    #[test]
    fn a_folder_of_equal_sizes_takes_one_comparison_for_each_file() {
        let count = 3_000_u32;
        let md5 = |number: u32| {
            let mut bytes = [7; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        let files: Vec<_> = (0..count)
            .map(|n| {
                (format!("new/{n:05}"), 5_000, ContentIdentity { md5: Some(md5(n)), ..ContentIdentity::default() })
            })
            .collect();
        let objects: Vec<ListedObject> = (0..count)
            .map(|n| ListedObject {
                key: StoredKey::new(&format!("old/{n:05}")),
                size: 5_000,
                etag: ETag::new(&hex::encode(md5(n))),
            })
            .collect();
        let (desired, site) = sites(&files, &objects);
        let before = comparisons();
        let index = RenameIndex::new(&desired, &site);
        let renamed = new_entries(&desired, &site).filter(|entry| !index.needs_md5(entry)).filter_map(|entry| {
            let found = index.find(entry)?;
            (found.key.as_str().strip_prefix("old/") == entry.key.as_str().strip_prefix("new/")).then_some(())
        });
        assert_eq!(renamed.count(), 3_000);
        assert_eq!(comparisons() - before, 3_000);
    }
}
