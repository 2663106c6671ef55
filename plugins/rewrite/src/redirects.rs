//! The redirects of a run. In S3, a redirect is an object with a target: it redirects one exact key, always with status
//! 301.

use std::collections::BTreeMap;

use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};
use tidegate_plugin::{Finding, Pointer, Summary, key};

/// Limit of a target, in bytes: S3 stores at most 2 KiB with an object.
const MAX_TARGET_BYTES: usize = 2_048;

/// An invalid redirect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedirectError {
    /// It does not start at a path of this site.
    #[error("invalid path `{0}`; use one that starts with `/`, without `?` and `#`")]
    InvalidPath(String),
    /// Its path does not have a valid key.
    #[error("invalid path `{path}`: {reason}")]
    InvalidKey {
        /// The path.
        path: String,
        /// The mistake in the key.
        reason: key::InvalidKey,
    },
    /// S3 redirects only exact keys.
    #[error(
        "`{0}` has a placeholder or `*`, and S3 redirects only exact paths; list the paths, or use a CloudFront function"
    )]
    Placeholder(String),
    /// Its target is neither a path nor a URL.
    #[error(
        "invalid redirect target `{0}`; use a path that starts with `/`, or an http(s) URL, of at most 2,048 bytes without spaces"
    )]
    InvalidTarget(String),
    /// Its target is its path.
    #[error("`{0}` redirects to itself")]
    ToItself(String),
    /// An earlier rule has the same path.
    #[error("an earlier rule redirects `{0}`")]
    Duplicate(String),
}

/// All redirects of a run.
#[derive(Debug, Default)]
pub(crate) struct Redirects {
    rules: Vec<Redirect>,
    /// Positions of rules, by key.
    keys: BTreeMap<String, usize>,
    /// Targets of entries that earlier plugins made redirects, by key.
    earlier: BTreeMap<String, String>,
}

/// A redirect by a rule or by a line of the `_redirects` file.
#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) from: String,
    pub(crate) to: String,
    force: bool,
    pub(crate) rule: Pointer,
    reason: String,
    /// The first entry that has one of its keys.
    shadow: Option<String>,
    /// Its keys that entries have.
    replaced: Vec<String>,
}

/// An entry that a forced rule makes a redirect.
pub(crate) struct ForcedRedirect {
    pub(crate) to: String,
    pub(crate) rule: Pointer,
    pub(crate) reason: String,
}

/// The target of a key, with the rule that it comes from.
pub(crate) struct KeyTarget<'a> {
    pub(crate) to: &'a str,
    pub(crate) rule: &'a Pointer,
}

impl Redirects {
    /// Adds a redirect from a path to a path or URL.
    pub(crate) fn add(
        &mut self,
        from: &str,
        to: &str,
        force: bool,
        rule: &Pointer,
        reason: &str,
    ) -> Result<(), RedirectError> {
        let to = target(to)?;
        let keys = keys(from, &to)?;
        if keys.iter().any(|key| self.keys.contains_key(key)) {
            return Err(RedirectError::Duplicate(from.to_owned()));
        }
        for key in keys {
            self.keys.insert(key, self.rules.len());
        }
        self.rules.push(Redirect {
            from: from.to_owned(),
            to,
            force,
            rule: rule.clone(),
            reason: reason.to_owned(),
            shadow: None,
            replaced: Vec::new(),
        });
        Ok(())
    }

    /// Adds an entry with its final key. Returns the redirect that replaces it, if a rule forces one.
    pub(crate) fn add_entry(&mut self, key: &str, redirect: Option<&str>) -> Option<ForcedRedirect> {
        if let Some(to) = redirect {
            self.earlier.insert(key.to_owned(), to.to_owned());
        }
        let redirect = self.keys.get(key).and_then(|position| self.rules.get_mut(*position))?;
        redirect.shadow.get_or_insert_with(|| key.to_owned());
        if !redirect.force {
            return None;
        }
        redirect.replaced.push(key.to_owned());
        let Redirect { to, rule, reason, .. } = redirect;
        Some(ForcedRedirect { to: to.clone(), rule: rule.clone(), reason: reason.clone() })
    }

    /// The redirects of all rules and lines.
    pub(crate) fn rules(&self) -> &[Redirect] {
        &self.rules
    }

