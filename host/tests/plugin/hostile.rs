//! Plugins that attack the host: each is contained, blamed on the plugin, and leaves the engine fit for the next run.

use std::time::{Duration, Instant};

use tidegate_core::plan_review::Verdict;
use tidegate_core::plugin_failure::{FailureCause, MalformedAnswer, PluginFailure};
use tidegate_host::{Engine, Limits};

use crate::support::{
    CRAFTED, Crafted, LOOP, blamed, crafted, engine, fails, judge, load, policy_guest, run, short, sync_guest, told,
    with_instances,
};

/// Long enough for any machine: a loop that is not stopped would never reach it either.
const CONTAINED: Duration = Duration::from_secs(60);

#[test]
fn a_loop_ends_at_the_deadline_wherever_it_is() {
    let engine = Engine::with_limits(&short()).unwrap();
    let started = Instant::now();
    let clocked = |failure: &PluginFailure| match failure.cause() {
        FailureCause::Deadline { ran, allowed } => {
            assert_eq!(*allowed, Duration::from_millis(300));
            assert!(ran >= allowed);
        }
        // Fuel may end it first on a fast machine: five hundred million turns are close to 300 ms.
        FailureCause::Fuel { used, allowed } => assert!(used >= allowed, "{used} of {allowed}"),
        other => panic!("{other:?}"),
    };
    let guest = sync_guest(&engine);
    for (act, call) in [
        ("loop@validate", "settings.validate"),
        ("loop@begin", "sync.begin"),
        ("loop@decide", "sync.decide"),
        ("loop@finish", "sync.finish"),
    ] {
        clocked(&fails(&engine, &guest, act, call));
    }
    let policy = policy_guest(&engine);
    for (act, call) in
        [("loop@begin", "policy.begin"), ("loop@review", "policy.review"), ("loop@conclude", "policy.conclude")]
    {
        let judgement = judge(&told(&policy, act));
        assert_eq!(judgement.verdict, Verdict::Deny);
        let failure = judgement.failure.unwrap();
        blamed(&failure, call);
        clocked(&failure);
        assert_eq!(judge(&told(&policy, "good")).verdict, Verdict::Allow);
    }
    let start = Crafted { fields: "(start $at_once) (func $at_once (loop $for_ever (br $for_ever)))", ..CRAFTED };
    clocked(&crafted(&engine, start, "start"));
    clocked(&crafted(&engine, Crafted { realloc: LOOP, ..CRAFTED }, "settings.validate"));
    clocked(&crafted(&engine, Crafted { validate: LOOP, ..CRAFTED }, "settings.validate"));
    clocked(&crafted(&engine, Crafted { begin: LOOP, ..CRAFTED }, "sync.begin"));
    clocked(&crafted(&engine, Crafted { decide: LOOP, ..CRAFTED }, "sync.decide"));
    clocked(&crafted(&engine, Crafted { after_decide: LOOP, ..CRAFTED }, "sync.decide"));
    clocked(&crafted(&engine, Crafted { finish: LOOP, ..CRAFTED }, "sync.finish"));
    assert!(started.elapsed() < CONTAINED);
}

