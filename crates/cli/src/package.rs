//! `tidegate package`: the deployment package of a function.
//!
//! Owns where the bootstrap is found and where the zip goes. What is in it is decided elsewhere.

use std::path::{Path, PathBuf};

use tidegate_core::architecture::Architecture;
use tidegate_core::config::{Config, PluginReference};
use tidegate_core::lambda_package::Bootstrap;
use tidegate_lambda::package::{LambdaPackage, PackagingStep, package as make};
use tidegate_publish::S3;

use crate::arguments::{CommonArguments, PackageArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, components};
use crate::error::{CliError, ExitStatus};
use crate::publish::{json, write};

/// Makes the package, and tells what is in it.
pub(crate) async fn package(common: &CommonArguments, wanted: &PackageArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let target = wanted.target.unwrap_or_else(|| configuration.config.function.architecture.target());
    let bootstrap = bootstrap(wanted, target)?;
    let components = components(&configuration.directory)?;
    // AWS is asked only for what is there.
    let connection = match in_s3(&configuration.config) {
        true => AwsContext::open(common).await?.connection,
        false => AwsContext::offline(),
    };
    let tell = |step: &PackagingStep| {
        if !common.json {
            anstream::eprintln!("{}", spoken(step, target));
        }
    };
    let made = make(&components, &S3::new(&connection), &configuration.text, bootstrap, tell).await?;
    let out = wanted.out.clone().unwrap_or_else(|| format!("tidegate-lambda-{target}.zip").into());
    write(&out, "the package", &made.archive)?;
    report(common, &out, &made)?;
    Ok(ExitStatus::Done)
}

fn spoken(step: &PackagingStep, target: Architecture) -> String {
    match step {
        PackagingStep::Checking(site) => format!("checking the plugins of `{site}`"),
        PackagingStep::Compiling(plugin) => format!("compiling `{}` for {target}", plugin.escape_default()),
        PackagingStep::Packing => "packing".to_owned(),
    }
}

fn in_s3(config: &Config) -> bool {
    let mut uses = config.sites.iter().flat_map(|site| site.sync.iter().chain(&site.policy));
    uses.any(|used| matches!(used.plugin, PluginReference::Object(_)))
}

/// The program that was named, or the first one that is where `make release` and cargo leave it.
fn bootstrap(wanted: &PackageArguments, target: Architecture) -> Result<Bootstrap, CliError> {
    let path = match &wanted.bootstrap {
        Some(path) => path.clone(),
        None => find(target)?,
    };
    let bytes = std::fs::read(&path)
        .map_err(|error| CliError::Usage(format!("the bootstrap `{}` cannot be read: {error}", path.display())))?;
    Bootstrap::new(target, bytes).map_err(|error| CliError::Usage(format!("`{}`: {error}", path.display())))
}

fn find(target: Architecture) -> Result<PathBuf, CliError> {
    let name = format!("bootstrap-{target}");
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join(&name)));
    let built = Path::new("target").join(target.triple()).join("function/bootstrap");
    beside.into_iter().chain([built]).find(|path| path.is_file()).ok_or_else(|| {
        CliError::Usage(format!(
            "there is no bootstrap for {target}: put `{name}` of Tidegate's release beside `tidegate`, build it with `make release`, or name it with `--bootstrap`"
        ))
    })
}

fn report(common: &CommonArguments, path: &Path, made: &LambdaPackage) -> Result<(), CliError> {
    let told = &made.contents;
    if common.json {
        let mut value = serde_json::json!(told);
        if let Some(members) = value.as_object_mut() {
            members.insert("path".to_owned(), serde_json::json!(path));
        }
        println!("{}", json(&value)?);
        return Ok(());
    }
    for file in &told.files {
        println!("{:>11}  {}", indicatif::HumanBytes(file.bytes).to_string(), file.path);
    }
    let size = indicatif::HumanBytes(told.bytes);
    println!("{} for {}: {size}, sha256 {}", path.display(), told.target, told.sha256);
    if !told.direct {
        let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
        anstream::eprintln!(
            "{yellow}warning{yellow:#}: Lambda takes a zip of this size only from S3: upload it there, and name bucket and key"
        );
    }
    Ok(())
}
