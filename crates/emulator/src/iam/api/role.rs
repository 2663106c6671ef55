//! Roles in the API.

use super::super::clock::iso8601;
use super::super::kind::Kind;
use super::super::quota::DEFAULT_LONGEST_SESSION;
use super::super::record::Role;
use super::super::{IamError, arn, quota};
use super::call::Call;
use super::target::Target;
use super::{Answer, element, form};
use crate::query::Failure;
use crate::xml::Element;

pub(super) fn create(mut call: Call<'_>) -> Answer {
    let name = call.new_name(Kind::Role)?;
    let trust = call.trust("AssumeRolePolicyDocument")?;
    let mut role = Role::new(trust, call.now()).map_err(IamError::from)?;
    role.path = call.path()?;
    role.tags = call.tags()?;
    role.description = call.parameters.text("Description", &form::DESCRIPTION)?;
    role.longest_session = longest_session(&mut call)?.unwrap_or(DEFAULT_LONGEST_SESSION);
    role.permissions.boundary = call.parameters.text("PermissionsBoundary", &form::ARN)?;
    let target = Target::new(Kind::Role, &role.path, &name)
        .with_boundary(role.permissions.boundary.as_deref())
        .with_tags(&role.tags);
    let iam = call.allow_tagging(&target, "iam:TagRole", &role.tags)?;
    let made = described("Role", &name, &role);
    iam.change(|state| state.create_role(&name, role))?;
    Ok(vec![made])
}

pub(super) fn get(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::Role)?;
    let target = Target::existing(call.iam(), Kind::Role, &name);
    let iam = call.allow(&target)?;
    Ok(vec![described("Role", &name, iam.read().roles.find(&name)?)])
}

pub(super) fn list(mut call: Call<'_>) -> Answer {
    let (prefix, page) = (call.path_prefix()?, call.page()?);
    let state = call.allow(&Target::list(Kind::Role, &prefix))?.read();
    let roles = state.roles.iter().filter(|(_, role)| role.path.as_str().starts_with(&prefix));
    Ok(page.of("Roles", roles.map(|(name, role)| (name.clone(), plain("member", name, role)))))
}

/// Without a longest session, the role gets the default one, as the API Reference says; without a
/// description, it keeps its own.
pub(super) fn update(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::Role)?;
    let description = call.parameters.text("Description", &form::DESCRIPTION)?;
    let seconds = longest_session(&mut call)?.unwrap_or(DEFAULT_LONGEST_SESSION);
    let target = Target::existing(call.iam(), Kind::Role, &name);
    call.allow(&target)?.change(|state| {
        state.roles.change(&name, |role| {
            role.longest_session = seconds;
            role.description = description.or(role.description.take());
            Ok(())
        })
    })?;
    Ok(vec![])
}

pub(super) fn set_trust(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::Role)?;
    let trust = call.trust("PolicyDocument")?;
    let target = Target::existing(call.iam(), Kind::Role, &name);
    call.allow(&target)?.change(|state| state.set_trust(&name, trust))?;
    Ok(Vec::new())
}

pub(super) fn delete(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::Role)?;
    let target = Target::existing(call.iam(), Kind::Role, &name);
    call.allow(&target)?.change(|state| state.delete_role(&name))?;
    Ok(Vec::new())
}

pub(super) fn tag(mut call: Call<'_>) -> Answer {
    let (name, tags) = (call.name(Kind::Role)?, call.tags()?);
    if tags.is_empty() {
        return Err(Failure::missing("Tags"));
    }
    let target = Target::existing(call.iam(), Kind::Role, &name).with_tags(&tags);
    call.allow(&target)?.change(|state| state.tag_role(&name, tags))?;
    Ok(Vec::new())
}

pub(super) fn list_tags(mut call: Call<'_>) -> Answer {
    let (name, page) = (call.name(Kind::Role)?, call.page()?);
    let target = Target::existing(call.iam(), Kind::Role, &name);
    let state = call.allow(&target)?.read();
    let tags = &state.roles.find(&name)?.tags;
    Ok(page.of("Tags", tags.iter().map(|(key, value)| (key.clone(), element::tag(key, value)))))
}

pub(super) fn put_boundary(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::Role)?;
    let boundary = call.parameters.required("PermissionsBoundary", &form::ARN)?;
    let target = Target::existing(call.iam(), Kind::Role, &name).with_boundary(Some(&boundary));
    call.allow(&target)?.change(|state| state.set_role_boundary(&name, Some(&boundary)))?;
    Ok(Vec::new())
}

pub(super) fn delete_boundary(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::Role)?;
    let target = Target::bounded(call.iam(), Kind::Role, &name);
    call.allow(&target)?.change(|state| state.set_role_boundary(&name, None))?;
    Ok(Vec::new())
}

fn longest_session(call: &mut Call<'_>) -> Result<Option<u32>, Failure> {
    call.parameters.number("MaxSessionDuration", quota::LONGEST_SESSIONS)
}

/// A role as lists show it.
fn plain(element: &'static str, name: &str, role: &Role) -> Element {
    let description = role.description.as_ref().map(|text| Element::text("Description", text));
    Element::new(element)
        .with(Element::text("Path", &role.path))
        .with(Element::text("RoleName", name))
        .with(Element::text("RoleId", &role.id))
        .with(Element::text("Arn", &arn::entity(Kind::Role, &role.path, name)))
        .with(Element::text("CreateDate", &iso8601(role.created)))
        .with(element::document("AssumeRolePolicyDocument", &role.trust.text))
        .with_each(description)
        .with(Element::text("MaxSessionDuration", &role.longest_session))
}

/// A role with everything about it.
fn described(element: &'static str, name: &str, role: &Role) -> Element {
    plain(element, name, role)
        .with_each(element::boundary(role.permissions.boundary.as_deref()))
        .with_each(element::tags(&role.tags))
}
