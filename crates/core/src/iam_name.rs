//! Names that AWS takes: text that people chose, made to fit.
//!
//! Owns shortening without losing which is which. Never invents a name.

use sha2::{Digest, Sha256};

/// Longest name of a session, a user or a role, in characters. Source: IAM user guide, "IAM and AWS STS quotas".
pub const MAX_NAME: usize = 64;

/// Longest name of a policy or a group, in characters. Same source.
pub const MAX_POLICY_NAME: usize = 128;

/// A name of at most `most` characters that IAM and STS take: characters that they do not know become `-`, and a name that
/// is too long or was changed ends in a digest of the whole, so that two of them stay apart.
#[must_use]
pub fn fitted(text: &str, most: usize) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "+=,.@_-".contains(c) { c } else { '-' }).collect();
    if plain.len() <= most && plain == text {
        return plain;
    }
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    let head: String = plain.chars().take(most.saturating_sub(9)).collect();
    let tail: String = digest.chars().take(8).collect();
    format!("{head}-{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_stay_apart() {
        assert_eq!(fitted("tidegate-docs", MAX_NAME), "tidegate-docs");
        let long = |end: &str| fitted(&format!("{}{end}", "x".repeat(80)), MAX_NAME);
        assert!(long("a").len() == MAX_NAME && long("b").len() == MAX_NAME && long("a") != long("b"));
        assert_ne!(fitted("a b", MAX_NAME), fitted("a/b", MAX_NAME));
        assert!(fitted("é ü", MAX_NAME).is_ascii());
    }
}
