//! Limits of plugins. They are always on: an [`Engine`](super::Engine) has no constructor without them.

use std::time::Duration;

pub use tidegate_core::plugin_failure::MAX_SETTINGS_BYTES;

/// Limit of objects in one batch. Source: `wit/plugin.wit`.
pub const MAX_BATCH: usize = 1_000;
/// Limit of a component, in bytes. A Python interpreter as a component has 18 MB, a JavaScript one 12 MB.
pub const MAX_COMPONENT_BYTES: usize = 32 << 20;
/// Limit of one file of machine code, in bytes. A JavaScript engine compiles to 33 MB.
pub(crate) const MAX_CODE_BYTES: u64 = 256 << 20;
/// Limit of one function body, in bytes: it bounds the compiler's superlinear passes. The largest functions of
/// interpreters that are shipped as components have less than a third of it.
pub const MAX_FUNCTION_BYTES: u64 = 1 << 20;
/// Limit of functions in a component, over all its modules.
pub const MAX_FUNCTIONS: u64 = 250_000;
/// Limit of nested components and modules in a component.
pub const MAX_NESTING: u64 = 16;
/// Limit of instances of components and core modules, those in nested components included. An interpreter with its
/// libraries has dozens.
pub const MAX_INSTANCES: u64 = 300;
/// Limit of definitions in these instances: functions, globals, imports, exports, elements and the like. The host keeps
/// up to 100 bytes for each.
pub const MAX_DEFINITIONS: u64 = 500_000;
/// Limit of core modules in a component.
pub const MAX_MODULES: u64 = 256;
/// Limit of memories that one core module defines and imports.
pub const MAX_MODULE_MEMORIES: u64 = 1;
/// Limit of local variables, over all functions: a declaration of a few bytes makes 50,000 of them.
pub const MAX_LOCALS: u64 = 2_000_000;
/// Limit of results of one function type. Compilers return at most a few; calls that pass on a thousand values multiply
/// the work of compiling a byte by as much.
pub const MAX_RESULTS: u64 = 16;
/// Limit of types, over all modules and components.
pub const MAX_TYPES: u64 = 100_000;
/// Limit of elements of tables, as defined or in one run: compiled code lists them.
pub const MAX_TABLE_ELEMENTS: u64 = 100_000;
/// Limit of keys in one call of `content.read-heads`. Source: `wit/plugin.wit`.
pub const MAX_HEADS: usize = 1_000;
/// Limit of one head, in bytes. Source: `wit/plugin.wit`.
pub const MAX_HEAD_BYTES: u32 = 64 << 10;
/// Limit of one call of `content.read-range`, in bytes. Source: `wit/plugin.wit`.
pub const MAX_RANGE_BYTES: u32 = 1 << 20;
/// Limit of rules in one call of `edge`. Source: `wit/plugin.wit`.
pub const MAX_RULES: usize = 1_000;
/// Stack of compiled code, in bytes. Infinite recursion ends within half a millisecond.
pub const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of a plugin's thread, in bytes: the plugin's own and the frames of the host above it.
pub const THREAD_STACK_BYTES: usize = 8 << 20;

/// The limits of one run of one plugin. [`Limits::default`] has the highest values: an engine caps higher ones, so
/// limits can be lowered and never turned off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Objects in one batch, 1 to [`MAX_BATCH`].
    pub batch: usize,
    /// Base fuel of a run, about one unit an instruction. A billion units take 40 ms in a tight loop.
    pub fuel: u64,
    /// Additional fuel for each object. A Rust plugin with a dozen rules was measured at 4,342, an interpreted one at
    /// up to 70 times that.
    pub fuel_per_object: u64,
    /// Additional fuel for each byte that the plugin reads through `content`.
    pub fuel_per_byte_read: u64,
    /// Base time of a run in the plugin, without the time of reads by the host.
    pub time: Duration,
    /// Additional time for each object.
    pub time_per_object: Duration,
    /// Limit of the time, however many objects there are.
    pub max_time: Duration,
    /// Time of all reads by the host in a run. Exceeding it is a cloud error, not a plugin error.
    pub reading_time: Duration,
    /// Linear memory of all instances together, in bytes.
    pub memory_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Core instances. An interpreter with its adapters has dozens.
    pub instances: usize,
    /// Linear memories.
    pub memories: usize,
    /// Tables.
    pub tables: usize,
    /// Resource handles that exist at the same time.
    pub handles: usize,
    /// Base of the bytes that the plugin may pass to the host in one call.
    pub call_bytes: usize,
    /// Additional bytes for each object: the last call may return a redirect for each.
    pub call_bytes_per_object: usize,
    /// Base size of all answers of a run together, in bytes.
    pub answer_bytes: u64,
    /// Additional bytes of answers for each object.
    pub answer_bytes_per_object: u64,
    /// Rules for requests of a run.
    pub edge_rules: usize,
    /// Size of the rules for requests of a run, in bytes.
    pub edge_rule_bytes: usize,
    /// Base number of reads in a run: keys and ranges.
    pub reads: u64,
    /// Additional reads for each object.
    pub reads_per_object: u64,
    /// Base size of all reads of a run, in bytes.
    pub read_bytes: u64,
    /// Additional bytes of reads for each object.
    pub read_bytes_per_object: u64,
    /// Log records that are kept of a run; the rest is dropped and counted.
    pub log_records: usize,
    /// Bytes of log messages that are kept of a run.
    pub log_bytes: usize,
    /// Findings that are kept of a run; the rest is dropped and counted.
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
            time_per_object: Duration::from_micros(400),
            max_time: Duration::from_secs(300),
            reading_time: Duration::from_secs(120),
            memory_bytes: 128 << 20,
            table_elements: MAX_TABLE_ELEMENTS,
            instances: 512,
            memories: 32,
            tables: 128,
            handles: 1_000,
            call_bytes: 16 << 20,
            call_bytes_per_object: 512,
            answer_bytes: 16 << 20,
            answer_bytes_per_object: 2 << 10,
            edge_rules: 100_000,
            edge_rule_bytes: 32 << 20,
            reads: 1_000,
            reads_per_object: 2,
            read_bytes: 64 << 20,
            read_bytes_per_object: 32 << 10,
            log_records: 1_000,
            log_bytes: 64 << 10,
            findings: 1_000,
            finding_bytes: 256 << 10,
        }
    }
}

