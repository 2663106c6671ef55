//! What publishing a site needs: of the role that publishes it, of whoever runs Tidegate, and of the function that does.
//!
//! Owns the two halves of the design: a execution role that reads, keeps state and assumes, and one role a site that writes.

use std::collections::BTreeSet;

use tidegate_core::arn::object_arn;
use tidegate_core::config::{PluginReference, SecretReference, Site, Webhook};
use tidegate_core::location::Source;
use tidegate_core::release::bodies;

use super::Grant;
use crate::document::{Partition, PolicyDocument, Statement, bucket_arn, distribution_arn, objects_arn};

/// What a staged source is read with.
fn staged(partition: &Partition, source: &Source) -> Option<(Option<Statement>, String)> {
    match source {
        Source::Prefix(place) => Some((Some(Statement::list(partition, place)), objects_arn(partition, place))),
        Source::Object(object) => Some((None, object_arn(partition, object))),
        Source::Directory(_) | Source::Archive(_) | Source::Release(_) => None,
    }
}

/// The statements that writing a site can need, whatever a plan says. `more` are sources beside the configured one.
fn writing(site: &Site, account: &str, more: &[&Source]) -> Vec<Statement> {
    let partition = site.partition();
    let mut statements = vec![
        Statement::list(&partition, &site.target)
            .because("ListSite", "to see what the site holds, and nothing beside it"),
    ];
    let mut actions =
        vec!["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObjectTagging", "s3:PutObjectTagging"];
    // Without `delete`, what earlier releases kept on the site is still removed once nothing names it.
    if site.delete || site.state.is_some() {
        actions.push("s3:DeleteObject");
    }
    if site.objects.acl.is_some() {
        actions.push("s3:PutObjectAcl");
    }
    statements.push(
        Statement::allow(actions, [objects_arn(&partition, &site.target)])
            .because("WriteSite", "to compare, write, change headers of and remove the site's own objects"),
    );
    let sources = more.iter().copied().chain(site.staged.as_ref());
    let mut copied: Vec<String> =
        sources.filter_map(|source| staged(&partition, source)).map(|(_, objects)| objects).collect();
    copied.extend(site.builds.as_ref().map(|builds| objects_arn(&partition, builds)));
    if !copied.is_empty() {
        statements
            .push(Statement::allow(["s3:GetObject"], copied).because("CopyStaged", "to copy staged objects within S3"));
    }
    if let Some(bodies) = site.state.as_ref().and_then(bodies) {
        statements.push(
            Statement::allow(
                ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
                [objects_arn(&partition, &bodies)],
            )
            .because("SetBodiesAside", "to keep what is replaced, so that an earlier release can come back"),
        );
    }
    statements.extend(
        Statement::keys(&["kms:Decrypt", "kms:GenerateDataKey"], &site.objects)
            .map(|statement| statement.because("UseKey", "to read and write objects under the site's KMS key")),
    );
    if !site.cdn.is_empty() {
        let arns = site.cdn.iter().map(|cdn| distribution_arn(&partition, account, cdn.distribution.as_str()));
        let actions = ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations"];
        statements.push(
            Statement::allow(actions, arns)
                .because("Invalidate", "to tell the site's distributions, and to count what is in progress there"),
        );
    }
    let mut tagged = site.cdn.iter().filter(|cdn| cdn.cache_tags.is_some()).peekable();
    if tagged.peek().is_some() {
        let arns = tagged.map(|cdn| distribution_arn(&partition, account, cdn.distribution.as_str()));
        statements.push(
            Statement::allow(["cloudfront:GetDistributionConfig"], arns)
                .because("AskForTags", "to see whether a distribution reads cache tags before it is told any"),
        );
    }
    statements
}

/// The publisher role of one site, which a run narrows further to its plan. `more` are sources beside the configured one.
#[must_use]
pub fn site(site: &Site, account: &str, more: &[&Source]) -> Grant {
    let name = format!("tidegate-site-{}", site.name);
    Grant::policy(
        &name,
        "What publishing one site can need, attached to its publisher role",
        PolicyDocument::new(writing(site, account, more)),
    )
}

