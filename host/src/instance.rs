//! One run of one plugin: a new store on a thread of its own, dropped at the end of the run.

use std::sync::mpsc::{Sender, channel};

use tidegate_core::config::PluginGrant;
use tidegate_core::edge::EdgeRules;
use tidegate_core::plugin_failure::{FailureCause, LocatedCause, PluginFailure};
use tidegate_core::plugin_usage::{LogRecord, PluginUsage};
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};
use wasmtime::{Store, Trap, UpdateDeadline};

use super::backtrace::backtrace;
use super::content_server::{ContentServer, ReadRequest, ReadTotals};
use super::edge::EdgeCollector;
use super::engine::Engine;
use super::limits::{Limits, THREAD_STACK_BYTES, WASM_STACK_BYTES};
use super::profiled_store;
use super::store::{MemoryBudget, PluginLog, RunClock, Stop, StoreState};

/// What a failure calls the instantiation, where it names the plugin's function.
pub(super) const START: &str = "start";

/// An instance of a plugin, in a store that nothing else uses.
pub(super) struct Instance<B> {
    store: Store<StoreState>,
    bindings: B,
    last_call: &'static str,
}

impl<B> Instance<B> {
    /// Calls the plugin. After an error, the instance must not be used again; [`run`] drops it.
    pub(super) fn call<R>(
        &mut self,
        name: &'static str,
        function: impl FnOnce(&B, &mut Store<StoreState>) -> wasmtime::Result<R>,
    ) -> Result<R, LocatedCause> {
        self.last_call = name;
        let Self { store, bindings, .. } = self;
        if let Some(profile) = &mut store.data_mut().profile {
            profile.begin_call(name);
        }
        let answer = call_timed(store, |store| function(bindings, store))?;
        // The plugin may have ignored the error.
        store.data_mut().edge.check()?;
        Ok(answer)
    }

    /// The rules for requests that the plugin added.
    pub(super) fn take_edge_rules(&mut self) -> EdgeRules {
        self.store.data_mut().edge.take()
    }
}

/// The parameters of a run.
pub(super) struct RunSpec<'a> {
    pub(super) engine: &'a Engine,
    /// The plugin's name in the configuration.
    pub(super) name: &'a str,
    /// The number of entries or changes that the plugin will see.
    pub(super) objects: u64,
    /// Serves the plugin's reads.
    pub(super) content: ContentServer<'a>,
    /// Whether the site has an edge, so that rules for requests can be added.
    pub(super) has_edge: bool,
    /// What the plugin may do; everything without a grant.
    pub(super) grant: Option<&'a PluginGrant>,
}

/// Creates an instance, works with it, and drops it.
///
/// The plugin runs on a thread of its own, for the size of its stack. Meanwhile, the calling thread serves its reads.
pub(super) fn run<B, T: Send>(
    spec: RunSpec<'_>,
    instantiate: impl FnOnce(&mut Store<StoreState>) -> wasmtime::Result<B> + Send,
    work: impl FnOnce(&mut Instance<B>) -> Result<T, LocatedCause> + Send,
) -> (Result<T, PluginFailure>, PluginUsage) {
    let RunSpec { engine, name, objects, content, has_edge, grant } = spec;
    let edge = EdgeCollector::new(name, has_edge, grant.cloned(), engine.limits());
    let (requests, incoming) = channel();
    let (outcome, reads) = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name(format!("plugin {}", sanitize(name, 40)).replace('\0', ""))
            .stack_size(THREAD_STACK_BYTES)
            .spawn_scoped(scope, move || run_on_this_thread(engine, objects, requests, edge, instantiate, work));
        let reads = content.serve(&incoming);
        let outcome = match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => ThreadOutcome::not_run("its thread panicked, which is a bug in Tidegate".to_owned()),
            Err(error) => ThreadOutcome::not_run(format!("cannot start a thread: {error}")),
        };
        (outcome, reads)
    });
    let ThreadOutcome { result, last_call, last_log, mut usage } = outcome;
    name.clone_into(&mut usage.plugin);
    usage.objects = objects;
    usage.reads = reads.reads;
    usage.reads_allowed = reads.reads_allowed;
    usage.bytes_read = reads.bytes;
    usage.bytes_read_allowed = reads.bytes_allowed;
    usage.reading = reads.time;
    usage.measure_headroom();
    match result {
        Ok(value) => (Ok(value), usage),
        Err(cause) => {
            let cause = with_refused_reads(cause, &reads);
            (Err(PluginFailure::new(name, last_call, cause, Some(usage.clone())).with_log(last_log)), usage)
        }
    }
}

/// How a plugin's thread ended.
struct ThreadOutcome<T> {
    result: Result<T, LocatedCause>,
    last_call: &'static str,
    /// The last log records, also those beyond the limit.
    last_log: Vec<LogRecord>,
    usage: PluginUsage,
}

impl<T> ThreadOutcome<T> {
    fn new(
        result: Result<T, LocatedCause>,
        last_call: &'static str,
        mut store: Store<StoreState>,
        limits: &Limits,
        objects: u64,
    ) -> Self {
        let last_log = store.data_mut().log.take_last();
        Self { result, last_call, last_log, usage: usage(store, limits, objects) }
    }

    fn not_run(reason: String) -> Self {
        let result = Err(FailureCause::Host(reason).into());
        Self { result, last_call: START, last_log: Vec::new(), usage: PluginUsage::default() }
    }
}

