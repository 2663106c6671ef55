//! The types and calls of the contract, generated from `wit/plugin.wit`.
//!
//! Arguments borrow from the host's values, so a batch is not copied before it is lowered.

/// The world of sync plugins.
pub(super) mod sync_world {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "sync-plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
        // Equal answers are stored once.
        additional_derives: [PartialEq, Eq, Hash],
    });
}

/// The world of policy plugins, over the same types.
pub(super) mod policy_world {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "policy-plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "tidegate:plugin/types": super::sync_world::tidegate::plugin::types,
            "tidegate:plugin/log": super::sync_world::tidegate::plugin::log,
            "tidegate:plugin/content": super::sync_world::tidegate::plugin::content,
        },
    });
}
