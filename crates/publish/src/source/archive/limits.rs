//! Limits of archives. Declared sizes are checked when an archive is opened. An entry that unpacks to another size than
//! it declares is refused while it is read, so the limits also hold for what an archive unpacks to.

/// Limits of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Most entries, including folders. Default 200,000: about 50 MB of memory.
    pub entries: u64,
    /// Most bytes of one entry, unpacked. Default 5 GiB, the most that one PUT request takes.
    pub entry_bytes: u64,
    /// Most bytes of all entries, unpacked. Default 50 GiB.
    pub total_bytes: u64,
    /// Most unpacked bytes per compressed byte, for entries above [`ArchiveLimits::RATIO_EXEMPT_BYTES`]. Default 250:
    /// generated pages with many repetitions reach about 50, and a file of zeros 1,030, the most that deflate can.
    pub ratio: u64,
}

impl ArchiveLimits {
    /// Entries up to this size, in bytes, may have any ratio: a few repeated lines can have a high one.
    pub const RATIO_EXEMPT_BYTES: u64 = 1024 * 1024;
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { entries: 200_000, entry_bytes: 5 << 30, total_bytes: 50 << 30, ratio: 250 }
    }
}
