//! Response headers policies: headers that a distribution adds to its responses or removes from them. `shape` and `check`
//! decide what is accepted; `cors` (with `origin`), `security` and `timing` make the headers of their sections.
//!
//! Source of limits: CloudFront Developer Guide, "Quotas", "Quotas on response headers policies".

mod check;
mod cors;
mod origin;
mod security;
mod shape;
mod timing;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{CloudFrontError, RefusalCode};
use super::wire::{CloudFrontAnswer, CloudFrontFailure, PageQuery};
use super::{CloudFrontService, HEADERS_POLICIES, check_match, etag};
use crate::iam::clock::iso8601;
use crate::iam::{Caller, arn};
use crate::random::uuid;
use crate::xml::XmlElement;
use check::check;
use security::security_headers;

/// Most custom policies of an account.
const MAX_POLICIES: usize = 20;

/// A response headers policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HeadersPolicy {
    id: String,
    etag: String,
    modified: Timestamp,
    #[serde(with = "super::distribution::document")]
    config: XmlElement,
}

impl HeadersPolicy {
    fn name(&self) -> &str {
        self.config.text_at(&["Name"]).unwrap_or_default()
    }

    fn element(&self) -> XmlElement {
        XmlElement::new("ResponseHeadersPolicy")
            .with(XmlElement::text("Id", &self.id))
            .with(XmlElement::text("LastModifiedTime", &iso8601(self.modified)))
            .with(self.config.clone())
    }

    fn answer(&self) -> CloudFrontAnswer {
        CloudFrontAnswer::ok(self.element()).with_etag(&self.etag)
    }

    /// Removes and adds headers of a response.
    pub(crate) fn apply(&self, exchange: &ViewerExchange<'_>, headers: &mut HeaderMap) {
        for remove in self.config.items_at(&["RemoveHeadersConfig"]) {
            headers.remove(remove.text_at(&["Header"]).unwrap_or_default());
        }
        cors::apply(&self.config, exchange.method, exchange.headers, headers);
        timing::apply(&self.config, exchange, headers);
        for (name, value, overrides) in security_headers(&self.config) {
            set(headers, name, &value, overrides);
        }
        for header in self.config.items_at(&["CustomHeadersConfig"]) {
            let text = |name: &str| header.text_at(&[name]).unwrap_or_default();
            set(headers, text("Header"), text("Value"), text("Override") == "true");
        }
    }
}

/// What a policy needs to know about a request and its response.
pub(crate) struct ViewerExchange<'a> {
    /// The method that the viewer sent.
    pub(crate) method: &'a Method,
    /// The headers that the viewer sent. AWS does not document whether a function could change what a policy sees of
    /// them; here it cannot.
    pub(crate) headers: &'a HeaderMap,
    /// The part of the cache; `None` if the edge or a function made the response.
    pub(crate) cache: Option<CacheResult>,
    /// How long the edge waited for the cache and the origin.
    pub(crate) origin_time: Duration,
    /// How long the response took.
    pub(crate) time: Duration,
}

/// What the cache did for a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheResult {
    /// It answered without the origin.
    Hit,
    /// It answered after the origin had confirmed its copy.
    Refresh,
    /// The origin answered.
    Miss,
}

fn set(headers: &mut HeaderMap, name: &str, value: &str, overrides: bool) {
    // Names and values are checked when a policy is stored.
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value))
        && (overrides || !headers.contains_key(&name))
    {
        headers.insert(name, value);
    }
}

