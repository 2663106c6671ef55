//! Headers that a function may set on responses.

use crate::sanitize::sanitize;

/// Longest value of a header, in bytes. Source: Amazon CloudFront Developer Guide, "Quotas" (response headers policies).
pub const MAX_HEADER_VALUE_BYTES: usize = 1_783;

/// Longest name of a header, in bytes. Source: as above.
const MAX_NAME_BYTES: usize = 256;

/// Headers that no function may set on responses. Source: Amazon CloudFront Developer Guide, "Restrictions on all edge
/// functions", and those that describe the body or the connection.
pub const RESERVED_HEADERS: [&str; 31] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
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

/// How names start that no function may set.
const RESERVED_PREFIXES: [&str; 2] = ["x-amz-cf-", "x-edge-"];

/// Why a header cannot be set at the edge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EdgeHeaderError {
    /// Not a name in lower case.
    #[error("invalid header name `{0}`; use lower-case letters, digits, `-` and `_`")]
    Name(String),
    /// A name that CloudFront keeps for itself.
    #[error("CloudFront does not let a function set the header `{0}`; remove it")]
    Reserved(String),
    /// Cookies are not headers in CloudFront's functions.
    #[error("a rule cannot set cookies; remove `set-cookie`")]
    Cookie,
    /// Not a value.
    #[error("invalid value for the header `{0}`; use 1 to {MAX_HEADER_VALUE_BYTES} characters of printable ASCII")]
    Value(String),
}

/// Checks the name of a header, in lower case.
pub(super) fn check_name(name: &str) -> Result<(), EdgeHeaderError> {
    let is_valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(is_valid) {
        return Err(EdgeHeaderError::Name(sanitize(name, 100)));
    }
    if name == "set-cookie" {
        return Err(EdgeHeaderError::Cookie);
    }
    if RESERVED_HEADERS.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(EdgeHeaderError::Reserved(name.to_owned()));
    }
    Ok(())
}

/// Checks the value of a header.
pub(super) fn check_value(name: &str, value: &str) -> Result<(), EdgeHeaderError> {
    let is_valid = (1..=MAX_HEADER_VALUE_BYTES).contains(&value.len())
        && value.trim() == value
        && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_valid { Ok(()) } else { Err(EdgeHeaderError::Value(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_cloudfront_keeps_are_refused() {
        for name in ["x-frame-options", "content-security-policy", "cache-control", "x-amz-meta-a", "x-cache-tag"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["via", "warning", "x-edge-location", "x-amz-cf-pop", "connection", "content-length"] {
            assert_eq!(check_name(name), Err(EdgeHeaderError::Reserved(name.to_owned())));
        }
        for name in ["", "X-A", "a b", "a:b", "\u{e9}", "a\r\nb", &"x".repeat(257)] {
            assert!(matches!(check_name(name), Err(EdgeHeaderError::Name(_))), "{name:?}");
        }
        assert_eq!(check_name("set-cookie"), Err(EdgeHeaderError::Cookie));
    }

    #[test]
    fn values_cannot_split_a_message() {
        for value in ["DENY", "default-src 'self'; img-src *", &"x".repeat(1_783)] {
            assert_eq!(check_value("x-a", value), Ok(()));
        }
        for value in ["", " a", "a ", "a\r\nb: c", "\u{e9}", "\u{1b}[0m", &"x".repeat(1_784)] {
            assert_eq!(check_value("x-a", value), Err(EdgeHeaderError::Value("x-a".to_owned())), "{value:?}");
        }
    }
}
