//! The settings that name owners of buckets, where the configuration has none.

use std::collections::BTreeSet;

use tidegate_core::config::{AccountId, Config};
use tidegate_core::location::Bucket;
use tidegate_iam::stack::{AccountRegion, OwnerSetting, assumed_owners, configured_buckets, missing_owners};

const TEXT: &str = r#"
state = "s3://acme-state/"
#state
[[site]]
name = "docs"
target = "s3://acme-docs/"
builds = "s3://acme-builds/docs/"
#docs
[[site]]
name = "plain"
target = "s3://acme-plain/"
"#;

fn account() -> AccountId {
    super::ACCOUNT.to_owned().try_into().unwrap()
}

fn lines(settings: &[OwnerSetting]) -> Vec<String> {
    let site = |setting: &OwnerSetting| setting.site.as_ref().map_or("-".to_owned(), ToString::to_string);
    settings.iter().map(|setting| format!("{} {setting}", site(setting))).collect()
}

/// The lines for buckets of which all but these are owned.
fn without(text: &str, foreign: &[&str]) -> Vec<String> {
    let config = Config::parse(text).unwrap();
    let mut owned = configured_buckets(&config);
    for bucket in foreign {
        assert!(owned.remove(&Bucket::new(bucket).unwrap()), "{bucket}");
    }
    lines(&missing_owners(&config, &account(), &owned))
}

#[test]
fn missing_owners_are_named_for_owned_buckets_only() {
    let all = ["- state-owner", "docs owner", "plain owner"].map(|line| format!("{line} = \"123456789012\""));
    assert_eq!(without(TEXT, &[]), all);
    let shown = |foreign: &[&str]| {
        without(TEXT, foreign).iter().map(|line| line.replace(" = \"123456789012\"", "")).collect::<Vec<_>>()
    };
    assert_eq!(shown(&["acme-state"]), ["docs owner", "plain owner"]);
    // `owner` is the default of `builds-owner`, so it would be wrong for builds of another account.
    assert_eq!(shown(&["acme-builds"]), ["- state-owner", "plain owner"]);
    assert_eq!(shown(&["acme-docs"]), ["- state-owner", "docs builds-owner", "plain owner"]);
    assert!(shown(&["acme-state", "acme-docs", "acme-builds", "acme-plain"]).is_empty());
}

/// With the lines in it, the configuration is valid, expects these owners, and needs no more lines.
#[test]
fn the_lines_are_valid_and_complete() {
    for foreign in [&[][..], &["acme-state"], &["acme-docs"], &["acme-builds"]] {
        let mut text = TEXT.to_owned();
        for line in without(TEXT, foreign) {
            let (site, setting) = line.split_once(' ').unwrap();
            text = match site {
                "-" => text.replace("#state", setting),
                "docs" => text.replace("#docs", setting),
                _ => text + setting,
            };
        }
        let rest: BTreeSet<String> = without(&text, foreign).into_iter().collect();
        assert!(rest.is_empty(), "{text}\n{rest:?}");
        let config = Config::parse(&text).unwrap();
        for bucket in configured_buckets(&config) {
            let expected = config.sites.iter().find_map(|site| {
                let owners = site.bucket_owners();
                owners.owner(bucket.as_str()).map(str::to_owned)
            });
            let is_foreign =
                foreign.contains(&bucket.as_str()) || (foreign == ["acme-builds"] && bucket.as_str() == "acme-docs");
            assert_eq!(expected.is_none(), is_foreign, "{bucket}: {text}");
        }
    }
}

#[test]
fn a_template_assumes_the_account_of_its_roles() {
    let role = |account: &str| format!("role = \"arn:aws:iam::{account}:role/docs\"");
    let assumed = |text: &str, account: Option<&str>| {
        lines(&assumed_owners(&Config::parse(text).unwrap(), &AccountRegion::at_deployment(account)))
    };
    assert!(assumed(TEXT, None).is_empty(), "no account is known");
    let own = TEXT.replace("#docs", &role(super::ACCOUNT));
    assert_eq!(assumed(&own, None), without(&own, &[]));
    let other = TEXT.replace("#docs", &role("111111111111"));
    assert_eq!(assumed(&other, Some(super::ACCOUNT)), without(&other, &["acme-docs"]));
}
