//! Escapes text from outside (plugins, events, webhooks, buckets, users) for terminals, logs and error messages.
//!
//! All escaping is here. The result is one line of bounded length, without control characters, and without characters
//! that reorder text.

use std::fmt::Write as _;

/// Longest code of a finding or failure, in bytes.
pub const CODE_BYTES: usize = 64;
/// Longest reason of a decision, in bytes.
pub const REASON_BYTES: usize = 256;
/// Longest message, in bytes.
pub const MESSAGE_BYTES: usize = 1_024;
/// Longest log message, in bytes.
pub const LOG_BYTES: usize = 4 << 10;
/// Longest name or value in an error, in bytes.
const NAME_BYTES: usize = 200;

/// Escapes text. A result that would be longer than about `max_bytes` ends in an ellipsis.
#[must_use]
pub fn sanitize(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes && !text.contains(is_unsafe) {
        return text.to_owned();
    }
    let mut line = String::new();
    for c in text.chars() {
        if line.len() >= max_bytes {
            line.push('…');
            break;
        }
        if is_unsafe(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// Escapes a name or value for an error message.
#[must_use]
pub fn sanitize_name(text: &str) -> String {
    sanitize(text, NAME_BYTES)
}

/// Escapes serialized JSON as `\uXXXX`, which does not change the value. JSON allows unescaped characters that a terminal
/// interprets or reorders.
#[must_use]
pub fn sanitize_json(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        if !is_unsafe(c) {
            line.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(line, "\\u{unit:04x}");
        }
    }
    line
}

/// The first `max_bytes` bytes of a text, or fewer so that no character is split. For errors that name a rejected text and
/// escape it themselves.
#[must_use]
pub fn truncate(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or_default()
}

/// Whether a character must not be printed: control characters (C0, C1), line breaks, bidirectional formatting characters
/// and the byte order mark.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text in which unsafe characters are frequent.
    fn text() -> impl Strategy<Value = String> {
        let bidi = prop::sample::select(
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}"
                .chars()
                .collect::<Vec<_>>(),
        );
        let other = prop::sample::select("\u{2028}\u{2029}\u{feff}\r\n\t\"\\é→".chars().collect::<Vec<_>>());
        let control = prop_oneof![prop::char::range('\0', '\u{1f}'), prop::char::range('\u{7f}', '\u{9f}')];
        let c = prop_oneof![2 => any::<char>(), 1 => bidi, 1 => other, 1 => control];
        prop::collection::vec(c, 0..200).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn output_is_safe_and_bounded(text in text(), max_bytes in 0_usize..300) {
            let line = sanitize(&text, max_bytes);
            prop_assert!(!line.contains(is_unsafe), "{line:?}");
            prop_assert!(!line.contains(char::is_control));
            prop_assert!(!line.contains(['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{feff}']), "{line:?}");
            prop_assert!(!line.contains(|c| ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)), "{line:?}");
            // The last character can be an escape such as `\u{202e}`, and an ellipsis of three bytes follows it.
            prop_assert!(line.len() <= max_bytes + "\\u{202e}".len() - 1 + '…'.len_utf8(), "{} > {max_bytes}", line.len());
        }

        #[test]
        fn json_keeps_its_value(text in text()) {
            let json = sanitize_json(&serde_json::to_string(&text).unwrap());
            prop_assert!(!json.contains(is_unsafe), "{json:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn escapes_and_truncates() {
        assert_eq!(sanitize("a\r\n\u{1b}[31mb\u{202e}\u{9b}", 100), "a\\r\\n\\u{1b}[31mb\\u{202e}\\u{9b}");
        assert_eq!(sanitize("größe → ok", 100), "größe → ok");
        assert_eq!(sanitize("aaaaaa", 3), "aaa…");
        assert_eq!(sanitize("aaa", 3), "aaa");
        assert!(sanitize(&"\u{0}".repeat(10_000), 100).len() < 120);
        assert_eq!(truncate("éé", 3), "é");
    }
}
