//! `tidegate explain`: what plugins did to one object, and why.

use tidegate_core::desired::{DesiredBody, TraceStep};
use tidegate_host::sync::Trace;
use tidegate_publish::publish::PlannedPublish;

use crate::arguments::{CommonArguments, ExplainArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, request};
use crate::error::{CliError, ExitStatus};
use crate::publish::json;

/// Explains a key of the site, or of the source.
pub(crate) async fn explain(common: &CommonArguments, wanted: &ExplainArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&wanted.what.site)?;
    let source = configuration.source(site, wanted.what.from.as_ref())?;
    let session = AwsContext::open(common).await?;
    let site = session.site(site, Some(&source)).await?;
    let request = request(site.name.as_str(), &source, wanted.what.release.as_deref(), "cli");
    let publisher = session.publisher(common, &configuration.directory)?;
    let planned = publisher.plan(&request, &site, Trace::On).await?;
    drop(publisher);
    let stories = stories(&planned, &wanted.key);
    if stories.is_empty() {
        let message = format!("neither the source nor the site has `{}`", wanted.key.escape_default());
        return Err(CliError::Usage(message));
    }
    if common.json {
        println!("{}", json(&stories)?);
    } else {
        for story in &stories {
            story.print();
        }
    }
    Ok(ExitStatus::Done)
}

/// What became of one object.
#[derive(serde::Serialize)]
struct Explanation {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// `published`, `redirect`, `excluded`, `deleted` or `left alone`.
    fate: String,
    headers: Vec<(String, String)>,
    /// What the plan does to it.
    plan: String,
    trail: Vec<TraceStep>,
}

fn stories(planned: &PlannedPublish, key: &str) -> Vec<Explanation> {
    let mut found = Vec::new();
    for entry in planned.desired.entries() {
        let (source, fate) = match &entry.body {
            DesiredBody::Object { source, .. } => (Some(source.as_str()), "published".to_owned()),
            DesiredBody::Redirect(target) => (None, format!("redirect to {target}")),
        };
        if entry.key.as_str() == key || source == Some(key) {
            let headers = entry.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned()));
            let metadata =
                entry.headers.metadata().map(|(name, value)| (format!("x-amz-meta-{name}"), value.to_owned()));
            found.push(Explanation {
                key: entry.key.to_string(),
                source: source.map(str::to_owned),
                fate,
                headers: headers.chain(metadata).collect(),
                plan: planned_for(planned, entry.key.as_str()),
                trail: entry.trail.clone(),
            });
        }
    }
    for excluded in planned.desired.excluded().iter().filter(|excluded| excluded.source.as_str() == key) {
        found.push(Explanation {
            key: key.to_owned(),
            source: Some(excluded.source.to_string()),
            fate: "excluded".to_owned(),
            headers: Vec::new(),
            plan: planned_for(planned, key),
            trail: excluded.trail.clone(),
        });
    }
    if found.is_empty() && planned.plan.operations.iter().any(|operation| operation.key.as_str() == key) {
        found.push(Explanation {
            key: key.to_owned(),
            source: None,
            fate: "not in the source".to_owned(),
            headers: Vec::new(),
            plan: planned_for(planned, key),
            trail: Vec::new(),
        });
    }
    found
}

fn planned_for(planned: &PlannedPublish, key: &str) -> String {
    let operation = planned.plan.operations.iter().find(|operation| operation.key.as_str() == key);
    match operation {
        Some(operation) => format!("{} ({})", operation.verb(), operation.reason),
        None if planned.desired.get(key).is_some() => "unchanged".to_owned(),
        None => "nothing".to_owned(),
    }
}

impl Explanation {
    fn print(&self) {
        let (bold, faint) = (anstyle::Style::new().bold(), anstyle::Style::new().dimmed());
        anstream::println!("{bold}{}{bold:#}: {}; plan: {}", self.key, self.fate, self.plan);
        if let Some(source) = self.source.as_ref().filter(|source| **source != self.key) {
            anstream::println!("  from `{source}`");
        }
        for (name, value) in &self.headers {
            anstream::println!("  {name}: {value}");
        }
        for step in &self.trail {
            let rule = if step.rule.is_empty() { String::new() } else { format!(" [{}]", step.rule) };
            anstream::println!("  `{}`: {}{faint}{rule}{faint:#}", step.plugin, step.reason);
            for effect in &step.effects {
                anstream::println!("    {faint}{effect}{faint:#}");
            }
        }
        if self.trail.is_empty() {
            anstream::println!("  {faint}no plugin decided anything about it{faint:#}");
        }
    }
}
