//! How long the host takes to stop each attack. `docs/plugins/sandbox.md` has the figures.

use std::time::Instant;

use crate::support::{configure, engine, run, sync_guest};

/// Prints a line for each act. The time of a run that ends itself is not limited here: `hostile.rs` has the limits.
#[test]
fn the_time_to_stop_each_attack() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for act in [
        "loop@decide",
        "memory@decide",
        "recurse@begin",
        "trap@decide",
        "huge-string@decide",
        "huge-list@decide",
        "log-huge@begin",
        "heads-many@begin",
    ] {
        let configured = configure(&guest, act);
        let started = Instant::now();
        let failure = run(&configured).unwrap_err();
        let stopped = started.elapsed();
        let usage = failure.usage().unwrap();
        println!(
            "{act:20} {:>9.2} ms, {:>11} fuel, {:>6} KiB: {:?}",
            stopped.as_secs_f64() * 1e3,
            usage.fuel_used,
            usage.memory_peak >> 10,
            failure.cause()
        );
    }
}
