//! OpenID Connect providers: the issuers whose tokens an account accepts.
//!
//! Source: IAM API Reference, `CreateOpenIDConnectProvider`; IAM User Guide, "IAM and AWS STS quotas".

use super::arn::ACCOUNT_ID;
use super::document::TrustPolicy;
use super::error::IamError;
use super::record::OpenIdProvider;
use super::state::IamState;

/// Most providers of an account.
const PROVIDERS: usize = 100;
/// Most audiences of a provider.
const AUDIENCES: usize = 100;

/// Issuers that many organizations share, and the claim that a trust policy must have a condition on. Source: IAM User
/// Guide, "Identity-provider controls for shared OIDC providers".
const SHARED: [(&str, &str); 8] = [
    ("token.actions.githubusercontent.com", "sub"),
    ("vstoken.actions.githubusercontent.com", "sub"),
    ("gitlab.com", "sub"),
    ("app.terraform.io", "sub"),
    ("agent.buildkite.com", "sub"),
    ("oidc.codefresh.io", "sub"),
    ("oidc.vercel.com", "aud"),
    ("api.pulumi.com/oidc", "aud"),
];

/// The ARN of the provider of an issuer, which is its URL without `https://`.
pub(super) fn provider_arn(issuer: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{issuer}")
}

impl IamState {
    /// Stores a new provider and returns its ARN.
    pub(super) fn create_provider(&mut self, provider: OpenIdProvider) -> Result<String, IamError> {
        if self.providers.len() >= PROVIDERS {
            return Err(IamError::LimitExceeded { quota: "OpenIdConnectProvidersPerAccount", limit: PROVIDERS });
        }
        check_audiences(&provider)?;
        let arn = provider_arn(&provider.issuer);
        self.providers.create(&arn, provider)?;
        Ok(arn)
    }

    /// Adds an audience, if the provider does not have it.
    pub(super) fn add_audience(&mut self, arn: &str, audience: String) -> Result<(), IamError> {
        self.providers.change(arn, |provider| {
            provider.audiences.insert(audience);
            check_audiences(provider)
        })
    }
}

fn check_audiences(provider: &OpenIdProvider) -> Result<(), IamError> {
    if provider.audiences.len() > AUDIENCES {
        return Err(IamError::LimitExceeded { quota: "ClientIdsPerOpenIdConnectProvider", limit: AUDIENCES });
    }
    Ok(())
}

/// Rejects a trust policy that trusts a shared issuer without a condition on the claim that says whose token it is.
pub(super) fn check_shared_issuers(trust: &TrustPolicy) -> Result<(), IamError> {
    for (issuer, claim) in SHARED {
        let end = format!(":oidc-provider/{issuer}");
        let key = format!("{issuer}:{claim}");
        if trust.allows_federated_without(|arn| arn.ends_with(&end), &key) {
            return Err(IamError::OpenIssuer(key));
        }
    }
    Ok(())
}
