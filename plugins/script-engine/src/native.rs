//! What the prelude calls in Rust, and what it collects.

use std::cell::RefCell;
use std::rc::Rc;

use rquickjs::{Ctx, Exception, Function, Object};
use serde_json::{Map, Value};
use tidegate_plugin::glob::KeyGlob;
use tidegate_plugin::log::{self, Level};
use tidegate_plugin::{Attribute, Edit, Failure, Finding, Pointer, Severity, Verdict};

use crate::place::call_place;
use crate::rules::{MAX_HEAD_BYTES, ScriptRule};

/// What a script registered and answered.
pub(crate) struct ScriptState {
    /// The rules of `each`, in order.
    pub(crate) rules: Vec<ScriptRule>,
    /// The decision about the current object.
    pub(crate) decision: PendingDecision,
    /// Redirects to add: key, target, reason.
    pub(crate) redirects: Vec<(String, String, String)>,
    /// Findings since the last time they were taken.
    pub(crate) findings: Vec<Finding>,
    /// What the script judged.
    pub(crate) verdict: Verdict,
    /// What `fail` said.
    pub(crate) failure: Option<Failure>,
    given: Map<String, Value>,
    declared: Option<Map<String, Value>>,
    values_pointer: Pointer,
    issues: Vec<(Pointer, String)>,
}

/// The edits of one object.
#[derive(Default)]
pub(crate) struct PendingDecision {
    pub(crate) excluded: bool,
    pub(crate) edits: Vec<Edit>,
    pub(crate) reason: String,
}

impl PendingDecision {
    pub(crate) fn is_made(&self) -> bool {
        self.excluded || !self.edits.is_empty()
    }
}

impl ScriptState {
    pub(crate) fn new(given: Map<String, Value>, values_pointer: Pointer) -> Self {
        Self {
            rules: Vec::new(),
            decision: PendingDecision::default(),
            redirects: Vec::new(),
            findings: Vec::new(),
            verdict: Verdict::Allow,
            failure: None,
            given,
            declared: None,
            values_pointer,
            issues: Vec::new(),
        }
    }

    /// The settings of the script: the defaults that it declared, with what was given.
    pub(crate) fn values(&self) -> Map<String, Value> {
        self.declared.clone().unwrap_or_default()
    }

    /// The mistakes in the settings.
    pub(crate) fn issues(&self) -> Vec<(Pointer, String)> {
        let mut issues = self.issues.clone();
        if self.declared.is_none() && !self.given.is_empty() {
            let message = "the script has no settings; declare them with `settings({ … })`, or remove these";
            issues.push((self.values_pointer.clone(), message.to_owned()));
        }
        if self.rules.is_empty() && issues.is_empty() {
            log::debug("the script has no `each`");
        }
        issues
    }

    fn declare(&mut self, defaults: &str) -> Result<String, String> {
        if self.declared.is_some() {
            return Err("call settings once, with all defaults".to_owned());
        }
        let defaults: Map<String, Value> = serde_json::from_str(defaults).map_err(|error| error.to_string())?;
        let declared = merge(&defaults, &self.given, &self.values_pointer, &mut self.issues);
        let text = Value::from(declared.clone()).to_string();
        self.declared = Some(declared);
        Ok(text)
    }
}

