//! Which results of functions CloudFront refuses, and with which failure.

use http::StatusCode;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tidegate_emulator::function::{EdgeFunction, EdgeFunctionError, request_event};

use super::function;

/// Runs a statement on `request` or `response`, and returns what CloudFront makes of the result.
fn request(statement: &str) -> Result<Value, EdgeFunctionError> {
    let code = format!("function handler(event) {{ var request = event.request; {statement}; return request; }}");
    function(&code)?.request(&request_event("example.com", "/a?b=1&b=2"))
}

fn response(statement: &str) -> Result<Value, EdgeFunctionError> {
    let code = format!("function handler(event) {{ var response = event.response; {statement}; return response; }}");
    let mut event = request_event("example.com", "/a");
    event["response"] = json!({
        "statusCode": 200,
        "statusDescription": "OK",
        "headers": { "content-type": { "value": "text/html" }, "via": { "value": "1.1 x" } },
        "cookies": {},
    });
    function(&code)?.response(&event)
}

#[test]
fn accepts_what_cloudfront_accepts() {
    assert_eq!(request("request.uri = '/b'").expect("a request")["uri"], "/b");
    let query = request("request.querystring = { c: { value: '1' } }").expect("a request");
    assert_eq!(query["querystring"], json!({ "c": { "value": "1" } }));
    let headers = request("request.headers['x-a'] = { value: '1', multiValue: [{ value: '1' }, { value: '2' }] }");
    assert_eq!(headers.expect("a request")["headers"]["x-a"]["multiValue"][1]["value"], "2");
    let redirect = request("return { statusCode: 301, headers: { location: { value: '/b' } } }");
    assert_eq!(redirect.expect("a response")["headers"]["location"]["value"], "/b");
    for body in ["'text'", "{ encoding: 'text', data: 'a' }", "{ encoding: 'base64', data: 'YQ==' }"] {
        request(&format!("return {{ statusCode: 401, statusDescription: 'No', body: {body} }}")).expect(body);
    }
    let changed = response(
        "response.statusCode = 404; response.headers['x-a'] = { value: '1' }; delete response.headers['content-type']",
    );
    assert_eq!(changed.expect("a response")["statusCode"], 404);
    response("response.cookies.id = { value: '1', attributes: 'Secure' }").expect("a cookie");
}

#[test]
fn refuses_what_cloudfront_refuses() {
    for statement in [
        "return undefined",
        "return null",
        "return 'text'",
        "return []",
        "return {}",
        "return { request: request }",
        "request.method = 'POST'",
        "request.uri = 'b'",
        "request.uri = ''",
        "request.uri = '/a b'",
        "request.uri = '/é'",
        "request.uri = '/a?b'",
        "request.uri = '/a#b'",
        "request.uri = 1",
        "delete request.uri",
        "delete request.headers",
        "request.uri = '/' + 'a'.repeat(8200)",
        "request.querystring = 'a=1'",
        "request.querystring.b = { value: 'a b' }",
        "request.querystring.b = { value: 1 }",
        "request.querystring.b = '1'",
        "request.querystring.b = { multiValue: 'x' }",
        "request.headers.host = { value: 'other.example.com' }",
        "delete request.headers.host",
        "request.headers.via = { value: '1.1 x' }",
        "request.headers['content-length'] = { value: '0' }",
        "request.headers.connection = { value: 'close' }",
        "request.headers['x-amz-cf-id'] = { value: 'x' }",
        "request.headers['x-edge-location'] = { value: 'x' }",
        "request.headers['X-A'] = { value: 'x' }",
        "request.headers['x a'] = { value: 'x' }",
        "request.headers['x-a'] = { value: 'a\\nb' }",
        "request.headers['x-a'] = 'x'",
        "request.headers['x-a'] = { value: 1 }",
        "request.headers.cookie = { value: 'a=1' }",
        "request.body = 'x'",
        "return { statusCode: '301' }",
        "return { statusCode: 99 }",
        "return { statusCode: 600 }",
        "return { statusCode: 200, body: 1 }",
        "return { statusCode: 200, body: { encoding: 'gzip', data: 'x' } }",
        "return { statusCode: 200, body: { encoding: 'base64', data: '*' } }",
        "return { statusCode: 200, headers: { location: '/b' } }",
        "return { statusCode: 200, extra: 1 }",
    ] {
        let error = request(statement).expect_err(statement);
        assert_eq!((error.code(), error.status()), ("FunctionValidationError", StatusCode::BAD_GATEWAY), "{statement}");
    }
    for statement in [
        "response.statusCode = 'x'",
        "delete response.statusCode",
        "response.headers.via = { value: 'other' }",
        "delete response.headers.via",
        "response.headers.warning = { value: '199 - x' }",
        "response.headers.upgrade = { value: 'x' }",
        "response.headers['set-cookie'] = { value: 'a=1' }",
        "return event.request",
        "return undefined",
    ] {
        let error = response(statement).expect_err(statement);
        assert_eq!(error.code(), "FunctionValidationError", "{statement}");
    }
}

#[test]
fn a_failure_of_the_code_is_another_error() {
    let error = request("null.x").expect_err("an error");
    assert_eq!((error.code(), error.status()), ("FunctionExecutionError", StatusCode::SERVICE_UNAVAILABLE));
}

#[test]
fn global_state_stays_from_one_request_to_the_next() {
    let code =
        "var count = 0; function handler(event) { count++; event.request.uri = '/' + count; return event.request; }";
    let function = EdgeFunction::new(code, |_| None).expect("a function");
    let event = request_event("example.com", "/");
    for expected in ["/1", "/2"] {
        assert_eq!(function.request(&event).expect("a request")["uri"], expected);
    }
}
