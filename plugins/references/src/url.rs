//! Resolves references to keys, as browsers resolve URLs. Source: URL standard, "Basic URL parser", for `http` and `https`.

use percent_encoding::percent_decode_str;

/// The address from which references are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Option<String>);

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceTarget {
    /// A path of the site, decoded, without the leading `/`. A folder ends with `/`, and the root is empty.
    Local(String),
    /// Another site, or something that is not loaded from a site, such as `mailto:`.
    External,
    /// A path that is not UTF-8, as no key is.
    Invalid,
}

impl Base {
    /// The address of a page or a style sheet with this key.
    #[must_use]
    pub fn of_page(key: &str) -> Self {
        let encode = |character: char| match character {
            '%' => "%25".to_owned(),
            '?' => "%3F".to_owned(),
            '#' => "%23".to_owned(),
            other => other.to_string(),
        };
        Self(Some(key.chars().map(encode).collect()))
    }

    /// The address of a page with an element `base`. `hosts` are those of the site.
    #[must_use]
    pub fn with_base(self, base: Option<&str>, hosts: &[String]) -> Self {
        match base {
            None => self,
            Some(base) => Self(self.path(&cleaned(base), hosts)),
        }
    }

    /// The folder from which relative references are resolved; `None` if it is on another site. References that start with
    /// a name or a `/` lead to the same target from every page with this folder.
    #[must_use]
    pub fn folder(&self) -> Option<&str> {
        self.0.as_deref().map(|path| path.rsplit_once('/').map_or("", |(folder, _)| folder))
    }

    /// Resolves a reference. `hosts` are those of the site: absolute URLs to them are local.
    #[must_use]
    pub fn resolve(&self, reference: &str, hosts: &[String]) -> ReferenceTarget {
        let reference = cleaned(reference);
        match self.path(&reference, hosts) {
            None => ReferenceTarget::External,
            Some(path) => match percent_decode_str(&path).decode_utf8() {
                Ok(path) => ReferenceTarget::Local(path.into_owned()),
                Err(_) => ReferenceTarget::Invalid,
            },
        }
    }

    /// The path of a reference, encoded and without the leading `/`; `None` for another site.
    fn path(&self, reference: &str, hosts: &[String]) -> Option<String> {
        let slash = |character: char| matches!(character, '/' | '\\');
        let rest = match scheme(reference) {
            None => reference,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
                // Without slashes it is relative to a base with the same scheme, and which one a visitor has is unknown.
                rest.starts_with(slash).then_some(())?;
                let host = rest.trim_start_matches(slash);
                return local_path(host, hosts);
            }
            Some(_) => return None,
        };
        let mut characters = rest.chars();
        if characters.next().is_some_and(slash) && characters.next().is_some_and(slash) {
            return local_path(rest.trim_start_matches(slash), hosts);
        }
        let base = self.0.as_deref()?;
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        if path.is_empty() {
            return Some(base.to_owned());
        }
        if path.starts_with(slash) {
            return Some(normalized("", path.get(1..).unwrap_or_default()));
        }
        Some(normalized(self.folder().unwrap_or_default(), path))
    }
}

/// The path of a URL without its scheme, if its host is one of the site's.
fn local_path(rest: &str, hosts: &[String]) -> Option<String> {
    let (authority, path) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    // An empty port is the default one, and ports may have zeros before them.
    let is_default = |port: &str| port.is_empty() || matches!(port.trim_start_matches('0'), "80" | "443");
    let host = host.rsplit_once(':').filter(|(_, port)| is_default(port)).map_or(host, |(host, _)| host);
    hosts.iter().any(|known| known.eq_ignore_ascii_case(host)).then_some(())?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Some(normalized("", path.get(1..).unwrap_or_default()))
}

/// A reference without what parsers of URLs remove.
fn cleaned(reference: &str) -> String {
    let trimmed = reference.trim_matches(|character: char| character <= ' ');
    trimmed.replace(['\t', '\n', '\r'], "")
}

/// The scheme of a reference and the text after its colon.
fn scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.'));
    is_scheme.then_some((scheme, rest))
}

/// A path below a folder, without dot segments.
fn normalized(folder: &str, path: &str) -> String {
    let mut segments: Vec<&str> = if folder.is_empty() { Vec::new() } else { folder.split('/').collect() };
    let mut is_folder = false;
    for segment in path.split(['/', '\\']) {
        is_folder = false;
        match dots(segment) {
            0 => segments.push(segment),
            dots => {
                if dots == 2 {
                    segments.pop();
                }
                is_folder = true;
            }
        }
    }
    let mut joined = segments.join("/");
    if is_folder && !segments.is_empty() {
        joined.push('/');
    }
    joined
}

/// The number of dots of a dot segment, also encoded; 0 for other segments.
fn dots(segment: &str) -> usize {
    match segment.replace("%2e", ".").replace("%2E", ".").as_str() {
        "." => 1,
        ".." => 2,
        _ => 0,
    }
}