/// The defaults with the given values, which must have the same types.
fn merge(
    defaults: &Map<String, Value>,
    given: &Map<String, Value>,
    pointer: &Pointer,
    issues: &mut Vec<(Pointer, String)>,
) -> Map<String, Value> {
    for name in given.keys().filter(|name| !defaults.contains_key(*name)) {
        let known: Vec<String> = defaults.keys().map(|name| format!("`{name}`")).collect();
        issues.push((pointer.clone().member(name), format!("unknown setting; the script has {}", known.join(", "))));
    }
    let value = |(name, default): (&String, &Value)| {
        let value = match (default, given.get(name)) {
            (_, None) => default.clone(),
            (Value::Object(inner), Some(Value::Object(given))) if !inner.is_empty() => {
                merge(inner, given, &pointer.clone().member(name), issues).into()
            }
            (Value::Null, Some(value)) => value.clone(),
            (default, Some(value)) if json_type(default) == json_type(value) => value.clone(),
            (default, Some(_)) => {
                issues.push((pointer.clone().member(name), format!("use {}", json_type(default))));
                default.clone()
            }
        };
        (name.clone(), value)
    };
    defaults.iter().map(value).collect()
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The object `native` of the prelude.
pub(crate) fn functions<'js>(ctx: &Ctx<'js>, state: &Rc<RefCell<ScriptState>>) -> rquickjs::Result<Object<'js>> {
    let functions = Object::new(ctx.clone())?;
    let shared = Rc::clone(state);
    functions.set(
        "rule",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, patterns: Vec<String>, head: u32, stack: String| -> rquickjs::Result<()> {
                let patterns: Result<Vec<KeyGlob>, _> =
                    patterns.iter().map(|pattern| KeyGlob::parse(pattern)).collect();
                let patterns = patterns.map_err(|error| Exception::throw_message(&ctx, &error.to_string()))?;
                // Not a line of the prelude.
                let place = stack.lines().filter(|line| !line.contains("(tidegate:")).find_map(call_place);
                shared.borrow_mut().rules.push(ScriptRule { patterns, head, place });
                Ok(())
            },
        )?,
    )?;
    let shared = Rc::clone(state);
    functions.set(
        "settings",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>, defaults: String| {
            let declared = shared.borrow_mut().declare(&defaults);
            declared.map_err(|message| Exception::throw_message(&ctx, &message))
        })?,
    )?;
    let shared = Rc::clone(state);
    functions.set(
        "invalid",
        Function::new(ctx.clone(), move |name: String, message: String| {
            let mut state = shared.borrow_mut();
            let pointer = state.values_pointer.clone().member(&name);
            state.issues.push((pointer, message));
        })?,
    )?;
    let shared = Rc::clone(state);
    functions.set(
        "fail",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>, message: String, key: String| -> rquickjs::Result<()> {
            let failure = Failure::new("script", message.clone());
            let failure = if key.is_empty() { failure } else { failure.with_key(key) };
            shared.borrow_mut().failure.get_or_insert(failure);
            Err(Exception::throw_message(&ctx, &message))
        })?,
    )?;
    let shared = Rc::clone(state);
    functions.set(
        "finding",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, message: String, code: String, severity: String, key: String| {
                let severity = match severity.as_str() {
                    "info" => Severity::Info,
                    "warning" => Severity::Warning,
                    "error" => Severity::Error,
                    other => {
                        let message = format!("no severity {other}; use info, warning or error");
                        return Err(Exception::throw_range(&ctx, &message));
                    }
                };
                let finding = Finding::new(severity, &code, message);
                let finding = if key.is_empty() { finding } else { finding.with_key(key) };
                shared.borrow_mut().findings.push(finding);
                Ok(())
            },
        )?,
    )?;
    let shared = Rc::clone(state);
    functions.set(
        "judge",
        Function::new(ctx.clone(), move |verdict: String| {
            let mut state = shared.borrow_mut();
            match (verdict.as_str(), &state.verdict) {
                ("deny", _) => state.verdict = Verdict::Deny,
                (_, Verdict::Allow) => state.verdict = Verdict::Hold,
                _ => {}
            }
        })?,
    )?;
    let shared = Rc::clone(state);
    functions.set(
        "edit",
        Function::new(ctx.clone(), move |operation: String, name: String, value: String, reason: String| {
            let decision = &mut shared.borrow_mut().decision;
            match operation.as_str() {
                "exclude" => decision.excluded = true,
                "rename" => decision.edits.push(Edit::Rename(name)),
                "redirect" => decision.edits.push(Edit::Redirect(name)),
                "set-header" => decision.edits.push(Edit::SetHeader(Attribute::new(name, value))),
                "remove-header" => decision.edits.push(Edit::RemoveHeader(name)),
                "set-metadata" => decision.edits.push(Edit::SetMetadata(Attribute::new(name, value))),
                _ => decision.edits.push(Edit::RemoveMetadata(name)),
            }
            if !reason.is_empty() {
                decision.reason = reason;
            }
        })?,
    )?;
    let shared = Rc::clone(state);
    functions.set(
        "add",
        Function::new(ctx.clone(), move |key: String, target: String, reason: String| {
            shared.borrow_mut().redirects.push((key, target, reason));
        })?,
    )?;
    functions.set(
        "matches",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, pattern: String, key: String| {
            let glob = KeyGlob::parse(&pattern);
            glob.map(|glob| glob.matches(&key)).map_err(|error| Exception::throw_message(&ctx, &error.to_string()))
        })?,
    )?;
    functions.set("maxHead", MAX_HEAD_BYTES)?;
    functions.set(
        "log",
        Function::new(ctx.clone(), |level: String, message: String| {
            let level = match level.as_str() {
                "debug" => Level::Debug,
                "warn" => Level::Warn,
                "error" => Level::Error,
                _ => Level::Info,
            };
            log::log(level, message);
        })?,
    )?;
    Ok(functions)
}
