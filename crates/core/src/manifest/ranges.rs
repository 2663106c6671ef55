//! Keys that split a site into ranges of about equal size, so that the next run can list the ranges side by side.
//!
//! They only make a listing faster: a range is listed with whatever it holds then.

use serde::{Deserialize, Serialize};

use super::ManifestRecord;
use crate::key::StoredKey;
use crate::release::FORMAT;

/// Objects of a range: ten pages of a listing.
pub const RANGE_OBJECTS: u64 = 10_000;

/// The ranges of a site when a release was made. Stored beside the manifest of the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestRanges {
    /// [`FORMAT`].
    pub format: u32,
    /// The last key of each range but the last one, in order.
    pub splits: Vec<StoredKey>,
}

/// Finds the ranges while a manifest is written.
#[derive(Debug)]
pub struct RangeCollector {
    /// Objects of a range.
    objects: u64,
    count: u64,
    splits: Vec<StoredKey>,
}

impl RangeCollector {
    /// Starts with ranges of `objects` objects.
    #[must_use]
    pub fn new(objects: u64) -> Self {
        Self { objects, count: 0, splits: Vec::new() }
    }

    /// Adds the next record of the manifest. Archived bodies are not on the site.
    pub fn add(&mut self, record: &ManifestRecord) {
        if record.state.is_on_site() {
            self.count += 1;
            if self.count.is_multiple_of(self.objects) {
                self.splits.push(record.key.clone());
            }
        }
    }

    /// The ranges; nothing if the site has fewer than two full ones. The last range is between one and two ranges long.
    #[must_use]
    pub fn finish(mut self) -> Option<ManifestRanges> {
        self.splits.pop();
        (!self.splits.is_empty()).then_some(ManifestRanges { format: FORMAT, splits: self.splits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{ContentIdentity, ETag};
    use crate::listing::PreservedAttributes;
    use crate::manifest::RecordState;

    fn splits(records: &[(&str, RecordState)]) -> Option<Vec<String>> {
        let mut ranges = RangeCollector::new(2);
        for (key, state) in records {
            ranges.add(&ManifestRecord {
                key: StoredKey::new(key),
                state: *state,
                size: 1,
                etag: ETag::new("x"),
                identity: ContentIdentity::default(),
                headers: crate::headers::ObjectHeaders::default(),
                redirect: None,
                attributes: PreservedAttributes::default(),
            });
        }
        Some(ranges.finish()?.splits.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn splits_what_is_on_the_site() {
        let (live, release) = (RecordState::Live, "r1".parse().unwrap());
        assert_eq!(splits(&[("a", live), ("b", live), ("c", live)]), None, "fewer than two ranges");
        let (retained, archived) = (RecordState::Retained(release), RecordState::Archived(release));
        let four = [("a", live), ("a", archived), ("b", retained), ("b", archived), ("c", live), ("d", live)];
        assert_eq!(splits(&four), Some(vec!["b".to_owned()]));
        let five = [&four[..], &[("e", live)]].concat();
        assert_eq!(splits(&five), Some(vec!["b".to_owned()]));
        let six = [&five[..], &[("f", live)]].concat();
        assert_eq!(splits(&six), Some(vec!["b".to_owned(), "d".to_owned()]));
    }
}
