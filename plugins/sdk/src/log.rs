//! Diagnostics. They are limited by the host and never part of an answer; messages for users are findings instead.
//!
//! In a component they go to the host, in a native test to standard error.

use std::fmt::Display;

pub use crate::bindings::imports::tidegate::plugin::log::Level;

/// Writes one record. When the log budget of the run is spent, the host drops records and counts them.
pub fn log(level: Level, message: impl Display) {
    write(level, &message.to_string());
}

/// Writes a record for debugging the plugin.
pub fn debug(message: impl Display) {
    log(Level::Debug, message);
}

/// Writes a record about the progress of a run.
pub fn info(message: impl Display) {
    log(Level::Info, message);
}

/// Writes a record about something unexpected.
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
