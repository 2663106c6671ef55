//! One run of one plugin: a fresh store on a thread of its own, dropped at the end whatever happened.
//!
//! Owns the store, the calls into it and what an error of wasmtime means. Never looks at an answer.

use std::sync::mpsc::{Sender, channel};

use tidegate_core::plugin_failure::{FailureCause, LocatedCause, PluginFailure};
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use wasmtime::{Store, Trap, UpdateDeadline};

use super::content_server::{ContentServer, ReadRequest, ReadTotals};
use super::engine::Engine;
use super::limits::{Limits, THREAD_STACK_BYTES, WASM_STACK_BYTES};
use super::store::{MemoryBudget, PluginLog, RunClock, Stop, StoreState};

/// An instance of a plugin, in a store that nothing else uses.
pub(super) struct Instance<B> {
    store: Store<StoreState>,
    bindings: B,
    call: &'static str,
}

impl<B> Instance<B> {
    /// Calls the plugin. After an error the session must not be used again; [`run`] drops it.
    pub(super) fn call<R>(
        &mut self,
        name: &'static str,
        function: impl FnOnce(&B, &mut Store<StoreState>) -> wasmtime::Result<R>,
    ) -> Result<R, LocatedCause> {
        self.call = name;
        let Self { store, bindings, .. } = self;
        timed(store, |store| function(bindings, store))
    }
}

/// What a run is made with.
pub(super) struct RunSpec<'a> {
    pub(super) engine: &'a Engine,
    /// The plugin's name in the configuration.
    pub(super) name: &'a str,
    /// Entries or changes that will be passed.
    pub(super) objects: u64,
    /// Serves the plugin's reads.
    pub(super) content: ContentServer<'a>,
}

/// Makes an instance, works with it, and drops it.
///
/// The plugin has a thread of its own, for the stack that it may use; reads are served on the calling thread meanwhile.
pub(super) fn run<B, T: Send>(
    order: RunSpec<'_>,
    instantiate: impl FnOnce(&mut Store<StoreState>) -> wasmtime::Result<B> + Send,
    work: impl FnOnce(&mut Instance<B>) -> Result<T, LocatedCause> + Send,
) -> (Result<T, PluginFailure>, PluginUsage) {
    let RunSpec { engine, name, objects, content: desk } = order;
    let (requests, incoming) = channel();
    let (ended, read) = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name(format!("plugin {}", sanitize(name, 40)).replace('\0', ""))
            .stack_size(THREAD_STACK_BYTES)
            .spawn_scoped(scope, move || perform(engine, objects, requests, instantiate, work));
        let read = desk.serve(&incoming);
        let ended = match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) => ThreadResult::not_run("a mistake in Tidegate ended its thread, please report it".to_owned()),
            Err(error) => ThreadResult::not_run(format!("no thread could be started: {error}")),
        };
        (ended, read)
    });
    let ThreadResult { result, call, mut usage } = ended;
    name.clone_into(&mut usage.plugin);
    usage.objects = objects;
    usage.reads = read.reads;
    usage.bytes_read = read.bytes;
    usage.reading = read.time;
    match result {
        Ok(value) => (Ok(value), usage),
        Err(fault) => {
            let failure = PluginFailure::new(name, call, excused(fault, &read), Some(usage.clone()));
            (Err(failure), usage)
        }
    }
}

/// How a thread ended.
struct ThreadResult<T> {
    result: Result<T, LocatedCause>,
    call: &'static str,
    usage: PluginUsage,
}

impl<T> ThreadResult<T> {
    fn not_run(why: String) -> Self {
        Self { result: Err(FailureCause::Host(why).into()), call: START, usage: PluginUsage::default() }
    }
}

/// What instantiation is called in failures.
const START: &str = "start";

fn perform<B, T>(
    engine: &Engine,
    objects: u64,
    requests: Sender<ReadRequest>,
    instantiate: impl FnOnce(&mut Store<StoreState>) -> wasmtime::Result<B>,
    work: impl FnOnce(&mut Instance<B>) -> Result<T, LocatedCause>,
) -> ThreadResult<T> {
    let mut store = match armed(engine, objects, requests) {
        Ok(store) => store,
        Err(error) => return ThreadResult::not_run(format!("{error:#}")),
    };
    match timed(&mut store, instantiate) {
        Ok(bindings) => {
            let mut session = Instance { store, bindings, call: START };
            let result = work(&mut session);
            let Instance { store, call, .. } = session;
            ThreadResult { result, call, usage: used(store, engine.limits()) }
        }
        Err(fault) => ThreadResult { result: Err(fault), call: START, usage: used(store, engine.limits()) },
    }
}

