//! Redirects: which keys have one, and what an object under the same name means for it.
//!
//! Owns the reading of paths and targets, and the redirects of a run. S3 redirects a key that is an object with a target:
//! one exact key each, always with status 301.

use std::collections::BTreeMap;

use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};
use tidegate_plugin::{Finding, Pointer, Summary, key};

/// The longest target, in bytes: S3 keeps at most 2 KiB with an object.
const LONGEST_TARGET: usize = 2_048;

/// Why something is no redirect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedirectError {
    /// Where it starts is no path of this site.
    #[error("`{0}` is not a path of this site; write one that starts with `/`, without `?` and `#`")]
    NoPath(String),
    /// Where it starts would be no key.
    #[error("`{path}` cannot be a redirect: {reason}")]
    BadKey {
        /// The path.
        path: String,
        /// Why.
        reason: key::InvalidKey,
    },
    /// Storage redirects exact keys only.
    #[error(
        "`{0}` has a placeholder or `*`; storage redirects exact paths only: list them, or redirect in a CloudFront function"
    )]
    Placeholder(String),
    /// Where it leads is neither a path nor a URL.
    #[error(
        "`{0}` is not a target; write a path that starts with `/`, or an http(s) URL, of at most 2,048 bytes without spaces"
    )]
    BadTarget(String),
    /// Where it starts is where it leads.
    #[error("`{0}` redirects to itself")]
    Itself(String),
    /// Another rule before it starts there too.
    #[error("`{0}` is redirected by an earlier rule")]
    Twice(String),
}

/// All redirects of a run.
#[derive(Debug, Default)]
pub(crate) struct Redirects {
    rules: Vec<Redirect>,
    /// By key: the rule that redirects it.
    keys: BTreeMap<String, usize>,
    /// Objects that came as redirects: their keys and targets.
    arrived: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Redirect {
    from: String,
    to: String,
    force: bool,
    rule: Pointer,
    reason: String,
    /// The first object that has one of its keys.
    met: Option<String>,
    /// Keys of the rule that objects have.
    replaced: Vec<String>,
}

/// What an entry under a final key means.
pub(crate) enum Resolution {
    Nothing,
    /// The entry becomes a redirect.
    Replaced {
        to: String,
        by: Pointer,
        reason: String,
    },
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
            return Err(RedirectError::Twice(from.to_owned()));
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
            met: None,
            replaced: Vec::new(),
        });
        Ok(())
    }

    /// Takes note of an entry under its final key.
    pub(crate) fn meet(&mut self, key: &str, redirect: Option<&str>) -> Resolution {
        if let Some(to) = redirect {
            self.arrived.insert(key.to_owned(), to.to_owned());
        }
        let Some(redirect) = self.keys.get(key).and_then(|place| self.rules.get_mut(*place)) else {
            return Resolution::Nothing;
        };
        redirect.met.get_or_insert_with(|| key.to_owned());
        if !redirect.force {
            return Resolution::Nothing;
        }
        redirect.replaced.push(key.to_owned());
        Resolution::Replaced { to: redirect.to.clone(), by: redirect.rule.clone(), reason: redirect.reason.clone() }
    }

    /// The targets of all rules, with the rule of each.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&str, &str, &Pointer)> {
        self.rules.iter().map(|redirect| (redirect.from.as_str(), redirect.to.as_str(), &redirect.rule))
    }

    /// Where a key leads, with the rule that says so, after all entries have been met.
    pub(crate) fn lead(&self, key: &str) -> Option<(&str, &Pointer)> {
        const NO_RULE: &Pointer = &Pointer::ROOT;
        match self.keys.get(key).and_then(|place| self.rules.get(*place)) {
            Some(redirect) if redirect.is_active() => Some((redirect.to.as_str(), &redirect.rule)),
            _ => self.arrived.get(key).map(|to| (to.as_str(), NO_RULE)),
        }
    }

    /// All keys that lead somewhere, in order.
    pub(crate) fn leading_keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().chain(self.arrived.keys()).map(String::as_str)
    }

    /// Adds the redirects that no entry has become, and says which ones an object keeps from existing.
    pub(crate) fn finish(&self, summary: &mut Summary) {
        for redirect in &self.rules {
            if let (Some(key), false) = (&redirect.met, redirect.is_active()) {
                let message = format!(
                    "`{}` is not redirected, because `{key}` is published; remove one, or force the redirect",
                    redirect.from
                );
                summary.finding(Finding::warning("redirect-shadowed", message).on(key.as_str()).by(&redirect.rule));
            }
        }
        for (key, place) in &self.keys {
            let Some(redirect) = self.rules.get(*place).filter(|redirect| redirect.is_active()) else {
                continue;
            };
            if !redirect.replaced.contains(key) {
                summary.redirect(key.as_str(), redirect.to.as_str(), &redirect.rule, redirect.reason.as_str());
            }
        }
    }
}

