//! The answer to one visitor: applies conditions, ranges and HEAD to an object from the cache or the origin.
//!
//! Source: RFC 9110, sections 13 (conditional requests) and 14 (range requests).

use std::ops::Range;

use axum::body::Body;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The part of a body that a visitor gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RangePart {
    /// The whole body.
    Whole,
    /// These bytes.
    Range(Range<u64>),
    /// Nothing, since the visitor already has the body.
    NotModified,
    /// Nothing, since the body has no such bytes.
    NotSatisfiable,
}

/// Selects the part of a body of `length` bytes. Only a 200 has conditions and ranges.
pub(super) fn part(status: StatusCode, headers: &HeaderMap, length: u64, request: &HeaderMap) -> RangePart {
    if status != StatusCode::OK {
        return RangePart::Whole;
    }
    if is_known(headers, request) {
        return RangePart::NotModified;
    }
    let Some(range) = text(request, &RANGE) else {
        return RangePart::Whole;
    };
    if let Some(condition) = text(request, &IF_RANGE)
        && text(headers, &ETAG) != Some(condition)
        && text(headers, &LAST_MODIFIED) != Some(condition)
    {
        return RangePart::Whole;
    }
    // Several ranges, other units and malformed ranges are ignored, as the RFC allows.
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return RangePart::Whole;
    };
    let number = |text: &str| {
        if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse::<u64>().ok() } else { None }
    };
    let range = match (first.is_empty(), number(first), last.is_empty(), number(last)) {
        (true, _, false, Some(suffix)) => length.saturating_sub(suffix)..length,
        (false, Some(first), true, _) => first..length,
        (false, Some(first), false, Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        _ => return RangePart::Whole,
    };
    if range.is_empty() { RangePart::NotSatisfiable } else { RangePart::Range(range) }
}

/// Whether the request's conditions say that the visitor already has this answer.
fn is_known(headers: &HeaderMap, request: &HeaderMap) -> bool {
    let weak = |etag: &str| etag.trim().trim_start_matches("W/").to_owned();
    if request.contains_key(IF_NONE_MATCH) {
        let etag = text(headers, &ETAG).map(weak);
        return request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|condition| condition.trim() == "*" || Some(weak(condition)) == etag);
    }
    let date = |text: &str| -> Option<Timestamp> { DateTimeParser::new().parse_timestamp(text).ok() };
    let since = text(request, &IF_MODIFIED_SINCE).and_then(date);
    let modified = text(headers, &LAST_MODIFIED).and_then(date);
    since.zip(modified).is_some_and(|(since, modified)| modified <= since)
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Builds the answer. `body` holds the bytes of `part`; `length` is that of the whole body.
pub(super) fn response(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    length: u64,
    part: &RangePart,
    body: Body,
) -> Response<Body> {
    let mut response = Response::new(if *method == Method::HEAD { Body::empty() } else { body });
    *response.headers_mut() = headers.clone();
    let (status, sent) = match part {
        RangePart::Whole => (status, length),
        RangePart::Range(range) => {
            set(
                &mut response,
                CONTENT_RANGE,
                &format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1)),
            );
            (StatusCode::PARTIAL_CONTENT, range.end.saturating_sub(range.start))
        }
        RangePart::NotModified => {
            response.headers_mut().remove(CONTENT_TYPE);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::empty();
            return response;
        }
        RangePart::NotSatisfiable => {
            set(&mut response, CONTENT_RANGE, &format!("bytes */{length}"));
            *response.body_mut() = Body::empty();
            (StatusCode::RANGE_NOT_SATISFIABLE, 0)
        }
    };
    *response.status_mut() = status;
    set(&mut response, CONTENT_LENGTH, &sent.to_string());
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

pub(super) fn set(response: &mut Response<Body>, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn ranges() {
        for (range, expected) in [
            ("bytes=0-0", RangePart::Range(0..1)),
            ("bytes=2-", RangePart::Range(2..10)),
            ("bytes=-3", RangePart::Range(7..10)),
            ("bytes=-30", RangePart::Range(0..10)),
            ("bytes=5-99", RangePart::Range(5..10)),
            ("bytes=10-", RangePart::NotSatisfiable),
            ("bytes=-0", RangePart::NotSatisfiable),
            ("bytes=5-2", RangePart::Whole),
            ("bytes=0-1,3-4", RangePart::Whole),
            ("bytes=-", RangePart::Whole),
            ("bytes=+1-2", RangePart::Whole),
            ("lines=0-1", RangePart::Whole),
        ] {
            assert_eq!(part(StatusCode::OK, &HeaderMap::new(), 10, &headers(&[(RANGE, range)])), expected, "{range}");
            assert_eq!(
                part(StatusCode::NOT_FOUND, &HeaderMap::new(), 10, &headers(&[(RANGE, range)])),
                RangePart::Whole
            );
        }
        let headers_of_object = headers(&[(ETAG, "\"a\"")]);
        for (condition, expected) in [("\"a\"", RangePart::Range(0..1)), ("\"b\"", RangePart::Whole)] {
            let request = headers(&[(RANGE, "bytes=0-0"), (IF_RANGE, condition)]);
            assert_eq!(part(StatusCode::OK, &headers_of_object, 10, &request), expected);
        }
    }

    #[test]
    fn conditions() {
        let headers_of_object = headers(&[(ETAG, "\"a\""), (LAST_MODIFIED, "Thu, 01 Jan 2026 00:00:00 GMT")]);
        for (name, value, known) in [
            (IF_NONE_MATCH, "\"a\"", true),
            (IF_NONE_MATCH, "W/\"a\"", true),
            (IF_NONE_MATCH, "\"b\", \"a\"", true),
            (IF_NONE_MATCH, "*", true),
            (IF_NONE_MATCH, "\"b\"", false),
            (IF_MODIFIED_SINCE, "Thu, 01 Jan 2026 00:00:00 GMT", true),
            (IF_MODIFIED_SINCE, "Wed, 31 Dec 2025 00:00:00 GMT", false),
            (IF_MODIFIED_SINCE, "yesterday", false),
        ] {
            assert_eq!(
                part(StatusCode::OK, &headers_of_object, 1, &headers(&[(name, value)])) == RangePart::NotModified,
                known,
                "{value}"
            );
        }
        let both = headers(&[(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, "Fri, 01 Jan 2027 00:00:00 GMT")]);
        assert_eq!(
            part(StatusCode::OK, &headers_of_object, 1, &both),
            RangePart::Whole,
            "the ETag takes precedence over the date"
        );
    }
}
