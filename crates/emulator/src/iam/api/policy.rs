//! Managed policies in the API.

use super::super::clock::iso8601;
use super::super::error::IamError;
use super::super::kind::EntityKind;
use super::super::managed::{ManagedPolicy, PolicyVersion};
use super::super::policy::PolicyUsage;
use super::super::record::Policies;
use super::call::{ActionResult, IamCall};
use super::target::PolicyTarget;
use super::{element, form};
use crate::query::QueryFailure;
use crate::xml::XmlElement;

/// Whose policies to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PolicyScope {
    All,
    Aws,
    Local,
}

/// The kind of use of a policy to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PolicyUse {
    Permissions,
    Boundary,
}

pub(super) fn create(mut call: IamCall<'_>) -> ActionResult {
    let (name, path, document) = (call.policy_name()?, call.path()?, call.document()?);
    let description = call.parameters.text("Description", &form::DESCRIPTION)?;
    let mut policy = ManagedPolicy::new(&name, document, call.now()).map_err(IamError::from)?;
    policy.path = path;
    policy.description = description;
    let iam = call.allow(&PolicyTarget::new_policy(&policy.path, &name))?;
    let arn = iam.change(|state| state.create_policy(policy))?;
    let state = iam.read();
    Ok(vec![plain("Policy", &arn, state.find_policy(&arn)?, state.usage(&arn))])
}

pub(super) fn get(mut call: IamCall<'_>) -> ActionResult {
    let arn = call.policy_arn()?;
    let state = call.allow(&PolicyTarget::policy(&arn))?.read();
    let policy = state.find_policy(&arn)?;
    let description = policy.description.as_ref().map(|text| XmlElement::text("Description", text));
    Ok(vec![plain("Policy", &arn, policy, state.usage(&arn)).with_each(description)])
}

pub(super) fn list(mut call: IamCall<'_>) -> ActionResult {
    let (prefix, page) = (call.path_prefix()?, call.page()?);
    let scopes = [("All", PolicyScope::All), ("AWS", PolicyScope::Aws), ("Local", PolicyScope::Local)];
    let scope = call.parameters.choice("Scope", &scopes)?.unwrap_or(PolicyScope::All);
    let only_attached = call.parameters.boolean("OnlyAttached")?.unwrap_or(false);
    let uses = [("PermissionsPolicy", PolicyUse::Permissions), ("PermissionsBoundary", PolicyUse::Boundary)];
    let usage_filter = call.parameters.choice("PolicyUsageFilter", &uses)?;
    let state = call.allow(&PolicyTarget::list_policies(&prefix))?.read();
    let own = state.policies.iter().filter(|_| scope != PolicyScope::Aws);
    let aws = state.aws_policies.iter().filter(|_| scope != PolicyScope::Local);
    let policies = own
        .chain(aws)
        .filter(|(_, policy)| policy.path.as_str().starts_with(&prefix))
        .map(|(arn, policy)| (arn, policy, state.usage(arn)))
        .filter(|(_, _, usage)| match usage_filter {
            Some(PolicyUse::Permissions) => usage.attachments > 0,
            Some(PolicyUse::Boundary) => usage.boundaries > 0,
            None => !only_attached || usage.attachments > 0,
        });
    // Digits sort before letters, so the account's policies come before those of `aws`.
    Ok(page.of("Policies", policies.map(|(arn, policy, usage)| (arn.clone(), plain("member", arn, policy, usage)))))
}

pub(super) fn delete(mut call: IamCall<'_>) -> ActionResult {
    let arn = call.policy_arn()?;
    call.allow(&PolicyTarget::policy(&arn))?.change(|state| state.delete_policy(&arn))?;
    Ok(Vec::new())
}

pub(super) fn create_version(mut call: IamCall<'_>) -> ActionResult {
    let (arn, document, now) = (call.policy_arn()?, call.document()?, call.now());
    let set_as_default = call.parameters.boolean("SetAsDefault")?.unwrap_or(false);
    let iam = call.allow(&PolicyTarget::policy(&arn))?;
    let version = iam.change(|state| state.create_policy_version(&arn, document, now, set_as_default))?;
    Ok(vec![version_element("PolicyVersion", &version, set_as_default)])
}

