//! `tidegate policy`: prints, applies and lints IAM policies. The documents come from `tidegate_iam::policies`.

use serde_json::json;
use tidegate_core::config::Site;
use tidegate_core::location::{Location, LocationError, Source};
use tidegate_core::sanitize::sanitize;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{PolicySpec, ensure_policy, ensure_provider};
use tidegate_iam::document::{DocumentKind, LintFinding, Partition, PolicyLimit, Purpose, lint, missing_actions};
use tidegate_iam::policies::{
    CiPublisher, Grant, GrantFormat, S3Sync, TrustedIdentity, caller, lambda, site, trust, uploader, uploader_guard,
    with_queues,
};

use crate::apply_changes::{ChangeRun, warn_of_root};
use crate::arguments::{
    Attachment, CiPublisherArguments, CommonArguments, NeedsFlag, PolicyCommand, PolicyFormat, PolicyOutputArguments,
    SyncPolicyArguments, TrustArguments, UploaderArguments,
};
use crate::ci::ci;
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
        PolicyCommand::Site { site: name, output } => {
            let configuration = Configuration::load(&common.config)?;
            let found = configuration.site(name)?;
            let output = PolicyOutput::of_sites(common, output, &[found]).await?;
            let grant = site(found, &output.account, &[]);
            output.finish(vec![grant]).await
        }
        PolicyCommand::Caller { sites: names, output } => {
            let configuration = Configuration::load(&common.config)?;
            let sites = sites(&configuration, names)?;
            let output = PolicyOutput::of_sites(common, output, &sites).await?;
            let grant = caller(&sites, &output.account);
            output.finish(vec![grant]).await
        }
        PolicyCommand::Lambda { function, output } => {
            let configuration = Configuration::load(&common.config)?;
            let sites = sites(&configuration, &[])?;
            let output = PolicyOutput::of_sites(common, output, &sites).await?;
            let function = function.as_ref().unwrap_or(&configuration.config.function.name).as_str();
            let region = common.region.as_deref().unwrap_or("us-east-1");
            let grant = lambda(&sites, &output.account, region, function);
            let grant = with_queues(grant, &configuration.config.function.queues);
            output.finish(vec![grant]).await
        }
        PolicyCommand::Uploader(arguments) => upload(common, arguments).await,
        PolicyCommand::S3Sync { tool, output } => {
            let output = PolicyOutput::open(common, output, &tool.partition).await?;
            let grant = sync_grant(tool, &output.account);
            output.finish(vec![grant]).await
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
    async fn open(
        common: &'a CommonArguments,
        arguments: &'a PolicyOutputArguments,
        partition: &Partition,
    ) -> Result<Self, CliError> {
        let account = match &arguments.account {
            Some(account) => account.clone(),
            None => {
                let context = AwsContext::open(common).await?;
                Provisioner::new(&context.connection).sts().caller().await?.account
            }
        };
        Ok(Self { common, arguments, account, partition: partition.clone() })
    }

    /// Takes the account of the sites' roles unless `--account` is given, and their partition.
    async fn of_sites(
        common: &'a CommonArguments,
        arguments: &'a PolicyOutputArguments,
        sites: &[&Site],
    ) -> Result<Self, CliError> {
        let partition = sites.first().map(|site| site.partition()).unwrap_or_default();
        let role = sites.iter().find_map(|site| site.role.as_ref()).filter(|_| arguments.account.is_none());
        match role {
            Some(role) => Ok(Self { common, arguments, account: role.account().to_owned(), partition }),
            None => Self::open(common, arguments, &partition).await,
        }
    }

    /// Prints the grants, or applies them with `--apply`.
    async fn finish(&self, grants: Vec<Grant>) -> Result<ExitStatus, CliError> {
        self.finish_trusting(grants, None).await
    }

    /// The same; with `--apply`, the account first has the OIDC provider of the identity.
    async fn finish_trusting(
        &self,
        mut grants: Vec<Grant>,
        identity: Option<&TrustedIdentity>,
    ) -> Result<ExitStatus, CliError> {
        let Self { common, arguments, account, partition } = self;
        if let (Some(name), Some(first)) = (&arguments.name, grants.first_mut()) {
            first.name.clone_from(name);
        }
        if !arguments.apply {
            let format = match arguments.format {
                PolicyFormat::Json => GrantFormat::Json,
                PolicyFormat::Terraform => GrantFormat::Terraform,
                PolicyFormat::Cloudformation => GrantFormat::CloudFormation,
            };
            out!("{}", format.write(&grants).map_err(CliError::system)?);
            if format == GrantFormat::Json && !common.json {
                grants.iter().for_each(print_reasons);
            }
            return Ok(ExitStatus::Success);
        }
        let context = AwsContext::open(common).await?;
        let provisioner = Provisioner::new(&context.connection);
        let mut changes = Vec::new();
        if let Some(identity) = identity {
            let found = provisioner.iam().provider_audiences(&identity.provider(partition, account)).await?;
            changes.extend(ensure_provider(identity, partition, account, found.as_deref()));
        }
        for grant in &grants {
            let spec = PolicySpec { grant, partition, account };
            let found = provisioner.read_policy(spec).await?;
            changes.extend(ensure_policy(spec, &found).map_err(CliError::system)?);
        }
        ChangeRun::new(common, arguments.dry_run).apply(&provisioner, &changes).await?;
        Ok(ExitStatus::Success)
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
    let staging: Location = if arguments.staging.starts_with("s3://") {
        arguments.staging.parse().map_err(|error: LocationError| CliError::usage(error))?
    } else {
        let configuration = Configuration::load(&common.config)?;
        match &configuration.site(&arguments.staging)?.staged {
            Some(Source::Prefix(location)) => location.clone(),
            _ => {
                let site = arguments.staging.escape_default();
                return Err(CliError::Usage(format!(
                    "`staged` of the site `{site}` is not a prefix in S3; give `s3://bucket/prefix/` instead of the site"
                )));
            }
        }
    };
    let output = PolicyOutput::open(common, &arguments.output, &arguments.partition).await?;
    let partition = &output.partition;
    output.finish(vec![uploader(partition, &staging), uploader_guard(partition, &staging)]).await
}

/// The policy of a tool that syncs a prefix with a directory.
pub(crate) fn sync_grant(tool: &SyncPolicyArguments, account: &str) -> Grant {
    let sync = S3Sync {
        partition: tool.partition.clone(),
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
    let output = PolicyOutput::open(common, &arguments.output, &arguments.partition).await?;
    let publisher = CiPublisher {
        partition: arguments.partition.clone(),
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
    output.finish(vec![publisher.grant().map_err(CliError::usage)?]).await
}

async fn trust_policy(common: &CommonArguments, arguments: &TrustArguments) -> Result<ExitStatus, CliError> {
    let output = PolicyOutput::open(common, &arguments.output, &arguments.partition).await?;
    let identity = arguments.jobs.identity(arguments.github.as_ref(), arguments.gitlab.as_deref());
    let grant = trust(&output.partition, &output.account, &identity).map_err(CliError::usage)?;
    let status = output.finish_trusting(vec![grant], Some(&identity)).await?;
    if !common.json {
        print_notes(&identity);
    }
    Ok(status)
}

/// Prints what the reader of a trust policy should know.
pub(crate) fn print_notes(identity: &TrustedIdentity) {
    for note in identity.notes() {
        errln!("{DIM}# {}{DIM:#}", sanitize(&note, usize::MAX));
    }
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
