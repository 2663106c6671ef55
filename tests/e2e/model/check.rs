//! Checks after a publish with or without faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_core::report::{Outcome, PublishReport};
use tidegate_tests::fault::{ApiCall, InjectedFault};
use tidegate_tests::{Publish, SiteObject, World, body, calls};

use super::scenario::{ExpectedObject, OTHERS, PREFIX, Scenario};

/// A fault at one request, or from that request on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    Refuse,
    Lose,
    Cut,
    SlowDown,
    InternalError,
    AccessDenied,
    /// This and all later requests fail: the process was killed, or the network is down.
    Disconnect,
}

impl FaultKind {
    pub(super) const ALL: [Self; 7] = [
        Self::Refuse,
        Self::Lose,
        Self::Cut,
        Self::SlowDown,
        Self::InternalError,
        Self::AccessDenied,
        Self::Disconnect,
    ];

    /// The kinds that leave different states. They are injected in turn.
    pub(super) const ROTATION: [Self; 5] = [Self::Lose, Self::Refuse, Self::Disconnect, Self::AccessDenied, Self::Cut];

    fn inject(self) -> InjectedFault {
        match self {
            Self::Refuse | Self::Disconnect => InjectedFault::Refuse,
            Self::Lose => InjectedFault::Lose,
            Self::Cut => InjectedFault::Cut,
            Self::SlowDown => InjectedFault::answer(503, "SlowDown"),
            Self::InternalError => InjectedFault::answer(500, "InternalError"),
            Self::AccessDenied => InjectedFault::answer(403, "AccessDenied"),
        }
    }
}

type Site = BTreeMap<String, ExpectedObject>;

/// A world that holds the scenario's site, and the publish of its artifact.
async fn set_up(scenario: &Scenario) -> (World, Publish) {
    let world = World::new().await;
    for object in scenario.seeds() {
        object.seed(&world.client(), tidegate_tests::world::BUCKET).await;
    }
    let publish = world.publish(&scenario.configuration(), &scenario.sources()).await;
    world.clear_requests();
    (world, publish)
}

/// The objects of the site, and the objects outside of its prefix.
async fn read_objects(world: &World) -> (Site, Site) {
    let (mut site, mut others) = (Site::new(), Site::new());
    for object in world.site().await.objects {
        let found = describe(&object);
        match object.key.strip_prefix(PREFIX) {
            Some(key) => site.insert(key.to_owned(), found),
            None => others.insert(object.key, found),
        };
    }
    (site, others)
}

fn describe(object: &SiteObject) -> ExpectedObject {
    let digest =
        object.digest.clone().unwrap_or_else(|| body::digest(object.body.as_deref().unwrap_or_default().as_bytes()));
    ExpectedObject { digest, cache: object.cache_control.clone(), redirect: object.redirect.clone() }
}

fn check_equal(what: &str, expected: &Site, found: &Site) -> Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{what}:\n{}", pretty_assertions::Comparison::new(expected, found)))
    }
}

fn check(condition: bool, failure: impl Into<String>) -> Result<(), String> {
    if condition { Ok(()) } else { Err(failure.into()) }
}

/// Publishes twice without faults.
pub(super) async fn publish_without_faults(scenario: &Scenario) -> Result<(), String> {
    let (world, publish) = set_up(scenario).await;
    let (before, others) = read_objects(&world).await;
    let report = publish.run().await;
    check(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), format!("the outcome: {report}"))?;
    check_finished(scenario, &world, &others).await?;
    check(
        (report.outcome == Outcome::Unchanged)
            == (before == scenario.model() && calls::writes(&world.faults.calls()).is_empty()),
        "the outcome must be `unchanged` exactly if nothing was written",
    )?;
    check_no_needless_writes(scenario, &world.faults.calls())?;
    check_up_to_date(&world, &publish).await
}

/// The site equals the model, and objects outside of it are unchanged.
async fn check_finished(scenario: &Scenario, world: &World, others: &Site) -> Result<(), String> {
    let (after, after_others) = read_objects(world).await;
    check_equal("the site differs from the model", &scenario.model(), &after)?;
    check_equal("objects of others were touched", others, &after_others)?;
    check(after_others.len() == OTHERS.len(), "an object outside of the site is missing")
}

