//! `tidegate sync`: turns arguments into a site, which is published like one of a configuration.

use clap::{ArgMatches, ValueEnum};
use serde_json::{Map, Value, json};
use tidegate_core::arn::Partition;
use tidegate_core::config::{
    ArchiveLimits, CredentialMode, DistributionConfig, DistributionId, LeaseSeconds, OriginPath, PluginReference,
    PluginUse, ProtectedKeys, Site, SiteName,
};
use tidegate_core::declared::StagedHeaders;
use tidegate_core::diff::Comparison;
use tidegate_core::finding::Finding;
use tidegate_core::location::Location;
use tidegate_core::put_options::ObjectSettings;
use tidegate_core::release::Retention;

use crate::arguments::{CommonArguments, CredentialsFlag, HeaderArgument, StagedHeadersFlag, SyncArguments};
use crate::context::{AwsContext, publish_request};
use crate::error::{CliError, ExitStatus};
use crate::publish::{PublishRun, apply, preview};

/// The name of the site in plans and reports.
const NAME: &str = "sync";

/// Makes a prefix match a source.
pub(crate) async fn sync(
    common: &CommonArguments,
    arguments: &SyncArguments,
    matches: Option<&ArgMatches>,
) -> Result<ExitStatus, CliError> {
    let mut site = site(arguments, &filters(arguments, matches))?;
    let context = AwsContext::open(common).await?;
    let request = publish_request(&site, &arguments.source, None, "cli");
    let mut publisher = context.publisher(common, std::path::Path::new(""))?;
    arguments.reading.apply(&mut publisher, &mut site);
    publisher.comparison = if arguments.content_only { Comparison::Content } else { Comparison::Whole };
    // Without HEAD requests, the ETags of the listing decide. Most of them are MD5s, so files are read once for both digests.
    publisher.options.algorithms.md5 = arguments.content_only;
    // A flag that was typed holds for every object, not only for those that are written anyway.
    publisher.check_settings = true;
    let run = PublishRun {
        find_distributions: arguments.cf_invalidate,
        adapt_finding: name_flag,
        ..PublishRun::new(&context, &request, site)
    };
    if arguments.dry_run { preview(common, publisher, run, None).await } else { apply(common, publisher, run).await }
}

/// `--exclude` and `--include` as globs of one `.gitignore`, in the order in which they were typed: the last match decides.
fn filters(arguments: &SyncArguments, matches: Option<&ArgMatches>) -> Vec<String> {
    let positions = |name: &str| -> Vec<usize> {
        matches.and_then(|matches| matches.indices_of(name)).map(Iterator::collect).unwrap_or_default()
    };
    let excluded = positions("exclude").into_iter().zip(arguments.exclude.iter().cloned());
    let included = positions("include").into_iter().zip(arguments.include.iter().map(|glob| format!("!{glob}")));
    let mut filters: Vec<(usize, String)> = excluded.chain(included).collect();
    filters.sort();
    filters.into_iter().map(|(_, glob)| glob).collect()
}

fn site(arguments: &SyncArguments, filters: &[String]) -> Result<Site, CliError> {
    Ok(Site {
        name: SiteName::try_from(NAME.to_owned()).map_err(CliError::system)?,
        staged: None,
        builds: None,
        builds_kms_key: None,
        staged_headers: match arguments.staged_headers {
            StagedHeadersFlag::Keep => StagedHeaders::Keep,
            StagedHeadersFlag::Ignore => StagedHeaders::Ignore,
        },
        publish_on_upload: None,
        webhooks: Vec::new(),
        target: arguments.target.clone(),
        state: None,
        edge: None,
        state_kms_key: None,
        default_partition: Partition::default(),
        keep: Retention::default(),
        lease_seconds: LeaseSeconds::default(),
        role: None,
        owner: arguments.expected_bucket_owner.clone(),
        builds_owner: arguments.source_bucket_owner.clone(),
        state_owner: None,
        credentials: arguments.credentials.map(|flag| match flag {
            CredentialsFlag::Scoped => CredentialMode::Scoped,
            CredentialsFlag::Caller => CredentialMode::Caller,
        }),
        cdn: arguments
            .distribution
            .iter()
            .map(|text| distribution(text, &arguments.target))
            .collect::<Result<_, _>>()?,
        delete: arguments.delete,
        strip_prefix: arguments.strip_prefix.clone().unwrap_or_default(),
        archive_limits: ArchiveLimits::default(),
        // Excluded keys are excluded on both sides, so they are not deleted either.
        protect: ProtectedKeys::new(filters).map_err(CliError::usage)?,
        objects: ObjectSettings {
            acl: arguments.acl.and_then(name),
            encryption: arguments.sse.and_then(name),
            kms_key: arguments.sse_kms_key_id.clone(),
            storage_class: arguments.storage_class.and_then(name),
        },
        sync: sync_plugins(arguments, filters)?,
        policy: vec![guard(arguments)?],
    })
}

