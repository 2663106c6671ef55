//! The paths and targets of redirects, with Netlify's placeholders: `/blog/:year/*` to `/archive/:year/:splat`.
//!
//! Source: `netlify-redirector`, with which `tests/netlify.rs` compares them.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use regex_lite::{Regex, escape};
use tidegate_plugin::key::compose;

use crate::error::RedirectError;

/// Limit of a target, in bytes: S3 stores at most 2 KiB with an object.
const MAX_TARGET_BYTES: usize = 2_048;

/// Characters that have a meaning in a target, or none in a URL.
pub(crate) const IN_KEYS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// The path of a redirect. A `/` at the end makes no difference. Text beside placeholders is composed, so that it matches keys
/// in either Unicode form.
#[derive(Debug)]
pub(crate) struct FromPattern {
    segments: Vec<FromSegment>,
    /// The names of placeholders, in order; `splat` for a `*`.
    names: Vec<String>,
    /// Only if there are placeholders; with a group for each name.
    regex: Option<Regex>,
    /// How all of its paths start.
    prefix: String,
}

/// A decoded segment.
#[derive(Debug)]
pub(crate) enum FromSegment {
    Text(String),
    /// `:name`
    Placeholder,
    /// `*` after this text.
    Splat(String),
}

impl FromPattern {
    pub(crate) fn parse(from: &str) -> Result<Self, RedirectError> {
        let invalid = || RedirectError::InvalidPath(from.to_owned());
        let path = from.strip_prefix('/').filter(|path| !path.contains(['?', '#'])).ok_or_else(invalid)?;
        let mut pattern = Self { segments: Vec::new(), names: Vec::new(), regex: None, prefix: String::new() };
        let mut regex = "^".to_owned();
        let path = path.strip_suffix('/').unwrap_or(path);
        let has_placeholders = path.split('/').any(|segment| segment.starts_with(':') || segment.contains('*'));
        for segment in path.split('/').filter(|_| !path.is_empty()) {
            let decode = |text| {
                let text = percent_decode_str(text).decode_utf8().map_err(|_| invalid())?;
                Ok(if has_placeholders { compose(&text).into_owned() } else { text.into_owned() })
            };
            match (segment.strip_prefix(':'), segment.strip_suffix('*')) {
                (Some(name), _) if !name.is_empty() && !name.contains('*') => {
                    pattern.names.push(name.to_owned());
                    pattern.segments.push(FromSegment::Placeholder);
                    regex.push_str("/([^/]+)");
                }
                (_, Some(text)) if !text.contains('*') => {
                    let text = decode(text)?;
                    regex.push_str(&if text.is_empty() {
                        "(?:/(.*))?".to_owned()
                    } else {
                        format!("/{}/?(.*)", escape(&text))
                    });
                    pattern.names.push("splat".to_owned());
                    pattern.segments.push(FromSegment::Splat(text));
                }
                _ if segment.contains('*') => return Err(RedirectError::Star(from.to_owned())),
                _ => {
                    let text = decode(segment)?;
                    regex.push_str(&format!("/{}", escape(&text)));
                    pattern.segments.push(FromSegment::Text(text));
                }
            }
        }
        let literal = pattern.segments.iter().map_while(|segment| match segment {
            FromSegment::Text(text) => Some(format!("/{text}")),
            FromSegment::Placeholder | FromSegment::Splat(_) => None,
        });
        pattern.prefix = literal.collect();
        if !pattern.is_exact() {
            pattern.regex = Some(Regex::new(&format!("{regex}/?$")).map_err(|_| invalid())?);
        }
        Ok(pattern)
    }

    /// Whether it has no placeholders.
    pub(crate) fn is_exact(&self) -> bool {
        !self.segments.iter().any(|segment| !matches!(segment, FromSegment::Text(_)))
    }