impl CloudFrontService {
    /// Answers the requests below `response-headers-policy`.
    pub(super) fn answer_headers_policy(
        &self,
        caller: &Caller,
        request: &Request<Bytes>,
        path: &[&str],
    ) -> Result<Option<CloudFrontAnswer>, CloudFrontFailure> {
        let allow = |action: &str, id: &str| self.allow(caller, action, &arn::headers_policy(id));
        let find = |id: &str| self.lock().headers_policies.get(id).cloned().ok_or_else(missing);
        Ok(Some(match (request.method(), path) {
            (&Method::POST, []) => {
                self.allow(caller, "cloudfront:CreateResponseHeadersPolicy", "*")?;
                self.put_headers_policy(None, request)?
            }
            (&Method::GET, []) => {
                self.allow(caller, "cloudfront:ListResponseHeadersPolicies", "*")?;
                let state = self.lock();
                let query = PageQuery::read(request)?;
                // The emulator has no policies that AWS manages.
                let custom = state.headers_policies.iter().filter(|_| query.value("Type") != Some("managed"));
                let items = custom.map(|(id, policy)| {
                    let summary = XmlElement::new("ResponseHeadersPolicySummary")
                        .with(XmlElement::text("Type", "custom"))
                        .with(policy.element());
                    (id.as_str(), summary)
                });
                CloudFrontAnswer::ok(query.short_list("ResponseHeadersPolicyList", items))
            }
            (&Method::GET, [id]) => {
                allow("cloudfront:GetResponseHeadersPolicy", id)?;
                find(id)?.answer()
            }
            (&Method::GET, [id, "config"]) => {
                allow("cloudfront:GetResponseHeadersPolicyConfig", id)?;
                let policy = find(id)?;
                CloudFrontAnswer::ok(policy.config).with_etag(&policy.etag)
            }
            (&Method::PUT, [id]) => {
                allow("cloudfront:UpdateResponseHeadersPolicy", id)?;
                self.put_headers_policy(Some(id), request)?
            }
            (&Method::DELETE, [id]) => {
                allow("cloudfront:DeleteResponseHeadersPolicy", id)?;
                self.delete_headers_policy(id, request.headers())?;
                CloudFrontAnswer::deleted()
            }
            _ => return Ok(None),
        }))
    }

    /// The policy with this ID, for the preview.
    pub(crate) fn headers_policy(&self, id: &str) -> Option<HeadersPolicy> {
        self.lock().headers_policies.get(id).cloned()
    }

    fn put_headers_policy(
        &self,
        id: Option<&str>,
        request: &Request<Bytes>,
    ) -> Result<CloudFrontAnswer, CloudFrontError> {
        let config = super::shape::read(request.body(), "ResponseHeadersPolicyConfig", &shape::CONFIG)?;
        let mut state = self.lock();
        if let Some(id) = id {
            check_match(request.headers(), &state.headers_policies.get(id).ok_or_else(missing)?.etag)?;
        } else if state.headers_policies.len() >= MAX_POLICIES {
            let message = format!("An account has at most {MAX_POLICIES} response headers policies.");
            return Err(CloudFrontError::refused(RefusalCode::TooManyResponseHeadersPolicies, message));
        }
        check(&config)?;
        let name = config.text_at(&["Name"]);
        if state.headers_policies.values().any(|known| Some(known.name()) == name && Some(known.id.as_str()) != id) {
            let message = "A response headers policy with this name already exists.";
            return Err(CloudFrontError::refused(RefusalCode::ResponseHeadersPolicyAlreadyExists, message));
        }
        let new_id = || uuid().map_err(|error| CloudFrontError::Storage(error.to_string()));
        let own = id.map_or_else(new_id, |id| Ok(id.to_owned()))?;
        let policy = HeadersPolicy { id: own, etag: etag()?, modified: self.iam.clock().now(), config };
        self.store(HEADERS_POLICIES, &policy.id, &policy)?;
        let answer = policy.answer();
        let answer =
            if id.is_some() { answer } else { answer.created(&format!("response-headers-policy/{}", policy.id)) };
        state.headers_policies.insert(policy.id.clone(), policy);
        Ok(answer)
    }

    fn delete_headers_policy(&self, id: &str, headers: &HeaderMap) -> Result<(), CloudFrontError> {
        let mut state = self.lock();
        check_match(headers, &state.headers_policies.get(id).ok_or_else(missing)?.etag)?;
        if state.distributions.values().any(|distribution| distribution.headers_policies().any(|used| used == id)) {
            let message =
                "Cannot delete the response headers policy because it is attached to one or more cache behaviors.";
            return Err(CloudFrontError::refused(RefusalCode::ResponseHeadersPolicyInUse, message));
        }
        self.remove(HEADERS_POLICIES, id)?;
        state.headers_policies.remove(id);
        Ok(())
    }
}

fn missing() -> CloudFrontError {
    CloudFrontError::refused(RefusalCode::NoSuchResponseHeadersPolicy, "The response headers policy does not exist.")
}
