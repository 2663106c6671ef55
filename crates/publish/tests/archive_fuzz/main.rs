//! The archive reader against thousands of spoiled archives, the same in every run.
//!
//! This is the short form of `make fuzz`, which takes its seeds, its mutations and its judgement from here and is guided
//! by coverage.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy takes helpers of tests for product code; a panic here is a finding"
)]

mod form;
mod mutation;
mod oracle;
mod seeds;

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::Path;

use fastrand::Rng;
use tokio::runtime::Runtime;

use oracle::{Judged, judge};

/// Archives of one run.
const ARCHIVES: usize = 6_000;

#[test]
fn every_seed_is_read_whole() {
    let runtime = Runtime::new().unwrap();
    for (at, seed) in seeds::seeds().iter().enumerate() {
        let judged = judge(&runtime, seed);
        assert!(matches!(judged, Judged::Opened { read: 1.., broken: 0, .. }), "seed {at}: {judged:?}");
    }
}

#[test]
fn taking_an_archive_apart_and_putting_it_together_changes_nothing() {
    let mut whole = 0;
    for seed in seeds::seeds() {
        let form = form::Form::parse(seed).unwrap();
        // Versions and times are not kept, so what comes out is compared with itself taken apart again.
        let bytes = form.to_bytes();
        assert_eq!(form::Form::parse(&bytes).unwrap().to_bytes(), bytes);
        whole += usize::from(bytes == *seed);
    }
    assert!(whole >= 8, "{whole} seeds are the same to the byte");
}

#[test]
fn spoiled_archives_are_refused_or_read_as_other_readers_do() {
    let runtime = Runtime::new().unwrap();
    let mut dice = Rng::with_seed(95);
    let mut pool = seeds::seeds().to_vec();
    let first = pool.len();
    let mut findings = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for at in 0..ARCHIVES {
        let from = pool[dice.usize(..pool.len())].clone();
        let spoiled = match at % 16 {
            0 => mutation::cross(&from, &pool[dice.usize(..pool.len())], &mut dice),
            _ => mutation::mutate(&from, &mut dice),
        };
        let judged = match catch_unwind(|| judge(&runtime, &spoiled)) {
            Ok(judged) => judged,
            Err(why) => {
                let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("finding-{at}.zip"));
                std::fs::write(&kept, &spoiled).unwrap();
                let why = why.downcast::<String>().map_or_else(|_| "no reason".to_owned(), |why| *why);
                findings.push(format!("{}: {why}", kept.display()));
                continue;
            }
        };
        // What is still an archive is spoiled further.
        if matches!(judged, Judged::Opened { .. }) && spoiled.len() < 10_000 {
            if pool.len() < first + 40 {
                pool.push(spoiled);
            } else {
                pool[first + dice.usize(..40)] = spoiled;
            }
        }
        let what = match judged {
            Judged::Refused(kind) => kind,
            Judged::Opened { broken: 0, streamed: 1.., .. } => "read whole, as a stream too",
            Judged::Opened { broken: 0, .. } => "read whole",
            Judged::Opened { .. } => "read in part",
        };
        *counts.entry(what).or_default() += 1;
    }
    println!("{counts:#?}");
    assert!(findings.is_empty(), "{} findings: {findings:#?}", findings.len());
    // A run that stops at the first check would prove nothing.
    for what in
        ["read whole", "read whole, as a stream too", "read in part", "damaged", "ambiguous", "an entry", "names"]
    {
        assert!(counts.get(what).is_some_and(|count| *count >= 50), "{what}: {counts:#?}");
    }
    for what in ["no zip", "a limit", "names that collide"] {
        assert!(counts.contains_key(what), "{what}: {counts:#?}");
    }
}
