//! The URLs of a `srcset`. Source: HTML standard, "Parsing a srcset attribute".

/// The URLs, in order.
pub(crate) fn urls(text: &str) -> Vec<&str> {
    let is_space = |character: char| character.is_ascii_whitespace();
    let mut urls = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|character: char| is_space(character) || character == ',');
        if rest.is_empty() {
            return urls;
        }
        let (url, after) = rest.split_at(rest.find(is_space).unwrap_or(rest.len()));
        let bare = url.trim_end_matches(',');
        urls.push(bare);
        // A URL that ends with a comma has no descriptors.
        rest = if bare.len() < url.len() { after } else { after_descriptors(after) };
    }
}

/// The text after the descriptors of a URL: after a comma outside of parentheses.
fn after_descriptors(text: &str) -> &str {
    let mut depth = 0_u32;
    for (position, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return text.get(position + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}
