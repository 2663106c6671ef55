//! The `_redirects` file of an artifact, in Netlify's syntax.
//!
//! A line that cannot be followed becomes a finding with the alternative. Its path is not redirected by a later line.
//!
//! ```text
//! # from        to          status
//! /old          /new
//! /moved        /here       301!
//! /blog/:slug   /posts/:slug
//! ```

use tidegate_plugin::{LineFindings, Pointer};

use crate::redirects::{Redirect, Redirects};
use crate::settings::RedirectsFileSettings;

/// The words of a line.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RedirectWords<'a> {
    pub(crate) from: &'a str,
    /// `from` if the line has none, as in `/api/* 200`.
    pub(crate) to: &'a str,
    /// With an exclamation mark, if it is forced.
    pub(crate) status: Option<&'a str>,
    pub(crate) query: Vec<&'a str>,
    pub(crate) conditions: Vec<&'a str>,
}

/// One parsed line.
struct RedirectLine<'a> {
    from: &'a str,
    to: &'a str,
    force: bool,
    /// Why S3 cannot follow it.
    refusal: Option<UnsupportedLine>,
}

/// Why S3 cannot follow a line.
pub(crate) struct UnsupportedLine {
    /// Lines of the same kind are reported together.
    kind: &'static str,
    pub(crate) message: String,
    /// Whether it applies to some visitors only.
    is_conditional: bool,
}

impl UnsupportedLine {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), is_conditional: false }
    }
}

/// Adds the redirects of a file after those of the rules. Returns findings about lines that cannot be followed.
pub(crate) fn add_redirects(text: &str, settings: &RedirectsFileSettings, redirects: &mut Redirects) -> LineFindings {
    let at = Pointer::root().member("redirects-file");
    let mut findings = LineFindings::new(&settings.key, at.clone());
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = match parse(line, settings) {
            Ok(Some(line)) => line,
            Ok(None) => continue,
            Err(refusal) => {
                findings.warning("redirect-not-possible", refusal.kind, number, refusal.message);
                continue;
            }
        };
        let to = line.refusal.is_none().then_some(line.to);
        let mut added = Redirect::new(line.from, to, line.force, &at);
        let mut refusal = line.refusal;
        if let (Err(error), Some(_)) = (&added, to) {
            refusal = Some(UnsupportedLine::new("target", error.to_string()));
            added = Redirect::new(line.from, None, line.force, &at);
        }
        let mut takes_path = true;
        match &added {
            Err(error) => refusal = Some(UnsupportedLine::new("path", error.to_string())),
            // It applies to some visitors, and later lines with exact paths are for the others.
            Ok(redirect) if !redirect.pattern.is_exact() => {
                takes_path = !refusal.as_ref().is_some_and(|refusal| refusal.is_conditional);
                if redirect.target.as_ref().is_some_and(|target| !target.is_invertible()) {
                    let only = match redirect.keys().first() {
                        Some(_) => format!("only `/{}` is", redirect.pattern.fill(&[])),
                        None => "no path is".to_owned(),
                    };
                    let message = format!(
                        "S3 redirects only exact paths, so {only} redirected by `{}`; list the paths, or use a CloudFront \
                         function",
                        line.from
                    );
                    refusal = Some(UnsupportedLine::new("placeholder", message));
                }
            }
            Ok(_) => {}
        }
        if let Some(refusal) = refusal {
            findings.warning("redirect-not-possible", refusal.kind, number, refusal.message);
        }
        if let Ok(redirect) = added
            && takes_path
        {
            redirects.add(Redirect { line: Some(number), ..redirect });
        }
    }
    findings
}

/// The words of a line; `None` for an empty line and a comment.
pub(crate) fn words(line: &str) -> Result<Option<RedirectWords<'_>>, UnsupportedLine> {
    let is_space = |character: char| character.is_whitespace() || character == '\u{feff}';
    let words: Vec<&str> =
        line.split(is_space).filter(|word| !word.is_empty()).take_while(|word| !word.starts_with('#')).collect();
    let Some((from, rest)) = words.split_first() else {
        return Ok(None);
    };
    let is_target = |word: &&str| word.starts_with('/') || word.starts_with("http://") || word.starts_with("https://");
    let is_status = |word: &&&str| word.starts_with(|first: char| first.is_ascii_digit());
    let (query, rest) = rest.split_at(rest.iter().position(is_target).unwrap_or(0));
    let (to, rest) = match rest.split_first() {
        Some((to, rest)) if is_target(to) => (*to, rest),
        // `/api/* 200`, which serves the path itself.
        Some((status, _)) if status.starts_with('2') => (*from, rest),
        _ => return Err(UnsupportedLine::new("target", "the redirect has no target; write `/from /to`")),
    };
    let (status, conditions) = match rest.split_first().filter(|(word, _)| is_status(word)) {
        Some((status, conditions)) => (Some(*status), conditions),
        None => (None, rest),
    };
    Ok(Some(RedirectWords { from, to, status, query: query.to_vec(), conditions: conditions.to_vec() }))
}

fn parse<'a>(line: &'a str, settings: &RedirectsFileSettings) -> Result<Option<RedirectLine<'a>>, UnsupportedLine> {
    let Some(RedirectWords { from, to, status, query, conditions }) = words(line)? else {
        return Ok(None);
    };
    if from.contains("://") {
        return Err(UnsupportedLine::new(
            "host",
            format!("S3 cannot redirect by host, as in `{from}`; use a CloudFront function"),
        ));
    }
    let code = status.map_or(Some(settings.default_status), |status| status.trim_end_matches('!').parse().ok());
    let refusal = match code {
        _ if !query.is_empty() => Some(UnsupportedLine {
            is_conditional: true,
            ..UnsupportedLine::new("query", "S3 cannot redirect by query parameters; use a CloudFront function")
        }),
        _ if !conditions.is_empty() => {
            let words = conditions.join(" ");
            let message = format!("S3 cannot redirect by conditions such as `{words}`; use a CloudFront function");
            Some(UnsupportedLine { is_conditional: true, ..UnsupportedLine::new("condition", message) })
        }
        Some(301 | 308) => None,
        Some(302 | 303 | 307) if settings.temporary_as_permanent => None,
        Some(code @ (302 | 303 | 307)) => Some(UnsupportedLine::new(
            "temporary",
            format!(
                "S3 redirects only with status 301, which browsers cache permanently, so `{from}` with {code} is skipped; \
                 set `temporary-as-permanent` to publish it with 301"
            ),
        )),
        Some(200) => Some(UnsupportedLine::new(
            "content",
            "S3 cannot serve the content of another path (status 200); use a CloudFront function",
        )),
        Some(code @ (404 | 410)) => {
            Some(UnsupportedLine::new("error", format!("S3 cannot redirect with status {code}; use an error document")))
        }
        _ => {
            let message = format!("`{}` is not a redirect status; use 301", status.unwrap_or_default());
            Some(UnsupportedLine::new("status", message))
        }
    };
    let force = status.is_some_and(|status| status.ends_with('!'));
    Ok(Some(RedirectLine { from, to, force, refusal }))
}
