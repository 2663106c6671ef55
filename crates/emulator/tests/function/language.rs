//! Syntax and names that QuickJS has and the real runtime has not.

use pretty_assertions::assert_eq;
use serde_json::json;
use tidegate_emulator::function::{EdgeFunctionError, lint};

use super::{evaluate, function};

/// Rows: code, and the construct that the runtime does not have; empty if it runs.
const SYNTAX: [(&str, &str); 88] = [
    ("var a = {}; a?.b", "optional chaining (`?.`)"),
    ("var a = 1; a?.5:1", ""),
    ("var a = null ?? 1", ""),
    ("var a = null; a ??= 1", "logical assignment"),
    ("var a = 0; a ||= 1", "logical assignment"),
    ("Math.max(...[1])", "spread (`...`)"),
    ("var a = [...[1]]", "spread (`...`)"),
    ("var a = { ...{ b: 1 } }", "spread (`...`)"),
    ("function f(a, ...b) {}", ""),
    ("var f = (...b) => b", ""),
    ("var f = (a, ...b) => { return b }", ""),
    ("for (var x of [1]) {}", "`for … of`"),
    ("for (const x of [1]) {}", "`for … of`"),
    ("for (var x in { of: 1 }) {}", ""),
    ("var of = 1; for (of in {}) {}", ""),
    ("for (let i = 0; i < 1; i++) {}", ""),
    ("class A {}", "`class`"),
    ("var a = { class: 1 }.class", ""),
    ("var { a } = { a: 1 }", "destructuring"),
    ("let [a] = [1]", "destructuring"),
    ("const { a } = { a: 1 }", "destructuring"),
    ("var a; [a] = [1]", "destructuring"),
    ("var a; ({ a } = { a: 1 })", "destructuring"),
    ("function f({ a }) {}", "destructuring"),
    ("function f(b, [a]) {}", "destructuring"),
    ("var f = ({ a }) => a", "destructuring"),
    ("var a = [1]; a[0] = 2", ""),
    ("var a = { b: [1] }; a.b[0] = 2; a['b'][0] = 3", ""),
    ("function f() { return [1] } f()[0] = 2", ""),
    ("function f(a = 1) {}", "default parameters"),
    ("var f = (a = 1) => a", "default parameters"),
    ("var f = function (a, b = {}) {}", "default parameters"),
    ("var o = { m(a = 1) {} }", "default parameters"),
    ("try { x } catch {}", "`catch` without a name"),
    ("try { x } catch (e) {}", ""),
    ("try { x } catch ({ a }) {}", "destructuring"),
    ("try { x } finally {}", ""),
    ("async function f() { g(await h()) } function g() {} async function h() {}", "`await` in arguments"),
    ("async function f() { g(1, 2 + (await h())) } function g() {} async function h() {}", "`await` in arguments"),
    ("async function f() { new Error(await h()) } async function h() {}", "`await` in arguments"),
    ("async function f() { (1, g)(await h()) } function g() {} async function h() {}", "`await` in arguments"),
    ("async function f() { JSON.parse(await h()) } async function h() {}", "`await` in arguments"),
    ("async function f() { g({ a: await h() }) } function g() {} async function h() {}", "`await` in arguments"),
    ("async function f() { return (await h()).a } async function h() { return {} }", ""),
    ("async function f() { return [await h()] } async function h() {}", ""),
    ("async function f() { return { a: await h() } } async function h() {}", ""),
    ("async function f() { if (await h()) return 1 } async function h() {}", ""),
    ("async function f() { while (await h()) {} } async function h() {}", ""),
    ("async function f() { switch (await h()) { case 1: } } async function h() {}", ""),
    ("async function f() { return `${await h()}` } async function h() {}", ""),
    ("async function f() { var x = await g(1); return x } async function g() {}", ""),
    ("async function f() { return await (1, g()) } async function g() {}", ""),
    ("var f = async () => 1", ""),
    ("async function f() { async function g() {} }", "an `async` function inside another function"),
    ("function f() { return async () => 1 }", "an `async` function inside another function"),
    ("function* f() { yield 1 }", "generators"),
    ("var f = function* () {}", "generators"),
    ("var o = { *f() {} }", "generators"),
    ("var a = 2 * f(1); function f() {}", ""),
    ("var o = { get a() { return 1 }, set a(b) {} }", ""),
    ("var o = { f() { return 1 }, g(a, b) { return a } }", ""),
    ("var a = 1; var o = { a }", ""),
    ("var o = { ['a']: 1 }", ""),
    ("var a = `x${ { b: '}' }.b }y`", ""),
    ("var a = 2 ** 3", ""),
    ("var a = 1n", "BigInt"),
    ("var a = 1_000; var b = 0x1f; var n = 1", ""),
    ("Math.max(1, 2,)", ""),
    ("a: for (;;) { break a }", ""),
    ("function f() { return new.target }", "`new.target`"),
    ("/(?<a>b)/.exec('b').groups.a", ""),
    ("/(?<=a)b/.exec('ab')", ""),
    ("/a.b/s.test('')", "regular expressions with the flags s, u, v or d"),
    ("/a/u.test('')", "regular expressions with the flags s, u, v or d"),
    ("/a/gi.test('')", ""),
    ("var a = 4 / 2 / 1; var s = 'a'.split(/[/]/)", ""),
    ("export default 1", "`export`"),
    ("export var a = 1", "`export`"),
    ("import * as c from 'cloudfront'", "any `import` other than `import name from 'module'`"),
    ("import { a } from 'cloudfront'", "any `import` other than `import name from 'module'`"),
    ("import cf from 'cloudfront'", ""),
    ("import('cloudfront')", "any `import` other than `import name from 'module'`"),
    ("var f = () => ({ a: 1 }); f()", ""),
    ("switch (1) { case 1: { break } default: }", ""),
    ("'a?.b ...c'; // class D {}\n/* for (x of y) */", ""),
    ("var a = { async: 1, await: 2, of: 3, import: 4 }; a.class = a.export", ""),
    ("if (true) { [1].forEach(function (x) { return x }) }", ""),
    ("var a = [1, 2].map(x => x * 2).filter(function (x) { return x > 2 })", ""),
];

