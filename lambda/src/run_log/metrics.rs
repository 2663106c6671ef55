//! Figures of a run, in the format that CloudWatch collects from a log by itself: no call, no permission, no agent.
//!
//! Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::report::{Outcome, PublishReport};

use super::{RunEnding, RunLogEntry, one_line};

/// Where CloudWatch keeps them.
pub const NAMESPACE: &str = "Tidegate";

/// The one dimension, so that each figure is kept once for each site.
const DIMENSION: &str = "Site";

/// Figures with their units, in the order of their names.
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
        self.count("ObjectsWithNewHeaders", done.headers);
        self.count("ObjectsDeleted", done.deleted);
        self.count("OperationsFailed", done.failures.len() as u64);
        self.bytes("BytesPublished", totals.published_bytes);
        if done.written > 0 {
            self.bytes("BytesWritten", totals.bytes_to_write);
            self.bytes("BytesCopied", totals.bytes_to_copy);
        }
        let paths = report.invalidations.iter().filter(|told| told.id.is_some()).map(|told| told.paths.len() as u64);
        self.count("PathsInvalidated", paths.sum());
        for (stage, milliseconds) in &report.milliseconds {
            self.milliseconds(&format!("{}Time", capital(stage)), *milliseconds);
        }
        self.count("PluginFuel", used(report).map(|usage| usage.fuel_used).sum());
        self.milliseconds("PluginTime", used(report).map(milliseconds_of).sum());
    }
}

/// What each plugin used, of both kinds.
fn used(report: &PublishReport) -> impl Iterator<Item = &PluginUsage> {
    report.usage.iter().chain(report.judgements.iter().map(|judgement| &judgement.usage))
}

fn milliseconds_of(usage: &PluginUsage) -> u64 {
    u64::try_from(usage.wall.as_millis()).unwrap_or(u64::MAX)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

impl RunLogEntry {
    /// The line that CloudWatch makes metrics of. What is not counted by it (the run, its outcome, each plugin's share) stands
    /// beside the figures, where queries find it.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut figures = RunMetrics::default();
        let outcome = match &self.ending {
            RunEnding::Report(report) => Some(report.outcome),
            RunEnding::Superseded(_) => Some(Outcome::Superseded),
            RunEnding::Continued | RunEnding::Failed { .. } => None,
        };
        figures.count("Runs", u64::from(!matches!(self.ending, RunEnding::Continued)));
        figures.count("RunsContinued", u64::from(matches!(self.ending, RunEnding::Continued)));
        figures.count("RunsFailed", u64::from(self.failed()));
        figures.count("RunsDenied", u64::from(matches!(outcome, Some(Outcome::Denied | Outcome::Held))));
        figures.count("RunsInvalidationPending", u64::from(outcome == Some(Outcome::LiveInvalidationPending)));
        figures.milliseconds("RunTime", self.milliseconds);
        let mut plugins = Map::new();
        if let RunEnding::Report(report) = &self.ending {
            figures.report(report);
            for usage in used(report) {
                let told = json!({
                    "fuel": usage.fuel_used,
                    "milliseconds": milliseconds_of(usage),
                    "objects": usage.objects,
                    "memory": usage.memory_peak,
                });
                plugins.insert(usage.plugin.clone(), told);
            }
        }
        let names: Vec<Value> =
            figures.0.iter().map(|(name, (unit, _))| json!({ "Name": name, "Unit": unit })).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": self.at.milliseconds(),
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": names }],
            }),
        );
        line.insert(DIMENSION.to_owned(), json!(self.site));
        line.insert("Run".to_owned(), json!(self.run));
        line.insert("Outcome".to_owned(), self.outcome());
        line.insert("Plugins".to_owned(), Value::Object(plugins));
        line.extend(figures.0.into_iter().map(|(name, (_, value))| (name, json!(value))));
        one_line(&Value::Object(line).to_string())
    }
}
