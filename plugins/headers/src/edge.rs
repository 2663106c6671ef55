//! Headers of the `_headers` file that S3 does not store: on a site with an edge, they become rules for its function.
//!
//! Netlify lets a later block replace a header of an earlier one, Cloudflare joins them.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use tidegate_plugin::edge::{EdgeDialect, HeaderRule};
use tidegate_plugin::{Attribute, Pointer, key};

/// Longest value, in bytes. Source: Amazon CloudFront Developer Guide, "Quotas" (response headers policies).
const MAX_VALUE_BYTES: usize = 1_783;

/// Headers that hold a secret of the site. Netlify asks visitors for the password in a `Basic-Auth` line and does not send
/// it; any other server would publish it.
const SECRETS: [&str; 7] = [
    "authorization",
    "basic-auth",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-auth-token",
    "x-amz-security-token",
];

/// Headers that no function may set. Source: Amazon CloudFront Developer Guide, "Restrictions on all edge functions", and
/// those that describe the body or the connection.
const RESERVED: [&str; 29] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-limit-rate",
    "x-accel-redirect",
    "x-amzn-auth",
    "x-amzn-cf-billing",
    "x-amzn-cf-id",
    "x-amzn-cf-xff",
    "x-amzn-errortype",
    "x-amzn-fle-profile",
    "x-amzn-header-count",
    "x-amzn-header-order",
    "x-amzn-requestid",
    "x-cache",
    "x-forwarded-proto",
    "x-real-ip",
];

/// How names start that no function may set.
const RESERVED_PREFIXES: [&str; 3] = ["x-amz-cf-", "x-amzn-lambda-integration", "x-edge-"];

/// What a block says about headers that S3 does not store, by name in lower case.
#[derive(Debug, Default)]
pub(crate) struct EdgeBlock {
    /// In the order of their first lines.
    set: Vec<(String, String)>,
    /// `! Name`, and headers with a line that cannot be followed: earlier blocks do not apply.
    removed: Vec<String>,
}

/// Why a header cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EdgeHeaderRefusal {
    #[error(
        "`{0}` holds a secret, which every visitor would see, so it is not published; remove the line, change the secret, and protect the site in another way"
    )]
    Secret(String),
    #[error("CloudFront does not let a function set `{0}`; remove the line")]
    Reserved(String),
    #[error("a rule cannot set cookies; set them with a script, and remove the line")]
    Cookie,
    #[error("invalid value for `{0}`; use 1 to {MAX_VALUE_BYTES} characters of printable ASCII")]
    Value(String),
    #[error("`{0}` has a name of its path in its value, which is not replaced; write a block for each value")]
    Replaced(String),
}

/// A path that no rule can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EdgePathRefusal {
    #[error(
        "`{0}` has more than one `*`, so headers that S3 does not store are not set; write `:name` for single segments"
    )]
    Stars(String),
    #[error(
        "no request has the path `{0}`; remove empty, `.` and `..` segments, `?`, `#` and control characters, and use at most 1,024 bytes"
    )]
    NoRequest(String),
    #[error(
        "a name in `{0}` is the start of a later one or equal to it, and Cloudflare ignores such blocks; rename one of them"
    )]
    Names(String),
    #[error("`{0}` has a `:` or `*` as plain text, which a rule takes for a placeholder; list the paths")]
    Literal(String),
}

/// Whether a header holds a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    SECRETS.contains(&name.to_ascii_lowercase().as_str())
}

impl EdgeBlock {
    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }

    /// `! Name`.
    pub(crate) fn remove(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        if !self.removed.contains(&name) {
            self.removed.push(name);
        }
    }

    /// Adds a line. Values of equal names are joined.
    pub(crate) fn set(
        &mut self,
        path: &str,
        name: &str,
        value: &str,
        dialect: EdgeDialect,
    ) -> Result<(), EdgeHeaderRefusal> {
        let written = name.to_owned();
        let name = name.to_ascii_lowercase();
        if is_secret(&name) {
            return Err(EdgeHeaderRefusal::Secret(written));
        }
        if name == "set-cookie" {
            return Err(EdgeHeaderRefusal::Cookie);
        }
        if RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(EdgeHeaderRefusal::Reserved(written));
        }
        let known = self.set.iter().position(|(known, _)| *known == name);
        let before = known.and_then(|at| self.set.get(at)).map(|(_, value)| format!("{value}, "));
        let joined = format!("{}{value}", before.unwrap_or_default());
        let is_printable =
            joined.trim() == joined && joined.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let refusal = if value.is_empty() || joined.len() > MAX_VALUE_BYTES || !is_printable {
            Some(EdgeHeaderRefusal::Value(written))
        } else if dialect == EdgeDialect::Cloudflare && has_name(path, value) {
            Some(EdgeHeaderRefusal::Replaced(written))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            // No broader block applies instead.
            self.set.retain(|(known, _)| *known != name);
            self.remove(&name);
            return Err(refusal);
        }
        match known.and_then(|at| self.set.get_mut(at)) {
            Some((_, value)) => *value = joined,
            None => self.set.push((name, joined)),
        }
        Ok(())
    }
}

/// Whether Cloudflare would replace a part of the value by what the path matches.
fn has_name(path: &str, value: &str) -> bool {
    names(path).iter().any(|name| value.contains(&format!(":{name}")))
}

