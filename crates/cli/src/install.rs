//! `tidegate install`: a change set of the function's stack, shown, confirmed and executed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use serde_json::json;
use tidegate_core::config::{AccountId, Config};
use tidegate_core::location::Bucket;
use tidegate_core::sanitize::sanitize_json;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{BucketChange, Change};
use tidegate_iam::deploy::{
    DeployError, DeployRequest, DeployedStack, PackagePlace, PreparedChanges, StackChanges, StackDeployer,
};
use tidegate_iam::document::Partition;
use tidegate_iam::policies::TrustedArn;
use tidegate_iam::stack::{
    AccountRegion, OwnerSetting, PackageZip, Publishers, Stack, TemplateFormat, configured_buckets, missing_owners,
};
use tidegate_publish::{Connection, Sts};

use crate::arguments::{ApplyFlags, CommonArguments, InstallArguments, StackArguments};
use crate::configuration::Configuration;
use crate::context::AwsContext;
use crate::error::{CliError, ExitStatus};
use crate::output::{json_line, warn};
use crate::stack_progress::StackProgress;
use crate::template::{print_owners, warn_other_accounts};

/// The stack of a function, in an account and a region.
pub(crate) struct StackRun {
    pub(crate) config: Config,
    pub(crate) provisioner: Provisioner,
    pub(crate) deployer: StackDeployer,
    pub(crate) account: AccountId,
    pub(crate) region: String,
}

/// What `install` does.
struct StackInstall<'a> {
    run: &'a StackRun,
    prepared: Option<&'a PreparedChanges>,
    buckets: Vec<Change>,
    owners: Vec<OwnerSetting>,
}

/// Creates or updates the function and its resources.
pub(crate) async fn install(common: &CommonArguments, arguments: &InstallArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let package = read_zip(arguments, &configuration)?;
    let place = PackagePlace::new(arguments.upload_to.as_ref(), &configuration.config).map_err(CliError::usage)?;
    let place = place.ok_or_else(|| {
        let message =
            "no place for the package: set `state` in the configuration, or use `--upload-to s3://BUCKET/PREFIX/`";
        CliError::Usage(message.to_owned())
    })?;
    let run = StackRun::open(common, &configuration.config, &arguments.stack).await?;
    let publishers = if arguments.without_publishers { Publishers::Excluded } else { Publishers::Included };
    let stack = run.stack(publishers)?;
    let trusted = trusted(&run.provisioner, arguments).await?;
    warn_other_accounts(&stack);
    let buckets = run.buckets_without_events(&stack).await?;
    let template = TemplateFormat::CloudFormation.write(&stack).map_err(CliError::system)?;
    let request = DeployRequest {
        template: &template,
        package: &package,
        place: &place,
        trusted: trusted.as_deref(),
        account: run.account.as_str(),
    };
    let current = run.current().await?;
    let prepared = run.deployer.prepare(&request, current.as_ref()).await?;
    if let Some(prepared) = &prepared
        && trusts_only_function(&stack, prepared, trusted.as_deref(), current.as_ref())
    {
        warn(
            "only the function can assume the new publisher roles; to run `plan`, `publish` and `rollback` yourself, use `--trust-caller` or `--trust ARN`",
        );
    }
    let owners = run.owners().await?;
    let plan = StackInstall { run: &run, prepared: prepared.as_ref(), buckets, owners };
    let applied = plan.apply(common, arguments.apply, &package, &place).await;
    if prepared.is_some() && !matches!(applied, Ok(Applied::Executed)) {
        let discarded = run.deployer.discard_change_set().await;
        if applied.is_ok() {
            discarded?;
        }
    }
    match applied? {
        Applied::Executed | Applied::Shown => Ok(ExitStatus::Success),
        Applied::Cancelled => {
            errln!("cancelled; nothing was changed");
            Ok(ExitStatus::Denied)
        }
    }
}

/// Whether new publisher roles trust no one but the function.
fn trusts_only_function(
    stack: &Stack,
    prepared: &PreparedChanges,
    trusted: Option<&[TrustedArn]>,
    current: Option<&DeployedStack>,
) -> bool {
    let is_set =
        |name: &str| current.and_then(|stack| stack.parameters.get(name)).is_some_and(|value| !value.is_empty());
    let is_trusting = trusted.is_some_and(|people| !people.is_empty())
        || (trusted.is_none() && (is_set("TrustedPrincipals") || is_set("TrustedAccounts")));
    let has_new_role = prepared.changes.policies.iter().any(|policy| {
        let is_publisher = stack.publishers.iter().any(|role| role.name == policy.role);
        is_publisher && policy.policy.is_none() && policy.removed.is_empty()
    });
    has_new_role && !is_trusting
}

