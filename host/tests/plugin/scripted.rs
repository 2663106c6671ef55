//! A plugin with arbitrary calls and answers: whatever it does, the host answers with a site that is valid or with a failure
//! that can be printed, and twice the same.
//!
//! `TIDEGATE_RANDOM_SCRIPTS` is the number of scripts; more than the default find more.

use tidegate_core::desired::DesiredBody;
use tidegate_core::error_kind::ErrorKind;
use tidegate_core::finding::Finding;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::plugin_usage::PluginUsage;
use tidegate_core::run_facts::RunFacts;
use tidegate_host::ConfiguredPlugin;
use tidegate_host::sync::{Trace, TransformedArtifact, transform};

use crate::support::{configure, engine, facts, site, sync_guest};

/// Half of the sites have an edge.
fn facts_of(seed: u64) -> RunFacts {
    let mut facts = facts();
    if seed.is_multiple_of(2) {
        facts.attributes.insert("edge.redirects".to_owned(), "netlify".to_owned());
    }
    facts
}

fn run(configured: &ConfiguredPlugin, seed: u64) -> Result<TransformedArtifact, PluginFailure> {
    let files = site();
    transform(std::slice::from_ref(configured), files.artifact(), &facts_of(seed), &files, Trace::On)
}

/// Without its times.
fn comparable(usage: &PluginUsage) -> (u64, u64, u64, Vec<String>) {
    let log = usage.logs.iter().map(ToString::to_string).collect();
    (usage.fuel_used, usage.reads, usage.bytes_read, log)
}

fn check_text(text: &str, bytes: usize, script: &str) {
    assert!(text.len() <= bytes && !text.chars().any(char::is_control), "{script}: {} bytes: {text:?}", text.len());
}

fn check_usage(usage: &PluginUsage, script: &str) {
    assert!(usage.fuel_used <= usage.fuel_allowed && usage.memory_peak <= usage.memory_allowed, "{script}: {usage:?}");
    assert!(usage.reads <= usage.reads_allowed && usage.bytes_read <= usage.bytes_read_allowed, "{script}: {usage:?}");
    usage.logs.iter().for_each(|record| check_text(&record.message, 64 << 10, script));
}

fn check_finding(finding: &Finding, script: &str) {
    check_text(&finding.message, 1_100, script);
    check_text(&finding.code, 100, script);
    assert!(finding.rule.is_empty() || finding.rule.starts_with('/'), "{script}: {finding:?}");
}

#[test]
fn arbitrary_calls_and_answers_give_a_valid_site_or_a_failure() {
    let count: u64 = std::env::var("TIDEGATE_RANDOM_SCRIPTS").map_or(600, |text| text.parse().unwrap());
    let engine = engine();
    let guest = sync_guest(&engine);
    let (mut sites, mut failures) = (0, 0);
    for seed in 0..count {
        let script = format!("script={seed}@all");
        let configured = configure(&guest, &script);
        match (run(&configured, seed), run(&configured, seed)) {
            (Ok(first), Ok(second)) => {
                sites += 1;
                assert_eq!(
                    (&first.desired, &first.edge, &first.findings),
                    (&second.desired, &second.edge, &second.findings)
                );
                assert_eq!(comparable(&first.usage[0]), comparable(&second.usage[0]), "{script}");
                check_usage(&first.usage[0], &script);
                first.findings.iter().for_each(|finding| check_finding(finding, &script));
                let keys: Vec<_> = first.desired.entries().iter().map(|entry| &entry.key).collect();
                assert!(keys.is_sorted_by(|one, next| one < next), "{script}: {keys:?}");
                for entry in first.desired.entries() {
                    if let DesiredBody::Redirect(target) = &entry.body {
                        let is_path = target.as_str().starts_with('/') && !target.as_str().starts_with("//");
                        assert!(is_path || target.as_str().starts_with("http"), "{script}: {target}");
                    }
                    for (name, value) in entry.headers.iter() {
                        assert!(
                            !value.is_empty() && !value.contains(['\r', '\n', '\0']),
                            "{script}: {}: {value:?}",
                            name.as_str()
                        );
                    }
                }
                assert!(seed.is_multiple_of(2) || first.edge.redirects.is_empty(), "{script}: rules without an edge");
            }
            (Err(first), Err(second)) => {
                failures += 1;
                assert_eq!(first.kind(), ErrorKind::Plugin, "{script}: {first}");
                assert_eq!(first.to_string(), second.to_string(), "{script}");
                check_text(&first.to_string(), 8_000, &script);
                check_usage(first.usage().unwrap(), &script);
            }
            (first, second) => panic!("{script}: {first:?}, then {second:?}"),
        }
    }
    println!("{count} scripts: {sites} sites, {failures} failures");
    assert!(sites > count / 10 && failures > count / 10, "{sites} sites, {failures} failures");
}
