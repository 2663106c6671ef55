//! Changes to whom a role trusts: its trust policy, and the OIDC provider that the policy names.

use serde::Serialize;
use serde_json::Value;

use super::{Change, RoleChange};
use crate::document::{Partition, PolicyDocument, PolicyDocumentError, statements};
use crate::policies::{Grant, TrustedIdentity};

/// Maximum session duration of a role for CI jobs, in seconds.
const JOB_SESSION: u32 = 3_600;

/// A change to an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
#[expect(missing_docs, reason = "the fields are named after the parameters of the AWS API")]
pub enum ProviderChange {
    /// Create a provider. Without a thumbprint, AWS verifies the issuer's certificate by its own authorities.
    CreateProvider { url: String, audience: String },
    /// Accept tokens for one more audience.
    AddAudience { arn: String, audience: String },
}

impl ProviderChange {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::CreateProvider { url, audience } => {
                format!("create the OIDC provider {url} for the audience `{audience}`")
            }
            Self::AddAudience { arn, audience } => format!("add the audience `{audience}` to {arn}"),
        }
    }
}

/// The change that makes the account accept the tokens of these jobs. `audiences` are those of the provider, where it
/// exists.
#[must_use]
pub fn ensure_provider(
    identity: &TrustedIdentity,
    partition: &Partition,
    account: &str,
    audiences: Option<&[String]>,
) -> Option<Change> {
    let audience = identity.audience(partition);
    match audiences {
        None => {
            let url = format!("https://{}", identity.issuer());
            Some(Change::Provider(ProviderChange::CreateProvider { url, audience }))
        }
        Some(known) if known.contains(&audience) => None,
        Some(_) => {
            let arn = identity.provider(partition, account);
            Some(Change::Provider(ProviderChange::AddAudience { arn, audience }))
        }
    }
}

/// Creates the role, or sets what it trusts of the same provider. Other principals are kept.
pub(super) fn ensure_trust(grant: &Grant, current: Option<&str>) -> Result<Option<Change>, PolicyDocumentError> {
    let Some(current) = current else {
        return Ok(Some(Change::Role(RoleChange::CreateRole {
            role: grant.name.clone(),
            path: grant.path.clone(),
            description: grant.description.to_owned(),
            trust: grant.document.compact()?,
            max_session_duration: Some(JOB_SESSION),
            owner: None,
        })));
    };
    let trust = merge_trust(current, &grant.document)?;
    Ok(trust.map(|trust| {
        Change::Role(RoleChange::SetTrust { role: grant.name.clone(), current: Some(current.to_owned()), trust })
    }))
}

/// The document `current` with the statements of `ours` in place of those that allow the same identity provider; `None` if
/// that changes nothing. All other statements are kept.
fn merge_trust(current: &str, ours: &PolicyDocument) -> Result<Option<String>, PolicyDocumentError> {
    let json_error = |error: serde_json::Error| PolicyDocumentError::Json(error.to_string());
    let mut policy: Value = serde_json::from_str(current).map_err(json_error)?;
    let ours = ours.value()?;
    let providers: Vec<&Value> =
        statements(&ours).iter().filter_map(|statement| statement.pointer("/Principal/Federated")).collect();
    let before = statements(&policy).to_vec();
    let mut merged: Vec<Value> =
        before.iter().filter_map(|statement| without_providers(statement, &providers)).collect();
    for statement in statements(&ours) {
        if !merged.iter().any(|known| without_sid(known) == without_sid(statement)) {
            let statement = with_unique_sid(statement, &merged);
            merged.push(statement);
        }
    }
    if merged.len() == before.len() && before.iter().all(|statement| merged.contains(statement)) {
        return Ok(None);
    }
    if let Some(members) = policy.as_object_mut() {
        members.insert("Statement".to_owned(), Value::Array(merged));
    }
    serde_json::to_string(&policy).map(Some).map_err(json_error)
}

fn without_sid(statement: &Value) -> Value {
    let mut statement = statement.clone();
    if let Some(members) = statement.as_object_mut() {
        members.remove("Sid");
    }
    statement
}

/// The statement with its `Sid`, and with a number after it if one of `others` has it: the statements of two providers
/// have the same.
fn with_unique_sid(statement: &Value, others: &[Value]) -> Value {
    let mut statement = statement.clone();
    let Some(sid) = statement.get("Sid").and_then(Value::as_str).map(str::to_owned) else { return statement };
    let is_taken = |sid: &str| others.iter().any(|other| other.get("Sid").and_then(Value::as_str) == Some(sid));
    let numbered = (2_u32..).map(|number| format!("{sid}{number}"));
    let free = std::iter::once(sid.clone()).chain(numbered).find(|sid| !is_taken(sid));
    if let (Some(members), Some(free)) = (statement.as_object_mut(), free) {
        members.insert("Sid".to_owned(), Value::String(free));
    }
    statement
}

/// A statement without these providers among whom it allows; `None` if it allows no other.
fn without_providers(statement: &Value, providers: &[&Value]) -> Option<Value> {
    let mut statement = statement.clone();
    if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
        return Some(statement);
    }
    let Some(principals) = statement.get_mut("Principal").and_then(Value::as_object_mut) else {
        return Some(statement);
    };
    let is_ours = match principals.get_mut("Federated") {
        Some(Value::Array(many)) => {
            many.retain(|provider| !providers.contains(&provider));
            many.is_empty()
        }
        Some(one) => providers.contains(&&*one),
        None => false,
    };
    if is_ours {
        principals.remove("Federated");
    }
    (!principals.is_empty()).then_some(statement)
}

/// The statements that a new document no longer has, and those that it has in addition, as lines with `-` and `+`.
pub(super) fn difference(current: &str, new: &str) -> Vec<String> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let (current, new) = (parse(current), parse(new));
    let only = |mark: char, these: &Value, others: &Value| -> Vec<String> {
        let these = statements(these).iter().filter(|statement| !statements(others).contains(statement));
        these.map(|statement| format!("{mark} {statement}")).collect()
    };
    let mut lines = only('-', &current, &new);
    lines.extend(only('+', &new, &current));
    lines
}
