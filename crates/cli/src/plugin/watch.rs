//! `tidegate plugin run --watch`: runs again when the plugin or its source changes.

use serde_json::json;
use tidegate_core::config::PluginUse;
use tidegate_core::listing_filter::ListingFilter;
use tidegate_core::location::{Prefix, Source};
use tokio::sync::mpsc;

use super::run::run;
use crate::arguments::{CommonArguments, PluginRunArguments};
use crate::configuration::Configuration;
use crate::error::{CliError, ExitStatus};
use crate::interrupt;
use crate::output::DIM;
use crate::print_error::print_error;
use crate::watch::SourceWatcher;

/// Runs until interrupted. An error, such as one of the compiler, is printed and does not end it.
pub(super) async fn watch(common: &CommonArguments, arguments: &PluginRunArguments) -> Result<ExitStatus, CliError> {
    let (changed, mut changes) = mpsc::channel(1);
    let mut watchers = Vec::new();
    let plugin = &arguments.input.plugin;
    if plugin.exists() {
        // What a build writes is no change of its sources.
        watchers.push(SourceWatcher::new(plugin, without(&["target/", "/*.wasm", "/Cargo.lock"])?, changed.clone())?);
    }
    match source(common, arguments)? {
        Source::Directory(path) => watchers.push(SourceWatcher::new(&path, without(&[])?, changed.clone())?),
        Source::Archive(path) => watchers.push(SourceWatcher::new(&path, ListingFilter::default(), changed.clone())?),
        Source::Prefix(_) | Source::Object(_) | Source::Release(_) => {}
    }
    if watchers.is_empty() {
        let message = "there is nothing to watch: the plugin is bundled and the source is in S3; remove `--watch`";
        return Err(CliError::Usage(message.to_owned()));
    }
    let cancel = interrupt::token()?;
    loop {
        if let Err(error) = run(common, arguments).await {
            print_error(&error, common.json);
        }
        if !common.json {
            outln!("{DIM}waiting for changes; Ctrl-C ends{DIM:#}");
        }
        tokio::select! {
            () = cancel.cancelled() => return Ok(ExitStatus::Success),
            change = changes.recv() => match change {
                Some(()) => watchers.iter_mut().for_each(SourceWatcher::renew),
                None => return Ok(ExitStatus::Success),
            },
        }
    }
}

fn source(common: &CommonArguments, arguments: &PluginRunArguments) -> Result<Source, CliError> {
    match (&arguments.input.from, &arguments.input.site) {
        (Some(source), _) => Ok(source.clone()),
        (None, name) => {
            let configuration = Configuration::load(&common.config)?;
            configuration.source(configuration.site(name.as_deref().unwrap_or_default())?, None)
        }
    }
}

/// A filter that leaves out these names, and those that systems, editors and version control create.
fn without(globs: &[&str]) -> Result<ListingFilter, CliError> {
    let exclude = json!({ "plugin": "exclude", "settings": { "globs": globs } });
    let exclude: PluginUse = serde_json::from_value(exclude).map_err(CliError::system)?;
    Ok(ListingFilter::new(&[exclude], &Prefix::default()))
}
