//! A plan in the state of a site, as lines: each operation, followed by the body that is archived before it.
//!
//! A later run reads them to know what a run that did not finish may have changed. The inputs of the plan are in the record
//! of the release.

use serde::{Deserialize, Serialize};

use super::{ArchiveCopy, Operation, Plan, PlanTotals};
use crate::external_text::ExternalText;
use crate::location::{Location, Source};
use crate::put_options::ObjectSettings;
use crate::stored_lines::{LineEncoder, LineError, LinePosition, StoredLine};

/// A line of a stored plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanLine {
    /// An operation.
    Operation(Operation),
    /// A body that is archived before it is replaced or deleted.
    Archive(ArchiveCopy),
}

impl StoredLine for PlanLine {
    const DOCUMENT: &'static str = "plan";

    fn position(&self) -> LinePosition {
        match self {
            Self::Operation(operation) => (operation.key.clone(), None),
            Self::Archive(copy) => (copy.key.clone(), Some(copy.etag.clone())),
        }
    }
}

/// Writes a plan.
pub type PlanEncoder = LineEncoder<PlanLine>;

/// What the first line says about the plan, for people.
#[derive(Serialize)]
struct PlanSummary<'a> {
    site: &'a str,
    release: &'a ExternalText,
    instant: u64,
    source: &'a Source,
    target: &'a Location,
    objects: &'a ObjectSettings,
    totals: &'a PlanTotals,
}

impl Plan {
    /// Starts to store the plan.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn encoder(&self) -> Result<PlanEncoder, LineError> {
        let Self { site, release, instant, source, target, objects, totals, .. } = self;
        LineEncoder::new(&PlanSummary { site, release, instant: *instant, source, target, objects, totals })
    }

    /// The lines of the stored plan.
    pub fn lines(&self) -> impl Iterator<Item = PlanLine> + Send {
        let mut archive = self.archive.iter().peekable();
        self.operations.iter().flat_map(move |operation| {
            let copy = archive.next_if(|copy| copy.key == operation.key).cloned();
            std::iter::once(PlanLine::Operation(operation.clone())).chain(copy.map(PlanLine::Archive))
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::artifact::Fingerprint;
    use crate::identity::ETag;
    use crate::key::StoredKey;
    use crate::plan::{Action, ChangeReason, FORMAT, PlanInputs};
    use crate::stored_lines::LineDecoder;

    /// A plan that deletes these keys, and archives those of them that are marked.
    pub(in crate::plan) fn plan(keys: &std::collections::BTreeMap<String, bool>) -> Plan {
        let etag = |key: &str| ETag::new(&format!("etag of {key}"));
        let operation = |key: &str| Operation {
            key: StoredKey::new(key),
            reason: ChangeReason::Stale,
            action: Action::Delete { size: 7, etag: etag(key) },
        };
        let copy =
            |key: &str| ArchiveCopy { key: StoredKey::new(key), etag: etag(key), size: 7, last: "r3".parse().unwrap() };
        Plan {
            format: FORMAT,
            site: "docs".to_owned(),
            release: "c1".into(),
            instant: 1,
            source: "dist".parse().unwrap(),
            target: "s3://site/".parse().unwrap(),
            objects: ObjectSettings::default(),
            inputs: PlanInputs {
                artifact: Fingerprint("x".into()),
                listing: String::new(),
                kept: String::new(),
                live: None,
                oldest_kept: None,
                plugins: Vec::new(),
                edge: None,
            },
            totals: PlanTotals::default(),
            operations: keys.keys().map(|key| operation(key)).collect(),
            archive: keys.iter().filter(|(_, archived)| **archived).map(|(key, _)| copy(key)).collect(),
        }
    }

    fn encode(plan: &Plan) -> Vec<u8> {
        let (mut encoder, mut bytes) = (plan.encoder().unwrap(), Vec::new());
        for line in plan.lines() {
            encoder.push(&line).unwrap();
            bytes.extend(encoder.take().unwrap_or_default());
        }
        bytes.extend(encoder.finish().unwrap());
        bytes
    }

    fn decode<T: StoredLine>(bytes: &[u8], chunk: usize) -> Result<Vec<T>, LineError> {
        let (mut decoder, mut lines) = (LineDecoder::default(), Vec::new());
        for piece in bytes.chunks(chunk) {
            lines.extend(decoder.push(piece)?);
        }
        lines.extend(decoder.finish()?);
        Ok(lines)
    }

    proptest! {
        #[test]
        fn stores_every_operation_and_every_archived_body(
            keys in proptest::collection::btree_map("[a-c/é]{1,6}", any::<bool>(), 0..40),
            chunk in 1_usize..200,
        ) {
            let plan = plan(&keys);
            let (mut operations, mut archive) = (Vec::new(), Vec::new());
            for line in decode(&encode(&plan), chunk).unwrap() {
                match line {
                    PlanLine::Operation(operation) => operations.push(operation),
                    PlanLine::Archive(copy) => archive.push(copy),
                }
            }
            prop_assert_eq!((operations, archive), (plan.operations, plan.archive));
        }

        #[test]
        fn rejects_a_truncated_plan(at: prop::sample::Index) {
            let bytes = encode(&plan(&(0..50).map(|n| (format!("{n:03}"), true)).collect()));
            let at = at.index(bytes.len() - 1);
            prop_assert!(decode::<PlanLine>(&bytes[..at], 16).is_err());
        }
    }

    #[test]
    fn names_what_is_wrong_with_a_document() {
        let bytes = encode(&plan(&(0..50).map(|n| (format!("{n:03}"), true)).collect()));
        let error = |bytes: &[u8]| decode::<PlanLine>(bytes, 16).unwrap_err().to_string();
        assert_eq!(error(&bytes[..bytes.len() / 2]), "it is truncated: the last line is missing");
        assert_eq!(error(&[]), "it is truncated: the last line is missing");
        let text = |lines: &[&str]| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            lines.iter().for_each(|line| std::io::Write::write_all(&mut gzip, format!("{line}\n").as_bytes()).unwrap());
            gzip.finish().unwrap()
        };
        let first = format!(r#"{{"tidegate":"plan","format":{}}}"#, crate::release::FORMAT);
        assert_eq!(decode::<PlanLine>(&text(&[&first, r#"{"lines":0}"#]), 16).unwrap(), []);
        assert_eq!(error(&text(&[&first])), "it is truncated: the last line is missing");
        assert_eq!(error(&text(&[&first, r#"{"lines":1}"#])), "it is truncated: the last line is missing");
        let other = error(&text(&[r#"{"tidegate":"plan","format":99}"#]));
        assert_eq!(other, "it has format 99, but this version of Tidegate reads 3");
        assert_eq!(error(&text(&[r#"{"tidegate":"manifest","format":3}"#])), "it holds a `manifest`");
        assert!(error(&text(&[&first, "{}"])).starts_with("line 2 is invalid: "));
        assert!(error(b"not gzip, but long enough").starts_with("it is damaged: "));
    }

    #[test]
    fn writes_no_line_that_it_would_not_read() {
        let long = PlanLine::Operation(Operation {
            key: StoredKey::new("a"),
            reason: ChangeReason::Stale,
            action: Action::Delete { size: 7, etag: ETag::new(&"x".repeat(1024 * 1024)) },
        });
        let error = plan(&std::collections::BTreeMap::new()).encoder().unwrap().push(&long).unwrap_err();
        assert_eq!(error.to_string(), "line 2 has more than 1048576 bytes");
    }
}
