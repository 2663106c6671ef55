//! Reports tests that are skipped.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Reports a skipped test on standard output, and in the file in `TIDEGATE_SKIPS`, which CI checks.
pub fn skipped(test: &str, reason: &str) {
    let line = format!("SKIPPED: {test}: {reason}");
    println!("{line}");
    if let Some(path) = std::env::var_os("TIDEGATE_SKIPS") {
        // One write, since tests that run concurrently append to the same file.
        let text = format!("{line}\n");
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }
}
