//! Names for IAM and STS, made from text that people chose, and what such text must not have in a policy.

use sha2::{Digest, Sha256};

/// Longest name of a session, user or role, in characters. Source: IAM user guide, "IAM and AWS STS quotas".
pub const MAX_NAME: usize = 64;

/// Longest name of a policy or group, in characters. Same source.
pub const MAX_POLICY_NAME: usize = 128;

/// Makes a valid name of at most `max` characters. Invalid characters become `-`. A name that was changed or shortened ends
/// in a digest of the text, so that different texts have different names.
#[must_use]
pub fn fitted(text: &str, max: usize) -> String {
    let valid: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "+=,.@_-".contains(c) { c } else { '-' }).collect();
    if valid.len() <= max && valid == text {
        return valid;
    }
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    let head: String = valid.chars().take(max.saturating_sub(9)).collect();
    let tail: String = digest.chars().take(8).collect();
    format!("{head}-{tail}")
}

/// The first character of a text that is a wildcard or starts a variable in an IAM policy. A policy has no way to write it
/// literally in the ARN of a configured name. Source: IAM user guide, "IAM policy elements: Variables and tags".
#[must_use]
pub fn policy_character(text: &str) -> Option<char> {
    text.chars().find(|c| matches!(c, '*' | '?' | '$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_valid_and_distinct() {
        assert_eq!(fitted("tidegate-docs", MAX_NAME), "tidegate-docs");
        let long = |end: &str| fitted(&format!("{}{end}", "x".repeat(80)), MAX_NAME);
        assert!(long("a").len() == MAX_NAME && long("b").len() == MAX_NAME && long("a") != long("b"));
        assert_ne!(fitted("a b", MAX_NAME), fitted("a/b", MAX_NAME));
        assert!(fitted("é ü", MAX_NAME).is_ascii());
    }
}
