//! `tidegate policy`: prints, applies and lints IAM policies. The documents come from `tidegate_iam::policies`.

use serde_json::json;
use tidegate_core::config::{RoleArn, Site};
use tidegate_core::location::{Location, LocationError, Source};
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{
    PolicySpec, PolicyTargets, attach_policy, check_same_purpose, ensure_policy, ensure_provider, remove_policy,
};
use tidegate_iam::document::{DocumentKind, LintFinding, Partition, PolicyLimit, Purpose, lint, missing_actions};
use tidegate_iam::policies::{
    CiPublisher, Grant, GrantFormat, PolicyKind, S3Sync, SessionTags, TrustedIdentity, UploadPlace, caller, edge,
    execution, lambda, site, trust, upload_grant, uploader_guard,
};

use crate::apply_changes::{ChangeRun, warn_of_boundaries, warn_of_root};
use crate::arguments::{
    AttachArguments, Attachment, CiPublisherArguments, CommonArguments, NeedsFlag, PolicyCommand, PolicyFormat,
    PolicyOutputArguments, SyncPolicyArguments, TrustArguments, UploaderArguments,
};
use crate::ci::{ci, print_notes};
use crate::configuration::Configuration;
use crate::context::AwsContext;
use crate::credentials::read_text;
use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, RED_BOLD, YELLOW, json_line};

/// Where policies are printed or applied.
struct PolicyOutput<'a> {
    common: &'a CommonArguments,
    arguments: &'a PolicyOutputArguments,
    account: String,
    partition: Partition,
}

pub(crate) async fn policy(common: &CommonArguments, command: &PolicyCommand) -> Result<ExitStatus, CliError> {
    match command {
        PolicyCommand::Site { site: name, output, attach } => {
            let mut configuration = Configuration::load(&common.config)?;
            let output = PolicyOutput::of_sites(common, output, &[configuration.site(name)?]).await?;
            configuration.config.set_default_partition(&output.partition);
            let grant = site(configuration.site(name)?, &output.account, &[]);
            output.finish(vec![grant], attach).await
        }
        PolicyCommand::Caller { sites: names, session_tags, output, attach } => {
            let mut configuration = Configuration::load(&common.config)?;
            let output = PolicyOutput::of_sites(common, output, &sites(&configuration, names)?).await?;
            configuration.config.set_default_partition(&output.partition);
            let sites = sites(&configuration, names)?;
            let tags = if *session_tags { SessionTags::Transitive } else { SessionTags::None };
            let grant = caller(&sites, &output.account, tags);
            output.finish(vec![grant], attach).await
        }
        PolicyCommand::Edge { site: name, output, attach } => {
            let mut configuration = Configuration::load(&common.config)?;
            let output = PolicyOutput::of_sites(common, output, &[configuration.site(name)?]).await?;
            configuration.config.set_default_partition(&output.partition);
            let missing =
                || CliError::Usage(format!("the site `{name}` has no `[site.edge]`; add it to the configuration"));
            let grant = edge(configuration.site(name)?, &output.account).ok_or_else(missing)?;
            output.finish(vec![grant], attach).await
        }
        PolicyCommand::Lambda { function, output, attach } => {
            let mut configuration = Configuration::load(&common.config)?;
            let output = PolicyOutput::of_sites(common, output, &sites(&configuration, &[])?).await?;
            configuration.config.set_default_partition(&output.partition);
            let sites = sites(&configuration, &[])?;
            let mut settings = configuration.config.function.clone();
            settings.name = function.clone().unwrap_or(settings.name);
            let region = common.region.as_deref().unwrap_or("us-east-1");
            let grant = lambda(&sites, &output.account, region, &settings);
            output.finish(vec![grant], attach).await
        }
        PolicyCommand::Execution { sites: names, output, attach } => {
            let mut configuration = Configuration::load(&common.config)?;
            let output = PolicyOutput::of_sites(common, output, &sites(&configuration, names)?).await?;
            configuration.config.set_default_partition(&output.partition);
            let function = &configuration.config.function;
            if !function.engine.has_state_machine() {
                let message = "`engine` in `[function]` is `lambda`, so there is no state machine; set it to `auto` or `step-functions`";
                return Err(CliError::Usage(message.to_owned()));
            }
            let region = common.region.as_deref().unwrap_or("us-east-1");
            let grant = execution(&sites(&configuration, names)?, &output.account, region, function);
            output.finish(vec![grant], attach).await
        }
        PolicyCommand::Uploader(arguments) => upload(common, arguments).await,
        PolicyCommand::S3Sync { tool, output, attach } => {
            let output = PolicyOutput::open(common, output, tool.partition.as_ref()).await?;
            let grant = sync_grant(tool, &output.partition, &output.account);
            output.finish(vec![grant], attach).await
        }
        PolicyCommand::CiPublisher(arguments) => ci_publisher(common, arguments).await,
        PolicyCommand::Trust(arguments) => trust_policy(common, arguments).await,
        PolicyCommand::Ci(arguments) => ci(common, arguments).await,
        PolicyCommand::Lint { file, role, needs, aws } => {
            let status = lint_policy(common, &read_text("policy", file)?, *role, *needs);
            if *aws {
                let context = AwsContext::open(common).await?;
                let account = Provisioner::new(&context.connection);
                warn_of_root(common, &account, &account.sts().caller().await?).await?;
            }
            Ok(status)
        }
    }
}

