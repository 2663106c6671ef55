//! Lines of a `_redirects` file as Netlify reads them.
//!
//! Source: `@netlify/redirect-parser` and `netlify-redirector`, with which `tests/netlify.rs` compares them.

use std::collections::BTreeMap;

use tidegate_plugin::{LineFindings, Pointer, key};

use super::path::{self, EdgePart, EdgePath, decoded_path, target_text};
use super::{PlannedRule, RefusedEdgeLine};
use crate::file::{RedirectWords, words};
use crate::pattern::FromPattern;
use crate::settings::RedirectsFileSettings;

/// What becomes of a line.
enum EdgeLine {
    Rules(Vec<PlannedRule>),
    /// It is not followed, but takes these paths.
    Refused(RefusedEdgeLine, Vec<EdgePath>),
}

/// Adds the rules of all lines.
pub(super) fn add_lines(
    text: &str,
    settings: &RedirectsFileSettings,
    at: &Pointer,
    rules: &mut Vec<PlannedRule>,
    findings: &mut LineFindings,
) {
    let first = rules.len();
    let lines: Vec<_> = (1..).zip(text.split('\n')).map(|(number, line)| (number, words(line))).collect();
    // Of equal lines, Netlify drops all but the last one.
    let mut last: BTreeMap<&RedirectWords<'_>, usize> = BTreeMap::new();
    last.extend(lines.iter().filter_map(|(number, words)| Some((words.as_ref().ok()?.as_ref()?, *number))));
    for (number, line) in &lines {
        let number = *number;
        let later = line.as_ref().ok().and_then(Option::as_ref).and_then(|words| last.get(words)).copied();
        if let Some(later) = later.filter(|later| *later != number) {
            findings.warning("redirect-twice", "", number, format!("line {later} is equal to it; remove one of them"));
            continue;
        }
        let parsed = match line {
            Ok(None) => continue,
            Ok(Some(words)) => {
                parse(words, settings, number, at).unwrap_or_else(|refused| EdgeLine::Refused(refused, Vec::new()))
            }
            Err(refused) => EdgeLine::Refused(RefusedEdgeLine::new("target", refused.message.as_str()), Vec::new()),
        };
        match parsed {
            EdgeLine::Rules(line) => rules.extend(line),
            EdgeLine::Refused(refused, paths) => {
                findings.warning("redirect-not-possible", refused.kind, number, refused.message);
                let shield = |path: EdgePath| PlannedRule {
                    from: path.text(),
                    target: Some(path.as_target()),
                    path,
                    status: 200,
                    either_slash: true,
                    // The site's own page, if there is one.
                    force: false,
                    rule: at.clone(),
                    line: Some(number),
                    is_shield: true,
                };
                rules.extend(paths.into_iter().map(shield));
            }
        }
    }
    // A path that no later line answers needs no rule.
    let mut position = rules.len();
    while position > first {
        position -= 1;
        let later = rules.get(position + 1..).unwrap_or_default();
        let is_needed = |shield: &PlannedRule| later.iter().any(|rule| overlaps(&shield.path, &rule.path));
        if rules.get(position).is_some_and(|rule| rule.is_shield && !is_needed(rule)) {
            rules.remove(position);
        }
    }
}

/// Whether a path may match both: the text before the first placeholder of one starts like that of the other.
fn overlaps(one: &EdgePath, other: &EdgePath) -> bool {
    let start = |path: &EdgePath| match path.parts().first() {
        Some(EdgePart::Text(text)) => text.trim_end_matches('/').to_owned(),
        _ => String::new(),
    };
    let (first, second) = (start(one), start(other));
    match (one.is_exact(), other.is_exact()) {
        (true, true) => first == second,
        (true, false) => first.starts_with(&second),
        (false, true) => second.starts_with(&first),
        (false, false) => first.starts_with(&second) || second.starts_with(&first),
    }
}

