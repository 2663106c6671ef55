//! `tidegate check --aws`: asks AWS about a site before anything is uploaded, and changes nothing. [`crate::preflight`]
//! defines the questions.

use futures::stream::{self, StreamExt};
use tidegate_core::config::{AccountId, BucketOwners, RoleArn, Site};
use tidegate_publish::cloudfront::CloudFront;
use tidegate_publish::s3::S3;
use tidegate_publish::{AwsError, Connection, SessionRequest};

use crate::apply::Provisioner;
use crate::client::BucketClient;
use crate::document::{Partition, PlanningScope, PolicyDocument};
use crate::preflight::{BucketFacts, PreflightFinding, PreflightSeverity, TagHeader, bucket_findings, questions};

/// Concurrent simulations. IAM throttles more.
const CONCURRENCY: usize = 4;

/// All findings about publishing a site.
///
/// # Errors
/// [`AwsError`], where AWS does not respond or the caller is unknown.
pub async fn check(connection: &Connection, site: &Site) -> Result<Vec<PreflightFinding>, AwsError> {
    let provisioner = Provisioner::new(connection);
    let caller = provisioner.sts().caller().await?;
    let site = &Site { default_partition: Partition::of(&caller.arn), ..site.clone() };
    let mut findings = Vec::new();
    let mut reader = connection.clone();
    if let Some(role) = &site.role {
        let document =
            PolicyDocument::planning(&role.partition(), &site.target, &site.objects, PlanningScope::default());
        let policy = document.session(&site.target);
        let session = match policy {
            Ok(policy) => {
                let name = format!("tidegate-check-{}", site.name);
                let request = SessionRequest::Role { role: role.clone(), name, policy };
                provisioner.sts().session(request).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match session {
            Ok(session) => reader = session,
            Err(error) => findings.push(PreflightFinding::new(PreflightSeverity::Missing, error)),
        }
    }
    // Listing the site needs no simulation: it is what planning does first.
    let owned = reader.with_owners(site.bucket_owners());
    if let Err(error) = S3::new(&owned).first_page(&site.target).await {
        findings.push(PreflightFinding::new(PreflightSeverity::Missing, error.to_string()));
    } else if site.owner.is_none() {
        let account = site.role.as_ref().map_or(caller.account.as_str(), RoleArn::account);
        findings.extend(owner(&reader, site, account).await);
    }
    let publisher = match &site.role {
        Some(role) => Some(role.as_str().to_owned()),
        None => provisioner.iam().principal_of(&caller.arn).await?,
    };
    match publisher {
        Some(arn) => {
            let account = site.role.as_ref().map_or(caller.account.as_str(), RoleArn::account);
            findings.extend(simulate(&provisioner, site, &arn, account).await?);
        }
        None => findings.push(PreflightFinding::new(
            PreflightSeverity::Note,
            format!(
                "the permissions of `{}` cannot be simulated, since it is not a user, or a role that may be read: allow `iam:GetRole`, or publish with a role",
                caller.arn
            ),
        )),
    }
    findings.extend(bucket_findings(site, &bucket_facts(connection, site).await));
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// The account of a bucket without a configured owner, if it is `account`: S3 answers only if the expectation is right.
async fn owner(reader: &Connection, site: &Site, account: &str) -> Option<PreflightFinding> {
    let account = AccountId::try_from(account.to_owned()).ok()?;
    let bucket = &site.target.bucket;
    let message = format!(
        "the bucket `{bucket}` belongs to {0}: set `owner = \"{0}\"`, so that a bucket of this name in another account is \
         refused",
        account.as_str()
    );
    let expecting = reader.with_owners(BucketOwners::of(bucket, account));
    S3::new(&expecting).first_page(&site.target).await.ok()?;
    Some(PreflightFinding::new(PreflightSeverity::Note, message))
}

async fn simulate(
    provisioner: &Provisioner,
    site: &Site,
    publisher: &str,
    account: &str,
) -> Result<Vec<PreflightFinding>, AwsError> {
    let mut answers = stream::iter(questions(site, account))
        .map(|question| async move {
            let iam = provisioner.iam();
            let result = iam.is_allowed(publisher, &question.action, &question.resource, &question.context).await;
            (question, result)
        })
        .buffered(CONCURRENCY);
    let mut findings = Vec::new();
    while let Some((question, result)) = answers.next().await {
        match result {
            Ok(allowed) => findings.extend(question.evaluate(publisher, allowed)),
            Err(error) if error.is_denied() => {
                let message = format!(
                    "access denied simulating `{publisher}`: the caller needs `iam:SimulatePrincipalPolicy` on it"
                );
                findings.push(PreflightFinding::new(PreflightSeverity::Note, message));
                break;
            }
            Err(error) if error.is_not_found() => {
                let message = format!("`{publisher}` does not exist: create it, or correct `role`");
                findings.push(PreflightFinding::new(PreflightSeverity::Missing, message));
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(findings)
}

/// Facts that the caller may read. Publishing does not need these permissions, so errors are ignored.
async fn bucket_facts(connection: &Connection, site: &Site) -> BucketFacts {
    let buckets = BucketClient::new(connection);
    let name = &site.target.bucket;
    let mut facts = BucketFacts {
        acls_enabled: buckets.acls_enabled(name).await.unwrap_or_default(),
        encryption: buckets.encryption(name).await.unwrap_or_default(),
        ..BucketFacts::default()
    };
    let cloudfront = CloudFront::new(connection);
    for cdn in &site.cdn {
        let settings = match cloudfront.settings(&cdn.distribution, name).await {
            Ok(settings) => settings,
            Err(error) => {
                tracing::info!(%error, "cannot read the configuration of a distribution");
                continue;
            }
        };
        if settings.uses_origin_access_identity {
            facts.identities.push(cdn.distribution.to_string());
        }
        if cdn.cache_tags.as_ref().is_some_and(|name| !settings.reads_tags(name)) {
            let distribution = cdn.distribution.to_string();
            facts.other_tag_headers.push(TagHeader { distribution, header: settings.tag_header });
        }
    }
    facts
}
