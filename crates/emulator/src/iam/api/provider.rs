//! OpenID Connect providers in the API.

use http::StatusCode;

use super::super::clock::iso8601;
use super::super::provider::provider_arn;
use super::super::record::OpenIdProvider;
use super::call::{ActionResult, IamCall};
use super::target::PolicyTarget;
use super::{element, form};
use crate::query::QueryFailure;
use crate::xml::XmlElement;

pub(super) fn create(mut call: IamCall<'_>) -> ActionResult {
    let url = call.parameters.required("Url", &form::PROVIDER_URL)?;
    let audiences = call.parameters.texts("ClientIDList");
    let thumbprints = call.parameters.texts("ThumbprintList");
    let tags = call.tags()?;
    let issuer = url.strip_prefix("https://").filter(|issuer| !issuer.is_empty() && !issuer.contains(['?', '#']));
    let Some(issuer) = issuer else {
        return Err(QueryFailure::invalid("Invalid Open ID Connect Provider URL"));
    };
    for audience in &audiences {
        form::AUDIENCE.check(audience, "clientIDList")?;
    }
    if thumbprints.len() > 5 || thumbprints.iter().any(|one| one.len() != 40) {
        return Err(QueryFailure::new(StatusCode::BAD_REQUEST, "InvalidInput", "Thumbprint must have 40 characters"));
    }
    let provider = OpenIdProvider {
        issuer: issuer.to_owned(),
        audiences: audiences.into_iter().collect(),
        thumbprints,
        keys: None,
        created: call.now(),
        tags,
    };
    let target = PolicyTarget::provider(&provider_arn(issuer)).with_tags(&provider.tags);
    let tags = provider.tags.clone();
    let iam = call.allow_tagging(&target, "iam:TagOpenIDConnectProvider", &tags)?;
    let arn = iam.change(|state| state.create_provider(provider))?;
    Ok(vec![XmlElement::text("OpenIDConnectProviderArn", &arn)])
}

pub(super) fn get(mut call: IamCall<'_>) -> ActionResult {
    let arn = arn(&mut call)?;
    let state = call.allow(&PolicyTarget::provider(&arn))?.read();
    let provider = state.providers.find(&arn)?;
    let list = |name: &'static str, texts: &mut dyn Iterator<Item = &String>| {
        XmlElement::new(name).with_each(texts.map(|text| XmlElement::text("member", text)))
    };
    let elements = [
        XmlElement::text("Url", &provider.issuer),
        list("ClientIDList", &mut provider.audiences.iter()),
        list("ThumbprintList", &mut provider.thumbprints.iter()),
        XmlElement::text("CreateDate", &iso8601(provider.created)),
    ];
    Ok(elements.into_iter().chain(element::tags(&provider.tags)).collect())
}

pub(super) fn list(call: IamCall<'_>) -> ActionResult {
    let state = call.allow(&PolicyTarget::account())?.read();
    let members = state.providers.iter().map(|(arn, _)| XmlElement::new("member").with(XmlElement::text("Arn", arn)));
    Ok(vec![XmlElement::new("OpenIDConnectProviderList").with_each(members.collect::<Vec<_>>())])
}

pub(super) fn add_audience(mut call: IamCall<'_>) -> ActionResult {
    let (arn, audience) = (arn(&mut call)?, call.parameters.required("ClientID", &form::AUDIENCE)?);
    call.allow(&PolicyTarget::provider(&arn))?.change(|state| state.add_audience(&arn, audience))?;
    Ok(Vec::new())
}

pub(super) fn delete(mut call: IamCall<'_>) -> ActionResult {
    let arn = arn(&mut call)?;
    call.allow(&PolicyTarget::provider(&arn))?.change(|state| state.providers.remove(&arn))?;
    Ok(Vec::new())
}

fn arn(call: &mut IamCall<'_>) -> Result<String, QueryFailure> {
    call.parameters.required("OpenIDConnectProviderArn", &form::ARN)
}