/// A store with every limit armed. There is no other way to one.
fn armed(engine: &Engine, objects: u64, requests: Sender<ReadRequest>) -> wasmtime::Result<Store<StoreState>> {
    let limits = engine.limits();
    let fuel = limits.fuel_for(objects);
    let state = StoreState {
        memory: MemoryBudget::new(limits),
        clock: RunClock::new(limits.time_for(objects)),
        log: PluginLog::new(limits),
        requests,
        fuel_allowed: fuel,
        fuel_per_byte_read: limits.fuel_per_byte_read,
    };
    let mut store = Store::new(engine.wasm(), state);
    store.limiter(|state| &mut state.memory);
    store.set_fuel(fuel)?;
    store.set_hostcall_fuel(limits.call_bytes);
    store.set_max_component_handles(limits.handles);
    store.epoch_deadline_callback(|store| match store.data().clock.overrun() {
        Some(cause) => Err(Stop(cause).into()),
        None => Ok(UpdateDeadline::Continue(1)),
    });
    store.set_epoch_deadline(1);
    Ok(store)
}

/// Lets the plugin run with its clock going.
fn timed<R>(
    store: &mut Store<StoreState>,
    inside: impl FnOnce(&mut Store<StoreState>) -> wasmtime::Result<R>,
) -> Result<R, LocatedCause> {
    store.data_mut().clock.start();
    let result = inside(store);
    store.data_mut().clock.stop();
    match result {
        // What the host does for a call, such as taking a long list over, is not interrupted but counts.
        Ok(value) => match store.data().clock.overrun() {
            Some(cause) => Err(cause.into()),
            None => Ok(value),
        },
        Err(error) => Err(meaning(&error, store).into()),
    }
}

fn used(mut store: Store<StoreState>, limits: &Limits) -> PluginUsage {
    let left = store.get_fuel().unwrap_or(0);
    let state = store.data_mut();
    let (logs, logs_dropped) = state.log.take();
    PluginUsage {
        fuel_used: state.fuel_allowed.saturating_sub(left),
        fuel_allowed: state.fuel_allowed,
        wall: state.clock.ran(),
        memory_peak: state.memory.peak(),
        memory_allowed: limits.memory_bytes,
        logs,
        logs_dropped,
        ..PluginUsage::default()
    }
}

/// What an error of wasmtime means for the report. wasmtime has no types for the errors that are told by their text; the
/// tests with hostile plugins fail where a text changes.
fn meaning(error: &wasmtime::Error, store: &Store<StoreState>) -> FailureCause {
    if let Some(Stop(cause)) = error.downcast_ref::<Stop>() {
        return cause.clone();
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::OutOfFuel => {
                let allowed = store.data().fuel_allowed;
                FailureCause::Fuel { used: allowed.saturating_sub(store.get_fuel().unwrap_or(0)), allowed }
            }
            Trap::StackOverflow => FailureCause::Stack { allowed: WASM_STACK_BYTES },
            trap => FailureCause::Trap(trap.to_string().replace("wasm trap: ", "")),
        };
    }
    if error.is::<std::io::Error>() {
        return FailureCause::Host(format!("{error:#}"));
    }
    let text = format!("{error:#}");
    let told = sanitize(&text, MESSAGE_BYTES);
    if text.contains("fuel allocated for hostcalls") {
        FailureCause::CallData { allowed: store.hostcall_fuel() }
    } else if text.contains("resource limit exceeded") || text.contains("handle limit exceeded") {
        FailureCause::Count(told)
    } else {
        FailureCause::Border(told)
    }
}

/// A failure that the plugin reports after reads were refused is told with that reason, and is not its fault where
/// storage failed.
fn excused(fault: LocatedCause, read: &ReadTotals) -> LocatedCause {
    let LocatedCause { cause, rule, key } = fault;
    let cause = match (*cause, &read.unavailable) {
        (FailureCause::Reported { code, message }, Some(why)) => {
            FailureCause::Unread { code, message, why: why.clone() }
        }
        (FailureCause::Reported { code, message }, None) if read.exhausted => FailureCause::ReadBudget {
            code,
            message,
            reads: read.reads,
            reads_allowed: read.reads_allowed,
            bytes: read.bytes,
            bytes_allowed: read.bytes_allowed,
        },
        (cause, _) => cause,
    };
    LocatedCause { cause: Box::new(cause), rule, key }
}
