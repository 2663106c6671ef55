//! Where the fuel of a plugin goes: stacks of functions, weighted by fuel.
//!
//! Compiled code checks its epoch at the start of every function and loop. With a deadline that is always over, the host
//! sees every check, in the same code and with the same limits as a run that publishes; only the time is not limited. Fuel
//! is known at the checks at which a function stores it: when it calls another one, or when one is entered.
//!
//! A profile takes two runs. The first one counts: when [`INTERVAL`] units were used, the code since the *previous* check
//! used them. The second run captures the stacks at those checks. Plugins are deterministic, so the checks are the same.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::WasmBacktrace;

use super::backtrace::function_name;

/// Fuel between two samples.
const INTERVAL: u64 = 1_000;

/// Profiles runs: of plugins of one engine, one at a time. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Profiler(Arc<Mutex<Pass>>);

/// What the next run does.
#[derive(Debug, Default)]
enum Pass {
    /// It is not profiled.
    #[default]
    Off,
    /// It counts.
    Count,
    /// It captures stacks at these checks, each with its fuel.
    Capture(BTreeMap<u64, u64>),
    /// A run has counted.
    Counted(BTreeMap<u64, u64>, RunWork),
    /// A run has captured.
    Captured(CollapsedStacks, RunWork),
}

/// What a run did. It is equal for two runs over the same input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct RunWork {
    /// The number of checks.
    checks: u64,
    /// The fuel that was used.
    fuel: u64,
}

/// Stacks with the fuel that was used in them, the outermost function first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollapsedStacks(BTreeMap<Vec<String>, u64>);

/// Two runs with the same input differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("two runs over the same source did different work; the source has changed, run the same command again")]
pub struct ProfileChanged;

/// The profile of one run.
pub(super) struct RunProfile {
    profiler: Profiler,
    mode: Mode,
    call: &'static str,
    /// What it did so far.
    work: RunWork,
    /// The fuel at the last sample.
    sampled: u64,
}

enum Mode {
    Count(BTreeMap<u64, u64>),
    Capture { samples: BTreeMap<u64, u64>, stacks: CollapsedStacks },
}

impl Profiler {
    /// Profiles what `run` does with one plugin. `run` is called twice, and must not call another plugin of the engine.
    ///
    /// # Errors
    /// The error of `run`, or [`ProfileChanged`].
    pub fn profile<T, E: From<ProfileChanged>>(
        &self,
        mut run: impl FnMut() -> Result<T, E>,
    ) -> Result<CollapsedStacks, E> {
        self.set(Pass::Count);
        run().inspect_err(|_| drop(self.set(Pass::Off)))?;
        let Pass::Counted(samples, counted) = self.set(Pass::Off) else { return Err(ProfileChanged.into()) };
        self.set(Pass::Capture(samples));
        run().inspect_err(|_| drop(self.set(Pass::Off)))?;
        match self.set(Pass::Off) {
            Pass::Captured(stacks, captured) if captured == counted => Ok(stacks),
            _ => Err(ProfileChanged.into()),
        }
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Pass::Count | Pass::Capture(_))
    }

    /// The profile of the run that begins with `call`, if it is profiled.
    pub(super) fn start_run(&self, call: &'static str) -> Option<RunProfile> {
        let mode = match self.set(Pass::Off) {
            Pass::Count => Mode::Count(BTreeMap::new()),
            Pass::Capture(samples) => Mode::Capture { samples, stacks: CollapsedStacks::default() },
            other => {
                self.set(other);
                return None;
            }
        };
        let work = RunWork::default();
        Some(RunProfile { profiler: self.clone(), mode, call, work, sampled: 0 })
    }

    fn set(&self, pass: Pass) -> Pass {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), pass)
    }
}

impl CollapsedStacks {
    /// All fuel.
    #[must_use]
    pub fn fuel(&self) -> u64 {
        self.0.values().sum()
    }

    /// The stacks with their fuel.
    pub fn stacks(&self) -> impl Iterator<Item = (&[String], u64)> {
        self.0.iter().map(|(stack, fuel)| (stack.as_slice(), *fuel))
    }

    /// Functions with the fuel that they used themselves, without the functions that they called; the largest first.
    #[must_use]
    pub fn functions(&self) -> Vec<(&str, u64)> {
        let mut functions: BTreeMap<&str, u64> = BTreeMap::new();
        for (stack, fuel) in &self.0 {
            *functions.entry(stack.last().map_or("", String::as_str)).or_default() += fuel;
        }
        let mut functions: Vec<(&str, u64)> = functions.into_iter().collect();
        functions.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        functions
    }

    /// One line for each stack, as tools for flame graphs read it: functions with `;` between them, a space, and the fuel.
    /// The outermost one is `root`.
    #[must_use]
    pub fn to_text(&self, root: &str) -> String {
        let frame = |name: &str| name.replace(';', ",");
        let mut text = String::new();
        for (stack, fuel) in &self.0 {
            text.push_str(&frame(root));
            for function in stack {
                text.push(';');
                text.push_str(&frame(function));
            }
            text.push_str(&format!(" {fuel}\n"));
        }
        text
    }
}

impl RunProfile {
    /// A call of the plugin begins.
    pub(super) fn begin_call(&mut self, call: &'static str) {
        self.call = call;
    }

    /// Handles one check; `used` is the fuel that is known to be used. Returns the fuel to add to the stack of this check.
    pub(super) fn check(&mut self, used: u64) -> Option<u64> {
        self.assign(used, INTERVAL);
        self.work.checks += 1;
        match &mut self.mode {
            Mode::Count(_) => None,
            Mode::Capture { samples, .. } => samples.remove(&self.work.checks),
        }
    }

    /// A call of the plugin ends: assigns the rest of its fuel.
    pub(super) fn end_call(&mut self, used: u64) {
        self.assign(used, 0);
    }

    /// Takes fuel that the host charges out of what the next check counts. Returns whether its stack is captured.
    pub(super) fn charge(&mut self, fuel: u64) -> bool {
        self.sampled = self.sampled.saturating_add(fuel);
        matches!(self.mode, Mode::Capture { .. })
    }

    /// Assigns fuel to the last check, if at least `least` was used since the last sample.
    fn assign(&mut self, used: u64, least: u64) {
        self.work.fuel = used;
        let since = used.saturating_sub(self.sampled);
        if let Mode::Count(samples) = &mut self.mode
            && since >= least
            && since > 0
        {
            *samples.entry(self.work.checks.max(1)).or_default() += since;
            self.sampled = used;
        }
    }

    /// Assigns fuel to a stack, with the `host` function that used it.
    pub(super) fn capture(&mut self, stack: &WasmBacktrace, host: Option<&str>, fuel: u64) {
        let mut functions = vec![self.call.to_owned()];
        functions.extend(stack.frames().iter().rev().map(function_name));
        functions.extend(host.map(str::to_owned));
        if let Mode::Capture { stacks, .. } = &mut self.mode {
            *stacks.0.entry(functions).or_default() += fuel;
        }
    }
}

impl Drop for RunProfile {
    fn drop(&mut self) {
        let pass = match &mut self.mode {
            Mode::Count(samples) => Pass::Counted(take(samples), self.work),
            Mode::Capture { stacks, .. } => Pass::Captured(take(stacks), self.work),
        };
        self.profiler.set(pass);
    }
}
