//! Events: what a function gets.
//!
//! Source: CloudFront Developer Guide, "CloudFront Functions event structure".

use http::{HeaderMap, HeaderName, header};
use serde_json::{Map, Value, json};

/// Headers that functions do not see. Source: CloudFront Developer Guide, "Restrictions on all edge functions",
/// "Disallowed headers".
pub(crate) fn is_hidden(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "upgrade",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-limit-rate",
        "x-accel-redirect",
        "x-cache",
        "x-forwarded-proto",
        "x-real-ip",
    ];
    NAMES.contains(&name) || name.starts_with("x-amz-cf-") || name.starts_with("x-edge-")
}

/// Where an event happens.
#[derive(Debug, Clone)]
pub struct EventContext {
    /// `viewer-request` or `viewer-response`.
    pub kind: &'static str,
    /// The ID of the distribution.
    pub distribution_id: String,
    /// The domain of the distribution.
    pub distribution_domain: String,
    /// An ID of the request.
    pub request_id: String,
    /// The address of the viewer.
    pub viewer_ip: String,
}

/// A request of a viewer.
#[derive(Debug, Clone)]
pub struct ViewerRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, as the viewer sent it.
    pub uri: &'a str,
    /// The query without its `?`.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// A response to a viewer.
#[derive(Debug, Clone)]
pub struct ViewerResponse<'a> {
    /// The status.
    pub status: http::StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
}

impl EventContext {
    /// The event of a request.
    pub fn request(&self, request: &ViewerRequest<'_>) -> Value {
        let request = json!({
            "method": request.method,
            "uri": request.uri,
            "querystring": query(request.query),
            "headers": headers(request.headers, &header::COOKIE),
            "cookies": cookies(request.headers),
        });
        self.event(&request)
    }

    /// The event of a response. `request` is the request as the function of the viewer request left it.
    pub fn response(&self, request: &Value, response: &ViewerResponse<'_>) -> Value {
        let mut event = self.event(request);
        if let Some(event) = event.as_object_mut() {
            let response = json!({
                "statusCode": response.status.as_u16(),
                "statusDescription": response.status.canonical_reason().unwrap_or_default(),
                "headers": headers(response.headers, &header::SET_COOKIE),
                "cookies": set_cookies(response.headers),
            });
            event.insert("response".to_owned(), response);
        }
        event
    }

    fn event(&self, request: &Value) -> Value {
        json!({
            "version": "1.0",
            "context": {
                "distributionDomainName": self.distribution_domain,
                "distributionId": self.distribution_id,
                "endpoint": self.distribution_domain,
                "eventType": self.kind,
                "requestId": self.request_id,
            },
            "viewer": { "ip": self.viewer_ip },
            "request": request,
        })
    }
}

/// The event of a GET request for `target`, a path with an optional query, on `host`.
#[must_use]
pub fn request_event(host: &str, target: &str) -> Value {
    let context = EventContext {
        kind: "viewer-request",
        distribution_id: "EDFDVBD6EXAMPLE".to_owned(),
        distribution_domain: "d111111abcdef8.cloudfront.net".to_owned(),
        request_id: "4TyzHTaYWb1GX1qTfsHhEqV6HUDd_BzoBZnwfnvQc_1oF26ClkoUSEQ==".to_owned(),
        viewer_ip: "198.51.100.11".to_owned(),
    };
    let (uri, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HeaderMap::new();
    if let Ok(host) = host.parse() {
        headers.insert(header::HOST, host);
    }
    context.request(&ViewerRequest { method: "GET", uri, query, headers: &headers })
}

/// An entry with one or several values: the last of them is `value`, and all of them are `multiValue`.
fn add(entries: &mut Map<String, Value>, name: &str, value: Map<String, Value>) {
    match entries.get_mut(name).and_then(Value::as_object_mut) {
        None => {
            entries.insert(name.to_owned(), Value::Object(value));
        }
        Some(entry) => {
            if !entry.contains_key("multiValue") {
                let first = Value::Object(entry.clone());
                entry.insert("multiValue".to_owned(), json!([first]));
            }
            let last = Value::Object(value.clone());
            if let Some(Value::Array(all)) = entry.get_mut("multiValue") {
                all.push(last);
            }
            entry.extend(value);
        }
    }
}

fn single(value: &str) -> Map<String, Value> {
    Map::from_iter([("value".to_owned(), Value::from(value))])
}

/// Names and values as they were sent, still percent-encoded.
fn query(query: &str) -> Map<String, Value> {
    let mut entries = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        add(&mut entries, name, single(value));
    }
    entries
}

fn headers(headers: &HeaderMap, cookies: &HeaderName) -> Map<String, Value> {
    let mut entries = Map::new();
    for (name, value) in headers {
        if name != cookies && !is_hidden(name.as_str()) {
            add(&mut entries, name.as_str(), single(&String::from_utf8_lossy(value.as_bytes())));
        }
    }
    entries
}

fn cookies(headers: &HeaderMap) -> Map<String, Value> {
    let mut entries = Map::new();
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    for pair in lines.flat_map(|line| line.split(';')).map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        add(&mut entries, name, single(value));
    }
    entries
}

fn set_cookies(headers: &HeaderMap) -> Map<String, Value> {
    let mut entries = Map::new();
    for line in headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok()) {
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let mut entry = single(value.trim());
        if !attributes.trim().is_empty() {
            entry.insert("attributes".to_owned(), Value::from(attributes.trim()));
        }
        add(&mut entries, name.trim(), entry);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_have_several_values() {
        let event = request_event("example.com", "/a?x=1&y=%20&x=2&z&x=3");
        assert_eq!(
            event["request"]["querystring"],
            json!({
                "x": { "value": "3", "multiValue": [{ "value": "1" }, { "value": "2" }, { "value": "3" }] },
                "y": { "value": "%20" },
                "z": { "value": "" },
            })
        );
        assert_eq!(event["request"]["uri"], "/a");
        assert_eq!(event["request"]["headers"], json!({ "host": { "value": "example.com" } }));
    }

    #[test]
    fn cookies_are_not_headers_and_some_headers_are_hidden() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("cookie", "a=1; b=2"), ("connection", "close"), ("x-amz-cf-id", "x"), ("accept", "*/*")]
        {
            headers.append(name, value.parse().expect("a value"));
        }
        assert_eq!(Value::Object(super::headers(&headers, &header::COOKIE)), json!({ "accept": { "value": "*/*" } }));
        assert_eq!(Value::Object(cookies(&headers)), json!({ "a": { "value": "1" }, "b": { "value": "2" } }));
        headers.append("set-cookie", "id=1; Secure; Path=/".parse().expect("a value"));
        let expected = json!({ "id": { "value": "1", "attributes": "Secure; Path=/" } });
        assert_eq!(Value::Object(set_cookies(&headers)), expected);
    }
}
