//! What CloudFront checks before it accepts a response headers policy.
//!
//! Source of limits: CloudFront Developer Guide, "Quotas", "Quotas on response headers policies".

use std::collections::BTreeSet;

use http::{HeaderName, HeaderValue};

use super::super::error::{CloudFrontError, RefusalCode};
use super::security::{SECURITY_NAMES, security_headers};
use super::{cors, timing};
use crate::xml::XmlElement;

/// Longest comment, in characters. Source: CloudFront API Reference, "ResponseHeadersPolicyConfig".
const MAX_COMMENT: usize = 128;
/// Most custom headers, and most headers to remove, of one policy.
const MAX_HEADERS: usize = 10;
/// Longest name of a custom header, in bytes.
const MAX_NAME: usize = 256;
/// Longest value of a custom header, and longest content security policy, in bytes.
const MAX_VALUE: usize = 1_783;
/// Most bytes of the names and values of all custom headers.
const MAX_TOTAL: usize = 10_240;

/// Headers that a policy can neither add nor remove. Source: CloudFront Developer Guide, "Understand response headers
/// policies", "Headers that you can't add" and "Headers that you can't remove".
const RESERVED: [&str; 14] = [
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

/// Other headers that a policy cannot remove. Source: the same page, "Headers that you can't remove".
const UNREMOVABLE: [&str; 17] = [
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-limit-rate",
    "x-accel-redirect",
    "x-amzn-auth",
    "x-amzn-cf-billing",
    "x-amzn-cf-id",
    "x-amzn-cf-xff",
    "x-amzn-errortype",
    "x-amzn-fle-profile",
    "x-amzn-header-count",
    "x-amzn-header-order",
    "x-amzn-lambda-integration-tag",
    "x-amzn-requestid",
    "x-cache",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Whether a policy can neither add nor remove the header. The name is in lower case.
fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with("x-amz-cf-") || name.starts_with("x-edge-")
}

pub(super) fn check(config: &XmlElement) -> Result<(), CloudFrontError> {
    let refuse = |code: RefusalCode, message: String| Err(CloudFrontError::refused(code, message));
    let name = config.text_at(&["Name"]).unwrap_or_default();
    if name.is_empty() || name.len() > 128 {
        return refuse(
            RefusalCode::InvalidArgument,
            "The name of the policy must have 1 to 128 characters.".to_owned(),
        );
    }
    if config.text_at(&["Comment"]).unwrap_or_default().chars().count() > MAX_COMMENT {
        let message = format!("The comment of the policy has more than {MAX_COMMENT} characters.");
        return refuse(RefusalCode::InvalidArgument, message);
    }
    let xss = |member: &str| config.text_at(&["SecurityHeadersConfig", "XSSProtection", member]);
    if xss("ModeBlock") == Some("true") && xss("ReportUri").is_some() {
        let message = "XSSProtection cannot have a ReportUri if ModeBlock is true.".to_owned();
        return refuse(RefusalCode::InvalidArgument, message);
    }
    cors::check(config)?;
    timing::check(config)?;
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
        let lower = name.to_ascii_lowercase();
        let is_valid = HeaderName::try_from(name).is_ok() && HeaderValue::from_str(value).is_ok();
        if !is_valid || name.len() > MAX_NAME || value.len() > MAX_VALUE || is_reserved(&lower) {
            return refuse(RefusalCode::InvalidArgument, format!("The custom header `{name}` is invalid."));
        }
        if SECURITY_NAMES.contains(&lower.as_str()) {
            let message = format!(
                "The parameter CustomHeaders contains `{name}` that is a security header and cannot be set as custom header."
            );
            return refuse(RefusalCode::InvalidArgument, message);
        }
        if !names.insert(lower) {
            return refuse(RefusalCode::InvalidArgument, format!("The custom header `{name}` occurs twice."));
        }
    }
    if total > MAX_TOTAL {
        let message = format!("The custom headers have more than {MAX_TOTAL} characters.");
        return refuse(RefusalCode::InvalidArgument, message);
    }
    for header in removed {
        let name = header.text_at(&["Header"]).unwrap_or_default();
        let lower = name.to_ascii_lowercase();
        let is_kept = is_reserved(&lower) || UNREMOVABLE.contains(&lower.as_str());
        if HeaderName::try_from(name).is_err() || is_kept {
            return refuse(RefusalCode::InvalidArgument, format!("The header `{name}` cannot be removed."));
        }
    }
    Ok(())
}
