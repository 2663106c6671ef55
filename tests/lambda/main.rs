//! Runs the program of the function behind an emulated runtime API, with the package that the CLI makes and the
//! permissions that `tidegate policy` prints.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking, and clippy.toml exempts only the tests themselves"
)]

mod contract;
mod lambda;
mod start;
