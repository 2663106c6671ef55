//! Triggers and webhooks at their boundary: events as AWS and GitHub send them in, decisions out. The numbers in comments are
//! those of the edge cases that the tests are named after.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers fail by panicking, and clippy.toml frees only the tests themselves"
)]

mod claims;
mod envelopes;
mod generic;
mod github;
mod loops;
mod properties;
mod records;
mod replays;
mod rules;
mod signatures;
mod support;
mod words;
