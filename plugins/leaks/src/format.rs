//! The form of a token: a prefix, and parts that follow it.

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// `0-9`
    Digits,
    /// `0-9a-f`, and `A-F`
    Hex,
    /// `0-9A-Za-z`
    Alphanumeric,
    /// `0-9a-z`
    LowerAlphanumeric,
    /// `0-9A-Z`
    UpperAlphanumeric,
    /// `A-Z2-7`
    Base32,
    /// `0-9A-Za-z+/`
    Base64,
    /// `0-9A-Za-z_-`
    Base64Url,
    /// Base64url with `.`, for several parts
    Dotted,
    /// `0-9A-Za-z-`
    Dashed,
}

impl Set {
    pub(crate) fn contains(self, byte: u8) -> bool {
        match self {
            Self::Digits => byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::LowerAlphanumeric => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
            Self::UpperAlphanumeric => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Base32 => byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'),
            Self::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Dashed => byte.is_ascii_alphanumeric() || byte == b'-',
        }
    }
}

/// A part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// From `0` to `1` bytes of a set.
    Of(Set, usize, usize),
    /// This text.
    Text(&'static str),
}

/// The length of the parts at the start of `text`, if all of them match and the token ends there.
pub(crate) fn length(text: &[u8], parts: &[Part]) -> Option<usize> {
    let mut at = 0;
    for part in parts {
        let rest = text.get(at..)?;
        match part {
            Part::Text(expected) => {
                rest.strip_prefix(expected.as_bytes())?;
                at += expected.len();
            }
            Part::Of(set, min, max) => {
                let length = rest.iter().take(max + 1).take_while(|byte| set.contains(**byte)).count();
                // A set of a fixed length may be followed by a part that begins with the same bytes.
                let length = if min == max { length.min(*max) } else { length };
                if length < *min || length > *max {
                    return None;
                }
                at += length;
            }
        }
    }
    let next = text.get(at).copied();
    let continues = |part: &Part| match part {
        Part::Of(set, ..) => next.is_some_and(|byte| set.contains(byte)),
        Part::Text(_) => false,
    };
    let is_word = next.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (!is_word && !parts.last().is_some_and(continues)).then_some(at)
}

/// Whether a token may start at `at`: after a byte that is no part of a word, or after an escape such as `\n`.
pub(crate) fn starts(text: &[u8], at: usize) -> bool {
    let before = |distance: usize| at.checked_sub(distance).and_then(|at| text.get(at).copied());
    match before(1) {
        None => true,
        Some(b'n' | b'r' | b't') if before(2) == Some(b'\\') => true,
        Some(byte) => !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+')),
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Set, length, starts};

    #[test]
    fn a_token_has_its_parts_and_ends() {
        let parts = [Part::Of(Set::Alphanumeric, 4, 4), Part::Text("_"), Part::Of(Set::Hex, 2, 3)];
        for (text, expected) in [
            ("ab12_0f", Some(7)),
            ("ab12_0fa\"", Some(8)),
            ("ab12_0fab", None),
            ("ab12_0g", None),
            ("ab1_0f", None),
            ("ab123_0f", None),
            ("ab12_0f_", None),
            ("ab12", None),
            ("", None),
        ] {
            assert_eq!(length(text.as_bytes(), &parts), expected, "{text}");
        }
    }

    #[test]
    fn a_token_starts_a_word() {
        for (text, at, expected) in
            [("k", 0, true), ("=k", 1, true), ("ak", 1, false), ("\\nk", 2, true), ("nk", 1, false), ("_k", 1, false)]
        {
            assert_eq!(starts(text.as_bytes(), at), expected, "{text}");
        }
    }
}
