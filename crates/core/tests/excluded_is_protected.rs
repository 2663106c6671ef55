//! Source and target read globs alike: a key that `exclude` leaves out is a key that the same globs protect.

use proptest::prelude::*;
use tidegate_core::config::ProtectedKeys;
use tidegate_core::key::StoredKey;
use tidegate_plugin::testing::{TestArtifact, sync};
use tidegate_plugin_exclude::Exclude;

fn segment() -> impl Strategy<Value = String> {
    "[ab.]{1,3}".prop_filter("keys have no dot segments", |text| text != "." && text != "..")
}

fn key() -> impl Strategy<Value = String> {
    prop::collection::vec(segment(), 1..4).prop_map(|segments| segments.join("/"))
}

fn glob() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => segment(),
        3 => "[ab.*?]{1,4}",
        1 => Just("*".to_owned()),
        1 => Just("**".to_owned()),
        1 => "\\[[ab]{1,2}\\][ab]{0,1}",
        1 => "\\{[ab]{1,2},\\*\\.[ab]\\}",
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (flags, prop::collection::vec(part, 1..4)).prop_map(|((exception, rooted, folder), parts)| {
        let (start, root, end) =
            (if exception { "!" } else { "" }, if rooted { "/" } else { "" }, if folder { "/" } else { "" });
        format!("{start}{root}{}{end}", parts.join("/"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn excluded_keys_are_the_protected_keys(
        globs in prop::collection::vec(glob(), 0..6),
        keys in prop::collection::btree_set(key(), 1..8),
    ) {
        let settings = serde_json::json!({ "defaults": false, "globs": &globs }).to_string();
        let artifact = TestArtifact::new().objects(keys.iter().map(String::as_str));
        let published = sync::<Exclude>(&settings, &artifact).unwrap().published();
        let protected = ProtectedKeys::new(&globs).unwrap();
        for key in &keys {
            let excluded = !published.contains_key(key);
            prop_assert_eq!(protected.covers(&StoredKey::new(key)), excluded, "{:?} and `{}`", &globs, key);
        }
    }
}
