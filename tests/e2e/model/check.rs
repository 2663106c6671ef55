//! What must hold after a publish, disturbed or not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_core::report::{Outcome, PublishReport};
use tidegate_tests::fault::{ApiCall, InjectedFault};
use tidegate_tests::{Publish, SiteObject, World, body, calls};

use super::scenario::{Expected, OTHERS, PREFIX, Scenario};

/// What goes wrong, at one request or from it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    Refuse,
    Lose,
    Cut,
    SlowDown,
    InternalError,
    AccessDenied,
    /// From this request on, nothing gets through: the process was killed, or the network is gone.
    Dead,
}

impl Strike {
    pub(super) const ALL: [Self; 7] =
        [Self::Refuse, Self::Lose, Self::Cut, Self::SlowDown, Self::InternalError, Self::AccessDenied, Self::Dead];

    /// Those that leave different traces, one after the other.
    pub(super) const ROTATION: [Self; 5] = [Self::Lose, Self::Refuse, Self::Dead, Self::AccessDenied, Self::Cut];

    fn fault(self) -> InjectedFault {
        match self {
            Self::Refuse | Self::Dead => InjectedFault::Refuse,
            Self::Lose => InjectedFault::Lose,
            Self::Cut => InjectedFault::Cut,
            Self::SlowDown => InjectedFault::answer(503, "SlowDown"),
            Self::InternalError => InjectedFault::answer(500, "InternalError"),
            Self::AccessDenied => InjectedFault::answer(403, "AccessDenied"),
        }
    }
}

type Site = BTreeMap<String, Expected>;

/// A world in which the scenario is about to be published.
async fn begin(scenario: &Scenario) -> (World, Publish) {
    let world = World::new().await;
    for object in scenario.seeds() {
        object.seed(&world.client(), tidegate_tests::world::BUCKET).await;
    }
    let publish = world.publish(&scenario.configuration(), &scenario.sources()).await;
    world.forget();
    (world, publish)
}

/// What the site holds, and what others hold.
async fn look(world: &World) -> (Site, Site) {
    let (mut site, mut others) = (Site::new(), Site::new());
    for object in world.site().await.objects {
        let expected = seen(&object);
        match object.key.strip_prefix(PREFIX) {
            Some(key) => site.insert(key.to_owned(), expected),
            None => others.insert(object.key, expected),
        };
    }
    (site, others)
}

fn seen(object: &SiteObject) -> Expected {
    let digest =
        object.digest.clone().unwrap_or_else(|| body::digest(object.body.as_deref().unwrap_or_default().as_bytes()));
    Expected { digest, cache: object.cache_control.clone(), redirect: object.redirect.clone() }
}

fn equal(what: &str, expected: &Site, found: &Site) -> Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{what}:\n{}", pretty_assertions::Comparison::new(expected, found)))
    }
}

fn hold(holds: bool, what: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// Publishes, and again, without any fault.
pub(super) async fn undisturbed(scenario: &Scenario) -> Result<(), String> {
    let (world, publish) = begin(scenario).await;
    let (before, others) = look(&world).await;
    let report = publish.run().await;
    hold(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), format!("the outcome: {report}"))?;
    finished(scenario, &world, &others).await?;
    hold(
        (report.outcome == Outcome::Unchanged)
            == (before == scenario.model() && calls::writes(&world.faults.calls()).is_empty()),
        "unchanged means unchanged",
    )?;
    spared(scenario, &world.faults.calls())?;
    settled(&world, &publish).await
}

/// The site is what the model says, and others have what they had.
async fn finished(scenario: &Scenario, world: &World, others: &Site) -> Result<(), String> {
    let (after, after_others) = look(world).await;
    equal("the site is not what the model says", &scenario.model(), &after)?;
    equal("objects of others were touched", others, &after_others)?;
    hold(after_others.len() == OTHERS.len(), "the others are all there")
}