fn run_on_this_thread<B, T>(
    engine: &Engine,
    objects: u64,
    requests: Sender<ReadRequest>,
    edge: EdgeCollector,
    instantiate: impl FnOnce(&mut Store<StoreState>) -> wasmtime::Result<B>,
    work: impl FnOnce(&mut Instance<B>) -> Result<T, LocatedCause>,
) -> ThreadOutcome<T> {
    let mut store = match limited_store(engine, objects, requests, edge) {
        Ok(store) => store,
        Err(error) => return ThreadOutcome::not_run(format!("{error:#}")),
    };
    match call_timed(&mut store, instantiate) {
        Ok(bindings) => {
            let mut instance = Instance { store, bindings, last_call: START };
            let result = work(&mut instance);
            let Instance { store, last_call, .. } = instance;
            ThreadOutcome::new(result, last_call, store, engine.limits(), objects)
        }
        Err(cause) => ThreadOutcome::new(Err(cause), START, store, engine.limits(), objects),
    }
}

/// Creates a store with every limit set. There is no other constructor.
fn limited_store(
    engine: &Engine,
    objects: u64,
    requests: Sender<ReadRequest>,
    edge: EdgeCollector,
) -> wasmtime::Result<Store<StoreState>> {
    let limits = engine.limits();
    let fuel = limits.fuel_for(objects);
    let state = StoreState {
        memory: MemoryBudget::new(limits),
        clock: if engine.profiler().is_active() { RunClock::unlimited() } else { RunClock::new(limits, objects) },
        log: PluginLog::new(limits),
        edge,
        requests,
        fuel_allowed: fuel,
        fuel_per_byte_read: limits.fuel_per_byte_read,
        profile: engine.profiler().start_run(START),
    };
    let mut store = Store::new(engine.wasm(), state);
    store.limiter(|state| &mut state.memory);
    store.set_fuel(fuel)?;
    store.set_hostcall_fuel(limits.call_bytes_for(objects));
    store.set_max_component_handles(limits.handles);
    if store.data().profile.is_some() {
        profiled_store::install(&mut store);
    } else {
        store.epoch_deadline_callback(|store| match store.data().clock.overrun() {
            Some(cause) => Err(Stop(cause).into()),
            None => Ok(UpdateDeadline::Continue(1)),
        });
        store.set_epoch_deadline(1);
    }
    Ok(store)
}

/// Calls the plugin while its clock runs.
fn call_timed<R>(
    store: &mut Store<StoreState>,
    call: impl FnOnce(&mut Store<StoreState>) -> wasmtime::Result<R>,
) -> Result<R, LocatedCause> {
    store.data_mut().clock.start();
    let result = call(store);
    store.data_mut().clock.stop();
    if store.data().profile.is_some() {
        profiled_store::end_call(store);
    }
    match result {
        // The host's work for a call, such as lifting a long list, is not interrupted but counts.
        Ok(value) => match store.data().clock.overrun() {
            Some(cause) => Err(cause.into()),
            None => Ok(value),
        },
        Err(error) => Err(LocatedCause { backtrace: backtrace(&error), ..failure_cause(&error, store).into() }),
    }
}

fn usage(mut store: Store<StoreState>, limits: &Limits, objects: u64) -> PluginUsage {
    let left = store.get_fuel().unwrap_or(0);
    let state = store.data_mut();
    let (logs, logs_dropped) = state.log.take();
    PluginUsage {
        fuel_used: state.fuel_allowed.saturating_sub(left),
        fuel_allowed: state.fuel_allowed,
        wall: state.clock.ran(),
        wall_allowed: limits.time_for(objects),
        memory_peak: state.memory.peak(),
        memory_allowed: limits.memory_bytes,
        logs,
        logs_dropped,
        ..PluginUsage::default()
    }
}

/// Translates an error of wasmtime. Some of them have no type and are recognized by their text; the tests with hostile
/// plugins fail if a text changes.
fn failure_cause(error: &wasmtime::Error, store: &Store<StoreState>) -> FailureCause {
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
    let message = sanitize(&text, MESSAGE_BYTES);
    if text.contains("fuel allocated for hostcalls") {
        FailureCause::CallData { allowed: store.hostcall_fuel() }
    } else if text.contains("resource limit exceeded") || text.contains("handle limit exceeded") {
        FailureCause::Count(message)
    } else {
        FailureCause::Border(message)
    }
}

/// Adds refused reads to a failure: to one that the plugin reported, and the key to one about its grant. If the storage
/// failed, it is not the plugin's error.
fn with_refused_reads(located: LocatedCause, reads: &ReadTotals) -> LocatedCause {
    let LocatedCause { cause, rule, mut key, backtrace } = located;
    let cause = match (*cause, &reads.unavailable) {
        (FailureCause::NotGranted(missing), _) => {
            key = key.or_else(|| reads.not_granted.clone());
            FailureCause::NotGranted(missing)
        }
        (FailureCause::Reported { code, message }, Some(why)) => {
            FailureCause::Unread { code, message, why: why.clone() }
        }
        (FailureCause::Reported { code, message }, None) if reads.exhausted => FailureCause::ReadBudget {
            code,
            message,
            reads: reads.reads,
            reads_allowed: reads.reads_allowed,
            bytes: reads.bytes,
            bytes_allowed: reads.bytes_allowed,
        },
        (cause, _) => cause,
    };
    LocatedCause { cause: Box::new(cause), rule, key, backtrace }
}
