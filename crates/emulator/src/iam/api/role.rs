//! Roles in the API.

use super::super::clock::iso8601;
use super::super::error::IamError;
use super::super::kind::EntityKind;
use super::super::quota::DEFAULT_SESSION_DURATION;
use super::super::record::IamRole;
use super::super::{arn, quota};
use super::call::{ActionResult, IamCall};
use super::target::PolicyTarget;
use super::{element, form};
use crate::query::QueryFailure;
use crate::xml::XmlElement;

pub(super) fn create(mut call: IamCall<'_>) -> ActionResult {
    let name = call.new_name(EntityKind::Role)?;
    let trust = call.trust("AssumeRolePolicyDocument")?;
    let mut role = IamRole::new(trust, call.now()).map_err(IamError::from)?;
    role.path = call.path()?;
    role.tags = call.tags()?;
    role.description = call.parameters.text("Description", &form::DESCRIPTION)?;
    role.longest_session = longest_session(&mut call)?.unwrap_or(DEFAULT_SESSION_DURATION);
    role.permissions.boundary = call.parameters.text("PermissionsBoundary", &form::ARN)?;
    let target = PolicyTarget::new(EntityKind::Role, &role.path, &name)
        .with_boundary(role.permissions.boundary.as_deref())
        .with_tags(&role.tags);
    let iam = call.allow_tagging(&target, "iam:TagRole", &role.tags)?;
    let element = detailed("Role", &name, &role);
    iam.change(|state| state.create_role(&name, role))?;
    Ok(vec![element])
}

pub(super) fn get(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::Role)?;
    let target = PolicyTarget::existing(call.iam(), EntityKind::Role, &name);
    let iam = call.allow(&target)?;
    Ok(vec![detailed("Role", &name, iam.read().roles.find(&name)?)])
}

pub(super) fn list(mut call: IamCall<'_>) -> ActionResult {
    let (prefix, page) = (call.path_prefix()?, call.page()?);
    let state = call.allow(&PolicyTarget::list(EntityKind::Role, &prefix))?.read();
    let roles = state.roles.iter().filter(|(_, role)| role.path.as_str().starts_with(&prefix));
    Ok(page.of("Roles", roles.map(|(name, role)| (name.clone(), plain("member", name, role)))))
}

/// Without a maximum session duration, the role gets the default, as the API Reference says. Without a description, it
/// keeps its own.
pub(super) fn update(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::Role)?;
    let description = call.parameters.text("Description", &form::DESCRIPTION)?;
    let seconds = longest_session(&mut call)?.unwrap_or(DEFAULT_SESSION_DURATION);
    let target = PolicyTarget::existing(call.iam(), EntityKind::Role, &name);
    call.allow(&target)?.change(|state| {
        state.roles.change(&name, |role| {
            role.longest_session = seconds;
            role.description = description.or(role.description.take());
            Ok(())
        })
    })?;
    Ok(vec![])
}

pub(super) fn set_trust(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::Role)?;
    let trust = call.trust("PolicyDocument")?;
    let target = PolicyTarget::existing(call.iam(), EntityKind::Role, &name);
    call.allow(&target)?.change(|state| state.set_trust(&name, trust))?;
    Ok(Vec::new())
}

pub(super) fn delete(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::Role)?;
    let target = PolicyTarget::existing(call.iam(), EntityKind::Role, &name);
    call.allow(&target)?.change(|state| state.delete_role(&name))?;
    Ok(Vec::new())
}

pub(super) fn tag(mut call: IamCall<'_>) -> ActionResult {
    let (name, tags) = (call.name(EntityKind::Role)?, call.tags()?);
    if tags.is_empty() {
        return Err(QueryFailure::missing("Tags"));
    }
    let target = PolicyTarget::existing(call.iam(), EntityKind::Role, &name).with_tags(&tags);
    call.allow(&target)?.change(|state| state.tag_role(&name, tags))?;
    Ok(Vec::new())
}

pub(super) fn list_tags(mut call: IamCall<'_>) -> ActionResult {
    let (name, page) = (call.name(EntityKind::Role)?, call.page()?);
    let target = PolicyTarget::existing(call.iam(), EntityKind::Role, &name);
    let state = call.allow(&target)?.read();
    let tags = &state.roles.find(&name)?.tags;
    Ok(page.of("Tags", tags.iter().map(|(key, value)| (key.clone(), element::tag(key, value)))))
}

pub(super) fn put_boundary(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::Role)?;
    let boundary = call.parameters.required("PermissionsBoundary", &form::ARN)?;
    let target = PolicyTarget::existing(call.iam(), EntityKind::Role, &name).with_boundary(Some(&boundary));
    call.allow(&target)?.change(|state| state.set_role_boundary(&name, Some(&boundary)))?;
    Ok(Vec::new())
}

pub(super) fn delete_boundary(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::Role)?;
    let target = PolicyTarget::bounded(call.iam(), EntityKind::Role, &name);
    call.allow(&target)?.change(|state| state.set_role_boundary(&name, None))?;
    Ok(Vec::new())
}

fn longest_session(call: &mut IamCall<'_>) -> Result<Option<u32>, QueryFailure> {
    call.parameters.number("MaxSessionDuration", quota::SESSION_DURATIONS)
}

/// A role as lists show it.
fn plain(element: &'static str, name: &str, role: &IamRole) -> XmlElement {
    let description = role.description.as_ref().map(|text| XmlElement::text("Description", text));
    XmlElement::new(element)
        .with(XmlElement::text("Path", &role.path))
        .with(XmlElement::text("RoleName", name))
        .with(XmlElement::text("RoleId", &role.id))
        .with(XmlElement::text("Arn", &arn::entity(EntityKind::Role, &role.path, name)))
        .with(XmlElement::text("CreateDate", &iso8601(role.created)))
        .with(element::document("AssumeRolePolicyDocument", &role.trust.text))
        .with_each(description)
        .with(XmlElement::text("MaxSessionDuration", &role.longest_session))
}

/// A role with all details.
fn detailed(element: &'static str, name: &str, role: &IamRole) -> XmlElement {
    plain(element, name, role)
        .with_each(element::boundary(role.permissions.boundary.as_deref()))
        .with_each(element::tags(&role.tags))
}