pub(super) fn get_version(mut call: IamCall<'_>) -> ActionResult {
    let (arn, id) = (call.policy_arn()?, version_id(&mut call)?);
    let state = call.allow(&PolicyTarget::policy(&arn))?.read();
    let policy = state.find_policy(&arn)?;
    let version = policy.version(&id)?;
    let document = element::document("Document", &version.document.text);
    Ok(vec![version_element("PolicyVersion", version, policy.default.id() == id).with(document)])
}

pub(super) fn list_versions(mut call: IamCall<'_>) -> ActionResult {
    let (arn, page) = (call.policy_arn()?, call.page()?);
    let state = call.allow(&PolicyTarget::policy(&arn))?.read();
    let policy = state.find_policy(&arn)?;
    let versions = policy.versions().into_iter().enumerate().map(|(index, version)| {
        // There are at most five, so one digit sorts them.
        (index.to_string(), version_element("member", version, policy.default.id() == version.id()))
    });
    Ok(page.of("Versions", versions))
}

pub(super) fn set_default_version(mut call: IamCall<'_>) -> ActionResult {
    let (arn, id) = (call.policy_arn()?, version_id(&mut call)?);
    call.allow(&PolicyTarget::policy(&arn))?.change(|state| state.set_default_policy_version(&arn, &id))?;
    Ok(Vec::new())
}

pub(super) fn delete_version(mut call: IamCall<'_>) -> ActionResult {
    let (arn, id) = (call.policy_arn()?, version_id(&mut call)?);
    call.allow(&PolicyTarget::policy(&arn))?.change(|state| state.delete_policy_version(&arn, &id))?;
    Ok(Vec::new())
}

/// The users, roles and groups that a policy is attached to, in one page.
pub(super) fn list_entities(mut call: IamCall<'_>) -> ActionResult {
    let arn = call.policy_arn()?;
    let state = call.allow(&PolicyTarget::policy(&arn))?.read();
    state.find_policy(&arn)?;
    let has = |policies: &Policies| policies.attached.contains(&arn);
    let member =
        |kind: EntityKind, name: &str| XmlElement::new("member").with(XmlElement::text(kind.name_parameter(), name));
    let users = state.users.iter().filter(|(_, user)| has(&user.permissions.policies));
    let roles = state.roles.iter().filter(|(_, role)| has(&role.permissions.policies));
    let groups = state.groups.iter().filter(|(_, group)| has(&group.policies));
    let users = users.map(|(name, _)| member(EntityKind::User, name));
    let roles = roles.map(|(name, _)| member(EntityKind::Role, name));
    let groups = groups.map(|(name, _)| member(EntityKind::Group, name));
    Ok(vec![
        XmlElement::new("PolicyGroups").with_each(groups),
        XmlElement::new("PolicyUsers").with_each(users),
        XmlElement::new("PolicyRoles").with_each(roles),
        XmlElement::text("IsTruncated", &false),
    ])
}

fn version_id(call: &mut IamCall<'_>) -> Result<String, QueryFailure> {
    call.parameters.required("VersionId", &form::VERSION_ID)
}

/// A policy as lists show it.
fn plain(element: &'static str, arn: &str, policy: &ManagedPolicy, usage: PolicyUsage) -> XmlElement {
    XmlElement::new(element)
        .with(XmlElement::text("PolicyName", &policy.name))
        .with(XmlElement::text("PolicyId", &policy.id))
        .with(XmlElement::text("Arn", arn))
        .with(XmlElement::text("Path", &policy.path))
        .with(XmlElement::text("DefaultVersionId", &policy.default.id()))
        .with(XmlElement::text("AttachmentCount", &usage.attachments))
        .with(XmlElement::text("PermissionsBoundaryUsageCount", &usage.boundaries))
        .with(XmlElement::text("IsAttachable", &true))
        .with(XmlElement::text("CreateDate", &iso8601(policy.created)))
        .with(XmlElement::text("UpdateDate", &iso8601(policy.updated())))
}

/// A version without its document.
fn version_element(element: &'static str, version: &PolicyVersion, is_default: bool) -> XmlElement {
    XmlElement::new(element)
        .with(XmlElement::text("VersionId", &version.id()))
        .with(XmlElement::text("IsDefaultVersion", &is_default))
        .with(XmlElement::text("CreateDate", &iso8601(version.created)))
}