    pub(crate) fn segments(&self) -> &[FromSegment] {
        &self.segments
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The values of the placeholders, if the path matches as it is or composed.
    pub(crate) fn values(&self, path: &str) -> Option<Vec<String>> {
        self.values_of(path).or_else(|| self.values_of(compose(path).as_ref()).filter(|_| !self.is_exact()))
    }

    fn values_of(&self, path: &str) -> Option<Vec<String>> {
        let Some(regex) = &self.regex else {
            return (path.trim_end_matches('/') == self.prefix).then(Vec::new);
        };
        // An index has the path of its folder. Only a pattern that names `index.html` means the file.
        let names_index = matches!(self.segments.last(), Some(FromSegment::Text(text)) if text == "index.html");
        if !path.starts_with(&self.prefix) || (path.ends_with("/index.html") && !names_index) {
            return None;
        }
        let groups = regex.captures(path)?;
        let values = groups.iter().skip(1).map(|group| group.map_or("", |group| group.as_str()).to_owned());
        Some(values.collect())
    }

    /// The paths with these values, without a `/` at either end. `/a*` has two: `/ab` and `/a/b`.
    pub(crate) fn fill_all(&self, values: &[String]) -> BTreeSet<String> {
        ["", "/"].map(|separator| self.fill_with(values, separator)).into()
    }

    /// The shortest of the paths with these values.
    pub(crate) fn fill(&self, values: &[String]) -> String {
        self.fill_with(values, "")
    }

    fn fill_with(&self, values: &[String], separator: &str) -> String {
        let mut values = values.iter();
        let mut parts = Vec::new();
        for segment in &self.segments {
            match segment {
                FromSegment::Text(text) => parts.push(text.clone()),
                FromSegment::Placeholder => parts.extend(values.next().cloned()),
                FromSegment::Splat(text) => {
                    let value = values.next().map_or("", String::as_str);
                    let separator = if text.is_empty() || value.is_empty() { "" } else { separator };
                    parts.push(format!("{text}{separator}{value}"));
                }
            }
        }
        parts.retain(|part| !part.is_empty());
        parts.join("/").trim_matches('/').to_owned()
    }
}

/// Where a redirect leads.
#[derive(Debug)]
pub(crate) struct Target {
    parts: Vec<TargetPart>,
    /// For a target on this site that has all placeholders: finds their values in a path.
    inverse: Option<Inverse>,
    /// For a path that ends with `*`: how paths start that the rule leaves alone, against loops.
    within: Option<String>,
}

/// Encoded text, or the value of a placeholder by its position.
#[derive(Debug)]
pub(crate) enum TargetPart {
    Text(String),
    Value(usize),
}

#[derive(Debug)]
struct Inverse {
    regex: Regex,
    prefix: String,
    /// By placeholder: its group.
    groups: Vec<usize>,
}

impl Target {
    /// Parses the target of a path.
    pub(crate) fn parse(text: &str, from: &FromPattern) -> Result<Self, RedirectError> {
        let names = from.names();
        if names.iter().filter(|name| *name == "splat").count() > 1 {
            return Err(RedirectError::Stars);
        }
        let parts = target_parts(text, names)?;
        let inverse = Inverse::new(&parts, names);
        let within = text.strip_suffix("/:splat").unwrap_or(text);
        let has_end = !matches!(from.segments.last(), Some(FromSegment::Splat(_))) || within.is_empty();
        let within = (!has_end).then(|| compose(&percent_decode_str(within).decode_utf8_lossy()).into_owned());
        // `/a/old/* /a/:splat` does not lead to its own paths.
        let within = within.filter(|within| from.values(within).is_some());
        Ok(Self { parts, inverse, within })
    }

    /// Whether a path is already at the target: `/* /en/:splat` leaves `/en/a` alone, as on Netlify.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.within.as_ref().is_some_and(|within| compose(path).starts_with(within))
    }

    /// Whether every path with other values has another target on this site.
    pub(crate) fn is_invertible(&self) -> bool {
        self.inverse.is_some()
    }