/// No object that was up to date was written.
fn check_no_needless_writes(scenario: &Scenario, trace: &[ApiCall]) -> Result<(), String> {
    let unchanged = scenario.provably_unchanged();
    let written =
        trace.iter().filter(|call| !call.only_reads()).filter_map(|call| call.key.as_deref()?.strip_prefix(PREFIX));
    let needless: Vec<&str> = written.filter(|key| unchanged.iter().any(|unchanged| unchanged == key)).collect();
    check(needless.is_empty(), format!("written although up to date: {needless:?}"))
}

/// Another run only reads.
async fn check_up_to_date(world: &World, publish: &Publish) -> Result<(), String> {
    world.clear_requests();
    let report = publish.run().await;
    check(report.outcome == Outcome::Unchanged, format!("the next run is not `unchanged`: {report}"))?;
    let writes = calls::writes(&world.faults.calls());
    check(writes.is_empty(), format!("an unchanged run wrote: {writes:?}"))
}

/// Publishes once for each request of a publish, with a fault at that request. Returns the number of requests.
pub(super) async fn publish_with_each_fault(scenario: &Scenario, faults: &[FaultKind]) -> Result<usize, String> {
    for (at, fault) in (0_usize..).zip(faults.iter().cycle()) {
        let (world, publish) = set_up(scenario).await;
        let (before, others) = read_objects(&world).await;
        let count = Arc::new(AtomicUsize::new(0));
        let (counter, fault) = (Arc::clone(&count), *fault);
        world.inject_faults(move |_| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            (number == at || (fault == FaultKind::Disconnect && number > at)).then(|| fault.inject())
        });
        let result = publish_with_fault(scenario, &world, &publish, &before, &others).await;
        let requests = count.load(Ordering::SeqCst);
        world.stop_faults();
        let result = match result {
            Ok(()) => check_recovery(scenario, &world, &publish, &others).await,
            Err(why) => Err(why),
        };
        result.map_err(|why| format!("{fault:?} at request {} of {requests}\n{scenario:?}\n{why}", at + 1))?;
        if requests <= at {
            return Ok(requests);
        }
    }
    Ok(0)
}

/// A run in which a request may fail.
async fn publish_with_fault(
    scenario: &Scenario,
    world: &World,
    publish: &Publish,
    before: &Site,
    others: &Site,
) -> Result<(), String> {
    let planned = publish.plan().await;
    let written = calls::writes(&world.faults.calls());
    check(written.is_empty(), format!("planning wrote: {written:?}"))?;
    let report = match planned {
        Ok(planned) => Some(publish.apply(planned).await),
        Err(_) => None,
    };
    let (after, after_others) = read_objects(world).await;
    check_equal("objects of others were touched", others, &after_others)?;
    let model = scenario.model();
    let deleted = before.keys().any(|key| !after.contains_key(key));
    let missing: Vec<&String> =
        model.iter().filter(|(key, expected)| after.get(*key) != Some(expected)).map(|(key, _)| key).collect();
    check(!deleted || missing.is_empty(), format!("objects were deleted although {missing:?} were not written"))?;
    match report {
        None => check_equal("a run without a plan changed the site", before, &after),
        Some(report) => check_report(&report, before, &after, &model),
    }
}

/// The outcome in the report is true.
fn check_report(report: &PublishReport, before: &Site, after: &Site, model: &Site) -> Result<(), String> {
    match report.outcome {
        Outcome::Live | Outcome::LiveInvalidationPending => {
            check_equal("live, but the site differs from the model", model, after)
        }
        Outcome::Unchanged => check_equal("unchanged, but the site differs from the model", model, after),
        Outcome::Partial => check(!report.done.failures.is_empty(), "partial, but without a failure"),
        Outcome::Failed => {
            check(!report.done.failures.is_empty() || report.why.is_some(), "failed, but without a cause")?;
            check_equal("failed, but the site was changed", before, after)
        }
        Outcome::LiveSwitchPending | Outcome::Denied | Outcome::Held | Outcome::Superseded => {
            Err(format!("no policy gives this outcome: {report}"))
        }
    }
}

/// The next run, without faults, completes the release.
async fn check_recovery(scenario: &Scenario, world: &World, publish: &Publish, others: &Site) -> Result<(), String> {
    world.clear_requests();
    let report = publish.run().await;
    check(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), format!("the run after the fault: {report}"))?;
    check_no_needless_writes(scenario, &world.faults.calls())?;
    check_finished(scenario, world, others).await?;
    check_up_to_date(world, publish).await
}
