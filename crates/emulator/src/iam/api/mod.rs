//! IAM's API: actions, permissions and the format of answers.
//!
//! Source of actions, parameters and codes: IAM API Reference, version 2010-05-08. An unsupported parameter is
//! rejected, never ignored.

mod access_key;
mod account;
mod call;
mod element;
mod failure;
mod form;
mod group;
mod page;
mod permission;
mod policy;
mod provider;
mod role;
mod simulate;
mod target;
mod user;

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::caller::CallerIdentity;
use super::kind::EntityKind;
use super::service::IamService;
use super::signature::CredentialScope;
use crate::query::{QueryFailure, QueryProtocol};
use call::{ActionResult, IamCall};

const PROTOCOL: QueryProtocol = QueryProtocol {
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    version: "2010-05-08",
    scope: CredentialScope { service: "iam", region: Some("us-east-1") },
};

impl IamService {
    /// Answers one request.
    pub fn handle(&self, request: &Request<Bytes>) -> Response<Bytes> {
        PROTOCOL.handle(self, request, |caller, action, parameters| {
            let answer = action_named(action)?;
            // Source: STS API Reference, `GetSessionToken`: without MFA, no IAM operation can be called.
            if matches!(caller.identity, CallerIdentity::User { session: Some(_), .. }) {
                let message = "The security token included in the request is invalid";
                return Some(Err(QueryFailure::new(StatusCode::FORBIDDEN, "InvalidClientTokenId", message)));
            }
            Some(answer(IamCall::new(self, caller, action, parameters)))
        })
    }
}

/// The action with this name.
fn action_named(name: &str) -> Option<fn(IamCall<'_>) -> ActionResult> {
    let action: fn(IamCall<'_>) -> ActionResult = match name {
        "CreateUser" => user::create,
        "GetUser" => user::get,
        "ListUsers" => user::list,
        "DeleteUser" => user::delete,
        "PutUserPermissionsBoundary" => user::put_boundary,
        "DeleteUserPermissionsBoundary" => user::delete_boundary,

        "CreateAccessKey" => access_key::create,
        "ListAccessKeys" => access_key::list,
        "UpdateAccessKey" => access_key::update,
        "DeleteAccessKey" => access_key::delete,

        "CreateRole" => role::create,
        "GetRole" => role::get,
        "ListRoles" => role::list,
        "UpdateRole" => role::update,
        "UpdateAssumeRolePolicy" => role::set_trust,
        "DeleteRole" => role::delete,
        "TagRole" => role::tag,
        "ListRoleTags" => role::list_tags,
        "PutRolePermissionsBoundary" => role::put_boundary,
        "DeleteRolePermissionsBoundary" => role::delete_boundary,

        "CreateGroup" => group::create,
        "GetGroup" => group::get,
        "ListGroups" => group::list,
        "DeleteGroup" => group::delete,
        "AddUserToGroup" => group::add_user,
        "RemoveUserFromGroup" => group::remove_user,
        "ListGroupsForUser" => group::list_of_user,

        "PutUserPolicy" => |call| permission::put(call, EntityKind::User),
        "GetUserPolicy" => |call| permission::get(call, EntityKind::User),
        "ListUserPolicies" => |call| permission::list(call, EntityKind::User),
        "DeleteUserPolicy" => |call| permission::delete(call, EntityKind::User),
        "AttachUserPolicy" => |call| permission::attach(call, EntityKind::User),
        "DetachUserPolicy" => |call| permission::detach(call, EntityKind::User),
        "ListAttachedUserPolicies" => |call| permission::list_attached(call, EntityKind::User),
        "PutRolePolicy" => |call| permission::put(call, EntityKind::Role),
        "GetRolePolicy" => |call| permission::get(call, EntityKind::Role),
        "ListRolePolicies" => |call| permission::list(call, EntityKind::Role),
        "DeleteRolePolicy" => |call| permission::delete(call, EntityKind::Role),
        "AttachRolePolicy" => |call| permission::attach(call, EntityKind::Role),
        "DetachRolePolicy" => |call| permission::detach(call, EntityKind::Role),
        "ListAttachedRolePolicies" => |call| permission::list_attached(call, EntityKind::Role),
        "PutGroupPolicy" => |call| permission::put(call, EntityKind::Group),
        "GetGroupPolicy" => |call| permission::get(call, EntityKind::Group),
        "ListGroupPolicies" => |call| permission::list(call, EntityKind::Group),
        "DeleteGroupPolicy" => |call| permission::delete(call, EntityKind::Group),
        "AttachGroupPolicy" => |call| permission::attach(call, EntityKind::Group),
        "DetachGroupPolicy" => |call| permission::detach(call, EntityKind::Group),
        "ListAttachedGroupPolicies" => |call| permission::list_attached(call, EntityKind::Group),

        "CreatePolicy" => policy::create,
        "GetPolicy" => policy::get,
        "ListPolicies" => policy::list,
        "DeletePolicy" => policy::delete,
        "CreatePolicyVersion" => policy::create_version,
        "GetPolicyVersion" => policy::get_version,
        "ListPolicyVersions" => policy::list_versions,
        "SetDefaultPolicyVersion" => policy::set_default_version,
        "DeletePolicyVersion" => policy::delete_version,
        "ListEntitiesForPolicy" => policy::list_entities,

        "CreateOpenIDConnectProvider" => provider::create,
        "GetOpenIDConnectProvider" => provider::get,
        "ListOpenIDConnectProviders" => provider::list,
        "AddClientIDToOpenIDConnectProvider" => provider::add_audience,
        "DeleteOpenIDConnectProvider" => provider::delete,

        "GetAccountSummary" => account::summary,
        "SimulatePrincipalPolicy" => simulate::principal,
        _ => return None,
    };
    Some(action)
}
