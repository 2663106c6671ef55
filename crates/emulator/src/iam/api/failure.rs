//! Translates errors into AWS's codes and messages.
//!
//! Source: the errors of each action in the IAM API Reference; messages as the service sends them.

use http::StatusCode;

use super::super::error::{IamError, Obstacle};
use crate::query::QueryFailure;

impl From<IamError> for QueryFailure {
    fn from(error: IamError) -> Self {
        let (status, code) = match &error {
            IamError::NoSuchEntity { .. } => (StatusCode::NOT_FOUND, "NoSuchEntity"),
            IamError::EntityAlreadyExists { .. } => (StatusCode::CONFLICT, "EntityAlreadyExists"),
            IamError::DeleteConflict { .. } => (StatusCode::CONFLICT, "DeleteConflict"),
            IamError::LimitExceeded { .. } | IamError::TooLarge { .. } => (StatusCode::CONFLICT, "LimitExceeded"),
            IamError::Document(_) | IamError::UnknownPrincipal(_) | IamError::OpenIssuer(_) => {
                (StatusCode::BAD_REQUEST, "MalformedPolicyDocument")
            }
            IamError::PolicyArn(_) => (StatusCode::BAD_REQUEST, "InvalidInput"),
            IamError::Name(_) | IamError::Path(_) | IamError::SessionDuration(_) => {
                (StatusCode::BAD_REQUEST, "ValidationError")
            }
            IamError::AwsManaged(_) => (StatusCode::FORBIDDEN, "AccessDenied"),
            IamError::Storage(_) | IamError::Random(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceFailure"),
        };
        Self::new(status, code, message(error))
    }
}

fn message(error: IamError) -> String {
    match error {
        IamError::NoSuchEntity { kind: "policy", name } => format!("Policy {name} was not found."),
        IamError::NoSuchEntity { kind: "policy version", name } => {
            format!("Policy version {name} does not exist or is not attachable.")
        }
        IamError::NoSuchEntity { kind: "access key", name } => {
            format!("The Access Key with id {name} cannot be found.")
        }
        IamError::NoSuchEntity { kind: "permissions boundary", name } => {
            format!("{name} does not have a permissions boundary.")
        }
        IamError::NoSuchEntity { kind: "OIDC provider", name } => {
            format!("OpenIDConnect Provider not found for arn {name}")
        }
        IamError::NoSuchEntity { kind, name } => format!("The {kind} with name {name} cannot be found."),
        IamError::EntityAlreadyExists { kind: "policy", name } => {
            format!("A policy called {name} already exists. Duplicate names are not allowed.")
        }
        IamError::EntityAlreadyExists { kind: "OIDC provider", name } => {
            let issuer = name.split_once(":oidc-provider/").map_or(name.as_str(), |(_, issuer)| issuer);
            format!("Provider with url https://{issuer} already exists.")
        }
        IamError::EntityAlreadyExists { kind, name } => {
            let mut kind = kind.to_owned();
            if let Some(first) = kind.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            format!("{kind} with name {name} already exists.")
        }
        IamError::DeleteConflict { obstacle, .. } => conflict(obstacle).to_owned(),
        IamError::LimitExceeded { quota, limit } => format!("Cannot exceed quota for {quota}: {limit}"),
        IamError::TooLarge { kind: "managed policy", limit, .. } => {
            format!("Cannot exceed quota for PolicySize: {limit}")
        }
        IamError::TooLarge { kind: "trust policy", limit, .. } => {
            format!("Cannot exceed quota for ACLSizePerRole: {limit}")
        }
        IamError::TooLarge { kind, name, limit, .. } => {
            let owner = kind.strip_suffix(" policy").unwrap_or(kind);
            format!("Maximum policy size of {limit} bytes exceeded for {owner} {name}")
        }
        IamError::UnknownPrincipal(name) => format!("Invalid principal in policy: \"AWS\":\"{name}\""),
        IamError::PolicyArn(arn) => format!("ARN {arn} is not valid."),
        IamError::AwsManaged(arn) => format!("Policy {arn} is managed by AWS and can't be changed."),
        other => other.to_string(),
    }
}

fn conflict(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::AccessKeys => "Cannot delete entity, must delete access keys first.",
        Obstacle::InlinePolicies => "Cannot delete entity, must delete policies first.",
        Obstacle::AttachedPolicies => "Cannot delete entity, must detach all policies first.",
        Obstacle::Membership => "Cannot delete entity, must remove users from group first.",
        Obstacle::Attachments => "Cannot delete a policy attached to entities.",
        Obstacle::Versions => {
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. \
             The default version is deleted with the policy."
        }
        Obstacle::DefaultVersion => "Cannot delete the default version of a policy.",
    }
}