fn parse(
    words: &RedirectWords<'_>,
    settings: &RedirectsFileSettings,
    line: usize,
    at: &Pointer,
) -> Result<EdgeLine, RefusedEdgeLine> {
    let RedirectWords { from, to, status, query, conditions } = words;
    if from.contains("://") {
        let message =
            format!("a rule for a host, as in `{from}`, is not supported; redirect where that host is served");
        return Err(RefusedEdgeLine::new("host", message));
    }
    if !conditions.is_empty() {
        let words = conditions.join(" ");
        let message = match words.to_ascii_lowercase().contains("role=") {
            true => {
                format!("rules cannot depend on `{words}`, so the pages of `{from}` are public; do not publish them")
            }
            false => format!("rules cannot depend on conditions such as `{words}`; link to the page for each of them"),
        };
        return Err(RefusedEdgeLine::new("condition", message));
    }
    let digits = |status: &&str| status.split(|character: char| !character.is_ascii_digit()).next().map(str::to_owned);
    let code = match status {
        Some(status) => digits(status).and_then(|digits| digits.parse().ok()),
        None => Some(settings.default_status),
    };
    // Netlify takes a path without its first `/`, too.
    let path = if from.starts_with('/') { (*from).to_owned() } else { format!("/{from}") };
    let paths = path::of_netlify(&FromPattern::parse(&path)?)?;
    let parameters = match parameters(query) {
        Ok(parameters) => parameters,
        Err(refused) => return Ok(EdgeLine::Refused(refused, paths)),
    };
    let paths: Vec<EdgePath> = paths.into_iter().map(|path| path.with_query(&parameters)).collect();
    // A line without a target serves the path itself.
    let own = (to == from).then(|| path.strip_suffix("/*").map_or(path.clone(), |folder| format!("{folder}/:splat")));
    let to = &own.as_deref().unwrap_or(to);
    let is_path = to.starts_with('/');
    let refused = match code {
        Some(200 | 404) if !is_path => {
            let message = format!(
                "content of another host, as of `{to}`, cannot be served; add that host as an origin of the distribution, or \
                 redirect to it"
            );
            Some(RefusedEdgeLine::new("proxy", message))
        }
        Some(_) if to.starts_with("/.netlify/") => {
            let message =
                format!("`{to}` is a service of Netlify; add its replacement as an origin of the distribution");
            Some(RefusedEdgeLine::new("service", message))
        }
        Some(200 | 301 | 302 | 303 | 307 | 308 | 404 | 410) => None,
        _ => {
            let message = format!(
                "the status `{}` of `{from}` cannot be used; use 200, 301, 302, 303, 307, 308, 404 or 410",
                status.unwrap_or_default()
            );
            Some(RefusedEdgeLine::new("status", message))
        }
    };
    let status_code = match (refused, code) {
        (Some(refused), _) => return Ok(EdgeLine::Refused(refused, paths)),
        (None, code) => code.unwrap_or(settings.default_status),
    };
    let force = status.is_some_and(|status| status.ends_with('!'));
    let mut rules = Vec::with_capacity(paths.len());
    for path in &paths {
        let target = match target_of(to, path, status_code) {
            Ok(target) => target,
            Err(refused) => return Ok(EdgeLine::Refused(refused, paths)),
        };
        rules.push(PlannedRule {
            from: (*from).to_owned(),
            path: path.clone(),
            target,
            status: status_code,
            either_slash: true,
            force,
            rule: at.clone(),
            line: Some(line),
            is_shield: false,
        });
    }
    Ok(EdgeLine::Rules(rules))
}

/// The parameters between the path and the target of a line, such as `id=:id`. Of equal names, the last one counts.
fn parameters<'a>(words: &[&'a str]) -> Result<Vec<(&'a str, &'a str)>, RefusedEdgeLine> {
    let mut parameters: BTreeMap<&str, &str> = BTreeMap::new();
    for word in words {
        let mut parts = word.split('=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        let Some(value) = value else {
            let message = format!("Netlify ignores `{word}` before the target; write `{word}=:{word}` for any value");
            return Err(RefusedEdgeLine::new("query", message));
        };
        let is_name = !name.is_empty() && !name.contains(['&', '#', '+']);
        // Of a key, only the characters count here.
        let is_text = |text: &str| key::check(&format!("x{}", text.replace(['/', '.'], ""))).is_ok();
        if !is_name || !is_text(name) || !is_text(value) {
            let message = format!("no request has the query parameter `{word}`; write `name=value`, or `name=:name`");
            return Err(RefusedEdgeLine::new("query", message));
        }
        parameters.insert(name, value);
    }
    // In the order in which their values are named.
    Ok(words.iter().filter_map(|word| parameters.remove_entry(word.split('=').next()?)).collect())
}

/// The target of a rule with this status; none for 410.
pub(super) fn target_of(to: &str, path: &EdgePath, status: u16) -> Result<Option<String>, RefusedEdgeLine> {
    if status == 410 {
        return Ok(None);
    }
    let target = target_text(to, path)?;
    let is_dots = |path: String| path.split('/').any(|segment| matches!(segment, "." | ".."));
    if matches!(status, 200 | 404) && decoded_path(&target).is_none_or(is_dots) {
        return Err(RefusedEdgeLine::new("target", format!("`{to}` is not a page of this site; write its path")));
    }
    Ok(Some(target))
}