/// The named sites, or all of them.
fn sites<'a>(configuration: &'a Configuration, names: &[String]) -> Result<Vec<&'a Site>, CliError> {
    if names.is_empty() {
        return Ok(configuration.config.sites.iter().collect());
    }
    names.iter().map(|name| configuration.site(name)).collect()
}

impl<'a> PolicyOutput<'a> {
    /// Takes the account and the partition of the caller, unless they are given. With `--account`, no request is sent, and
    /// the partition is that of the region.
    async fn open(
        common: &'a CommonArguments,
        arguments: &'a PolicyOutputArguments,
        partition: Option<&Partition>,
    ) -> Result<Self, CliError> {
        let (account, of_place) = match &arguments.account {
            Some(account) => (account.clone(), common.partition()),
            None => {
                let context = AwsContext::open(common).await?;
                let caller = Provisioner::new(&context.connection).sts().caller().await?;
                (caller.account, Partition::of(&caller.arn))
            }
        };
        Ok(Self { common, arguments, account, partition: partition.cloned().unwrap_or(of_place) })
    }

    /// Takes the account of the sites' roles unless `--account` is given, and their partition.
    async fn of_sites(
        common: &'a CommonArguments,
        arguments: &'a PolicyOutputArguments,
        sites: &[&Site],
    ) -> Result<Self, CliError> {
        let role = sites.iter().find_map(|site| site.role.as_ref());
        let partition = role.map(RoleArn::partition);
        match role.filter(|_| arguments.account.is_none()) {
            Some(role) => {
                Ok(Self { common, arguments, account: role.account().to_owned(), partition: role.partition() })
            }
            None => Self::open(common, arguments, partition.as_ref()).await,
        }
    }

    /// Prints the grants; with `--apply` or `--remove`, changes the account.
    async fn finish(&self, grants: Vec<Grant>, attach: &AttachArguments) -> Result<ExitStatus, CliError> {
        self.finish_trusting(grants, attach, None).await
    }

    /// The same; with `--apply`, the account first has the OIDC provider of the identity.
    async fn finish_trusting(
        &self,
        mut grants: Vec<Grant>,
        attach: &AttachArguments,
        identity: Option<&TrustedIdentity>,
    ) -> Result<ExitStatus, CliError> {
        let Self { common, arguments, .. } = self;
        if let (Some(name), Some(first)) = (&arguments.name, grants.first_mut()) {
            first.name.clone_from(name);
        }
        let targets = attach.targets();
        if arguments.apply || attach.remove {
            return self.change(&grants, &targets, attach.remove, identity).await;
        }
        if arguments.dry_run || (arguments.format == PolicyFormat::Json && !targets.is_empty()) {
            let message = "`--dry-run`, `--role`, `--user` and `--group` need `--apply` or `--remove`; a `--format` other than JSON also shows who has the policy";
            return Err(CliError::Usage(message.to_owned()));
        }
        let format = match arguments.format {
            PolicyFormat::Json => GrantFormat::Json,
            PolicyFormat::Terraform => GrantFormat::Terraform,
            PolicyFormat::Cloudformation => GrantFormat::CloudFormation,
        };
        out!("{}", format.write_attached(&grants, &targets).map_err(CliError::system)?);
        if format == GrantFormat::Json && !common.json {
            grants.iter().for_each(print_reasons);
        }
        Ok(ExitStatus::Success)
    }

