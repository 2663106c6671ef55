//! What a plugin may use. Always armed: an [`Engine`](super::Engine) cannot be made without them.
//!
//! Owns the figures and how they grow with a run. Never measures anything.

use std::time::Duration;

/// Most objects in one batch, by contract.
pub const MAX_BATCH: usize = 1_000;
/// Largest component, in bytes. A Python interpreter as a component has 18 MB, a JavaScript one 12 MB.
pub const MAX_COMPONENT_BYTES: usize = 32 << 20;
/// Longest function body in a component, in bytes: what bounds the compiler's superlinear passes. The largest in
/// interpreters that are shipped as components stay below a third of it.
pub const MAX_FUNCTION_BYTES: usize = 1 << 20;
/// Most functions in a component, over all its modules.
pub const MAX_FUNCTIONS: u64 = 250_000;
/// Deepest nesting of components and modules in a component.
pub const MAX_NESTING: usize = 16;
/// Most keys in one call of `content.read-heads`, by contract.
pub const MAX_HEADS: usize = 1_000;
/// Longest head, in bytes, by contract.
pub const MAX_HEAD_BYTES: u32 = 64 << 10;
/// Longest range in one call of `content.read-range`, in bytes, by contract.
pub const MAX_RANGE_BYTES: u32 = 1 << 20;
/// Stack of compiled code, in bytes. Deep recursion ends here, in half a millisecond.
pub const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of the thread that a plugin runs on, in bytes: the plugin's own and the host's frames above it.
pub const THREAD_STACK_BYTES: usize = 8 << 20;
pub use tidegate_core::plugin_failure::MAX_SETTINGS_BYTES;

/// The budget of one run of one plugin. [`Limits::default`] is the most there is: an engine takes a value that asks for
/// more down to it, so limits can be made tighter and never switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Objects in one batch, 1 to [`MAX_BATCH`].
    pub batch: usize,
    /// Fuel (about one unit an instruction) that every run has. A billion units take 40 ms in a tight loop.
    pub fuel: u64,
    /// Fuel for each object. A Rust plugin with a dozen rules was measured at 4,342, an interpreted one at up to 70
    /// times that.
    pub fuel_per_object: u64,
    /// Fuel for each byte that was read through `content`.
    pub fuel_per_byte_read: u64,
    /// Time in the plugin that every run has, time in the host's reads excluded.
    pub time: Duration,
    /// Time for each object.
    pub time_per_object: Duration,
    /// Most time, however many objects there are.
    pub time_at_most: Duration,
    /// Time in the host's reads, over a run. What passes it is blamed on the host.
    pub reading_time: Duration,
    /// Linear memory of all memories of all instances together, in bytes.
    pub memory_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Core instances. An interpreter with its adapters has some dozens.
    pub instances: usize,
    /// Linear memories.
    pub memories: usize,
    /// Tables.
    pub tables: usize,
    /// Resource handles that are alive at one time.
    pub handles: usize,
    /// Bytes that one call may pass from the plugin to the host.
    pub call_bytes: usize,
    /// Bytes of all answers of a run together.
    pub answer_bytes: u64,
    /// Bytes of answers for each object.
    pub answer_bytes_per_object: u64,
    /// Keys and ranges that may be read in a run.
    pub reads: u64,
    /// Further reads for each object.
    pub reads_per_object: u64,
    /// Bytes that may be read in a run.
    pub read_bytes: u64,
    /// Further bytes for each object.
    pub read_bytes_per_object: u64,
    /// Log records that are kept of a run.
    pub log_records: usize,
    /// Bytes of log messages that are kept of a run.
    pub log_bytes: usize,
    /// Findings that are kept of a run.
    pub findings: usize,
    /// Bytes of findings that are kept of a run.
    pub finding_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch: MAX_BATCH,
            fuel: 500_000_000,
            fuel_per_object: 500_000,
            fuel_per_byte_read: 200,
            time: Duration::from_secs(10),
            time_per_object: Duration::from_micros(200),
            time_at_most: Duration::from_secs(300),
            reading_time: Duration::from_secs(120),
            memory_bytes: 128 << 20,
            table_elements: 100_000,
            instances: 512,
            memories: 32,
            tables: 128,
            handles: 1_000,
            call_bytes: 16 << 20,
            answer_bytes: 16 << 20,
            answer_bytes_per_object: 2 << 10,
            reads: 1_000,
            reads_per_object: 2,
            read_bytes: 64 << 20,
            read_bytes_per_object: 8 << 10,
            log_records: 1_000,
            log_bytes: 64 << 10,
            findings: 1_000,
            finding_bytes: 256 << 10,
        }
    }
}

