//! What an archive may hold at the most.
//!
//! Owns the figures. Declared sizes are held against them at opening, and an entry that unpacks to another size than it
//! declares is refused while it is read: so they bound what really comes out.

/// Limits of an archive, each settable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Entries, folders among them. Default 200,000: about 50 MB of memory.
    pub entries: u64,
    /// Bytes of one entry, unpacked. Default 5 GiB, what S3 takes in one put.
    pub entry_bytes: u64,
    /// Bytes of all entries, unpacked. Default 50 GiB.
    pub total_bytes: u64,
    /// Unpacked bytes to one packed byte in entries above [`ArchiveLimits::FREE_OF_RATIO`]. Default 250: generated pages that
    /// repeat themselves reach about 50, a file of nothing but zeros 1,030, the most that deflate can.
    pub ratio: u64,
}

impl ArchiveLimits {
    /// Entries up to this size may be packed as tightly as they like, since a few repeated lines are. Bytes.
    pub const FREE_OF_RATIO: u64 = 1024 * 1024;
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { entries: 200_000, entry_bytes: 5 << 30, total_bytes: 50 << 30, ratio: 250 }
    }
}
