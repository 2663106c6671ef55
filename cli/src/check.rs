//! `tidegate check`: the configuration, its plugins and their settings, without AWS.

use tidegate_deploy::S3;
use tidegate_host::config::{PluginReference, Site};

use crate::arguments::Common;
use crate::configuration::Configuration;
use crate::ending::{Ending, Trouble};
use crate::session::{Session, workshop};

/// Checks every site and tells all that is wrong, not only the first thing.
pub(crate) async fn check(common: &Common) -> Result<Ending, Trouble> {
    let configuration = Configuration::load(&common.config)?;
    let workshop = workshop(&configuration.directory)?;
    let s3 = S3::new(&Session::offline());
    let (mut told, mut wrong) = (Vec::new(), false);
    for site in &configuration.config.sites {
        let (site, unseen) = without_objects(site);
        match workshop.chain(&site, &s3).await {
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
    if common.json {
        println!("{}", serde_json::json!({ "sites": told }));
    } else {
        people(&told);
    }
    Ok(if wrong { Ending::Usage } else { Ending::Done })
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
        for plugin in list(site, "not-checked") {
            anstream::println!("       not checked, since it is in S3: {}", plugin.as_str().unwrap_or_default());
        }
    }
}
