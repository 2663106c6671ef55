//! The rules for keys, so that a plugin can report an invalid key itself. The host checks every key again.

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
    } else if key.chars().any(is_forbidden) {
        Err(InvalidKey::Character)
    } else if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        Err(InvalidKey::Segment)
    } else {
        Ok(())
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
    use super::{InvalidKey, check};

    #[test]
    fn checks_keys() {
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
