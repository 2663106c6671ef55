//! Access keys in the API. Without a user's name, they are the caller's own.

use super::super::clock::iso8601;
use super::super::kind::Kind;
use super::super::record::{Key, Owner};
use super::call::Call;
use super::target::Target;
use super::{Answer, form};
use crate::query::Failure;
use crate::xml::Element;

/// What a key's status is called.
const STATUSES: [(&str, bool); 2] = [("Active", true), ("Inactive", false)];

pub(super) fn create(mut call: Call<'_>) -> Answer {
    let (user, now) = (call.user_or_caller()?, call.now());
    let target = Target::existing(call.iam(), Kind::User, &user);
    let iam = call.allow(&target)?;
    let (id, key) = Key::new(Owner::User(user.clone()), now).map_err(super::super::IamError::from)?;
    let made = described("AccessKey", &user, &id, &key).with(Element::text("SecretAccessKey", &key.secret));
    iam.change(|state| state.create_access_key(&user, &id, key))?;
    Ok(vec![made])
}

pub(super) fn list(mut call: Call<'_>) -> Answer {
    let (user, page) = (call.user_or_caller()?, call.page()?);
    let target = Target::existing(call.iam(), Kind::User, &user);
    let state = call.allow(&target)?.read();
    state.users.find(&user)?;
    let keys = state.access_keys(&user).map(|(id, key)| (id.clone(), described("member", &user, id, key)));
    Ok(page.of("AccessKeyMetadata", keys))
}

pub(super) fn update(mut call: Call<'_>) -> Answer {
    let user = call.user_or_caller()?;
    let id = call.parameters.required("AccessKeyId", &form::ACCESS_KEY_ID)?;
    let active = call.parameters.word("Status", &STATUSES)?.ok_or_else(|| Failure::missing("Status"))?;
    let target = Target::existing(call.iam(), Kind::User, &user);
    call.allow(&target)?.change(|state| state.set_access_key(&user, &id, active))?;
    Ok(Vec::new())
}

pub(super) fn delete(mut call: Call<'_>) -> Answer {
    let user = call.user_or_caller()?;
    let id = call.parameters.required("AccessKeyId", &form::ACCESS_KEY_ID)?;
    let target = Target::existing(call.iam(), Kind::User, &user);
    call.allow(&target)?.change(|state| state.delete_access_key(&user, &id))?;
    Ok(Vec::new())
}

/// A key without its secret.
fn described(element: &'static str, user: &str, id: &str, key: &Key) -> Element {
    let status = STATUSES.iter().find(|(_, active)| *active == key.active).map_or("Inactive", |(name, _)| name);
    Element::new(element)
        .with(Element::text("UserName", user))
        .with(Element::text("AccessKeyId", id))
        .with(Element::text("Status", status))
        .with(Element::text("CreateDate", &iso8601(key.created)))
}
