//! Plugins that attack the host: each run is contained, is reported as the plugin's error, and does not affect the next
//! run.

use std::time::{Duration, Instant};

use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::key::Key;
use tidegate_core::plan_review::Verdict;
use tidegate_core::plugin_failure::{FailureCause, MalformedAnswer, PluginFailure};
use tidegate_host::sync::{Trace, transform};
use tidegate_host::{Engine, Limits};

use crate::support::{
    CRAFTED, Crafted, Files, LOOP, check_failure, configure, crafted_failure, engine, facts, failure_of, judge, load,
    policy_guest, run, short, site, sync_guest, with_instances,
};

/// Long enough for any machine. A loop that is not stopped exceeds it.
const CONTAINED: Duration = Duration::from_secs(60);

#[test]
fn a_loop_ends_at_the_deadline_in_every_call() {
    let engine = Engine::with_limits(&short()).unwrap();
    let started = Instant::now();
    let check_deadline = |failure: &PluginFailure| match failure.cause() {
        FailureCause::Deadline { ran, allowed } => {
            assert_eq!(*allowed, Duration::from_millis(300));
            assert!(ran >= allowed);
        }
        // On a fast machine fuel may end it first: five hundred million iterations take close to 300 ms.
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
        check_deadline(&failure_of(&engine, &guest, act, call));
    }
    let policy = policy_guest(&engine);
    for (act, call) in
        [("loop@begin", "policy.begin"), ("loop@review", "policy.review"), ("loop@conclude", "policy.conclude")]
    {
        let judgement = judge(&configure(&policy, act));
        assert_eq!(judgement.verdict, Verdict::Deny);
        let failure = judgement.failure.unwrap();
        check_failure(&failure, call);
        check_deadline(&failure);
        assert_eq!(judge(&configure(&policy, "good")).verdict, Verdict::Allow);
    }
    let start =
        Crafted { fields: "(start $immediately) (func $immediately (loop $for_ever (br $for_ever)))", ..CRAFTED };
    check_deadline(&crafted_failure(&engine, start, "start"));
    check_deadline(&crafted_failure(&engine, Crafted { realloc: LOOP, ..CRAFTED }, "settings.validate"));
    check_deadline(&crafted_failure(&engine, Crafted { validate: LOOP, ..CRAFTED }, "settings.validate"));
    check_deadline(&crafted_failure(&engine, Crafted { begin: LOOP, ..CRAFTED }, "sync.begin"));
    check_deadline(&crafted_failure(&engine, Crafted { decide: LOOP, ..CRAFTED }, "sync.decide"));
    check_deadline(&crafted_failure(&engine, Crafted { after_decide: LOOP, ..CRAFTED }, "sync.decide"));
    check_deadline(&crafted_failure(&engine, Crafted { finish: LOOP, ..CRAFTED }, "sync.finish"));
    assert!(started.elapsed() < CONTAINED);
}

