//! Response headers policies: headers that a distribution adds to its responses or removes from them.
//!
//! Source of limits: CloudFront Developer Guide, "Quotas", "Quotas on response headers policies".

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{CloudFrontError, RefusalCode};
use super::shape::DocumentShape::{Flag, List, Number, OneOf, Structure, Text};
use super::shape::{self, DocumentShape, optional, required};
use super::wire::{CloudFrontAnswer, CloudFrontFailure, PageQuery};
use super::{CloudFrontService, HEADERS_POLICIES, check_match, etag};
use crate::iam::clock::iso8601;
use crate::iam::{Caller, arn};
use crate::random::uuid;
use crate::xml::XmlElement;

/// Most custom policies of an account.
const MAX_POLICIES: usize = 20;
/// Most custom headers, and most headers to remove, of one policy.
const MAX_HEADERS: usize = 10;
/// Longest name of a custom header, in bytes.
const MAX_NAME: usize = 256;
/// Longest value of a custom header, and longest content security policy, in bytes.
const MAX_VALUE: usize = 1_783;
/// Most bytes of the names and values of all custom headers.
const MAX_TOTAL: usize = 10_240;

const FRAME_OPTIONS: DocumentShape = OneOf(&["DENY", "SAMEORIGIN"]);

const REFERRER_POLICIES: DocumentShape = OneOf(&[
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
]);

const SECURITY: DocumentShape = Structure(&[
    optional(
        "XSSProtection",
        &Structure(&[
            required("Override", &Flag),
            required("Protection", &Flag),
            optional("ModeBlock", &Flag),
            optional("ReportUri", &Text),
        ]),
    ),
    optional("FrameOptions", &Structure(&[required("Override", &Flag), required("FrameOption", &FRAME_OPTIONS)])),
    optional(
        "ReferrerPolicy",
        &Structure(&[required("Override", &Flag), required("ReferrerPolicy", &REFERRER_POLICIES)]),
    ),
    optional(
        "ContentSecurityPolicy",
        &Structure(&[required("Override", &Flag), required("ContentSecurityPolicy", &Text)]),
    ),
    optional("ContentTypeOptions", &Structure(&[required("Override", &Flag)])),
    optional(
        "StrictTransportSecurity",
        &Structure(&[
            required("Override", &Flag),
            optional("IncludeSubdomains", &Flag),
            optional("Preload", &Flag),
            required("AccessControlMaxAgeSec", &Number),
        ]),
    ),
]);

const CUSTOM_HEADER: DocumentShape =
    Structure(&[required("Header", &Text), required("Value", &Text), required("Override", &Flag)]);

/// Without CORS and `Server-Timing`, which the emulator does not support.
const CONFIG: DocumentShape = Structure(&[
    optional("Comment", &Text),
    required("Name", &Text),
    optional("SecurityHeadersConfig", &SECURITY),
    optional(
        "CustomHeadersConfig",
        &Structure(&[
            required("Quantity", &Number),
            optional("Items", &List("ResponseHeadersPolicyCustomHeader", &CUSTOM_HEADER)),
        ]),
    ),
    optional(
        "RemoveHeadersConfig",
        &Structure(&[
            required("Quantity", &Number),
            optional("Items", &List("ResponseHeadersPolicyRemoveHeader", &Structure(&[required("Header", &Text)]))),
        ]),
    ),
]);

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
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for remove in self.config.items_at(&["RemoveHeadersConfig"]) {
            headers.remove(remove.text_at(&["Header"]).unwrap_or_default());
        }
        for (name, value, overrides) in security_headers(&self.config) {
            set(headers, name, &value, overrides);
        }
        for header in self.config.items_at(&["CustomHeadersConfig"]) {
            let text = |name: &str| header.text_at(&[name]).unwrap_or_default();
            set(headers, text("Header"), text("Value"), text("Override") == "true");
        }
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str, overrides: bool) {
    // Names and values are checked when a policy is stored.
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value))
        && (overrides || !headers.contains_key(&name))
    {
        headers.insert(name, value);
    }
}

