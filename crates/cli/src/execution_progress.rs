//! How far the workers of an execution are: a bar on a terminal, and the lines of `tidegate status`.

use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration, ProgressBar};
use tidegate_core::plan::progress::{PhaseProgress, ShardProgress};

use crate::progress::{spinner, style};

/// A bar that follows an execution.
pub(crate) struct ExecutionProgress {
    bar: ProgressBar,
}

impl ExecutionProgress {
    pub(crate) fn new(hidden: bool) -> Self {
        Self { bar: spinner(hidden) }
    }

    /// Shows the progress; nothing is known before the plan is stored, and after the release is committed.
    pub(crate) fn show(&self, progress: Option<&ShardProgress>) {
        let Some(progress) = progress else {
            self.bar.set_style(style("{spinner} {msg}"));
            return self.bar.set_message("planning or finishing");
        };
        self.bar.set_style(style("{spinner} {msg} {bar:30} {pos}/{len}"));
        self.bar.set_length(progress.total().operations);
        self.bar.set_position(progress.done().operations);
        let unfinished = progress.phases.iter().find(|phase| phase.done.shards < phase.total.shards);
        let phase = unfinished.map_or_else(|| "finishing".to_owned(), |phase| phase.phase.to_string());
        self.bar.set_message(match rate(progress) {
            Some(rate) => format!("{phase}, {rate}"),
            None => phase,
        });
    }
}

impl Drop for ExecutionProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `1200 objects/s, 35.2 MiB/s, about 4 minutes left`.
fn rate(progress: &ShardProgress) -> Option<String> {
    let operations = progress.operations_per_second?;
    let bytes = HumanBytes(progress.bytes_per_second.unwrap_or_default());
    let left = progress.seconds_left.map(|seconds| HumanDuration(Duration::from_secs(seconds)));
    let left = left.map(|left| format!(", about {left} left")).unwrap_or_default();
    Some(format!("{operations} objects/s, {bytes}/s{left}"))
}

/// Prints how far an execution is.
pub(crate) fn print(progress: &ShardProgress) {
    if let Some(execution) = &progress.execution {
        outln!("  execution: {execution}");
    }
    for PhaseProgress { phase, done, total } in &progress.phases {
        outln!(
            "  {:<8} {} of {} shards, {} of {} objects, {} of {}",
            phase.to_string(),
            done.shards,
            total.shards,
            done.operations,
            total.operations,
            HumanBytes(done.bytes),
            HumanBytes(total.bytes),
        );
    }
    if let Some(rate) = rate(progress) {
        outln!("  {rate}");
    }
}
