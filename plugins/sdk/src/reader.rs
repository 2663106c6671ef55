//! Reads many objects in the order of keys, within the read budget of a run.
//!
//! The host refuses reads when the budget of a run is spent. A reader counts with the same budget before it reads, so
//! which objects are read does not depend on batches.

use crate::content::{self, MAX_RANGE_BYTES, ReadError};
use crate::{Failure, Run};

/// Limit of one head, in bytes. Source: `wit/plugin.wit`.
const HEAD_BYTES: u32 = 64 << 10;

/// Limit of the heads of one call, in bytes: they are in memory together.
const CALL_BYTES: u64 = 4 << 20;

/// Base of the read budget, in bytes and in reads, and what each object adds. Source: `docs/limits.md`.
const BUDGET_BYTES: u64 = 64 << 20;
const BUDGET_BYTES_PER_OBJECT: u64 = 32 << 10;
const BUDGET_READS: u64 = 1_000;
const BUDGET_READS_PER_OBJECT: u64 = 2;

/// Reads the objects of one run.
#[derive(Debug)]
pub struct ObjectReader {
    bytes_left: u64,
    reads_left: u64,
    /// Limit of what is read of one object, in bytes.
    limit: u64,
}

/// An object to read.
#[derive(Clone, Copy, Debug)]
pub struct ObjectToRead<'a> {
    /// The key.
    pub key: &'a str,
    /// The size of its body, in bytes.
    pub size: u64,
}

/// A part of an object, in the order of offsets.
#[derive(Clone, Copy, Debug)]
pub struct ReadPart<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where they start in the object.
    pub offset: u64,
    /// Whether nothing more of the object is read.
    pub last: bool,
}

/// Whether to go on with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Read the next part, if there is one.
    Continue,
    /// Skip the rest of the object.
    Skip,
}

/// Objects that the budget did not allow to read, by their positions, or of which only the start was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread(pub Vec<usize>);

impl ObjectReader {
    /// A reader with the budget of this run. Of an object with more than `limit` bytes, at least 64 KiB, only the first
    /// ones are read.
    #[must_use]
    pub fn new(run: &Run, limit: u64) -> Self {
        Self {
            bytes_left: BUDGET_BYTES.saturating_add(BUDGET_BYTES_PER_OBJECT.saturating_mul(run.objects)),
            reads_left: BUDGET_READS.saturating_add(BUDGET_READS_PER_OBJECT.saturating_mul(run.objects)),
            limit: limit.max(u64::from(HEAD_BYTES)),
        }
    }

