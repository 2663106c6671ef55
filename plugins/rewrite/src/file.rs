//! The `_redirects` file of an artifact, in Netlify's syntax.
//!
//! An unsupported line becomes a finding with the line and the alternative.
//!
//! ```text
//! # from        to        status
//! /old          /new
//! /moved        /here     301!
//! ```

use tidegate_plugin::{Finding, Pointer};

use crate::redirects::{RedirectError, Redirects};
use crate::settings::RedirectsFileSettings;

/// One parsed line.
struct RedirectLine<'a> {
    from: &'a str,
    to: &'a str,
    status: RedirectStatus,
    force: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RedirectStatus {
    Permanent,
    Temporary(u16),
}

/// Adds the redirects of a file after those of the rules. Returns findings about unsupported lines.
pub(crate) fn add_redirects(text: &str, settings: &RedirectsFileSettings, redirects: &mut Redirects) -> Vec<Finding> {
    let at = Pointer::root().member("redirects-file");
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut report = |code: &str, message: &str, rule: &Pointer| {
            let message = format!("line {number} of `{}`: {message}", settings.key);
            findings.push(Finding::warning(code, message).with_key(settings.key.as_str()).with_rule(rule));
        };
        let line = match parse(line) {
            Ok(Some(line)) => line,
            Ok(None) => continue,
            Err(message) => {
                report("redirect-not-possible", &message, &at);
                continue;
            }
        };
        if let RedirectStatus::Temporary(status) = line.status
            && !settings.temporary_as_permanent
        {
            let message = format!(
                "S3 redirects only with status 301, which browsers cache permanently, so `{}` with {status} is skipped; set \
                 `temporary-as-permanent` to publish it with 301",
                line.from
            );
            report("redirect-not-possible", &message, &at.clone().member("temporary-as-permanent"));
            continue;
        }
        let reason = format!("line {number} of `{}`", settings.key);
        if let Err(error) = redirects.add(line.from, line.to, line.force, &at, &reason) {
            let code = match error {
                RedirectError::Duplicate(_) => "redirect-twice",
                RedirectError::ToItself(_) => "redirect-to-itself",
                _ => "redirect-not-possible",
            };
            report(code, &error.to_string(), &at);
        }
    }
    findings
}

fn parse(line: &str) -> Result<Option<RedirectLine<'_>>, String> {
    let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
    let Some((from, rest)) = words.split_first() else {
        return Ok(None);
    };
    let is_target = |word: &str| word.starts_with('/') || word.contains("://");
    let Some(at) = rest.iter().position(|word| is_target(word)) else {
        return Err("the redirect has no target; write `/from /to`".to_owned());
    };
    if at > 0 {
        return Err("S3 cannot redirect by query parameters; use a CloudFront function".to_owned());
    }
    let mut rest = rest.iter().skip(1);
    let to = words.get(1).copied().unwrap_or_default();
    let mut line = RedirectLine { from, to, status: RedirectStatus::Permanent, force: false };
    let mut next = rest.next();
    if let Some(word) = next.filter(|word| word.starts_with(|first: char| first.is_ascii_digit())) {
        let code = word.strip_suffix('!').unwrap_or(word);
        line.force = code.len() < word.len();
        line.status = match code.parse() {
            Ok(301 | 308) => RedirectStatus::Permanent,
            Ok(status @ (302 | 303 | 307)) => RedirectStatus::Temporary(status),
            Ok(200) => {
                return Err(
                    "S3 cannot serve the content of another path (status 200); use a CloudFront function".to_owned()
                );
            }
            Ok(status @ (404 | 410)) => {
                return Err(format!("S3 cannot redirect with status {status}; use an error document"));
            }
            _ => return Err(format!("`{word}` is not a redirect status; use 301")),
        };
        next = rest.next();
    }
    match next {
        None => Ok(Some(line)),
        Some(word) => Err(format!("S3 cannot redirect by conditions such as `{word}`; use a CloudFront function")),
    }
}
