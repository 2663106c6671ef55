//! Runs the archive reader on thousands of mutated archives, the same in every run. `make fuzz` uses the same seeds,
//! mutations and checks, and is guided by coverage.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy does not recognize helpers as test code; a panic here is a finding"
)]

mod zip_parts;
mod mutation;
mod oracle;
mod seeds;

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::Path;

use fastrand::Rng;
use tokio::runtime::Runtime;

use oracle::{CheckedArchive, check};

/// Archives of one run.
const ARCHIVES: usize = 6_000;

#[test]
fn reads_every_seed_completely() {
    let runtime = Runtime::new().unwrap();
    for (at, seed) in seeds::seeds().iter().enumerate() {
        let checked = check(&runtime, seed);
        assert!(matches!(checked, CheckedArchive::Opened { read: 1.., broken: 0, .. }), "seed {at}: {checked:?}");
    }
}

#[test]
fn parsing_and_writing_an_archive_changes_nothing() {
    let mut whole = 0;
    for seed in seeds::seeds() {
        let parts = zip_parts::ZipParts::parse(seed).unwrap();
        // Versions and times are not kept, so the result is compared with itself after another round.
        let bytes = parts.to_bytes();
        assert_eq!(zip_parts::ZipParts::parse(&bytes).unwrap().to_bytes(), bytes);
        whole += usize::from(bytes == *seed);
    }
    assert!(whole >= 8, "only {whole} seeds have the same bytes");
}

#[test]
fn refuses_mutated_archives_or_reads_them_like_other_readers() {
    let runtime = Runtime::new().unwrap();
    let mut rng = Rng::with_seed(95);
    let mut pool = seeds::seeds().to_vec();
    let first = pool.len();
    let mut findings = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for at in 0..ARCHIVES {
        let from = pool[rng.usize(..pool.len())].clone();
        let mutated = match at % 16 {
            0 => mutation::cross(&from, &pool[rng.usize(..pool.len())], &mut rng),
            _ => mutation::mutate(&from, &mut rng),
        };
        let checked = match catch_unwind(|| check(&runtime, &mutated)) {
            Ok(checked) => checked,
            Err(why) => {
                let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("finding-{at}.zip"));
                std::fs::write(&kept, &mutated).unwrap();
                let why = why.downcast::<String>().map_or_else(|_| "no message".to_owned(), |why| *why);
                findings.push(format!("{}: {why}", kept.display()));
                continue;
            }
        };
        // An archive that can still be opened is mutated further.
        if matches!(checked, CheckedArchive::Opened { .. }) && mutated.len() < 10_000 {
            if pool.len() < first + 40 {
                pool.push(mutated);
            } else {
                pool[first + rng.usize(..40)] = mutated;
            }
        }
        let what = match checked {
            CheckedArchive::Refused(kind) => kind,
            CheckedArchive::Opened { broken: 0, streamed: 1.., .. } => "read completely, also as a stream",
            CheckedArchive::Opened { broken: 0, .. } => "read completely",
            CheckedArchive::Opened { .. } => "read in part",
        };
        *counts.entry(what).or_default() += 1;
    }
    println!("{counts:#?}");
    assert!(findings.is_empty(), "{} findings: {findings:#?}", findings.len());
    // Every kind of outcome must occur, or the run proves nothing.
    for what in [
        "read completely",
        "read completely, also as a stream",
        "read in part",
        "damaged",
        "ambiguous",
        "an entry",
        "names",
    ] {
        assert!(counts.get(what).is_some_and(|count| *count >= 50), "{what}: {counts:#?}");
    }
    for what in ["not a zip", "a limit", "names that collide"] {
        assert!(counts.contains_key(what), "{what}: {counts:#?}");
    }
}
