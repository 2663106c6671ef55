//! Users in the API.

use super::super::arn;
use super::super::arn::ACCOUNT_ID;
use super::super::caller::CallerIdentity;
use super::super::clock::iso8601;
use super::super::error::IamError;
use super::super::kind::EntityKind;
use super::super::record::IamUser;
use super::super::service::IamService;
use super::call::{ActionResult, IamCall};
use super::target::PolicyTarget;
use super::{element, form};
use crate::xml::XmlElement;

pub(super) fn create(mut call: IamCall<'_>) -> ActionResult {
    let name = call.new_name(EntityKind::User)?;
    let mut user = IamUser::new(call.now()).map_err(IamError::from)?;
    user.path = call.path()?;
    user.tags = call.tags()?;
    user.permissions.boundary = call.parameters.text("PermissionsBoundary", &form::ARN)?;
    let target = PolicyTarget::new(EntityKind::User, &user.path, &name)
        .with_boundary(user.permissions.boundary.as_deref())
        .with_tags(&user.tags);
    let iam = call.allow_tagging(&target, "iam:TagUser", &user.tags)?;
    let element = detailed("User", &name, &user);
    iam.change(|state| state.create_user(&name, user))?;
    Ok(vec![element])
}

pub(super) fn get(mut call: IamCall<'_>) -> ActionResult {
    let name = match call.parameters.text(EntityKind::User.name_parameter(), &form::LONG_NAME)? {
        Some(name) => name,
        None if call.caller().identity == CallerIdentity::Root => {
            let iam = call.allow(&PolicyTarget::root())?;
            return Ok(vec![root(iam)]);
        }
        None => call.user_or_caller()?,
    };
    let target = PolicyTarget::existing(call.iam(), EntityKind::User, &name);
    let iam = call.allow(&target)?;
    Ok(vec![detailed("User", &name, iam.read().users.find(&name)?)])
}

pub(super) fn list(mut call: IamCall<'_>) -> ActionResult {
    let (prefix, page) = (call.path_prefix()?, call.page()?);
    let state = call.allow(&PolicyTarget::list(EntityKind::User, &prefix))?.read();
    let users = state.users.iter().filter(|(_, user)| user.path.as_str().starts_with(&prefix));
    Ok(page.of("Users", users.map(|(name, user)| (name.clone(), plain("member", name, user)))))
}

pub(super) fn delete(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::User)?;
    let target = PolicyTarget::existing(call.iam(), EntityKind::User, &name);
    call.allow(&target)?.change(|state| state.delete_user(&name))?;
    Ok(Vec::new())
}

pub(super) fn put_boundary(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::User)?;
    let boundary = call.parameters.required("PermissionsBoundary", &form::ARN)?;
    let target = PolicyTarget::existing(call.iam(), EntityKind::User, &name).with_boundary(Some(&boundary));
    call.allow(&target)?.change(|state| state.set_user_boundary(&name, Some(&boundary)))?;
    Ok(Vec::new())
}

pub(super) fn delete_boundary(mut call: IamCall<'_>) -> ActionResult {
    let name = call.name(EntityKind::User)?;
    let target = PolicyTarget::bounded(call.iam(), EntityKind::User, &name);
    call.allow(&target)?.change(|state| state.set_user_boundary(&name, None))?;
    Ok(Vec::new())
}

/// A user as lists show it.
pub(super) fn plain(element: &'static str, name: &str, user: &IamUser) -> XmlElement {
    XmlElement::new(element)
        .with(XmlElement::text("Path", &user.path))
        .with(XmlElement::text("UserName", name))
        .with(XmlElement::text("UserId", &user.id))
        .with(XmlElement::text("Arn", &arn::entity(EntityKind::User, &user.path, name)))
        .with(XmlElement::text("CreateDate", &iso8601(user.created)))
}

/// A user with all details.
fn detailed(element: &'static str, name: &str, user: &IamUser) -> XmlElement {
    plain(element, name, user)
        .with_each(element::boundary(user.permissions.boundary.as_deref()))
        .with_each(element::tags(&user.tags))
}

/// The account's root, which has no name. It is as old as its key.
fn root(iam: &IamService) -> XmlElement {
    let state = iam.read();
    let created = state.keys.get(state.root_key_id()).map(|key| key.created).unwrap_or_default();
    XmlElement::new("User")
        .with(XmlElement::text("UserId", ACCOUNT_ID))
        .with(XmlElement::text("Arn", &arn::root()))
        .with(XmlElement::text("CreateDate", &iso8601(created)))
}
