//! Origins of CORS: those that viewers send, and patterns of those that a policy allows.
//!
//! Source: CloudFront Developer Guide, "Understand response headers policies", "Access-Control-Allow-Origin". A wildcard
//! is the whole pattern, the leftmost part of the domain, or the port. The guide leaves open how many levels it covers:
//! any number here, as in alternate domain names of a distribution.

/// A scheme, a host and a port. In a pattern, the first and the last may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OriginParts<'a> {
    /// A pattern without a scheme allows all schemes.
    scheme: Option<&'a str>,
    host: &'a str,
    /// A pattern without a port allows the default port only.
    port: Option<&'a str>,
}

impl<'a> OriginParts<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) =
            text.split_once("://").map_or((None, text), |(scheme, authority)| (Some(scheme), authority));
        let is_port = |port: &str| port == "*" || !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if is_port(port) => (host, Some(port)),
            _ => (authority, None),
        };
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        };
        (scheme.is_none_or(is_scheme) && is_host(host.strip_prefix("*.").unwrap_or(host))).then_some(Self {
            scheme,
            host,
            port,
        })
    }
}

/// Whether this is a host without a wildcard.
fn is_host(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = address {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    host.split('.').all(is_label)
}

/// Whether a policy can allow this.
pub(super) fn is_pattern(text: &str) -> bool {
    text == "*" || OriginParts::parse(text).is_some()
}

/// Whether a pattern other than `*` allows the origin of a request.
pub(super) fn allows(pattern: &str, origin: &str) -> bool {
    let (Some(pattern), Some(origin)) = (OriginParts::parse(pattern), OriginParts::parse(origin)) else {
        return false;
    };
    // The opaque origin `null` has no scheme. Only patterns have wildcards.
    let Some(scheme) = origin.scheme.filter(|_| !origin.host.contains('*')) else { return false };
    let scheme = pattern.scheme.is_none_or(|allowed| allowed.eq_ignore_ascii_case(scheme));
    let host = origin.host.to_ascii_lowercase();
    let allowed = pattern.host.to_ascii_lowercase();
    let host = match allowed.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => host == allowed,
    };
    scheme && host && (pattern.port == Some("*") || pattern.port == origin.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_wildcards_on_the_left_only() {
        for valid in [
            "*",
            "example.org",
            "*.example.org",
            "https://example.org",
            "https://*.example.org",
            "http://localhost:3000",
            "http://localhost:*",
            "http://[::1]:3000",
            "capacitor://localhost",
            "test.example.comtest",
        ] {
            assert!(is_pattern(valid), "{valid}");
        }
        for invalid in [
            "",
            "**",
            "example.*",
            "test.*.example.org",
            "*test.example.org",
            "exa*mple.org",
            "*.*.example.org",
            "*://example.org",
            "https://",
            "://example.org",
            "https://example.org/",
            "https://example.org/path",
            "https://user@example.org",
            "https://example.org:",
            "https://example.org:8*",
            "https://example..org",
            "https://exam ple.org",
            "https://[::1",
        ] {
            assert!(!is_pattern(invalid), "{invalid}");
        }
    }

    /// Rows: a pattern, origins that it allows, and origins that it does not.
    #[test]
    fn patterns_allow_origins() {
        let rows: [(&str, &[&str], &[&str]); 7] = [
            (
                "https://example.org",
                &["https://example.org", "HTTPS://EXAMPLE.ORG"],
                &[
                    "http://example.org",
                    "https://example.org:8443",
                    "https://a.example.org",
                    "https://example.org.evil",
                ],
            ),
            ("example.org", &["http://example.org", "https://example.org"], &["https://example.org:8443", "null"]),
            (
                "https://*.example.org",
                &["https://a.example.org", "https://a.b.example.org"],
                &[
                    "https://example.org",
                    "https://.example.org",
                    "http://a.example.org",
                    "https://evilexample.org",
                    "https://*.example.org",
                ],
            ),
            ("*.example.org", &["http://a.example.org", "https://a.example.org"], &["https://a.example.org.evil"]),
            ("http://localhost:3000", &["http://localhost:3000"], &["http://localhost", "http://localhost:30000"]),
            ("http://localhost:*", &["http://localhost", "http://localhost:3000"], &["https://localhost:3000"]),
            ("null", &[], &["null", "http://*.null"]),
        ];
        for (pattern, allowed, others) in rows {
            for origin in allowed {
                assert!(allows(pattern, origin), "{pattern} allows {origin}");
            }
            for origin in others {
                assert!(!allows(pattern, origin), "{pattern} does not allow {origin}");
            }
        }
    }
}
