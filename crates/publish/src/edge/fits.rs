//! Whether a distribution can have the edge of a site.

use tidegate_core::config::DistributionId;

use super::error::EdgeError;
use super::found::FoundEdge;
use super::spec::EdgeSpec;
use crate::cloudfront::{EdgeDistribution, OriginKind, ViewerEvent};

/// The account in an ARN.
fn account(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

impl EdgeDistribution {
    /// The ARN of a function in its account.
    pub(super) fn function_arn(&self, name: &str) -> String {
        let partition = self.arn.split(':').nth(1).unwrap_or("aws");
        format!("arn:{partition}:cloudfront::{}:function/{name}", account(&self.arn))
    }
}

/// Everything about a distribution that the edge cannot live with.
pub(super) fn obstacles(spec: &EdgeSpec, found: &FoundEdge, id: &DistributionId, path: &str) -> Vec<EdgeError> {
    let Some(distribution) = found.distributions.get(id) else { return Vec::new() };
    let origin = &distribution.origin;
    let mut obstacles = Vec::new();
    match origin.kind {
        OriginKind::Private => {}
        OriginKind::Public => obstacles.push(EdgeError::Public(id.clone(), origin.domain.clone())),
        OriginKind::Website => obstacles.push(EdgeError::Website(id.clone(), origin.domain.clone())),
        OriginKind::Other => obstacles.push(EdgeError::OtherOrigin(id.clone(), origin.domain.clone())),
    }
    if matches!(origin.kind, OriginKind::Private | OriginKind::Public) && origin.path != path {
        let (found, configured) = (origin.path.clone(), path.to_owned());
        obstacles.push(EdgeError::OriginPath { id: id.clone(), found, configured });
    }
    let own = distribution.function_arn(&spec.name);
    for event in ViewerEvent::ALL {
        if let Some(function) = distribution.functions.get(&event).filter(|function| **function != own) {
            let (event, function) = (event.as_str(), function.clone());
            obstacles.push(EdgeError::OtherFunction { id: id.clone(), event, function });
        }
    }
    if let Some(lambda) = distribution.viewer_lambdas.first() {
        obstacles.push(EdgeError::ViewerLambda(id.clone(), lambda.clone()));
    }
    let store = spec.store.as_ref().filter(|store| store.account() != account(&distribution.arn));
    if let Some(store) = store {
        obstacles.push(EdgeError::Account { id: id.clone(), store: store.as_str().to_owned() });
    }
    obstacles
}

/// Resources of others that have the name of the edge. A store may be anyone's if the configuration names it.
pub(super) fn unmanaged(spec: &EdgeSpec, found: &FoundEdge) -> Vec<EdgeError> {
    let comment = spec.comment();
    let configured = spec.store.as_ref().map(|arn| arn.as_str());
    let store = found.store.as_ref().filter(|store| configured != Some(&store.arn)).map(|store| &store.comment);
    let function = found.development.as_ref().map(|found| &found.function.comment);
    let policy = found.headers_policy.as_ref().map(|policy| &policy.comment);
    [("key value store", store), ("function", function), ("response headers policy", policy)]
        .into_iter()
        .filter(|(_, found)| found.is_some_and(|found| *found != comment))
        .map(|(kind, _)| EdgeError::Unmanaged { kind, name: spec.name.clone() })
        .collect()
}