    /// The target with these values, if it is valid.
    pub(crate) fn fill(&self, values: &[String]) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                TargetPart::Text(part) => text.push_str(part),
                TargetPart::Value(position) => text.extend(utf8_percent_encode(values.get(*position)?, IN_KEYS)),
            }
        }
        checked(&text).ok()
    }

    /// The values with which it leads to this path.
    pub(crate) fn values(&self, path: &str) -> Option<Vec<String>> {
        let Inverse { regex, prefix, groups } = self.inverse.as_ref()?;
        let captures = path.starts_with(prefix).then(|| regex.captures(path))??;
        groups.iter().map(|group| captures.get(*group).map(|value| value.as_str().to_owned())).collect()
    }
}

impl Inverse {
    fn new(parts: &[TargetPart], names: &[String]) -> Option<Self> {
        let mut regex = "^".to_owned();
        let mut prefix = None;
        let mut positions = Vec::new();
        for part in parts {
            match part {
                TargetPart::Text(text) => {
                    let path = text.split(['?', '#']).next().unwrap_or_default();
                    let decoded = percent_decode_str(path).decode_utf8().ok()?;
                    let composed = compose(&decoded).into_owned();
                    regex.push_str(&escape(&composed));
                    prefix.get_or_insert(composed);
                    if path.len() < text.len() {
                        break;
                    }
                }
                TargetPart::Value(position) => {
                    let is_splat = names.get(*position).is_some_and(|name| name == "splat");
                    regex.push_str(if is_splat { "(.*)" } else { "([^/]+)" });
                    positions.push(*position);
                }
            }
        }
        let prefix = prefix.filter(|prefix| prefix.starts_with('/') && !names.is_empty())?;
        let group = |name| positions.iter().position(|position| *position == name).map(|at| at + 1);
        let groups = (0..names.len()).map(group).collect::<Option<Vec<usize>>>()?;
        Some(Self { regex: Regex::new(&format!("{regex}$")).ok()?, prefix, groups })
    }
}

/// The parts of a target of a path with these names.
pub(crate) fn target_parts(text: &str, names: &[String]) -> Result<Vec<TargetPart>, RedirectError> {
    let mut parts = vec![TargetPart::Text(checked(text)?)];
    // In the order of the path, as on Netlify and Cloudflare: `:a` before `:ab` also replaces the start of `:ab`.
    for (position, name) in names.iter().enumerate() {
        let name = format!(":{name}");
        parts = parts.into_iter().flat_map(|part| split(part, &name, position)).collect();
    }
    Ok(parts)
}

fn split(part: TargetPart, name: &str, position: usize) -> Vec<TargetPart> {
    let TargetPart::Text(text) = part else {
        return vec![part];
    };
    let mut parts = Vec::new();
    for (at, text) in text.split(name).enumerate() {
        if at > 0 {
            parts.push(TargetPart::Value(position));
        }
        parts.push(TargetPart::Text(text.to_owned()));
    }
    parts.retain(|part| !matches!(part, TargetPart::Text(text) if text.is_empty()));
    parts
}

/// A target as S3 stores it: in ASCII.
pub(crate) fn checked(text: &str) -> Result<String, RedirectError> {
    let invalid = || RedirectError::InvalidTarget(text.to_owned());
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_url = host.is_some_and(|host| host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '['));
    // Browsers read `//host` and `/\\host` as another site, which a path must not be by accident.
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/\\");
    if !(is_url || is_path) || text.chars().any(|character| character.is_control() || character == ' ') {
        return Err(invalid());
    }
    let text = utf8_percent_encode(text, CONTROLS).to_string();
    if text.len() > MAX_TARGET_BYTES { Err(invalid()) } else { Ok(text) }
}

