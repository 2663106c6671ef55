//! The credentials of a run: read-only ones for planning, and ones that permit exactly one plan for writing.

use tidegate_core::location::Source;
use tidegate_core::plan::Plan;
use tidegate_core::policy_document::{PROBED_FROM, PolicyDocument, SessionScope};

use super::error::PublishError;
use super::run::Run;
use crate::connection::Connection;
use crate::sts::Sts;

/// A connection that can read the site and nothing else.
pub(super) async fn for_planning(run: Run<'_>) -> Result<Connection, PublishError> {
    let (own, site) = (&run.publisher.connection, run.site);
    let Some(role) = &site.role else { return Ok(own.clone()) };
    let policy = PolicyDocument::planning(&role.partition(), &site.target, &site.objects).session(&site.target)?;
    Ok(Sts::new(own).session(own, role, &session_name(run, "plan"), &policy).await?)
}

/// A connection that can do what the plan says and nothing else. Call it only after the last plugin has ended.
pub(super) async fn for_writing(run: Run<'_>, plan: &Plan) -> Result<Connection, PublishError> {
    let own = &run.publisher.connection;
    let (Some(role), Some(document)) = (&run.site.role, document(run, plan)) else { return Ok(own.clone()) };
    let policy = document.session(&run.site.target)?;
    Ok(Sts::new(own).session(own, role, &session_name(run, "publish"), &policy).await?)
}

/// Checks the plan's session policy against the limits of STS before anything is reviewed or written. Only STS knows
/// the packed size of a policy, so a long one is sent to it in a session that denies what the policy allows.
pub(super) async fn check_limits(run: Run<'_>, plan: &Plan) -> Result<(), PublishError> {
    let (Some(role), Some(document)) = (&run.site.role, document(run, plan)) else { return Ok(()) };
    let policy = document.session(&run.site.target)?;
    if policy.len() >= PROBED_FROM {
        let denial = document.as_denial().session(&run.site.target)?;
        Sts::new(&run.publisher.connection).assume(role, &session_name(run, "check"), &denial).await?;
    }
    Ok(())
}

fn document(run: Run<'_>, plan: &Plan) -> Option<PolicyDocument> {
    let Run { publisher, request, site } = run;
    let role = site.role.as_ref()?;
    let archive = publisher.state(site).map(|state| state.bodies());
    let distributions: Vec<String> = site.cdn.iter().map(|cdn| cdn.arn(role)).collect();
    let tagged = site.cdn.iter().filter(|cdn| cdn.cache_tags.is_some());
    let tagged: Vec<String> = tagged.map(|cdn| cdn.arn(role)).collect();
    let staged = match &request.source {
        Source::Prefix(location) => Some(location),
        Source::Release(_) => archive.as_ref(),
        Source::Directory(_) | Source::Archive(_) | Source::Object(_) => None,
    };
    let scope = SessionScope { staged, archive: archive.as_ref(), distributions: &distributions, tagged: &tagged };
    Some(PolicyDocument::writing(&role.partition(), plan, scope)).filter(|document| !document.is_empty())
}

fn session_name(run: Run<'_>, purpose: &str) -> String {
    format!("tidegate-{purpose}-{}", run.request.site)
}
