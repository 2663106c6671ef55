//! What a profile sees of a store: its checks, its calls, and the fuel that reads of content cost.

use wasmtime::{Store, StoreContextMut, UpdateDeadline, WasmBacktrace};

use super::store::StoreState;

/// The frame of fuel that the host charges for reads of content.
const READ: &str = "[read content]";

/// Sees every check of the store's code.
pub(super) fn install(store: &mut Store<StoreState>) {
    store.epoch_deadline_callback(|mut store| {
        let left = store.get_fuel()?;
        let state = store.data_mut();
        let used = state.fuel_allowed.saturating_sub(left);
        if let Some(fuel) = state.profile.as_mut().and_then(|profile| profile.check(used)) {
            let stack = WasmBacktrace::force_capture(&store);
            if let Some(profile) = &mut store.data_mut().profile {
                profile.capture(&stack, None, fuel);
            }
        }
        // The deadline is over already at the next check.
        Ok(UpdateDeadline::Continue(0))
    });
    store.set_epoch_deadline(0);
}

/// Assigns the fuel of a read to the functions that read.
pub(super) fn charge_read(store: &mut StoreContextMut<'_, StoreState>, fuel: u64) {
    if !store.data_mut().profile.as_mut().is_some_and(|profile| profile.charge(fuel)) {
        return;
    }
    let stack = WasmBacktrace::force_capture(&*store);
    if let Some(profile) = &mut store.data_mut().profile {
        profile.capture(&stack, Some(READ), fuel);
    }
}

/// Ends a call.
pub(super) fn end_call(store: &mut Store<StoreState>) {
    let left = store.get_fuel().unwrap_or(0);
    let state = store.data_mut();
    let used = state.fuel_allowed.saturating_sub(left);
    if let Some(profile) = &mut state.profile {
        profile.end_call(used);
    }
}
