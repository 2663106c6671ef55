//! Identity providers: what a `Federated` principal names, and the claims that IAM demands a condition on.

/// What the principal of a statement is, as far as it decides which actions fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FederatedProvider<'a> {
    /// An OpenID Connect provider, by the URL without `https://`.
    OpenId(&'a str),
    /// A SAML provider.
    Saml,
}

/// Providers that every account has, and that are named without an ARN. Source: IAM user guide, "AWS JSON policy elements:
/// Principal", web identity principals.
const BUILT_IN: [&str; 4] =
    ["cognito-identity.amazonaws.com", "www.amazon.com", "graph.facebook.com", "accounts.google.com"];

/// Providers that many organizations share, and the key that says whose token it is. IAM refuses to create or change a
/// trust policy without a condition on it. Source: IAM user guide, "Identity-provider controls for shared OIDC providers".
const SHARED: [(&str, &str); 16] = [
    ("token.actions.githubusercontent.com", "sub"),
    ("vstoken.actions.githubusercontent.com", "sub"),
    ("oidc-configuration.audit-log.githubusercontent.com", "sub"),
    ("gitlab.com", "sub"),
    ("app.terraform.io", "sub"),
    ("agent.buildkite.com", "sub"),
    ("oidc.codefresh.io", "sub"),
    ("studio.datachain.ai/api", "sub"),
    ("scalr.io", "sub"),
    ("tokens.cloud.shisho.dev", "sub"),
    ("proidc.upbound.io", "sub"),
    ("oidc.op1.openshiftapps.com/2f785sojlpb85i7402pk3qogugim5nfb", "sub"),
    ("oidc.vercel.com", "aud"),
    ("api.pulumi.com/oidc", "aud"),
    ("sandboxes.cloud", "aud"),
    ("cognito-identity.amazonaws.com", "aud"),
];

/// The provider that a `Federated` principal names; `None` if it names none.
pub(super) fn provider_of(principal: &str) -> Option<FederatedProvider<'_>> {
    if BUILT_IN.contains(&principal) {
        return Some(FederatedProvider::OpenId(principal));
    }
    let mut parts = principal.splitn(6, ':');
    let is_iam = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some("iam")
        && parts.next() == Some("");
    let account = parts.next().unwrap_or_default();
    if !is_iam || !is_account(account) || principal.contains(['*', '?']) {
        return None;
    }
    let (kind, name) = parts.next()?.split_once('/')?;
    match kind {
        "oidc-provider" if !name.is_empty() && !name.contains("://") => Some(FederatedProvider::OpenId(name)),
        "saml-provider" if !name.is_empty() => Some(FederatedProvider::Saml),
        _ => None,
    }
}

/// Whether the text is an account id, or the variable of a template for one, such as `${AWS::AccountId}`.
pub(super) fn is_account(text: &str) -> bool {
    (text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())) || text.starts_with("${")
}

/// The claim that IAM demands a condition on.
pub(super) fn demanded_claim(host: &str) -> Option<&'static str> {
    SHARED.iter().find(|(known, _)| known.eq_ignore_ascii_case(host)).map(|(_, claim)| *claim)
}

/// Whether the provider is GitHub's, shared by all organizations, whose new repositories have immutable subjects. An
/// enterprise can have an issuer of its own below it.
pub(super) fn is_github(host: &str) -> bool {
    let name = host.split('/').next().unwrap_or(host);
    name.eq_ignore_ascii_case("token.actions.githubusercontent.com")
}

/// The claim whose values are the audience: Facebook and Amazon have an id of the application.
pub(super) fn audience_claim(host: &str) -> &'static str {
    if matches!(host, "graph.facebook.com" | "www.amazon.com") { "app_id" } else { "aud" }
}

/// Whether tokens of the provider are for people who sign in, so that an audience selects the application and no subject is
/// expected.
pub(super) fn is_for_people(host: &str) -> bool {
    BUILT_IN.contains(&host)
}
