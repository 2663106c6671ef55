//! Publishing to servers that none of us wrote, since a stand-in of our own shares our misunderstandings.
//!
//! `scripts/servers install` brings them; where one is missing, its tests say so and are counted as skipped. Each test says
//! what its server's answers can be trusted for.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test, and must name its place")]

mod function;
mod install;
mod lease;
mod linters;
mod ministack;
mod payloads;
mod radosgw;
mod released;
mod server;
mod templates;
