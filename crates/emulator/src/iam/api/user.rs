//! Users in the API.

use super::super::clock::iso8601;
use super::super::kind::Kind;
use super::super::record::User;
use super::super::{ACCOUNT_ID, CallerIdentity, Iam, arn};
use super::call::Call;
use super::target::Target;
use super::{Answer, element, form};
use crate::xml::Element;

pub(super) fn create(mut call: Call<'_>) -> Answer {
    let name = call.new_name(Kind::User)?;
    let mut user = User::new(call.now()).map_err(super::super::IamError::from)?;
    user.path = call.path()?;
    user.tags = call.tags()?;
    user.permissions.boundary = call.parameters.text("PermissionsBoundary", &form::ARN)?;
    let target = Target::new(Kind::User, &user.path, &name)
        .with_boundary(user.permissions.boundary.as_deref())
        .with_tags(&user.tags);
    let iam = call.allow_tagging(&target, "iam:TagUser", &user.tags)?;
    let made = described("User", &name, &user);
    iam.change(|state| state.create_user(&name, user))?;
    Ok(vec![made])
}

pub(super) fn get(mut call: Call<'_>) -> Answer {
    let name = match call.parameters.text(Kind::User.name_parameter(), &form::LONG_NAME)? {
        Some(name) => name,
        None if call.caller().identity == CallerIdentity::Root => {
            let iam = call.allow(&Target::root())?;
            return Ok(vec![root(iam)]);
        }
        None => call.user_or_caller()?,
    };
    let target = Target::existing(call.iam(), Kind::User, &name);
    let iam = call.allow(&target)?;
    Ok(vec![described("User", &name, iam.read().users.find(&name)?)])
}

pub(super) fn list(mut call: Call<'_>) -> Answer {
    let (prefix, page) = (call.path_prefix()?, call.page()?);
    let state = call.allow(&Target::list(Kind::User, &prefix))?.read();
    let users = state.users.iter().filter(|(_, user)| user.path.as_str().starts_with(&prefix));
    Ok(page.of("Users", users.map(|(name, user)| (name.clone(), plain("member", name, user)))))
}

pub(super) fn delete(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::User)?;
    let target = Target::existing(call.iam(), Kind::User, &name);
    call.allow(&target)?.change(|state| state.delete_user(&name))?;
    Ok(Vec::new())
}

pub(super) fn put_boundary(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::User)?;
    let boundary = call.parameters.required("PermissionsBoundary", &form::ARN)?;
    let target = Target::existing(call.iam(), Kind::User, &name).with_boundary(Some(&boundary));
    call.allow(&target)?.change(|state| state.set_user_boundary(&name, Some(&boundary)))?;
    Ok(Vec::new())
}

pub(super) fn delete_boundary(mut call: Call<'_>) -> Answer {
    let name = call.name(Kind::User)?;
    let target = Target::bounded(call.iam(), Kind::User, &name);
    call.allow(&target)?.change(|state| state.set_user_boundary(&name, None))?;
    Ok(Vec::new())
}

/// A user as lists show it.
pub(super) fn plain(element: &'static str, name: &str, user: &User) -> Element {
    Element::new(element)
        .with(Element::text("Path", &user.path))
        .with(Element::text("UserName", name))
        .with(Element::text("UserId", &user.id))
        .with(Element::text("Arn", &arn::entity(Kind::User, &user.path, name)))
        .with(Element::text("CreateDate", &iso8601(user.created)))
}

/// A user with everything about it.
fn described(element: &'static str, name: &str, user: &User) -> Element {
    plain(element, name, user)
        .with_each(element::boundary(user.permissions.boundary.as_deref()))
        .with_each(element::tags(&user.tags))
}

/// The account's root, which has no name; it is as old as its key.
fn root(iam: &Iam) -> Element {
    let state = iam.read();
    let created = state.keys.get(state.root_key_id()).map(|key| key.created).unwrap_or_default();
    Element::new("User")
        .with(Element::text("UserId", ACCOUNT_ID))
        .with(Element::text("Arn", &arn::root()))
        .with(Element::text("CreateDate", &iso8601(created)))
}
