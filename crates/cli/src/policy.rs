//! `tidegate policy …`: the least documents for those around a site.
//!
//! Owns reading what was typed and printing what came. What a document says is `tidegate_iam::grant`'s to say.

use serde_json::json;
use tidegate_core::config::Site;
use tidegate_core::location::{Location, Source};
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{PolicySpec, policy as policy_steps};
use tidegate_iam::document::{LintedAs, Partition, PolicyLimit, Purpose, lacks, lint};
use tidegate_iam::policies::{
    CiPublisher, Grant, GrantFormat, S3Sync, TrustedIdentity, caller, lambda, site, trust, uploader, uploader_guard,
};

use crate::apply_changes::{ChangeList, warn_of_root};
use crate::arguments::{
    Attachment, CiPublisherArguments, CommonArguments, NeedsFlag, PolicyArguments, PolicyCommand, PolicyForm,
    SyncPolicyArguments, TrustArguments, UploaderArguments,
};
use crate::configuration::Configuration;
use crate::context::AwsContext;
use crate::credentials::read_text;
use crate::error::{CliError, ExitStatus};

pub(crate) async fn policy(common: &CommonArguments, command: &PolicyCommand) -> Result<ExitStatus, CliError> {
    match command {
        PolicyCommand::Site { site: name, how } => {
            let configuration = Configuration::load(&common.config)?;
            let wanted = configuration.site(name)?;
            let account = account(common, how, &[wanted]).await?;
            finish(common, how, &account, &wanted.partition(), vec![site(wanted, &account, &[])]).await
        }
        PolicyCommand::Caller { sites, how } => {
            let configuration = Configuration::load(&common.config)?;
            let sites = named(&configuration, sites)?;
            let account = account(common, how, &sites).await?;
            let partition = sites.first().map(|site| site.partition()).unwrap_or_default();
            finish(common, how, &account, &partition, vec![caller(&sites, &account)]).await
        }
        PolicyCommand::Lambda { function, region, how } => {
            let configuration = Configuration::load(&common.config)?;
            let sites = named(&configuration, &[])?;
            let account = account(common, how, &sites).await?;
            let partition = sites.first().map(|site| site.partition()).unwrap_or_default();
            let function = function.as_deref().unwrap_or(configuration.config.function.name.as_str());
            let grant = lambda(&sites, &account, region, function);
            finish(common, how, &account, &partition, vec![grant]).await
        }
        PolicyCommand::Uploader(wanted) => upload(common, wanted).await,
        PolicyCommand::S3Sync { what, how } => {
            let account = account(common, how, &[]).await?;
            finish(common, how, &account, &what.partition, vec![sync_grant(what, &account)]).await
        }
        PolicyCommand::CiPublisher(wanted) => ci_publisher(common, wanted).await,
        PolicyCommand::Trust(wanted) => trusted(common, wanted).await,
        PolicyCommand::Lint { file, role, needs, aws } => {
            let ending = linted(common, &read_text(file)?, *role, *needs)?;
            if *aws {
                let session = AwsContext::open(common).await?;
                let account = Provisioner::new(&session.connection);
                warn_of_root(&account, &account.sts().caller().await?).await?;
            }
            Ok(ending)
        }
    }
}

fn named<'a>(configuration: &'a Configuration, names: &[String]) -> Result<Vec<&'a Site>, CliError> {
    if names.is_empty() {
        return Ok(configuration.config.sites.iter().collect());
    }
    names.iter().map(|name| configuration.site(name)).collect()
}

/// The account: as it was typed, as the configuration's roles say, or as AWS says.
async fn account(common: &CommonArguments, how: &PolicyArguments, sites: &[&Site]) -> Result<String, CliError> {
    if let Some(account) = &how.account {
        let fine = account.len() == 12 && account.chars().all(|c| c.is_ascii_digit());
        let account = account.escape_default().to_string();
        return if fine {
            Ok(account)
        } else {
            Err(CliError::Usage(format!("`{account}` is no account, write its 12 digits")))
        };
    }
    if let Some(role) = sites.iter().find_map(|site| site.role.as_ref()) {
        return Ok(role.account().to_owned());
    }
    let session = AwsContext::open(common).await?;
    Ok(Provisioner::new(&session.connection).sts().caller().await?.account)
}

/// Prints the grants, or makes them.
async fn finish(
    common: &CommonArguments,
    how: &PolicyArguments,
    account: &str,
    partition: &Partition,
    mut grants: Vec<Grant>,
) -> Result<ExitStatus, CliError> {
    if let (Some(name), Some(first)) = (&how.name, grants.first_mut()) {
        first.name.clone_from(name);
    }
    let broken = |error: tidegate_iam::document::PolicyDocumentError| CliError::System(error.to_string());
    if !how.apply {
        let form = match how.format {
            PolicyForm::Json => GrantFormat::Json,
            PolicyForm::Terraform => GrantFormat::Terraform,
            PolicyForm::Cloudformation => GrantFormat::CloudFormation,
        };
        print!("{}", form.write(&grants).map_err(broken)?);
        if form == GrantFormat::Json && !common.json {
            grants.iter().for_each(reasons);
        }
        return Ok(ExitStatus::Done);
    }
    let session = AwsContext::open(common).await?;
    let provisioner = Provisioner::new(&session.connection);
    let mut changes = Vec::new();
    for grant in &grants {
        let found = provisioner.read_grant(grant, partition, account).await?;
        changes.extend(policy_steps(PolicySpec { grant, partition, account }, &found).map_err(broken)?);
    }
    ChangeList::new(common, how.dry_run).apply(&provisioner, &changes).await?;
    Ok(ExitStatus::Done)
}