    async fn change(
        &self,
        grants: &[Grant],
        targets: &PolicyTargets,
        remove: bool,
        identity: Option<&TrustedIdentity>,
    ) -> Result<ExitStatus, CliError> {
        let Self { common, arguments, account, partition } = self;
        let context = AwsContext::open(common).await?;
        let provisioner = Provisioner::new(&context.connection);
        if let Some((what, name)) = provisioner.iam().missing_target(targets).await? {
            let list = match what {
                "user" => "tidegate credentials list-users",
                "group" => "tidegate group list",
                _ => "tidegate credentials list-roles",
            };
            return Err(CliError::NotFound { what, name, list });
        }
        let mut changes = Vec::new();
        if let Some(identity) = identity {
            let found = provisioner.iam().provider_audiences(&identity.provider(partition, account)).await?;
            changes.extend(ensure_provider(identity, partition, account, found.as_deref()));
        }
        for grant in grants {
            let spec = PolicySpec { grant, partition, account };
            let found = provisioner.read_policy(spec).await?;
            let is_managed = grant.attached == PolicyKind::Policy;
            let attached = match (is_managed && (remove || !targets.is_empty()), &found.document) {
                (true, Some(_)) => provisioner.iam().attached_to(&spec.arn()).await?,
                _ => PolicyTargets::default(),
            };
            if remove {
                changes.extend(remove_policy(spec, &found, targets, &attached).map_err(CliError::system)?);
                continue;
            }
            check_same_purpose(spec, &found).map_err(CliError::usage)?;
            changes.extend(ensure_policy(spec, &found).map_err(CliError::system)?);
            if is_managed {
                changes.extend(attach_policy(&spec.arn(), targets, &attached));
            }
        }
        ChangeRun::new(common, arguments.dry_run).apply(&provisioner, &changes).await?;
        if !remove && grants.iter().any(|grant| grant.allows_service("cloudfront")) {
            warn_of_boundaries(&provisioner, &targets.users).await?;
        }
        Ok(ExitStatus::Success)
    }
}

impl AttachArguments {
    fn targets(&self) -> PolicyTargets {
        PolicyTargets { users: self.user.clone(), groups: self.group.clone(), roles: self.role.clone() }
    }
}

/// Prints the reason of each statement to standard error, so that the document on standard output stays JSON.
fn print_reasons(grant: &Grant) {
    errln!("{DIM}# {}{DIM:#}", grant.description);
    for statement in grant.document.statements().iter().filter(|statement| !statement.why().is_empty()) {
        errln!("{DIM}#   {}: {}{DIM:#}", statement.sid().unwrap_or("and"), statement.why());
    }
}

async fn upload(common: &CommonArguments, arguments: &UploaderArguments) -> Result<ExitStatus, CliError> {
    let (places, site_partition, key) = if arguments.place.starts_with("s3://") {
        let location: Location = arguments.place.parse().map_err(|error: LocationError| CliError::usage(error))?;
        let place = if arguments.replace { UploadPlace::Staged(location) } else { UploadPlace::Builds(location) };
        (vec![place], None, None)
    } else {
        let configuration = Configuration::load(&common.config)?;
        let site = configuration.site(&arguments.place)?;
        (upload_places(site, arguments)?, site.role.as_ref().map(RoleArn::partition), site.builds_kms_key.clone())
    };
    let partition = arguments.partition.clone().or(site_partition);
    let output = PolicyOutput::open(common, &arguments.output, partition.as_ref()).await?;
    let mut grants = vec![upload_grant(&output.partition, &places, key.as_ref())];
    if arguments.create_only || arguments.attach.remove {
        grants.extend(places.iter().filter_map(|place| match place {
            UploadPlace::Builds(location) => Some(uploader_guard(&output.partition, location)),
            UploadPlace::Staged(_) | UploadPlace::Zip(_) => None,
        }));
    }
    output.finish(grants, &arguments.attach).await
}

/// Where builds of a site are uploaded.
fn upload_places(site: &Site, arguments: &UploaderArguments) -> Result<Vec<UploadPlace>, CliError> {
    let name = &site.name;
    if arguments.replace {
        let message = "`--replace` is for `s3://bucket/prefix/`; the configuration says what a site's builds replace";
        return Err(CliError::Usage(message.to_owned()));
    }
    if arguments.create_only && site.builds.is_none() {
        return Err(CliError::Usage(format!(
            "`--create-only` is for `builds`; each build replaces `staged` of the site `{name}`"
        )));
    }
    let mut places: Vec<UploadPlace> = site.builds.iter().cloned().map(UploadPlace::Builds).collect();
    match &site.staged {
        Some(Source::Prefix(location)) => places.push(UploadPlace::Staged(location.clone())),
        Some(Source::Object(object)) => places.push(UploadPlace::Zip(object.clone())),
        _ => {}
    }
    if places.is_empty() {
        return Err(CliError::Usage(format!(
            "the site `{name}` has neither `builds` nor a `staged` place in S3; give `s3://bucket/prefix/` instead of the site"
        )));
    }
    Ok(places)
}