fn execution_role(sites: &[&Site], account: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let (mut listed, mut read, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    let (mut kept, mut buckets) = (Vec::new(), Vec::new());
    for site in sites {
        let partition = site.partition();
        if let Some((list, objects)) = site.staged.as_ref().and_then(|source| staged(&partition, source)) {
            listed.extend(list);
            read.push(objects);
        }
        if let Some(builds) = &site.builds {
            listed.push(Statement::list(&partition, builds));
            read.push(objects_arn(&partition, builds));
        }
        if let Some(state) = site.state_root() {
            kept.push(objects_arn(&partition, &state));
            buckets.push((bucket_arn(&partition, &state.bucket), format!("{}*", state.prefix)));
        }
        roles.extend(site.role.as_ref().map(|role| role.as_str().to_owned()));
        if site.role.is_none() {
            statements.extend(writing(site, account, &[]));
        }
    }
    for list in [&mut read, &mut roles, &mut kept] {
        list.sort();
        list.dedup();
    }
    buckets.sort();
    buckets.dedup();
    statements.extend(listed.into_iter().map(|list| list.because("ListStaged", "to see what builds staged")));
    if !read.is_empty() {
        statements.push(Statement::allow(["s3:GetObject"], read).because("ReadStaged", "to read what builds staged"));
    }
    for (bucket, prefix) in buckets {
        let statement = Statement::allow(["s3:ListBucket"], [bucket]);
        let statement = if prefix == "*" { statement } else { statement.when("StringLike", "s3:prefix", [prefix]) };
        statements.push(statement.because("ListState", "to find releases, and what runs that died left"));
    }
    if !kept.is_empty() {
        let actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"];
        statements.push(Statement::allow(actions, kept).because("KeepState", "to keep releases, leases and manifests"));
    }
    if !roles.is_empty() {
        statements.push(
            Statement::allow(["sts:AssumeRole"], roles)
                .because("AssumePublishers", "to become the publisher of one site, narrowed to one plan"),
        );
    }
    statements
}

/// Plugins kept in S3. The function has no use for them: their code is in its package.
fn plugins(sites: &[&Site]) -> Option<Statement> {
    let mut read = BTreeSet::new();
    for site in sites {
        for used in site.sync.iter().chain(&site.policy) {
            if let PluginReference::Object(object) = &used.plugin {
                read.insert(object_arn(&site.partition(), object));
            }
        }
    }
    (!read.is_empty())
        .then(|| Statement::allow(["s3:GetObject"], read).because("ReadPlugins", "to read plugins kept in S3"))
}

/// Whoever runs Tidegate for these sites: a person, a CI job.
#[must_use]
pub fn caller(sites: &[&Site], account: &str) -> Grant {
    let statements = execution_role(sites, account).into_iter().chain(plugins(sites)).collect();
    Grant::policy(
        "tidegate-caller",
        "What whoever runs tidegate needs: to read what is staged, keep state and assume publisher roles",
        PolicyDocument::new(statements),
    )
}

/// The queue that a function's events end in which failed for good.
#[must_use]
pub fn dead_letters(function: &str) -> String {
    format!("{function}-dead-letters")
}

/// The function's execution role. `function` is its name; `region` where it runs.
#[must_use]
pub fn lambda(sites: &[&Site], account: &str, region: &str, function: &str) -> Grant {
    let partition = sites.first().map(|site| site.partition()).unwrap_or_default();
    let mut statements = execution_role(sites, account);
    let logs = format!("arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/{function}:*");
    statements.push(
        Statement::allow(["logs:CreateLogStream", "logs:PutLogEvents"], [logs])
            .because("WriteLogs", "to write its own log"),
    );
    let itself = format!("arn:{partition}:lambda:{region}:{account}:function:{function}");
    statements.push(Statement::allow(["lambda:InvokeFunction"], [itself.clone(), format!("{itself}:*")]).because(
        "HandOn",
        "to hand a run on to another invocation of itself: a webhook is answered at once, and time may be short",
    ));
    let queue = format!("arn:{partition}:sqs:{region}:{account}:{}", dead_letters(function));
    statements.push(
        Statement::allow(["sqs:SendMessage"], [queue])
            .because("KeepDeadLetters", "to keep events that failed for good, which Lambda does in the role's name"),
    );
    let webhooks = sites.iter().flat_map(|site| &site.webhooks);
    statements.extend(secrets(webhooks, &partition, region, account));
    Grant::policy(
        &format!("{function}-execution"),
        "The execution role of the function: it reads, keeps state and assumes publisher roles; it cannot write a site",
        PolicyDocument::new(statements),
    )
}

/// Reading the secrets of webhooks and the tokens for GitHub, each by its own name.
fn secrets<'a>(
    webhooks: impl Iterator<Item = &'a Webhook>,
    partition: &Partition,
    region: &str,
    account: &str,
) -> Vec<Statement> {
    let (mut kept, mut parameters) = (BTreeSet::new(), BTreeSet::new());
    for reference in webhooks.flat_map(Webhook::references) {
        match reference {
            SecretReference::SecretsManager { id, .. } if id.starts_with("arn:") => drop(kept.insert(id.clone())),
            // Secrets Manager adds six characters of its own to a name.
            SecretReference::SecretsManager { id, .. } => {
                kept.insert(format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{id}-??????"));
            }
            SecretReference::Parameter(name) => {
                parameters.insert(format!("arn:{partition}:ssm:{region}:{account}:parameter{name}"));
            }
        }
    }
    let mut statements = Vec::new();
    if !kept.is_empty() {
        statements.push(Statement::allow(["secretsmanager:GetSecretValue"], kept).because(
            "ReadSecrets",
            "to verify who sent a webhook and to ask GitHub, by the secrets that the configuration names",
        ));
    }
    if !parameters.is_empty() {
        statements.push(Statement::allow(["ssm:GetParameter"], parameters).because(
            "ReadParameters",
            "to verify who sent a webhook and to ask GitHub, by the parameters that the configuration names",
        ));
    }
    statements
}
