//! The plan: every operation that makes a site equal to its artifact, each with its reason.
//!
//! A plan is complete before anything runs, sorted, and has the same bytes for the same inputs.

mod estimate;
mod operation;
pub mod progress;
pub mod shards;
mod stored;
mod totals;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::artifact::Fingerprint;
use crate::config::{PluginGrant, PluginMode};
use crate::desired::{DesiredEntry, DesiredSite};
use crate::external_text::ExternalText;
use crate::identity::ETag;
use crate::key::StoredKey;
use crate::location::{Location, Source};
use crate::plugin_signature::SignedPlugin;
use crate::put_options::ObjectSettings;
use crate::release::id::ReleaseId;

pub use estimate::{DistributeWhen, WriteEstimate};
pub(crate) use operation::is_page;
pub use operation::{
    Action, ChangeReason, HeaderDifference, Operation, OperationKind, PlannedBody, ReplacedObject, WritePhase,
};
pub use stored::{PlanEncoder, PlanLine};
pub use totals::PlanTotals;

/// The format number of a saved plan.
pub const FORMAT: u32 = 2;

/// Everything that a publish does to one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the site.
    pub site: String,
    /// What is published.
    pub release: ExternalText,
    /// The time of the run, in milliseconds since the Unix epoch. It is an input, because plugins see it.
    pub instant: u64,
    /// Where the artifact is read from.
    pub source: Source,
    /// Where the site is.
    pub target: Location,
    /// How objects are written.
    pub objects: ObjectSettings,
    /// Digests of the inputs of the plan.
    pub inputs: PlanInputs,
    /// Counts.
    pub totals: PlanTotals,
    /// Operations in the byte order of their keys, at most one for each key.
    pub operations: Vec<Operation>,
    /// Bodies to archive before they are replaced or deleted, so that kept releases can be restored. In the order of their
    /// keys, each of which has an operation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archive: Vec<ArchiveCopy>,
}

/// A body that is copied into the state before it is replaced or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveCopy {
    /// The key, relative to the site.
    pub key: StoredKey,
    /// The current ETag of the object.
    pub etag: ETag,
    /// Bytes.
    pub size: u64,
    /// The last release that named it.
    pub last: ReleaseId,
}

/// Digests of the inputs of a plan. A saved plan is applied only if none has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanInputs {
    /// The fingerprint of the source.
    pub artifact: Fingerprint,
    /// SHA-256 of the listing of the site.
    pub listing: String,
    /// SHA-256 of the unchanged keys, with their headers.
    pub kept: String,
    /// The live release, if the site has releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<ReleaseId>,
    /// The oldest release that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_kept: Option<ReleaseId>,
    /// The sync and policy plugins, in order.
    pub plugins: Vec<PluginInput>,
    /// The folder of the release and SHA-256 of its rules for requests, if the site has an edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<String>,
}

/// A plugin of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginInput {
    /// Its name in the configuration.
    pub name: String,
    /// SHA-256 of its component.
    pub sha256: String,
    /// Its canonical settings.
    pub settings: String,
    /// Who signed it, if its signature was verified for this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedPlugin>,
    /// What it may do; everything without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<PluginGrant>,
    /// Whether it has an effect.
    #[serde(default, skip_serializing_if = "PluginMode::is_enforced")]
    pub mode: PluginMode,
}

/// A writer that only computes a digest.
struct HashingWriter(Sha256);

