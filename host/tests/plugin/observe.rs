//! Plugins that are only observed: what they would do is reported, and nothing of it happens.

use tidegate_core::config::{EditKind, PluginGrant, PluginMode};
use tidegate_core::desired::DesiredSite;
use tidegate_core::finding::Severity;
use tidegate_core::plan_review::Verdict;
use tidegate_core::run_facts::EDGE_REDIRECTS;
use tidegate_host::Engine;
use tidegate_host::sync::{Trace, TransformedArtifact, transform};

use crate::support::{configure, facts, judge, policy_guest, run, short, site, sync_guest};

fn with_edge(plugins: &[tidegate_host::ConfiguredPlugin]) -> TransformedArtifact {
    let (files, mut facts) = (site(), facts());
    facts.attributes.insert(EDGE_REDIRECTS.to_owned(), "netlify".to_owned());
    transform(plugins, files.artifact(), &facts, &files, Trace::Off).unwrap()
}

#[test]
fn decisions_of_an_observed_plugin_are_counted_and_not_applied() {
    let engine = crate::support::engine();
    let guest = sync_guest(&engine);
    let untouched = DesiredSite::from(&site().artifact());
    for act in ["everything@decide", "exclude@decide", "extra@finish", "edge-good@finish", "finding@finish", "good"] {
        let enforced = with_edge(&[configure(&guest, act)]);
        let observed = with_edge(&[configure(&guest, act).with_mode(PluginMode::Observe)]);
        assert_eq!(observed.desired, untouched, "{act}");
        assert!(observed.edge.redirects.is_empty() && observed.edge.headers.is_empty(), "{act}");
        assert_eq!(observed.findings, enforced.findings, "{act}");
        let [plugin] = observed.observed.as_slice() else { panic!("{observed:?}") };
        let (usage, cost) = (&enforced.usage[0], &observed.usage[0]);
        assert_eq!((&plugin.edits, plugin.edge_rules), (&usage.edits, usage.edge_rules), "{act}");
        assert_eq!((&cost.edits, cost.fuel_used, cost.mode), (&usage.edits, usage.fuel_used, PluginMode::Observe));
        assert!(enforced.observed.is_empty() && !plugin.failed, "{act}");
    }
}

#[test]
fn a_trace_has_what_an_observed_plugin_would_decide() {
    let engine = crate::support::engine();
    let observed = configure(&sync_guest(&engine), "everything@decide").with_mode(PluginMode::Observe);
    let files = site();
    let traced = transform(&[observed], files.artifact(), &facts(), &files, Trace::On).unwrap();
    let entries = traced.desired.entries();
    assert_eq!(entries[0].key.as_str(), "b.txt");
    let [step] = entries[0].trail.as_slice() else { panic!("{entries:?}") };
    assert!(step.observed && step.effects[0] == "renamed from b.txt to z/é.txt", "{step:?}");
    assert!(entries[0].headers.iter().next().is_none() && entries[1].body.redirect().is_none(), "{entries:?}");
}

#[test]
fn an_observed_plugin_shows_examples_with_rule_and_reason() {
    let engine = crate::support::engine();
    let guest = sync_guest(&engine);
    let observe = |act: &str| with_edge(&[configure(&guest, act).with_mode(PluginMode::Observe)]).observed.remove(0);
    let everything = observe("everything@decide");
    let counts: Vec<(EditKind, u64)> = everything.edits.iter().map(|(kind, count)| (*kind, *count)).collect();
    let expected = [
        (EditKind::Rename, 1),
        (EditKind::SetHeader, 2),
        (EditKind::RemoveHeader, 1),
        (EditKind::SetMetadata, 2),
        (EditKind::RemoveMetadata, 1),
        (EditKind::Redirect, 1),
    ];
    assert_eq!(counts, expected);
    let [first, second] = everything.examples.as_slice() else { panic!("{everything:?}") };
    assert_eq!((first.key.as_str(), first.rule.as_str()), ("b.txt", "/rules/0"));
    assert!(first.reason.starts_with("because") && !first.reason.chars().any(char::is_control), "{}", first.reason);
    assert_eq!(first.effects[0], "renamed from b.txt to z/é.txt");
    assert_eq!(second.effects, ["published as a redirect to /z/"]);
    let text = everything.to_string();
    assert!(text.contains("would decide 1 rename, 2 set-header") && text.contains("`b.txt`: renamed"), "{text}");
    let extra = observe("extra@finish");
    assert_eq!(extra.examples[0].effects, ["added as a redirect to /index.html"]);
    assert_eq!(observe("edge-good@finish").to_string(), "observed `guest`: would decide 2 edge rules");
    assert_eq!(observe("good").to_string(), "observed `guest`: would decide nothing");
}

