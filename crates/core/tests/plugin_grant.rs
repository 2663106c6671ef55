//! `grant`, `mode` and their defaults in a configuration.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, and clippy.toml exempts only the tests themselves"
)]

use tidegate_core::config::{Config, EditKind, MissingGrant, PluginGrant, PluginMode, ReadGrant};

const DIGEST: &str = "sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"";

/// The grants of a sync plugin and of a policy in files with these fields, and of a bundled plugin.
fn grants(top: &str, sync: &str, policy: &str) -> Result<[Option<PluginGrant>; 3], String> {
    let text = format!(
        "{top}\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\n\
         [[site.sync]]\nplugin = \"a.wasm\"\n{DIGEST}\n{sync}\n\
         [[site.policy]]\nplugin = \"b.wasm\"\n{DIGEST}\n{policy}\n\
         [[site.sync]]\nplugin = \"mime\"\n"
    );
    let mut site = Config::parse(&text).map_err(|error| error.to_string())?.sites.remove(0);
    let bundled = site.sync.pop().unwrap().grant;
    Ok([site.sync.pop().unwrap().grant, site.policy.pop().unwrap().grant, bundled])
}

#[test]
fn what_is_not_listed_is_not_granted() {
    let [none, policy, bundled] = grants("", "", "").unwrap();
    assert_eq!((none, policy, bundled), (None, None, None));
    let [empty, ..] = grants("", "grant = {}", "").unwrap();
    let empty = empty.unwrap();
    for kind in EditKind::ALL {
        assert_eq!(empty.check_edit(kind, None), Err(MissingGrant::Edit(kind)));
    }
    assert_eq!(empty.check_edge([]), Err(MissingGrant::Edge));
    assert!(empty.reads.is_none());
    assert_eq!(empty.to_string(), "may not change or read anything");

    let some = "grant = { edits = [\"set-header\", \"exclude\"], headers = [\"Cache-Control\"], reads = \"25%\", edge = true }";
    let [some, ..] = grants("", some, "").unwrap();
    let some = some.unwrap();
    assert_eq!(some.check_edit(EditKind::Exclude, None), Ok(()));
    assert_eq!(some.check_edit(EditKind::SetHeader, Some("cache-CONTROL")), Ok(()));
    assert_eq!(some.check_edit(EditKind::SetHeader, Some("Expires")), Err(MissingGrant::Header("expires".to_owned())));
    assert_eq!(some.check_edit(EditKind::RemoveHeader, None), Err(MissingGrant::Edit(EditKind::RemoveHeader)));
    assert_eq!(some.check_edge(["cache-control"]), Ok(()));
    assert_eq!(some.check_edge(["x-a"]), Err(MissingGrant::Header("x-a".to_owned())));
    assert_eq!(some.to_string(), "may exclude, set-header, add rules for requests, read 25%; headers: cache-control");
    let json = serde_json::to_value(&some).unwrap();
    assert_eq!(serde_json::from_value::<PluginGrant>(json).unwrap(), some);
}

#[test]
fn every_kind_has_its_name_of_the_contract() {
    for kind in EditKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        let [granted, ..] = grants("", &format!("grant = {{ edits = [\"{kind}\"] }}"), "").unwrap();
        let granted = granted.unwrap();
        for other in EditKind::ALL {
            assert_eq!(granted.check_edit(other, None).is_ok(), other == kind, "{other}");
        }
    }
}

#[test]
fn reads_are_bytes_or_a_share() {
    let reads = |text: &str| grants("", "", &format!("grant = {{ reads = {text} }}"));
    let granted = |text: &str| reads(text).unwrap()[1].as_ref().unwrap().reads;
    assert_eq!((granted("0").of(1_000), granted("0").reads_of(10)), (0, 0));
    assert_eq!((granted("300").of(1_000), granted("300").reads_of(10)), (300, 10));
    assert_eq!((granted("5000").of(1_000), granted("5000").reads_of(10)), (1_000, 10));
    assert_eq!((granted("\"25%\"").of(1_000), granted("\"25%\"").reads_of(10)), (250, 2));
    assert_eq!((granted("\"100%\"").of(u64::MAX), granted("\"0%\"").of(1_000)), (u64::MAX, 0));
    assert_eq!((granted("0"), granted("\"0%\"")), (ReadGrant::Bytes(0), ReadGrant::Percent(0)));
    for bad in ["-1", "\"101%\"", "\"25\"", "\"%\"", "\"-5%\"", "\"1 MB\"", "\"+5%\"", "true", "0.5"] {
        let error = reads(bad).unwrap_err();
        assert!(error.contains("reads"), "{bad}: {error}");
    }
}

#[test]
fn grants_that_do_not_make_sense_are_refused() {
    let refused = [
        ("grant = { edits = [\"compress\"] }", "", "unknown variant `compress`"),
        ("grant = { edit = [\"exclude\"] }", "", "edit"),
        ("grant = { edits = [\"exclude\"], headers = [\"expires\"] }", "", "`headers` in `grant` has no effect"),
        ("grant = { edits = [\"set-header\"], headers = [\"a b\"] }", "", "invalid header name `a b`"),
        ("", "grant = { edits = [\"exclude\"] }", "only `reads`"),
        ("", "grant = { edge = true }", "only `reads`"),
        ("", "grant = { headers = [] }", "only `reads`"),
        ("mode = \"watch\"", "", "unknown variant `watch`"),
    ];
    for (sync, policy, expected) in refused {
        let error = grants("", sync, policy).unwrap_err();
        assert!(error.contains(expected), "{sync}{policy}: {error}");
    }
}

#[test]
fn the_default_grant_is_for_plugins_that_are_not_bundled() {
    let top = "[plugins]\ngrant = { edits = [\"exclude\"], reads = 10 }";
    let [sync, policy, bundled] = grants(top, "", "").unwrap();
    let policy = policy.unwrap();
    assert_eq!((policy.reads, policy.edits.len()), (ReadGrant::Bytes(10), 0));
    assert_eq!((sync.unwrap().edits.len(), bundled), (1, None));
    let [own, ..] = grants(top, "grant = { edits = [\"rename\"] }", "").unwrap();
    let own = own.unwrap();
    assert!(own.check_edit(EditKind::Rename, None).is_ok() && own.reads.is_none());
}

#[test]
fn plugins_are_enforced_by_default() {
    let mode = |fields: &str| {
        let text =
            format!("[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\n[[site.sync]]\nplugin = \"mime\"\n{fields}\n");
        Config::parse(&text).unwrap().sites.remove(0).sync.remove(0).mode
    };
    assert_eq!((mode(""), mode("mode = \"enforce\"")), (PluginMode::Enforce, PluginMode::Enforce));
    assert_eq!(mode("mode = \"observe\""), PluginMode::Observe);
}
