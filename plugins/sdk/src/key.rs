//! The rules for keys, so that a plugin can report an invalid key itself, and the two Unicode forms of keys. The host checks
//! every key again.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Limit of a key, in bytes of UTF-8. Source: Amazon S3 user guide, "Naming Amazon S3 objects".
pub const MAX_BYTES: usize = 1_024;

/// An invalid key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It has no characters.
    #[error("the key is empty")]
    Empty,
    /// It has more than [`MAX_BYTES`] bytes.
    #[error("the key is longer than 1,024 bytes")]
    TooLong,
    /// It has a segment `.` or `..`, or an empty one: a leading, trailing or double `/`.
    #[error("the key has an empty segment, or a segment `.` or `..`")]
    Segment,
    /// It has a control character, a backslash, or a Unicode character that reorders text or breaks lines.
    #[error("the key has a control character, a backslash, or a character that reorders text")]
    Character,
}

/// Checks a key.
///
/// # Errors
///
/// A key that the host would refuse.
pub fn check(key: &str) -> Result<(), InvalidKey> {
    if key.is_empty() {
        Err(InvalidKey::Empty)
    } else if key.len() > MAX_BYTES {
        Err(InvalidKey::TooLong)
    } else if is_plain(key) {
        Ok(())
    } else if has_forbidden(key) {
        Err(InvalidKey::Character)
    } else if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        Err(InvalidKey::Segment)
    } else {
        Ok(())
    }
}

/// The composed form (NFC) of a key or of a part of one.
///
/// The same letter can be one character (`é`) or two (`e` and an accent). Names of files from a Mac are often decomposed
/// (NFD), while keyboards and editors write the composed form. For S3 and browsers, these are different keys.
#[must_use]
pub fn compose(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    let composed: String = text.nfc().collect();
    if composed == text { Cow::Borrowed(text) } else { Cow::Owned(composed) }
}

/// The decomposed form (NFD) of a key, which names of files from a Mac often have.
#[must_use]
pub fn decompose(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(text.nfd().collect()) }
}

/// Whether a key has only bytes and segments that need no closer look, as most keys do: printable ASCII, and no segment that is
/// empty or starts with a dot. One pass takes fewer instructions than several.
fn is_plain(key: &str) -> bool {
    let mut starts_segment = true;
    for byte in key.bytes() {
        if !matches!(byte, b' '..=b'~') || byte == b'\\' || (starts_segment && matches!(byte, b'/' | b'.')) {
            return false;
        }
        starts_segment = byte == b'/';
    }
    !starts_segment
}

fn has_forbidden(key: &str) -> bool {
    // Most keys are ASCII, and bytes take fewer instructions than characters.
    if key.is_ascii() {
        key.bytes().any(|byte| byte == b'\\' || byte.is_ascii_control())
    } else {
        key.chars().any(is_forbidden)
    }
}

/// Characters that make a plan show another name than the published one.
fn is_forbidden(character: char) -> bool {
    let reorders = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    );
    reorders || character == '\\' || character.is_control()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{InvalidKey, check, compose, decompose};

    #[test]
    fn checks_keys() {
        for key in ["a", ".nojekyll", "a/b.html", "été 1.png", "a..b", "...", "a/.b/..c", "~/-", &"a".repeat(1_024)] {
            assert_eq!(check(key), Ok(()), "{key}");
        }
        let table = [
            ("", InvalidKey::Empty),
            ("/a", InvalidKey::Segment),
            ("a/", InvalidKey::Segment),
            ("a//b", InvalidKey::Segment),
            ("a/../b", InvalidKey::Segment),
            ("./a", InvalidKey::Segment),
            ("..", InvalidKey::Segment),
            ("a/.", InvalidKey::Segment),
            ("/", InvalidKey::Segment),
            ("é/../b", InvalidKey::Segment),
            ("a\nb", InvalidKey::Character),
            ("a\\b", InvalidKey::Character),
            (".\\", InvalidKey::Character),
            ("a\u{7f}", InvalidKey::Character),
            ("a\u{202e}b", InvalidKey::Character),
            (&"a".repeat(1_025), InvalidKey::TooLong),
        ];
        for (key, error) in table {
            assert_eq!(check(key), Err(error), "{key}");
        }
    }

    /// Source: NormalizationTest.txt of the Unicode Character Database: source, NFC and NFD of characters that compose, that are excluded from
    /// composition, that are reordered, and of Hangul.
    #[test]
    fn composes_and_decomposes_as_the_standard_says() {
        let table = [
            ("\u{e9}", "\u{e9}", "e\u{301}"),
            ("\u{1e0a}", "\u{1e0a}", "D\u{307}"),
            ("\u{1e0a}\u{323}", "\u{1e0c}\u{307}", "D\u{323}\u{307}"),
            ("D\u{307}\u{323}", "\u{1e0c}\u{307}", "D\u{323}\u{307}"),
            ("\u{1e69}", "\u{1e69}", "s\u{323}\u{307}"),
            ("s\u{307}\u{323}", "\u{1e69}", "s\u{323}\u{307}"),
            ("\u{212b}", "\u{c5}", "A\u{30a}"),
            ("\u{2126}", "\u{3a9}", "\u{3a9}"),
            ("\u{958}", "\u{915}\u{93c}", "\u{915}\u{93c}"),
            ("\u{f900}", "\u{8c48}", "\u{8c48}"),
            ("\u{ac00}", "\u{ac00}", "\u{1100}\u{1161}"),
            ("\u{ac01}", "\u{ac01}", "\u{1100}\u{1161}\u{11a8}"),
            ("\u{d7a3}", "\u{d7a3}", "\u{1112}\u{1175}\u{11c2}"),
            ("\u{ac00}\u{11a8}", "\u{ac01}", "\u{1100}\u{1161}\u{11a8}"),
            ("\u{1100}\u{ac00}\u{11a8}", "\u{1100}\u{ac01}", "\u{1100}\u{1100}\u{1161}\u{11a8}"),
            ("\u{3b1}\u{345}\u{301}", "\u{1fb4}", "\u{3b1}\u{301}\u{345}"),
            ("a\u{5ae}\u{300}\u{315}b", "\u{e0}\u{5ae}\u{315}b", "a\u{5ae}\u{300}\u{315}b"),
            ("\u{9c7}\u{334}\u{9be}", "\u{9c7}\u{334}\u{9be}", "\u{9c7}\u{334}\u{9be}"),
        ];
        for (source, composed, decomposed) in table {
            for text in [source, composed, decomposed] {
                assert_eq!(compose(text), composed, "{text:?}");
                assert_eq!(decompose(text), decomposed, "{text:?}");
            }
            assert!(matches!(compose(composed), Cow::Borrowed(_)), "{composed:?}");
        }
        assert!(matches!(compose("index.html"), Cow::Borrowed(_)));
    }
}
