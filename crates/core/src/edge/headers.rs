//! Headers of responses. Those for all paths belong into a response headers policy, which also covers errors; the others
//! into the store.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::pattern::RequestPattern;
use super::rules::{EdgeHeaderRule, SlashMatch};

/// Digits of the SHA-256 that name a set of rules.
const NAME_DIGITS: usize = 12;

/// The headers of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HeaderPlan {
    /// Headers of every response: for the response headers policy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<(String, String)>,
    /// Rules for some paths, as JSON: for the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// The name of `set`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_name: Option<String>,
}

impl HeaderPlan {
    /// Divides rules. A header of all paths that another rule changes goes into the store: whether a policy or the function
    /// has the last word is not documented.
    #[must_use]
    pub fn new(rules: &[EdgeHeaderRule]) -> Self {
        let (general, special): (Vec<_>, Vec<_>) = rules.iter().partition(|rule| rule.path.as_str() == "/*");
        let is_changed = |name: &str| {
            special.iter().any(|rule| {
                rule.headers.iter().any(|(other, _)| other == name) || rule.removals.iter().any(|other| other == name)
            })
        };
        let mut plan = Self::default();
        for rule in &general {
            plan.policy.retain(|(name, _)| !rule.removals.contains(name));
            for (name, value) in
                rule.headers.iter().filter(|(name, value)| fits_policy(name, value) && !is_changed(name))
            {
                match plan.policy.iter_mut().find(|(other, _)| other == name) {
                    Some((_, joined)) => *joined = format!("{joined}, {value}"),
                    None => plan.policy.push((name.clone(), value.clone())),
                }
            }
        }
        let in_policy = |name: &str| plan.policy.iter().any(|(other, _)| other == name);
        let mut lines = Vec::new();
        for rule in rules {
            let is_general = rule.path.as_str() == "/*";
            let headers: Vec<&(String, String)> =
                rule.headers.iter().filter(|(name, _)| !is_general || !in_policy(name)).collect();
            if headers.is_empty() && rule.removals.is_empty() {
                continue;
            }
            let pattern = RequestPattern::new(&rule.path, rule.slash);
            let exact = u8::from(rule.slash == SlashMatch::AsWritten);
            lines.push(serde_json::json!([pattern.as_str(), headers, rule.removals, exact]));
        }
        if !lines.is_empty() {
            let set = serde_json::Value::Array(lines).to_string();
            plan.set_name = Some(set_name(&set));
            plan.set = Some(set);
        }
        plan
    }

    /// `strict-transport-security` of all paths, for redirects that the function makes.
    #[must_use]
    pub fn hsts(&self) -> Option<&str> {
        let found = self.policy.iter().find(|(name, _)| name == "strict-transport-security");
        found.map(|(_, value)| value.as_str())
    }
}

/// The name of a set of rules: it says what they are.
pub(super) fn set_name(rules: &str) -> String {
    hex::encode(Sha256::digest(rules)).chars().take(NAME_DIGITS).collect()
}

/// Whether a policy can have the header. CORS headers have a configuration of their own that depends on the request.
fn fits_policy(name: &str, value: &str) -> bool {
    if name.starts_with("access-control-") {
        return false;
    }
    let lower = value.trim().to_ascii_lowercase();
    match name {
        "x-content-type-options" => lower == "nosniff",
        "x-frame-options" => matches!(lower.as_str(), "deny" | "sameorigin"),
        "x-xss-protection" => matches!(lower.replace(' ', "").as_str(), "0" | "1" | "1;mode=block"),
        "referrer-policy" => matches!(
            lower.as_str(),
            "no-referrer"
                | "no-referrer-when-downgrade"
                | "origin"
                | "origin-when-cross-origin"
                | "same-origin"
                | "strict-origin"
                | "strict-origin-when-cross-origin"
                | "unsafe-url"
        ),
        "strict-transport-security" => lower.split(';').map(str::trim).all(|part| {
            matches!(part, "includesubdomains" | "preload")
                || part.strip_prefix("max-age=").is_some_and(|age| age.trim_matches('"').parse::<i32>().is_ok())
        }),
        _ => true,
    }
}
