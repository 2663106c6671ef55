//! Collects what unfinished runs planned and wrote, line by line.
//!
//! An automaton is built from sorted keys, and the lines of a run are sorted by phase and key. So lines are collected into
//! parts, each sorted; in the end, the parts are merged.

use fst::map::OpBuilder;
use fst::{Map, MapBuilder, Streamer};
use thin_vec::ThinVec;

use super::{LastOperation, TouchedKey, UnfinishedRuns};
use crate::artifact::Fingerprint;
use crate::key::StoredKey;
use crate::listing::PreservedAttributes;
use crate::plan::shards::{ResultLine, ShardLine};
use crate::plan::{Action, ArchiveCopy, ChangeReason, Operation, PlanLine, WritePhase};
use crate::release::id::ReleaseId;
use crate::site_state::fingerprint::ObjectFingerprints;

/// Lines of a part: some 20 MB until it is sorted.
const PART: usize = 100_000;

/// A bug: the keys of unfinished runs cannot be indexed.
#[derive(Debug, thiserror::Error)]
#[error("the keys of unfinished runs cannot be indexed, which is a bug in Tidegate: {0}")]
pub struct KeyIndexError(#[from] fst::Error);

/// Makes an [`UnfinishedRuns`].
#[derive(Debug)]
pub struct UnfinishedRunsBuilder {
    runs: Vec<ReleaseId>,
    attributes: Vec<PreservedAttributes>,
    /// Lines that are not in a part yet, in the order in which they were added.
    lines: Vec<(StoredKey, TouchedKey)>,
    parts: Vec<Part>,
    part: usize,
}

/// Keys with what is known about each, by its number.
type Part = (Map<Vec<u8>>, Vec<TouchedKey>);

impl Default for UnfinishedRunsBuilder {
    fn default() -> Self {
        Self::new(PART)
    }
}

impl UnfinishedRunsBuilder {
    /// Makes parts of so many lines.
    fn new(part: usize) -> Self {
        let (runs, attributes, lines, parts) =
            (Vec::new(), vec![PreservedAttributes::default()], Vec::new(), Vec::new());
        Self { runs, attributes, lines, parts, part }
    }

    /// Adds an unfinished run. The lines of its stored plan follow.
    pub fn begin(&mut self, run: ReleaseId) {
        self.runs.push(run);
    }

    /// Adds a line of the plan of the run that was added last.
    ///
    /// # Errors
    /// [`KeyIndexError`].
    pub fn add(&mut self, line: PlanLine) -> Result<(), KeyIndexError> {
        match line {
            PlanLine::Operation(operation) => {
                let touched = self.operation(&operation);
                self.push(operation.key, touched)
            }
            PlanLine::Archive(ArchiveCopy { key, etag, .. }) => {
                let archived = ThinVec::from([etag]);
                self.push(key, TouchedKey { archived, ..TouchedKey::default() })
            }
        }
    }

    /// Adds a shard of the plan of the run that was added last. `result` is what it wrote, if that is known, and `artifact`
    /// the source of the run. Both are in the order of keys.
    ///
    /// # Errors
    /// [`KeyIndexError`].
    pub fn add_shard(
        &mut self,
        lines: Vec<ShardLine>,
        result: Vec<ResultLine>,
        artifact: &Fingerprint,
    ) -> Result<(), KeyIndexError> {
        let mut result = result.into_iter().peekable();
        for ShardLine { work, source, .. } in lines {
            let operation = match work {
                PlanLine::Operation(operation) => operation,
                copy @ PlanLine::Archive(_) => {
                    self.add(copy)?;
                    continue;
                }
            };
            while result.next_if(|written| written.key < operation.key).is_some() {}
            let written = result.next_if(|written| written.key == operation.key);
            let object = ObjectFingerprints::of_operation(&operation, source.as_ref(), artifact);
            let mut touched = self.operation(&operation);
            if let Some((ResultLine { etag, attributes, .. }, object)) = written.zip(object) {
                touched.written = object.stored_as(&etag);
                touched.attributes = self.number(attributes);
            }
            self.push(operation.key, touched)?;
        }
        Ok(())
    }

    /// Everything that was added.
    ///
    /// # Errors
    /// [`KeyIndexError`].
    pub fn finish(mut self) -> Result<UnfinishedRuns, KeyIndexError> {
        self.end_part()?;
        let Self { runs, attributes, parts, .. } = self;
        let (keys, touched) = merge(parts)?;
        Ok(UnfinishedRuns { keys, touched, runs, attributes })
    }

    /// What an operation of the run that was added last does to its key.
    fn operation(&self, operation: &Operation) -> TouchedKey {
        let last = match (&operation.action, self.runs.len().checked_sub(1)) {
            (Action::Delete { .. }, _) | (_, None) => LastOperation::Delete,
            (_, Some(run)) => {
                use ChangeReason::{ContentUnknown, HeadersDiffer, RedirectDiffers};
                LastOperation::Write {
                    // A state has a few unfinished runs.
                    run: u16::try_from(run).unwrap_or(u16::MAX),
                    page: operation.phase() == WritePhase::Pages,
                    keeps_etag: matches!(operation.reason, ContentUnknown | HeadersDiffer | RedirectDiffers),
                }
            }
        };
        TouchedKey { last, ..TouchedKey::default() }
    }

    /// The number of attributes. There are few different ones.
    fn number(&mut self, attributes: PreservedAttributes) -> u32 {
        let known = self.attributes.iter().position(|known| *known == attributes);
        let number = known.unwrap_or_else(|| {
            self.attributes.push(attributes);
            self.attributes.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn push(&mut self, key: StoredKey, touched: TouchedKey) -> Result<(), KeyIndexError> {
        self.lines.push((key, touched));
        if self.lines.len() >= self.part { self.end_part() } else { Ok(()) }
    }

    fn end_part(&mut self) -> Result<(), KeyIndexError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        // Stable: of lines of one key, the last one counts.
        self.lines.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut collected = CollectedKeys::default();
        let mut lines = self.lines.drain(..).peekable();
        while let Some((key, mut touched)) = lines.next() {
            while let Some((_, later)) = lines.next_if(|(next, _)| *next == key) {
                touched.then(later);
            }
            collected.push(key.as_str(), touched)?;
        }
        drop(lines);
        self.parts.push(collected.finish()?);
        Ok(())
    }
}

impl TouchedKey {
    /// Adds what was planned for the key afterwards.
    fn then(&mut self, later: Self) {
        let Self { written, attributes, last, archived } = later;
        if self.archived.is_empty() {
            // Almost always the only one, without room for others.
            self.archived = archived;
        } else {
            for etag in archived {
                if !self.archived.contains(&etag) {
                    self.archived.push(etag);
                }
            }
        }
        if matches!(last, LastOperation::None) {
            return;
        }
        // Whatever an earlier run wrote under the key is not certain any more.
        (self.written, self.attributes) = (written, attributes);
        self.last = match (self.last, last) {
            (LastOperation::Write { keeps_etag: true, .. }, LastOperation::Write { run, page, .. }) => {
                LastOperation::Write { run, page, keeps_etag: true }
            }
            // The object of an earlier run may still be there.
            (write @ LastOperation::Write { .. }, LastOperation::Delete) => write,
            (_, last) => last,
        };
    }
}

/// Collects sorted keys.
struct CollectedKeys {
    keys: MapBuilder<Vec<u8>>,
    touched: Vec<TouchedKey>,
}

impl Default for CollectedKeys {
    fn default() -> Self {
        Self { keys: MapBuilder::memory(), touched: Vec::new() }
    }
}

impl CollectedKeys {
    fn push(&mut self, key: impl AsRef<[u8]>, touched: TouchedKey) -> Result<(), KeyIndexError> {
        self.keys.insert(key, self.touched.len() as u64)?;
        self.touched.push(touched);
        Ok(())
    }

    fn finish(mut self) -> Result<Part, KeyIndexError> {
        self.touched.shrink_to_fit();
        Ok((self.keys.into_map(), self.touched))
    }
}

/// Merges parts. Of parts with the same key, the last one counts.
fn merge(mut parts: Vec<Part>) -> Result<Part, KeyIndexError> {
    if parts.len() <= 1 {
        return Ok(parts.pop().unwrap_or_default());
    }
    let (keys, mut touched): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let mut take = |part: usize, number: u64| {
        let touched = touched.get_mut(part)?.get_mut(usize::try_from(number).ok()?)?;
        Some(std::mem::take(touched))
    };
    let (mut merged, mut collected) = (keys.iter().collect::<OpBuilder<'_>>().union(), CollectedKeys::default());
    while let Some((key, found)) = merged.next() {
        let mut found = found.to_vec();
        found.sort_unstable_by_key(|found| found.index);
        let mut known = found.into_iter().filter_map(|found| take(found.index, found.value));
        let mut all = known.next().unwrap_or_default();
        known.for_each(|later| all.then(later));
        collected.push(key, all)?;
    }
    collected.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::identity::ETag;
    use crate::key::Key;
    use crate::plan::PlannedBody;

    const KEYS: [&str; 4] = ["a", "a/b", "é", "z"];

    /// A line by numbers: key, kind, version.
    fn line((key, kind, version): (usize, u8, u8)) -> PlanLine {
        let key = StoredKey::new(KEYS[key]);
        let etag = ETag::new(&format!("{version}"));
        if kind == 0 {
            return PlanLine::Archive(ArchiveCopy { key, etag, size: 1, last: ReleaseId::default() });
        }
        let action = match kind {
            1 => Action::Delete { size: 1, etag },
            _ => Action::Put {
                body: PlannedBody::Source(Key::new("from").unwrap()),
                size: 1,
                identity: Default::default(),
                headers: Default::default(),
                replaces: None,
            },
        };
        let reason = if kind == 2 { ChangeReason::HeadersDiffer } else { ChangeReason::ContentDiffers };
        PlanLine::Operation(Operation { key, reason, action })
    }

    /// The definition: what is known about a key after all lines.
    #[derive(Debug, Default, PartialEq)]
    struct Known {
        write: Option<(ReleaseId, bool)>,
        archived: Vec<ETag>,
    }

    proptest! {
        #[test]
        fn lines_of_a_key_add_up_in_their_order(runs in vec(vec((0..KEYS.len(), 0_u8..4, 0_u8..3), 0..9), 0..4), part in 1_usize..9) {
            let (mut builder, mut expected) = (UnfinishedRunsBuilder::new(part), BTreeMap::<StoredKey, Known>::new());
            let mut id = ReleaseId::default();
            for lines in runs {
                id = id.next();
                builder.begin(id);
                for line in lines.into_iter().map(line) {
                    match &line {
                        PlanLine::Archive(copy) => {
                            let archived = &mut expected.entry(copy.key.clone()).or_default().archived;
                            if !archived.contains(&copy.etag) {
                                archived.push(copy.etag.clone());
                            }
                        }
                        PlanLine::Operation(operation) => {
                            let known = expected.entry(operation.key.clone()).or_default();
                            if !matches!(operation.action, Action::Delete { .. }) {
                                let kept = known.write.is_some_and(|(_, keeps)| keeps);
                                known.write = Some((id, kept || operation.reason == ChangeReason::HeadersDiffer));
                            }
                        }
                    }
                    builder.add(line).unwrap();
                }
            }
            let unfinished = builder.finish().unwrap();
            for key in KEYS.map(StoredKey::new) {
                let write = unfinished.write(&key).map(|write| (write.run, write.keeps_etag));
                let archived = unfinished.get(&key).map(|key| key.archived.to_vec()).unwrap_or_default();
                let is_touched = unfinished.is_touched(&key);
                prop_assert_eq!(is_touched, expected.contains_key(&key));
                prop_assert_eq!(Known { write, archived }, expected.remove(&key).unwrap_or_default());
            }
        }
    }
}
