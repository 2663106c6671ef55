//! What sync plugins would have done that are only observed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::config::EditKind;
use crate::plugin_usage::edits_text;
use crate::text::rest;

/// The decisions of a sync plugin with `mode = "observe"`. None of them was applied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ObservedPlugin {
    /// The name of the plugin in the configuration.
    pub plugin: String,
    /// Decided edits by kind.
    pub edits: BTreeMap<EditKind, u64>,
    /// Rules for requests.
    pub edge_rules: u64,
    /// The first decisions of each kind.
    pub examples: Vec<ObservedDecision>,
    /// Whether it failed, so that it would have denied the run. A finding has the reason.
    pub failed: bool,
}

/// One decision that was not applied. Its texts are sanitized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedDecision {
    /// The key of the entry.
    pub key: String,
    /// What it would change.
    pub effects: Vec<String>,
    /// JSON Pointer to the rule in the plugin's settings, or empty.
    pub rule: String,
    /// The reason.
    pub reason: String,
}

/// Examples that people see.
const SHOWN: usize = 10;

impl fmt::Display for ObservedPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, edits, edge_rules, examples, failed } = self;
        if *failed {
            return write!(f, "observed `{plugin}`: failed; enforced, it would deny this run");
        }
        let decided = edits_text(edits, *edge_rules).unwrap_or_else(|| "nothing".to_owned());
        write!(f, "observed `{plugin}`: would decide {decided}")?;
        for ObservedDecision { key, effects, reason, .. } in examples.iter().take(SHOWN) {
            write!(f, "\n  `{key}`: {}", effects.join(", "))?;
            if !reason.is_empty() {
                write!(f, " ({reason})")?;
            }
        }
        rest(examples.len(), SHOWN, "example").map_or(Ok(()), |line| write!(f, "\n  {line}"))
    }
}
