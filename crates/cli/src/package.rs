//! `tidegate package`: the deployment package of the Lambda function.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use indicatif::HumanBytes;
use serde::Serialize;
use tidegate_core::architecture::Architecture;
use tidegate_core::config::{Config, PluginUse};
use tidegate_core::lambda_package::Bootstrap;
use tidegate_lambda::package::{PackageInfo, PackagingStep, package as build};
use tidegate_publish::S3;

use crate::arguments::{CommonArguments, PackageArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, component_loader};
use crate::error::{CliError, ExitStatus};
use crate::output::{print_json, warn, write_file};

/// Builds the package, and lists its files.
pub(crate) async fn package(common: &CommonArguments, arguments: &PackageArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let target = arguments.target.unwrap_or(configuration.config.function.architecture);
    let bootstrap = read_bootstrap(arguments, target)?;
    let components = component_loader(&configuration.directory)?;
    // Only plugins in S3 need AWS.
    let connection = match has_plugins_in_s3(&configuration.config) {
        true => AwsContext::open(common).await?.connection,
        false => AwsContext::offline(),
    };
    let report_step = |step: &PackagingStep| {
        if !common.json {
            errln!("{}", describe(step, target));
        }
    };
    let package = build(&components, &S3::new(&connection), &configuration.text, bootstrap, report_step).await?;
    let out = arguments.out.clone().unwrap_or_else(|| format!("tidegate-lambda-{target}.zip").into());
    write_file(&out, "package", |mut file| {
        file.write_all(&package.archive)?;
        file.flush()
    })?;
    print(common, WrittenPackage { path: &out, info: &package.contents })?;
    Ok(ExitStatus::Success)
}

fn describe(step: &PackagingStep, target: Architecture) -> String {
    match step {
        PackagingStep::Checking(site) => format!("checking the plugins of `{site}`"),
        PackagingStep::Compiling(plugin) => format!("compiling `{}` for {target}", plugin.escape_default()),
        PackagingStep::Packing => "packing".to_owned(),
    }
}

fn has_plugins_in_s3(config: &Config) -> bool {
    let mut plugins = config.sites.iter().flat_map(|site| site.sync.iter().chain(&site.policy));
    plugins.any(PluginUse::is_in_s3)
}

fn read_bootstrap(arguments: &PackageArguments, target: Architecture) -> Result<Bootstrap, CliError> {
    let path = match &arguments.bootstrap {
        Some(path) => path.clone(),
        None => find_bootstrap(target)?,
    };
    let bytes = std::fs::read(&path).map_err(CliError::read("bootstrap", &path))?;
    Bootstrap::new(target, bytes).map_err(|error| CliError::Usage(format!("`{}`: {error}", path.display())))
}

/// Finds the function's program next to this one, or where cargo builds it.
fn find_bootstrap(target: Architecture) -> Result<PathBuf, CliError> {
    let name = format!("bootstrap-{target}");
    let installed = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join(&name)));
    let built = Path::new("target").join(target.triple()).join("function/bootstrap");
    installed.into_iter().chain([built]).find(|path| path.is_file()).ok_or_else(|| {
        CliError::Usage(format!(
            "no bootstrap for {target}: put `{name}` from the Tidegate release next to `tidegate`, build it with `make release`, or name it with `--bootstrap`"
        ))
    })
}

/// A package in a file.
#[derive(Clone, Copy, Serialize)]
struct WrittenPackage<'a> {
    path: &'a Path,
    #[serde(flatten)]
    info: &'a PackageInfo,
}

fn print(common: &CommonArguments, package: WrittenPackage<'_>) -> Result<(), CliError> {
    if common.json {
        return print_json(&package);
    }
    let PackageInfo { target, bytes, sha256, direct, files } = package.info;
    for file in files {
        outln!("{:>11}  {}", HumanBytes(file.bytes).to_string(), file.path);
    }
    outln!("{} for {target}: {}, sha256 {sha256}", package.path.display(), HumanBytes(*bytes));
    if !direct {
        warn("Lambda accepts a package of this size only from S3; upload it to a bucket and deploy it from there");
    }
    Ok(())
}
