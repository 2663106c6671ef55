//! The ways in which software writes a key as the path of a URL. They reach the same object, but CloudFront caches a copy
//! for each: it sends the path to the origin as it received it, and escapes of reserved characters are other paths.
//!
//! Sources: CloudFront developer guide, "Path pattern" (paths are normalized as RFC 3986 says, which leaves reserved
//! characters alone) and "What you need to know when invalidating files"; RFC 3986, sections 2.2 and 6.2.2. S3 reads `+` as a
//! space, so a key with `+` is reached as `%2B`: launchpad.net/bugs/1003633.

use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::path::UNSAFE;

/// Unsafe characters, and `+`.
const PLUS: &AsciiSet = &UNSAFE.add(b'+');

/// What `encodeURIComponent` of JavaScript encodes.
const COMPONENT: &AsciiSet = &PLUS.add(b'$').add(b'&').add(b',').add(b':').add(b';').add(b'=').add(b'@');

/// Everything that RFC 3986 reserves: `rawurlencode` of PHP, `quote` of Python, the SDKs of AWS.
const RESERVED: &AsciiSet = &COMPONENT.add(b'!').add(b'\'').add(b'(').add(b')');

/// One way to write a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathSpelling {
    encoded: &'static AsciiSet,
    space: &'static str,
}

/// All of them. The first is that of links in pages, in which only unsafe characters are encoded. The last two write a space
/// as the form encoding does; the console of S3 shows such URLs.
pub(super) const SPELLINGS: [PathSpelling; 6] = [
    PathSpelling { encoded: UNSAFE, space: "%20" },
    PathSpelling { encoded: PLUS, space: "%20" },
    PathSpelling { encoded: COMPONENT, space: "%20" },
    PathSpelling { encoded: RESERVED, space: "%20" },
    PathSpelling { encoded: PLUS, space: "+" },
    PathSpelling { encoded: RESERVED, space: "+" },
];

impl PathSpelling {
    /// Appends one character.
    pub(super) fn write(self, c: char, path: &mut String) {
        match c {
            ' ' => path.push_str(self.space),
            c => path.extend(utf8_percent_encode(c.encode_utf8(&mut [0; 4]), self.encoded)),
        }
    }

    /// Appends text.
    pub(super) fn of(self, text: &str) -> String {
        let mut path = String::new();
        text.chars().for_each(|c| self.write(c, &mut path));
        path
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Rows: a key, its paths.
    #[test]
    fn a_key_has_a_path_for_each_spelling() {
        let table: &[(&str, &[&str])] = &[
            ("a-b_c.d/E9", &["a-b_c.d/E9"]),
            ("a+b", &["a%2Bb", "a+b"]),
            ("a b", &["a%20b", "a+b"]),
            ("a b+c", &["a%20b%2Bc", "a%20b+c", "a+b%2Bc"]),
            ("caf\u{e9}", &["caf%C3%A9"]),
            ("100%", &["100%25"]),
            ("[x]{y}|z^`\"<>#?\\", &["%5Bx%5D%7By%7D%7Cz%5E%60%22%3C%3E%23%3F%5C"]),
            ("a~b", &["a%7Eb"]),
            ("it's", &["it%27s", "it's"]),
            ("a(1)", &["a%281%29", "a(1)"]),
            ("wow!", &["wow!", "wow%21"]),
            ("logo@2x", &["logo%402x", "logo@2x"]),
            ("a,b;c=d", &["a%2Cb%3Bc%3Dd", "a,b;c=d"]),
            ("a:b&c$d", &["a%3Ab%26c%24d", "a:b&c$d"]),
            ("a (1)", &["a%20%281%29", "a%20(1)", "a+%281%29", "a+(1)"]),
            ("+@(", &["%2B%40%28", "%2B%40(", "%2B@(", "+@("]),
        ];
        for (key, expected) in table {
            let found: BTreeSet<String> = SPELLINGS.iter().map(|spelling| spelling.of(key)).collect();
            assert_eq!(found, expected.iter().map(|path| (*path).to_owned()).collect(), "{key}");
        }
    }
}
