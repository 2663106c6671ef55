//! Checks before the first upload of a site: which permissions its publisher needs and should not have, and what a result
//! means. [`crate::check`] asks AWS.

use serde::Serialize;
use tidegate_core::config::{MetadataName, Site};

use crate::document::{Statement, bucket_arn, distribution_arn};
use crate::policies;

/// A name that no object has, for ARNs of objects below a prefix.
const SAMPLE: &str = "tidegate-check";

/// A question for IAM: is the publisher allowed to do this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreflightQuestion {
    /// The action: `s3:PutObject`.
    pub action: String,
    /// An ARN without wildcards.
    pub resource: String,
    /// Condition keys of the request with their values.
    pub context: Vec<(String, String)>,
    /// Whether publishing needs it; otherwise it should be denied.
    pub needed: bool,
    /// What it is needed for, or why it should be denied.
    pub reason: String,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreflightSeverity {
    /// Publishing will fail.
    Missing,
    /// Publishing works, but the publisher can do more than it needs.
    OverPermissive,
    /// Something could not be checked, or needs attention.
    Note,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PreflightFinding {
    /// Its severity.
    pub severity: PreflightSeverity,
    /// What is wrong, and how to correct it.
    pub message: String,
}

impl PreflightFinding {
    /// A finding.
    #[must_use]
    pub fn new(severity: PreflightSeverity, message: impl Into<String>) -> Self {
        Self { severity, message: message.into() }
    }
}

impl PreflightQuestion {
    /// The finding, where the answer is not the expected one.
    #[must_use]
    pub fn evaluate(&self, publisher: &str, allowed: bool) -> Option<PreflightFinding> {
        let (action, resource, reason) = (&self.action, &self.resource, &self.reason);
        match (self.needed, allowed) {
            (true, false) => Some(PreflightFinding::new(
                PreflightSeverity::Missing,
                format!(
                    "`{publisher}` is not allowed {action} on {resource}, which it needs {reason}: attach the policy of `tidegate policy site`"
                ),
            )),
            (false, true) => Some(PreflightFinding::new(
                PreflightSeverity::OverPermissive,
                format!("`{publisher}` is allowed {action} on {resource}: {reason}"),
            )),
            _ => None,
        }
    }
}

/// The resource and the context of a request that a statement is about.
fn sample(statement: &Statement, resource: &str) -> (String, Vec<(String, String)>) {
    let resource = match resource.strip_suffix('*') {
        Some(start) if !start.is_empty() => format!("{start}{SAMPLE}"),
        _ => resource.to_owned(),
    };
    let context = statement.conditions().values().flatten().filter_map(|(key, values)| {
        let value = values.first()?;
        // A listing names the prefix without a wildcard. Other wildcards stand for a region.
        let value =
            if key == "s3:prefix" { value.trim_end_matches('*').to_owned() } else { value.replace('*', "us-east-1") };
        Some((key.clone(), value))
    });
    (resource, context.collect())
}

/// All questions about the publisher of a site.
#[must_use]
pub fn questions(site: &Site, account: &str) -> Vec<PreflightQuestion> {
    let grant = policies::site(site, account, &[]);
    let mut questions = Vec::new();
    for statement in grant.document.statements() {
        for resource in statement.resources() {
            let (resource, context) = sample(statement, resource);
            // The ARN of the KMS key of a bucket's default encryption is not known.
            if resource == "*" {
                continue;
            }
            questions.extend(statement.actions().iter().map(|action| PreflightQuestion {
                action: action.to_string(),
                resource: resource.clone(),
                context: context.clone(),
                needed: true,
                reason: statement.why().to_owned(),
            }));
        }
    }
    questions.extend(unneeded(site, account));
    questions
}

/// What a publisher does not need and a policy that is not limited to its site allows.
fn unneeded(site: &Site, account: &str) -> Vec<PreflightQuestion> {
    let partition = site.partition();
    let bucket = bucket_arn(&partition, &site.target.bucket);
    let mut questions = Vec::new();
    let mut add = |action: &str, resource: String, reason: &str| {
        questions.push(PreflightQuestion {
            action: action.to_owned(),
            resource,
            context: Vec::new(),
            needed: false,
            reason: reason.to_owned(),
        });
    };
    let prefix = site.target.prefix.as_str().trim_end_matches('/');
    for action in ["s3:PutObject", "s3:DeleteObject"] {
        if !prefix.is_empty() {
            add(
                action,
                format!("{bucket}/{prefix}2/{SAMPLE}"),
                "a prefix with the same beginning belongs to another site; end the prefix in the policy with `/`",
            );
            add(
                action,
                format!("{bucket}/{SAMPLE}-elsewhere"),
                "the rest of the bucket does not belong to this site; name its prefix in the policy",
            );
        }
        add(
            action,
            format!("arn:{partition}:s3:::tidegate-check-another-bucket/{SAMPLE}"),
            "the policy includes every bucket; name the bucket of the site",
        );
    }
    add("s3:DeleteBucket", bucket.clone(), "publishing never deletes a bucket");
    add("s3:PutBucketPolicy", bucket, "publishing never changes a bucket policy");
    let distribution = distribution_arn(&partition, account, "ETIDEGATECHECK");
    add(
        "cloudfront:CreateInvalidation",
        distribution.clone(),
        "the policy includes every distribution; name those of the site by their ARNs",
    );
    add("cloudfront:UpdateDistribution", distribution, "publishing never changes a distribution");
    add(
        "iam:PutRolePolicy",
        format!("arn:{partition}:iam::{account}:role/tidegate-check"),
        "a principal that can change roles can grant itself every permission",
    );
    questions
}

/// What is known about the bucket and the distributions of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketFacts {
    /// Whether the bucket has ACLs enabled.
    pub acls_enabled: Option<bool>,
    /// The default encryption of the bucket.
    pub encryption: Option<String>,
    /// Distributions that read the bucket with an origin access identity, which a KMS key policy cannot trust.
    pub identities: Vec<String>,
    /// Distributions with `cache-tags` in the configuration that read cache tags from another header, or from none.
    pub other_tag_headers: Vec<TagHeader>,
}