/// How far `install` went.
enum Applied {
    /// Only shown, or up to date.
    Shown,
    /// The user did not confirm.
    Cancelled,
    /// The changes were made.
    Executed,
}

impl StackRun {
    pub(crate) async fn open(
        common: &CommonArguments,
        config: &Config,
        arguments: &StackArguments,
    ) -> Result<Self, CliError> {
        let connection = connect(common).await?;
        let account = Sts::new(&connection).caller().await?.account;
        let account = AccountId::try_from(account).map_err(CliError::system)?;
        let mut config = config.clone();
        config.set_default_partition(&Partition::of_region(&connection.region()));
        let (name, role) = (arguments.stack_name.as_deref(), arguments.service_role.as_ref().map(TrustedArn::as_str));
        let deployer = StackDeployer::new(&connection, config.function.name.as_str(), name, role)
            .with_upload_key(config.state_kms_key.clone());
        let region = connection.region();
        Ok(Self { config, provisioner: Provisioner::new(&connection), deployer, account, region })
    }

    /// The stack that the configuration describes, with the template of `tidegate template`.
    pub(crate) fn stack(&self, publishers: Publishers) -> Result<Stack, CliError> {
        let place = AccountRegion::at_deployment(Some(self.account.as_str()));
        Stack::new(&self.config, &place, publishers).map_err(CliError::usage)
    }

    /// The stack that the account has, after an operation that is running has ended.
    pub(crate) async fn current(&self) -> Result<Option<DeployedStack>, CliError> {
        let name = self.deployer.name();
        Ok(self.deployer.current(|status| errln!("the stack `{name}` is in {status}; waiting …")).await?)
    }

    /// The changes to buckets whose uploads start the function, and that do not send events to EventBridge.
    async fn buckets_without_events(&self, stack: &Stack) -> Result<Vec<Change>, CliError> {
        let mut changes = Vec::new();
        for bucket in stack.uploads.iter().map(|upload| &upload.bucket).collect::<BTreeSet<&Bucket>>() {
            match self.provisioner.buckets().sends_events(bucket).await? {
                Some(true) => {}
                Some(false) => changes.push(Change::Bucket(BucketChange::EnableEventBridge { bucket: bucket.clone() })),
                None => return Err(DeployError::NoBucket(bucket.clone()).into()),
            }
        }
        Ok(changes)
    }

    /// The settings that name the owners of buckets of the function's account, where the configuration has none.
    async fn owners(&self) -> Result<Vec<OwnerSetting>, CliError> {
        let owned = self.provisioner.buckets().owned_by(&configured_buckets(&self.config), &self.account).await?;
        Ok(missing_owners(&self.config, &self.account, &owned))
    }

    /// The first line of what is shown.
    pub(crate) fn heading(&self) -> String {
        format!("the stack `{}` in the account {}, {}", self.deployer.name(), self.account.as_str(), self.region)
    }
}

/// The principals of `--trust` and `--trust-caller`; `None` without these options.
async fn trusted(provisioner: &Provisioner, arguments: &InstallArguments) -> Result<Option<Vec<TrustedArn>>, CliError> {
    let mut people = arguments.trust.clone();
    if arguments.trust_caller {
        let caller = provisioner.sts().caller().await?;
        let arn = provisioner.iam().principal_of(&caller.arn).await?.ok_or_else(|| {
            let arn = caller.arn.escape_default();
            CliError::Usage(format!(
                "`--trust-caller` needs the credentials of a user, or of a role that may be read (`iam:GetRole`), not `{arn}`; use `--trust ARN`"
            ))
        })?;
        people.push(arn.parse().map_err(CliError::usage)?);
    }
    Ok(Some(people).filter(|people| !people.is_empty()))
}

async fn connect(common: &CommonArguments) -> Result<Connection, CliError> {
    if common.local.is_some() {
        let message = "the local AWS emulator does not run Lambda functions; remove `--local`, or use `tidegate template` to see the resources";
        return Err(CliError::Usage(message.to_owned()));
    }
    let context = AwsContext::open(common).await?;
    if context.region_configured {
        Ok(context.connection)
    } else {
        Err(CliError::Usage("no region for the function; use `--region`, or set `AWS_REGION`".to_owned()))
    }
}

