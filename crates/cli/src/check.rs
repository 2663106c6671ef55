//! `tidegate check`: the configuration, its plugins and their settings; with `--aws` also the permissions of each site.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use tidegate_core::config::{PluginGrant, PluginMode, Site, SiteName};
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_core::plugin_signature::SignedPlugin;
use tidegate_host::ConfiguredPlugin;
use tidegate_iam::preflight::{PreflightFinding, PreflightSeverity};
use tidegate_publish::{PluginLoader, S3};

use crate::arguments::{CheckArguments, CommonArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, component_loader};
use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, GREEN, RED, YELLOW, print_json};
use crate::render::describe_trust;

/// The result for one site.
#[derive(Serialize)]
struct SiteCheck {
    site: SiteName,
    ok: bool,
    #[serde(flatten)]
    plugins: PluginCheck,
    /// Findings about permissions, with `--aws`.
    #[serde(skip_serializing_if = "Option::is_none")]
    aws: Option<Vec<PreflightFinding>>,
}

/// Whether the plugins of a site load and accept their settings.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "kebab-case")]
enum PluginCheck {
    Passed {
        plugins: Vec<CheckedPlugin>,
        /// Plugins in S3, which cannot be loaded without AWS.
        not_checked: Vec<String>,
    },
    Failed {
        error: String,
        /// The failure of a plugin, if that is the error.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<PluginFailure>,
    },
}

#[derive(Serialize)]
struct CheckedPlugin {
    plugin: String,
    kind: &'static str,
    sha256: String,
    /// The settings in their canonical form.
    settings: Value,
    /// Who signed it, if its signature was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<SignedPlugin>,
    /// What it may do; everything without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<PluginGrant>,
    #[serde(skip_serializing_if = "PluginMode::is_enforced")]
    mode: PluginMode,
}

/// Checks every site, and reports all errors instead of the first one.
pub(crate) async fn check(common: &CommonArguments, arguments: &CheckArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let loader = PluginLoader::Components(component_loader(&configuration.directory)?);
    let s3 = S3::new(&AwsContext::offline());
    let mut checks = Vec::new();
    for site in &configuration.config.sites {
        let plugins = check_plugins(site, &loader, &s3).await;
        let ok = matches!(plugins, PluginCheck::Passed { .. });
        checks.push(SiteCheck { site: site.name.clone(), ok, plugins, aws: None });
    }
    if arguments.aws {
        let context = AwsContext::open(common).await?;
        for (site, check) in configuration.config.sites.iter().zip(&mut checks) {
            let site = context.site(site, None).await?;
            check.aws = Some(tidegate_iam::check::check(&context.connection, &site).await?);
        }
    }
    if common.json {
        print_json(&serde_json::json!({ "sites": checks }))?;
    } else {
        checks.iter().for_each(|check| out!("{check}"));
    }
    Ok(if checks.iter().all(SiteCheck::passed) { ExitStatus::Success } else { ExitStatus::Usage })
}

async fn check_plugins(site: &Site, loader: &PluginLoader, s3: &S3) -> PluginCheck {
    let mut site = site.clone();
    let mut not_checked = Vec::new();
    for list in [&mut site.sync, &mut site.policy] {
        for plugin in list.extract_if(.., |plugin_use| plugin_use.is_in_s3()) {
            not_checked.push(plugin.plugin.to_string());
        }
    }
    match loader.load(&site, s3).await {
        Ok(chain) => {
            let plugins = chain.all().map(|(configured, signed)| CheckedPlugin::new(configured, signed)).collect();
            PluginCheck::Passed { plugins, not_checked }
        }
        Err(error) => PluginCheck::Failed { error: error.to_string(), failure: error.plugin_failure().cloned() },
    }
}

impl CheckedPlugin {
    fn new(configured: &ConfiguredPlugin, signed: Option<&SignedPlugin>) -> Self {
        Self {
            plugin: configured.name().to_owned(),
            kind: configured.plugin().kind().as_str(),
            sha256: configured.plugin().sha256().to_string(),
            settings: serde_json::from_str(configured.settings()).unwrap_or_default(),
            signed: signed.cloned(),
            grant: configured.grant().cloned(),
            mode: configured.mode(),
        }
    }
}

impl SiteCheck {
    /// Whether nothing was found that would make a publish fail.
    fn passed(&self) -> bool {
        let mut findings = self.aws.iter().flatten();
        self.ok && !findings.any(|finding| finding.severity == PreflightSeverity::Missing)
    }
}

impl fmt::Display for SiteCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = &self.site;
        match &self.plugins {
            PluginCheck::Passed { plugins, .. } => {
                let names: Vec<&str> = plugins.iter().map(|plugin| plugin.plugin.as_str()).collect();
                writeln!(f, "{GREEN}ok{GREEN:#}     {site}: {}", names.join(", "))?;
                for CheckedPlugin { plugin, signed, grant, mode, .. } in plugins {
                    if let Some(trust) = describe_trust(signed.as_ref(), grant.as_ref(), *mode, plugin) {
                        writeln!(f, "       {trust}")?;
                    }
                }
            }
            PluginCheck::Failed { error, failure } => {
                writeln!(f, "{RED}error{RED:#}  {site}: {error}")?;
                for detail in failure.iter().flat_map(PluginFailure::details) {
                    writeln!(f, "       {DIM}{detail}{DIM:#}")?;
                }
            }
        }
        for finding in self.aws.iter().flatten() {
            let (style, severity) = match finding.severity {
                PreflightSeverity::Missing => (RED, "missing"),
                PreflightSeverity::OverPermissive => (YELLOW, "over-permissive"),
                PreflightSeverity::Note => (YELLOW, "note"),
            };
            writeln!(f, "       {style}{severity}{style:#}: {}", finding.message)?;
        }
        if let PluginCheck::Passed { not_checked, .. } = &self.plugins {
            for plugin in not_checked {
                writeln!(f, "       not checked: the plugin `{plugin}` is in S3")?;
            }
        }
        Ok(())
    }
}
