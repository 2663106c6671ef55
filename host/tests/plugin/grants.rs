//! Grants: what a plugin asks for beyond its grant ends its run, and the failure names the key and what is missing.

use std::collections::BTreeSet;

use tidegate_core::config::{EditKind, MissingGrant, PluginGrant, ReadGrant};
use tidegate_core::plan_review::Verdict;
use tidegate_core::plugin_failure::{FailureCause, PluginFailure};
use tidegate_core::run_facts::EDGE_REDIRECTS;
use tidegate_host::sync::{Trace, TransformedArtifact, transform};
use tidegate_host::{ConfiguredPlugin, Plugin};

use crate::support::{check_failure, configure, engine, facts, judge, policy_guest, run, site, sync_guest};

/// Acts of the hostile plugin, the call, and the kinds of edits that they need.
const ACTS: [(&str, &str, &[EditKind]); 3] = [
    (
        "everything@decide",
        "sync.decide",
        &[
            EditKind::Rename,
            EditKind::SetHeader,
            EditKind::RemoveHeader,
            EditKind::SetMetadata,
            EditKind::RemoveMetadata,
            EditKind::Redirect,
        ],
    ),
    ("exclude@decide", "sync.decide", &[EditKind::Exclude]),
    ("extra@finish", "sync.finish", &[EditKind::AddRedirect]),
];

fn granted(plugin: &Plugin, act: &str, grant: PluginGrant) -> ConfiguredPlugin {
    configure(plugin, act).with_grant(Some(grant))
}

fn edits(kinds: impl IntoIterator<Item = EditKind>) -> PluginGrant {
    PluginGrant { edits: kinds.into_iter().collect(), ..PluginGrant::default() }
}

fn headers(names: &[&str]) -> Option<BTreeSet<tidegate_core::config::GrantedHeader>> {
    Some(names.iter().map(|name| (*name).to_owned().try_into().unwrap()).collect())
}

fn missing(failure: &PluginFailure) -> &MissingGrant {
    match failure.cause() {
        FailureCause::NotGranted(missing) => missing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_edit_needs_its_grant() {
    let engine = engine();
    let guest = sync_guest(&engine);
    for (act, call, kinds) in ACTS {
        let without_grant = run(&configure(&guest, act)).unwrap();
        let exact = run(&granted(&guest, act, edits(kinds.iter().copied()))).unwrap();
        assert_eq!(exact.desired, without_grant.desired, "{act}");
        for kind in kinds {
            let others = EditKind::ALL.into_iter().filter(|other| other != kind);
            let failure = run(&granted(&guest, act, edits(others))).unwrap_err();
            check_failure(&failure, call);
            assert_eq!(missing(&failure), &MissingGrant::Edit(*kind));
            assert!(failure.key().is_some() && !failure.rule().is_empty(), "{failure}");
            let message = failure.to_string();
            assert!(message.contains(kind.as_str()) && message.contains("`grant`"), "{message}");
        }
    }
}

#[test]
fn headers_need_their_grant() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let grant = |names: &[&str]| PluginGrant { headers: headers(names), ..edits(EditKind::ALL) };
    let act = "everything@decide";
    assert!(run(&granted(&guest, act, grant(&["content-type", "expires"]))).is_ok());
    for (names, expected) in [(["content-type"], "expires"), (["expires"], "content-type")] {
        let failure = run(&granted(&guest, act, grant(&names))).unwrap_err();
        check_failure(&failure, "sync.decide");
        assert_eq!((missing(&failure), failure.key()), (&MissingGrant::Header(expected.to_owned()), Some("b.txt")));
    }
    let failure = run(&granted(&guest, "header-name-huge@decide", grant(&["expires"]))).unwrap_err();
    check_failure(&failure, "sync.decide");
}

/// `read-back` reads 3 bytes of two keys, asks for a missing one, and reads 2 and 0 bytes of ranges.
#[test]
fn reads_beyond_the_grant_end_the_run() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let reads =
        |act: &str, reads: ReadGrant| run(&granted(&guest, act, PluginGrant { reads, ..PluginGrant::default() }));
    let without_grant = run(&configure(&guest, "read-back@begin")).unwrap().usage;
    let enough = reads("read-back@begin", ReadGrant::Bytes(8)).unwrap().usage;
    assert_eq!(enough[0].logs, without_grant[0].logs);
    assert_eq!((enough[0].bytes_read, enough[0].bytes_read_allowed, enough[0].headroom.bytes_read), (8, 8, 0));

    let failure = reads("read-back@begin", ReadGrant::Bytes(7)).unwrap_err();
    check_failure(&failure, "sync.begin");
    assert_eq!(failure.key(), Some("index.html"));
    let expected = MissingGrant::MoreReads { read: 6, reads: 3, asked: 2, granted: ReadGrant::Bytes(7) };
    assert_eq!(missing(&failure), &expected);
    // Two reads of the budget of the run, which is 1,000 and 2 for each object.
    let mut limits = engine.limits().clone();
    (limits.reads, limits.reads_per_object) = (8, 0);
    let small = tidegate_host::Engine::with_limits(&limits).unwrap();
    let share = granted(
        &sync_guest(&small),
        "read-back@begin",
        PluginGrant { reads: ReadGrant::Percent(25), ..PluginGrant::default() },
    );
    let failure = run(&share).unwrap_err();
    assert!(matches!(missing(&failure), MissingGrant::MoreReads { reads: 2, .. }), "{failure}");

    // The plugin ignores every error, and asks for keys that do not exist.
    for (act, key) in [
        ("read-elsewhere@begin", "../secret"),
        ("read-nothing@begin", "no-such"),
        ("read-for-ever@begin", "index.html"),
        ("read-until-refused@begin", "index.html"),
    ] {
        for none in [ReadGrant::Bytes(0), ReadGrant::Percent(0)] {
            let failure = reads(act, none).unwrap_err();
            check_failure(&failure, "sync.begin");
            assert_eq!((missing(&failure), failure.key()), (&MissingGrant::Read, Some(key)), "{act}");
        }
    }
    // A long key is cut.
    let failure = reads("heads-nothing@begin", ReadGrant::Bytes(0)).unwrap_err();
    check_failure(&failure, "sync.begin");
}

