//! A plugin with settings that it has accepted.
//!
//! Owns the validation of settings. Never runs a publish.

use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::key::Key;
use tidegate_core::plugin_failure::{LocatedCause, MalformedAnswer, PluginFailure};
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};

use super::answer::pointer;
use super::bindings::{policy_world, sync_world};
use super::content_server::ContentServer;
use super::instance::{Instance, RunSpec, run};
use super::limits::MAX_SETTINGS_BYTES;
use super::loaded::{Plugin, ReadyPlugin};

/// Most issues that are kept of one answer.
const MAX_ISSUES: usize = 100;

/// A plugin with its canonical settings.
#[derive(Debug, Clone)]
pub struct ConfiguredPlugin {
    plugin: Plugin,
    settings: String,
}

/// One thing that is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SettingsIssue {
    /// JSON Pointer to the value; empty for the whole document.
    pub pointer: String,
    /// One sentence that says what to do.
    pub message: String,
}

/// Why settings are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The plugin refuses them.
    #[error("the plugin `{plugin}` refuses its settings: {}", report_issues(.issues, *.more))]
    Refused {
        /// Its name.
        plugin: String,
        /// What is wrong.
        issues: Vec<SettingsIssue>,
        /// Issues past the first hundred.
        more: usize,
    },
    /// More than [`MAX_SETTINGS_BYTES`].
    #[error("the settings of the plugin `{plugin}` have {bytes} bytes as JSON, the most is {MAX_SETTINGS_BYTES}")]
    TooLong {
        /// Its name.
        plugin: String,
        /// Bytes.
        bytes: usize,
    },
    /// The plugin failed over them.
    #[error(transparent)]
    Failed(#[from] PluginFailure),
}

fn report_issues(issues: &[SettingsIssue], more: usize) -> String {
    let mut text = issues
        .iter()
        .map(|issue| match issue.pointer.as_str() {
            "" => issue.message.clone(),
            pointer => format!("`{pointer}`: {}", issue.message),
        })
        .collect::<Vec<_>>()
        .join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

impl Plugin {
    /// Has the plugin check settings, and checks that the canonical form it returns is one: a second validation, in
    /// another instance, must return the same text.
    ///
    /// # Errors
    /// [`SettingsError::Refused`] with what the plugin has against them; [`SettingsError::Failed`] where the plugin
    /// breaks down over them or its canonical form is none.
    pub fn validate(&self, settings: &serde_json::Value) -> Result<ConfiguredPlugin, SettingsError> {
        let text = settings.to_string();
        if text.len() > MAX_SETTINGS_BYTES {
            return Err(SettingsError::TooLong { plugin: self.name().to_owned(), bytes: text.len() });
        }
        let canonical = match self.ask(&text)? {
            Ok(canonical) => canonical,
            Err((issues, more)) => return Err(SettingsError::Refused { plugin: self.name().to_owned(), issues, more }),
        };
        let differs = match self.ask(&canonical)? {
            Ok(again) if again == canonical => {
                return Ok(ConfiguredPlugin { plugin: self.clone(), settings: canonical });
            }
            Ok(again) => format!("gives `{}` for `{}`", sanitize(&again, 200), sanitize(&canonical, 200)),
            Err((issues, more)) => format!("is refused with {}", sanitize(&report_issues(&issues, more), 200)),
        };
        Err(PluginFailure::new(self.name(), VALIDATE, MalformedAnswer::NotCanonical(differs).into(), None).into())
    }

    /// One validation: canonical settings, or the first issues and the number of the rest.
    fn ask(&self, settings: &str) -> Result<Result<String, (Vec<SettingsIssue>, usize)>, PluginFailure> {
        let nothing = |_: &str| None;
        let engine = self.engine();
        let desk = ContentServer::new(&nothing, &NoContent, engine.limits(), 0);
        let order = RunSpec { engine, name: self.name(), objects: 0, content: desk };
        let (result, _) = match self.ready() {
            ReadyPlugin::Sync(ready) => run(
                order,
                |store| ready.instantiate(store),
                |session: &mut Instance<sync_world::SyncPlugin>| {
                    let answer = session
                        .call(VALIDATE, |b, store| b.tidegate_plugin_settings().call_validate(store, settings))?;
                    judged(
                        answer
                            .map_err(|issues| issues.into_iter().map(|issue| (issue.pointer, issue.message)).collect()),
                    )
                },
            ),
            ReadyPlugin::Policy(ready) => run(
                order,
                |store| ready.instantiate(store),
                |session: &mut Instance<policy_world::PolicyPlugin>| {
                    let answer = session
                        .call(VALIDATE, |b, store| b.tidegate_plugin_settings().call_validate(store, settings))?;
                    judged(
                        answer
                            .map_err(|issues| issues.into_iter().map(|issue| (issue.pointer, issue.message)).collect()),
                    )
                },
            ),
        };
        result
    }
}

const VALIDATE: &str = "settings.validate";

type Validated = Result<String, (Vec<SettingsIssue>, usize)>;

fn judged(answer: Result<String, Vec<(String, String)>>) -> Result<Validated, LocatedCause> {
    match answer {
        Ok(canonical) if canonical.len() > MAX_SETTINGS_BYTES => {
            Err(MalformedAnswer::SettingsSize(canonical.len()).into())
        }
        Ok(canonical) => match serde_json::from_str::<serde::de::IgnoredAny>(&canonical) {
            Ok(_) => Ok(Ok(canonical)),
            Err(error) => Err(MalformedAnswer::NotJson(error.to_string()).into()),
        },
        Err(issues) if issues.is_empty() => Err(MalformedAnswer::NoIssue.into()),
        Err(issues) => {
            let more = issues.len().saturating_sub(MAX_ISSUES);
            let issues = issues
                .into_iter()
                .take(MAX_ISSUES)
                .map(|(at, message)| {
                    Ok(SettingsIssue { pointer: pointer(at)?, message: sanitize(&message, MESSAGE_BYTES) })
                })
                .collect::<Result<_, MalformedAnswer>>()?;
            Ok(Err((issues, more)))
        }
    }
}

impl ConfiguredPlugin {
    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        self.plugin.name()
    }

    /// Its settings as canonical JSON.
    #[must_use]
    pub fn settings(&self) -> &str {
        &self.settings
    }
}

/// There is nothing to read while settings are validated.
struct NoContent;

impl ContentReader for NoContent {
    fn heads(&self, keys: &[Key], _: u32, _: std::time::Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| Err(ReadError::NotFound(key.clone()))).collect()
    }

    fn range(&self, key: &Key, _: u64, _: u32, _: std::time::Instant) -> Result<Vec<u8>, ReadError> {
        Err(ReadError::NotFound(key.clone()))
    }
}
