//! What others say (plugins, events, webhooks), made fit for a terminal and a log: no control characters, no reordering, a
//! bounded length.
//!
//! Owns the escaping. Never judges what is said.

/// Longest code of a finding or failure, in bytes.
pub const CODE_BYTES: usize = 64;
/// Longest sentence, in bytes.
pub const MESSAGE_BYTES: usize = 1_024;
/// Longest log message, in bytes.
pub const LOG_BYTES: usize = 4 << 10;
/// Longest name or value in an error, in bytes.
const SHOWN_BYTES: usize = 200;
/// Longest reason of a decision, in bytes.
pub const REASON_BYTES: usize = 256;

/// The text in one line of at most about `most` bytes, with an ellipsis where it was longer.
pub fn sanitize(text: &str, most: usize) -> String {
    if text.len() <= most && !text.contains(is_unsafe) {
        return text.to_owned();
    }
    let mut line = String::new();
    for c in text.chars() {
        if line.len() >= most {
            line.push('…');
            break;
        }
        if is_unsafe(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// A name or value from outside, for an error that names it.
pub fn sanitize_name(text: &str) -> String {
    sanitize(text, SHOWN_BYTES)
}

/// The beginning of a text, for an error that names what was refused.
pub fn truncate(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// Control characters, and characters that break or reorder a line.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unfit_passes_and_lengths_are_bounded() {
        assert_eq!(sanitize("a\r\n\u{1b}[31mb\u{202e}\u{9b}", 100), "a\\r\\n\\u{1b}[31mb\\u{202e}\\u{9b}");
        assert_eq!(sanitize("größe → ok", 100), "größe → ok");
        assert_eq!(sanitize("aaaaaa", 3), "aaa…");
        assert_eq!(sanitize("aaa", 3), "aaa");
        assert!(sanitize(&"\u{0}".repeat(10_000), 100).len() < 120);
        assert_eq!(truncate("éé", 3), "é");
    }
}
