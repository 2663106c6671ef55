//! Settings: the plugin validates them and returns their canonical form.

use tidegate_core::config::{PluginGrant, PluginMode};
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::key::Key;
use tidegate_core::plugin_failure::{LocatedCause, MalformedAnswer, PluginFailure};
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};

use super::answer::check_pointer;
use super::bindings::policy_world::PolicyPlugin;
use super::bindings::sync_world::SyncPlugin;
use super::content_server::ContentServer;
use super::instance::{Instance, RunSpec, run};
use super::limits::MAX_SETTINGS_BYTES;
use super::loaded::{LinkedPlugin, Plugin};

/// Limit of the issues that are kept of one answer.
const MAX_ISSUES: usize = 100;

const VALIDATE: &str = "settings.validate";

/// A plugin with its canonical settings, and what it may do.
#[derive(Debug, Clone)]
pub struct ConfiguredPlugin {
    plugin: Plugin,
    settings: String,
    grant: Option<PluginGrant>,
    mode: PluginMode,
}

/// One mistake in settings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SettingsIssue {
    /// JSON Pointer to the value; empty for the whole document.
    pub pointer: String,
    /// One sentence with the remedy.
    pub message: String,
}

/// Settings that are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The plugin refuses them.
    #[error("invalid settings for plugin `{plugin}`: {}", report_issues(.issues, *.more))]
    Refused {
        /// The plugin's name in the configuration.
        plugin: String,
        /// The first hundred mistakes.
        issues: Vec<SettingsIssue>,
        /// The number of further mistakes.
        more: usize,
    },
    /// They exceed [`MAX_SETTINGS_BYTES`].
    #[error("the settings for plugin `{plugin}` have {bytes} bytes as JSON, and the limit is {MAX_SETTINGS_BYTES}")]
    TooLong {
        /// The plugin's name in the configuration.
        plugin: String,
        /// Their size in bytes.
        bytes: usize,
    },
    /// The plugin failed while it validated them.
    #[error(transparent)]
    Failed(#[from] PluginFailure),
}

/// What a plugin answers to settings: their canonical form, or the mistakes.
type Validated = Result<String, RefusedSettings>;

/// The first mistakes, and the number of the rest.
struct RefusedSettings {
    issues: Vec<SettingsIssue>,
    more: usize,
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
    /// Validates settings. The canonical form that the plugin returns must be a fixed point: a second validation, in
    /// another instance, must return the same text.
    ///
    /// # Errors
    /// [`SettingsError::Refused`] with the mistakes; [`SettingsError::Failed`] if the plugin fails, or if its canonical
    /// form is not a fixed point.
    pub fn validate(&self, settings: &serde_json::Value) -> Result<ConfiguredPlugin, SettingsError> {
        let text = settings.to_string();
        if text.len() > MAX_SETTINGS_BYTES {
            return Err(SettingsError::TooLong { plugin: self.name().to_owned(), bytes: text.len() });
        }
        let canonical = match self.call_validate(&text)? {
            Ok(canonical) => canonical,
            Err(RefusedSettings { issues, more }) => {
                return Err(SettingsError::Refused { plugin: self.name().to_owned(), issues, more });
            }
        };
        let difference = match self.call_validate(&canonical)? {
            Ok(again) if again == canonical => {
                let (plugin, mode) = (self.clone(), PluginMode::default());
                return Ok(ConfiguredPlugin { plugin, settings: canonical, grant: None, mode });
            }
            Ok(again) => format!("returns `{}` for `{}`", sanitize(&again, 200), sanitize(&canonical, 200)),
            Err(refused) => {
                format!("is refused with {}", sanitize(&report_issues(&refused.issues, refused.more), 200))
            }
        };
        Err(PluginFailure::new(self.name(), VALIDATE, MalformedAnswer::NotCanonical(difference).into(), None).into())
    }

    fn call_validate(&self, settings: &str) -> Result<Validated, PluginFailure> {
        let find = |_: &str| None;
        let engine = self.engine();
        let content = ContentServer::new(&find, &NoContent, engine.limits(), 0, None);
        let spec = RunSpec { engine, name: self.name(), objects: 0, content, has_edge: false, grant: None };
        // The worlds have distinct types for the same interface.
        macro_rules! validate {
            ($plugin:expr, $bindings:ty) => {
                run(
                    spec,
                    |store| $plugin.instantiate(store),
                    |instance: &mut Instance<$bindings>| {
                        let answer = instance.call(VALIDATE, |bindings, store| {
                            bindings.tidegate_plugin_settings().call_validate(store, settings)
                        })?;
                        check_answer(
                            answer.map_err(|issues| {
                                issues.into_iter().map(|issue| (issue.pointer, issue.message)).collect()
                            }),
                        )
                    },
                )
                .0
            };
        }
        match self.linked() {
            LinkedPlugin::Sync(plugin) => validate!(plugin, SyncPlugin),
            LinkedPlugin::Policy(plugin) => validate!(plugin, PolicyPlugin),
        }
    }
}

/// Checks an answer: canonical settings, or pointer and message of each issue.
fn check_answer(answer: Result<String, Vec<(String, String)>>) -> Result<Validated, LocatedCause> {
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
            let checked = issues.into_iter().take(MAX_ISSUES).map(|(pointer, message)| {
                Ok(SettingsIssue { pointer: check_pointer(pointer)?, message: sanitize(&message, MESSAGE_BYTES) })
            });
            let issues = checked.collect::<Result<_, MalformedAnswer>>()?;
            Ok(Err(RefusedSettings { issues, more }))
        }
    }
}

impl ConfiguredPlugin {
    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// The plugin's name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        self.plugin.name()
    }

    /// Its settings as canonical JSON.
    #[must_use]
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// Limits what it may do; without a grant it may do everything that its contract offers.
    #[must_use]
    pub fn with_grant(self, grant: Option<PluginGrant>) -> Self {
        Self { grant, ..self }
    }

    /// Sets whether it has an effect.
    #[must_use]
    pub fn with_mode(self, mode: PluginMode) -> Self {
        Self { mode, ..self }
    }

    /// What it may do; everything without a grant.
    #[must_use]
    pub fn grant(&self) -> Option<&PluginGrant> {
        self.grant.as_ref()
    }

    /// Whether it has an effect.
    #[must_use]
    pub fn mode(&self) -> PluginMode {
        self.mode
    }
}

/// The content while settings are validated: none.
pub(super) struct NoContent;

impl ContentReader for NoContent {
    fn heads(&self, keys: &[Key], _: u32, _: std::time::Instant) -> Vec<Result<Vec<u8>, ReadError>> {
        keys.iter().map(|key| Err(ReadError::NotFound(key.clone()))).collect()
    }

    fn range(&self, key: &Key, _: u64, _: u32, _: std::time::Instant) -> Result<Vec<u8>, ReadError> {
        Err(ReadError::NotFound(key.clone()))
    }
}
