//! Fuzzes the archive reader with libFuzzer, guided by coverage, and limits its memory.
//!
//! Seeds, mutations and the oracle are those of the tests in `crates/publish/tests/archive_fuzz`. `fuzz/run` builds and
//! starts this program.
#![no_main]

#[path = "../../crates/publish/tests/archive_fuzz/zip_parts.rs"]
mod zip_parts;
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

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("the async runtime starts"));

/// Bytes of memory for one archive, in addition to the archive: its contents from three readers (4 MiB each, twice during the
/// comparison), the buffers of parsers, and threads.
const MAX_MEMORY: usize = 40 << 20;

fuzz_target!(|bytes: &[u8]| {
    LazyLock::force(&RUNTIME);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    oracle::check(&RUNTIME, bytes);
    let used = MEMORY.peak_usage().saturating_sub(before);
    assert!(used <= MAX_MEMORY + 8 * bytes.len(), "{used} bytes of memory for an archive of {} bytes", bytes.len());
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Rng::with_seed(u64::from(seed));
    if random.u8(..10) == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    let mutated = mutation::mutate(&data[..size], &mut random);
    match data.get_mut(..mutated.len()).filter(|_| mutated.len() <= max_size) {
        Some(target) => {
            target.copy_from_slice(&mutated);
            mutated.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
});

fuzz_crossover!(|first: &[u8], second: &[u8], out: &mut [u8], seed: u32| {
    let crossed = mutation::cross(first, second, &mut Rng::with_seed(u64::from(seed)));
    match out.get_mut(..crossed.len()) {
        Some(target) => {
            target.copy_from_slice(&crossed);
            crossed.len()
        }
        None => 0,
    }
});
