//! The metrics of a run, in the embedded metric format: CloudWatch extracts them from the log, without a call, a
//! permission or an agent.
//!
//! Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::report::{Outcome, PublishReport};

use super::{RunEnding, RunLogEntry, one_line};

/// The namespace of the metrics.
pub const NAMESPACE: &str = "Tidegate";

/// The only dimension: CloudWatch bills each metric once per site.
const DIMENSION: &str = "Site";

/// Metrics with their units, sorted by name.
#[derive(Default)]
struct RunMetrics(BTreeMap<String, (&'static str, u64)>);

impl RunMetrics {
    fn count(&mut self, name: &str, count: u64) {
        self.0.insert(name.to_owned(), ("Count", count));
    }

    fn bytes(&mut self, name: &str, bytes: u64) {
        self.0.insert(name.to_owned(), ("Bytes", bytes));
    }

    fn milliseconds(&mut self, name: &str, milliseconds: u64) {
        self.0.insert(name.to_owned(), ("Milliseconds", milliseconds));
    }

    fn report(&mut self, report: &PublishReport) {
        let (done, totals) = (&report.done, &report.totals);
        self.count("ObjectsPublished", totals.published_objects);
        self.count("ObjectsWritten", done.written);
        self.count("HeadersUpdated", done.headers);
        self.count("ObjectsDeleted", done.deleted);
        self.count("OperationsFailed", done.failures.len() as u64);
        self.bytes("BytesPublished", totals.published_bytes);
        if done.written > 0 {
            self.bytes("BytesWritten", totals.bytes_to_write);
            self.bytes("BytesCopied", totals.bytes_to_copy);
        }
        let accepted = report.invalidations.iter().filter(|invalidation| invalidation.id.is_some());
        self.count("PathsInvalidated", accepted.map(|invalidation| invalidation.paths.len() as u64).sum());
        for (stage, milliseconds) in &report.milliseconds {
            self.milliseconds(&format!("{}Time", capitalized(stage)), *milliseconds);
        }
        self.count("PluginFuel", usage(report).map(|usage| usage.fuel_used).sum());
        self.milliseconds("PluginTime", usage(report).map(milliseconds_of).sum());
    }
}

/// The usage of sync plugins and of policies.
fn usage(report: &PublishReport) -> impl Iterator<Item = &PluginUsage> {
    report.usage.iter().chain(report.judgements.iter().map(|judgement| &judgement.usage))
}

fn milliseconds_of(usage: &PluginUsage) -> u64 {
    u64::try_from(usage.wall.as_millis()).unwrap_or(u64::MAX)
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

impl RunLogEntry {
    /// The line that CloudWatch extracts metrics from. It also has the run, the outcome and the usage of each plugin,
    /// for queries of the log.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut metrics = RunMetrics::default();
        let outcome = match &self.ending {
            RunEnding::Report(report) => Some(report.outcome),
            RunEnding::Superseded(_) => Some(Outcome::Superseded),
            RunEnding::Continued | RunEnding::Distributed { .. } | RunEnding::Failed { .. } => None,
        };
        let continues = matches!(self.ending, RunEnding::Continued | RunEnding::Distributed { .. });
        metrics.count("Runs", u64::from(!continues));
        metrics.count("RunsContinued", u64::from(continues));
        metrics.count("RunsFailed", u64::from(self.failed()));
        metrics.count("RunsDenied", u64::from(matches!(outcome, Some(Outcome::Denied | Outcome::Held))));
        metrics.count("RunsInvalidationPending", u64::from(outcome == Some(Outcome::LiveInvalidationPending)));
        metrics.milliseconds("RunTime", self.milliseconds);
        let mut plugins = Map::new();
        if let RunEnding::Report(report) = &self.ending {
            metrics.report(report);
            for usage in usage(report) {
                let share = json!({
                    "fuel": usage.fuel_used,
                    "milliseconds": milliseconds_of(usage),
                    "objects": usage.objects,
                    "memory": usage.memory_peak,
                    "bytes-read": usage.bytes_read,
                    "edits": usage.edits.values().sum::<u64>() + usage.edge_rules,
                    "headroom": usage.headroom.lowest(),
                });
                plugins.insert(usage.plugin.clone(), share);
            }
        }
        let names: Vec<Value> =
            metrics.0.iter().map(|(name, (unit, _))| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": self.ended_at.milliseconds(),
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": names }],
            }),
        );
        line.insert(DIMENSION.to_owned(), json!(self.site));
        line.insert("Run".to_owned(), json!(self.run));
        line.insert("Outcome".to_owned(), self.outcome());
        line.insert("Plugins".to_owned(), Value::Object(plugins));
        line.extend(metrics.0.into_iter().map(|(name, (_, value))| (name, json!(value))));
        one_line(&Value::Object(line).to_string())
    }
}
