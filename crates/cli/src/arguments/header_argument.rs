//! `[GLOB=]VALUE`: a header for all objects, or for those that match a glob.

use std::str::FromStr as _;

use mime::Mime;
use tidegate_glob::Glob;

/// A header value, and the objects that get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderArgument {
    pub(crate) glob: Option<String>,
    pub(crate) value: String,
}

/// Directives of `Cache-Control` in responses. Source: IANA, "HTTP Cache Directives", 2026-11.
const DIRECTIVES: [&str; 13] = [
    "immutable",
    "max-age",
    "must-revalidate",
    "must-understand",
    "no-cache",
    "no-store",
    "no-transform",
    "private",
    "proxy-revalidate",
    "public",
    "s-maxage",
    "stale-if-error",
    "stale-while-revalidate",
];

/// Directives whose value is a number of seconds.
const SECONDS: [&str; 4] = ["max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"];

pub(super) fn cache_control(text: &str) -> Result<HeaderArgument, String> {
    let rule = split(text)?;
    for directive in rule.value.split(',').map(str::trim) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.to_ascii_lowercase();
        if !DIRECTIVES.contains(&name.as_str()) {
            return Err(format!(
                "unknown directive `{name}`; available: {}; a glob before `=` must contain one of `/ . * ? [ {{`",
                DIRECTIVES.join(", ")
            ));
        }
        let is_number = !argument.is_empty() && argument.bytes().all(|byte| byte.is_ascii_digit());
        if SECONDS.contains(&name.as_str()) != is_number {
            return Err(match SECONDS.contains(&name.as_str()) {
                true => format!("`{name}` needs a number of seconds, such as `{name}=3600`"),
                false => format!("`{name}` does not take a number"),
            });
        }
    }
    Ok(rule)
}

pub(super) fn content_type(text: &str) -> Result<HeaderArgument, String> {
    let rule = split(text)?;
    match Mime::from_str(&rule.value) {
        Ok(kind) if kind.type_() != mime::STAR && kind.subtype() != mime::STAR => Ok(rule),
        _ => Err(format!("invalid media type `{}`; write one such as `text/html; charset=utf-8`", rule.value)),
    }
}

/// Codings of content, and `none`. Source: IANA, "HTTP Content Coding Registry", 2026-11.
const CODINGS: [&str; 7] = ["br", "compress", "deflate", "gzip", "identity", "none", "zstd"];

pub(super) fn content_encoding(text: &str) -> Result<HeaderArgument, String> {
    let rule = split(text)?;
    let mut codings = rule.value.split(',').map(str::trim);
    match codings.find(|coding| !CODINGS.contains(coding)) {
        None => Ok(rule),
        Some(unknown) => Err(format!("unknown coding `{unknown}`; available: {}", CODINGS.join(", "))),
    }
}

/// The text before the first `=` is a glob if it can only be one: it has a character of globs or paths, and neither `;` nor a
/// comma outside of braces. So `max-age=60` and `text/html;charset=utf-8` are values.
fn split(text: &str) -> Result<HeaderArgument, String> {
    let all = || HeaderArgument { glob: None, value: text.to_owned() };
    let Some((glob, value)) = text.split_once('=') else { return Ok(all()) };
    if !glob.contains(['*', '.', '?', '[', '{', '/']) || separates_values(glob) {
        return Ok(all());
    }
    Glob::parse(glob).map_err(|error| error.to_string())?;
    Ok(HeaderArgument { glob: Some(glob.to_owned()), value: value.trim().to_owned() })
}

fn separates_values(glob: &str) -> bool {
    let mut depth = 0_usize;
    glob.chars().any(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ';' || (c == ',' && depth == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(glob: &str, value: &str) -> Result<HeaderArgument, String> {
        Ok(HeaderArgument { glob: (!glob.is_empty()).then(|| glob.to_owned()), value: value.to_owned() })
    }

    #[test]
    fn recognizes_globs_before_values_of_cache_control() {
        for (text, glob, value) in [
            ("max-age=60, public", "", "max-age=60, public"),
            ("no-cache", "", "no-cache"),
            ("Public,Max-Age=60", "", "Public,Max-Age=60"),
            ("private=\"set-cookie\"", "", "private=\"set-cookie\""),
            ("*.html=no-cache", "*.html", "no-cache"),
            ("*.{html,css}=no-cache", "*.{html,css}", "no-cache"),
            ("assets/=max-age=60", "assets/", "max-age=60"),
            ("/CNAME=no-store", "/CNAME", "no-store"),
            ("assets/**=max-age=31536000, immutable", "assets/**", "max-age=31536000, immutable"),
            ("my page.html= no-cache", "my page.html", "no-cache"),
            ("img/[0-9]?=max-age=1", "img/[0-9]?", "max-age=1"),
        ] {
            assert_eq!(cache_control(text), rule(glob, value), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_cache_control() {
        for text in [
            "",
            "max-age",
            "max-age=soon",
            "max-age=-1",
            "no-cache=60",
            "CNAME=no-cache",
            "max-age=60; public",
            "{a=no-cache",
            "*.html=",
            "*.html=a/b",
        ] {
            assert!(cache_control(text).is_err(), "{text}");
        }
    }

    #[test]
    fn recognizes_globs_before_codings() {
        assert_eq!(content_encoding("gzip"), rule("", "gzip"));
        assert_eq!(content_encoding("*.svgz=gzip"), rule("*.svgz", "gzip"));
        assert_eq!(content_encoding("*.xml.gz=none"), rule("*.xml.gz", "none"));
        for text in ["", "zip", "*.gz=", "CNAME=gzip"] {
            assert!(content_encoding(text).is_err(), "{text}");
        }
    }

    #[test]
    fn recognizes_globs_before_media_types() {
        for (text, glob, value) in [
            ("text/html", "", "text/html"),
            ("text/html;charset=utf-8", "", "text/html;charset=utf-8"),
            ("text/html; charset=utf-8", "", "text/html; charset=utf-8"),
            ("*.{md,markdown}=text/markdown; charset=utf-8", "*.{md,markdown}", "text/markdown; charset=utf-8"),
            ("docs/=text/plain", "docs/", "text/plain"),
            ("*.rpm=application/x-rpm", "*.rpm", "application/x-rpm"),
        ] {
            assert_eq!(content_type(text), rule(glob, value), "{text}");
        }
        for text in ["", "html", "*/*", "text/*", "*.html=html", "text/html charset=utf-8"] {
            assert!(content_type(text).is_err(), "{text}");
        }
    }
}
