//! The URLs in CSS: `url()`, `src()` and `@import`. Source: CSS Syntax Level 3, "Tokenization".

use crate::{Reference, Role};

/// The references of a style sheet, in order.
#[must_use]
pub fn style_sheet(bytes: &[u8]) -> Vec<Reference> {
    let text = String::from_utf8_lossy(bytes);
    let mut references = Vec::new();
    urls(&text, &mut |url, role| references.push(Reference { text: url, role }));
    references
}

/// Calls `found` with each URL, decoded.
pub(crate) fn urls(text: &str, found: &mut dyn FnMut(String, Role)) {
    let mut rest = text;
    // Whether the next string is a URL, as after `@import`; `image-set()` has strings, too.
    let mut import = false;
    // What a `url()` is for: that of `@font-face` is a font.
    let mut font = false;
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
            continue;
        }
        match first {
            '"' | '\'' => {
                let (value, after) = string(rest, first);
                if import {
                    found(value, Role::Style);
                    import = false;
                }
                rest = after;
            }
            '@' => {
                let name = identifier(rest.get(1..).unwrap_or_default());
                import = name.eq_ignore_ascii_case("import");
                font = name.eq_ignore_ascii_case("font-face");
                rest = rest.get(1 + name.len()..).unwrap_or_default();
            }
            ';' | '{' | '}' => {
                import = false;
                font = font && first != '}';
                rest = rest.get(1..).unwrap_or_default();
            }
            '\\' => {
                let mut characters = rest.chars();
                characters.nth(1);
                rest = characters.as_str();
            }
            first if is_name(first) => {
                let name = identifier(rest);
                let after = rest.get(name.len()..).unwrap_or_default();
                let is_url = name.eq_ignore_ascii_case("url") || name.eq_ignore_ascii_case("src");
                match after.strip_prefix('(').filter(|_| is_url) {
                    None => rest = after,
                    Some(argument) => {
                        let (value, after) = argument_of_url(argument);
                        let role = match () {
                            () if import => Role::Style,
                            () if font => Role::Font,
                            () => Role::Image,
                        };
                        if let Some(value) = value.filter(|value| !value.is_empty()) {
                            found(value, role);
                        }
                        import = false;
                        rest = after;
                    }
                }
            }
            other => rest = rest.get(other.len_utf8()..).unwrap_or_default(),
        }
    }
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_') || !character.is_ascii()
}

fn identifier(text: &str) -> &str {
    text.split(|character| !is_name(character)).next().unwrap_or_default()
}

/// The argument of `url()` after its parenthesis, and the text after it. `None` if it is invalid.
fn argument_of_url(text: &str) -> (Option<String>, &str) {
    let inner = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
    if let Some(quote) = inner.chars().next().filter(|character| matches!(character, '"' | '\'')) {
        let (value, after) = string(inner, quote);
        return (Some(value), after.split_once(')').map_or("", |(_, after)| after));
    }
    let mut value = String::new();
    let mut characters = inner.chars();
    loop {
        let here = characters.as_str();
        match characters.next() {
            None | Some(')') => return (Some(value), characters.as_str()),
            Some(' ' | '\t' | '\n' | '\r' | '\u{c}') => {
                let after = characters.as_str().trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
                return match after.strip_prefix(')') {
                    Some(after) => (Some(value), after),
                    None if after.is_empty() => (Some(value), after),
                    None => (None, after.split_once(')').map_or("", |(_, after)| after)),
                };
            }
            Some('"' | '\'' | '(') => return (None, here.split_once(')').map_or("", |(_, after)| after)),
            Some('\\') => value.extend(escaped(&mut characters)),
            Some(other) => value.push(other),
        }
    }
}

/// A string that starts with a quote, and the text after it.
fn string(text: &str, quote: char) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.chars();
    characters.next();
    loop {
        let here = characters.as_str();
        match characters.next() {
            // A string ends with its line.
            None | Some('\n') => return (value, here),
            Some(character) if character == quote => return (value, characters.as_str()),
            Some('\\') => value.extend(escaped(&mut characters)),
            Some(other) => value.push(other),
        }
    }
}

/// The character of an escape, of which the backslash is read.
fn escaped(characters: &mut std::str::Chars<'_>) -> Option<char> {
    let digits: String = characters.as_str().chars().take(6).take_while(char::is_ascii_hexdigit).collect();
    if digits.is_empty() {
        return characters.next().filter(|character| *character != '\n');
    }
    characters.nth(digits.len() - 1);
    if characters.as_str().starts_with([' ', '\t', '\n', '\r', '\u{c}']) {
        characters.next();
    }
    let code = u32::from_str_radix(&digits, 16).ok().filter(|code| *code != 0);
    Some(code.and_then(char::from_u32).unwrap_or('\u{fffd}'))
}
