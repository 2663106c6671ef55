//! Panics of a plugin. A panic is a trap, of which the host does not see the message, so the message is logged before.

#[cfg(target_family = "wasm")]
pub(crate) fn log_panics() {
    use std::sync::Once;

    use crate::log::{Level, log};

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Such as `panicked at src/lib.rs:12:5: index out of bounds`.
        std::panic::set_hook(Box::new(|panic| log(Level::Error, panic.to_string().replace('\n', " "))));
    });
}

/// A native test shows panics.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn log_panics() {}
