//! The plugins that come with Tidegate, as components.
//!
//! Owns the table of them, which the build script fills. It knows nothing of how a plugin is run or what it does.

/// One plugin.
#[derive(Debug)]
pub struct BundledPlugin {
    /// The name by which configurations ask for it, such as `exclude`.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
    /// SHA-256 of `bytes` in 64 lower-case hexadecimal digits.
    pub sha256: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/plugins.rs"));

/// The plugin of that name, if it comes with Tidegate.
#[must_use]
pub fn find(name: &str) -> Option<&'static BundledPlugin> {
    PLUGINS.iter().find(|plugin| plugin.name == name)
}
