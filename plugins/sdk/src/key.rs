//! What a key may be, as the contract says it, so that a plugin can refuse a bad one in its own words.
//!
//! Owns that rule. The host checks every key again.

/// The longest key, in bytes of UTF-8; from S3.
pub const LONGEST: usize = 1_024;

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Nothing.
    #[error("a key is empty")]
    Empty,
    /// More than [`LONGEST`] bytes.
    #[error("a key is longer than 1,024 bytes")]
    TooLong,
    /// Empty, as at a leading or a double `/` and at a `/` at the end, or `.` or `..`.
    #[error("a key has a segment that is empty, `.` or `..`")]
    Segment,
    /// A control character, a backslash, or a Unicode character that reorders or breaks a line of text.
    #[error("a key has a control character, a backslash, or a character that reorders text")]
    Character,
}

/// Checks a key.
///
/// # Errors
///
/// What the host would refuse.
pub fn check(key: &str) -> Result<(), InvalidKey> {
    if key.is_empty() {
        Err(InvalidKey::Empty)
    } else if key.len() > LONGEST {
        Err(InvalidKey::TooLong)
    } else if key.chars().any(is_forbidden) {
        Err(InvalidKey::Character)
    } else if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        Err(InvalidKey::Segment)
    } else {
        Ok(())
    }
}

/// What would make a plan show another name than the one that is published.
fn is_forbidden(character: char) -> bool {
    let reorders =
        matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    reorders || character == '\\' || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::{InvalidKey, check};

    #[test]
    fn keys_are_relative_paths_without_surprises() {
        for key in ["a", ".nojekyll", "a/b.html", "été 1.png", "a..b", "...", &"a".repeat(1_024)] {
            assert_eq!(check(key), Ok(()), "{key}");
        }
        let table = [
            ("", InvalidKey::Empty),
            ("/a", InvalidKey::Segment),
            ("a/", InvalidKey::Segment),
            ("a//b", InvalidKey::Segment),
            ("a/../b", InvalidKey::Segment),
            ("./a", InvalidKey::Segment),
            ("a\nb", InvalidKey::Character),
            ("a\\b", InvalidKey::Character),
            ("a\u{202e}b", InvalidKey::Character),
            (&"a".repeat(1_025), InvalidKey::TooLong),
        ];
        for (key, error) in table {
            assert_eq!(check(key), Err(error), "{key}");
        }
    }
}
