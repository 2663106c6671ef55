//! What to ask AWS of a site before its first upload: what its role must be allowed, and what it should not be.
//!
//! Owns the questions and what an answer means. Never asks: `tidegate-publish` does.

use serde::Serialize;
use tidegate_core::config::{MetadataName, Site};

use crate::document::{Statement, distribution_arn};
use crate::policies;

/// A name that no object has: questions are about what is below a prefix, not about one object.
const SAMPLE: &str = "tidegate-check";

/// One question: may the publisher do this, there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreflightQuestion {
    /// `s3:PutObject`.
    pub action: String,
    /// An ARN without wildcards.
    pub resource: String,
    /// Keys of the request with their values.
    pub context: Vec<(String, String)>,
    /// Whether it must be allowed; else it should not be.
    pub wanted: bool,
    /// What it is needed for, or what the harm would be.
    pub why: String,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreflightSeverity {
    /// Publishing will fail.
    Missing,
    /// Publishing will work, and so would harm.
    Wide,
    /// Something could not be found out, or is worth a look.
    Note,
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PreflightFinding {
    /// How bad.
    pub weight: PreflightSeverity,
    /// What, and what to do.
    pub what: String,
}

impl PreflightFinding {
    /// One thing to tell.
    #[must_use]
    pub fn new(weight: PreflightSeverity, what: impl Into<String>) -> Self {
        Self { weight, what: what.into() }
    }
}

impl PreflightQuestion {
    /// What an answer means; nothing where it is the right one.
    #[must_use]
    pub fn evaluate(&self, publisher: &str, allowed: bool) -> Option<PreflightFinding> {
        let (action, resource, why) = (&self.action, &self.resource, &self.why);
        match (self.wanted, allowed) {
            (true, false) => Some(PreflightFinding::new(
                PreflightSeverity::Missing,
                format!(
                    "`{publisher}` may not do {action} on {resource}, which is needed {why}: allow it, `tidegate policy site` prints how"
                ),
            )),
            (false, true) => Some(PreflightFinding::new(
                PreflightSeverity::Wide,
                format!("`{publisher}` may do {action} on {resource}: {why}"),
            )),
            _ => None,
        }
    }
}

/// The resource and the context of a request that a statement means.
fn sample(statement: &Statement, resource: &str) -> (String, Vec<(String, String)>) {
    let concrete = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) if !start.is_empty() => format!("{start}{SAMPLE}"),
        _ => pattern.to_owned(),
    };
    let context = statement.conditions().values().flatten();
    let context = context.filter_map(|(key, values)| {
        let value = values.first()?;
        // A listing names the prefix itself; a service in some region is one of this one.
        let value =
            if key == "s3:prefix" { value.trim_end_matches('*').to_owned() } else { value.replace('*', "us-east-1") };
        Some((key.clone(), value))
    });
    (concrete(resource), context.collect())
}

/// Everything to ask about a site's publisher.
#[must_use]
pub fn questions(site: &Site, account: &str) -> Vec<PreflightQuestion> {
    let granted = policies::site(site, account, &[]);
    let mut questions = Vec::new();
    for statement in granted.document.statements() {
        for action in statement.actions() {
            for resource in statement.resources() {
                let (resource, context) = sample(statement, resource);
                // What a key of the bucket's default is called nobody knows here.
                if resource == "*" {
                    continue;
                }
                let why = statement.why().to_owned();
                questions.push(PreflightQuestion { action: action.to_string(), resource, context, wanted: true, why });
            }
        }
    }
    questions.extend(unwanted(site, account));
    questions
}

/// What a publisher has no use for: the first of these that is allowed says that a document is wider than its site.
fn unwanted(site: &Site, account: &str) -> Vec<PreflightQuestion> {
    let partition = site.partition();
    let bucket = site.target.bucket.as_str();
    let object = |key: &str| format!("arn:{partition}:s3:::{bucket}/{key}");
    let mut questions = Vec::new();
    let mut add = |action: &str, resource: String, why: &str| {
        questions.push(PreflightQuestion {
            action: action.to_owned(),
            resource,
            context: Vec::new(),
            wanted: false,
            why: why.to_owned(),
        });
    };
    let prefix = site.target.prefix.as_str().trim_end_matches('/');
    if !prefix.is_empty() {
        for action in ["s3:PutObject", "s3:DeleteObject"] {
            add(
                action,
                object(&format!("{prefix}2/{SAMPLE}")),
                "a prefix that only begins alike is another site's, end the prefix in the policy with `/`",
            );
            add(
                action,
                object(&format!("{SAMPLE}-elsewhere")),
                "the rest of the bucket is not this site's, name its prefix in the policy",
            );
        }
    }
    let elsewhere = format!("arn:{partition}:s3:::tidegate-check-another-bucket");
    for action in ["s3:PutObject", "s3:DeleteObject"] {
        add(action, format!("{elsewhere}/{SAMPLE}"), "it reaches every bucket, name the site's own in the policy");
    }
    add("s3:DeleteBucket", format!("arn:{partition}:s3:::{bucket}"), "publishing never removes a bucket");
    add(
        "s3:PutBucketPolicy",
        format!("arn:{partition}:s3:::{bucket}"),
        "publishing never changes who can see a bucket",
    );
    add(
        "cloudfront:CreateInvalidation",
        distribution_arn(&partition, account, "ETIDEGATECHECK"),
        "it reaches every distribution, where the ARN of the site's own would do",
    );
    add(
        "cloudfront:UpdateDistribution",
        distribution_arn(&partition, account, "ETIDEGATECHECK"),
        "publishing never changes a distribution",
    );
    add(
        "iam:PutRolePolicy",
        format!("arn:{partition}:iam::{account}:role/tidegate-check"),
        "whoever may change roles may do everything",
    );
    questions
}

