//! What the function does with responses: if it sees the request that it changed, and if it sees the one that the viewer sent.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::engines::{self, Answer, Case};

const HEADERS: &str = r#"[["/*",[["x-all","1"]],[],1],["/guide/*",[["x-guide","a"],["x-all","2"]],[],1],["/guide/:page",[["x-guide","b"]],["x-removed"],1]]"#;

/// The rules in one value, and divided by folder.
fn stores() -> [BTreeMap<String, String>; 2] {
    let pointer = r#"{"v":1,"n":1,"r":"r1","x":1,"g":"abc"}"#;
    let whole = [("docs", pointer), ("docs^abc", HEADERS), ("docs:/lost", "- 404 /lost.html")];
    let with_folders = r#"{"v":2,"n":1,"r":"r1","x":1,"g":"abc","q":["guide/","other/"]}"#;
    let general = r#"[["/*",[["x-all","1"]],[],1]]"#;
    let divided = [
        ("docs", with_folders),
        ("docs^abc", general),
        ("docs^abcguide/", HEADERS),
        ("docs^abcother/", general),
        ("docs:/lost", "- 404 /lost.html"),
    ];
    let map =
        |keys: &[(&str, &str)]| keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    [map(&whole), map(&divided)]
}

/// The responses to these paths, with the request as the function changed it, and as the viewer sent it.
fn responses(
    engine: impl Fn(&[Case]) -> Vec<Answer>,
    keys: &BTreeMap<String, String>,
    paths: &[&str],
) -> Vec<[Answer; 2]> {
    let requests: Vec<Case> = paths.iter().map(|path| Case::request(keys, path)).collect();
    let changed = engine(&requests);
    let response = json!({
        "statusCode": 200,
        "statusDescription": "OK",
        "headers": { "x-removed": { "value": "1" }, "content-type": { "value": "text/html" } },
        "cookies": {},
    });
    let cases: Vec<Case> = requests
        .iter()
        .zip(&changed)
        .flat_map(|(sent, changed)| {
            [&changed.result, &sent.event["request"]].map(|request| Case::response(keys, request, &response))
        })
        .collect();
    engine(&cases).chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.result["headers"].get(name).and_then(|header| header["value"].as_str())
}

#[test]
fn headers_and_statuses_are_right_for_both_readings_of_the_documentation() {
    let stores = stores();
    for (engine, keys) in
        stores.iter().flat_map(|keys| [(engines::node as fn(&[Case]) -> _, keys), (engines::quickjs, keys)])
    {
        let paths = ["/", "/guide/", "/guide/start", "/lost", "/x.css"];
        for (path, pair) in paths.iter().zip(responses(engine, keys, &paths)) {
            assert_eq!(pair[0].result, pair[1].result, "{path}");
            let answer = &pair[0];
            let status: &Value = &answer.result["statusCode"];
            assert_eq!(status, if *path == "/lost" { 404 } else { 200 }, "{path}");
            let (all, guide, removed) = match *path {
                "/guide/" => ("1, 2", Some("a"), Some("1")),
                "/guide/start" => ("1, 2", Some("a, b"), None),
                _ => ("1", None, Some("1")),
            };
            assert_eq!((header(answer, "x-all"), header(answer, "x-guide")), (Some(all), guide), "{path}");
            assert_eq!(header(answer, "x-removed"), removed, "{path}");
            assert!(answer.reads <= 1, "{path}: {} reads with the mark", answer.reads);
        }
    }
}

#[test]
fn a_failing_store_leaves_responses_unchanged() {
    let response = json!({ "statusCode": 200, "headers": { "x": { "value": "1" } }, "cookies": {} });
    let request = Case::request(&BTreeMap::new(), "/guide/").event["request"].clone();
    for answer in engines::quickjs(&[Case::response(&BTreeMap::new(), &request, &response)]) {
        assert_eq!(answer.result, response);
    }
}
