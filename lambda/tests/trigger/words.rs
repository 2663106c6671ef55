//! What is said of names from outside: nothing that a log or a terminal would obey.

use serde_json::json;
use tidegate_lambda::trigger::{match_sites, read};

use crate::support::{config, fixture, github_config, outcome, records, stored, told, with};

const ODD: &str = "a\r\n::set-output name=x::y\u{1b}[31m\u{202e}\u{2028}";

fn plain(text: &str) {
    let unfit = |c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{2028}');
    assert!(!text.contains(unfit) && !text.trim_start().starts_with("::"), "{text:?}");
    assert!(text.len() < 3000, "{} bytes", text.len());
}

#[test]
fn names_cannot_break_a_line_or_colour_a_terminal() {
    // 105
    let long = ODD.repeat(100);
    for name in [ODD, long.as_str()] {
        for pointer in
            ["/Records/0/eventName", "/Records/0/eventVersion", "/Records/0/eventSource", "/Records/0/eventTime"]
        {
            let event = with(fixture("s3-put"), &[(pointer, json!(name))]);
            told(&event).iter().for_each(|line| plain(line));
        }
        for pointer in ["/Records/0/s3/object/key", "/Records/0/s3/bucket/name", "/Records/0/s3/object/size"] {
            let event = with(fixture("s3-put"), &[(pointer, json!(name))]);
            told(&event).iter().for_each(|line| plain(line));
        }
        for pointer in ["/source", "/detail-type", "/detail/version", "/detail/object/key", "/time"] {
            let event = with(fixture("eventbridge-created"), &[(pointer, json!(name))]);
            told(&event).iter().for_each(|line| plain(line));
        }
        let message = json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": name }] });
        told(&message).iter().for_each(|line| plain(line));
        plain(&read(&json!({ (name): 1 })).unwrap_err().to_string());
        plain(&read(&json!({ "site": "docs", (name): 1 })).unwrap_err().to_string());
        plain(&read(&json!({ "site": "docs", "source": name, "committed": name })).unwrap_err().to_string());
        plain(&read(&json!({ "tidegate": { "format": 1, (name): 1 } })).unwrap_err().to_string());
    }
}

#[test]
fn odd_keys_are_told_in_one_line() {
    // 105
    let config = config("builds = \"s3://acme-artifacts/b/\"\nstaged = \"s3://acme-artifacts/s/\"");
    let keys = [
        format!("b/{ODD}.zip"),
        format!("b/{ODD}/.ready"),
        format!("b/{ODD}"),
        format!("b/{ODD}/x"),
        format!("s/{ODD}"),
    ];
    for key in keys {
        let event = with(fixture("eventbridge-created"), &[("/detail/object/key", json!(key))]);
        let claims = match_sites(&config, &stored(&event));
        assert_eq!((claims.triggers.len(), claims.declined.len()), (0, 1), "{key:?}");
        plain(&claims.declined[0].why.to_string());
        plain(&stored(&event).object().to_string());
    }
    for key in [format!("b/{ODD}/"), format!("b/{ODD}.zip")] {
        let event = with(
            fixture("s3-put"),
            &[("/Records/0/s3/object/key", json!(key)), ("/Records/0/s3/object/size", json!(0))],
        );
        assert!(records(&event).1[0].notice.is_ok());
        told(&event).iter().for_each(|line| plain(line));
    }
}

#[test]
fn payloads_are_told_in_one_line() {
    // 105
    let rule = "events = [\"push\", \"release\", \"workflow_run\", \"deployment\"]\nbranch = \"main\"\ntag = \"v*\"\nenvironment = \"production\"\nworkflow = \"site.yml\"";
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
        ("deployment", "github-deployment", "/deployment/environment"),
        ("deployment", "github-deployment", "/deployment/ref"),
    ] {
        for odd in [ODD.to_owned(), format!("refs/heads/{ODD}"), ODD.repeat(100)] {
            plain(&outcome(&config, event, &with(fixture(name), &[(pointer, json!(odd))])));
        }
    }
    plain(&outcome(&config, ODD, &fixture("github-push")));
}
