//! Lines of a `_redirects` file as Cloudflare Pages reads them. Lines that it ignores are findings.
//!
//! Source: `parseRedirects.ts` and `rules-engine.ts` of `workers-shared`, with which `tests/cloudflare.rs` compares them.
//! Its limits of 2,000 lines for exact paths and 100 other lines are not followed.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use tidegate_plugin::{LineFindings, Pointer};

use super::netlify::target_of;
use super::path::{EdgePart, EdgePath};
use super::{PlannedRule, RefusedEdgeLine};
use crate::error::RedirectError;

/// Longest line, in characters.
const MAX_LINE_CHARACTERS: usize = 2_000;

/// Adds the rules of all lines.
pub(super) fn add_lines(text: &str, at: &Pointer, rules: &mut Vec<PlannedRule>, findings: &mut LineFindings) {
    let mut seen = BTreeSet::new();
    for (number, line) in (1..).zip(text.split('\n')) {
        let is_space = |character: char| character.is_whitespace() || character == '\u{feff}';
        let line = line.trim_matches(is_space);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // A comment starts at any word.
        let words: Vec<&str> =
            line.split(is_space).filter(|word| !word.is_empty()).take_while(|word| !word.starts_with('#')).collect();
        match parse(line, &words, number, at, &mut seen) {
            Ok(rule) => rules.push(rule),
            Err(refused) => findings.warning("redirect-not-possible", refused.kind, number, refused.message),
        }
    }
}

fn parse(
    line: &str,
    words: &[&str],
    number: usize,
    at: &Pointer,
    seen: &mut BTreeSet<String>,
) -> Result<PlannedRule, RefusedEdgeLine> {
    if line.chars().count() > MAX_LINE_CHARACTERS {
        let message =
            format!("the line has more than {MAX_LINE_CHARACTERS} characters, and Cloudflare ignores it; shorten it");
        return Err(RefusedEdgeLine::new("length", message));
    }
    let (from, to, status) = match words {
        [from, to] => (*from, *to, None),
        [from, to, status] => (*from, *to, Some(*status)),
        _ => {
            let message = "Cloudflare ignores lines without a target, with conditions and with query parameters; write `/from \
                           /to 301`";
            return Err(RefusedEdgeLine::new("form", message));
        }
    };
    if from.starts_with("https://") {
        let message =
            format!("a rule for a host, as in `{from}`, is not supported; redirect where that host is served");
        return Err(RefusedEdgeLine::new("host", message));
    }
    let path = parse_path(from)?;
    if !(to.starts_with('/') || to.starts_with("https://")) {
        return Err(RedirectError::InvalidTarget(to.to_owned()).into());
    }
    let code = status.map_or(Some(302), |status| status.parse::<u16>().ok());
    let Some(code @ (200 | 301 | 302 | 303 | 307 | 308)) = code else {
        let message = format!(
            "Cloudflare ignores lines with the status `{}`; use 200, 301, 302, 303, 307 or 308, or set `redirects = \
             \"netlify\"`",
            status.unwrap_or_default()
        );
        return Err(RefusedEdgeLine::new("status", message));
    };
    let is_path = to.starts_with('/');
    if is_path && from.ends_with('/') | from.ends_with("/*") && (to.ends_with("/index") || to.ends_with("/index.html"))
    {
        let message = format!(
            "Cloudflare ignores `{from} {to}`, which would be a loop there; set `fallback` in `[site.edge]` to show a page for \
             all paths"
        );
        return Err(RefusedEdgeLine::new("index", message));
    }
    // A line for content of another host takes its path from later lines, too.
    if !seen.insert(path.text()) {
        let message =
            format!("an earlier line redirects `{from}`, and Cloudflare ignores this one; remove one of them");
        return Err(RefusedEdgeLine::new("twice", message));
    }
    if code == 200 && !is_path {
        let message = format!(
            "content of another host, as of `{to}`, cannot be served; add that host as an origin of the distribution, or \
             redirect to it"
        );
        return Err(RefusedEdgeLine::new("proxy", message));
    }
    Ok(PlannedRule {
        from: from.to_owned(),
        target: target_of(to, &path, code)?,
        path,
        status: code,
        either_slash: false,
        force: true,
        rule: at.clone(),
        line: Some(number),
        is_shield: false,
    })
}

/// A path with its placeholders: a `:` before a letter, and `*`.
pub(super) fn parse_path(from: &str) -> Result<EdgePath, RedirectError> {
    let invalid = || RedirectError::InvalidPath(from.to_owned());
    // Cloudflare takes a path without its first `/`, too, and drops a query.
    let written = from.split(['?', '#']).next().unwrap_or_default();
    let mut rest = written.strip_prefix('/').unwrap_or(written);
    let mut parts = vec![EdgePart::Text("/".to_owned())];
    let mut names: Vec<String> = Vec::new();
    let mut text = String::new();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        let is_name = first == ':' && after.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if !is_name && first != '*' {
            text.push(first);
            rest = after;
            continue;
        }
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = if is_name { after.find(|character| !is_word(character)).unwrap_or(after.len()) } else { 0 };
        let (name, next) = after.split_at_checked(end).unwrap_or((after, ""));
        parts.push(EdgePart::Text(decoded(&text).ok_or_else(invalid)?));
        text.clear();
        parts.push(if is_name { EdgePart::Name(names.len()) } else { EdgePart::Splat(names.len()) });
        let name = if is_name { name } else { "splat" };
        // There, a name also stands for the start of a longer name after it. That of `*` does not.
        let is_confused = |known: &String| match is_name && known != "splat" {
            true => name.starts_with(known.as_str()),
            false => name == known,
        };
        if names.iter().any(is_confused) {
            return Err(RedirectError::Names(from.to_owned()));
        }
        names.push(name.to_owned());
        rest = next;
    }
    parts.push(EdgePart::Text(decoded(&text).ok_or_else(invalid)?));
    parts.retain(|part| !matches!(part, EdgePart::Text(text) if text.is_empty()));
    EdgePath::new(parts, names)
}

/// Decoded text. A `/` or `\` that is encoded has no request.
fn decoded(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    let is_plain = decoded.matches(['/', '\\']).count() == text.matches('/').count();
    is_plain.then(|| decoded.into_owned())
}