/// Cloudflare's names of a path: a `:` before a letter, and `splat` for `*`.
fn names(path: &str) -> Vec<&str> {
    let name = |rest: &'_ str| {
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        rest.find(|character| !is_word(character)).unwrap_or(rest.len())
    };
    let colons = path.split(':').skip(1).filter_map(|rest| rest.get(..name(rest)));
    let splat = path.contains('*').then_some("splat");
    colons.filter(|name| name.starts_with(|first: char| first.is_ascii_alphabetic())).chain(splat).collect()
}

/// The rules of blocks, each with the line and the text of its path. Also the lines of paths that no rule can have.
pub(crate) fn rules<'a>(
    blocks: impl Iterator<Item = (usize, &'a str, &'a EdgeBlock)>,
    dialect: EdgeDialect,
    file: &str,
    at: &Pointer,
) -> (Vec<HeaderRule>, Vec<(usize, EdgePathRefusal)>) {
    let mut by_path: Vec<(usize, &str, &EdgeBlock)> = Vec::new();
    let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
    for block in blocks {
        // Of two blocks with one path, Cloudflare follows the last one, in the place of the first.
        let known = positions.get(block.1).filter(|_| dialect == EdgeDialect::Cloudflare);
        match known.and_then(|position| by_path.get_mut(*position)) {
            Some(place) => *place = block,
            None => {
                positions.insert(block.1, by_path.len());
                by_path.push(block);
            }
        }
    }
    let (mut rules, mut refused) = (Vec::new(), Vec::new());
    let mut earlier: Vec<&str> = Vec::new();
    for (line, path, block) in by_path.into_iter().filter(|(_, _, block)| !block.is_empty()) {
        let paths = match paths(path, dialect) {
            Ok(paths) => paths,
            Err(error) => {
                refused.push((line, error));
                continue;
            }
        };
        let replaced = block.set.iter().map(|(name, _)| name.as_str()).filter(|_| dialect == EdgeDialect::Netlify);
        let mut removals: Vec<String> = Vec::new();
        for name in block.removed.iter().map(String::as_str).chain(replaced) {
            if earlier.contains(&name) && !removals.iter().any(|known| known == name) {
                removals.push(name.to_owned());
            }
        }
        earlier.extend(block.set.iter().map(|(name, _)| name.as_str()));
        let headers: Vec<Attribute> = block.set.iter().map(|(name, value)| Attribute::new(name, value)).collect();
        if headers.is_empty() && removals.is_empty() {
            continue;
        }
        for path in paths {
            let reason = format!("line {line} of `{file}`");
            rules.push(HeaderRule {
                either_slash: dialect == EdgeDialect::Netlify,
                removals: removals.clone(),
                ..HeaderRule::new(path, headers.clone(), at, reason)
            });
        }
    }
    (rules, refused)
}

/// The paths of rules for the path of a block.
fn paths(path: &str, dialect: EdgeDialect) -> Result<Vec<String>, EdgePathRefusal> {
    if path.matches('*').count() > 1 {
        return Err(EdgePathRefusal::Stars(path.to_owned()));
    }
    let known = names(path);
    // There, a name also stands for the start of a longer name after it. That of `*` does not.
    let is_twice = |(at, name): (usize, &&str)| {
        let is_splat = path.contains('*') && at + 1 == known.len();
        known.iter().take(at).any(|before| if is_splat { before == name } else { name.starts_with(before) })
    };
    if dialect == EdgeDialect::Cloudflare && known.iter().enumerate().any(is_twice) {
        return Err(EdgePathRefusal::Names(path.to_owned()));
    }
    let written: Vec<&str> = match dialect {
        EdgeDialect::Netlify => path.split('/').map(str::trim_end).filter(|segment| !segment.is_empty()).collect(),
        EdgeDialect::Cloudflare => path.strip_prefix('/').unwrap_or(path).split('/').collect(),
    };
    let mut segments = Vec::with_capacity(written.len());
    for segment in &written {
        let decoded = percent_decode_str(segment).decode_utf8();
        let decoded = decoded.map_err(|_| EdgePathRefusal::NoRequest(path.to_owned()))?.into_owned();
        let is_placeholder = segment.starts_with(':') && dialect == EdgeDialect::Netlify;
        let has_colon = |text: &str| {
            text.split(':').skip(1).any(|rest| rest.starts_with(|first: char| first.is_ascii_alphabetic()))
        };
        let is_literal = decoded.matches('*').count() != segment.matches('*').count()
            || dialect == EdgeDialect::Netlify && has_colon(&decoded)
            || dialect == EdgeDialect::Cloudflare && has_colon(&decoded) != has_colon(segment);
        if is_placeholder {
            segments.push(":segment".to_owned());
        } else if is_literal {
            return Err(EdgePathRefusal::Literal(path.to_owned()));
        } else {
            segments.push(decoded);
        }
    }
    let join = |segments: &[String]| format!("/{}", segments.join("/"));
    let mut paths = vec![join(&segments)];
    // On Netlify, a `*` between folders is also no folder.
    let star = segments.iter().position(|segment| segment == "*").filter(|_| dialect == EdgeDialect::Netlify);
    if let Some(star) = star.filter(|star| star + 1 < segments.len()) {
        segments.remove(star);
        paths.push(join(&segments));
    }
    let is_requested = |path: &String| {
        let inner = path.strip_prefix('/').unwrap_or(path);
        path == "/" || !path.contains(['?', '#']) && key::check(inner.strip_suffix('/').unwrap_or(inner)).is_ok()
    };
    if paths.iter().all(is_requested) { Ok(paths) } else { Err(EdgePathRefusal::NoRequest(path.to_owned())) }
}

#[cfg(test)]
mod tests;
