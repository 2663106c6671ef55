//! `tidegate sync`: what is typed instead of a configuration file becomes one, and goes the same way.
//!
//! Owns the translation from flags to a site.

use clap::{ArgMatches, ValueEnum};
use serde_json::{Map, Value, json};
use tidegate_core::approval::Approval;
use tidegate_core::config::{
    DistributionConfig, DistributionId, LeaseSeconds, OriginPath, PluginReference, PluginUse, ProtectedKeys, Site,
    SiteName,
};
use tidegate_core::diff::Comparison;
use tidegate_core::put_options::ObjectSettings;
use tidegate_core::release::Retention;

use crate::arguments::{CommonArguments, SyncArguments};
use crate::context::{AwsContext, request};
use crate::error::{CliError, ExitStatus};
use crate::publish::{carry_out, preview};

/// The name of the site that a command line describes.
const NAME: &str = "sync";

/// Makes a prefix equal to a source.
pub(crate) async fn sync(
    common: &CommonArguments,
    wanted: &SyncArguments,
    matches: Option<&ArgMatches>,
) -> Result<ExitStatus, CliError> {
    let filters = filters(wanted, matches);
    let site = site(wanted, filters)?;
    let session = AwsContext::open(common).await?;
    let site = session.site(&site, Some(&wanted.source)).await?;
    let request = request(NAME, &wanted.source, None, "cli");
    let mut publisher = session.publisher(common, std::path::Path::new(""))?;
    publisher.comparison = if wanted.content_only { Comparison::Content } else { Comparison::Whole };
    // Without HEADs, the listing's ETags decide, most of which are MD5s: each file is read once for both digests.
    publisher.options.algorithms.md5 = wanted.content_only;
    if wanted.dry_run {
        return preview(common, publisher, &request, &site).await;
    }
    carry_out(common, publisher, None, &request, &site, Approval::Policies).await
}

/// `--exclude` and `--include` in the order in which they were typed, as globs of a `.gitignore`: the last match decides.
fn filters(wanted: &SyncArguments, matches: Option<&ArgMatches>) -> Vec<String> {
    let places = |name: &str| -> Vec<usize> {
        matches.and_then(|matches| matches.indices_of(name)).map(Iterator::collect).unwrap_or_default()
    };
    let excluded = places("exclude").into_iter().zip(wanted.exclude.iter().cloned());
    let included = places("include").into_iter().zip(wanted.include.iter().map(|glob| format!("!{glob}")));
    let mut all: Vec<(usize, String)> = excluded.chain(included).collect();
    all.sort();
    all.into_iter().map(|(_, glob)| glob).collect()
}

fn site(wanted: &SyncArguments, filters: Vec<String>) -> Result<Site, CliError> {
    let usage = |error: &dyn std::fmt::Display| CliError::Usage(error.to_string());
    let headers = rules(&wanted.cache_control, "cache-control");
    let types = rules(&wanted.content_type, "content-type");
    let mut chain = vec![used("exclude", &json!({ "globs": filters }))?, used("mime", &json!({}))?];
    if !headers.is_empty() || !types.is_empty() {
        let rules: Vec<Value> = types.into_iter().chain(headers).collect();
        // What is typed is all that is set: no cache rules of our own, no `_headers` file.
        let presets = json!({ "fingerprinted": null, "pages": null, "others": null });
        let settings = json!({ "rules": rules, "presets": presets, "headers-file": { "enabled": false } });
        chain.push(used("headers", &settings)?);
    }
    let mut guard = Map::new();
    if wanted.allow_empty {
        guard.insert("allow-empty".to_owned(), Value::Bool(true));
    }
    if let Some(most) = wanted.max_deletes {
        guard.insert("max-deletes".to_owned(), Value::from(most));
    }
    Ok(Site {
        name: SiteName::try_from(NAME.to_owned()).map_err(|error| usage(&error))?,
        staged: None,
        builds: None,
        publish_on_upload: None,
        webhooks: Vec::new(),
        target: wanted.target.clone(),
        state: None,
        keep: Retention::default(),
        lease_seconds: LeaseSeconds::default(),
        role: None,
        cdn: wanted.distribution.iter().map(|text| distribution(text, wanted)).collect::<Result<_, _>>()?,
        delete: wanted.delete,
        // What is excluded is excluded on both sides: it is not deleted either.
        protect: ProtectedKeys::new(&filters).map_err(|error| usage(&error))?,
        objects: ObjectSettings {
            acl: wanted.acl.and_then(name),
            encryption: wanted.sse.and_then(name),
            kms_key: wanted.sse_kms_key_id.clone(),
            storage_class: wanted.storage_class.and_then(name),
        },
        sync: chain,
        policy: vec![used("guard", &Value::Object(guard))?],
    })
}

/// The name of a choice, as the API writes it.
fn name<T: ValueEnum + Copy>(choice: T) -> Option<String> {
    choice.to_possible_value().map(|value| value.get_name().to_owned())
}

fn used(name: &str, settings: &Value) -> Result<PluginUse, CliError> {
    let plugin = PluginReference::try_from(name.to_owned()).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(PluginUse { plugin, sha256: None, settings: settings.as_object().cloned().unwrap_or_default() })
}

/// `GLOB=VALUE` or `VALUE`, as rules of the `headers` plugin. A value may hold `=` (`max-age=60`), so what stands before
/// the first one is a glob only if no directive of `Cache-Control` or parameter of a type looks like it.
fn rules(typed: &[String], header: &str) -> Vec<Value> {
    typed
        .iter()
        .map(|text| {
            let (glob, value) = text
                .split_once('=')
                .filter(|(glob, _)| glob.contains(['*', '.', '?', '[']) && !glob.contains([' ', ';', ',']))
                .unwrap_or(("**", text));
            json!({ "glob": glob, "set": { header: value } })
        })
        .collect()
}

/// `E2EXAMPLE` or `E2EXAMPLE:/origin/path`.
fn distribution(text: &str, wanted: &SyncArguments) -> Result<DistributionConfig, CliError> {
    let usage = |error: &dyn std::fmt::Display| CliError::Usage(format!("`--cdn {}`: {error}", text.escape_default()));
    let (id, path) = text.split_once(':').unwrap_or((text, ""));
    let cdn = DistributionConfig::new(
        DistributionId::try_from(id.to_owned()).map_err(|error| usage(&error))?,
        OriginPath::try_from(path.to_owned()).map_err(|error| usage(&error))?,
    );
    if cdn.leads_to(&wanted.target) {
        Ok(cdn)
    } else {
        Err(usage(&format!("the origin path does not lead to `{}`", wanted.target)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        let first = |text: &str| rules(&[text.to_owned()], "cache-control").remove(0);
        assert_eq!(first("max-age=60, public")["glob"], "**");
        assert_eq!(first("*.html=no-cache")["glob"], "*.html");
        assert_eq!(first("assets/**=max-age=60")["set"]["cache-control"], "max-age=60");
    }
}
