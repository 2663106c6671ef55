//! The examples of `docs/triggers.md` and `docs/webhooks.md`: configurations, uploads, invocations and signed requests.

use std::process::Command;

use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_core::timestamp::Timestamp;
use tidegate_lambda::trigger::{HttpRequest, InvocationEvent, match_sites, read};
use tidegate_lambda::webhook::candidates;

use crate::support::{SECRET, fixture, outcome_of, secrets, stored, with};

fn page(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The blocks of a page in one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    let blocks = text.split(&start).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(str::to_owned).collect()
}

/// The commands of the console blocks of a page, each on one line.
fn commands(text: &str) -> Vec<String> {
    let blocks = blocks(text, "console").concat().replace("\\\n", " ");
    blocks.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

/// A whole configuration for an example, which may be a part of one.
fn configuration(example: &str) -> Config {
    let site = "state = \"s3://acme-artifacts/.tidegate/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs.acme.com/\"\nstaged = \"s3://acme-artifacts/staged/\"\n";
    let whole = if example.contains("[[site]]") { example.to_owned() } else { format!("{site}{example}") };
    Config::parse(&whole).unwrap_or_else(|error| panic!("{error}\n{whole}"))
}

#[test]
fn configurations_are_valid() {
    for (name, least) in [("triggers.md", 2), ("webhooks.md", 5), ("configuration.md", 1)] {
        let examples = blocks(&page(name), "toml");
        assert!(examples.len() >= least, "{name}: {}", examples.len());
        examples.iter().for_each(|example| drop(configuration(example)));
    }
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/events/tidegate.toml");
    configuration(&std::fs::read_to_string(sample).unwrap());
}

#[test]
fn uploads_and_invocations_publish() {
    let text = page("triggers.md");
    let config = configuration(&blocks(&text, "toml")[0]);
    let published = |bucket: &str, key: &str| {
        let changes = [("/Records/0/s3/bucket/name", json!(bucket)), ("/Records/0/s3/object/key", json!(key))];
        match_sites(&config, &stored(&with(fixture("s3-put"), &changes))).triggers.len()
    };
    let (mut uploads, mut folders, mut invocations) = (0, 0, 0);
    for command in commands(&text) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let option = |name: &str| words.iter().position(|word| *word == name).map(|at| words[at + 1]).unwrap();
        match words.as_slice() {
            ["aws", "s3", "cp", _, destination] => {
                let (bucket, key) = destination.strip_prefix("s3://").unwrap().split_once('/').unwrap();
                assert_eq!(published(bucket, key), 1, "{command}");
                uploads += 1;
            }
            // The marker of the folder, which is uploaded last.
            ["aws", "s3", "sync", _, folder] => {
                let (bucket, prefix) = folder.strip_prefix("s3://").unwrap().split_once('/').unwrap();
                assert_eq!(published(bucket, &format!("{prefix}index.html")), 0, "{command}");
                assert!(text.contains(&format!("--bucket {bucket} --key {prefix}.ready")), "{command}");
                folders += 1;
            }
            ["aws", "s3api", "put-object", ..] => assert_eq!(published(option("--bucket"), option("--key")), 1),
            ["aws", "lambda", "invoke", ..] => {
                let payload = command.split('\'').nth(1).unwrap();
                let event: Value = serde_json::from_str(payload).unwrap();
                let Ok(InvocationEvent::Direct(invocation)) = read(&event) else { panic!("{payload}") };
                let site = config.site(&invocation.site).unwrap();
                assert!(invocation.trigger(site).is_ok(), "{payload}");
                invocations += 1;
            }
            // Six times the timeout, as Lambda recommends.
            ["aws", "sqs", "set-queue-attributes", ..] => {
                let seconds = config.function.timeout.queue_visibility();
                assert_eq!(option("--attributes"), format!("VisibilityTimeout={seconds}"));
            }
            ["tidegate", ..] => {}
            _ => panic!("an example that no test runs: {command}"),
        }
    }
    assert_eq!((uploads, folders, invocations), (1, 1, 1));
}

/// Runs the example in a shell, in which `curl` prints its arguments.
#[test]
fn the_signed_request_is_accepted() {
    let text = page("webhooks.md");
    let script: Vec<String> = commands(&text).into_iter().filter(|command| !command.starts_with("tidegate")).collect();
    assert!(script.last().unwrap().starts_with("curl "), "{script:?}");
    let script = format!("curl() {{ for word in \"$@\"; do printf '%s\\0' \"$word\"; done; }}\n{}", script.join("\n"));
    let mut shell = Command::new("sh");
    let output = shell.arg("-ec").arg(&script).env("SECRET", SECRET).env("FUNCTION_URL", "https://x.on.aws/").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    let words = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = words.split_terminator('\0').collect();
    let after =
        |option: &str| words.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1]).collect::<Vec<_>>();
    let headers: Vec<(&str, &str)> = after("-H").into_iter().map(|header| header.split_once(": ").unwrap()).collect();
    let request = HttpRequest::new("POST", "/", headers, after("-d")[0].as_bytes().to_vec());
    let rule = blocks(&text, "toml").into_iter().find(|example| example.contains("\"generic\"")).unwrap();
    let config = configuration(&format!("builds = \"s3://acme-artifacts/builds/docs/\"\n{rule}"));
    let known = secrets(&[("ssm:/tidegate/docs/cms", SECRET)]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = Timestamp::from_milliseconds(u64::try_from(now.as_millis()).unwrap());
    let decision = candidates(&request, &config).unwrap().authorize(&request, &known, now);
    assert_eq!(outcome_of(&decision), "publish docs c0ffee");
}

#[test]
fn the_workflow_uploads_the_artifact_of_the_rule() {
    let text = page("webhooks.md");
    let step = blocks(&text, "yaml").concat();
    let name = step.lines().find_map(|line| line.trim().strip_prefix("name: ")).unwrap();
    let rule = blocks(&text, "toml").into_iter().find(|example| example.contains("artifact   =")).unwrap();
    assert!(rule.contains(&format!("artifact   = \"{name}\"")), "{rule}");
}