    /// The target of a key, if it redirects. Call it after all entries are added.
    pub(crate) fn target(&self, key: &str) -> Option<KeyTarget<'_>> {
        const NO_RULE: &Pointer = &Pointer::ROOT;
        match self.keys.get(key).and_then(|position| self.rules.get(*position)) {
            Some(redirect) if redirect.is_active() => Some(KeyTarget { to: &redirect.to, rule: &redirect.rule }),
            _ => self.earlier.get(key).map(|to| KeyTarget { to, rule: NO_RULE }),
        }
    }

    /// All keys that may redirect: those of the rules, then those of earlier plugins.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().chain(self.earlier.keys()).map(String::as_str)
    }

    /// Adds the redirects whose keys no entry has, and findings about redirects that an entry shadows.
    pub(crate) fn finish(&self, summary: &mut Summary) {
        for redirect in &self.rules {
            if let (Some(key), false) = (&redirect.shadow, redirect.is_active()) {
                let message = format!(
                    "`{}` is not redirected, because the site has `{key}`; remove one of them, or set `force`",
                    redirect.from
                );
                let finding = Finding::warning("redirect-shadowed", message);
                summary.finding(finding.with_key(key.as_str()).with_rule(&redirect.rule));
            }
        }
        for (key, position) in &self.keys {
            let Some(redirect) = self.rules.get(*position).filter(|redirect| redirect.is_active()) else {
                continue;
            };
            if !redirect.replaced.contains(key) {
                summary.redirect(key.as_str(), redirect.to.as_str(), &redirect.rule, redirect.reason.as_str());
            }
        }
    }
}

impl Redirect {
    /// Whether it takes effect: an entry with one of its keys takes precedence, unless the redirect is forced.
    fn is_active(&self) -> bool {
        self.force || self.shadow.is_none()
    }
}

/// The keys of a path: its own, and the index of the folder with that name, because visitors use `/old` and `/old/` for
/// the same page.
fn keys(from: &str, to: &str) -> Result<Vec<String>, RedirectError> {
    let invalid = || RedirectError::InvalidPath(from.to_owned());
    let path = from.strip_prefix('/').filter(|path| !path.contains(['?', '#'])).ok_or_else(invalid)?;
    if path.contains('*') || path.split('/').any(|segment| segment.len() > 1 && segment.starts_with(':')) {
        return Err(RedirectError::Placeholder(from.to_owned()));
    }
    let path = percent_decode_str(path).decode_utf8().map_err(|_| invalid())?;
    let bare = path.strip_suffix('/').unwrap_or(&path);
    let index = if bare.is_empty() { "index.html".to_owned() } else { format!("{bare}/index.html") };
    let has_extension = !path.ends_with('/') && bare.rsplit('/').next().is_some_and(|name| name.contains('.'));
    // `/about` to `/about/` redirects only the path without the slash: the page of the folder stays a page.
    let same_page = local_path(to).is_some_and(|path| path.trim_end_matches('/') == bare);
    let keys = match (bare.is_empty(), has_extension, same_page) {
        (true, _, false) => vec![index],
        (false, true, false) => vec![bare.to_owned()],
        (false, false, false) => vec![bare.to_owned(), index],
        (false, _, true) if !path.ends_with('/') && to.ends_with('/') => vec![bare.to_owned()],
        (false, _, true) if path.ends_with('/') && !to.ends_with('/') => vec![index],
        _ => return Err(RedirectError::ToItself(from.to_owned())),
    };
    for candidate in &keys {
        key::check(candidate).map_err(|reason| RedirectError::InvalidKey { path: from.to_owned(), reason })?;
    }
    Ok(keys)
}

/// A target as S3 stores it: in ASCII.
fn target(text: &str) -> Result<String, RedirectError> {
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
    use super::{RedirectError, keys, target};

    #[test]
    fn paths_have_keys() {
        let table = [
            ("/old", "/new", vec!["old", "old/index.html"]),
            ("/old/", "/new", vec!["old", "old/index.html"]),
            ("/old.html", "/new", vec!["old.html"]),
            ("/v1.0/", "/new", vec!["v1.0", "v1.0/index.html"]),
            ("/", "/en/", vec!["index.html"]),
            ("/about", "/about/", vec!["about"]),
            ("/about/", "/about", vec!["about/index.html"]),
            ("/a%20b", "/new", vec!["a b", "a b/index.html"]),
            ("/caf%C3%A9", "/new", vec!["café", "café/index.html"]),
        ];
        for (from, to, expected) in table {
            assert_eq!(keys(from, to).unwrap(), expected, "{from} to {to}");
        }
    }

    #[test]
    fn refuses_invalid_paths() {
        let table = [
            ("old", "/new", "InvalidPath"),
            ("/old?x", "/new", "InvalidPath"),
            ("/%ff", "/new", "InvalidPath"),
            ("/a//b", "/new", "InvalidKey"),
            ("/../b", "/new", "InvalidKey"),
            ("/blog/*", "/new", "Placeholder"),
            ("/blog/:slug", "/new", "Placeholder"),
            ("/a", "/a", "ToItself"),
            ("/a/", "/a/", "ToItself"),
            ("/", "/", "ToItself"),
        ];
        for (from, to, error) in table {
            assert!(format!("{:?}", keys(from, to).unwrap_err()).starts_with(error), "{from}");
        }
    }

    #[test]
    fn targets_are_paths_or_urls_in_ascii() {
        assert_eq!(target("/café").unwrap(), "/caf%C3%A9");
        assert_eq!(target("https://example.org/?a=b#c").unwrap(), "https://example.org/?a=b#c");
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
            assert_eq!(target(text), Err(RedirectError::InvalidTarget(text.to_owned())));
        }
    }
}
