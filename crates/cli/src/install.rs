//! `tidegate install` and `tidegate uninstall`.
//!
//! Owns reading the package, asking whether to go on, and how steps look. Which they are and how they are taken is decided
//! elsewhere.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_iam::install::{Installer, PackageZip};
use tidegate_iam::stack::install::{InstallStep, install as steps_to, uninstall as steps_back};
use tidegate_iam::stack::{AccountRegion, Publishers, Stack};
use tidegate_publish::{Connection, Sts};

use crate::arguments::{ApplyFlags, CommonArguments, InstallArguments, UninstallArguments};
use crate::configuration::Configuration;
use crate::context::AwsContext;
use crate::error::{CliError, ExitStatus};
use crate::template::warn_other_accounts;

/// Makes what is missing, and says so where nothing is.
pub(crate) async fn install(common: &CommonArguments, wanted: &InstallArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let zip = zip(wanted, &configuration)?;
    let connection = connection(common).await?;
    let publishers = if wanted.without_publishers { Publishers::Kept } else { Publishers::Made };
    let installation = installation(&connection, &configuration.config, publishers).await?;
    let installer = Installer::new(&connection);
    let found = installer.read_stack(&installation).await?;
    let steps = steps_to(&installation, &found, zip.sha256()).map_err(|error| CliError::Usage(error.to_string()))?;
    warn_other_accounts(&installation);
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    for role in &steps.kept {
        anstream::eprintln!(
            "{yellow}warning{yellow:#}: the role `{role}` is there and is left as it is: see that it trusts the function's role, and with `tidegate check --aws` what it may do"
        );
    }
    apply(common, wanted.taking, &installer, &installation, &steps.steps, Some(&zip)).await
}

/// Removes what was made.
pub(crate) async fn uninstall(common: &CommonArguments, wanted: &UninstallArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let connection = connection(common).await?;
    let installation = installation(&connection, &configuration.config, Publishers::Made).await?;
    let installer = Installer::new(&connection);
    let found = installer.read_stack(&installation).await?;
    apply(common, wanted.taking, &installer, &installation, &steps_back(&installation, &found), None).await
}

async fn connection(common: &CommonArguments) -> Result<Connection, CliError> {
    if common.local.is_some() {
        let why = "the embedded stand-in runs no functions, leave out `--local`; `tidegate template` shows what would be made";
        return Err(CliError::Usage(why.to_owned()));
    }
    let session = AwsContext::open(common).await?;
    if session.region_named {
        Ok(session.connection)
    } else {
        Err(CliError::Usage("no region is named, and a function is in one: set `AWS_REGION`".to_owned()))
    }
}

async fn installation(connection: &Connection, config: &Config, publishers: Publishers) -> Result<Stack, CliError> {
    let account = Sts::new(connection).caller().await?.account;
    let place = AccountRegion::known(&account, &connection.region());
    Stack::new(config, &place, publishers).map_err(|error| CliError::Usage(error.to_string()))
}

fn zip(wanted: &InstallArguments, configuration: &Configuration) -> Result<PackageZip, CliError> {
    let architecture = configuration.config.function.architecture;
    let named = || PathBuf::from(format!("tidegate-lambda-{}.zip", architecture.target()));
    let path = wanted.zip.clone().unwrap_or_else(named);
    let shown = path.display();
    let bytes = std::fs::read(&path).map_err(|error| {
        CliError::Usage(format!("the package `{shown}` cannot be read: {error}; make it with `tidegate package`"))
    })?;
    PackageZip::new(bytes, &configuration.text, architecture)
        .map_err(|error| CliError::Usage(format!("the package `{shown}`: {error}")))
}

/// Shows the steps, asks, and takes them.
async fn apply(
    common: &CommonArguments,
    taking: ApplyFlags,
    installer: &Installer,
    installation: &Stack,
    steps: &[InstallStep],
    zip: Option<&PackageZip>,
) -> Result<ExitStatus, CliError> {
    if common.json {
        let place = &installation.place;
        let (account, region) = (place.account(), place.region());
        println!("{}", json!({ "dry-run": taking.dry_run, "account": account, "region": region, "steps": steps }));
    } else {
        show(installation, steps, taking.dry_run);
    }
    if steps.is_empty() || taking.dry_run {
        return Ok(ExitStatus::Done);
    }
    if !taking.yes && !agreed(common)? {
        anstream::eprintln!("nothing was done");
        return Ok(ExitStatus::Denied);
    }
    // For people the steps are on standard output already, so each is told as it is taken.
    installer.apply(steps, zip, |step| anstream::eprintln!("{step} …")).await?;
    Ok(ExitStatus::Done)
}

fn show(installation: &Stack, steps: &[InstallStep], documents: bool) {
    let place = &installation.place;
    let (name, account, region) = (&installation.function.name, place.account(), place.region());
    if steps.is_empty() {
        println!("nothing to do for `{name}` in the account {account}, {region}");
        return;
    }
    println!("`{name}` in the account {account}, {region}:");
    for step in steps {
        println!("  {step}");
        let document = step.document().filter(|_| documents);
        let document = document.and_then(|text| serde_json::from_str::<Value>(text).ok());
        for line in document.map(|document| format!("{document:#}")).unwrap_or_default().lines() {
            println!("    {line}");
        }
    }
}

/// Asks on a terminal. Nobody can be asked elsewhere.
fn agreed(common: &CommonArguments) -> Result<bool, CliError> {
    if common.json || !std::io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "nobody can be asked here: `--yes` takes the steps, `--dry-run` shows them".to_owned(),
        ));
    }
    let broken = |error: std::io::Error| CliError::System(format!("the terminal cannot be read: {error}"));
    print!("go on? [y/N] ");
    std::io::stdout().flush().map_err(broken)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(broken)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
