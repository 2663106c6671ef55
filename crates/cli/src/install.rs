//! `tidegate install` and `tidegate uninstall`: the changes, the confirmation and the deployment package.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use serde_json::json;
use tidegate_core::config::{AccountId, Config};
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::Change;
use tidegate_iam::document::Partition;
use tidegate_iam::policies::TrustedArn;
use tidegate_iam::stack::install::{install as install_changes, uninstall as uninstall_changes};
use tidegate_iam::stack::{
    AccountRegion, OwnerSetting, PackageZip, Publishers, Stack, configured_buckets, missing_owners,
};
use tidegate_publish::{Connection, Sts};

use crate::arguments::{ApplyFlags, CommonArguments, InstallArguments, UninstallArguments};
use crate::configuration::Configuration;
use crate::context::AwsContext;
use crate::error::{CliError, ExitStatus};
use crate::output::{json_line, print_document, warn};
use crate::template::{print_owners, warn_other_accounts};

/// The changes that install a stack, or remove it.
struct InstallRun<'a> {
    provisioner: &'a Provisioner,
    stack: &'a Stack,
    changes: &'a [Change],
    owners: Vec<OwnerSetting>,
}

/// Creates or updates the function and its resources.
pub(crate) async fn install(common: &CommonArguments, arguments: &InstallArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let zip = read_zip(arguments, &configuration)?;
    let connection = connect(common).await?;
    let publishers = if arguments.without_publishers { Publishers::Excluded } else { Publishers::Included };
    let provisioner = Provisioner::new(&connection);
    let people = trusted(&provisioner, arguments).await?;
    let stack = stack(&connection, &configuration.config, publishers).await?.trusting(&people);
    let found = provisioner.read_stack(&stack).await?;
    let install = install_changes(&stack, &found, zip.sha256()).map_err(CliError::usage)?;
    warn_other_accounts(&stack);
    for role in &install.unmanaged_roles {
        warn(format!(
            "the role `{role}` exists and is left unchanged; let it trust the function's role, and check its permissions with `tidegate check --aws`"
        ));
    }
    let creates_publisher = stack.publishers.iter().any(|publisher| !found.roles.contains_key(&publisher.name));
    if people.is_empty() && creates_publisher {
        warn(
            "only the function can assume the new publisher roles; to run `plan`, `publish` and `rollback` yourself, use `--trust-caller` or `--trust ARN`",
        );
    }
    let owners = owners(&provisioner, &configuration.config, &stack).await?;
    let provisioner = provisioner.with_package(zip);
    let run = InstallRun { provisioner: &provisioner, stack: &stack, changes: &install.changes, owners };
    run.apply(common, arguments.apply).await
}

/// The settings that name the owners of buckets of the function's account, where the configuration has none.
async fn owners(provisioner: &Provisioner, config: &Config, stack: &Stack) -> Result<Vec<OwnerSetting>, CliError> {
    let account = AccountId::try_from(stack.place.account().to_owned()).map_err(CliError::system)?;
    let owned = provisioner.buckets().owned_by(&configured_buckets(config), &account).await?;
    Ok(missing_owners(config, &account, &owned))
}

/// The principals of `--trust` and `--trust-caller`.
async fn trusted(provisioner: &Provisioner, arguments: &InstallArguments) -> Result<Vec<TrustedArn>, CliError> {
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
    people.sort();
    people.dedup();
    Ok(people)
}

/// Deletes what `install` created.
pub(crate) async fn uninstall(
    common: &CommonArguments,
    arguments: &UninstallArguments,
) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let connection = connect(common).await?;
    let stack = stack(&connection, &configuration.config, Publishers::Included).await?;
    let provisioner = Provisioner::new(&connection);
    let found = provisioner.read_stack(&stack).await?;
    let changes = uninstall_changes(&stack, &found);
    let run = InstallRun { provisioner: &provisioner, stack: &stack, changes: &changes, owners: Vec::new() };
    run.apply(common, arguments.apply).await
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

async fn stack(connection: &Connection, config: &Config, publishers: Publishers) -> Result<Stack, CliError> {
    let account = Sts::new(connection).caller().await?.account;
    let place = AccountRegion::known(&account, &connection.region());
    let mut config = config.clone();
    config.set_default_partition(&Partition::of_region(&connection.region()));
    Stack::new(&config, &place, publishers).map_err(CliError::usage)
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

impl InstallRun<'_> {
    /// Shows the changes, asks for confirmation and applies them.
    async fn apply(&self, common: &CommonArguments, flags: ApplyFlags) -> Result<ExitStatus, CliError> {
        if common.json {
            let (account, region) = (self.stack.place.account(), self.stack.place.region());
            let Self { changes, owners, .. } = self;
            let mut output =
                json!({ "dry-run": flags.dry_run, "account": account, "region": region, "changes": changes });
            if let (Some(members), false) = (output.as_object_mut(), owners.is_empty()) {
                members.insert("owners".to_owned(), json!(owners));
            }
            outln!("{}", json_line(&output));
        } else {
            self.show(flags.dry_run);
            print_owners(&self.owners, "name the owner of the buckets in the configuration");
        }
        if self.changes.is_empty() || flags.dry_run {
            return Ok(ExitStatus::Success);
        }
        if !flags.yes && !confirm(common)? {
            errln!("cancelled; nothing was changed");
            return Ok(ExitStatus::Denied);
        }
        self.provisioner.apply(self.changes, |change| errln!("{change} …")).await?;
        Ok(ExitStatus::Success)
    }

    fn show(&self, with_documents: bool) {
        let Stack { place, function, .. } = self.stack;
        let (name, account, region) = (&function.name, place.account(), place.region());
        if self.changes.is_empty() {
            outln!("`{name}` in the account {account}, {region}: up to date");
            return;
        }
        outln!("`{name}` in the account {account}, {region}:");
        for change in self.changes {
            outln!("  {change}");
            print_document(change.document().filter(|_| with_documents), "    ");
        }
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
