//! A plan in the state of a site as shards, for a publish that several workers carry out.
//!
//! A shard is a range of keys of one phase. Its document has all that a worker needs beside the index, and its result says
//! what S3 answered. The index is stored last: without it, nothing of the plan was carried out. Deletes are in no shard,
//! because they follow the writes of all of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Action, ArchiveCopy, Operation, Plan, PlanLine, PlannedBody, WritePhase};
use crate::desired::DesiredSite;
use crate::identity::ETag;
use crate::key::{Key, StoredKey};
use crate::listing::PreservedAttributes;
use crate::location::Location;
use crate::manifest::written::WrittenObject;
use crate::stored_lines::{LinePosition, StoredLine};

/// Most operations of a shard. At the 3,500 writes a second that S3 takes for a prefix, a shard lasts at least a second,
/// so that starting a worker is a small part of it. 5 million operations are 1,250 shards.
pub const SHARD_OPERATIONS: usize = 4_000;

/// Most bytes of a shard, in bytes (8 GiB), unless a single operation has more: two minutes of a worker that sends 70 MB a
/// second.
pub const SHARD_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// A phase of a plan that is carried out in shards. Every shard of a phase ends before the next phase begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShardPhase {
    /// Bodies are archived before they are replaced or deleted.
    Archive,
    /// Everything that pages refer to.
    Assets,
    /// What visitors fetch first.
    Pages,
}

/// The stored index of a sharded plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ShardIndex {
    /// The format of the state.
    pub format: u32,
    /// The plan without its operations.
    pub plan: Plan,
    /// Where bodies are copied from within S3; absent if they are read from an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Location>,
    /// The shards, by phase and key. The number of a shard is its position, counted from 1.
    pub shards: Vec<PlanShard>,
}

/// A shard, as its index describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanShard {
    /// Its number.
    pub number: u32,
    /// Its phase.
    pub phase: ShardPhase,
    /// Its first key.
    pub first: StoredKey,
    /// Its last key.
    pub last: StoredKey,
    /// Operations.
    pub operations: u64,
    /// Bytes that are sent or copied.
    pub bytes: u64,
    /// SHA-256 of its document.
    pub sha256: String,
}

/// A shard in the list of its phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardListItem {
    /// The number of the shard.
    pub shard: u32,
}

/// Where the list of a phase's shards is: a JSON array of [`ShardListItem`], which a Distributed Map reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardList {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

/// A line of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardLine {
    /// What is done.
    #[serde(rename = "w")]
    pub work: PlanLine,
    /// The key of the body in the artifact, unless the operation says it.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Key>,
    /// The object that the body is copied from.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<ShardBody>,
}

/// An object that a body is copied from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardBody {
    /// Its key below [`ShardIndex::staged`].
    #[serde(rename = "k")]
    pub key: StoredKey,
    /// Its ETag.
    #[serde(rename = "e")]
    pub etag: ETag,
}

/// A line of the result of a shard: what S3 answered to one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultLine {
    /// The key.
    #[serde(rename = "k")]
    pub key: StoredKey,
    /// The ETag of the object.
    #[serde(rename = "e")]
    pub etag: ETag,
    /// What a copy of it onto itself must preserve.
    #[serde(rename = "p", default, skip_serializing_if = "is_default")]
    pub attributes: PreservedAttributes,
}

fn is_default(attributes: &PreservedAttributes) -> bool {
    *attributes == PreservedAttributes::default()
}

impl StoredLine for ShardLine {
    const DOCUMENT: &'static str = "shard";

    fn position(&self) -> LinePosition {
        self.work.position()
    }
}

impl StoredLine for ResultLine {
    const DOCUMENT: &'static str = "result";

    fn position(&self) -> LinePosition {
        (self.key.clone(), None)
    }
}

impl From<(StoredKey, WrittenObject)> for ResultLine {
    fn from((key, WrittenObject { etag, attributes }): (StoredKey, WrittenObject)) -> Self {
        Self { key, etag, attributes }
    }
}

impl ShardPhase {
    /// Every phase, in order.
    pub const ALL: [Self; 3] = [Self::Archive, Self::Assets, Self::Pages];

    fn of(phase: WritePhase) -> Option<Self> {
        match phase {
            WritePhase::Assets => Some(Self::Assets),
            WritePhase::Pages => Some(Self::Pages),
            WritePhase::Deletes => None,
        }
    }
}

impl fmt::Display for ShardPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Archive => "archive",
            Self::Assets => "assets",
            Self::Pages => "pages",
        })
    }
}

impl ShardLine {
    fn bytes(&self) -> u64 {
        match &self.work {
            PlanLine::Operation(operation) => operation.size(),
            PlanLine::Archive(copy) => copy.size,
        }
    }

    fn archive(copy: &ArchiveCopy) -> Self {
        Self { work: PlanLine::Archive(copy.clone()), source: None, staged: None }
    }

    fn operation(operation: &Operation, desired: &DesiredSite, staged: &impl Fn(&Key) -> Option<ShardBody>) -> Self {
        let (source, staged) = match &operation.action {
            Action::Put { body: PlannedBody::Source(key), .. } => (None, staged(key)),
            Action::Put { body: PlannedBody::Site { .. }, .. } | Action::Headers { .. } => {
                let entry = desired.get(operation.key.as_str());
                (entry.and_then(|entry| entry.body.source()).cloned(), None)
            }
            Action::Put { body: PlannedBody::Redirect(_), .. } | Action::Delete { .. } => (None, None),
        };
        Self { work: PlanLine::Operation(operation.clone()), source, staged }
    }
}

