//! Triggers: for every upload that publishes a site there is one, and none for what lies in nobody's place.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_iam::stack::{KeyPattern, Stack};
use tidegate_lambda::trigger::{Delivery, ParsedRecord, match_sites, read};

use super::{cloudformation, config, of_kind, open};

/// What S3 sends through EventBridge.
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

/// Whether `*` of a wildcard can stand for what is between.
fn wild(pattern: &str, text: &str) -> bool {
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

/// Whether a pattern of EventBridge takes an event: as far as these patterns go.
fn takes(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(members) => members.iter().all(|(name, pattern)| takes(pattern, &event[name])),
        Value::Array(choices) => choices.iter().any(|choice| match choice {
            Value::Object(matcher) => {
                assert_eq!(matcher.len(), 1);
                event.as_str().is_some_and(|text| wild(matcher["wildcard"].as_str().unwrap(), text))
            }
            text => text == event,
        }),
        other => panic!("{other}"),
    }
}

/// Sites that the rules of a template start for an event.
fn started(installation: &Stack, event: &Value) -> BTreeSet<String> {
    let template = cloudformation(installation);
    let rules = of_kind(&template, "AWS::Events::Rule");
    assert_eq!(rules.len(), installation.uploads.len());
    let function = installation.function.name.as_str();
    let taken = rules.iter().filter(|(_, rule)| takes(&rule["EventPattern"], event)).flat_map(|(_, rule)| {
        let upload = installation.uploads.iter().find(|upload| rule["Name"] == upload.name(function)).unwrap();
        upload.sites.iter().map(ToString::to_string)
    });
    taken.collect()
}

/// Sites that the notifications of a bucket start for a key, as S3 writes it.
fn notified(installation: &Stack, bucket: &str, key: &str) -> BTreeSet<String> {
    let mut sites = BTreeSet::new();
    for upload in installation.uploads.iter().filter(|upload| upload.bucket.as_str() == bucket) {
        let fits = |pattern: &KeyPattern| {
            let (prefix, suffix) = pattern.filter();
            let key = key.replace(' ', "+");
            key.starts_with(&prefix) && key.ends_with(&suffix)
        };
        if upload.patterns().iter().any(fits) {
            sites.extend(upload.sites.iter().map(ToString::to_string));
        }
    }
    sites
}

/// Sites that the function would publish for an event, and those in whose place it lies and that it would leave alone.
fn published(config: &Config, event: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let Delivery::Events { records, .. } = read(event).unwrap() else { panic!("{event}") };
    let Ok(ParsedRecord::Stored(stored)) = &records[0].notice else { panic!("{event}") };
    let claims = match_sites(config, stored);
    let published = claims.triggers.iter().map(|trigger| trigger.site.to_string()).collect();
    let declined = claims.declined.iter().map(|declined| declined.site.to_string()).collect();
    (published, declined)
}

fn check(config: &Config, installation: &Stack, bucket: &str, key: &str) {
    let event = event(bucket, key);
    let (published, declined) = published(config, &event);
    for started in [started(installation, &event), notified(installation, bucket, key)] {
        assert!(published.is_subset(&started), "`{key}` publishes {published:?} and starts {started:?}");
        let known: BTreeSet<String> = published.union(&declined).cloned().collect();
        assert!(started.is_subset(&known), "`{key}` starts {started:?} and lies with {known:?}");
    }
}

#[test]
fn the_examples_of_the_documentation_start_what_they_should() {
    let (config, installation) = (config(), open(&config()));
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
        assert_eq!(started(&installation, &event), expected, "{bucket} {key}");
        assert_eq!(notified(&installation, bucket, key), expected, "{bucket} {key}");
        assert_eq!(published(&config, &event).0, expected, "{bucket} {key}");
    }
    // In whichever form EventBridge has the key.
    assert!(started(&installation, &event("acme-artifacts", "staged/our+blog.zip")).contains("blog"));
}

#[test]
fn the_evaluator_of_these_tests_can_say_no() {
    for (pattern, text, fits) in [
        ("a*c", "abbc", true),
        ("a*c", "ac", true),
        ("a*c", "acd", false),
        ("a\\*c", "a*c", true),
        ("a\\*c", "abc", false),
        ("", "", true),
        ("abc", "ab", false),
    ] {
        assert_eq!(wild(pattern, text), fits, "{pattern} {text}");
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
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_publishes_starts_the_function_and_whatever_starts_it_lies_in_a_site_s_place(
        key in key(),
        bucket in prop::sample::select(vec!["acme-artifacts", "acme-other"]),
    ) {
        let config = config();
        check(&config, &open(&config), bucket, &key);
    }
}