#[test]
fn a_policy_that_reads_beyond_its_grant_denies() {
    let engine = engine();
    let guest = policy_guest(&engine);
    let judged = |reads| judge(&granted(&guest, "see@review", PluginGrant { reads, ..PluginGrant::default() }));
    assert_eq!(judged(ReadGrant::Bytes(100)).verdict, Verdict::Allow);
    let denied = judged(ReadGrant::Bytes(0));
    let failure = denied.failure.as_ref().unwrap();
    check_failure(failure, "policy.review");
    assert_eq!((denied.verdict, missing(failure)), (Verdict::Deny, &MissingGrant::Read));
    assert_eq!(failure.key(), Some("index.html"));
}

fn run_with_edge(plugin: ConfiguredPlugin) -> Result<TransformedArtifact, PluginFailure> {
    let (files, mut facts) = (site(), facts());
    facts.attributes.insert(EDGE_REDIRECTS.to_owned(), "netlify".to_owned());
    transform(&[plugin], files.artifact(), &facts, &files, Trace::Off)
}

#[test]
fn rules_for_requests_need_their_grant() {
    let engine = engine();
    let guest = sync_guest(&engine);
    let with = |act: &str, grant: PluginGrant| run_with_edge(granted(&guest, act, grant));
    let edge =
        |names: Option<&[&str]>| PluginGrant { edge: true, headers: names.and_then(headers), ..PluginGrant::default() };
    assert_eq!(with("edge-good@finish", edge(None)).unwrap().edge.redirects.len(), 2);
    assert_eq!(with("edge-good-headers@begin", edge(Some(&["x-frame-options", "x-b"]))).unwrap().edge.headers.len(), 1);
    // The plugin ignores the answer.
    for (act, call) in [("edge-good@finish", "sync.finish"), ("edge-good-headers@begin", "sync.begin")] {
        let failure = with(act, edits(EditKind::ALL)).unwrap_err();
        check_failure(&failure, call);
        assert_eq!(missing(&failure), &MissingGrant::Edge);
    }
    let failure = with("edge-good-headers@begin", edge(Some(&["x-frame-options"]))).unwrap_err();
    check_failure(&failure, "sync.begin");
    assert_eq!(missing(&failure), &MissingGrant::Header("x-b".to_owned()));
}
