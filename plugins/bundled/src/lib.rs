//! The bundled plugins of Tidegate, as WebAssembly components.
//!
//! ```
//! let guard = tidegate_bundled_plugins::find("guard").ok_or("no such plugin")?;
//! assert!(guard.bytes.starts_with(b"\0asm"));
//! assert_eq!(guard.sha256.len(), 64);
//! # Ok::<(), &str>(())
//! ```
//!
//! The build script writes the table [`PLUGINS`]: in the repository it builds the plugins for `wasm32-unknown-unknown`, and
//! in a published crate it reads them from `components/`, so that dependents need no WebAssembly target.

/// A bundled plugin.
#[derive(Debug)]
pub struct BundledPlugin {
    /// Its name in configurations, such as `exclude`.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
    /// SHA-256 of `bytes` in 64 lower-case hexadecimal digits.
    pub sha256: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/plugins.rs"));

/// The bundled plugin with this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static BundledPlugin> {
    PLUGINS.iter().find(|plugin| plugin.name == name)
}