#[test]
fn the_clock_alone_ends_a_loop() {
    // A loop that only calls the host burns hardly any fuel.
    let engine = Engine::with_limits(&Limits { time: Duration::from_millis(50), ..short() }).unwrap();
    let guest = load(
        &engine,
        "crafted",
        &Crafted {
            begin: "(loop $for_ever (call $log (i32.const 0) (i32.const 0) (i32.const 60000)) (br $for_ever))",
            ..CRAFTED
        }
        .component(),
    );
    let failure = fails(&engine, &guest, "x", "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::Deadline { .. }), "{failure}");
    assert!(failure.usage().unwrap().logs_dropped > 0);
}

#[test]
fn fuel_alone_ends_a_loop() {
    let engine = Engine::with_limits(&Limits { fuel: 1_000_000, fuel_per_object: 10, ..Limits::default() }).unwrap();
    let failure = fails(&engine, &sync_guest(&engine), "loop@decide", "sync.decide");
    let FailureCause::Fuel { used, allowed } = failure.cause() else { panic!("{failure}") };
    assert_eq!((*used >= *allowed, *allowed), (true, 1_000_020));
    assert!(failure.to_string().contains("of 1000020 units of fuel"), "{failure}");
}

#[test]
fn fuel_is_the_same_in_every_run() {
    let engine = engine();
    let used = |act: &str| {
        let usage = run(&told(&sync_guest(&engine), act)).unwrap().usage.remove(0);
        (usage.fuel_used, usage.fuel_allowed, usage.memory_peak)
    };
    assert_eq!(used("work@decide"), used("work@decide"));
    assert!(used("work@decide").0 > used("good").0 + 1_000_000);
    // Just as much as it used is enough. Compiled code looks at its fuel where it loops and where it is called, so the
    // straight piece after the last look may be beyond it, by the same amount everywhere.
    let (exact, ..) = used("work@decide");
    let with = |fuel: u64| {
        let engine = Engine::with_limits(&Limits { fuel, fuel_per_object: 0, ..Limits::default() }).unwrap();
        run(&told(&sync_guest(&engine), "work@decide")).map(|shaped| shaped.usage[0].fuel_used)
    };
    assert_eq!(with(exact).unwrap(), exact);
    assert!(matches!(with(exact - 100_000).unwrap_err().cause(), FailureCause::Fuel { .. }));
}

#[test]
fn memory_is_bounded_over_all_memories() {
    let engine = engine();
    let memory = |failure: &PluginFailure| match failure.cause() {
        FailureCause::Memory { used, asked, allowed } => {
            assert_eq!(*allowed, 128 << 20);
            assert!(used <= allowed && used + asked > *allowed, "{failure}");
            assert!(failure.usage().unwrap().memory_peak <= *allowed);
        }
        other => panic!("{other:?}"),
    };
    memory(&fails(&engine, &sync_guest(&engine), "memory@decide", "sync.decide"));
    memory(&fails(&engine, &sync_guest(&engine), "memory@validate", "settings.validate"));
    let judgement = judge(&told(&policy_guest(&engine), "memory@review"));
    memory_of_policy(&judgement.failure.unwrap());
    // Sixteen memories of 64 MiB each: wasmtime's own limiter would let them all pass.
    let sixteen = with_instances(CRAFTED.component(), "(module (memory 1024))", 16);
    memory(&fails(&engine, &load(&engine, "sixteen", &sixteen), "x", "start"));
    // Growth by all there is, and growth bit by bit in several memories.
    let grow = Crafted { begin: "(drop (memory.grow (i32.const 65531)))", ..CRAFTED };
    memory(&crafted(&engine, grow, "sync.begin"));
    // A memory may say how far it grows; past that the plugin is told, not ended.
    let bounded =
        Crafted { begin: "(if (i32.ne (memory.grow (i32.const 70000)) (i32.const -1)) (then unreachable))", ..CRAFTED };
    run(&told(&load(&engine, "bounded", &bounded.component()), "x")).unwrap();
}

fn memory_of_policy(failure: &PluginFailure) {
    blamed(failure, "policy.review");
    assert!(matches!(failure.cause(), FailureCause::Memory { .. }), "{failure}");
}

#[test]
fn tables_instances_and_memories_are_bounded() {
    let engine = engine();
    let grow = Crafted {
        fields: "(table $t 1 funcref)",
        begin: "(drop (table.grow $t (ref.null func) (i32.const 0x10000000)))",
        ..CRAFTED
    };
    let failure = crafted(&engine, grow, "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::Tables { allowed: 100_000, .. }), "{failure}");
    let two = with_instances(CRAFTED.component(), "(module (table 60000 funcref))", 2);
    let failure = fails(&engine, &load(&engine, "tables", &two), "x", "start");
    assert!(matches!(failure.cause(), FailureCause::Tables { used: 60_000.., .. }), "{failure}");
    for (module, count) in [("(module)", 600), ("(module (memory 0))", 40), ("(module (table 0 funcref))", 200)] {
        let many = with_instances(CRAFTED.component(), module, count);
        let failure = fails(&engine, &load(&engine, "many", &many), "x", "start");
        assert!(matches!(failure.cause(), FailureCause::Count(_)), "{module}: {failure}");
    }
}

#[test]
fn recursion_ends_at_the_stack() {
    let engine = engine();
    for (act, call) in
        [("recurse@begin", "sync.begin"), ("recurse@finish", "sync.finish"), ("recurse@validate", "settings.validate")]
    {
        let failure = fails(&engine, &sync_guest(&engine), act, call);
        assert!(matches!(failure.cause(), FailureCause::Stack { .. } | FailureCause::Trap(_)), "{failure}");
    }
    let mutual = Crafted { fields: "(func $a (call $b)) (func $b (call $a))", decide: "(call $a)", ..CRAFTED };
    let failure = crafted(&engine, mutual, "sync.decide");
    assert!(matches!(failure.cause(), FailureCause::Stack { allowed: 524_288 }), "{failure}");
}

#[test]
fn a_trap_is_named_with_its_call() {
    let engine = engine();
    for (act, call) in [
        ("trap@validate", "settings.validate"),
        ("trap@begin", "sync.begin"),
        ("trap@decide", "sync.decide"),
        ("trap@finish", "sync.finish"),
    ] {
        let failure = fails(&engine, &sync_guest(&engine), act, call);
        let FailureCause::Trap(trap) = failure.cause() else { panic!("{failure}") };
        assert!(trap.contains("unreachable"), "{trap}");
    }
    let failure = crafted(&engine, Crafted { begin: "(drop (i32.load (i32.const -4)))", ..CRAFTED }, "sync.begin");
    assert!(failure.to_string().contains("out of bounds memory access"), "{failure}");
    let division = "(drop (i32.div_u (i32.const 1) (i32.const 0)))";
    let failure = crafted(&engine, Crafted { finish: division, ..CRAFTED }, "sync.finish");
    assert!(failure.to_string().contains("divide by zero"), "{failure}");
}

#[test]
fn what_one_call_passes_is_bounded() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for (act, call) in [
        ("huge@validate", "settings.validate"),
        ("log-huge@begin", "sync.begin"),
        ("heads-huge@begin", "sync.begin"),
        ("huge-list@decide", "sync.decide"),
        ("huge-string@decide", "sync.decide"),
        ("extra-huge@finish", "sync.finish"),
    ] {
        let failure = fails(&engine, &guest, act, call);
        assert!(matches!(failure.cause(), FailureCause::CallData { allowed: 16_777_216 }), "{act}: {failure}");
    }
    let tight =
        Engine::with_limits(&Limits { answer_bytes: 1_000_000, answer_bytes_per_object: 0, ..Limits::default() })
            .unwrap();
    let failure = fails(&tight, &sync_guest(&tight), "many-edits@decide", "sync.decide");
    assert!(
        matches!(failure.cause(), FailureCause::Malformed(MalformedAnswer::Size { allowed: 1_000_000, .. })),
        "{failure}"
    );
}

#[test]
fn requests_past_the_contract_are_refused() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for (act, asked, most) in [
        ("heads-many@begin", 1_001, 1_000),
        ("heads-long@begin", 65_537, 65_536),
        ("range-long@begin", 1_048_577, 1_048_576),
    ] {
        let failure = fails(&engine, &guest, act, "sync.begin");
        let FailureCause::Request { asked: found, most: limit, .. } = failure.cause() else { panic!("{failure}") };
        assert_eq!((*found, *limit), (asked, most), "{failure}");
    }
}

