//! The engines that run the function: the one of the emulator, node and njs. CloudFront's runtime is of the njs family, and
//! takes less than the others.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_core::config::SiteName;
use tidegate_core::edge::{OnFailure, function_code};
use tidegate_emulator::function::EdgeFunction;
use tidegate_tests::skipped::skipped;

/// An event and the store that the function reads.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) event: Value,
    pub(crate) closed: bool,
}

/// What the function returned.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Answer {
    pub(crate) result: Value,
    /// Keys that it read.
    pub(crate) reads: usize,
}

impl Case {
    /// A request for a path with a query.
    pub(crate) fn request(keys: &BTreeMap<String, String>, uri: &str) -> Self {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut parameters = serde_json::Map::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let all = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let all: Vec<Value> =
                all.filter(|(other, _)| *other == name).map(|(_, value)| json!({ "value": value })).collect();
            let parameter = match all.as_slice() {
                [one] => one.clone(),
                _ => json!({ "value": value, "multiValue": all }),
            };
            parameters.insert(name.to_owned(), parameter);
        }
        let event = json!({
            "version": "1.0",
            "context": { "eventType": "viewer-request", "distributionId": "E2EXAMPLE", "requestId": "1" },
            "viewer": { "ip": "198.51.100.1" },
            "request": {
                "method": "GET",
                "uri": path,
                "querystring": parameters,
                "headers": { "host": { "value": "docs.example.com" } },
                "cookies": {},
            },
        });
        Self { keys: keys.clone(), event, closed: false }
    }

    /// A response to a request that the function has answered with `request`.
    pub(crate) fn response(keys: &BTreeMap<String, String>, request: &Value, response: &Value) -> Self {
        let event = json!({
            "version": "1.0",
            "context": { "eventType": "viewer-response", "distributionId": "E2EXAMPLE", "requestId": "1" },
            "viewer": { "ip": "198.51.100.1" },
            "request": request,
            "response": response,
        });
        Self { keys: keys.clone(), event, closed: false }
    }
}

/// Node, which every machine with the tests has.
pub(crate) fn node(cases: &[Case]) -> Vec<Answer> {
    program("node", cases)
}

/// njs, if it is installed. Reports the test as skipped if it is not.
pub(crate) fn njs(test: &str, cases: &[Case]) -> Option<Vec<Answer>> {
    if Command::new("njs").arg("-v").output().is_err() {
        skipped(test, "njs is not installed, run: scripts/servers install njs");
        return None;
    }
    Some(program("njs", cases))
}

/// The engine of the emulator.
pub(crate) fn quickjs(cases: &[Case]) -> Vec<Answer> {
    let run = |case: &Case| {
        let (reads, keys) = (Rc::new(Cell::new(0)), case.keys.clone());
        let count = Rc::clone(&reads);
        let function = EdgeFunction::new(&code(case.closed), move |key| {
            count.set(count.get() + 1);
            keys.get(key).cloned()
        });
        let result = function.unwrap().run(&case.event).result.unwrap();
        Answer { result, reads: reads.get() }
    };
    cases.iter().map(run).collect()
}

fn program(engine: &str, cases: &[Case]) -> Vec<Answer> {
    let mut answers = vec![None; cases.len()];
    for closed in [false, true] {
        let of_kind: Vec<(usize, &Case)> = cases.iter().enumerate().filter(|(_, case)| case.closed == closed).collect();
        if of_kind.is_empty() {
            continue;
        }
        let found = run(engine, closed, &of_kind.iter().map(|(_, case)| *case).collect::<Vec<_>>());
        assert_eq!(found.len(), of_kind.len());
        for ((at, _), answer) in of_kind.into_iter().zip(found) {
            answers[at] = Some(answer);
        }
    }
    answers.into_iter().map(Option::unwrap).collect()
}

fn run(engine: &str, closed: bool, cases: &[&Case]) -> Vec<Answer> {
    let code = code(closed);
    let import = "import cf from 'cloudfront';";
    assert!(code.contains(import));
    let cases: Vec<Value> = cases.iter().map(|case| json!({ "keys": case.keys, "event": case.event })).collect();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("function.js");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(include_bytes!("prelude.js")).unwrap();
    file.write_all(code.replace(import, "").as_bytes()).unwrap();
    writeln!(file, "const cases = {};", Value::Array(cases)).unwrap();
    file.write_all(include_bytes!("harness.js")).unwrap();
    let output = Command::new(engine).arg(&path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{engine}: {}", String::from_utf8_lossy(&output.stderr));
    text.lines().filter_map(|line| line.strip_prefix('=')).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The function of the site `docs`.
pub(crate) fn code(closed: bool) -> String {
    let on_failure = if closed { OnFailure::Closed } else { OnFailure::Open };
    function_code(&SiteName::try_from("docs".to_owned()).unwrap(), on_failure)
}

/// What an answer does, in the words of `requests.txt`.
pub(crate) fn shown(answer: &Answer) -> String {
    let result = &answer.result;
    let Some(status) = result["statusCode"].as_u64() else {
        let uri = result["uri"].as_str().unwrap();
        let mark = result["headers"]["x-tidegate"]["value"].as_str().unwrap();
        return match (uri, mark.split(' ').next().unwrap()) {
            ("/.r/-", _) => "nothing".to_owned(),
            (uri, "200") => uri.to_owned(),
            (uri, status) => format!("{uri} {status}"),
        };
    };
    match status {
        200 => result["body"].to_string(),
        300..400 => {
            let headers = &result["headers"];
            let location = headers["location"]["value"].as_str().unwrap();
            let hsts = headers["strict-transport-security"]["value"].as_str();
            let hsts = hsts.map(|value| format!(" (strict-transport-security: {value})")).unwrap_or_default();
            format!("{status} {location}{hsts}")
        }
        _ => status.to_string(),
    }
}
