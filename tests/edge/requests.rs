//! The table of requests in `requests.txt`, in every engine.

use std::collections::BTreeMap;

use super::engines::{self, Answer, Case, shown};

struct Row {
    section: String,
    case: Case,
    expected: String,
}

fn rows() -> Vec<Row> {
    let (mut rows, mut keys, mut section, mut closed) = (Vec::new(), BTreeMap::new(), String::new(), false);
    for line in include_str!("requests.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("== ") {
            (section, keys, closed) = (name.to_owned(), BTreeMap::new(), false);
        } else if line == "closed" {
            closed = true;
        } else if let Some((request, expected)) = line.split_once(" => ") {
            let case = Case { closed, ..Case::request(&keys, request) };
            rows.push(Row { section: section.clone(), case, expected: expected.to_owned() });
        } else {
            let (key, value) = line.split_once(" = ").unwrap();
            keys.insert(key.to_owned(), value.replace("\\n", "\n"));
        }
    }
    rows
}

fn check(engine: &str, rows: &[Row], answers: &[Answer]) {
    assert_eq!(rows.len(), answers.len());
    for (row, answer) in rows.iter().zip(answers) {
        let path = &row.case.event["request"]["uri"];
        assert_eq!(shown(answer), row.expected, "{engine}: {path} of {}", row.section);
        // Below a folder with rules of its own, there is a third key.
        let most = if row.section.contains("folder") { 3 } else { 2 };
        assert!(answer.reads <= most, "{engine}: {path} of {}: {} reads", row.section, answer.reads);
    }
}

#[test]
fn every_engine_answers_the_table() {
    let rows = rows();
    assert!(rows.len() >= 300, "{} rows", rows.len());
    let cases: Vec<Case> = rows.iter().map(|row| row.case.clone()).collect();
    check("QuickJS", &rows, &engines::quickjs(&cases));
    check("node", &rows, &engines::node(&cases));
    if let Some(answers) = engines::njs("every_engine_answers_the_table", &cases) {
        check("njs", &rows, &answers);
    }
}