    /// Reads objects, and calls `visit` with the position of each and its parts. An empty object has one empty part.
    ///
    /// # Errors
    ///
    /// Storage fails.
    pub fn read(
        &mut self,
        objects: &[ObjectToRead<'_>],
        mut visit: impl FnMut(usize, ReadPart<'_>) -> Progress,
    ) -> Result<Unread, Failure> {
        let mut unread = Unread::default();
        let mut small = Vec::new();
        let mut small_bytes = 0;
        for (position, object) in objects.iter().enumerate() {
            let bytes = object.size.min(self.limit);
            if bytes > u64::from(HEAD_BYTES) {
                read_heads(objects, &std::mem::take(&mut small), &mut visit, &mut unread)?;
                small_bytes = 0;
                self.read_ranges(object, position, &mut visit, &mut unread)?;
                continue;
            }
            if !self.charge(bytes) {
                unread.0.push(position);
                continue;
            }
            if small_bytes + bytes > CALL_BYTES {
                read_heads(objects, &std::mem::take(&mut small), &mut visit, &mut unread)?;
                small_bytes = 0;
            }
            small.push(position);
            small_bytes += bytes;
        }
        read_heads(objects, &small, &mut visit, &mut unread)?;
        unread.0.sort_unstable();
        unread.0.dedup();
        Ok(unread)
    }

    /// Whether the budget allows another read of this many bytes.
    fn charge(&mut self, bytes: u64) -> bool {
        let allowed = self.reads_left > 0 && bytes <= self.bytes_left;
        if allowed {
            self.reads_left -= 1;
            self.bytes_left -= bytes;
        }
        allowed
    }

    fn read_ranges(
        &mut self,
        object: &ObjectToRead<'_>,
        position: usize,
        visit: &mut impl FnMut(usize, ReadPart<'_>) -> Progress,
        unread: &mut Unread,
    ) -> Result<(), Failure> {
        let end = object.size.min(self.limit);
        let mut offset = 0;
        while offset < end {
            let bytes = (end - offset).min(u64::from(MAX_RANGE_BYTES));
            if !self.charge(bytes) {
                break;
            }
            let length = u32::try_from(bytes).unwrap_or(MAX_RANGE_BYTES);
            let part = match content::range(object.key, offset, length) {
                Ok(part) => part,
                Err(ReadError::BudgetExhausted) => break,
                Err(error) => return Err(content::failure(object.key, &error)),
            };
            let part = ReadPart { bytes: &part, offset, last: offset + bytes >= end };
            if visit(position, part) == Progress::Skip {
                return Ok(());
            }
            offset += bytes;
        }
        if offset < object.size {
            unread.0.push(position);
        }
        Ok(())
    }
}

fn read_heads(
    objects: &[ObjectToRead<'_>],
    positions: &[usize],
    visit: &mut impl FnMut(usize, ReadPart<'_>) -> Progress,
    unread: &mut Unread,
) -> Result<(), Failure> {
    let keys: Vec<String> =
        positions.iter().filter_map(|position| objects.get(*position)).map(|object| object.key.to_owned()).collect();
    if keys.is_empty() {
        return Ok(());
    }
    for ((position, key), head) in positions.iter().zip(&keys).zip(content::heads(&keys, HEAD_BYTES)) {
        match head {
            Ok(bytes) => {
                visit(*position, ReadPart { bytes: &bytes, offset: 0, last: true });
            }
            Err(ReadError::BudgetExhausted) => unread.0.push(*position),
            Err(error) => return Err(content::failure(key, &error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ObjectReader, ObjectToRead, Progress, Unread};
    use crate::testing::{TestPlan, judge_in_batches};
    use crate::{Change, ChangeKind, Failure, Finding, Judgement, PolicyPlugin, Run, Settings, Totals};

    #[derive(serde::Deserialize, serde::Serialize)]
    #[serde(deny_unknown_fields, default)]
    struct ReaderSettings {
        limit: u64,
    }

    impl Default for ReaderSettings {
        fn default() -> Self {
            Self { limit: 3 << 20 }
        }
    }

    impl Settings for ReaderSettings {}

    /// Reports what it read: the size and the number of parts of each object, and what was left out.
    struct Listing(ObjectReader);

    impl PolicyPlugin for Listing {
        type Settings = ReaderSettings;

        fn begin(run: &Run, _: &Totals, settings: ReaderSettings) -> Result<Self, Failure> {
            Ok(Self(ObjectReader::new(run, settings.limit)))
        }

        fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure> {
            let objects: Vec<_> = batch.iter().map(|c| ObjectToRead { key: &c.key, size: c.size }).collect();
            let mut read = vec![(0, 0); batch.len()];
            let Unread(unread) = self.0.read(&objects, |position, part| {
                assert_eq!(part.offset, read[position].0 as u64, "parts are in order");
                read[position].0 += part.bytes.len();
                read[position].1 += 1;
                if part.bytes.first() == Some(&b'!') { Progress::Skip } else { Progress::Continue }
            })?;
            let line = |(position, (bytes, parts)): (usize, &(usize, i32))| {
                let state = if unread.contains(&position) { "incomplete" } else { "complete" };
                Finding::info("read", format!("{bytes} bytes in {parts} parts, {state}")).with_key(&batch[position].key)
            };
            Ok(read.iter().enumerate().map(line).collect())
        }

        fn conclude(&mut self) -> Result<Judgement, Failure> {
            Ok(Judgement::allow())
        }
    }

    fn read(sizes: &[(&str, u8, usize)]) -> Vec<String> {
        let plan = sizes.iter().fold(TestPlan::new(), |plan, (key, byte, size)| {
            plan.change(ChangeKind::Create, key, *size as u64).content(key, vec![*byte; *size])
        });
        let by_batch = [1, 2, 1_000].map(|size| judge_in_batches::<Listing>("{}", &plan, size).unwrap().findings);
        assert!(by_batch.iter().all(|findings| *findings == by_batch[0]), "{by_batch:?}");
        by_batch[0].iter().map(|f| format!("{}: {}", f.key.as_deref().unwrap_or(""), f.message)).collect()
    }

    #[test]
    fn reads_small_objects_whole_and_large_ones_in_parts_up_to_the_limit() {
        assert_eq!(
            read(&[
                ("a", b'x', 0),
                ("b", b'x', 65_536),
                ("c", b'x', 65_537),
                ("d", b'x', 3 << 20),
                ("e", b'x', 4 << 20)
            ]),
            [
                "a: 0 bytes in 1 parts, complete",
                "b: 65536 bytes in 1 parts, complete",
                "c: 65537 bytes in 1 parts, complete",
                "d: 3145728 bytes in 3 parts, complete",
                "e: 3145728 bytes in 3 parts, incomplete",
            ]
        );
        assert_eq!(read(&[("a", b'!', 2 << 20)]), ["a: 1048576 bytes in 1 parts, complete"]);
    }

    #[test]
    fn what_exceeds_the_budget_is_not_read_whatever_the_batches_are() {
        let names: Vec<String> = (0..24).map(|at| format!("{at:02}")).collect();
        let sizes: Vec<_> = names.iter().map(|name| (name.as_str(), b'x', 3 << 20)).collect();
        let read = read(&sizes);
        let complete = read.iter().filter(|line| line.ends_with(", complete")).count();
        // 64 MiB + 24 · 32 KiB are 21 objects of 3 MiB, and one more part.
        assert_eq!(complete, 21);
        assert!(read[21].contains("1048576 bytes in 1 parts, incomplete"), "{read:?}");
        assert!(read[23].contains("0 bytes in 0 parts, incomplete"), "{read:?}");
    }
}
