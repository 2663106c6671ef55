//! One script: QuickJS, its limits, and exceptions as messages.

use std::cell::RefCell;
use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::{CatchResultExt as _, CaughtError, Context, Ctx, Function, Object, Persistent, Runtime};
use serde_json::{Map, Value, json};
use tidegate_plugin::{Failure, Pointer, Run, Totals};

use crate::native::{self, ScriptState};
use crate::place::place;
use crate::settings::ScriptSettings;

/// Stack of a script, in bytes: recursion becomes an exception before the host ends the plugin.
const STACK_BYTES: usize = if cfg!(target_family = "wasm") { 64 << 10 } else { 512 << 10 };
/// Memory of a script, in bytes: most of what the host allows.
const MEMORY_BYTES: usize = 96 << 20;

/// A script after its code has run: with its rules, and the functions of the prelude.
pub(crate) struct Script {
    // Fields are dropped in order, and values of a script must be dropped before its context.
    visit: Persistent<Function<'static>>,
    finish: Persistent<Function<'static>>,
    context: Context,
    state: Rc<RefCell<ScriptState>>,
    file: String,
    pointer: Pointer,
}

/// The facts that a script has: of a run, or none while its settings are checked.
pub(crate) enum ScriptFacts<'a> {
    Check,
    Sync(&'a Run),
    Policy(&'a Run, &'a Totals),
}

impl ScriptFacts<'_> {
    /// The global `run`.
    fn to_json(&self) -> Value {
        let facts = |run: &Run| {
            let attributes = run.attributes.iter().map(|fact| (fact.name.clone(), fact.value.as_str().into()));
            json!({
                "site": run.site,
                "release": run.release,
                "now": run.now_ms,
                "objects": run.objects,
                "attributes": attributes.collect::<Map<String, Value>>(),
                "counts": {},
            })
        };
        match self {
            Self::Check => json!({ "site": "", "release": "", "now": 0, "objects": 0, "attributes": {}, "counts": {} }),
            Self::Sync(run) => facts(run),
            Self::Policy(run, totals) => {
                let mut facts = facts(run);
                let counts = totals.counts.iter().map(|(name, count)| (name.clone(), Value::from(*count)));
                if let Some(facts) = facts.as_object_mut() {
                    facts.insert("counts".to_owned(), counts.collect::<Map<String, Value>>().into());
                }
                facts
            }
        }
    }
}

impl Script {
    /// Runs the code until it ends.
    pub(crate) fn start<const POLICY: bool>(
        settings: &ScriptSettings<POLICY>,
        facts: &ScriptFacts<'_>,
    ) -> Result<Self, Failure> {
        let broken = |error: rquickjs::Error| Failure::new("engine", format!("cannot start QuickJS: {error}"));
        let runtime = Runtime::new().map_err(broken)?;
        runtime.set_max_stack_size(STACK_BYTES);
        runtime.set_memory_limit(MEMORY_BYTES);
        let context = Context::full(&runtime).map_err(broken)?;
        let state = Rc::new(RefCell::new(ScriptState::new(settings.values.clone(), settings.values_pointer())));
        let pointer = settings.code_pointer();
        let started = context.with(|ctx| {
            let functions = prepare(&ctx, &state, POLICY, &facts.to_json().to_string()).and_then(|functions| {
                let mut options = EvalOptions::default();
                options.filename = Some(settings.file.clone());
                let () = ctx.eval_with_options(settings.code.as_str(), options)?;
                let visit = functions.get::<_, Function<'_>>("visit")?;
                let finish = functions.get::<_, Function<'_>>("finish")?;
                Ok((Persistent::save(&ctx, visit), Persistent::save(&ctx, finish)))
            });
            functions.catch(&ctx).map_err(|error| describe(&error, &settings.file))
        });
        let failed = state.borrow_mut().failure.take();
        let (visit, finish) = match (failed, started) {
            (Some(failure), _) => return Err(failure.with_rule(&pointer)),
            (None, started) => started.map_err(|message| Failure::new("exception", message).with_rule(&pointer))?,
        };
        let file = settings.file.clone();
        Ok(Self { visit, finish, context, state, file, pointer })
    }