/// The header that a distribution reads cache tags from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagHeader {
    /// The distribution.
    pub distribution: String,
    /// The header, if any.
    pub header: Option<String>,
}

/// Findings about settings of the bucket and of the distributions that contradict the configuration.
#[must_use]
pub fn bucket_findings(site: &Site, facts: &BucketFacts) -> Vec<PreflightFinding> {
    let mut findings = Vec::new();
    let name = &site.target.bucket;
    if let (Some(acl), Some(false)) = (&site.objects.acl, facts.acls_enabled)
        && acl != "bucket-owner-full-control"
    {
        findings.push(PreflightFinding::new(
            PreflightSeverity::Missing,
            format!("the bucket `{name}` has ACLs disabled (bucket owner enforced), so S3 refuses writes with the ACL `{acl}`: remove `objects.acl`"),
        ));
    }
    let is_kms = |kind: &Option<String>| kind.as_deref().is_some_and(|kind| kind.starts_with("aws:"));
    if is_kms(&site.objects.encryption) || is_kms(&facts.encryption) {
        for distribution in &facts.identities {
            findings.push(PreflightFinding::new(
                PreflightSeverity::Missing,
                format!("the distribution `{distribution}` reads `{name}` with an origin access identity, which cannot decrypt objects encrypted with KMS: use an origin access control"),
            ));
        }
    }
    for TagHeader { distribution, header } in &facts.other_tag_headers {
        let header = header.as_ref().map_or_else(|| "no header".to_owned(), |header| format!("`{header}`"));
        let cdn = site.cdn.iter().find(|cdn| cdn.distribution.as_str() == distribution);
        let expected = cdn.and_then(|cdn| cdn.cache_tags.as_ref()).map(MetadataName::header).unwrap_or_default();
        findings.push(PreflightFinding::new(
            PreflightSeverity::Note,
            format!("the distribution `{distribution}` reads cache tags from {header}, so it is invalidated by paths: set the header of its `CacheTagConfig` to `{expected}`, or correct `cache-tags`"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::config::Config;

    fn site(more: &str) -> Site {
        let text = format!(
            "[[site]]\nname = \"docs\"\ntarget = \"s3://acme/docs/\"\nrole = \"arn:aws:iam::123456789012:role/p\"\ncdn = [{{ distribution = \"E1\" }}]\n{more}"
        );
        Config::parse(&text).unwrap().sites.remove(0)
    }

    #[test]
    fn asks_for_needed_permissions_and_for_unneeded_ones() {
        let asked = questions(&site(""), "123456789012");
        let needed = |action: &str| asked.iter().find(|question| question.action == action && question.needed).unwrap();
        assert_eq!(needed("s3:PutObject").resource, "arn:aws:s3:::acme/docs/tidegate-check");
        assert_eq!(needed("s3:ListBucket").context, [("s3:prefix".to_owned(), "docs/".to_owned())]);
        assert_eq!(
            needed("cloudfront:CreateInvalidation").resource,
            "arn:aws:cloudfront::123456789012:distribution/E1"
        );
        assert!(
            asked.iter().any(|question| !question.needed && question.resource.ends_with("acme/docs2/tidegate-check"))
        );
        let without_delete = questions(&site("delete = false\n"), "123456789012");
        assert!(!without_delete.iter().any(|question| question.needed && question.action == "s3:DeleteObject"));
    }

    #[test]
    fn unexpected_answers_are_findings() {
        let asked = questions(&site(""), "123456789012");
        let put = asked.iter().find(|question| question.action == "s3:PutObject" && question.needed).unwrap();
        assert_eq!(put.evaluate("p", true), None);
        let finding = put.evaluate("p", false).unwrap();
        assert_eq!(finding.severity, PreflightSeverity::Missing);
        assert!(finding.message.contains("tidegate policy site"), "{finding:?}");
        let unneeded = asked.iter().find(|question| !question.needed).unwrap();
        assert_eq!(unneeded.evaluate("p", true).unwrap().severity, PreflightSeverity::OverPermissive);
        assert_eq!(unneeded.evaluate("p", false), None);
    }

    #[test]
    fn bucket_settings_that_contradict_the_configuration_are_findings() {
        let acl = site("objects = { acl = \"public-read\" }\n");
        let facts = BucketFacts { acls_enabled: Some(false), ..BucketFacts::default() };
        assert!(bucket_findings(&acl, &facts).first().unwrap().message.contains("remove `objects.acl`"));
        assert_eq!(bucket_findings(&acl, &BucketFacts::default()), []);
        let facts = BucketFacts { encryption: Some("aws:kms".to_owned()), identities: vec!["E1".to_owned()], ..facts };
        assert!(bucket_findings(&site(""), &facts).first().unwrap().message.contains("origin access control"));
    }

    #[test]
    fn distributions_with_another_tag_header_are_findings() {
        let text = "state = \"s3://state/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://acme/docs/\"\ncdn = [{ distribution = \"E1\", cache-tags = \"cache-tag\" }]\n";
        let site = Config::parse(text).unwrap().sites.remove(0);
        for (header, expected) in [(None, "from no header"), (Some("x-tags".to_owned()), "from `x-tags`")] {
            let other_tag_headers = vec![TagHeader { distribution: "E1".to_owned(), header }];
            let facts = BucketFacts { other_tag_headers, ..BucketFacts::default() };
            let found = bucket_findings(&site, &facts);
            let [found] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(found.severity, PreflightSeverity::Note);
            assert!(found.message.contains(expected) && found.message.contains("`x-amz-meta-cache-tag`"), "{found:?}");
        }
    }
}
