//! Limits on the length of policy documents.

use serde::Serialize;

/// A limit on the length of documents. Source: IAM user guide, "IAM and AWS STS quotas"; Amazon S3 user guide, "Bucket
/// policies".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyLimit {
    /// A session policy: 2,048 characters, including white space.
    Session,
    /// All inline policies of one user: 2,048 characters.
    User,
    /// All inline policies of one group: 5,120 characters.
    Group,
    /// All inline policies of one role: 10,240 characters.
    Role,
    /// A managed policy: 6,144 characters.
    Managed,
    /// A trust policy: 2,048 characters.
    Trust,
    /// A bucket policy: 20 KiB.
    Bucket,
}

impl PolicyLimit {
    /// Maximum number of characters.
    #[must_use]
    pub fn characters(self) -> usize {
        match self {
            Self::Session | Self::User | Self::Trust => 2_048,
            Self::Group => 5_120,
            Self::Role => 10_240,
            Self::Managed => 6_144,
            Self::Bucket => 20_480,
        }
    }

    /// The length that counts towards the limit: IAM does not count white space, STS does, and S3 counts bytes.
    #[must_use]
    pub fn length(self, text: &str) -> usize {
        match self {
            Self::Session => text.chars().count(),
            Self::Bucket => text.len(),
            _ => text.chars().filter(|c| !c.is_whitespace()).count(),
        }
    }

    pub(super) fn subject(self) -> &'static str {
        match self {
            Self::Session => "a session policy",
            Self::User => "all inline policies of a user",
            Self::Group => "all inline policies of a group",
            Self::Role => "all inline policies of a role",
            Self::Managed => "a managed policy",
            Self::Trust => "a trust policy",
            Self::Bucket => "a bucket policy",
        }
    }
}