    /// What the natives collected.
    pub(crate) fn state(&self) -> std::cell::RefMut<'_, ScriptState> {
        self.state.borrow_mut()
    }

    /// The place of the code in the settings.
    pub(crate) fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    /// Calls `visit` of the prelude any number of times.
    pub(crate) fn visit(
        &self,
        visits: impl FnOnce(&mut dyn FnMut(Visit<'_>) -> Result<(), Failure>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.context.with(|ctx| {
            let restored = self.visit.clone().restore(&ctx);
            let visit = restored.map_err(|error| Failure::new("engine", error.to_string()))?;
            visits(&mut |one: Visit<'_>| {
                let Visit { is_next, rule, head, key, size, target, headers, one, other } = one;
                let rule = u32::try_from(rule).unwrap_or(u32::MAX);
                // JavaScript has no larger integers than 2^53.
                let size = size as f64;
                let mut arguments = rquickjs::function::Args::new(ctx.clone(), 9);
                let called = arguments
                    .push_arg(is_next)
                    .and_then(|()| arguments.push_arg(rule))
                    .and_then(|()| arguments.push_arg(head))
                    .and_then(|()| arguments.push_arg(key))
                    .and_then(|()| arguments.push_arg(size))
                    .and_then(|()| arguments.push_arg(target))
                    .and_then(|()| arguments.push_arg(headers))
                    .and_then(|()| arguments.push_arg(one))
                    .and_then(|()| arguments.push_arg(other))
                    .and_then(|()| visit.call_arg::<()>(arguments));
                self.answer(&ctx, called, Some(key))
            })
        })
    }

    /// Calls the functions of `last`.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        self.context.with(|ctx| {
            let called = self.finish.clone().restore(&ctx).and_then(|finish| finish.call::<_, ()>(()));
            self.answer(&ctx, called, None)
        })
    }

    /// The failure of a call: what `fail` said, or an exception.
    fn answer(&self, ctx: &Ctx<'_>, called: rquickjs::Result<()>, key: Option<&str>) -> Result<(), Failure> {
        let thrown = called.catch(ctx).map_err(|error| describe(&error, &self.file));
        let failed = self.state.borrow_mut().failure.take();
        let mut failure = match (failed, thrown) {
            (Some(failure), _) => failure,
            (None, Err(message)) => Failure::new("exception", message),
            (None, Ok(())) => return Ok(()),
        };
        if failure.key.is_none() {
            failure.key = key.map(str::to_owned);
        }
        Err(failure.with_rule(&self.pointer))
    }
}

/// One rule that matches one object.
pub(crate) struct Visit<'a> {
    /// Whether it is the first rule that matches the object.
    pub(crate) is_next: bool,
    pub(crate) rule: usize,
    pub(crate) head: &'a str,
    pub(crate) key: &'a str,
    pub(crate) size: u64,
    pub(crate) target: Option<&'a str>,
    /// Names and values on alternating lines.
    pub(crate) headers: &'a str,
    /// Metadata, or the kind of a change.
    pub(crate) one: &'a str,
    /// The reason of a change.
    pub(crate) other: &'a str,
}

/// Runs the prelude: defines the functions of scripts, and returns those that Rust calls.
fn prepare<'js>(
    ctx: &Ctx<'js>,
    state: &Rc<RefCell<ScriptState>>,
    is_policy: bool,
    run: &str,
) -> rquickjs::Result<Object<'js>> {
    let mut options = EvalOptions::default();
    options.filename = Some("tidegate".to_owned());
    let prelude: Function<'js> = ctx.eval_with_options(include_str!("prelude.js"), options)?;
    prelude.call((native::functions(ctx, state)?, is_policy, run))
}

/// An exception in one sentence, with the place in the script.
fn describe(error: &CaughtError<'_>, file: &str) -> String {
    match error {
        CaughtError::Exception(exception) => {
            let message = exception.message().unwrap_or_default();
            let name = exception.get::<_, Option<String>>("name").ok().flatten().unwrap_or_default();
            let message = if name.is_empty() || name == "Error" { message } else { format!("{name}: {message}") };
            match exception.stack().and_then(|stack| place(&stack, file)) {
                Some(place) => format!("{message} ({place})"),
                None => message,
            }
        }
        CaughtError::Value(value) => match value.as_string().and_then(|text| text.to_string().ok()) {
            Some(text) => text,
            None => "the script threw a value that is not an error; use `fail` or `new Error`".to_owned(),
        },
        CaughtError::Error(error) => error.to_string(),
    }
}