impl Redirect {
    /// Whether visitors get it: an object under its name wins unless the redirect is forced.
    fn is_active(&self) -> bool {
        self.force || self.met.is_none()
    }
}

/// The keys that a path is asked for by: itself, and the index of the folder of that name, since visitors write `/old`
/// and `/old/` for one page.
fn keys(from: &str, to: &str) -> Result<Vec<String>, RedirectError> {
    let no_path = || RedirectError::NoPath(from.to_owned());
    let path = from.strip_prefix('/').filter(|path| !path.contains(['?', '#'])).ok_or_else(no_path)?;
    if path.contains('*') || path.split('/').any(|segment| segment.len() > 1 && segment.starts_with(':')) {
        return Err(RedirectError::Placeholder(from.to_owned()));
    }
    let path = percent_decode_str(path).decode_utf8().map_err(|_| no_path())?;
    let bare = path.strip_suffix('/').unwrap_or(&path);
    let index = if bare.is_empty() { "index.html".to_owned() } else { format!("{bare}/index.html") };
    let has_extension = !path.ends_with('/') && bare.rsplit('/').next().is_some_and(|name| name.contains('.'));
    // `/about` to `/about/` adds what a folder's page lacks: the page itself is no redirect.
    let same_page = local_path(to).is_some_and(|path| path.trim_end_matches('/') == bare);
    let keys = match (bare.is_empty(), has_extension, same_page) {
        (true, _, false) => vec![index],
        (false, true, false) => vec![bare.to_owned()],
        (false, false, false) => vec![bare.to_owned(), index],
        (false, _, true) if !path.ends_with('/') && to.ends_with('/') => vec![bare.to_owned()],
        (false, _, true) if path.ends_with('/') && !to.ends_with('/') => vec![index],
        _ => return Err(RedirectError::Itself(from.to_owned())),
    };
    for candidate in &keys {
        key::check(candidate).map_err(|reason| RedirectError::BadKey { path: from.to_owned(), reason })?;
    }
    Ok(keys)
}

/// A target as S3 keeps it: in ASCII.
fn target(text: &str) -> Result<String, RedirectError> {
    let bad = || RedirectError::BadTarget(text.to_owned());
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_url = host.is_some_and(|host| host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '['));
    // To browsers `//host` and `/\\host` are another site, which a path must not be by accident.
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/\\");
    if !(is_url || is_path) || text.chars().any(|character| character.is_control() || character == ' ') {
        return Err(bad());
    }
    let text = utf8_percent_encode(text, CONTROLS).to_string();
    if text.len() > LONGEST_TARGET { Err(bad()) } else { Ok(text) }
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
    fn paths_become_keys() {
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
    fn what_is_no_redirect_says_why() {
        let table = [
            ("old", "/new", "NoPath"),
            ("/old?x", "/new", "NoPath"),
            ("/%ff", "/new", "NoPath"),
            ("/a//b", "/new", "BadKey"),
            ("/../b", "/new", "BadKey"),
            ("/blog/*", "/new", "Placeholder"),
            ("/blog/:slug", "/new", "Placeholder"),
            ("/a", "/a", "Itself"),
            ("/a/", "/a/", "Itself"),
            ("/", "/", "Itself"),
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
            assert_eq!(target(text), Err(RedirectError::BadTarget(text.to_owned())));
        }
    }
}