#[test]
fn the_clock_ends_a_loop_that_uses_no_fuel() {
    // A loop that only calls the host uses hardly any fuel. It logs more than is kept, also on a busy machine.
    let engine = Engine::with_limits(&Limits { time: Duration::from_millis(500), ..short() }).unwrap();
    let guest = load(
        &engine,
        "crafted",
        &Crafted {
            begin: "(loop $for_ever (call $log (i32.const 0) (i32.const 0) (i32.const 60000)) (br $for_ever))",
            ..CRAFTED
        }
        .component(),
    );
    let failure = failure_of(&engine, &guest, "x", "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::Deadline { .. }), "{failure}");
    assert!(failure.usage().unwrap().logs_dropped > 0);
}

#[test]
fn fuel_ends_a_loop_before_the_deadline() {
    let engine = Engine::with_limits(&Limits { fuel: 1_000_000, fuel_per_object: 10, ..Limits::default() }).unwrap();
    let failure = failure_of(&engine, &sync_guest(&engine), "loop@decide", "sync.decide");
    let FailureCause::Fuel { used, allowed } = failure.cause() else { panic!("{failure}") };
    assert_eq!((*used >= *allowed, *allowed), (true, 1_000_020));
    assert!(failure.to_string().contains("of 1000020 units of fuel"), "{failure}");
}

#[test]
fn fuel_is_deterministic() {
    let engine = engine();
    let used = |act: &str| {
        let usage = run(&configure(&sync_guest(&engine), act)).unwrap().usage.remove(0);
        (usage.fuel_used, usage.fuel_allowed, usage.memory_peak)
    };
    assert_eq!(used("work@decide"), used("work@decide"));
    assert!(used("work@decide").0 > used("good").0 + 1_000_000);
    // The fuel that it used is enough. Compiled code checks its fuel in loops and calls, so the code after the last
    // check may exceed it, by the same amount on every machine.
    let (exact, ..) = used("work@decide");
    let with = |fuel: u64| {
        let engine = Engine::with_limits(&Limits { fuel, fuel_per_object: 0, ..Limits::default() }).unwrap();
        run(&configure(&sync_guest(&engine), "work@decide")).map(|transformed| transformed.usage[0].fuel_used)
    };
    assert_eq!(with(exact).unwrap(), exact);
    assert!(matches!(with(exact - 100_000).unwrap_err().cause(), FailureCause::Fuel { .. }));
}

#[test]
fn memory_is_limited_over_all_memories() {
    let engine = engine();
    let memory = |failure: &PluginFailure| match failure.cause() {
        FailureCause::Memory { used, asked, allowed } => {
            assert_eq!(*allowed, 128 << 20);
            assert!(used <= allowed && used + asked > *allowed, "{failure}");
            assert!(failure.usage().unwrap().memory_peak <= *allowed);
        }
        other => panic!("{other:?}"),
    };
    memory(&failure_of(&engine, &sync_guest(&engine), "memory@decide", "sync.decide"));
    memory(&failure_of(&engine, &sync_guest(&engine), "memory@validate", "settings.validate"));
    let judgement = judge(&configure(&policy_guest(&engine), "memory@review"));
    memory_of_policy(&judgement.failure.unwrap());
    // Sixteen memories of 64 MiB each, which wasmtime's own limiter would accept.
    let sixteen = with_instances(CRAFTED.component(), "(module (memory 1024))", 16);
    memory(&failure_of(&engine, &load(&engine, "sixteen", &sixteen), "x", "start"));
    // Growth by the whole address space.
    let grow = Crafted { begin: "(drop (memory.grow (i32.const 65531)))", ..CRAFTED };
    memory(&crafted_failure(&engine, grow, "sync.begin"));
    // Growth beyond the maximum of the memory itself fails in the plugin, and does not end the run.
    let bounded =
        Crafted { begin: "(if (i32.ne (memory.grow (i32.const 70000)) (i32.const -1)) (then unreachable))", ..CRAFTED };
    run(&configure(&load(&engine, "bounded", &bounded.component()), "x")).unwrap();
}

fn memory_of_policy(failure: &PluginFailure) {
    check_failure(failure, "policy.review");
    assert!(matches!(failure.cause(), FailureCause::Memory { .. }), "{failure}");
}

#[test]
fn tables_instances_and_memories_are_limited() {
    let engine = engine();
    let grow = Crafted {
        fields: "(table $t 1 funcref)",
        begin: "(drop (table.grow $t (ref.null func) (i32.const 0x10000000)))",
        ..CRAFTED
    };
    let failure = crafted_failure(&engine, grow, "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::Tables { allowed: 100_000, .. }), "{failure}");
    let two = with_instances(CRAFTED.component(), "(module (table 60000 funcref))", 2);
    let failure = failure_of(&engine, &load(&engine, "tables", &two), "x", "start");
    assert!(matches!(failure.cause(), FailureCause::Tables { used: 60_000.., .. }), "{failure}");
    let few = Engine::with_limits(&Limits { instances: 100, ..Limits::default() }).unwrap();
    for (engine, module, count) in
        [(&few, "(module)", 150), (&engine, "(module (memory 0))", 40), (&engine, "(module (table 0 funcref))", 200)]
    {
        let many = with_instances(CRAFTED.component(), module, count);
        let failure = failure_of(engine, &load(engine, "many", &many), "x", "start");
        assert!(matches!(failure.cause(), FailureCause::Count(_)), "{module}: {failure}");
    }
}

#[test]
fn recursion_ends_at_the_stack_limit() {
    let engine = engine();
    for (act, call) in
        [("recurse@begin", "sync.begin"), ("recurse@finish", "sync.finish"), ("recurse@validate", "settings.validate")]
    {
        let failure = failure_of(&engine, &sync_guest(&engine), act, call);
        assert!(matches!(failure.cause(), FailureCause::Stack { .. } | FailureCause::Trap(_)), "{failure}");
    }
    let mutual = Crafted { fields: "(func $a (call $b)) (func $b (call $a))", decide: "(call $a)", ..CRAFTED };
    let failure = crafted_failure(&engine, mutual, "sync.decide");
    assert!(matches!(failure.cause(), FailureCause::Stack { allowed: 524_288 }), "{failure}");
}

#[test]
fn a_trap_names_its_call() {
    let engine = engine();
    for (act, call) in [
        ("trap@validate", "settings.validate"),
        ("trap@begin", "sync.begin"),
        ("trap@decide", "sync.decide"),
        ("trap@finish", "sync.finish"),
    ] {
        let failure = failure_of(&engine, &sync_guest(&engine), act, call);
        let FailureCause::Trap(trap) = failure.cause() else { panic!("{failure}") };
        assert!(trap.contains("unreachable"), "{trap}");
    }
    let failure =
        crafted_failure(&engine, Crafted { begin: "(drop (i32.load (i32.const -4)))", ..CRAFTED }, "sync.begin");
    assert!(failure.to_string().contains("out of bounds memory access"), "{failure}");
    let division = "(drop (i32.div_u (i32.const 1) (i32.const 0)))";
    let failure = crafted_failure(&engine, Crafted { finish: division, ..CRAFTED }, "sync.finish");
    assert!(failure.to_string().contains("divide by zero"), "{failure}");
}

#[test]
fn data_of_one_call_is_limited() {
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
        let failure = failure_of(&engine, &guest, act, call);
        // 16 MiB, and 512 bytes for each object of the run.
        let limit = (16 << 20)..=(16 << 20) + 2 * 512;
        let is_limited = matches!(failure.cause(), FailureCause::CallData { allowed } if limit.contains(allowed));
        assert!(is_limited, "{act}: {failure}");
    }
    let tight =
        Engine::with_limits(&Limits { answer_bytes: 1_000_000, answer_bytes_per_object: 0, ..Limits::default() })
            .unwrap();
    let failure = failure_of(&tight, &sync_guest(&tight), "many-edits@decide", "sync.decide");
    assert!(
        matches!(failure.cause(), FailureCause::Malformed(MalformedAnswer::Size { allowed: 1_000_000, .. })),
        "{failure}"
    );
}

#[test]
fn refuses_reads_beyond_the_limits_of_the_contract() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for (act, asked, most) in [
        ("heads-many@begin", 1_001, 1_000),
        ("heads-long@begin", 65_537, 65_536),
        ("range-long@begin", 1_048_577, 1_048_576),
    ] {
        let failure = failure_of(&engine, &guest, act, "sync.begin");
        let FailureCause::Request { asked: found, most: limit, .. } = failure.cause() else { panic!("{failure}") };
        assert_eq!((*found, *limit), (asked, most), "{failure}");
    }
}

