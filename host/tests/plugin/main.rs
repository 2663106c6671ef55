//! The plugin host through its public interface: components in, values or failures out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, and clippy.toml exempts only the tests themselves"
)]

mod admission;
mod bundled;
#[cfg(all(unix, feature = "compile"))]
mod cache;
mod edge;
mod failures;
mod figures;
mod good;
mod grants;
mod hostile;
#[cfg(feature = "compile")]
mod majors;
mod malformed;
mod observe;
#[cfg(all(target_os = "linux", feature = "compile"))]
mod package;
#[cfg(feature = "compile")]
mod profile;
#[cfg(feature = "compile")]
mod random;
#[cfg(feature = "compile")]
mod records;
mod scripted;
mod support;
