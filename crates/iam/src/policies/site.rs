//! Permissions for publishing sites: an execution role or caller that reads builds, keeps state and assumes publisher roles,
//! and one publisher role for each site, which writes it.

use std::collections::BTreeSet;

use tidegate_core::arn::object_arn;
use tidegate_core::config::{FunctionConfig, PluginReference, SecretReference, SignatureReference, Site, Webhook};
use tidegate_core::iam_name::{MAX_POLICY_NAME, fitted};
use tidegate_core::location::{Bucket, Source};
use tidegate_core::policy_document::STORE_ACTIONS;
use tidegate_core::release::bodies;

use super::Grant;
use super::queue::receive_messages;
use super::state_machine::StateMachinePlace;
use crate::document::{Partition, PolicyDocument, Statement, bucket_arn, distribution_arn, objects_arn};
use crate::stack::PACKAGES;

/// What the names of publisher policies begin with.
const SITE_POLICY_PREFIX: &str = "tidegate-site-";

/// Whether the session of a caller has tags that it passes on to the sessions of roles that it assumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionTags {
    /// It has none.
    None,
    /// It has some. Assuming a role then needs `sts:TagSession`, too. Source: IAM user guide, "Pass session tags in AWS
    /// STS", chaining roles with session tags.
    Transitive,
}

impl SessionTags {
    fn actions(self) -> &'static [&'static str] {
        match self {
            Self::None => &["sts:AssumeRole"],
            Self::Transitive => &["sts:AssumeRole", "sts:TagSession"],
        }
    }
}

/// The objects that `builds_kms_key` of a site is for, with their buckets.
fn keyed_builds(partition: &Partition, site: &Site) -> Vec<(Bucket, String)> {
    let builds = site.builds.as_ref().map(|place| (place.bucket.clone(), objects_arn(partition, place)));
    let staged = match &site.staged {
        Some(Source::Prefix(place)) => Some((place.bucket.clone(), objects_arn(partition, place))),
        Some(Source::Object(object)) => Some((object.bucket.clone(), object_arn(partition, object))),
        _ => None,
    };
    builds.into_iter().chain(staged).collect()
}

/// Reading builds that are encrypted with the key of the configuration.
fn read_builds_key(partition: &Partition, site: &Site) -> Option<Statement> {
    let (key, objects) = (site.builds_kms_key.as_ref()?, keyed_builds(partition, site));
    (!objects.is_empty()).then(|| {
        Statement::key_of_objects(partition, &["kms:Decrypt"], key, objects)
            .because("UseBuildsKey", "to read builds encrypted with KMS, and nothing else with that key")
    })
}

/// Access to a source in S3.
struct SourceAccess {
    /// Listing it, where it is a prefix.
    list: Option<Statement>,
    /// ARN of its objects.
    objects: String,
}

fn source_access(partition: &Partition, source: &Source) -> Option<SourceAccess> {
    match source {
        Source::Prefix(location) => Some(SourceAccess {
            list: Some(Statement::list(partition, location)),
            objects: objects_arn(partition, location),
        }),
        Source::Object(object) => Some(SourceAccess { list: None, objects: object_arn(partition, object) }),
        Source::Directory(_) | Source::Archive(_) | Source::Release(_) => None,
    }
}

/// The statements that any plan of a site can need. `sources` are sources other than the configured one.
fn writing(site: &Site, account: &str, sources: &[&Source]) -> Vec<Statement> {
    let partition = site.partition();
    let mut statements = vec![Statement::list(&partition, &site.target).because("ListSite", "to list the site")];
    let mut actions =
        vec!["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObjectTagging", "s3:PutObjectTagging"];
    // Even without `delete`, assets of old releases are pruned from the site.
    if site.delete || site.state.is_some() {
        actions.push("s3:DeleteObject");
    }
    if site.objects.acl.is_some() {
        actions.push("s3:PutObjectAcl");
    }
    statements.push(
        Statement::allow(actions, [objects_arn(&partition, &site.target)])
            .because("WriteSite", "to compare, write, update and delete the objects of the site"),
    );
    let sources = sources.iter().copied().chain(site.staged.as_ref());
    let mut copied: Vec<String> =
        sources.filter_map(|source| source_access(&partition, source)).map(|access| access.objects).collect();
    copied.extend(site.builds.as_ref().map(|builds| objects_arn(&partition, builds)));
    if !copied.is_empty() {
        statements
            .push(Statement::allow(["s3:GetObject"], copied).because("CopyStaged", "to copy staged objects within S3"));
    }
    statements.extend(read_builds_key(&partition, site));
    if let Some(bodies) = site.state.as_ref().and_then(bodies) {
        statements.extend(site.state_kms_key.as_ref().map(|key| {
            let objects = (bodies.bucket.clone(), objects_arn(&partition, &bodies));
            Statement::key_of_objects(&partition, &["kms:Decrypt", "kms:GenerateDataKey"], key, [objects])
                .because("UseArchiveKey", "to archive and restore objects encrypted with KMS")
        }));
        statements.push(
            Statement::allow(
                ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
                [objects_arn(&partition, &bodies)],
            )
            .because("ArchiveBodies", "to archive replaced objects for rollbacks"),
        );
    }
    statements.extend(
        Statement::keys(&partition, &["kms:Decrypt", "kms:GenerateDataKey"], &site.objects)
            .map(|statement| statement.because("UseKey", "to read and write objects encrypted with KMS")),
    );
    if !site.cdn.is_empty() {
        let arns = site.cdn.iter().map(|cdn| distribution_arn(&partition, account, cdn.distribution.as_str()));
        let actions = ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations"];
        statements.push(
            Statement::allow(actions, arns).because(
                "Invalidate",
                "to invalidate the site's distributions, and to count invalidations in progress",
            ),
        );
    }
    let mut tagged = site.cdn.iter().filter(|cdn| cdn.cache_tags.is_some()).peekable();
    if tagged.peek().is_some() {
        let arns = tagged.map(|cdn| distribution_arn(&partition, account, cdn.distribution.as_str()));
        statements.push(
            Statement::allow(["cloudfront:GetDistributionConfig"], arns)
                .because("ReadCacheTagConfig", "to check whether a distribution supports cache tags"),
        );
    }
    if let Some(store) = site.edge.as_ref().and_then(|edge| edge.store.as_ref()) {
        statements.push(
            Statement::allow(STORE_ACTIONS, [store.as_str().to_owned()])
                .because("SwitchEdge", "to switch the edge of the site to a release"),
        );
    }
    statements
}

