//! How long the edge may answer from what it holds, from the headers of the origin. It owns the
//! table of CloudFront's rules; never the clock.
//!
//! Source: "Manage how long content stays in the cache (expiration)" and "How CloudFront caches
//! HTTP 4xx and 5xx status codes", CloudFront Developer Guide, for the default settings: minimum 0,
//! default 24 hours, maximum 365 days, errors 10 seconds.

use std::time::Duration;

use http::header::{CACHE_CONTROL, EXPIRES};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// For how long an object without headers is held.
pub(super) const DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);
/// For how long anything is held at the most.
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// For how long an error is held at the least.
pub(super) const ERROR: Duration = Duration::from_secs(10);

/// What may be done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It may be given again for so long; then the origin is asked whether it has changed. Zero: it
    /// is asked every time.
    For(Duration),
    /// It isn't held.
    Never,
}

/// Judges an answer of the origin.
pub(super) fn of(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Freshness {
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
    // `no-cache="field"` and `private="field"` say it of one field, but CloudFront has no such
    // distinction.
    let forbidden = ["no-store", "no-cache", "private"];
    let names = |directive: &String| directive.split('=').next().unwrap_or_default().to_owned();
    if directives.iter().map(names).any(|name| forbidden.contains(&name.as_str())) {
        return if is_error { Freshness::For(ERROR) } else { Freshness::Never };
    }
    let expires = || {
        let value = headers.get(EXPIRES)?.to_str().ok()?;
        // A date that can't be read is in the past. Source: RFC 9111, section 5.3.
        let expires = DateTimeParser::new().parse_timestamp(value).unwrap_or(Timestamp::UNIX_EPOCH);
        Some(Duration::try_from(expires.duration_since(now)).unwrap_or(Duration::ZERO))
    };
    let asked = seconds("s-maxage").or_else(|| seconds("max-age")).or_else(expires);
    let lasts = if is_error { asked.unwrap_or(ERROR).max(ERROR) } else { asked.unwrap_or(DEFAULT) };
    Freshness::For(lasts.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// Rows: status, Cache-Control, Expires, what may be done.
    #[test]
    fn cloudfronts_rules() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
        let lasts = |seconds| Freshness::For(Duration::from_secs(seconds));
        for (status, cache_control, expires, expected) in [
            (200, None, None, lasts(86_400)),
            (301, None, None, lasts(86_400)),
            (200, Some("public, max-age=60"), None, lasts(60)),
            (200, Some("max-age=60, S-MaxAge=600"), None, lasts(600)),
            (200, Some("max-age=0"), None, lasts(0)),
            (200, Some("max-age=99999999999"), None, lasts(365 * 86_400)),
            (200, Some("no-cache"), None, Freshness::Never),
            (200, Some("max-age=60, no-store"), None, Freshness::Never),
            (200, Some("private"), None, Freshness::Never),
            (200, Some("must-revalidate"), None, lasts(86_400)),
            (200, None, Some("Thu, 01 Jan 2026 00:01:00 GMT"), lasts(60)),
            (200, None, Some("Wed, 31 Dec 2025 00:00:00 GMT"), lasts(0)),
            (200, None, Some("0"), lasts(0)),
            (200, Some("max-age=5"), Some("Thu, 01 Jan 2026 00:01:00 GMT"), lasts(5)),
            (404, None, None, lasts(10)),
            (404, Some("max-age=3600"), None, lasts(3_600)),
            (404, Some("max-age=1"), None, lasts(10)),
            (404, Some("no-cache"), None, lasts(10)),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = cache_control {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
            }
            if let Some(value) = expires {
                headers.insert(EXPIRES, HeaderValue::from_static(value));
            }
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(of(status, &headers, now), expected, "{status} {cache_control:?} {expires:?}");
        }
    }
}
