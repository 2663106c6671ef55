//! The parsing side of the crate: events as AWS and GitHub send them go in, triggers and decisions come out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers fail by panicking, and clippy.toml exempts only the tests themselves"
)]

mod documentation;
mod envelopes;
mod generic;
mod github;
mod idempotency;
mod loops;
mod match_sites;
mod properties;
mod records;
mod rules;
mod sanitize;
mod signatures;
mod support;
