//! `tidegate check`: the configuration, its plugins and their settings, without AWS; with `--aws` also what AWS says of it.

use tidegate_core::config::{PluginReference, Site};
use tidegate_iam::preflight::PreflightSeverity;
use tidegate_publish::{PluginLoader, S3};

use crate::arguments::{CheckArguments, CommonArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, components};
use crate::error::{CliError, ExitStatus};

/// Checks every site and tells all that is wrong, not only the first thing.
pub(crate) async fn check(common: &CommonArguments, wanted: &CheckArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let workshop = PluginLoader::Components(components(&configuration.directory)?);
    let s3 = S3::new(&AwsContext::offline());
    let (mut told, mut wrong) = (Vec::new(), false);
    for site in &configuration.config.sites {
        let (site, unseen) = without_objects(site);
        match workshop.load(&site, &s3).await {
            Ok(chain) => {
                let plugins: Vec<serde_json::Value> = chain
                    .sync
                    .iter()
                    .chain(&chain.policy)
                    .map(|used| {
                        serde_json::json!({
                            "plugin": used.name(),
                            "kind": used.plugin().kind().as_str(),
                            "sha256": used.plugin().sha256(),
                            "settings": serde_json::from_str::<serde_json::Value>(used.settings()).unwrap_or_default(),
                        })
                    })
                    .collect();
                told.push(serde_json::json!({
                    "site": site.name, "ok": true, "plugins": plugins, "not-checked": unseen,
                }));
            }
            Err(error) => {
                wrong = true;
                told.push(serde_json::json!({ "site": site.name, "ok": false, "error": error.to_string() }));
            }
        }
    }
    if wanted.aws {
        wrong |= ask_aws(common, &configuration, &mut told).await?;
    }
    if common.json {
        println!("{}", serde_json::json!({ "sites": told }));
    } else {
        people(&told);
    }
    Ok(if wrong { ExitStatus::Usage } else { ExitStatus::Done })
}

/// Adds what AWS says of each site; whether a publish would fail.
async fn ask_aws(
    common: &CommonArguments,
    configuration: &Configuration,
    told: &mut [serde_json::Value],
) -> Result<bool, CliError> {
    let session = AwsContext::open(common).await?;
    let mut wrong = false;
    for (site, told) in configuration.config.sites.iter().zip(told) {
        let site = session.site(site, None).await?;
        let found = tidegate_iam::check::check(&session.connection, &site).await?;
        wrong |= found.iter().any(|one| one.weight == PreflightSeverity::Missing);
        if let Some(members) = told.as_object_mut() {
            members.insert("aws".to_owned(), serde_json::json!(found));
        }
    }
    Ok(wrong)
}

/// Plugins in S3 cannot be checked without AWS.
fn without_objects(site: &Site) -> (Site, Vec<String>) {
    let mut site = site.clone();
    let mut unseen = Vec::new();
    for list in [&mut site.sync, &mut site.policy] {
        list.retain(|used| {
            let in_s3 = matches!(used.plugin, PluginReference::Object(_));
            if in_s3 {
                unseen.push(used.plugin.to_string());
            }
            !in_s3
        });
    }
    (site, unseen)
}

fn people(told: &[serde_json::Value]) {
    let (good, bad) = (anstyle::AnsiColor::Green.on_default(), anstyle::AnsiColor::Red.on_default());
    let text = |value: &serde_json::Value, name: &str| {
        value.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let list = |value: &serde_json::Value, name: &str| {
        value.get(name).and_then(serde_json::Value::as_array).cloned().unwrap_or_default()
    };
    for site in told {
        let name = text(site, "site");
        if site.get("ok").and_then(serde_json::Value::as_bool) == Some(true) {
            let plugins: Vec<String> = list(site, "plugins").iter().map(|plugin| text(plugin, "plugin")).collect();
            anstream::println!("{good}ok{good:#}     {name}: {}", plugins.join(", "));
        } else {
            anstream::println!("{bad}wrong{bad:#}  {name}: {}", text(site, "error"));
        }
        for one in list(site, "aws") {
            let weight = text(&one, "weight");
            let style = if weight == "missing" { bad } else { anstyle::AnsiColor::Yellow.on_default() };
            anstream::println!("       {style}{weight:8}{style:#} {}", text(&one, "what"));
        }
        for plugin in list(site, "not-checked") {
            anstream::println!("       not checked, since it is in S3: {}", plugin.as_str().unwrap_or_default());
        }
    }
}
