//! Groups in the API.

use super::super::clock::iso8601;
use super::super::kind::Kind;
use super::super::record::Group;
use super::super::{IamError, arn};
use super::call::Call;
use super::target::Target;
use super::{Answer, user};
use crate::xml::Element;

pub(super) fn create(mut call: Call<'_>) -> Answer {
    let (name, path, now) = (call.new_name(Kind::Group)?, call.path()?, call.now());
    let iam = call.allow(&Target::new(Kind::Group, &path, &name))?;
    let group = Group::new(path, now).map_err(IamError::from)?;
    let made = described("Group", &name, &group);
    iam.change(|state| state.create_group(&name, group))?;
    Ok(vec![made])
}

/// A group and a page of its users.
pub(super) fn get(mut call: Call<'_>) -> Answer {
    let (name, page) = (call.name(Kind::Group)?, call.page()?);
    let target = Target::existing(call.iam(), Kind::Group, &name);
    let state = call.allow(&target)?.read();
    let group = described("Group", &name, state.groups.find(&name)?);
    let users = state.members(&name).map(|(name, user)| (name.clone(), user::plain("member", name, user)));
    Ok([group].into_iter().chain(page.of("Users", users)).collect())
}

pub(super) fn list(mut call: Call<'_>) -> Answer {
    let (prefix, page) = (call.path_prefix()?, call.page()?);
    let state = call.allow(&Target::list(Kind::Group, &prefix))?.read();
    let groups = state.groups.iter().filter(|(_, group)| group.path.as_str().starts_with(&prefix));
    Ok(page.of("Groups", groups.map(|(name, group)| (name.clone(), described("member", name, group)))))
}

pub(super) fn delete(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::Group)?;
    let target = Target::existing(call.iam(), Kind::Group, &name);
    call.allow(&target)?.change(|state| state.delete_group(&name))?;
    Ok(Vec::new())
}

pub(super) fn add_user(mut call: Call<'_>) -> Answer {
    let (group, user) = (call.name(Kind::Group)?, call.name(Kind::User)?);
    let target = Target::existing(call.iam(), Kind::Group, &group);
    call.allow(&target)?.change(|state| state.add_to_group(&user, &group))?;
    Ok(Vec::new())
}

pub(super) fn remove_user(mut call: Call<'_>) -> Answer {
    let (group, user) = (call.name(Kind::Group)?, call.name(Kind::User)?);
    let target = Target::existing(call.iam(), Kind::Group, &group);
    call.allow(&target)?.change(|state| state.remove_from_group(&user, &group))?;
    Ok(Vec::new())
}

pub(super) fn list_of_user(mut call: Call<'_>) -> Answer {
    let (user, page) = (call.name(Kind::User)?, call.page()?);
    let target = Target::existing(call.iam(), Kind::User, &user);
    let state = call.allow(&target)?.read();
    let names = &state.users.find(&user)?.groups;
    let groups = names.iter().filter_map(|name| Some((name, state.groups.get(name)?)));
    Ok(page.of("Groups", groups.map(|(name, group)| (name.clone(), described("member", name, group)))))
}

fn described(element: &'static str, name: &str, group: &Group) -> Element {
    Element::new(element)
        .with(Element::text("Path", &group.path))
        .with(Element::text("GroupName", name))
        .with(Element::text("GroupId", &group.id))
        .with(Element::text("Arn", &arn::entity(Kind::Group, &group.path, name)))
        .with(Element::text("CreateDate", &iso8601(group.created)))
}
