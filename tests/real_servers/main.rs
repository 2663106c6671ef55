//! Tests against third-party servers and linters, which do not share the misunderstandings of our own emulator.
//!
//! `scripts/servers install` installs them. Tests whose server or linter is not installed are skipped. Each file says what its
//! server is reliable for.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers fail by panicking, and clippy.toml exempts only the tests themselves"
)]

mod aws_cli;
mod executions;
mod executions_faults;
mod function;
mod install;
mod install_faults;
mod lease;
mod linters;
mod ministack;
mod payloads;
mod radosgw;
mod releases;
mod server;
mod templates;
