//! The bundled plugins of Tidegate, as components. The build script writes the table.

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
