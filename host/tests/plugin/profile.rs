//! Profiles: where the fuel of a plugin goes.

use tidegate_core::desired::DesiredSite;
use tidegate_host::observed::{RunInput, observe};
use tidegate_host::{CollapsedStacks, ProfileChanged, Profiler};

use crate::support::{CRAFTED, Crafted, configure, engine, facts, load, site, sync_guest};

/// Functions with known shares: `$hot` is a loop without calls, `$leaf` is short and called often.
const WORK: Crafted = Crafted {
    fields: r"
        (func $leaf (param i32) (result i32)
            (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.const 7)))
        (func $hot (local $turn i32)
            (loop $again
                (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $turn) (i32.const 300000)))))
        (func $cold (local $turn i32)
            (loop $again
                (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $turn) (i32.const 100000)))))
        (func $caller (local $turn i32) (local $sum i32)
            (loop $again
                (local.set $sum (call $leaf (call $leaf (call $leaf (local.get $sum)))))
                (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $turn) (i32.const 20000)))))
        (func $work (call $hot) (call $cold) (call $caller))",
    decide: "(call $work)",
    ..CRAFTED
};

fn profile(guest: Crafted) -> (CollapsedStacks, u64) {
    let engine = engine();
    let plugin = load(&engine, "crafted", &guest.component());
    let configured = configure(&plugin, "x");
    let files = site();
    let desired = DesiredSite::from(&files.artifact());
    let run = || observe(&configured, RunInput::Site(&desired), &facts(), &files);
    let fuel = run().usage.fuel_used;
    let stacks = plugin.profiler().profile(|| {
        let run = run();
        assert!(run.failure.is_none(), "{:?}", run.failure);
        assert_eq!(run.usage.fuel_used, fuel, "a profile does not change what a run costs");
        Ok::<_, ProfileChanged>(())
    });
    // Afterwards, runs are not profiled.
    assert_eq!(run().usage.fuel_used, fuel);
    (stacks.unwrap(), fuel)
}

#[test]
fn all_fuel_is_in_stacks_and_the_same_in_every_profile() {
    let (stacks, fuel) = profile(WORK);
    assert_eq!(stacks.fuel(), fuel);
    assert_eq!(profile(WORK).0, stacks);
}

#[test]
fn fuel_is_assigned_to_the_functions_that_use_it() {
    let (stacks, fuel) = profile(WORK);
    let share = |name: &str| {
        let own = stacks.functions().into_iter().find(|(function, _)| *function == name).map_or(0, |(_, fuel)| fuel);
        own as f64 / fuel as f64
    };
    // `$hot` turns three times as often as `$cold`.
    let (hot, cold, caller, leaf) = (share("hot"), share("cold"), share("caller"), share("leaf"));
    assert!((hot / cold - 3.0).abs() < 0.1, "{hot} {cold}");
    assert!(hot + cold + caller + leaf > 0.98, "{hot} {cold} {caller} {leaf}");
    assert!(leaf > 0.5 * caller && leaf < 3.0 * caller, "a function without loops is seen: {leaf} {caller}");
}

#[test]
fn stacks_are_text_for_flame_graphs() {
    let (stacks, fuel) = profile(WORK);
    let text = stacks.to_text("a;plugin.wasm");
    let mut sum = 0;
    for line in text.lines() {
        let (frames, weight) = line.rsplit_once(' ').unwrap();
        sum += weight.parse::<u64>().unwrap();
        assert!(frames.starts_with("a,plugin.wasm;"), "{line}");
    }
    assert_eq!(sum, fuel);
    let hot: Vec<&str> = text.lines().filter(|line| line.contains(";work;hot ")).collect();
    assert_eq!(hot.len(), 1, "{text}");
    assert!(hot[0].starts_with("a,plugin.wasm;sync.decide;"), "{text}");
}

#[test]
fn the_fuel_of_reads_has_a_frame_of_its_own() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let configured = configure(&guest, "read-back@begin");
    let files = site();
    let desired = DesiredSite::from(&files.artifact());
    let mut fuel = 0;
    let stacks = guest.profiler().profile(|| {
        fuel = observe(&configured, RunInput::Site(&desired), &facts(), &files).usage.fuel_used;
        Ok::<_, ProfileChanged>(())
    });
    let stacks = stacks.unwrap();
    assert_eq!(stacks.fuel(), fuel);
    // Three heads and two ranges cost 10,000 units each, and their names.
    let reads = stacks.functions().into_iter().find(|(function, _)| *function == "[read content]").unwrap().1;
    assert!((50_000..50_200).contains(&reads), "{reads}");
}

#[test]
fn runs_that_differ_are_no_profile() {
    let engine = engine();
    let plugin = load(&engine, "crafted", &WORK.component());
    let configured = configure(&plugin, "x");
    let files = site();
    let sites = [DesiredSite::default(), DesiredSite::from(&files.artifact())];
    let mut runs = sites.iter();
    let stacks: Result<_, ProfileChanged> = plugin.profiler().profile(|| {
        let run = observe(&configured, RunInput::Site(runs.next().unwrap()), &facts(), &files);
        assert!(run.failure.is_none());
        Ok(())
    });
    assert_eq!(stacks, Err(ProfileChanged));
    let profiler: &Profiler = plugin.profiler();
    assert_eq!(profiler.profile(|| Ok(())).map(|_| ()), Err(ProfileChanged), "nothing was run");
}
