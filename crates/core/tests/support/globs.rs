//! Patterns and names for property tests. Their few characters make many of them match.

use proptest::prelude::*;

/// A segment of a key.
pub(crate) fn segment() -> impl Strategy<Value = String> {
    "[ab.~]{1,3}".prop_filter("keys have no dot segments", |text| text != "." && text != "..")
}

/// A pattern of `exclude` or `protect`.
pub(crate) fn glob() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => segment(),
        3 => "[ab.*?]{1,4}",
        1 => Just("*".to_owned()),
        1 => Just("**".to_owned()),
        1 => "\\[[ab]{1,2}\\][ab]{0,1}",
        1 => "\\{[ab]{1,2},\\*\\.[ab],a/b\\}",
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (flags, prop::collection::vec(part, 1..4)).prop_map(|((exception, rooted, folder), parts)| {
        let (start, root, end) =
            (if exception { "!" } else { "" }, if rooted { "/" } else { "" }, if folder { "/" } else { "" });
        format!("{start}{root}{}{end}", parts.join("/"))
    })
}
