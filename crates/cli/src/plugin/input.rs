//! What a plugin is run on, from the arguments of a command.

use std::path::PathBuf;

use serde_json::Value;
use tidegate_core::config::{Config, Site};
use tidegate_core::location::{Location, Source};
use tidegate_host::{ConfiguredPlugin, Limits, PluginKind};
use tidegate_publish::publish::{Trial, TrialSpec, TrialTarget};

use super::subject::{Subject, configure, settings};
use crate::arguments::{CommonArguments, EdgeDialectFlag, PluginInputArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, publish_request};
use crate::error::CliError;

/// The target of a plan that is compared with nothing. No request is sent to it.
const NO_TARGET: &str = "s3://none/";

/// A plugin with its settings, and what it is run on.
pub(super) struct TrialInput {
    pub(super) subject: Subject,
    pub(super) configured: ConfiguredPlugin,
    /// The settings before their validation.
    pub(super) given: Value,
    pub(super) source: Source,
    pub(super) trial: Trial,
}

impl TrialInput {
    /// Finds the plugin, reads the source, and runs the plugins before it.
    pub(super) async fn open(common: &CommonArguments, arguments: &PluginInputArguments) -> Result<Self, CliError> {
        let subject = tokio::task::block_in_place(|| Subject::find(&arguments.plugin))?;
        let plugin = subject.load()?;
        let kind = plugin.kind();
        if arguments.against.is_some() && kind == PluginKind::Sync {
            let message = "`--against` is for policies: a sync plugin does not see the site; remove it";
            return Err(CliError::Usage(message.to_owned()));
        }
        let configuration = match &arguments.site {
            Some(_) => Configuration::load(&common.config)?,
            None => without_site(arguments.against.as_ref())?,
        };
        let (site, used) = site(&configuration, arguments, &subject, kind)?;
        let source = configuration.source(&site, arguments.from.as_ref())?;
        let given = match (&arguments.settings, used) {
            (Some(text), _) => settings(text)?,
            (None, Some(used)) => used,
            (None, None) => Value::Object(serde_json::Map::new()),
        };
        let configured = configure(&plugin, &given)?;
        let target = if arguments.against.is_some() { TrialTarget::Site } else { TrialTarget::Empty };
        let needs_aws = target == TrialTarget::Site || matches!(source, Source::Prefix(_) | Source::Object(_));
        let context = if needs_aws {
            AwsContext::open(common).await?
        } else {
            AwsContext { connection: AwsContext::offline(), emulator: None, region_configured: false }
        };
        let site = if needs_aws { context.site(&site, Some(&source)).await? } else { site };
        let request = publish_request(&site, &source, None, "cli");
        let publisher = context.publisher(common, &configuration.directory)?;
        let edge = arguments.edge.map(|dialect| match dialect {
            EdgeDialectFlag::Netlify => "netlify",
            EdgeDialectFlag::Cloudflare => "cloudflare",
        });
        let trial = publisher.trial(&request, &site, TrialSpec { kind, target, edge }).await?;
        Ok(Self { subject, configured, given, source, trial })
    }

    /// The limits of its runs.
    pub(super) fn limits(&self) -> &Limits {
        self.configured.plugin().limits()
    }
}

/// A configuration with one site that has no plugins.
fn without_site(target: Option<&Location>) -> Result<Configuration, CliError> {
    let target = target.map_or_else(|| NO_TARGET.to_owned(), Location::to_string);
    let text = format!("[[site]]\nname = \"site\"\ntarget = {target:?}\n");
    let config = Config::parse(&text).map_err(CliError::usage)?;
    Ok(Configuration { config, text, directory: PathBuf::new() })
}

/// The site with the sync plugins before this one, and the settings that it has for this one.
fn site(
    configuration: &Configuration,
    arguments: &PluginInputArguments,
    subject: &Subject,
    kind: PluginKind,
) -> Result<(Site, Option<Value>), CliError> {
    let mut site = configuration.site(arguments.site.as_deref().unwrap_or("site"))?.clone();
    if let Some(target) = &arguments.against {
        site.target = target.clone();
    }
    let uses = match kind {
        PluginKind::Sync => &site.sync,
        PluginKind::Policy => &site.policy,
    };
    let at = uses.iter().position(|used| subject.is_use(used, &configuration.directory));
    let settings = at.and_then(|at| uses.get(at)).map(|used| Value::Object(used.settings.clone()));
    if let (PluginKind::Sync, Some(at)) = (kind, at) {
        site.sync.truncate(at);
    }
    Ok((site, settings))
}
