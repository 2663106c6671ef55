//! The `Server-Timing` header: for which responses CloudFront adds it, and its metrics.
//!
//! Source: CloudFront Developer Guide, "Understand response headers policies", "Server-Timing header"; CloudFront API
//! Reference, "ResponseHeadersPolicyServerTimingHeadersConfig". They do not say what a missing sampling rate means; it is
//! zero here.

use http::header::PRAGMA;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::error::{CloudFrontError, RefusalCode};
use super::{CacheResult, ViewerExchange};
use crate::xml::{self, XmlElement};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The value of `Pragma` that asks for the header.
const REQUESTED: &str = "server-timing";

/// The location of the edge. AWS has none of this name.
const POP: &str = "LOCAL50-C1";

fn sampling_rate(config: &XmlElement) -> Option<f64> {
    config.text_at(&["ServerTimingHeadersConfig", "SamplingRate"]).and_then(|rate| rate.trim().parse().ok())
}

/// Checks the sampling rate.
pub(super) fn check(config: &XmlElement) -> Result<(), CloudFrontError> {
    let has_four_decimals = |rate: f64| format!("{rate:.4}").parse() == Ok(rate);
    if sampling_rate(config).is_none_or(|rate| (0.0..=100.0).contains(&rate) && has_four_decimals(rate)) {
        return Ok(());
    }
    let message = "The sampling rate must be a number from 0 to 100 with at most four decimal places.";
    Err(CloudFrontError::refused(RefusalCode::InvalidArgument, message))
}

/// Adds the header if the viewer asked for it, or if the response is in the sample.
pub(super) fn apply(config: &XmlElement, exchange: &ViewerExchange<'_>, headers: &mut HeaderMap) {
    if config.text_at(&["ServerTimingHeadersConfig", "Enabled"]) != Some("true") {
        return;
    }
    let is_requested = exchange
        .headers
        .get_all(PRAGMA)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|directive| directive.trim().eq_ignore_ascii_case(REQUESTED));
    // From 0 to less than 100; without random numbers, only a rate of 100 adds the header.
    let drawn = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0) * 100.0;
    if !is_requested && drawn >= sampling_rate(config).unwrap_or_default() {
        return;
    }
    let own = metrics(exchange);
    // A copy of the cache has no metrics of the origin.
    let origin = headers.get(SERVER_TIMING).filter(|_| exchange.cache != Some(CacheResult::Hit));
    let value = match origin.and_then(|value| value.to_str().ok()) {
        Some(origin) => format!("{own},{origin}"),
        None => own,
    };
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(SERVER_TIMING, value);
    }
}

/// The metrics of the edge. The origin is in the same process, so DNS and the connection take 0 ms.
fn metrics(exchange: &ViewerExchange<'_>) -> String {
    let origin = format!(
        "cdn-upstream-dns;dur=0,cdn-upstream-connect;dur=0,cdn-upstream-fbl;dur={},",
        exchange.origin_time.as_millis()
    );
    let (before, after) = match exchange.cache {
        Some(CacheResult::Miss) => (format!("cdn-upstream-layer;desc=\"EDGE\",{origin}cdn-cache-miss,"), ""),
        Some(CacheResult::Refresh) => (format!("{origin}cdn-cache-refresh,"), ""),
        Some(CacheResult::Hit) => ("cdn-cache-hit,".to_owned(), "cdn-hit-layer;desc=\"EDGE\","),
        None => (String::new(), ""),
    };
    format!(
        "{before}cdn-pop;desc=\"{POP}\",cdn-rid;desc=\"{}\",{after}cdn-downstream-fbl;dur={}",
        xml::request_id(),
        exchange.time.as_millis()
    )
}