/// The security headers of a policy: name, value, and whether they override the origin's.
fn security_headers(config: &XmlElement) -> Vec<(&'static str, String, bool)> {
    let at = |name: &str| config.at(&["SecurityHeadersConfig", name]);
    let is_true = |element: &XmlElement, name: &str| element.text_at(&[name]) == Some("true");
    let text = |element: &XmlElement, name: &str| element.text_at(&[name]).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    if let Some(element) = at("XSSProtection") {
        let mut value = if is_true(element, "Protection") { "1" } else { "0" }.to_owned();
        if is_true(element, "ModeBlock") {
            value.push_str("; mode=block");
        }
        if let Some(report) = element.text_at(&["ReportUri"]) {
            value.push_str("; report=");
            value.push_str(report);
        }
        headers.push(("x-xss-protection", value, is_true(element, "Override")));
    }
    for (name, element, member) in [
        ("x-frame-options", "FrameOptions", "FrameOption"),
        ("referrer-policy", "ReferrerPolicy", "ReferrerPolicy"),
        ("content-security-policy", "ContentSecurityPolicy", "ContentSecurityPolicy"),
    ] {
        if let Some(element) = at(element) {
            headers.push((name, text(element, member), is_true(element, "Override")));
        }
    }
    if let Some(element) = at("ContentTypeOptions") {
        headers.push(("x-content-type-options", "nosniff".to_owned(), is_true(element, "Override")));
    }
    if let Some(element) = at("StrictTransportSecurity") {
        let mut value = format!("max-age={}", text(element, "AccessControlMaxAgeSec"));
        for (member, directive) in [("IncludeSubdomains", "; includeSubDomains"), ("Preload", "; preload")] {
            if is_true(element, member) {
                value.push_str(directive);
            }
        }
        headers.push(("strict-transport-security", value, is_true(element, "Override")));
    }
    headers
}

/// Headers that a policy can neither add nor remove. Source: CloudFront Developer Guide, "Understand response headers
/// policies", "Headers that you can't add" and "… remove".
fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let reserved = [
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "warning",
    ];
    reserved.contains(&name.as_str()) || name.starts_with("x-amz-cf-") || name.starts_with("x-edge-")
}

/// Security headers, which have an element of their own.
const SECURITY_NAMES: [&str; 6] = [
    "content-security-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

fn check(config: &XmlElement) -> Result<(), CloudFrontError> {
    let refuse = |code: RefusalCode, message: String| Err(CloudFrontError::refused(code, message));
    let name = config.text_at(&["Name"]).unwrap_or_default();
    if name.is_empty() || name.len() > 128 {
        return refuse(
            RefusalCode::InvalidArgument,
            "The name of the policy must have 1 to 128 characters.".to_owned(),
        );
    }
    let custom = config.items_at(&["CustomHeadersConfig"]);
    if custom.len() > MAX_HEADERS {
        let message = format!("A response headers policy has at most {MAX_HEADERS} custom headers.");
        return refuse(RefusalCode::TooManyCustomHeadersInResponseHeadersPolicy, message);
    }
    let removed = config.items_at(&["RemoveHeadersConfig"]);
    if removed.len() > MAX_HEADERS {
        let message = format!("A response headers policy removes at most {MAX_HEADERS} headers.");
        return refuse(RefusalCode::TooManyRemoveHeadersInResponseHeadersPolicy, message);
    }
    for (name, value, _) in security_headers(config) {
        if name == "content-security-policy" && value.len() > MAX_VALUE {
            let message = format!("The content security policy has more than {MAX_VALUE} characters.");
            return refuse(RefusalCode::TooLongCSPInResponseHeadersPolicy, message);
        }
        if value.is_empty() || HeaderValue::from_str(&value).is_err() {
            return refuse(RefusalCode::InvalidArgument, format!("The value of {name} is invalid."));
        }
    }
    let mut names = BTreeSet::new();
    let mut total = 0;
    for header in custom {
        let text = |name: &str| header.text_at(&[name]).unwrap_or_default();
        let (name, value) = (text("Header"), text("Value"));
        total += name.len() + value.len();
        let is_valid = HeaderName::try_from(name).is_ok() && HeaderValue::from_str(value).is_ok() && !value.is_empty();
        if !is_valid || name.len() > MAX_NAME || value.len() > MAX_VALUE || is_reserved(name) {
            return refuse(RefusalCode::InvalidArgument, format!("The custom header `{name}` is invalid."));
        }
        if SECURITY_NAMES.contains(&name.to_ascii_lowercase().as_str()) {
            let message = format!(
                "The parameter CustomHeaders contains `{name}` that is a security header and cannot be set as custom header."
            );
            return refuse(RefusalCode::InvalidArgument, message);
        }
        if !names.insert(name.to_ascii_lowercase()) {
            return refuse(RefusalCode::InvalidArgument, format!("The custom header `{name}` occurs twice."));
        }
    }
    if total > MAX_TOTAL {
        let message = format!("The custom headers have more than {MAX_TOTAL} characters.");
        return refuse(RefusalCode::InvalidArgument, message);
    }
    for header in removed {
        let name = header.text_at(&["Header"]).unwrap_or_default();
        if HeaderName::try_from(name).is_err() || is_reserved(name) || names.contains(&name.to_ascii_lowercase()) {
            return refuse(RefusalCode::InvalidArgument, format!("The header `{name}` cannot be removed."));
        }
    }
    Ok(())
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
        let config = shape::read(request.body(), "ResponseHeadersPolicyConfig", &CONFIG)?;
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
