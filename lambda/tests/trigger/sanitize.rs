//! Messages with names from outside: no control characters, no reordering, a bounded length.

use serde_json::json;
use tidegate_lambda::trigger::{match_sites, read};

use crate::support::{config, fixture, github_config, lines, outcome, records, stored, with};

const HOSTILE: &str = "a\r\n::set-output name=x::y\u{1b}[31m\u{202e}\u{2028}";

fn assert_sanitized(text: &str) {
    let is_unsafe = |c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{2028}');
    assert!(!text.contains(is_unsafe) && !text.trim_start().starts_with("::"), "{text:?}");
    assert!(text.len() < 3000, "{} bytes", text.len());
}

#[test]
fn sanitizes_names_in_events() {
    let long = HOSTILE.repeat(100);
    for name in [HOSTILE, long.as_str()] {
        for pointer in
            ["/Records/0/eventName", "/Records/0/eventVersion", "/Records/0/eventSource", "/Records/0/eventTime"]
        {
            let event = with(fixture("s3-put"), &[(pointer, json!(name))]);
            lines(&event).iter().for_each(|line| assert_sanitized(line));
        }
        for pointer in ["/Records/0/s3/object/key", "/Records/0/s3/bucket/name", "/Records/0/s3/object/size"] {
            let event = with(fixture("s3-put"), &[(pointer, json!(name))]);
            lines(&event).iter().for_each(|line| assert_sanitized(line));
        }
        for pointer in ["/source", "/detail-type", "/detail/version", "/detail/object/key", "/time"] {
            let event = with(fixture("eventbridge-created"), &[(pointer, json!(name))]);
            lines(&event).iter().for_each(|line| assert_sanitized(line));
        }
        let message = json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": name }] });
        lines(&message).iter().for_each(|line| assert_sanitized(line));
        assert_sanitized(&read(&json!({ (name): 1 })).unwrap_err().to_string());
        assert_sanitized(&read(&json!({ "site": "docs", (name): 1 })).unwrap_err().to_string());
        assert_sanitized(
            &read(&json!({ "site": "docs", "source": name, "commit-time": name })).unwrap_err().to_string(),
        );
        assert_sanitized(&read(&json!({ "tidegate": { "format": 1, (name): 1 } })).unwrap_err().to_string());
    }
}

#[test]
fn sanitizes_keys() {
    let config = config("builds = \"s3://acme-artifacts/b/\"\nstaged = \"s3://acme-artifacts/s/\"");
    let keys = [
        format!("b/{HOSTILE}.zip"),
        format!("b/{HOSTILE}/.ready"),
        format!("b/{HOSTILE}"),
        format!("b/{HOSTILE}/x"),
        format!("s/{HOSTILE}"),
    ];
    for key in keys {
        let event = with(fixture("eventbridge-created"), &[("/detail/object/key", json!(key))]);
        let matched = match_sites(&config, &stored(&event));
        assert_eq!((matched.triggers.len(), matched.unmatched.len()), (0, 1), "{key:?}");
        assert_sanitized(&matched.unmatched[0].reason.to_string());
        assert_sanitized(&stored(&event).object().to_string());
    }
    for key in [format!("b/{HOSTILE}/"), format!("b/{HOSTILE}.zip")] {
        let event = with(
            fixture("s3-put"),
            &[("/Records/0/s3/object/key", json!(key)), ("/Records/0/s3/object/size", json!(0))],
        );
        assert!(records(&event).1[0].content.is_ok());
        lines(&event).iter().for_each(|line| assert_sanitized(line));
    }
}

#[test]
fn sanitizes_payloads() {
    let rule = "events = [\"push\", \"release\", \"workflow_run\", \"deployment_status\"]\nbranch = \"main\"\ntag = \"v*\"\nenvironment = \"production\"\nworkflow = \"site.yml\"";
    let config = github_config(rule);
    for (event, name, pointer) in [
        ("push", "github-push", "/ref"),
        ("push", "github-push", "/after"),
        ("push", "github-push", "/head_commit/timestamp"),
        ("push", "github-push", "/head_commit/id"),
        ("release", "github-release", "/action"),
        ("release", "github-release", "/release/tag_name"),
        ("workflow_run", "github-workflow-run", "/workflow_run/head_branch"),
        ("workflow_run", "github-workflow-run", "/workflow_run/conclusion"),
        ("workflow_run", "github-workflow-run", "/workflow_run/path"),
        ("workflow_run", "github-workflow-run", "/workflow_run/id"),
        ("deployment_status", "github-deployment-status", "/deployment/environment"),
        ("deployment_status", "github-deployment-status", "/deployment/ref"),
    ] {
        for text in [HOSTILE.to_owned(), format!("refs/heads/{HOSTILE}"), HOSTILE.repeat(100)] {
            assert_sanitized(&outcome(&config, event, &with(fixture(name), &[(pointer, json!(text))])));
        }
    }
    assert_sanitized(&outcome(&config, HOSTILE, &fixture("github-push")));
}
