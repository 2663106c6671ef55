//! Groups in the API.

use super::super::arn;
use super::super::clock::iso8601;
use super::super::error::IamError;
use super::super::kind::EntityKind;
use super::super::record::IamGroup;
use super::call::{ActionResult, IamCall};
use super::target::PolicyTarget;
use super::user;
use crate::xml::XmlElement;

pub(super) fn create(mut call: IamCall<'_>) -> ActionResult {
    let (name, path, now) = (call.new_name(EntityKind::Group)?, call.path()?, call.now());
    let iam = call.allow(&PolicyTarget::new(EntityKind::Group, &path, &name))?;
    let group = IamGroup::new(path, now).map_err(IamError::from)?;
    let element = element("Group", &name, &group);
    iam.change(|state| state.create_group(&name, group))?;
    Ok(vec![element])
}

/// A group and a page of its users.
pub(super) fn get(mut call: IamCall<'_>) -> ActionResult {
    let (name, page) = (call.name(EntityKind::Group)?, call.page()?);
    let target = PolicyTarget::existing(call.iam(), EntityKind::Group, &name);
    let state = call.allow(&target)?.read();
    let group = element("Group", &name, state.groups.find(&name)?);
    let users = state.members(&name).map(|(name, user)| (name.clone(), user::plain("member", name, user)));
    Ok([group].into_iter().chain(page.of("Users", users)).collect())
}

pub(super) fn list(mut call: IamCall<'_>) -> ActionResult {
    let (prefix, page) = (call.path_prefix()?, call.page()?);
    let state = call.allow(&PolicyTarget::list(EntityKind::Group, &prefix))?.read();
    let groups = state.groups.iter().filter(|(_, group)| group.path.as_str().starts_with(&prefix));
    Ok(page.of("Groups", groups.map(|(name, group)| (name.clone(), element("member", name, group)))))
}

pub(super) fn delete(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::Group)?;
    let target = PolicyTarget::existing(call.iam(), EntityKind::Group, &name);
    call.allow(&target)?.change(|state| state.delete_group(&name))?;
    Ok(Vec::new())
}

pub(super) fn add_user(mut call: IamCall<'_>) -> ActionResult {
    let (group, user) = (call.name(EntityKind::Group)?, call.name(EntityKind::User)?);
    let target = PolicyTarget::existing(call.iam(), EntityKind::Group, &group);
    call.allow(&target)?.change(|state| state.add_to_group(&user, &group))?;
    Ok(Vec::new())
}

pub(super) fn remove_user(mut call: IamCall<'_>) -> ActionResult {
    let (group, user) = (call.name(EntityKind::Group)?, call.name(EntityKind::User)?);
    let target = PolicyTarget::existing(call.iam(), EntityKind::Group, &group);
    call.allow(&target)?.change(|state| state.remove_from_group(&user, &group))?;
    Ok(Vec::new())
}

pub(super) fn list_of_user(mut call: IamCall<'_>) -> ActionResult {
    let (user, page) = (call.name(EntityKind::User)?, call.page()?);
    let target = PolicyTarget::existing(call.iam(), EntityKind::User, &user);
    let state = call.allow(&target)?.read();
    let names = &state.users.find(&user)?.groups;
    let groups = names.iter().filter_map(|name| Some((name, state.groups.get(name)?)));
    Ok(page.of("Groups", groups.map(|(name, group)| (name.clone(), element("member", name, group)))))
}

fn element(element: &'static str, name: &str, group: &IamGroup) -> XmlElement {
    XmlElement::new(element)
        .with(XmlElement::text("Path", &group.path))
        .with(XmlElement::text("GroupName", name))
        .with(XmlElement::text("GroupId", &group.id))
        .with(XmlElement::text("Arn", &arn::entity(EntityKind::Group, &group.path, name)))
        .with(XmlElement::text("CreateDate", &iso8601(group.created)))
}
