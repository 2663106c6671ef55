//! Asking AWS about a site before anything is uploaded: whether its role can be assumed, what it may do, and whether its
//! bucket takes what the configuration says.
//!
//! Owns asking. What is asked and what an answer means is `crate::audit`'s to say. Changes nothing.

use futures::stream::{self, StreamExt};
use tidegate_core::config::Site;
use tidegate_publish::cloudfront::CloudFront;
use tidegate_publish::s3::S3;
use tidegate_publish::{AwsError, Connection};

use crate::apply::Provisioner;
use crate::client::{BucketClient, SimulationRequest, SimulationResult};
use crate::document::PolicyDocument;
use crate::preflight::{BucketFacts, PreflightFinding, PreflightSeverity, bucket, questions};

/// Questions at a time: IAM is slower than it is patient.
const AT_A_TIME: usize = 4;

/// Everything that AWS says against publishing a site, or against how it is allowed. Nothing found is an empty list.
///
/// # Errors
/// [`AwsError`], where AWS does not answer at all.
pub async fn check(connection: &Connection, site: &Site) -> Result<Vec<PreflightFinding>, AwsError> {
    let account = Provisioner::new(connection);
    let caller = account.sts().caller().await?;
    let mut found = Vec::new();
    let publisher = match &site.role {
        Some(role) => Some(role.as_str().to_owned()),
        None => simulated(&caller.arn),
    };
    let mut looking = connection.clone();
    if let Some(role) = &site.role {
        let reads = PolicyDocument::planning(&role.partition(), &site.target, &site.objects).session(&site.target);
        match reads {
            Err(error) => found.push(PreflightFinding::new(PreflightSeverity::Missing, error.to_string())),
            Ok(policy) => {
                let name = format!("tidegate-check-{}", site.name);
                match account.sts().session(connection, role, &name, &policy).await {
                    Ok(session) => looking = session,
                    Err(error) => found.push(PreflightFinding::new(PreflightSeverity::Missing, error.to_string())),
                }
            }
        }
    }
    // Reading the site is what planning does first; it needs no simulation.
    if let Err(error) = S3::new(&looking).page(&site.target, None).await {
        found.push(PreflightFinding::new(PreflightSeverity::Missing, error.to_string()));
    }
    match publisher {
        Some(arn) => found.extend(simulate(&account, site, &arn).await?),
        None => found.push(PreflightFinding::new(
            PreflightSeverity::Note,
            format!(
                "what `{}` may do is not simulated: it is no user and no role; make one for publishing",
                caller.arn
            ),
        )),
    }
    found.extend(bucket(site, &facts(connection, site).await));
    found.sort();
    found.dedup();
    Ok(found)
}

/// The user or role whose policies count for a caller; nothing where nobody's do.
fn simulated(arn: &str) -> Option<String> {
    // arn:aws:sts::123456789012:assumed-role/NAME/SESSION
    if let Some((head, rest)) = arn.split_once(":assumed-role/") {
        let name = rest.split('/').next()?;
        return Some(format!("{}:role/{name}", head.replacen(":sts:", ":iam:", 1)));
    }
    arn.contains(":user/").then(|| arn.to_owned())
}

async fn simulate(account: &Provisioner, site: &Site, publisher: &str) -> Result<Vec<PreflightFinding>, AwsError> {
    let number = publisher.split(':').nth(4).unwrap_or_default();
    let mut answers = stream::iter(questions(site, number))
        .map(|question| async move {
            let asked = SimulationRequest {
                action: question.action.clone(),
                resource: question.resource.clone(),
                context: question.context.clone(),
            };
            let decided = account.iam().simulate(publisher, &asked).await;
            (question, decided)
        })
        .buffered(AT_A_TIME);
    let mut found = Vec::new();
    while let Some((question, decided)) = answers.next().await {
        match decided {
            Ok(decided) => found.extend(question.evaluate(publisher, decided == SimulationResult::Allowed)),
            Err(error) if error.is_denied() => {
                let told = format!(
                    "what `{publisher}` may do could not be simulated: allow `iam:SimulatePrincipalPolicy` on it to whoever checks"
                );
                found.push(PreflightFinding::new(PreflightSeverity::Note, told));
                break;
            }
            Err(error) if error.is_not_found() => {
                found.push(PreflightFinding::new(
                    PreflightSeverity::Missing,
                    format!("there is no `{publisher}`: make it, or correct `role`"),
                ));
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// What can be found out: whoever publishes need not be allowed to look at any of it.
async fn facts(connection: &Connection, site: &Site) -> BucketFacts {
    let buckets = BucketClient::new(connection);
    let name = &site.target.bucket;
    let mut facts = BucketFacts {
        acls_enabled: buckets.acls_enabled(name).await.unwrap_or_default(),
        encryption: buckets.encryption(name).await.unwrap_or_default(),
        identities: Vec::new(),
        other_tags: Vec::new(),
    };
    let cloudfront = CloudFront::new(connection);
    for cdn in &site.cdn {
        let setup = match cloudfront.setup(&cdn.distribution, name).await {
            Ok(setup) => setup,
            Err(error) => {
                tracing::info!(%error, "how a distribution is set up could not be found out");
                continue;
            }
        };
        if setup.by_identity {
            facts.identities.push(cdn.distribution.to_string());
        }
        if cdn.cache_tags.as_ref().is_some_and(|name| !setup.reads_tags(name)) {
            facts.other_tags.push((cdn.distribution.to_string(), setup.tags));
        }
    }
    facts
}