#[test]
fn excess_log_records_are_dropped_and_counted() {
    let engine = engine();
    let transformed = run(&configure(&sync_guest(&engine), "log-flood@begin")).unwrap();
    let usage = &transformed.usage[0];
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
fn a_spent_read_budget_is_reported() {
    let engine = Engine::with_limits(&Limits { reads: 50, reads_per_object: 0, ..short() }).unwrap();
    let guest = sync_guest(&engine);
    let failure = failure_of(&engine, &guest, "read-until-refused@begin", "sync.begin");
    let FailureCause::ReadBudget { message, reads, reads_allowed, .. } = failure.cause() else { panic!("{failure}") };
    assert_eq!((message.as_str(), *reads, *reads_allowed), ("refused after 50", 50, 50));
    let failure = failure_of(&engine, &guest, "read-for-ever@begin", "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::Deadline { .. } | FailureCause::Fuel { .. }), "{failure}");
    let engine =
        Engine::with_limits(&Limits { read_bytes: 20, read_bytes_per_object: 0, ..Limits::default() }).unwrap();
    let failure = failure_of(&engine, &sync_guest(&engine), "read-until-refused@begin", "sync.begin");
    assert!(matches!(failure.cause(), FailureCause::ReadBudget { bytes: 13, bytes_allowed: 20, .. }), "{failure}");
}

#[test]
fn refused_reads_cost_fuel_and_time() {
    let started = Instant::now();
    // With the default limits: fuel ends the loops within seconds.
    let full = engine();
    let guest = sync_guest(&full);
    for act in ["read-nothing@begin", "heads-nothing@begin", "heads-none@begin", "read-for-ever@begin"] {
        let failure = failure_of(&full, &guest, act, "sync.begin");
        assert!(
            matches!(failure.cause(), FailureCause::Fuel { .. } | FailureCause::Deadline { .. }),
            "{act}: {failure}"
        );
        let usage = failure.usage().unwrap();
        // Keys that do not exist are charged like others.
        assert!(act == "heads-none@begin" || usage.reads == 1_004, "{act}: {} reads", usage.reads);
    }
    let judgement = judge(&configure(&policy_guest(&full), "read-nothing@begin"));
    assert_eq!(judgement.verdict, Verdict::Deny);
    check_failure(&judgement.failure.unwrap(), "policy.begin");
    // With a short time, the clock ends them: it runs while the host refuses.
    let short = Engine::with_limits(&Limits { time: Duration::from_millis(50), ..short() }).unwrap();
    let failure = failure_of(&short, &sync_guest(&short), "read-nothing@begin", "sync.begin");
    let FailureCause::Deadline { ran, .. } = failure.cause() else { panic!("{failure}") };
    assert!(*ran < Duration::from_secs(5), "{failure}");
    assert!(started.elapsed() < CONTAINED);
}

#[test]
fn the_deadline_includes_the_time_of_reads() {
    // A storage that takes its time and ignores its deadline.
    struct SlowFiles(Files);
    impl ContentReader for SlowFiles {
        fn heads(&self, keys: &[Key], length: u32, deadline: Instant) -> Vec<Result<Vec<u8>, ReadError>> {
            std::thread::sleep(Duration::from_millis(20));
            self.0.heads(keys, length, deadline)
        }

        fn range(&self, key: &Key, offset: u64, length: u32, deadline: Instant) -> Result<Vec<u8>, ReadError> {
            std::thread::sleep(Duration::from_millis(20));
            self.0.range(key, offset, length, deadline)
        }
    }
    let limits = Limits { time: Duration::from_secs(1), reading_time: Duration::from_millis(500), ..short() };
    let engine = Engine::with_limits(&limits).unwrap();
    let configured = configure(&sync_guest(&engine), "read-for-ever@begin");
    let files = SlowFiles(site());
    let started = Instant::now();
    let artifact = files.0.artifact();
    let failure = transform(std::slice::from_ref(&configured), &artifact, &facts(), &files, Trace::Off).unwrap_err();
    let FailureCause::Deadline { ran, allowed } = failure.cause() else { panic!("{failure}") };
    assert!(*allowed == Duration::from_millis(2_500) && ran >= allowed, "{failure}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn only_keys_of_the_run_can_be_read() {
    let engine = engine();
    run(&configure(&sync_guest(&engine), "read-elsewhere@begin")).unwrap();
}

#[test]
fn a_failing_policy_denies() {
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
        let judgement = judge(&configure(&policy, act));
        assert_eq!(judgement.verdict, Verdict::Deny, "{act}");
        check_failure(&judgement.failure.unwrap(), call);
        assert_eq!(judge(&configure(&policy, "good")).verdict, Verdict::Allow);
    }
    let flood = judge(&configure(&policy, "flood@review"));
    assert_eq!(flood.verdict, Verdict::Allow);
    assert_eq!(flood.findings.len() as u64 + flood.usage.findings_dropped, 20_000);
}