impl Limits {
    /// These limits, capped at the defaults, with a batch of at least one object.
    pub(super) fn capped(&self) -> Self {
        let max = Self::default();
        Self {
            batch: self.batch.clamp(1, max.batch),
            fuel: self.fuel.min(max.fuel),
            fuel_per_object: self.fuel_per_object.min(max.fuel_per_object),
            fuel_per_byte_read: self.fuel_per_byte_read.min(max.fuel_per_byte_read),
            time: self.time.min(max.time),
            time_per_object: self.time_per_object.min(max.time_per_object),
            max_time: self.max_time.min(max.max_time),
            reading_time: self.reading_time.min(max.reading_time),
            memory_bytes: self.memory_bytes.min(max.memory_bytes),
            table_elements: self.table_elements.min(max.table_elements),
            instances: self.instances.min(max.instances),
            memories: self.memories.min(max.memories),
            tables: self.tables.min(max.tables),
            handles: self.handles.min(max.handles),
            call_bytes: self.call_bytes.min(max.call_bytes),
            call_bytes_per_object: self.call_bytes_per_object.min(max.call_bytes_per_object),
            answer_bytes: self.answer_bytes.min(max.answer_bytes),
            answer_bytes_per_object: self.answer_bytes_per_object.min(max.answer_bytes_per_object),
            edge_rules: self.edge_rules.min(max.edge_rules),
            edge_rule_bytes: self.edge_rule_bytes.min(max.edge_rule_bytes),
            reads: self.reads.min(max.reads),
            reads_per_object: self.reads_per_object.min(max.reads_per_object),
            read_bytes: self.read_bytes.min(max.read_bytes),
            read_bytes_per_object: self.read_bytes_per_object.min(max.read_bytes_per_object),
            log_records: self.log_records.min(max.log_records),
            log_bytes: self.log_bytes.min(max.log_bytes),
            findings: self.findings.min(max.findings),
            finding_bytes: self.finding_bytes.min(max.finding_bytes),
        }
    }

    /// Fuel of a run over this many objects, without reads.
    #[must_use]
    pub fn fuel_for(&self, objects: u64) -> u64 {
        scaled(self.fuel, self.fuel_per_object, objects)
    }

    /// Time of a run over this many objects.
    #[must_use]
    pub fn time_for(&self, objects: u64) -> Duration {
        let objects = u32::try_from(objects).unwrap_or(u32::MAX);
        self.time.saturating_add(self.time_per_object.saturating_mul(objects)).min(self.max_time)
    }

    /// Time from the start of a run over this many objects to its end: the time in the plugin, twice, for the host's work
    /// between its calls, and the time of reads.
    #[must_use]
    pub fn deadline_for(&self, objects: u64) -> Duration {
        self.time_for(objects).saturating_mul(2).saturating_add(self.reading_time)
    }

    /// Bytes of one call of a run over this many objects, at most as many as a plugin has in its memory.
    #[must_use]
    pub fn call_bytes_for(&self, objects: u64) -> usize {
        let most = usize::try_from(self.memory_bytes).unwrap_or(usize::MAX);
        let objects = usize::try_from(objects).unwrap_or(usize::MAX);
        self.call_bytes.saturating_add(self.call_bytes_per_object.saturating_mul(objects)).min(most)
    }

    /// Bytes of answers of a run over this many objects.
    #[must_use]
    pub fn answer_bytes_for(&self, objects: u64) -> u64 {
        scaled(self.answer_bytes, self.answer_bytes_per_object, objects)
    }

    /// Reads of a run over this many objects.
    #[must_use]
    pub fn reads_for(&self, objects: u64) -> u64 {
        scaled(self.reads, self.reads_per_object, objects)
    }

    /// Bytes of reads of a run over this many objects.
    #[must_use]
    pub fn read_bytes_for(&self, objects: u64) -> u64 {
        scaled(self.read_bytes, self.read_bytes_per_object, objects)
    }
}

fn scaled(base: u64, per_object: u64, objects: u64) -> u64 {
    base.saturating_add(per_object.saturating_mul(objects))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_cannot_exceed_the_defaults() {
        let excessive =
            Limits { batch: 0, fuel: u64::MAX, time: Duration::MAX, max_time: Duration::MAX, ..Limits::default() };
        assert_eq!(excessive.capped(), Limits { batch: 1, ..Limits::default() });
        let low = Limits { batch: usize::MAX, fuel: 7, ..Limits::default() };
        assert_eq!(low.capped(), Limits { fuel: 7, ..Limits::default() });
    }

    #[test]
    fn budgets_grow_with_objects_and_saturate() {
        let limits = Limits::default();
        assert_eq!(limits.fuel_for(1_000), 500_000_000 + 500_000 * 1_000);
        assert_eq!(limits.fuel_for(u64::MAX), u64::MAX);
        assert_eq!(limits.time_for(0), Duration::from_secs(10));
        assert_eq!(limits.time_for(u64::MAX), Duration::from_secs(300));
        assert_eq!(limits.call_bytes_for(1_000), (16 << 20) + 512_000);
        assert_eq!(limits.call_bytes_for(u64::MAX), 128 << 20);
    }
}
