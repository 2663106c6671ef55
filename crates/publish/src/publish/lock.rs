//! Whose turn it is: one writer a site, and the newest wins.
//!
//! Owns the claim of a publish, from the lease to the first look at what is live. Never plans and never writes to the site.

use futures::future::BoxFuture;
use tidegate_core::approval::Approval;
use tidegate_core::config::Site;
use tidegate_core::plan::Plan;
use tidegate_core::release::{Precedence, ReleaseId};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_core::request::PublishRequest;
use tidegate_host::sync::Trace;

use super::{PlannedPublish, PublishError, Publisher, ReleaseContext, still_holds};
use crate::state::{LeaseGuard, StateStore};

/// What a claim came to.
enum Claimed {
    /// The run may go on.
    Go(Option<ReleaseContext>),
    /// It is over, and a success.
    Over(PublishReport),
}

impl Publisher {
    /// Publishes: waits for the site's lease, lets older and repeated requests pass, plans, has the plan judged and carries
    /// it out. With `saved`, only that very plan is carried out. `look` sees the plan before anything is written.
    ///
    /// # Errors
    /// [`PublishError`]: the site is as it was.
    pub async fn publish(
        &self,
        request: &PublishRequest,
        site: &Site,
        approval: Approval,
        saved: Option<&Plan>,
        look: impl FnOnce(&PlannedPublish),
    ) -> Result<PublishReport, PublishError> {
        // Boxed: the compiler cannot follow so deep a future to see that it may move between threads.
        let claimed: BoxFuture<'_, Result<Claimed, PublishError>> = Box::pin(self.claim(request, site));
        let standing = match claimed.await? {
            Claimed::Go(standing) => standing,
            Claimed::Over(report) => return Ok(report),
        };
        let planning: BoxFuture<'_, Result<PlannedPublish, PublishError>> =
            Box::pin(self.plan_held(standing, request, site));
        let planned = planning.await?;
        if let Some(Err(error)) = saved.map(|saved| still_holds(saved, &planned.plan)) {
            super::leave(planned.past).await;
            return Err(error);
        }
        look(&planned);
        let applying: BoxFuture<'_, PublishReport> = Box::pin(self.apply(planned, request, site, approval));
        Ok(applying.await)
    }

    /// Plans while the lease is held, and leaves it where no plan comes about.
    async fn plan_held(
        &self,
        standing: Option<ReleaseContext>,
        request: &PublishRequest,
        site: &Site,
    ) -> Result<PlannedPublish, PublishError> {
        let Some(mut standing) = standing else { return self.plan_after(None, request, site, Trace::Off).await };
        let held = standing.held.take();
        match self.plan_after(Some(standing), request, site, Trace::Off).await {
            Ok(mut planned) => {
                if let Some(past) = &mut planned.past {
                    past.held = held;
                }
                Ok(planned)
            }
            Err(error) => {
                if let Some(held) = held {
                    held.release().await;
                }
                Err(error)
            }
        }
    }

    async fn claim(&self, request: &PublishRequest, site: &Site) -> Result<Claimed, PublishError> {
        let Some(state) = self.state(site) else { return Ok(Claimed::Go(None)) };
        let held = self.hold(&state, request, site).await?;
        match self.look_back(&state, &held, request, site).await {
            Ok(Claimed::Go(standing)) => {
                Ok(Claimed::Go(standing.map(|standing| ReleaseContext { held: Some(held), ..standing })))
            }
            ended => {
                held.release().await;
                ended
            }
        }
    }

    /// Takes the site's lease.
    pub(super) async fn hold(
        &self,
        state: &StateStore,
        request: &PublishRequest,
        site: &Site,
    ) -> Result<LeaseGuard, PublishError> {
        Ok(state.lease(&request.release, site.lease_seconds.into(), self.patience, &self.observer).await?)
    }

    async fn look_back(
        &self,
        state: &StateStore,
        held: &LeaseGuard,
        request: &PublishRequest,
        site: &Site,
    ) -> Result<Claimed, PublishError> {
        let history = state.history().await?;
        let turn = history.pointer.as_ref().map_or(Precedence::Publish, |(pointer, _)| pointer.precedence(request));
        // What is live and was not finished is finished by whoever asks for it again.
        let turn = if turn == Precedence::Done && !history.is_done() { Precedence::Publish } else { turn };
        let Some((pointer, etag)) = history.pointer.as_ref().filter(|_| turn != Precedence::Publish) else {
            let (state, horizon) = (state.clone(), ReleaseId::default());
            return Ok(Claimed::Go(Some(ReleaseContext { state, history, horizon, another: true, held: None })));
        };
        let mut passed = pointer.clone();
        passed.skip(request, turn == Precedence::Superseded);
        passed.fence = held.count().await;
        held.fence().check()?;
        state.move_pointer(&passed, Some(etag)).await?;
        let outcome = if turn == Precedence::Superseded { Outcome::Superseded } else { Outcome::Unchanged };
        let mut report = PublishReport::new(request, site.target.clone(), outcome);
        report.id = pointer.live().map(|live| live.id);
        report.why = pointer.live().map(|live| match turn {
            Precedence::Superseded => {
                format!("`{}` is older than `{}`, which is live as {}", request.release, live.release, live.id)
            }
            Precedence::Done | Precedence::Publish => format!("`{}` was published as {} before", live.release, live.id),
        });
        Ok(Claimed::Over(report))
    }
}
