//! Which credentials a run has: those that can read, for planning; those that can do what one plan holds, for writing.
//!
//! Owns when they are asked for and for which purpose. What they may do is `tidegate_host::document`'s to say.

use tidegate_host::config::Site;
use tidegate_host::document::{Document, DocumentError};
use tidegate_host::location::Source;
use tidegate_host::plan::Plan;
use tidegate_host::request::Request;

use super::{PublishError, Publisher};
use crate::connection::Connection;
use crate::sts::Sts;

impl Publisher {
    /// A connection that can read the site and nothing else.
    pub(super) async fn reading(&self, request: &Request, site: &Site) -> Result<Connection, PublishError> {
        let Some(role) = &site.role else { return Ok(self.connection.clone()) };
        let policy = Document::planning(&site.target, &site.writing).session(&site.target)?;
        let session = session(request, "plan");
        Ok(self.connection.with_credentials(Sts::new(&self.connection).assume(role, &session, &policy).await?))
    }

    /// A connection that can do what this plan says and nothing else. Called when no plugin is left.
    pub(super) async fn writing(
        &self,
        plan: &Plan,
        request: &Request,
        site: &Site,
    ) -> Result<Connection, PublishError> {
        let (Some(role), Some(policy)) = (&site.role, self.writing_policy(plan, request, site)?) else {
            return Ok(self.connection.clone());
        };
        let session = session(request, "publish");
        Ok(self.connection.with_credentials(Sts::new(&self.connection).assume(role, &session, &policy).await?))
    }

    /// The session policy of a plan; its limits are checked while planning, before anything is written.
    pub(super) fn writing_policy(
        &self,
        plan: &Plan,
        request: &Request,
        site: &Site,
    ) -> Result<Option<String>, DocumentError> {
        let Some(role) = &site.role else { return Ok(None) };
        let aside = self.state(site).map(|state| state.bodies());
        let distributions: Vec<String> = site.cdn.iter().map(|cdn| cdn.arn(role)).collect();
        let staged = match &request.source {
            Source::Prefix(location) => Some(location),
            Source::Release(_) => aside.as_ref(),
            Source::Directory(_) | Source::Archive(_) | Source::Object(_) => None,
        };
        let document = Document::writing(plan, staged, aside.as_ref(), &distributions);
        if document.is_empty() { Ok(None) } else { document.session(&site.target).map(Some) }
    }
}

fn session(request: &Request, purpose: &str) -> String {
    format!("tidegate-{purpose}-{}", request.site)
}