/// The path of a target on this site, decoded, without its leading `/`, query and fragment.
pub(crate) fn local_path(to: &str) -> Option<String> {
    let path = to.strip_prefix('/')?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Some(percent_decode_str(path).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::{FromPattern, RedirectError, Target, checked};

    fn redirected(from: &str, to: &str, path: &str) -> Option<String> {
        let pattern = FromPattern::parse(from).unwrap();
        Target::parse(to, &pattern).unwrap().fill(&pattern.values(path)?)
    }

    #[test]
    fn paths_lead_to_targets() {
        let table = [
            ("/a", "/b", "/a/", Some("/b")),
            ("/a/", "/b", "/a", Some("/b")),
            ("/a", "/b", "/ab", None),
            ("/old/*", "/new/:splat", "/old", Some("/new/")),
            ("/old/*", "/new/:splat", "/old/x/y/", Some("/new/x/y/")),
            ("/old/*", "/new/:splat", "/oldx", None),
            ("/a*", "/z/:splat", "/a/b", Some("/z/b")),
            ("/a*", "/z/:splat", "/ab", Some("/z/b")),
            ("/x/*/y", "/z/:splat", "/x/1/y/2/y", Some("/z/1/y/2")),
            ("/x/*/y", "/z/:splat", "/x/y", Some("/z/")),
            ("/blog/:slug", "/news/:slug.html", "/blog/x/", Some("/news/x.html")),
            ("/blog/:slug", "/news/:slug", "/blog", None),
            ("/n/:a/:ab", "/:ab/:a", "/n/1/2", Some("/1b/1")),
            ("/n/:a/:a", "/x/:a", "/n/1/2", Some("/x/1")),
            ("/a/:x", "/b?q=:x#:y", "/a/1", Some("/b?q=1#:y")),
            ("/a%20b/*", "/é/:splat", "/a b/ü ?.html", Some("/%C3%A9/%C3%BC%20%3F.html")),
            ("/*", "https://a.example/:splat", "/x", Some("https://a.example/x")),
            ("/old/*", "/:splat/x", "/old", None),
        ];
        for (from, to, path, expected) in table {
            assert_eq!(redirected(from, to, path).as_deref(), expected, "{from} {to} for {path}");
        }
    }

    #[test]
    fn targets_lead_back_to_paths() {
        let table = [
            ("/old/*", "/new/:splat", "/new/x/y", Some("old/x/y")),
            ("/old/*", "/:splat?x=1", "/x", Some("old/x")),
            ("/n/:a/:b", "/:b/:a", "/1/2", Some("n/2/1")),
            ("/n/:a/:b", "/:b", "/1", None),
            ("/old/*", "/new", "/new", None),
            ("/old/*", "https://a.example/:splat", "/x", None),
            ("/old/*", "/é/:splat", "/é/x y", Some("old/x y")),
        ];
        for (from, to, path, expected) in table {
            let pattern = FromPattern::parse(from).unwrap();
            let values = Target::parse(to, &pattern).unwrap().values(path);
            assert_eq!(values.map(|values| pattern.fill(&values)).as_deref(), expected, "{from} {to} for {path}");
        }
    }

    #[test]
    fn refuses_invalid_paths() {
        for (from, error) in [
            ("old", "InvalidPath"),
            ("/old?x", "InvalidPath"),
            ("/%ff", "InvalidPath"),
            ("https://a.example/x", "InvalidPath"),
            ("/*.html", "Star"),
            ("/a**", "Star"),
        ] {
            assert!(format!("{:?}", FromPattern::parse(from).unwrap_err()).starts_with(error), "{from}");
        }
    }

    #[test]
    fn targets_are_paths_or_urls_in_ascii() {
        assert_eq!(checked("/café").unwrap(), "/caf%C3%A9");
        assert_eq!(checked("https://example.org/?a=b#c").unwrap(), "https://example.org/?a=b#c");
        for text in [
            "",
            "new",
            "//evil.example",
            "/\\evil.example",
            "ftp://x",
            "https:///x",
            "https://",
            "/a b",
            "/a\r\nb",
            &format!("/{}", "a".repeat(2_048)),
        ] {
            assert_eq!(checked(text), Err(RedirectError::InvalidTarget(text.to_owned())));
        }
    }
}