/// Why each statement is there, beside the document, which stays what machines take.
fn reasons(grant: &Grant) {
    let dim = anstyle::Style::new().dimmed();
    anstream::eprintln!("{dim}# {}{dim:#}", grant.what);
    for statement in grant.document.statements().iter().filter(|statement| !statement.why().is_empty()) {
        anstream::eprintln!("{dim}#   {}: {}{dim:#}", statement.sid().unwrap_or("and"), statement.why());
    }
}

async fn upload(common: &CommonArguments, wanted: &UploaderArguments) -> Result<ExitStatus, CliError> {
    let staging: Location = if wanted.staging.starts_with("s3://") {
        wanted
            .staging
            .parse()
            .map_err(|error: tidegate_core::location::LocationError| CliError::Usage(error.to_string()))?
    } else {
        let configuration = Configuration::load(&common.config)?;
        match &configuration.site(&wanted.staging)?.staged {
            Some(Source::Prefix(location)) => location.clone(),
            _ => {
                let name = wanted.staging.escape_default();
                return Err(CliError::Usage(format!(
                    "the site `{name}` has no staged prefix, write `s3://bucket/prefix/`"
                )));
            }
        }
    };
    let account = account(common, &wanted.how, &[]).await?;
    let grants = vec![uploader(&wanted.partition, &staging), uploader_guard(&wanted.partition, &staging)];
    finish(common, &wanted.how, &account, &wanted.partition, grants).await
}

/// What a tool needs that makes a prefix equal to a directory.
pub(crate) fn sync_grant(what: &SyncPolicyArguments, account: &str) -> Grant {
    let wanted = S3Sync {
        partition: what.partition.clone(),
        account: account.to_owned(),
        target: what.target.clone(),
        distributions: what.distribution.clone(),
        delete: !what.no_delete,
        acl: what.acl,
        find_distribution: what.find_distribution,
        configure_bucket: what.configure_bucket,
    };
    wanted.grant()
}

async fn ci_publisher(common: &CommonArguments, wanted: &CiPublisherArguments) -> Result<ExitStatus, CliError> {
    let account = account(common, &wanted.how, &[]).await?;
    let publisher = CiPublisher {
        partition: wanted.partition.clone(),
        account: account.clone(),
        region: wanted.region.clone(),
        bucket: wanted.bucket.clone(),
        prefix: wanted.prefix.clone(),
        dev_prefix: wanted.dev_prefix.clone(),
        codeartifact_domain: wanted.codeartifact_domain.clone(),
        allow_delete: !wanted.no_delete,
        dev: wanted.dev,
        path: wanted.path.clone(),
        name: if wanted.dev { "publisher-dev" } else { "publisher" }.to_owned(),
    };
    let grant = publisher.grant().map_err(|error| CliError::Usage(error.to_string()))?;
    finish(common, &wanted.how, &account, &wanted.partition, vec![grant]).await
}

async fn trusted(common: &CommonArguments, wanted: &TrustArguments) -> Result<ExitStatus, CliError> {
    let account = account(common, &wanted.how, &[]).await?;
    let identity = match (&wanted.github, &wanted.gitlab) {
        (Some(repository), _) => TrustedIdentity::GitHub {
            repository: repository.clone(),
            branch: wanted.branch.clone(),
            environment: wanted.environment.clone(),
        },
        (None, project) => TrustedIdentity::GitLab {
            project: project.clone().unwrap_or_default(),
            branch: wanted.branch.clone(),
            host: wanted.host.clone(),
            audience: wanted.audience.clone(),
        },
    };
    let grant = trust(&wanted.partition, &account, &identity).map_err(|error| CliError::Usage(error.to_string()))?;
    finish(common, &wanted.how, &account, &wanted.partition, vec![grant]).await
}

fn linted(
    common: &CommonArguments,
    text: &str,
    role: Attachment,
    needs: Option<NeedsFlag>,
) -> Result<ExitStatus, CliError> {
    let (role, limit) = match role {
        Attachment::Identity => (LintedAs::Identity, PolicyLimit::Managed),
        Attachment::Session => (LintedAs::Session, PolicyLimit::Session),
        Attachment::Trust => (LintedAs::Trust, PolicyLimit::Trust),
        Attachment::Bucket => (LintedAs::Bucket, PolicyLimit::Bucket),
    };
    let mut concerns = lint(text, role, limit);
    concerns.extend(needs.into_iter().flat_map(|needs| {
        let purpose = match needs {
            NeedsFlag::Sync => Purpose::Sync,
            NeedsFlag::Upload => Purpose::Upload,
            NeedsFlag::Invalidate => Purpose::Invalidate,
        };
        lacks(text, purpose)
    }));
    if common.json {
        println!("{}", json!({ "concerns": concerns }));
    } else {
        let (red, yellow) = (anstyle::AnsiColor::Red.on_default().bold(), anstyle::AnsiColor::Yellow.on_default());
        for concern in &concerns {
            let place = if concern.place.is_empty() { "the document" } else { &concern.place };
            if concern.wrong {
                anstream::println!("{red}wrong{red:#}  {place}: {}", concern.what);
            } else {
                anstream::println!("{yellow}wide{yellow:#}   {place}: {}", concern.what);
            }
        }
        if concerns.is_empty() {
            println!("nothing to say against it");
        }
    }
    Ok(if concerns.iter().any(|concern| concern.wrong) { ExitStatus::Usage } else { ExitStatus::Done })
}
