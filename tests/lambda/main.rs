//! The function's program in front of a runtime API that behaves as Lambda's does, with the package that the binary makes and
//! the permissions that it prints.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking, and clippy.toml frees only the tests themselves"
)]

mod contract;
mod lambda;
mod start;