#[test]
fn a_failure_of_an_observed_plugin_is_a_finding() {
    let engine = Engine::with_limits(&short()).unwrap();
    let guest = sync_guest(&engine);
    let acts = [
        "trap@begin",
        "trap@decide",
        "trap@finish",
        "loop@decide",
        "recurse@decide",
        "memory@decide",
        "failure@begin",
        "failure@decide",
        "failure@finish",
        "collide-both@decide",
        "rename-long@decide",
        "header-name@decide",
        "descending@decide",
        "other-edit@decide",
        "extra-collide@finish",
        "extra-escape@finish",
        "attribute@finish",
        "edge-good@begin",
    ];
    for act in acts {
        let failure = run(&configure(&guest, act)).unwrap_err();
        // Another plugin follows, and sees what the first one saw.
        let plugins = [configure(&guest, act).with_mode(PluginMode::Observe), configure(&guest, "exclude@decide")];
        let files = site();
        let transformed = transform(&plugins, files.artifact(), &facts(), &files, Trace::Off).unwrap();
        assert_eq!(transformed.desired, run(&plugins[1]).unwrap().desired, "{act}");
        let [finding] = transformed.findings.as_slice() else { panic!("{act}: {:?}", transformed.findings) };
        assert_eq!((finding.code.as_str(), finding.severity), ("observed-plugin-failed", Severity::Warning), "{act}");
        assert_eq!((finding.key.as_deref(), finding.rule.as_str()), (failure.key(), failure.rule()), "{act}");
        assert!(
            finding.message.starts_with("enforced, it would deny this run: the plugin `guest` failed"),
            "{finding}"
        );
        assert!(!finding.message.chars().any(char::is_control), "{finding}");
        assert!(transformed.observed[0].failed && transformed.usage.len() == 2, "{act}");
    }
}

#[test]
fn an_observed_plugin_is_held_to_its_grant() {
    let engine = crate::support::engine();
    let plugin = configure(&sync_guest(&engine), "exclude@decide");
    let plugin = plugin.with_grant(Some(PluginGrant::default())).with_mode(PluginMode::Observe);
    let transformed = run(&plugin).unwrap();
    assert_eq!(transformed.desired.entries().len(), 2);
    assert!(transformed.findings[0].message.contains("`exclude` is not granted"), "{:?}", transformed.findings);
}

#[test]
fn an_observed_policy_does_not_count() {
    let engine = Engine::with_limits(&short()).unwrap();
    let guest = policy_guest(&engine);
    let observed = |act: &str| judge(&configure(&guest, act).with_mode(PluginMode::Observe));
    for (act, verdict) in [("deny@conclude", Verdict::Deny), ("hold@conclude", Verdict::Hold), ("good", Verdict::Allow)]
    {
        let judgement = observed(act);
        assert_eq!((judgement.verdict, judgement.enforced_verdict()), (verdict, Verdict::Allow), "{act}");
        assert_eq!(judge(&configure(&guest, act)).enforced_verdict(), verdict, "{act}");
        assert_eq!(judgement.findings, judge(&configure(&guest, act)).findings, "{act}");
    }
    for act in ["trap@begin", "trap@review", "trap@conclude", "loop@review", "failure@conclude", "other@conclude"] {
        let judgement = observed(act);
        assert_eq!((judgement.enforced_verdict(), &judgement.failure), (Verdict::Allow, &None), "{act}");
        let finding = judgement.findings.last().unwrap();
        assert_eq!((finding.code.as_str(), finding.severity), ("observed-plugin-failed", Severity::Warning), "{act}");
        assert_eq!(judge(&configure(&guest, act)).enforced_verdict(), Verdict::Deny, "{act}");
    }
}
