//! `tidegate explain`: what plugins did to one object, and why.

use serde::Serialize;
use tidegate_core::desired::{DesiredBody, DesiredEntry, TraceStep};
use tidegate_core::key::StoredKey;
use tidegate_core::manifest::RecordState;
use tidegate_host::sync::Trace;
use tidegate_publish::publish::PlannedPublish;

use crate::arguments::{CommonArguments, ExplainArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, publish_request};
use crate::error::{CliError, ExitStatus};
use crate::output::{BOLD, DIM, print_json};

/// Explains a key on the site or in the source.
pub(crate) async fn explain(common: &CommonArguments, arguments: &ExplainArguments) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let site = configuration.site(&arguments.source.site)?;
    let source = configuration.source(site, arguments.source.from.as_ref())?;
    let context = AwsContext::open(common).await?;
    let mut site = context.site(site, Some(&source)).await?;
    let request = publish_request(&site, &source, arguments.source.release.as_deref(), "cli");
    let mut publisher = context.publisher(common, &configuration.directory)?;
    arguments.source.reading.apply(&mut publisher, &mut site);
    let planned = publisher.plan(&request, &site, Trace::On).await?;
    let retained = publisher.retained(&site, &arguments.key).await?;
    drop(publisher);
    let mut explanations = explanations(&planned, &arguments.key);
    if explanations.is_empty() {
        let states = retained.iter().map(|state| kept_status(*state));
        explanations.extend(states.map(|status| Explanation::new(&planned, &arguments.key, &status)));
    }
    if explanations.is_empty() {
        let message = format!("neither the source nor the site has `{}`", arguments.key.escape_default());
        return Err(CliError::Usage(message));
    }
    if common.json {
        print_json(&explanations)?;
    } else {
        explanations.iter().for_each(Explanation::print);
    }
    Ok(ExitStatus::Success)
}

/// What happened to one object.
#[derive(Serialize)]
struct Explanation {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// `published`, `redirect to …`, `excluded` or `not in the source`.
    status: String,
    headers: Vec<(String, String)>,
    /// The operation of the plan.
    plan: String,
    trail: Vec<TraceStep>,
}

fn explanations(planned: &PlannedPublish, key: &str) -> Vec<Explanation> {
    let entries = planned.desired.entries().iter();
    let entries = entries.filter(|entry| entry.key.as_str() == key || source_of(entry) == Some(key));
    let excluded = planned.desired.excluded().iter().filter(|excluded| excluded.source.as_str() == key);
    let mut found: Vec<Explanation> = entries
        .map(|entry| Explanation::of_entry(planned, entry))
        .chain(excluded.map(|excluded| Explanation {
            source: Some(excluded.source.to_string()),
            trail: excluded.trail.to_vec(),
            ..Explanation::new(planned, key, "excluded")
        }))
        .chain(planned.exclusions.iter().filter(|excluded| excluded.covers(key)).map(|excluded| Explanation {
            source: (!excluded.is_folder()).then(|| excluded.path.clone()),
            trail: vec![excluded.step()],
            ..Explanation::new(planned, key, "excluded")
        }))
        .collect();
    if found.is_empty() && planned.plan.operations.iter().any(|operation| operation.key.as_str() == key) {
        found.push(Explanation::new(planned, key, "not in the source"));
    }
    found
}

fn kept_status(state: RecordState) -> String {
    match state {
        RecordState::Live => "on the site".to_owned(),
        RecordState::Retained(last) => format!("not in the source; kept on the site for releases up to {last}"),
        RecordState::Archived(last) => format!("not on the site; its body is archived for releases up to {last}"),
    }
}

fn source_of(entry: &DesiredEntry) -> Option<&str> {
    match &entry.body {
        DesiredBody::Object { source, .. } => Some(source.as_str()),
        DesiredBody::Redirect(_) => None,
    }
}

fn planned_operation(planned: &PlannedPublish, key: &str) -> String {
    let operation = planned.plan.operations.iter().find(|operation| operation.key.as_str() == key);
    match operation {
        Some(operation) => format!("{} ({})", operation.kind(), operation.reason),
        None if planned.desired.get(key).is_some() => "unchanged".to_owned(),
        None => "none".to_owned(),
    }
}

impl Explanation {
    fn new(planned: &PlannedPublish, key: &str, status: &str) -> Self {
        Self {
            key: key.to_owned(),
            source: None,
            status: status.to_owned(),
            headers: Vec::new(),
            plan: planned_operation(planned, key),
            trail: Vec::new(),
        }
    }

    fn of_entry(planned: &PlannedPublish, entry: &DesiredEntry) -> Self {
        let status = match &entry.body {
            DesiredBody::Object { .. } => "published".to_owned(),
            DesiredBody::Redirect(target) => format!("redirect to {target}"),
        };
        let headers = entry.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_owned()));
        let metadata = entry.headers.metadata().map(|(name, value)| (format!("x-amz-meta-{name}"), value.to_owned()));
        Self {
            source: source_of(entry).map(str::to_owned),
            headers: headers.chain(metadata).collect(),
            trail: entry.trail.to_vec(),
            ..Self::new(planned, entry.key.as_str(), &status)
        }
    }

    fn print(&self) {
        // Excluded names can have every character.
        let key = StoredKey::new(&self.key);
        outln!("{BOLD}{key}{BOLD:#}: {}; plan: {}", self.status, self.plan);
        if let Some(source) = self.source.as_ref().filter(|source| **source != self.key) {
            outln!("  from `{source}`");
        }
        for (name, value) in &self.headers {
            outln!("  {name}: {value}");
        }
        for step in &self.trail {
            let rule = if step.rule.is_empty() { String::new() } else { format!(" [{}]", step.rule) };
            let observed = if step.observed { ", observed, would decide" } else { "" };
            outln!("  `{}`{observed}: {}{DIM}{rule}{DIM:#}", step.plugin, step.reason);
            for effect in &step.effects {
                outln!("    {DIM}{effect}{DIM:#}");
            }
        }
        if self.trail.iter().all(|step| step.observed) {
            outln!("  {DIM}no plugin changed it{DIM:#}");
        }
    }
}
