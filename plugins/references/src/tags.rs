//! Finds the start tags of a page, and the text of its style sheets. Source: HTML standard, "Tokenization".
//!
//! With a tokenizer that builds every token, `budget` takes more than twice the instructions. So this one skips
//! what has no references: text, comments, scripts, end tags. The tests compare it with a complete tokenizer.

use memchr::{memchr, memmem};

/// What a page has.
pub(crate) enum PageEvent<'a> {
    /// A start tag, with its attributes as they are written. Names can have upper case, and can be repeated.
    Start { name: &'a [u8], attributes: &'a [(&'a [u8], &'a [u8])] },
    /// The text of a style sheet.
    Style(&'a [u8]),
}

/// Calls `visit` with what a page has, in order.
pub(crate) fn scan(page: &[u8], mut visit: impl FnMut(PageEvent<'_>)) {
    let mut attributes: Vec<(&[u8], &[u8])> = Vec::new();
    let mut rest = page;
    while let Some(start) = memchr(b'<', rest) {
        let after = rest.get(start + 1..).unwrap_or_default();
        rest = match after.first() {
            Some(first) if first.is_ascii_alphabetic() => {
                attributes.clear();
                let Some((name, after)) = tag(after, &mut attributes) else { return };
                visit(PageEvent::Start { name, attributes: &attributes });
                let end = end_of_text(name, after);
                if name.eq_ignore_ascii_case(b"style") {
                    visit(PageEvent::Style(after.get(..end).unwrap_or_default()));
                }
                after.get(end..).unwrap_or_default()
            }
            Some(b'/') => {
                let after = after.get(1..).unwrap_or_default();
                if after.first().is_some_and(u8::is_ascii_alphabetic) {
                    attributes.clear();
                    let Some((_, after)) = tag(after, &mut attributes) else { return };
                    after
                } else {
                    // `</>` is nothing, and other ones are comments.
                    after_byte(after, b'>')
                }
            }
            Some(b'!') if after.starts_with(b"!--") => after_comment(after.get(3..).unwrap_or_default()),
            Some(b'!' | b'?') => after_byte(after, b'>'),
            _ => after,
        };
    }
}

fn after_byte(text: &[u8], byte: u8) -> &[u8] {
    memchr(byte, text).and_then(|at| text.get(at + 1..)).unwrap_or_default()
}

/// The text after a comment, of which `<!--` is read.
fn after_comment(text: &[u8]) -> &[u8] {
    if let Some(after) = text.strip_prefix(b">").or_else(|| text.strip_prefix(b"->")) {
        return after;
    }
    let mut rest = text;
    while let Some(at) = memmem::find(rest, b"--") {
        rest = rest.get(at + 2..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix(b">").or_else(|| rest.strip_prefix(b"!>")) {
            return after;
        }
        // Of three dashes, the last two count.
        rest = text.get(text.len() - rest.len() - 1..).unwrap_or_default();
    }
    b""
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

/// The position of the first byte of a set, or the end.
fn find(text: &[u8], is_end: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| is_end(*byte)).unwrap_or(text.len())
}

/// The name of a tag and the text after it; `None` if the page ends in the tag.
fn tag<'a>(text: &'a [u8], attributes: &mut Vec<(&'a [u8], &'a [u8])>) -> Option<(&'a [u8], &'a [u8])> {
    let (name, mut rest) = text.split_at(find(text, |byte| is_space(byte) || matches!(byte, b'/' | b'>')));
    loop {
        // A `/` between attributes has no meaning.
        rest = rest.get(find(rest, |byte| !is_space(byte) && byte != b'/')..)?;
        if *rest.first()? == b'>' {
            return Some((name, rest.get(1..)?));
        }
        // A name may start with `=`.
        let after_first = rest.get(1..)?;
        let length = 1 + find(after_first, |byte| is_space(byte) || matches!(byte, b'/' | b'>' | b'='));
        let (attribute, after) = rest.split_at_checked(length)?;
        let after_space = after.get(find(after, |byte| !is_space(byte))..)?;
        let Some(value) = after_space.strip_prefix(b"=") else {
            attributes.push((attribute, b""));
            rest = after_space;
            continue;
        };
        let value = value.get(find(value, |byte| !is_space(byte))..)?;
        let (value, after) = match *value.first()? {
            quote @ (b'"' | b'\'') => {
                let value = value.get(1..)?;
                let end = memchr(quote, value)?;
                (value.get(..end)?, value.get(end + 1..)?)
            }
            _ => value.split_at(find(value, |byte| is_space(byte) || byte == b'>')),
        };
        attributes.push((attribute, value));
        rest = after;
    }
}

/// The length of the text after a start tag that has no elements, as in scripts; 0 for other elements.
fn end_of_text(name: &[u8], text: &[u8]) -> usize {
    let is = |other: &&str| name.eq_ignore_ascii_case(other.as_bytes());
    if is(&"script") {
        return end_of_script(text);
    }
    if is(&"plaintext") {
        return text.len();
    }
    if !["style", "title", "textarea", "iframe", "noscript", "xmp", "noembed", "noframes"].iter().any(is) {
        return 0;
    }
    let mut at = 0;
    while let Some(next) = text.get(at..).and_then(|rest| memchr(b'<', rest)) {
        if text.get(at + next + 1..).and_then(|rest| rest.strip_prefix(b"/")).is_some_and(|rest| is_tag(rest, name)) {
            return at + next;
        }
        at += next + 1;
    }
    text.len()
}

/// Whether text starts with the name of a tag.
fn is_tag(text: &[u8], name: &[u8]) -> bool {
    let next = text.get(name.len()).copied();
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        && next.is_some_and(|byte| is_space(byte) || matches!(byte, b'/' | b'>'))
}

/// The length of a script. In a comment of it, `<script>` and `</script>` are text.
fn end_of_script(text: &[u8]) -> usize {
    let (mut in_comment, mut in_script) = (false, false);
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let next = if in_comment {
            find(rest, |byte| matches!(byte, b'<' | b'-'))
        } else {
            memchr(b'<', rest).unwrap_or(rest.len())
        };
        let Some(rest) = rest.get(next..) else { break };
        at += next;
        if in_comment && rest.starts_with(b"-->") {
            (in_comment, in_script) = (false, false);
        } else if let Some(after) = rest.strip_prefix(b"<") {
            match after.strip_prefix(b"/") {
                Some(after) if is_tag(after, b"script") => {
                    if !in_script {
                        return at;
                    }
                    in_script = false;
                }
                Some(_) => {}
                None if !in_comment && after.starts_with(b"!--") => {
                    in_comment = true;
                    // The dashes may be those of `-->`.
                    at += 1;
                }
                None => in_script = in_script || in_comment && is_tag(after, b"script"),
            }
        }
        at += 1;
    }
    text.len()
}