impl Limits {
    /// These limits, none above the default and a batch of at least one object.
    pub(super) fn tightened(&self) -> Self {
        let most = Self::default();
        Self {
            batch: self.batch.clamp(1, most.batch),
            fuel: self.fuel.min(most.fuel),
            fuel_per_object: self.fuel_per_object.min(most.fuel_per_object),
            fuel_per_byte_read: self.fuel_per_byte_read.min(most.fuel_per_byte_read),
            time: self.time.min(most.time),
            time_per_object: self.time_per_object.min(most.time_per_object),
            time_at_most: self.time_at_most.min(most.time_at_most),
            reading_time: self.reading_time.min(most.reading_time),
            memory_bytes: self.memory_bytes.min(most.memory_bytes),
            table_elements: self.table_elements.min(most.table_elements),
            instances: self.instances.min(most.instances),
            memories: self.memories.min(most.memories),
            tables: self.tables.min(most.tables),
            handles: self.handles.min(most.handles),
            call_bytes: self.call_bytes.min(most.call_bytes),
            answer_bytes: self.answer_bytes.min(most.answer_bytes),
            answer_bytes_per_object: self.answer_bytes_per_object.min(most.answer_bytes_per_object),
            reads: self.reads.min(most.reads),
            reads_per_object: self.reads_per_object.min(most.reads_per_object),
            read_bytes: self.read_bytes.min(most.read_bytes),
            read_bytes_per_object: self.read_bytes_per_object.min(most.read_bytes_per_object),
            log_records: self.log_records.min(most.log_records),
            log_bytes: self.log_bytes.min(most.log_bytes),
            findings: self.findings.min(most.findings),
            finding_bytes: self.finding_bytes.min(most.finding_bytes),
        }
    }

    /// Fuel of a run over so many objects, before anything is read.
    #[must_use]
    pub fn fuel_for(&self, objects: u64) -> u64 {
        scaled(self.fuel, self.fuel_per_object, objects)
    }

    /// Time of a run over so many objects.
    #[must_use]
    pub fn time_for(&self, objects: u64) -> Duration {
        let objects = u32::try_from(objects).unwrap_or(u32::MAX);
        self.time.saturating_add(self.time_per_object.saturating_mul(objects)).min(self.time_at_most)
    }

    /// Bytes of answers of a run over so many objects.
    #[must_use]
    pub fn answer_bytes_for(&self, objects: u64) -> u64 {
        scaled(self.answer_bytes, self.answer_bytes_per_object, objects)
    }

    /// Reads of a run over so many objects.
    #[must_use]
    pub fn reads_for(&self, objects: u64) -> u64 {
        scaled(self.reads, self.reads_per_object, objects)
    }

    /// Bytes that a run over so many objects may read.
    #[must_use]
    pub fn read_bytes_for(&self, objects: u64) -> u64 {
        scaled(self.read_bytes, self.read_bytes_per_object, objects)
    }
}

fn scaled(base: u64, each: u64, objects: u64) -> u64 {
    base.saturating_add(each.saturating_mul(objects))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_can_only_be_made_tighter() {
        let most = Limits::default();
        let asked =
            Limits { batch: 0, fuel: u64::MAX, time: Duration::MAX, time_at_most: Duration::MAX, ..Limits::default() };
        assert_eq!(asked.tightened(), Limits { batch: 1, ..Limits::default() });
        assert_eq!(Limits { batch: usize::MAX, fuel: 7, ..Limits::default() }.tightened(), Limits { fuel: 7, ..most });
    }

    #[test]
    fn budgets_grow_with_objects_and_saturate() {
        let limits = Limits::default();
        assert_eq!(limits.fuel_for(1_000), 500_000_000 + 500_000 * 1_000);
        assert_eq!(limits.fuel_for(u64::MAX), u64::MAX);
        assert_eq!(limits.time_for(0), Duration::from_secs(10));
        assert_eq!(limits.time_for(u64::MAX), Duration::from_secs(300));
    }
}
