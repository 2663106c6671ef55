//! The archive reader under libFuzzer: archives that are spoiled where readers differ, guided by coverage.
//!
//! Owns the frame and the bound on memory. Seeds, mutations and the judgement are those of the tests in
//! `crates/publish/tests/archive_fuzz`. `fuzz/run` builds and starts it.
#![no_main]

#[path = "../../crates/publish/tests/archive_fuzz/form.rs"]
mod form;
#[path = "../../crates/publish/tests/archive_fuzz/mutation.rs"]
mod mutation;
#[path = "../../crates/publish/tests/archive_fuzz/oracle.rs"]
mod oracle;
#[path = "../../crates/publish/tests/archive_fuzz/seeds.rs"]
mod seeds;

use std::sync::LazyLock;

use fastrand::Rng;
use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};
use peak_alloc::PeakAlloc;
use tokio::runtime::Runtime;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads"));

/// Bytes that judging one archive may take beside the archive: its contents by three readers (4 MiB each, and once more
/// while they are compared), parsers' buffers, threads.
const MOST_MEMORY: usize = 40 << 20;

fuzz_target!(|bytes: &[u8]| {
    LazyLock::force(&RUNTIME);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    oracle::judge(&RUNTIME, bytes);
    let taken = MEMORY.peak_usage().saturating_sub(before);
    assert!(taken <= MOST_MEMORY + 8 * bytes.len(), "{taken} bytes of memory for an archive of {}", bytes.len());
});

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    let mut dice = Rng::with_seed(u64::from(seed));
    if dice.u8(..10) == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, most);
    }
    let mutated = mutation::mutate(&data[..size], &mut dice);
    match data.get_mut(..mutated.len()).filter(|_| mutated.len() <= most) {
        Some(room) => {
            room.copy_from_slice(&mutated);
            mutated.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, most),
    }
});

fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
    let crossed = mutation::cross(one, other, &mut Rng::with_seed(u64::from(seed)));
    match out.get_mut(..crossed.len()) {
        Some(room) => {
            room.copy_from_slice(&crossed);
            crossed.len()
        }
        None => 0,
    }
});
