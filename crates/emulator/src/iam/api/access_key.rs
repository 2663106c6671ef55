//! Access keys in the API. Without a user name, an action applies to the caller.

use super::super::clock::iso8601;
use super::super::error::IamError;
use super::super::kind::EntityKind;
use super::super::record::{KeyOwner, StoredAccessKey};
use super::call::{ActionResult, IamCall};
use super::form;
use super::target::PolicyTarget;
use crate::query::QueryFailure;
use crate::xml::XmlElement;

/// The names of a key's status.
const STATUSES: [(&str, bool); 2] = [("Active", true), ("Inactive", false)];

pub(super) fn create(mut call: IamCall<'_>) -> ActionResult {
    let (user, now) = (call.user_or_caller()?, call.now());
    let target = PolicyTarget::existing(call.iam(), EntityKind::User, &user);
    let iam = call.allow(&target)?;
    let (id, key) = StoredAccessKey::new(KeyOwner::User(user.clone()), now).map_err(IamError::from)?;
    let element = element("AccessKey", &user, &id, &key).with(XmlElement::text("SecretAccessKey", &key.secret));
    iam.change(|state| state.create_access_key(&user, &id, key))?;
    Ok(vec![element])
}

pub(super) fn list(mut call: IamCall<'_>) -> ActionResult {
    let (user, page) = (call.user_or_caller()?, call.page()?);
    let target = PolicyTarget::existing(call.iam(), EntityKind::User, &user);
    let state = call.allow(&target)?.read();
    state.users.find(&user)?;
    let keys = state.access_keys(&user).map(|(id, key)| (id.clone(), element("member", &user, id, key)));
    Ok(page.of("AccessKeyMetadata", keys))
}

pub(super) fn update(mut call: IamCall<'_>) -> ActionResult {
    let user = call.user_or_caller()?;
    let id = call.parameters.required("AccessKeyId", &form::ACCESS_KEY_ID)?;
    let active = call.parameters.choice("Status", &STATUSES)?.ok_or_else(|| QueryFailure::missing("Status"))?;
    let target = PolicyTarget::existing(call.iam(), EntityKind::User, &user);
    call.allow(&target)?.change(|state| state.set_access_key(&user, &id, active))?;
    Ok(Vec::new())
}

pub(super) fn delete(mut call: IamCall<'_>) -> ActionResult {
    let user = call.user_or_caller()?;
    let id = call.parameters.required("AccessKeyId", &form::ACCESS_KEY_ID)?;
    let target = PolicyTarget::existing(call.iam(), EntityKind::User, &user);
    call.allow(&target)?.change(|state| state.delete_access_key(&user, &id))?;
    Ok(Vec::new())
}

/// A key without its secret.
fn element(name: &'static str, user: &str, id: &str, key: &StoredAccessKey) -> XmlElement {
    let status = STATUSES.iter().find(|(_, active)| *active == key.active).map_or("Inactive", |(status, _)| status);
    XmlElement::new(name)
        .with(XmlElement::text("UserName", user))
        .with(XmlElement::text("AccessKeyId", id))
        .with(XmlElement::text("Status", status))
        .with(XmlElement::text("CreateDate", &iso8601(key.created)))
}
