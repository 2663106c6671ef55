//! CloudFront functions as the emulator runs them: the runtime's objects and limits, and which results CloudFront
//! refuses. Lists of names and of syntax were measured with njs, which the real runtime is built on.

#![expect(clippy::indexing_slicing, reason = "clippy treats test helpers without a test attribute as product code")]

mod language;
mod results;

use std::collections::BTreeMap;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tidegate_emulator::function::{EdgeFunction, EdgeFunctionError, request_event};

/// A function without a store.
fn function(code: &str) -> Result<EdgeFunction, EdgeFunctionError> {
    EdgeFunction::new(code, |_| None)
}

/// Evaluates an expression in a function, and returns its value or the error.
fn evaluate(expression: &str) -> Result<Value, EdgeFunctionError> {
    let code = format!("async function handler(event) {{ return {{ value: {expression} }}; }}");
    let run = function(&code)?.run(&request_event("example.com", "/a?b=1"));
    run.result.map(|result| result["value"].clone())
}

#[test]
fn a_function_reads_its_store() {
    let keys: BTreeMap<&str, &str> = [("a", "1"), ("json", r#"{"x":[2]}"#)].into();
    let code = "import cf from 'cloudfront';
        const kvs = cf.kvs();
        async function read(key) {
            try { return await kvs.get(key); } catch (error) { return null; }
        }
        async function handler(event) {
            const parsed = await kvs.get('json', { format: 'json' });
            return { a: await read('a'), b: await read('b'), x: parsed.x[0], yes: await kvs.exists('a'), no: await kvs.exists('b') };
        }";
    let function = EdgeFunction::new(code, move |key| keys.get(key).map(|value| (*value).to_owned()));
    let run = function.expect("a function").run(&request_event("example.com", "/"));
    assert_eq!(run.result, Ok(json!({ "a": "1", "b": null, "x": 2, "yes": true, "no": false })));
}

#[test]
fn digests_and_encodings_are_those_of_node() {
    for (expression, expected) in [
        (
            "require('crypto').createHash('md5').update('a').update('b').digest('hex')",
            "187ef4436122d1cc2f40dc2b92f0eba0",
        ),
        ("require('crypto').createHash('sha1').update('é').digest('hex')", "bf15be717ac1b080b4f1c456692825891ff5073d"),
        (
            "require('crypto').createHash('sha256').update('abc').digest('base64url')",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
        ),
        ("require('crypto').createHash('md5').update('a').digest().toString('base64')", "DMF1ucDxtqgxw5niaXcmYQ=="),
        (
            "require('crypto').createHmac('sha256', 'key').update('The quick brown fox jumps over the lazy dog').digest('hex')",
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
        ),
        (
            "require('crypto').createHmac('md5', 'key').update('The quick brown fox jumps over the lazy dog').digest('hex')",
            "80070713463e7749b90c2dc24911e275",
        ),
        ("Buffer.from('w6k=', 'base64').toString()", "é"),
        ("Buffer.from('é').toString('hex')", "c3a9"),
        ("atob('dXNlcjpwYXNz')", "user:pass"),
        ("btoa('user:pass')", "dXNlcjpwYXNz"),
        ("new TextDecoder().decode(new TextEncoder().encode('é'))", "é"),
        ("require('querystring').stringify({ a: ['1', 'é'], b: ' ' })", "a=1&a=%C3%A9&b=%20"),
        ("require('querystring').parse('a=1&a=%20&b=x+y').a[1] + require('querystring').parse('b=x+y').b", " x y"),
        ("typeof global.Array", "function"),
    ] {
        assert_eq!(evaluate(expression), Ok(json!(expected)), "{expression}");
    }
    assert!(evaluate("require('fs')").is_err());
    assert!(evaluate("require('crypto').createHash('sha512')").is_ok(), "fails when it is used");
    assert!(evaluate("require('crypto').createHash('sha512').digest('hex')").is_err());
}

#[test]
fn logs_are_collected() {
    let code = "function handler(event) { console.log('a', 1, { b: [2] }); return event.request; }";
    let function = function(code).expect("a function");
    for _ in 0..2 {
        assert_eq!(function.run(&request_event("example.com", "/")).logs, ["a 1 {\"b\":[2]}"]);
    }
}

#[test]
fn a_run_ends_at_its_limits_and_the_next_one_works() {
    let code = "function handler(event) {
            const uri = event.request.uri;
            if (uri === '/loop') { while (true) {} }
            if (uri === '/caught') { try { while (true) {} } catch (error) { return event.request; } }
            if (uri === '/memory') { const list = []; while (true) { list.push('x'.repeat(100000 + list.length)); } }
            if (uri === '/stack') { return handler(event); }
            if (uri === '/throw') { throw new TypeError('no'); }
            if (uri === '/value') { throw 'text'; }
            if (uri === '/never') { return new Promise(function () {}); }
            return event.request;
        }";
    let function = function(code).expect("a function");
    let run = |path: &str| function.request(&request_event("example.com", path));
    assert_eq!(run("/loop"), Err(EdgeFunctionError::Compute));
    assert_eq!(run("/caught"), Err(EdgeFunctionError::Compute), "a function cannot catch it");
    let execution = |text: &str| Err(EdgeFunctionError::Execution(text.to_owned()));
    assert_eq!(run("/memory"), execution("InternalError: out of memory"));
    assert_eq!(run("/stack"), execution("RangeError: Maximum call stack size exceeded"));
    assert_eq!(run("/throw"), execution("TypeError: no"));
    assert_eq!(run("/value"), execution("text"));
    assert_eq!(run("/never"), execution("the function waits for a promise that is never resolved"));
    assert_eq!(run("/").map(|request| request["uri"].clone()), Ok(json!("/")));
    assert_eq!(function.run(&request_event("example.com", "/loop")).utilization, 100);
    assert!(function.run(&request_event("example.com", "/")).utilization < 50);
}

#[test]
fn code_that_cannot_run_says_why() {
    let error = |code: &str| function(code).expect_err("an error").to_string();
    assert!(error("function handler( {").starts_with("SyntaxError: "));
    assert!(error("function handle() {}").contains("handler"), "no handler");
    assert_eq!(error("throw new Error('at once'); function handler() {}"), "Error: at once");
    assert!(error("import x from 'fs';\nfunction handler() {}").contains("fs"));
    assert!(matches!(function(&" ".repeat(10_241)), Err(EdgeFunctionError::TooLarge(10_241))));
    let largest = format!("function handler(event) {{ return event.request; }}//{}", "x".repeat(10_188));
    assert!(function(&largest).is_ok());
}
