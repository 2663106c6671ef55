//! Source and target read globs alike: a key that `exclude` leaves out is a key that the same globs protect.

use proptest::prelude::*;
use tidegate_core::config::ProtectedKeys;
use tidegate_core::key::StoredKey;
use tidegate_plugin::testing::{TestArtifact, sync};
use tidegate_plugin_exclude::Exclude;

#[path = "support/globs.rs"]
mod globs;

use globs::{glob, segment};

fn key() -> impl Strategy<Value = String> {
    prop::collection::vec(segment(), 1..4).prop_map(|segments| segments.join("/"))
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