/// What was as it should be was not written.
fn spared(scenario: &Scenario, trace: &[ApiCall]) -> Result<(), String> {
    let settled = scenario.settled();
    let spare =
        trace.iter().filter(|call| !call.only_reads()).filter_map(|call| call.key.as_deref()?.strip_prefix(PREFIX));
    let spare: Vec<&str> = spare.filter(|key| settled.iter().any(|settled| settled == key)).collect();
    hold(spare.is_empty(), format!("these were as they should be and were written: {spare:?}"))
}

/// One more run sends nothing but reads.
async fn settled(world: &World, publish: &Publish) -> Result<(), String> {
    world.forget();
    let report = publish.run().await;
    hold(report.outcome == Outcome::Unchanged, format!("the next run finds something to do: {report}"))?;
    let writes = calls::writes(&world.faults.calls());
    hold(writes.is_empty(), format!("an unchanged run wrote: {writes:?}"))
}

/// Publishes once for every request that a publish needs, each time with another request struck.
/// Answers how many requests there were to strike.
pub(super) async fn with_every_fault(scenario: &Scenario, strikes: &[Strike]) -> Result<usize, String> {
    for (at, strike) in (0_usize..).zip(strikes.iter().cycle()) {
        let (world, publish) = begin(scenario).await;
        let (before, others) = look(&world).await;
        let count = Arc::new(AtomicUsize::new(0));
        let (counter, strike) = (Arc::clone(&count), *strike);
        world.trouble(move |_| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            (number == at || (strike == Strike::Dead && number > at)).then(|| strike.fault())
        });
        let result = disturbed(scenario, &world, &publish, &before, &others).await;
        let requests = count.load(Ordering::SeqCst);
        world.peace();
        let result = match result {
            Ok(()) => recovered(scenario, &world, &publish, &others).await,
            Err(why) => Err(why),
        };
        result.map_err(|why| format!("{strike:?} at request {} of {requests}\n{scenario:?}\n{why}", at + 1))?;
        if requests <= at {
            return Ok(requests);
        }
    }
    Ok(0)
}

/// A run in which something may go wrong.
async fn disturbed(
    scenario: &Scenario,
    world: &World,
    publish: &Publish,
    before: &Site,
    others: &Site,
) -> Result<(), String> {
    let planned = publish.plan().await;
    let written = calls::writes(&world.faults.calls());
    hold(written.is_empty(), format!("planning wrote: {written:?}"))?;
    let report = match planned {
        Ok(planned) => Some(publish.apply(planned).await),
        Err(_) => None,
    };
    let (after, after_others) = look(world).await;
    equal("objects of others were touched", others, &after_others)?;
    let model = scenario.model();
    let deleted = before.keys().any(|key| !after.contains_key(key));
    let missing: Vec<&String> =
        model.iter().filter(|(key, wanted)| after.get(*key) != Some(wanted)).map(|(key, _)| key).collect();
    hold(!deleted || missing.is_empty(), format!("something was deleted although {missing:?} were not written"))?;
    match report {
        None => equal("a run without a plan changed the site", before, &after),
        Some(report) => honest(&report, before, &after, &model),
    }
}

/// The report says what happened.
fn honest(report: &PublishReport, before: &Site, after: &Site, model: &Site) -> Result<(), String> {
    match report.outcome {
        Outcome::Live | Outcome::LiveInvalidationPending => equal("live, but not what the model says", model, after),
        Outcome::Unchanged => equal("unchanged, but not what the model says", model, after),
        Outcome::Partial => hold(!report.done.failures.is_empty(), "partial, and nothing failed"),
        Outcome::Failed => {
            hold(!report.done.failures.is_empty() || report.why.is_some(), "failed, and nothing says why")?;
            equal("failed means that the site is as it was", before, after)
        }
        Outcome::Denied | Outcome::Held | Outcome::Superseded => Err(format!("no policy says so: {report}")),
    }
}

/// The next run, undisturbed, finishes the work.
async fn recovered(scenario: &Scenario, world: &World, publish: &Publish, others: &Site) -> Result<(), String> {
    world.forget();
    let report = publish.run().await;
    hold(matches!(report.outcome, Outcome::Live | Outcome::Unchanged), format!("the run after the fault: {report}"))?;
    spared(scenario, &world.faults.calls())?;
    finished(scenario, world, others).await?;
    settled(world, publish).await
}