/// The publisher role of a site. A run narrows it to its plan by a session policy. `sources` are sources other than the
/// configured one.
#[must_use]
pub fn site(site: &Site, account: &str, sources: &[&Source]) -> Grant {
    let name = format!("{SITE_POLICY_PREFIX}{}", site.name);
    Grant::policy(&name, "Lets a publisher role publish one site", PolicyDocument::new(writing(site, account, sources)))
}

/// What the execution role and a caller have in common.
fn publishing(sites: &[&Site], account: &str, tags: SessionTags) -> Vec<Statement> {
    let mut statements = Vec::new();
    let (mut lists, mut staged, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    let (mut states, mut state_buckets) = (Vec::new(), Vec::new());
    for site in sites {
        let partition = site.partition();
        if let Some(access) = site.staged.as_ref().and_then(|source| source_access(&partition, source)) {
            lists.extend(access.list);
            staged.push(access.objects);
        }
        if let Some(builds) = &site.builds {
            lists.push(Statement::list(&partition, builds));
            staged.push(objects_arn(&partition, builds));
        }
        if let Some(state) = site.state_root() {
            states.push(objects_arn(&partition, &state));
            state_buckets.push((bucket_arn(&partition, &state.bucket), format!("{}*", state.prefix)));
        }
        roles.extend(site.role.as_ref().map(|role| role.as_str().to_owned()));
        if site.role.is_none() {
            statements.extend(writing(site, account, &[]));
        }
    }
    for arns in [&mut staged, &mut roles, &mut states] {
        arns.sort();
        arns.dedup();
    }
    state_buckets.sort();
    state_buckets.dedup();
    statements.extend(lists.into_iter().map(|list| list.because("ListStaged", "to list staged builds")));
    if !staged.is_empty() {
        statements.push(Statement::allow(["s3:GetObject"], staged).because("ReadStaged", "to read staged builds"));
    }
    for (bucket, prefix) in state_buckets {
        let statement = Statement::allow(["s3:ListBucket"], [bucket]);
        let statement = if prefix == "*" { statement } else { statement.when("StringLike", "s3:prefix", [prefix]) };
        statements.push(statement.because("ListState", "to find releases and unfinished runs"));
    }
    if !states.is_empty() {
        let actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"];
        let packages: Vec<String> =
            states.iter().map(|objects| format!("{}{PACKAGES}*", objects.trim_end_matches('*'))).collect();
        statements
            .push(Statement::allow(actions, states).because("WriteState", "to store releases, leases and manifests"));
        statements.push(
            Statement::deny(["s3:PutObject", "s3:DeleteObject"], packages)
                .because("KeepPackages", "to run no code that the function itself has written"),
        );
    }
    if sites.iter().any(|site| site.credential_choice().scopes()) {
        // The documentation does not say whether a permission is needed, nor on which resource.
        statements.push(
            Statement::allow(["sts:GetScopedCredentials"], ["*".to_owned()])
                .because("ScopeCredentials", "to limit its own credentials to one plan"),
        );
    }
    for site in sites {
        let partition = site.partition();
        let state = site.state_root().map(|state| (state.bucket.clone(), objects_arn(&partition, &state)));
        let state = site.state_kms_key.as_ref().zip(state).map(|(key, state)| {
            Statement::key_of_objects(&partition, &["kms:Decrypt", "kms:GenerateDataKey"], key, [state])
                .because("UseStateKey", "to store releases encrypted with KMS, and nothing else with that key")
        });
        for statement in read_builds_key(&partition, site).into_iter().chain(state) {
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
    }
    if !roles.is_empty() {
        statements.push(
            Statement::allow(tags.actions().iter().copied(), roles)
                .because("AssumePublishers", "to publish a site, in sessions limited to one plan"),
        );
    }
    statements
}

/// Reading plugins from S3. The function does not need it: plugins are part of its package.
fn plugins(sites: &[&Site]) -> Option<Statement> {
    let mut objects = BTreeSet::new();
    for site in sites {
        for used in site.sync.iter().chain(&site.policy) {
            if let PluginReference::Object(object) = &used.plugin {
                objects.insert(object_arn(&site.partition(), object));
            }
            if let (true, SignatureReference::Object(bucket, key)) = (used.may_be_signed(), used.signature()) {
                objects.insert(format!("arn:{}:s3:::{bucket}/{key}", site.partition()));
            }
        }
    }
    (!objects.is_empty())
        .then(|| Statement::allow(["s3:GetObject"], objects).because("ReadPlugins", "to read plugins in S3"))
}

/// A person or CI job that runs Tidegate for these sites, which are part of the policy's name.
#[must_use]
pub fn caller(sites: &[&Site], account: &str, tags: SessionTags) -> Grant {
    let statements = publishing(sites, account, tags).into_iter().chain(plugins(sites)).collect();
    let names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
    Grant::policy(
        &fitted(&format!("tidegate-caller-{}", names.join(",")), MAX_POLICY_NAME),
        "Lets a person or CI job run tidegate: read staged builds, store state and assume publisher roles",
        PolicyDocument::new(statements),
    )
}

/// The name of a function's dead-letter queue, for events that failed after all retries.
#[must_use]
pub fn dead_letters(function: &str) -> String {
    format!("{function}-dead-letters")
}

/// The execution role of a function in this region.
#[must_use]
pub fn lambda(sites: &[&Site], account: &str, region: &str, config: &FunctionConfig) -> Grant {
    let function = config.name.as_str();
    let partition = sites.first().map(|site| site.partition()).unwrap_or_default();
    let mut statements = publishing(sites, account, SessionTags::None);
    let logs = format!("arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/{function}:*");
    statements.push(
        Statement::allow(["logs:CreateLogStream", "logs:PutLogEvents"], [logs])
            .because("WriteLogs", "to write its log"),
    );
    let arn = format!("arn:{partition}:lambda:{region}:{account}:function:{function}");
    statements.push(Statement::allow(["lambda:InvokeFunction"], [arn.clone(), format!("{arn}:*")]).because(
        "InvokeItself",
        "to continue a run in another invocation: after it answered a webhook, or before its timeout",
    ));
    let queue = format!("arn:{partition}:sqs:{region}:{account}:{}", dead_letters(function));
    statements.push(
        Statement::allow(["sqs:SendMessage"], [queue])
            .because("SendDeadLetters", "to let Lambda send events that failed after all retries"),
    );
    let webhooks = sites.iter().flat_map(|site| &site.webhooks);
    statements.extend(secrets(webhooks, &partition, region, account));
    if config.engine.has_state_machine() {
        let name = &config.state_machine();
        let place = StateMachinePlace { partition: &partition, region, account, name };
        statements.extend(place.started_by_the_function());
    }
    statements.extend(receive_messages(&config.queues));
    Grant::policy(
        &format!("{function}-execution"),
        "Execution role of the function: reads builds, stores state and assumes publisher roles; it cannot write a site",
        PolicyDocument::new(statements),
    )
}

/// Reading the secrets of webhooks and the tokens for GitHub.
fn secrets<'a>(
    webhooks: impl Iterator<Item = &'a Webhook>,
    partition: &Partition,
    region: &str,
    account: &str,
) -> Vec<Statement> {
    let (mut secrets, mut parameters) = (BTreeSet::new(), BTreeSet::new());
    for reference in webhooks.flat_map(Webhook::references) {
        match reference {
            SecretReference::SecretsManager { id, .. } if id.starts_with("arn:") => drop(secrets.insert(id.clone())),
            // Secrets Manager appends a hyphen and six random characters to the name.
            SecretReference::SecretsManager { id, .. } => {
                secrets.insert(format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{id}-??????"));
            }
            SecretReference::Parameter(name) => {
                parameters.insert(format!("arn:{partition}:ssm:{region}:{account}:parameter{name}"));
            }
        }
    }
    let mut statements = Vec::new();
    if !secrets.is_empty() {
        statements.push(
            Statement::allow(["secretsmanager:GetSecretValue"], secrets)
                .because("ReadSecrets", "to read the configured secrets, for webhook signatures and GitHub"),
        );
    }
    if !parameters.is_empty() {
        statements.push(
            Statement::allow(["ssm:GetParameter"], parameters)
                .because("ReadParameters", "to read the configured parameters, for webhook signatures and GitHub"),
        );
    }
    statements
}