impl std::io::Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Plan {
    /// Writes the plan's bytes: JSON with a fixed order of members, two spaces of indentation and a final line feed. The
    /// bytes of a large plan are many times the size of the value.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_to(&self, mut writer: impl std::io::Write) -> std::io::Result<()> {
        serde_json::to_writer_pretty(&mut writer, self)?;
        writer.write_all(b"\n")?;
        writer.flush()
    }

    /// SHA-256 of what [`Plan::write_to`] writes, which identifies the plan.
    ///
    /// # Errors
    /// Only if the value cannot be written as JSON, which is a bug in Tidegate.
    pub fn digest(&self) -> Result<String, serde_json::Error> {
        let mut hash = HashingWriter(Sha256::new());
        let buffered = std::io::BufWriter::with_capacity(64 * 1024, &mut hash);
        self.write_to(buffered).map_err(serde_json::Error::io)?;
        Ok(hex::encode(hash.0.finalize()))
    }

    /// The unchanged entries of `desired`: those without an operation.
    pub fn kept<'a>(&'a self, desired: &'a DesiredSite) -> impl Iterator<Item = &'a DesiredEntry> {
        let mut operations = self.operations.iter().peekable();
        desired.entries().iter().filter(move |entry| {
            while operations.next_if(|operation| operation.key.as_str() < entry.key.as_str()).is_some() {}
            operations.peek().is_none_or(|operation| operation.key.as_str() != entry.key.as_str())
        })
    }

    /// SHA-256 of the unchanged keys, with their sizes, headers and redirects.
    #[must_use]
    pub fn kept_digest(&self, desired: &DesiredSite) -> String {
        let mut hash = Sha256::new();
        for entry in self.kept(desired) {
            hash.update(entry.key.as_str().as_bytes());
            hash.update([0]);
            hash.update(entry.body.size().to_be_bytes());
            for (name, value) in entry.headers.iter() {
                hash.update(name.as_str().as_bytes());
                hash.update([0]);
                hash.update(value.as_bytes());
                hash.update([0]);
            }
            for (name, value) in entry.headers.metadata() {
                hash.update(name.as_bytes());
                hash.update([0]);
                hash.update(value.as_bytes());
                hash.update([0]);
            }
            if let Some(target) = entry.body.redirect() {
                hash.update(target.as_str().as_bytes());
            }
            hash.update([0]);
        }
        hex::encode(hash.finalize())
    }

    /// Whether the site is up to date.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Lists what changed between this saved plan and a plan `now`, in at most `most` lines; empty if they are equal.
    #[must_use]
    pub fn drift(&self, now: &Self, most: usize) -> Vec<String> {
        let mut lines = Vec::new();
        if self.inputs.artifact != now.inputs.artifact {
            lines.push(format!("the source `{}` has changed", self.source));
        }
        if self.inputs.listing != now.inputs.listing {
            lines.push(format!("the site's bucket at `{}` has changed", self.target));
        }
        if self.inputs.live != now.inputs.live {
            lines.push(match now.inputs.live {
                Some(live) => format!("the release `{live}` is live now"),
                None => "the site's releases are gone".to_owned(),
            });
        } else if self.inputs.oldest_kept != now.inputs.oldest_kept {
            lines.push("fewer earlier releases are kept now".to_owned());
        }
        for plugin in &self.inputs.plugins {
            match now.inputs.plugins.iter().find(|other| other.name == plugin.name) {
                None => lines.push(format!("the plugin `{}` is no longer configured", plugin.name)),
                Some(other) if other.sha256 != plugin.sha256 => {
                    lines.push(format!("the plugin `{}` is another component", plugin.name));
                }
                Some(other) if other.settings != plugin.settings => {
                    lines.push(format!("the settings of the plugin `{}` have changed", plugin.name));
                }
                Some(other) if other.grant != plugin.grant || other.mode != plugin.mode => {
                    lines.push(format!("`grant` or `mode` of the plugin `{}` has changed", plugin.name));
                }
                Some(other) if other.signed != plugin.signed => {
                    lines.push(format!("the signature of the plugin `{}` has changed", plugin.name));
                }
                Some(_) => {}
            }
        }
        if self.inputs.edge != now.inputs.edge {
            lines.push("the rules for requests have changed".to_owned());
        }
        if self.inputs.plugins.len() < now.inputs.plugins.len() {
            lines.push("a plugin was added".to_owned());
        }
        if self.target != now.target || self.objects != now.objects {
            lines.push(format!("the configuration of the site `{}` has changed", self.site));
        }
        let index = |plan: &Self| -> BTreeMap<StoredKey, Operation> {
            plan.operations.iter().map(|operation| (operation.key.clone(), operation.clone())).collect()
        };
        let (then, since) = (index(self), index(now));
        for (key, operation) in &then {
            if since.get(key) != Some(operation) {
                lines.push(format!("`{key}` was planned as: {}, {}", operation.kind(), operation.reason));
            }
        }
        for (key, operation) in &since {
            if !then.contains_key(key) {
                lines.push(format!("`{key}` was not in the plan: {}, {}", operation.kind(), operation.reason));
            }
        }
        if lines.is_empty() && self != now {
            lines.push("unchanged keys of the plan have changed".to_owned());
        }
        let rest = lines.len().saturating_sub(most);
        lines.truncate(most);
        if rest > 0 {
            lines.push(format!("and {rest} more"));
        }
        lines
    }
}
