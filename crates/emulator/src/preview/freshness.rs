//! How long the preview may serve a cached answer, from the headers of the origin.
//!
//! Source: CloudFront Developer Guide, "Manage how long content stays in the cache (expiration)" and "How CloudFront
//! caches HTTP 4xx and 5xx status codes", for the default settings: minimum 0, default 24 hours, maximum 365 days,
//! errors 10 seconds.

use std::time::Duration;

use http::header::{CACHE_CONTROL, EXPIRES};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// How long an object without caching headers stays fresh.
pub(super) const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest time that an object stays fresh.
pub(super) const MAX_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The shortest time that an error stays fresh if the distribution does not say it.
pub(super) const MIN_ERROR_LIFETIME: Duration = Duration::from_secs(10);

/// Whether an answer may be cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Fresh for this long. After that the origin is asked whether the object has changed; with zero, every time.
    For(Duration),
    /// Not cached.
    Never,
}

/// The freshness of an answer of the origin. An error is fresh for at least `min_error`.
pub(super) fn of(status: StatusCode, headers: &HeaderMap, now: Timestamp, min_error: Duration) -> Freshness {
    let directives: Vec<String> = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    let seconds = |name: &str| {
        directives.iter().find_map(|directive| {
            let value = directive.strip_prefix(name)?.strip_prefix('=')?;
            value.trim_matches('"').parse().ok().map(Duration::from_secs)
        })
    };
    let is_error = status.is_client_error() || status.is_server_error();
    // `no-cache="field"` and `private="field"` restrict one field, but CloudFront makes no such distinction.
    let forbidden = ["no-store", "no-cache", "private"];
    let names = |directive: &String| directive.split('=').next().unwrap_or_default().to_owned();
    if directives.iter().map(names).any(|name| forbidden.contains(&name.as_str())) {
        return if is_error { Freshness::For(min_error) } else { Freshness::Never };
    }
    let expires = || {
        let value = headers.get(EXPIRES)?.to_str().ok()?;
        // An invalid date is in the past. Source: RFC 9111, section 5.3.
        let expires = DateTimeParser::new().parse_timestamp(value).unwrap_or(Timestamp::UNIX_EPOCH);
        Some(Duration::try_from(expires.duration_since(now)).unwrap_or(Duration::ZERO))
    };
    let requested = seconds("s-maxage").or_else(|| seconds("max-age")).or_else(expires);
    let lifetime =
        if is_error { requested.unwrap_or(min_error).max(min_error) } else { requested.unwrap_or(DEFAULT_LIFETIME) };
    Freshness::For(lifetime.min(MAX_LIFETIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// Rows: status, Cache-Control, Expires, freshness.
    #[test]
    fn applies_cloudfronts_default_settings() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
        let fresh = |seconds| Freshness::For(Duration::from_secs(seconds));
        for (status, cache_control, expires, expected) in [
            (200, None, None, fresh(86_400)),
            (301, None, None, fresh(86_400)),
            (200, Some("public, max-age=60"), None, fresh(60)),
            (200, Some("max-age=60, S-MaxAge=600"), None, fresh(600)),
            (200, Some("max-age=0"), None, fresh(0)),
            (200, Some("max-age=99999999999"), None, fresh(365 * 86_400)),
            (200, Some("no-cache"), None, Freshness::Never),
            (200, Some("max-age=60, no-store"), None, Freshness::Never),
            (200, Some("private"), None, Freshness::Never),
            (200, Some("must-revalidate"), None, fresh(86_400)),
            (200, None, Some("Thu, 01 Jan 2026 00:01:00 GMT"), fresh(60)),
            (200, None, Some("Wed, 31 Dec 2025 00:00:00 GMT"), fresh(0)),
            (200, None, Some("0"), fresh(0)),
            (200, Some("max-age=5"), Some("Thu, 01 Jan 2026 00:01:00 GMT"), fresh(5)),
            (404, None, None, fresh(10)),
            (404, Some("max-age=3600"), None, fresh(3_600)),
            (404, Some("max-age=1"), None, fresh(10)),
            (404, Some("no-cache"), None, fresh(10)),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = cache_control {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
            }
            if let Some(value) = expires {
                headers.insert(EXPIRES, HeaderValue::from_static(value));
            }
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(
                of(status, &headers, now, MIN_ERROR_LIFETIME),
                expected,
                "{status} {cache_control:?} {expires:?}"
            );
        }
    }
}
