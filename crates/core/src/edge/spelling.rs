//! How the function spells paths: percent-encoded in one way, so that every path is one key of the cache and of the store.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Longest path that the function answers, in characters as visitors send them.
pub const MAX_PATH_CHARACTERS: usize = 1500;

/// What JavaScript's `encodeURIComponent` encodes.
pub(crate) const IN_COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// What JavaScript's `encodeURI` encodes, and `?`, `#` and `+`: S3 takes a `+` for a space.
const ENCODED: &AsciiSet = &IN_COMPONENT
    .remove(b';')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'$');

/// A decoded path, or a part of one, as the function spells it.
#[must_use]
pub fn encode_path(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The path of a target with runs of `/` as one, so that no value makes it lead to another host.
pub(crate) fn single_slashes(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !single.ends_with('/') {
            single.push(character);
        }
    }
    single
}

/// The path of a key, as the function spells it.
#[must_use]
pub fn path_of_key(key: &str) -> String {
    format!("/{}", encode_path(key))
}

/// The spelling of a path that a visitor sent. `None` for a path that no object has.
#[must_use]
pub fn spell(uri: &str) -> Option<String> {
    let too_long = |text: &str| text.chars().map(char::len_utf16).sum::<usize>() > MAX_PATH_CHARACTERS;
    if !uri.starts_with('/') || too_long(uri) || uri.contains('\\') || !has_only_known_escapes(uri) {
        return None;
    }
    let text = percent_decode_str(uri).decode_utf8().ok()?;
    let path = encode_path(&text);
    let climbs = path.split('/').skip(1).any(|segment| matches!(segment, "." | ".."));
    if too_long(&path) || climbs { None } else { Some(path) }
}

/// Whether every `%` begins an escape, and none stands for `/`, `\` or a control character.
pub(crate) fn has_only_known_escapes(uri: &str) -> bool {
    uri.split('%').skip(1).all(|rest| {
        let byte =
            rest.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok().filter(|_| !digits.contains('+')));
        byte.is_some_and(|byte| byte >= 0x20 && !matches!(byte, b'/' | b'\\' | 0x7f))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_every_path_one_way() {
        for (given, spelled) in [
            ("/", "/"),
            ("/a/b.html", "/a/b.html"),
            ("/%61", "/a"),
            ("/a+b", "/a%2Bb"),
            ("/a%2bb", "/a%2Bb"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a%3fb%23c", "/a%3Fb%23c"),
            ("/a:b*(c)", "/a:b*(c)"),
            ("//a", "//a"),
            ("/%25", "/%25"),
        ] {
            assert_eq!(spell(given).as_deref(), Some(spelled), "{given}");
        }
        for bad in
            ["", "a", "/..", "/a/../b", "/a/%2e%2e", "/.", "/a%2fb", "/a%5Cb", "/a%00", "/%", "/%z0", "/%ff", "/a\\b"]
        {
            assert_eq!(spell(bad), None, "{bad}");
        }
        assert_eq!(path_of_key("a b/é+.html"), "/a%20b/%C3%A9%2B.html");
    }
}