impl PlanShard {
    /// The description of a shard with these lines, whose document has this digest.
    #[must_use]
    pub fn of(number: u32, phase: ShardPhase, lines: &[ShardLine], sha256: String) -> Self {
        let key = |line: Option<&ShardLine>| line.map(|line| line.position().0).unwrap_or_else(|| StoredKey::new(""));
        Self {
            number,
            phase,
            first: key(lines.first()),
            last: key(lines.last()),
            operations: lines.len() as u64,
            bytes: lines.iter().map(ShardLine::bytes).sum(),
            sha256,
        }
    }
}

impl ShardIndex {
    /// A shard by its number.
    #[must_use]
    pub fn shard(&self, number: u32) -> Option<&PlanShard> {
        self.shards.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }
}

impl Plan {
    /// The plan without its operations.
    #[must_use]
    pub fn head(&self) -> Self {
        Self { operations: Vec::new(), archive: Vec::new(), ..self.clone() }
    }

    /// How many operations shards carry out.
    #[must_use]
    pub fn sharded_operations(&self) -> u64 {
        let writes = self.operations.iter().filter(|operation| ShardPhase::of(operation.phase()).is_some()).count();
        (writes + self.archive.len()) as u64
    }

    /// Cuts the plan into shards of at most `most` operations, in the order in which they are carried out. `staged` says
    /// where the body of a key of the artifact is copied from.
    pub fn shards<'a>(
        &'a self,
        desired: &'a DesiredSite,
        most: usize,
        staged: &'a (impl Fn(&Key) -> Option<ShardBody> + Sync),
    ) -> impl Iterator<Item = (ShardPhase, Vec<ShardLine>)> + Send + 'a {
        ShardPhase::ALL.into_iter().flat_map(move |phase| {
            let copies = self.archive.iter().filter(move |_| phase == ShardPhase::Archive).map(ShardLine::archive);
            let writes =
                self.operations.iter().filter(move |operation| ShardPhase::of(operation.phase()) == Some(phase));
            let writes = writes.map(move |operation| ShardLine::operation(operation, desired, staged));
            cut(copies.chain(writes), most).map(move |lines| (phase, lines))
        })
    }
}

/// Groups lines by the limits of a shard.
fn cut(lines: impl Iterator<Item = ShardLine> + Send, most: usize) -> impl Iterator<Item = Vec<ShardLine>> + Send {
    let mut lines = lines.peekable();
    std::iter::from_fn(move || {
        let first = lines.next()?;
        let (mut bytes, mut shard) = (first.bytes(), vec![first]);
        while shard.len() < most
            && let Some(line) = lines.next_if(|line| bytes.saturating_add(line.bytes()) <= SHARD_BYTES)
        {
            bytes += line.bytes();
            shard.push(line);
        }
        Some(shard)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::stored::tests::plan;
    use super::*;
    use crate::headers::ObjectHeaders;
    use crate::identity::ContentIdentity;
    use crate::plan::ChangeReason;
    use crate::stored_lines::{LineDecoder, LineEncoder};

    /// A plan that writes keys of these sizes and archives the body that each replaces.
    fn writes(keys: &BTreeMap<String, u64>) -> Plan {
        let mut plan = plan(&keys.keys().map(|key| (key.clone(), true)).collect());
        for (operation, size) in plan.operations.iter_mut().zip(keys.values()) {
            let body = PlannedBody::Source(Key::new(operation.key.as_str()).unwrap());
            let (identity, headers) = (ContentIdentity::default(), ObjectHeaders::default());
            operation.reason = ChangeReason::ContentDiffers;
            operation.action = Action::Put { body, size: *size, identity: identity.into(), headers, replaces: None };
        }
        plan
    }

    proptest! {
        #[test]
        fn shards_have_every_write_and_copy_once_by_phase_and_key(
            keys in proptest::collection::btree_map("[a-c]{1,4}(\\.html)?", 0..SHARD_BYTES, 0..30),
            most in 1_usize..6,
        ) {
            let plan = writes(&keys);
            let staged = |key: &Key| Some(ShardBody { key: key.stored(), etag: ETag::new("e") });
            let shards: Vec<_> = plan.shards(&DesiredSite::default(), most, &staged).collect();
            prop_assert!(shards.is_sorted_by_key(|(phase, _)| *phase));
            for (phase, lines) in &shards {
                let shard = PlanShard::of(1, *phase, lines, String::new());
                prop_assert!((1..=most).contains(&lines.len()));
                prop_assert!(lines.len() == 1 || shard.bytes <= SHARD_BYTES, "{} bytes", shard.bytes);
                // It is stored as it is.
                let bytes = LineEncoder::whole(&(), lines).unwrap();
                prop_assert_eq!(&LineDecoder::<ShardLine>::whole(&bytes).unwrap(), lines);
            }
            let (mut operations, mut archive) = (Vec::new(), Vec::new());
            for line in shards.into_iter().flat_map(|(_, lines)| lines) {
                match line.work {
                    PlanLine::Operation(operation) => operations.push(operation),
                    PlanLine::Archive(copy) => archive.push(copy),
                }
            }
            operations.sort_by(|a, b| a.key.cmp(&b.key));
            prop_assert_eq!(plan.sharded_operations(), (operations.len() + archive.len()) as u64);
            prop_assert_eq!((operations, archive), (plan.operations, plan.archive));
        }
    }

    #[test]
    fn deletes_are_in_no_shard() {
        let plan = plan(&BTreeMap::from([("a".to_owned(), false), ("b".to_owned(), true)]));
        let shards: Vec<_> = plan.shards(&DesiredSite::default(), 9, &|_: &Key| None).collect();
        let [(ShardPhase::Archive, lines)] = shards.as_slice() else { panic!("{shards:?}") };
        assert_eq!(lines.len(), 1);
    }
}