#[test]
fn finds_the_syntax_that_the_real_runtime_does_not_have() {
    for (code, construct) in SYNTAX {
        let found: Vec<&str> = lint(code).into_iter().map(|problem| problem.construct).collect();
        let found = found.first().copied().unwrap_or_default();
        assert_eq!(found, construct, "{code}");
        let whole = format!("{code}\nfunction handler(event) {{ return event.request; }}");
        match function(&whole) {
            Ok(_) => assert_eq!(construct, "", "{code}"),
            Err(EdgeFunctionError::Syntax(problem)) => assert_eq!(problem.construct, construct, "{code}"),
            Err(error) => assert_eq!(construct, "", "{code}: {error}"),
        }
    }
}

#[test]
fn names_the_line() {
    let problems = lint("// class\nvar a = `\n`;\nclass A {}\n\nvar b = a?.c;\n");
    let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [4, 6]);
    assert_eq!(problems.first().map(ToString::to_string).as_deref(), Some("`class` not supported in line 4"));
}

#[test]
fn names_that_the_real_runtime_does_not_have_are_missing() {
    for missing in [
        "new Map()",
        "new Set()",
        "new Proxy({}, {})",
        "Reflect.ownKeys({})",
        "BigInt(1)",
        "Intl.NumberFormat()",
        "new URL('https://example.com/')",
        "new WeakMap()",
        "setTimeout(function () {}, 1)",
        "fetch('https://example.com/')",
        "structuredClone({})",
        "eval('1')",
        "new Function('return 1')()",
        "(function () {}).constructor('return 1')()",
        "process.env",
        "[[1]].flat()",
        "[1].at(0)",
        "[1].findLast(function () { return true })",
        "'a'.at(0)",
        "'a'.matchAll(/a/g)",
        "'a'.normalize()",
        "Object.fromEntries([['a', 1]])",
        "Object.groupBy([], function () {})",
    ] {
        assert!(matches!(evaluate(missing), Err(EdgeFunctionError::Execution(_))), "{missing}");
    }
    for (present, expected) in [
        ("[3, 1].toSorted()[0]", json!(1)),
        ("'a.b'.replaceAll('.', '-')", json!("a-b")),
        ("Array.from('ab').length", json!(2)),
        ("Object.entries({ a: 1 })[0][1]", json!(1)),
        ("Object.assign({}, { a: 1 }).a", json!(1)),
        ("'abc'.padStart(4, '-')", json!("-abc")),
        ("/(?<x>b)/.exec('abc').groups.x", json!("b")),
        ("'a-b'.replace(/-(.)/, function (all, one) { return one.toUpperCase() })", json!("aB")),
        ("'a,b;c'.split(/[,;]/).length", json!(3)),
        ("Symbol.iterator in Array.prototype", json!(true)),
        ("encodeURIComponent('é')", json!("%C3%A9")),
        ("(await Promise.all([1, Promise.resolve(2)])).length", json!(2)),
        ("isNaN(parseInt('x', 10))", json!(true)),
        ("new Uint8Array([1, 2]).map(function (x) { return x * 2 })[1]", json!(4)),
    ] {
        assert_eq!(evaluate(present), Ok(expected), "{present}");
    }
}