/// The policy of a tool that syncs a prefix with a directory.
pub(crate) fn sync_grant(tool: &SyncPolicyArguments, partition: &Partition, account: &str) -> Grant {
    let sync = S3Sync {
        partition: partition.clone(),
        account: account.to_owned(),
        target: tool.target.clone(),
        distributions: tool.distribution.clone(),
        delete: !tool.no_delete,
        acl: tool.acl,
        find_distribution: tool.find_distribution,
        configure_bucket: tool.configure_bucket,
    };
    sync.grant()
}

async fn ci_publisher(common: &CommonArguments, arguments: &CiPublisherArguments) -> Result<ExitStatus, CliError> {
    let Some(region) = &common.region else {
        let message = "no region of bucket, registry and packages; name it with `--region`";
        return Err(CliError::Usage(message.to_owned()));
    };
    let output = PolicyOutput::open(common, &arguments.output, arguments.partition.as_ref()).await?;
    let publisher = CiPublisher {
        partition: output.partition.clone(),
        account: output.account.clone(),
        region: region.clone(),
        bucket: arguments.bucket.clone(),
        prefix: arguments.prefix.clone(),
        dev_prefix: arguments.dev_prefix.clone(),
        codeartifact_domain: arguments.codeartifact_domain.clone(),
        allow_delete: !arguments.no_delete,
        dev: arguments.dev,
        path: arguments.path.clone(),
        name: if arguments.dev { "publisher-dev" } else { "publisher" }.to_owned(),
    };
    let publisher = CiPublisher { name: arguments.output.name.clone().unwrap_or(publisher.name), ..publisher };
    let PolicyOutputArguments { format, apply, dry_run, .. } = &arguments.output;
    if *format == PolicyFormat::Terraform && !apply && !dry_run && !arguments.attach.remove {
        out!("{}", publisher.terraform(&arguments.attach.targets()).map_err(CliError::usage)?);
        return Ok(ExitStatus::Success);
    }
    output.finish(vec![publisher.grant().map_err(CliError::usage)?], &arguments.attach).await
}

async fn trust_policy(common: &CommonArguments, arguments: &TrustArguments) -> Result<ExitStatus, CliError> {
    let output = PolicyOutput::open(common, &arguments.output, arguments.partition.as_ref()).await?;
    let identity = arguments.jobs.identity(arguments.github.as_ref(), arguments.gitlab.as_deref());
    let grant = trust(&output.partition, &output.account, &identity).map_err(CliError::usage)?;
    let grant = Grant { path: arguments.path.clone(), ..grant };
    let status = output.finish_trusting(vec![grant], &AttachArguments::default(), Some(&identity)).await?;
    if !common.json {
        print_notes(&identity);
    }
    Ok(status)
}

fn lint_policy(common: &CommonArguments, text: &str, role: Attachment, needs: Option<NeedsFlag>) -> ExitStatus {
    let (role, limit) = match role {
        Attachment::Identity => (DocumentKind::Identity, PolicyLimit::Managed),
        Attachment::Session => (DocumentKind::Session, PolicyLimit::Session),
        Attachment::Trust => (DocumentKind::Trust, PolicyLimit::Trust),
        Attachment::Bucket => (DocumentKind::Bucket, PolicyLimit::Bucket),
    };
    let purpose = needs.map(|needs| match needs {
        NeedsFlag::Sync => Purpose::Sync,
        NeedsFlag::Upload => Purpose::Upload,
        NeedsFlag::Invalidate => Purpose::Invalidate,
    });
    let mut findings = lint(text, role, limit);
    findings.extend(purpose.into_iter().flat_map(|purpose| missing_actions(text, purpose)));
    if common.json {
        outln!("{}", json_line(&json!({ "findings": findings })));
    } else if findings.is_empty() {
        outln!("no findings");
    } else {
        findings.iter().for_each(print_finding);
    }
    if findings.iter().any(|finding| finding.error) { ExitStatus::Usage } else { ExitStatus::Success }
}

fn print_finding(finding: &LintFinding) {
    let place = if finding.pointer.is_empty() { "document" } else { &finding.pointer };
    if finding.error {
        outln!("{RED_BOLD}error{RED_BOLD:#}    {place}: {}", finding.message);
    } else if finding.note {
        outln!("{DIM}note{DIM:#}     {place}: {}", finding.message);
    } else {
        outln!("{YELLOW}warning{YELLOW:#}  {place}: {}", finding.message);
    }
}
