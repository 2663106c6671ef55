//! Inline and attached policies of users, roles and groups in the API, with the same seven actions for each.

use super::super::kind::EntityKind;
use super::call::{ActionResult, IamCall};
use super::element;
use super::target::PolicyTarget;
use crate::xml::XmlElement;

pub(super) fn put(mut call: IamCall<'_>, kind: EntityKind) -> ActionResult {
    let (owner, name) = (call.name(kind)?, call.policy_name()?);
    let document = call.document()?;
    let target = PolicyTarget::bounded(call.iam(), kind, &owner);
    call.allow(&target)?.change(|state| state.put_inline_policy(kind, &owner, &name, document))?;
    Ok(Vec::new())
}

pub(super) fn get(mut call: IamCall<'_>, kind: EntityKind) -> ActionResult {
    let (owner, name) = (call.name(kind)?, call.policy_name()?);
    let target = PolicyTarget::existing(call.iam(), kind, &owner);
    let state = call.allow(&target)?.read();
    let document = element::document("PolicyDocument", &state.inline_policy(kind, &owner, &name)?.text);
    Ok(vec![XmlElement::text(kind.name_parameter(), &owner), XmlElement::text("PolicyName", &name), document])
}

pub(super) fn list(mut call: IamCall<'_>, kind: EntityKind) -> ActionResult {
    let (owner, page) = (call.name(kind)?, call.page()?);
    let target = PolicyTarget::existing(call.iam(), kind, &owner);
    let state = call.allow(&target)?.read();
    let names = state.policies_of(kind, &owner)?.inline.keys();
    Ok(page.of("PolicyNames", names.map(|name| (name.clone(), XmlElement::text("member", name)))))
}

pub(super) fn delete(mut call: IamCall<'_>, kind: EntityKind) -> ActionResult {
    let (owner, name) = (call.name(kind)?, call.policy_name()?);
    let target = PolicyTarget::bounded(call.iam(), kind, &owner);
    call.allow(&target)?.change(|state| state.delete_inline_policy(kind, &owner, &name))?;
    Ok(Vec::new())
}

pub(super) fn attach(mut call: IamCall<'_>, kind: EntityKind) -> ActionResult {
    let (owner, arn) = (call.name(kind)?, call.policy_arn()?);
    let target = PolicyTarget::bounded(call.iam(), kind, &owner).with_policy(&arn);
    call.allow(&target)?.change(|state| state.attach_policy(kind, &owner, &arn))?;
    Ok(Vec::new())
}

pub(super) fn detach(mut call: IamCall<'_>, kind: EntityKind) -> ActionResult {
    let (owner, arn) = (call.name(kind)?, call.policy_arn()?);
    let target = PolicyTarget::bounded(call.iam(), kind, &owner).with_policy(&arn);
    call.allow(&target)?.change(|state| state.detach_policy(kind, &owner, &arn))?;
    Ok(Vec::new())
}

pub(super) fn list_attached(mut call: IamCall<'_>, kind: EntityKind) -> ActionResult {
    let (owner, prefix, page) = (call.name(kind)?, call.path_prefix()?, call.page()?);
    let target = PolicyTarget::existing(call.iam(), kind, &owner);
    let state = call.allow(&target)?.read();
    let arns = state.policies_of(kind, &owner)?.attached.iter();
    let policies = arns.filter_map(|arn| Some((arn, state.policy(arn)?)));
    let below = policies.filter(|(_, policy)| policy.path.as_str().starts_with(&prefix));
    Ok(page.of(
        "AttachedPolicies",
        below.map(|(arn, policy)| {
            let member = XmlElement::new("member")
                .with(XmlElement::text("PolicyName", &policy.name))
                .with(XmlElement::text("PolicyArn", arn));
            (arn.clone(), member)
        }),
    ))
}