/// What a bucket is like, as far as it could be found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketFacts {
    /// Whether it takes ACLs.
    pub acls_enabled: Option<bool>,
    /// How it encrypts by itself.
    pub encryption: Option<String>,
    /// Distributions of the site that read it as an origin access identity, which no KMS key can trust.
    pub identities: Vec<String>,
    /// Distributions that the configuration tells by cache tags, and the header that they do read them from, if any.
    pub other_tags: Vec<(String, Option<String>)>,
}

/// What of a bucket does not go together with the configuration.
#[must_use]
pub fn bucket(site: &Site, facts: &BucketFacts) -> Vec<PreflightFinding> {
    let mut found = Vec::new();
    let name = &site.target.bucket;
    if let (Some(acl), Some(false)) = (&site.objects.acl, facts.acls_enabled)
        && acl != "bucket-owner-full-control"
    {
        found.push(PreflightFinding::new(
            PreflightSeverity::Missing,
            format!("the bucket `{name}` takes no ACLs (bucket owner enforced), so every write with `{acl}` is refused: remove `objects.acl`"),
        ));
    }
    let kms = |kind: &Option<String>| kind.as_deref().is_some_and(|kind| kind.starts_with("aws:"));
    if kms(&site.objects.encryption) || kms(&facts.encryption) {
        for distribution in &facts.identities {
            found.push(PreflightFinding::new(
                PreflightSeverity::Missing,
                format!("the distribution `{distribution}` reads `{name}` by an origin access identity, which cannot decrypt objects under KMS: give it an origin access control"),
            ));
        }
    }
    for (distribution, header) in &facts.other_tags {
        let reads = header.as_ref().map_or_else(|| "no header".to_owned(), |header| format!("`{header}`"));
        let wanted = site.cdn.iter().find(|cdn| cdn.distribution.as_str() == distribution);
        let wanted = wanted.and_then(|cdn| cdn.cache_tags.as_ref()).map(MetadataName::header).unwrap_or_default();
        found.push(PreflightFinding::new(
            PreflightSeverity::Note,
            format!("the distribution `{distribution}` reads cache tags from {reads}, so it is told by paths alone: set the header of its `CacheTagConfig` to `{wanted}`, or correct `cache-tags`"),
        ));
    }
    found
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
    fn what_is_needed_is_asked_within_and_what_is_not_beside() {
        let asked = questions(&site(""), "123456789012");
        let wanted = |action: &str| asked.iter().find(|question| question.action == action && question.wanted).unwrap();
        assert_eq!(wanted("s3:PutObject").resource, "arn:aws:s3:::acme/docs/tidegate-check");
        assert_eq!(wanted("s3:ListBucket").context, [("s3:prefix".to_owned(), "docs/".to_owned())]);
        assert_eq!(
            wanted("cloudfront:CreateInvalidation").resource,
            "arn:aws:cloudfront::123456789012:distribution/E1"
        );
        assert!(
            asked.iter().any(|question| !question.wanted && question.resource.ends_with("acme/docs2/tidegate-check"))
        );
        let kept = questions(&site("delete = false\n"), "123456789012");
        assert!(!kept.iter().any(|question| question.wanted && question.action == "s3:DeleteObject"));
    }

    #[test]
    fn answers_are_told_with_what_to_do() {
        let asked = questions(&site(""), "123456789012");
        let put = asked.iter().find(|question| question.action == "s3:PutObject" && question.wanted).unwrap();
        assert_eq!(put.evaluate("p", true), None);
        let told = put.evaluate("p", false).unwrap();
        assert!(told.weight == PreflightSeverity::Missing && told.what.contains("tidegate policy site"), "{told:?}");
        let beside = asked.iter().find(|question| !question.wanted).unwrap();
        assert_eq!(beside.evaluate("p", true).unwrap().weight, PreflightSeverity::Wide);
        assert_eq!(beside.evaluate("p", false), None);
    }

    #[test]
    fn a_bucket_that_cannot_do_what_the_configuration_says_is_told() {
        let acl = site("objects = { acl = \"public-read\" }\n");
        let facts = BucketFacts { acls_enabled: Some(false), ..BucketFacts::default() };
        assert!(bucket(&acl, &facts).first().unwrap().what.contains("remove `objects.acl`"));
        assert_eq!(bucket(&acl, &BucketFacts::default()), []);
        let facts = BucketFacts { encryption: Some("aws:kms".to_owned()), identities: vec!["E1".to_owned()], ..facts };
        assert!(bucket(&site(""), &facts).first().unwrap().what.contains("origin access control"));
    }

    #[test]
    fn a_distribution_that_reads_no_tags_is_told() {
        let text = "state = \"s3://state/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://acme/docs/\"\ncdn = [{ distribution = \"E1\", cache-tags = \"cache-tag\" }]\n";
        let site = Config::parse(text).unwrap().sites.remove(0);
        for (header, told) in [(None, "from no header"), (Some("x-tags".to_owned()), "from `x-tags`")] {
            let facts = BucketFacts { other_tags: vec![("E1".to_owned(), header)], ..BucketFacts::default() };
            let found = bucket(&site, &facts);
            let [found] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(found.weight, PreflightSeverity::Note);
            assert!(found.what.contains(told) && found.what.contains("`x-amz-meta-cache-tag`"), "{found:?}");
        }
    }
}