fn read_zip(arguments: &InstallArguments, configuration: &Configuration) -> Result<PackageZip, CliError> {
    let architecture = configuration.config.function.architecture;
    let default = || PathBuf::from(format!("tidegate-lambda-{architecture}.zip"));
    let path = arguments.zip.clone().unwrap_or_else(default);
    let bytes = std::fs::read(&path).map_err(|error| CliError::Read {
        what: "package",
        path: path.clone(),
        error,
        remedy: "; build it with `tidegate package`",
    })?;
    PackageZip::new(bytes, &configuration.text, architecture)
        .map_err(|error| CliError::Usage(format!("the package `{}`: {error}", path.display())))
}

impl StackInstall<'_> {
    /// Shows the changes, asks for confirmation and makes them.
    async fn apply(
        &self,
        common: &CommonArguments,
        flags: ApplyFlags,
        package: &PackageZip,
        place: &PackagePlace,
    ) -> Result<Applied, CliError> {
        if !common.json {
            self.show();
            print_owners(&self.owners, "name the owner of the buckets in the configuration");
        }
        if (self.prepared.is_none() && self.buckets.is_empty()) || flags.dry_run {
            self.print_json(common, flags, None);
            return Ok(Applied::Shown);
        }
        if !flags.yes && !confirm(common)? {
            return Ok(Applied::Cancelled);
        }
        let outputs = match self.prepared {
            Some(prepared) => Some(self.execute(common, prepared, package, place).await?),
            None => None,
        };
        self.run.provisioner.apply(&self.buckets, |change| errln!("{change} …")).await?;
        self.print_json(common, flags, outputs.as_ref());
        if let (Some(outputs), false) = (&outputs, common.json) {
            let width = outputs.keys().map(String::len).max().unwrap_or_default();
            outputs.iter().for_each(|(name, value)| outln!("{name:width$}  {}", sanitize_json(value)));
        }
        Ok(Applied::Executed)
    }

    /// Uploads the package and executes the change set. Returns the outputs of the stack.
    async fn execute(
        &self,
        common: &CommonArguments,
        prepared: &PreparedChanges,
        package: &PackageZip,
        place: &PackagePlace,
    ) -> Result<BTreeMap<String, String>, CliError> {
        errln!("upload the package to `{}` …", place.location());
        self.run.deployer.upload_package(package, place).await?;
        let progress = StackProgress::new(common.json);
        let stack = self.run.deployer.execute(prepared, |event| progress.observe(event)).await?;
        Ok(stack.outputs)
    }

    fn show(&self) {
        let heading = self.run.heading();
        if self.prepared.is_none() && self.buckets.is_empty() {
            outln!("{heading}: up to date");
            return;
        }
        let is_new = self.prepared.is_some_and(|prepared| prepared.is_new);
        outln!("{heading}{}:", if is_new { ", which is new" } else { "" });
        if let Some(prepared) = self.prepared {
            let StackChanges { resources, policies } = &prepared.changes;
            resources.iter().for_each(|change| outln!("  {change}"));
            if resources.is_empty() {
                outln!("  change parameters, tags or outputs only");
            }
            for policy in policies {
                outln!("  {policy}:");
                policy.removed.iter().for_each(|statement| outln!("    - {}", json_line(statement)));
                policy.added.iter().for_each(|statement| outln!("    + {}", json_line(statement)));
            }
        }
        self.buckets.iter().for_each(|change| outln!("  {change}"));
    }

    fn print_json(&self, common: &CommonArguments, flags: ApplyFlags, outputs: Option<&BTreeMap<String, String>>) {
        if !common.json {
            return;
        }
        let Self { run, prepared, buckets, owners } = self;
        let none = StackChanges::default();
        let changes = prepared.map_or(&none, |prepared| &prepared.changes);
        let mut output = json!({
            "dry-run": flags.dry_run,
            "account": run.account,
            "region": run.region,
            "stack": run.deployer.name(),
            "changes": changes.resources,
            "policies": changes.policies,
            "buckets": buckets,
        });
        if let Some(members) = output.as_object_mut() {
            if !owners.is_empty() {
                members.insert("owners".to_owned(), json!(owners));
            }
            if let Some(outputs) = outputs {
                members.insert("outputs".to_owned(), json!(outputs));
            }
        }
        outln!("{}", json_line(&output));
    }
}

/// Asks for confirmation on the terminal.
pub(crate) fn confirm(common: &CommonArguments) -> Result<bool, CliError> {
    if common.json || !std::io::stdin().is_terminal() {
        let message = "cannot ask for confirmation without a terminal or with `--json`; use `--yes` to apply or `--dry-run` to preview";
        return Err(CliError::Usage(message.to_owned()));
    }
    let failed = |error: std::io::Error| CliError::System(format!("cannot read the terminal: {error}"));
    out!("Apply these changes? [y/N] ");
    std::io::stdout().flush().map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
