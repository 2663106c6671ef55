//! Triggers: every upload that publishes a site starts the function, and no upload outside of the configured locations does.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_iam::stack::Stack;
use tidegate_lambda::trigger::{InvocationEvent, ParsedRecord, match_sites, read};

use super::{cloudformation, config, of_kind, template_stack};

/// An event that S3 sends to EventBridge.
fn event(bucket: &str, key: &str) -> Value {
    json!({
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-03-02T09:14:08Z",
        "region": "eu-west-1",
        "resources": [format!("arn:aws:s3:::{bucket}")],
        "detail": {
            "version": "0",
            "bucket": { "name": bucket },
            "object": { "key": key, "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184", "sequencer": "0055AED6DCD90281E5" },
            "request-id": "C3D13FE58DE4C810",
            "requester": "123456789012",
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject",
        },
    })
}

/// Whether an EventBridge wildcard matches a text.
fn wildcard_matches(pattern: &str, text: &str) -> bool {
    let mut tokens: Vec<Option<char>> = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' => None,
            '\\' => Some(rest.next().unwrap()),
            c => Some(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let mut reached = BTreeSet::from([0]);
    for token in tokens {
        reached = match token {
            None => (*reached.first().unwrap_or(&(text.len() + 1))..=text.len()).collect(),
            Some(c) => reached.iter().filter(|at| text.get(**at) == Some(&c)).map(|at| at + 1).collect(),
        };
    }
    reached.contains(&text.len())
}

/// Whether an EventBridge pattern matches an event, for the kinds of patterns in a template.
fn pattern_matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(members) => members.iter().all(|(name, pattern)| pattern_matches(pattern, &event[name])),
        Value::Array(choices) => choices.iter().any(|choice| match choice {
            Value::Object(matcher) => {
                assert_eq!(matcher.len(), 1);
                event.as_str().is_some_and(|text| wildcard_matches(matcher["wildcard"].as_str().unwrap(), text))
            }
            text => text == event,
        }),
        other => panic!("{other}"),
    }
}

/// Sites of the EventBridge rules that match an event.
fn started(stack: &Stack, event: &Value) -> BTreeSet<String> {
    let template = cloudformation(stack);
    let rules = of_kind(&template, "AWS::Events::Rule");
    assert_eq!(rules.len(), stack.uploads.len());
    let function = stack.function.name.as_str();
    let matching =
        rules.iter().filter(|(_, rule)| pattern_matches(&rule["EventPattern"], event)).flat_map(|(_, rule)| {
            let upload = stack.uploads.iter().find(|upload| rule["Name"] == upload.name(function)).unwrap();
            upload.sites.iter().map(ToString::to_string)
        });
    matching.collect()
}

/// What the function does with an event.
struct Matches {
    /// Sites that it publishes.
    published: BTreeSet<String>,
    /// Sites whose location has the object, but that it does not publish.
    declined: BTreeSet<String>,
}

fn matches(config: &Config, event: &Value) -> Matches {
    let InvocationEvent::Records { records, .. } = read(event).unwrap() else { panic!("{event}") };
    let Ok(ParsedRecord::Stored(stored)) = &records[0].content else { panic!("{event}") };
    let found = match_sites(config, stored);
    let published = found.triggers.iter().map(|trigger| trigger.site.to_string()).collect();
    let declined = found.unmatched.iter().map(|unmatched| unmatched.site.to_string()).collect();
    Matches { published, declined }
}

fn check(config: &Config, stack: &Stack, bucket: &str, key: &str) {
    let event = event(bucket, key);
    let Matches { published, declined } = matches(config, &event);
    let known: BTreeSet<String> = published.union(&declined).cloned().collect();
    let started = started(stack, &event);
    assert!(published.is_subset(&started), "`{key}` publishes {published:?} but starts {started:?}");
    assert!(started.is_subset(&known), "`{key}` starts {started:?} but is in a location of {known:?}");
}

#[test]
fn examples_of_the_documentation_start_the_function() {
    let (config, stack) = (config(), template_stack(&config()));
    for (bucket, key, sites) in [
        ("acme-artifacts", "builds/docs/c0ffee.zip", vec!["docs", "mirror"]),
        ("acme-artifacts", "builds/docs/c0ffee.ZIP", vec!["docs", "mirror"]),
        ("acme-artifacts", "builds/docs/c0ffee/.ready", vec!["docs", "mirror"]),
        ("acme-artifacts", "builds/docs/c0ffee/index.html", vec![]),
        ("acme-artifacts", "builds/docs2/c0ffee.zip", vec![]),
        ("acme-artifacts", "builds/hooked/c0ffee.zip", vec![]),
        ("acme-artifacts", "staged/our blog.zip", vec!["blog"]),
        ("acme-artifacts", "staged/our blog.zip2", vec![]),
        ("acme-artifacts", "staged/shop/.ready", vec![]),
        ("acme-other", "staged/shop/.ready", vec!["shop"]),
        ("acme-other", "staged/shop/index.html", vec![]),
        ("acme-other", "builds/docs/c0ffee.zip", vec![]),
    ] {
        let event = event(bucket, key);
        let expected: BTreeSet<String> = sites.into_iter().map(str::to_owned).collect();
        assert_eq!(started(&stack, &event), expected, "{bucket} {key}");
        assert_eq!(matches(&config, &event).published, expected, "{bucket} {key}");
    }
    // EventBridge may have the key encoded.
    assert!(started(&stack, &event("acme-artifacts", "staged/our+blog.zip")).contains("blog"));
}

#[test]
fn the_wildcard_evaluator_of_these_tests_is_correct() {
    for (pattern, text, expected) in [
        ("a*c", "abbc", true),
        ("a*c", "ac", true),
        ("a*c", "acd", false),
        ("a\\*c", "a*c", true),
        ("a\\*c", "abc", false),
        ("", "", true),
        ("abc", "ab", false),
    ] {
        assert_eq!(wildcard_matches(pattern, text), expected, "{pattern} {text}");
    }
}

fn key() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "builds",
        "docs",
        "docs2",
        "hooked",
        "staged",
        "shop",
        "our blog.zip",
        "a",
        "x.zip",
        "x.ZIP",
        ".ready",
        ".zip",
        "b.txt",
        "y.zip.zip",
        "a b.zip",
    ]);
    prop::collection::vec(segment, 1..5).prop_map(|segments| segments.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn uploads_that_publish_start_the_function_and_others_do_not(
        key in key(),
        bucket in prop::sample::select(vec!["acme-artifacts", "acme-other"]),
    ) {
        let config = config();
        check(&config, &template_stack(&config), bucket, &key);
    }
}
