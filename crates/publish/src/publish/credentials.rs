//! Which credentials a run has: those that can read, for planning; those that can do what one plan holds, for writing.
//!
//! Owns when they are asked for and for which purpose. What they may do is `tidegate_core::policy_document`'s to say.

use tidegate_core::config::Site;
use tidegate_core::location::Source;
use tidegate_core::plan::Plan;
use tidegate_core::policy_document::{PROBED_FROM, PolicyDocument, SessionScope};
use tidegate_core::request::PublishRequest;

use super::{PublishError, Publisher};
use crate::connection::Connection;
use crate::sts::Sts;

impl Publisher {
    /// A connection that can read the site and nothing else.
    pub(super) async fn reading(&self, request: &PublishRequest, site: &Site) -> Result<Connection, PublishError> {
        let Some(role) = &site.role else { return Ok(self.connection.clone()) };
        let policy = PolicyDocument::planning(&role.partition(), &site.target, &site.objects).session(&site.target)?;
        Ok(Sts::new(&self.connection).session(&self.connection, role, &session(request, "plan"), &policy).await?)
    }

    /// A connection that can do what this plan says and nothing else. Called when no plugin is left.
    pub(super) async fn writing(
        &self,
        plan: &Plan,
        request: &PublishRequest,
        site: &Site,
    ) -> Result<Connection, PublishError> {
        let (Some(role), Some(document)) = (&site.role, self.writing_document(plan, request, site)) else {
            return Ok(self.connection.clone());
        };
        let policy = document.session(&site.target)?;
        Ok(Sts::new(&self.connection).session(&self.connection, role, &session(request, "publish"), &policy).await?)
    }

    /// Checks the session policy of a plan against the limits of STS, before anything is judged or written. How long a
    /// policy is once it is packed only STS knows, so it is asked about long ones: by a session with the same policy turned
    /// into a refusal, which can do nothing.
    pub(super) async fn check_writing(
        &self,
        plan: &Plan,
        request: &PublishRequest,
        site: &Site,
    ) -> Result<(), PublishError> {
        let (Some(role), Some(document)) = (&site.role, self.writing_document(plan, request, site)) else {
            return Ok(());
        };
        let policy = document.session(&site.target)?;
        if policy.len() >= PROBED_FROM {
            let powerless = document.as_denial().session(&site.target)?;
            Sts::new(&self.connection).assume(role, &session(request, "check"), &powerless).await?;
        }
        Ok(())
    }

    fn writing_document(&self, plan: &Plan, request: &PublishRequest, site: &Site) -> Option<PolicyDocument> {
        let role = site.role.as_ref()?;
        let aside = self.state(site).map(|state| state.bodies());
        let distributions: Vec<String> = site.cdn.iter().map(|cdn| cdn.arn(role)).collect();
        let tagged = site.cdn.iter().filter(|cdn| cdn.cache_tags.is_some());
        let tagged: Vec<String> = tagged.map(|cdn| cdn.arn(role)).collect();
        let staged = match &request.source {
            Source::Prefix(location) => Some(location),
            Source::Release(_) => aside.as_ref(),
            Source::Directory(_) | Source::Archive(_) | Source::Object(_) => None,
        };
        let places = SessionScope { staged, archive: aside.as_ref(), distributions: &distributions, tagged: &tagged };
        Some(PolicyDocument::writing(&role.partition(), plan, places)).filter(|document| !document.is_empty())
    }
}

fn session(request: &PublishRequest, purpose: &str) -> String {
    format!("tidegate-{purpose}-{}", request.site)
}