fn sync_plugins(arguments: &SyncArguments, filters: &[String]) -> Result<Vec<PluginUse>, CliError> {
    let mut plugins = vec![plugin_use("exclude", &json!({ "globs": filters }))?, plugin_use("mime", &json!({}))?];
    let mut rules = header_rules(&arguments.content_type, "content-type");
    rules.extend(header_rules(&arguments.cache_control, "cache-control"));
    rules.extend(header_rules(&arguments.content_encoding, "content-encoding"));
    if !rules.is_empty() {
        // Only what was typed is set: no presets, no `_headers` file.
        let presets = json!({ "fingerprinted": null, "pages": null, "others": null });
        let settings = json!({ "rules": rules, "presets": presets, "headers-file": { "enabled": false } });
        plugins.push(plugin_use("headers", &settings)?);
    }
    Ok(plugins)
}

fn guard(arguments: &SyncArguments) -> Result<PluginUse, CliError> {
    let mut settings = Map::new();
    if arguments.allow_empty {
        settings.insert("allow-empty".to_owned(), Value::Bool(true));
    }
    if let Some(count) = arguments.max_deletes {
        settings.insert("max-deletes".to_owned(), Value::from(count));
        // A number that was typed replaces the default share.
        settings.insert("max-delete-share".to_owned(), Value::Null);
    }
    plugin_use("guard", &Value::Object(settings))
}

/// Names a flag in a finding whose message is about settings.
fn name_flag(finding: &mut Finding) {
    finding.rule.clear();
    let flag = match finding.code.as_str() {
        "too-many-deletes" | "too-large-share-of-deletes" => "; allow more with `--max-deletes COUNT`",
        "forbidden-name" if finding.key.is_some() => "; leave it out with `--exclude`",
        _ => "",
    };
    let message = finding.message.replace("set `allow-empty`", "use `--allow-empty`");
    let message = message.replace("set the site's `strip-prefix` to `", "use `--strip-prefix ");
    finding.message = message.replace("in `types` or with `headers`", "with `--content-encoding GLOB=VALUE`") + flag;
}

fn plugin_use(name: &str, settings: &Value) -> Result<PluginUse, CliError> {
    let plugin = PluginReference::try_from(name.to_owned()).map_err(CliError::system)?;
    Ok(PluginUse::new(plugin, settings.as_object().cloned().unwrap_or_default()))
}

/// The name of a choice, as the S3 API writes it.
fn name<T: ValueEnum + Copy>(choice: T) -> Option<String> {
    choice.to_possible_value().map(|value| value.get_name().to_owned())
}

/// Rules of the `headers` plugin. `none` removes a `Content-Encoding`.
fn header_rules(rules: &[HeaderArgument], header: &str) -> Vec<Value> {
    let rule = |HeaderArgument { glob, value }: &HeaderArgument| {
        let glob = glob.as_deref().unwrap_or("**");
        match (header, value.as_str()) {
            ("content-encoding", "none") => json!({ "glob": glob, "remove": [header] }),
            (_, value) => json!({ "glob": glob, "set": { header: value } }),
        }
    };
    rules.iter().map(rule).collect()
}

/// `E2EXAMPLE` or `E2EXAMPLE:/origin/path`.
fn distribution(text: &str, target: &Location) -> Result<DistributionConfig, CliError> {
    let invalid =
        |error: &dyn std::fmt::Display| CliError::Usage(format!("`--distribution {}`: {error}", text.escape_default()));
    let (id, path) = text.split_once(':').unwrap_or((text, ""));
    let cdn = DistributionConfig::new(
        DistributionId::try_from(id.to_owned()).map_err(|error| invalid(&error))?,
        OriginPath::try_from(path.to_owned()).map_err(|error| invalid(&error))?,
    );
    if cdn.leads_to(target) { Ok(cdn) } else { Err(invalid(&format!("the origin path does not contain `{target}`"))) }
}
