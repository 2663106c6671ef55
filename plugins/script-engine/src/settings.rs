//! The settings: the code and its own settings. A plugin with built-in code has only its own settings.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use tidegate_plugin::{Issues, Pointer, Settings};

use crate::engine::{Script, ScriptFacts};
use crate::source::built_in;

/// The file name in messages if the settings have none.
const UNNAMED: &str = "code";

/// The settings of a script: a policy or a sync plugin, which have other functions.
#[derive(Debug, Clone)]
pub struct ScriptSettings<const POLICY: bool> {
    /// The file that the code is from, for messages.
    pub(crate) file: String,
    /// The code.
    pub(crate) code: String,
    /// What `settings()` returns in the script.
    pub(crate) values: Map<String, Value>,
    /// Whether the component has the code.
    pub(crate) built_in: bool,
}

/// The settings of the bundled plugin, as in a configuration.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct CodeSettings {
    code: String,
    file: String,
    settings: Map<String, Value>,
}

impl Default for CodeSettings {
    fn default() -> Self {
        Self { code: String::new(), file: UNNAMED.to_owned(), settings: Map::new() }
    }
}

impl<'de, const POLICY: bool> Deserialize<'de> for ScriptSettings<POLICY> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match built_in() {
            Some((file, code)) => {
                let values = Map::deserialize(deserializer)?;
                Ok(Self { file, code, values, built_in: true })
            }
            None => {
                let CodeSettings { code, file, settings } = CodeSettings::deserialize(deserializer)?;
                Ok(Self { file, code, values: settings, built_in: false })
            }
        }
    }
}

impl<const POLICY: bool> Serialize for ScriptSettings<POLICY> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.built_in {
            return self.values.serialize(serializer);
        }
        let Self { file, code, values, .. } = self.clone();
        CodeSettings { code, file, settings: values }.serialize(serializer)
    }
}

impl<const POLICY: bool> ScriptSettings<POLICY> {
    /// Where the script's own settings are.
    pub(crate) fn values_pointer(&self) -> Pointer {
        if self.built_in { Pointer::root() } else { Pointer::root().member("settings") }
    }

    /// Where the code is, for decisions and failures.
    pub(crate) fn code_pointer(&self) -> Pointer {
        if self.built_in { Pointer::root() } else { Pointer::root().member("code") }
    }
}

impl<const POLICY: bool> Settings for ScriptSettings<POLICY> {
    /// Runs the code until it ends, without a run: it registers functions, and `settings` adds its defaults.
    fn check(&mut self, issues: &mut Issues) {
        if self.code.trim().is_empty() {
            issues.add(
                &self.code_pointer(),
                "there is no code; write a script, or name a file with `plugin = \"rules.js\"`",
            );
            return;
        }
        if self.file.is_empty() || self.file.len() > 200 || self.file.contains(['\0', '\n', '(', ')']) {
            issues.add(&Pointer::root().member("file"), "use a file name of 1 to 200 characters without parentheses");
            return;
        }
        match Script::start(self, &ScriptFacts::Check) {
            Ok(script) => {
                let state = script.state();
                for (pointer, message) in state.issues() {
                    issues.add(&pointer, message);
                }
                self.values = state.values();
            }
            Err(failure) => issues.add(&self.code_pointer(), failure.message),
        }
    }
}
