//! Calls the functions of a distribution: turns a viewer's request and a response into events, and results back into
//! HTTP.

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::Value;

use super::answer::set;
use super::{PreviewError, X_CACHE};
use crate::cloudfront::{CloudFrontService, Distribution};
use crate::function::{
    EdgeFunctionError, EventContext, ViewerRequest, ViewerResponse, check_request, check_response, encoded_bytes,
    is_hidden,
};
use crate::xml;

/// The viewer of the preview.
const VIEWER: &str = "127.0.0.1";

/// What a function made of a request.
pub(super) enum RequestOutcome {
    /// The request to continue with, and the same as the next event has it.
    Continue(Box<Parts>, Value),
    /// The answer.
    Answer(Box<Response<Body>>),
}

/// Calls the function of the viewer request.
pub(super) fn on_request(
    cloudfront: &CloudFrontService,
    distribution: &Distribution,
    function: &str,
    request: &Parts,
    uri: &str,
) -> Result<RequestOutcome, PreviewError> {
    let event = request_event(distribution, request, uri);
    let returned = match call(cloudfront, function, &event)?.and_then(|result| check_request(&event, result)) {
        Ok(returned) => returned,
        Err(error) => return Ok(RequestOutcome::Answer(Box::new(failure(&error)))),
    };
    if returned.get("statusCode").is_some() {
        let mut response = Response::new(Body::empty());
        apply(&request.method, &returned, &mut response);
        set(&mut response, X_CACHE, "FunctionGeneratedResponse from tidegate");
        return Ok(RequestOutcome::Answer(Box::new(response)));
    }
    let mut changed = request.clone();
    let path = returned.get("uri").and_then(Value::as_str).unwrap_or_default();
    changed.uri = path.parse().map_err(|error| PreviewError::Path(path.to_owned(), error))?;
    changed.headers = merged(&request.headers, &returned, &COOKIE);
    let cookies = entries(&returned, "cookies").map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    if let Ok(line) = HeaderValue::from_str(&cookies.join("; "))
        && !cookies.is_empty()
    {
        changed.headers.insert(COOKIE, line);
    }
    Ok(RequestOutcome::Continue(Box::new(changed), returned))
}

/// The request as an event has it, for distributions without a function of the viewer request.
pub(super) fn event_request(distribution: &Distribution, request: &Parts, uri: &str) -> Value {
    request_event(distribution, request, uri).get("request").cloned().unwrap_or_default()
}

/// Calls the function of the viewer response. `request` is the request as the other function left it.
pub(super) fn on_response(
    cloudfront: &CloudFrontService,
    distribution: &Distribution,
    function: &str,
    method: &Method,
    request: &Value,
    response: &mut Response<Body>,
) -> Result<(), PreviewError> {
    let own = ViewerResponse { status: response.status(), headers: response.headers() };
    let event = context(distribution, "viewer-response").response(request, &own);
    match call(cloudfront, function, &event)?.and_then(|result| check_response(&event, result)) {
        Ok(returned) => apply(method, &returned, response),
        Err(error) => *response = failure(&error),
    }
    Ok(())
}

fn call(
    cloudfront: &CloudFrontService,
    function: &str,
    event: &Value,
) -> Result<Result<Value, EdgeFunctionError>, PreviewError> {
    let run = cloudfront.run_live(function, event)?;
    for line in run.logs {
        tracing::info!(function, "{line}");
    }
    Ok(run.result)
}

fn context(distribution: &Distribution, kind: &'static str) -> EventContext {
    EventContext {
        kind,
        distribution_id: distribution.id.clone(),
        distribution_domain: distribution.domain_name(),
        request_id: xml::request_id(),
        viewer_ip: VIEWER.to_owned(),
    }
}

fn request_event(distribution: &Distribution, request: &Parts, uri: &str) -> Value {
    let own = ViewerRequest {
        method: request.method.as_str(),
        uri,
        query: request.uri.query().unwrap_or_default(),
        headers: &request.headers,
    };
    context(distribution, "viewer-request").request(&own)
}

/// The answer to viewers if a function fails.
fn failure(error: &EdgeFunctionError) -> Response<Body> {
    tracing::warn!(code = error.code(), "a function failed: {error}");
    let mut response = Response::new(Body::from(format!("{}: {error}\n", error.code())));
    *response.status_mut() = error.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    set(&mut response, X_CACHE, &format!("{} from tidegate", error.code()));
    response
}

/// The names and values of an object's member. A name with several values occurs several times.
fn entries<'a>(of: &'a Value, member: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let object = of.get(member).and_then(Value::as_object);
    object.into_iter().flatten().flat_map(|(name, entry)| {
        let several = entry.get("multiValue").and_then(Value::as_array);
        let values: Vec<&Value> = several.map_or_else(|| vec![entry], |values| values.iter().collect());
        values.into_iter().filter_map(move |value| Some((name.as_str(), value.get("value")?.as_str()?)))
    })
}

/// The headers that a function returned, and those of `before` that it did not see.
fn merged(before: &HeaderMap, returned: &Value, cookies: &HeaderName) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in before {
        if is_hidden(name.as_str()) && name != cookies {
            headers.append(name.clone(), value.clone());
        }
    }
    for (name, value) in entries(returned, "headers") {
        // Both are checked.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// Makes a response what a function returned. Its body stays unless the function returned one.
fn apply(method: &Method, returned: &Value, response: &mut Response<Body>) {
    let status = returned.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    if let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) {
        *response.status_mut() = status;
    }
    let length = response.headers().get(CONTENT_LENGTH).cloned();
    *response.headers_mut() = merged(response.headers(), returned, &SET_COOKIE);
    for (name, cookie) in returned.get("cookies").and_then(Value::as_object).into_iter().flatten() {
        let several = cookie.get("multiValue").and_then(Value::as_array);
        for cookie in several.map_or_else(|| vec![cookie], |cookies| cookies.iter().collect()) {
            let text = |name: &str| cookie.get(name).and_then(Value::as_str);
            let mut line = format!("{name}={}", text("value").unwrap_or_default());
            if let Some(attributes) = text("attributes") {
                line.push_str("; ");
                line.push_str(attributes);
            }
            if let Ok(line) = HeaderValue::from_str(&line) {
                response.headers_mut().append(SET_COOKIE, line);
            }
        }
    }
    let body = match returned.get("body") {
        Some(Value::String(text)) => Some(text.clone().into_bytes()),
        Some(body) => {
            let text = |name: &str| body.get(name).and_then(Value::as_str);
            let encoding = if text("encoding") == Some("base64") { "base64" } else { "utf8" };
            encoded_bytes(text("data").unwrap_or_default(), encoding)
        }
        None => None,
    };
    match body {
        Some(body) => {
            set(response, CONTENT_LENGTH, &body.len().to_string());
            *response.body_mut() = if *method == Method::HEAD { Body::empty() } else { Body::from(body) };
        }
        // The length is that of the body, whatever the function says.
        None => {
            response.headers_mut().remove(CONTENT_LENGTH);
            response.headers_mut().extend(length.map(|length| (CONTENT_LENGTH, length)));
        }
    }
}
