//! Diagnostics that the host may keep: bounded, and never part of an answer.
//!
//! In a component they go to the host; in a test on the host target they go to standard error.

use std::fmt::Display;

pub use crate::bindings::imports::tidegate::plugin::log::Level;

/// Writes one record. Past the run's log budget the host drops records and counts them.
pub fn log(level: Level, message: impl Display) {
    write(level, &message.to_string());
}

/// A record for somebody who debugs the plugin.
pub fn debug(message: impl Display) {
    log(Level::Debug, message);
}

/// A record for somebody who watches a run.
pub fn info(message: impl Display) {
    log(Level::Info, message);
}

/// A record for somebody who looks for the reason of something odd. What people must read is a finding instead.
pub fn warn(message: impl Display) {
    log(Level::Warn, message);
}

#[cfg(target_family = "wasm")]
fn write(level: Level, message: &str) {
    crate::bindings::imports::tidegate::plugin::log::log(level, message);
}

#[cfg(not(target_family = "wasm"))]
fn write(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
