//! Runs that somebody asks for by name, and runs that an earlier invocation hands on.
//!
//! Owns their forms. Whoever may invoke the function may send either; neither can change what the configuration says.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_core::config::{Site, SiteName};
use tidegate_core::location::Source;
use tidegate_core::request::Revision;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::Timestamp;

use super::artifact_ref::{ArtifactRef, Trigger, TriggerCause};
use super::run_id::RunId;

/// The form of [`Continuation`]; another number is another form.
pub const CONTINUATION_FORMAT: u32 = 2;

/// A direct invocation: what to publish. Everything else is the configuration's, never the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// The site's name.
    pub site: String,
    /// What is published, where it is not the site's `staged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Its name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// When it was made: an older one never replaces a newer one. Without it, whoever asks publishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<Timestamp>,
}

/// A run on its way from one invocation to another, as `{"tidegate": …}`: from the one that answered a webhook to the one
/// that works, or from one that runs out of time to one that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Continuation {
    /// [`CONTINUATION_FORMAT`].
    pub format: u32,
    /// The run.
    pub run: RunId,
    /// What it publishes.
    pub trigger: Trigger,
}

/// Why a request by hand has nothing to publish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// A source that only a machine has.
    #[error("the source `{0}` is a path of a machine, a function reads `s3://…` only")]
    LocalSource(Source),
    /// Nothing says what to publish.
    #[error("the site `{0}` has no `staged`, name a `source` in the request")]
    NoSource(SiteName),
}

impl Invocation {
    /// What it asks of its site.
    ///
    /// # Errors
    /// [`InvocationError`].
    pub fn trigger(&self, site: &Site) -> Result<Trigger, InvocationError> {
        let source = self.source.clone().or_else(|| site.staged.clone());
        let source = source.ok_or_else(|| InvocationError::NoSource(site.name.clone()))?;
        if matches!(source, Source::Directory(_) | Source::Archive(_)) {
            return Err(InvocationError::LocalSource(source));
        }
        Ok(Trigger {
            site: site.name.clone(),
            release: self.release.clone().unwrap_or_else(|| source.to_string()),
            artifact: ArtifactRef::Source { source, pin: None },
            cause: TriggerCause::Invocation,
            revision: self.committed.map(|at| Revision::at(at.milliseconds())),
            delivery: None,
            status: None,
        })
    }

    pub(super) fn read(event: &Value) -> Result<Self, String> {
        Self::deserialize(event).map_err(|error| sanitize_name(&error.to_string()))
    }
}

impl Continuation {
    /// The field of an event that holds it.
    pub const FIELD: &'static str = "tidegate";

    /// As an event or the body of a message.
    ///
    /// # Errors
    /// None in practice: everything in it has a form in JSON.
    pub fn to_event(&self) -> serde_json::Result<Value> {
        Ok(serde_json::json!({ Self::FIELD: serde_json::to_value(self)? }))
    }

    pub(super) fn read(run: &Value) -> Result<Self, String> {
        match run.get("format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(CONTINUATION_FORMAT) => {
                Self::deserialize(run).map_err(|error| sanitize_name(&error.to_string()))
            }
            Some(other) => Err(format!("its form is {other}, not {CONTINUATION_FORMAT}")),
            None => Err("it names no form".to_owned()),
        }
    }
}
