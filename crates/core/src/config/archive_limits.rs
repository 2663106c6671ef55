//! `archive-limits`: limits of archives. Declared sizes are checked when an archive is opened. An entry that unpacks to
//! another size than it declares is refused while it is read, so the limits also hold for what an archive unpacks to.

use std::num::NonZeroU64;

use serde::Deserialize;

use crate::sanitize::sanitize_name;

/// Limits of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ArchiveLimits {
    /// Most entries, including folders and what links to folders add. Default 200,000: about 50 MB of memory.
    pub entries: u64,
    /// Most bytes of one entry, unpacked. Default 5 GiB.
    pub entry_bytes: u64,
    /// Most bytes of all entries, unpacked. Default 50 GiB.
    pub total_bytes: u64,
    /// Most unpacked bytes per compressed byte, for entries above [`ArchiveLimits::RATIO_EXEMPT_BYTES`]. Default 250:
    /// generated pages with many repetitions reach about 50, and a file of zeros 1,030, the most that deflate can.
    pub ratio: u64,
}

/// One limit with a new value, as `NAME=NUMBER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimit {
    name: &'static str,
    value: NonZeroU64,
}

impl ArchiveLimits {
    /// Entries up to this size, in bytes, may have any ratio: a few repeated lines can have a high one.
    pub const RATIO_EXEMPT_BYTES: u64 = 1024 * 1024;

    /// The names of the limits.
    const NAMES: [&'static str; 4] = ["entries", "entry-bytes", "total-bytes", "ratio"];

    /// Replaces one limit.
    pub fn set(&mut self, ArchiveLimit { name, value }: ArchiveLimit) {
        let limit = match name {
            "entries" => &mut self.entries,
            "entry-bytes" => &mut self.entry_bytes,
            "total-bytes" => &mut self.total_bytes,
            _ => &mut self.ratio,
        };
        *limit = value.get();
    }
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { entries: 200_000, entry_bytes: 5 << 30, total_bytes: 50 << 30, ratio: 250 }
    }
}

impl std::str::FromStr for ArchiveLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let name = ArchiveLimits::NAMES.into_iter().find(|known| *known == name).ok_or_else(|| {
            format!("unknown limit `{}`; available: {}", sanitize_name(name), ArchiveLimits::NAMES.join(", "))
        })?;
        let value = value.parse().map_err(|_| format!("use a number from 1, such as `{name}=1000000`"))?;
        Ok(Self { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_set_by_its_name_in_the_configuration() {
        for name in ArchiveLimits::NAMES {
            let mut limits = ArchiveLimits::default();
            limits.set(format!("{name}=7").parse().unwrap());
            assert_eq!(limits, toml::from_str(&format!("{name} = 7")).unwrap(), "{name}");
            assert_ne!(limits, ArchiveLimits::default(), "{name}");
        }
        for wrong in ["entries", "entries=", "entries=0", "entries=-1", "size=1", "=1", ""] {
            assert!(wrong.parse::<ArchiveLimit>().is_err(), "{wrong:?}");
        }
    }
}