#[test]
fn a_log_flood_is_dropped_and_counted() {
    let engine = engine();
    let shaped = run(&told(&sync_guest(&engine), "log-flood@begin")).unwrap();
    let usage = &shaped.usage[0];
    assert_eq!(usage.logs.len() as u64 + usage.logs_dropped, 100_000);
    let bytes: usize = usage.logs.iter().map(|record| record.message.len()).sum();
    assert!(!usage.logs.is_empty() && bytes <= (64 << 10) + 16, "{bytes}");
    for record in &usage.logs {
        assert!(!record.message.chars().any(char::is_control), "{:?}", record.message);
        assert!(!record.message.contains('\u{202e}'));
    }
    assert!(usage.logs[0].message.contains("\\u{1b}[2J"), "{:?}", usage.logs[0].message);
    assert!(usage.logs[0].message.contains("line one\\r\\nline two"), "{:?}", usage.logs[0].message);
}

#[test]
fn a_spent_budget_of_reads_is_contained() {
    let engine = Engine::with_limits(&Limits { reads: 50, reads_per_object: 0, ..short() }).unwrap();
    let guest = sync_guest(&engine);
    let failure = fails(&engine, &guest, "read-until-refused@begin", "sync.begin");
    let FailureCause::ReadBudget { message, reads, reads_allowed, .. } = failure.cause() else { panic!("{failure}") };
    assert_eq!((message.as_str(), *reads, *reads_allowed), ("refused after 50", 50, 50));
    let failure = fails(&engine, &guest, "read-for-ever@begin", "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::Deadline { .. } | FailureCause::Fuel { .. }), "{failure}");
    let engine =
        Engine::with_limits(&Limits { read_bytes: 20, read_bytes_per_object: 0, ..Limits::default() }).unwrap();
    let failure = fails(&engine, &sync_guest(&engine), "read-until-refused@begin", "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::ReadBudget { bytes: 13, bytes_allowed: 20, .. }), "{failure}");
}

#[test]
fn only_keys_of_the_run_can_be_read() {
    let engine = engine();
    run(&told(&sync_guest(&engine), "read-elsewhere@begin")).unwrap();
}

#[test]
fn a_policy_that_breaks_down_denies() {
    let engine = engine();
    let policy = policy_guest(&engine);
    for (act, call) in [
        ("trap@begin", "policy.begin"),
        ("trap@review", "policy.review"),
        ("trap@conclude", "policy.conclude"),
        ("recurse@review", "policy.review"),
        ("failure@begin", "policy.begin"),
        ("failure@review", "policy.review"),
        ("failure@conclude", "policy.conclude"),
        ("pointer@review", "policy.review"),
        ("attribute@review", "policy.review"),
        ("attribute@conclude", "policy.conclude"),
        ("other@conclude", "policy.conclude"),
    ] {
        let judgement = judge(&told(&policy, act));
        assert_eq!(judgement.verdict, Verdict::Deny, "{act}");
        blamed(&judgement.failure.unwrap(), call);
        assert_eq!(judge(&told(&policy, "good")).verdict, Verdict::Allow);
    }
    let flood = judge(&told(&policy, "flood@review"));
    assert_eq!(flood.verdict, Verdict::Allow);
    assert_eq!(flood.findings.len() as u64 + flood.usage.findings_dropped, 20_000);
}
