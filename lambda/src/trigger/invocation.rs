//! Direct invocations and continuations: the two events that Tidegate defines itself.
//!
//! Any principal with `lambda:InvokeFunction` can send them. Neither can change what the configuration says.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_core::config::{Site, SiteName};
use tidegate_core::location::Source;
use tidegate_core::request::Revision;
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::Timestamp;

use super::artifact_ref::{ArtifactRef, Trigger, TriggerCause};
use super::run_id::RunId;

/// The format number of [`Continuation`].
pub const CONTINUATION_FORMAT: u32 = 3;

/// A direct invocation: what to publish. Everything else comes from the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Invocation {
    /// The name of the site.
    pub site: String,
    /// What to publish; the `staged` of the site if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The name of the release, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// When the build was made: an older build never replaces a newer one. If absent, the invocation always publishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_time: Option<Timestamp>,
}

/// A run that is passed to another invocation, as `{"tidegate": …}`: after a webhook was answered, or when the time of
/// an invocation runs out.
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

/// Why a direct invocation has nothing to publish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// The source is a local path.
    #[error("the source `{0}` is a local path; a function can only read `s3://…`")]
    LocalSource(Source),
    /// There is no source.
    #[error("the site `{0}` has no `staged`; add a `source` to the request")]
    NoSource(SiteName),
}

impl Invocation {
    /// What the invocation publishes.
    ///
    /// # Errors
    /// [`InvocationError`].
    pub fn trigger(&self, site: &Site) -> Result<Trigger, InvocationError> {
        let source = self.source.clone().or_else(|| site.staged.clone());
        let source = source.ok_or_else(|| InvocationError::NoSource(site.name.clone()))?;
        if source.is_local() {
            return Err(InvocationError::LocalSource(source));
        }
        Ok(Trigger {
            site: site.name.clone(),
            release: self.release.clone().unwrap_or_else(|| source.to_string()),
            artifact: ArtifactRef::Source { source, pin: None },
            cause: TriggerCause::Invocation,
            revision: self.commit_time.map(|at| Revision::of_commit(at.milliseconds())),
            delivery: None,
            status: None,
        })
    }

    pub(super) fn read(event: &Value) -> Result<Self, String> {
        Self::deserialize(event).map_err(|error| sanitize_name(&error.to_string()))
    }
}

impl Continuation {
    /// The field of an event that holds a continuation.
    pub const FIELD: &'static str = "tidegate";

    /// The continuation as an event, or as the body of a message.
    ///
    /// # Errors
    /// None in practice: every part has a JSON form.
    pub fn to_event(&self) -> serde_json::Result<Value> {
        Ok(serde_json::json!({ Self::FIELD: serde_json::to_value(self)? }))
    }

    /// Whether this version of Tidegate made it.
    pub(super) fn check_format(&self) -> Result<(), String> {
        if self.format == CONTINUATION_FORMAT {
            Ok(())
        } else {
            Err(format!("its format is {}, not {CONTINUATION_FORMAT}", self.format))
        }
    }

    pub(super) fn read(continuation: &Value) -> Result<Self, String> {
        match continuation.get("format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(CONTINUATION_FORMAT) => {
                Self::deserialize(continuation).map_err(|error| sanitize_name(&error.to_string()))
            }
            Some(other) => Err(format!("its format is {other}, not {CONTINUATION_FORMAT}")),
            None => Err("it has no format number".to_owned()),
        }
    }
}
