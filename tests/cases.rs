//! Test cases as folders: each folder of `cases/` is one test.
//!
//! A folder contains `why.md` (one line: the expected behaviour, with its source), `tidegate.toml`, the source in
//! `source/` and `source.toml` (for files that version control cannot store), `site.toml` (the bucket before), and the
//! expected result in `expected-plan.json` and `expected-site.toml`. `UPDATE_EXPECTED=1` rewrites those two. The first
//! site of the configuration is published to the bucket `site`.
//!
//! Every case also checks that planning only reads, that a failed plan or a denied publish leaves the site unchanged,
//! and that a second run changes nothing.
#![expect(clippy::unwrap_used, reason = "a panic here is a failed test and names its location")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde::Serialize;
use tidegate_core::diff::Comparison;
use tidegate_core::plan::{Action, Operation, PlannedBody};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_publish::publish::PlannedPublish;
use tidegate_tests::{BucketContents, SourceObject, Sources, World, calls};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(folders).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let trials = cases
        .into_iter()
        .filter(|path| path.is_dir())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            Trial::test(name, move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                runtime.block_on(run(&path)).map_err(Failed::from)
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The content of `expected-plan.json`.
#[derive(Serialize)]
#[serde(untagged)]
enum ExpectedPlan {
    Refused {
        refused: String,
    },
    Planned {
        operations: Vec<ExpectedOperation>,
        totals: serde_json::Map<String, serde_json::Value>,
        policies: Vec<String>,
        findings: Vec<String>,
    },
}

#[derive(Serialize)]
struct ExpectedOperation {
    key: String,
    verb: &'static str,
    reason: String,
    phase: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<String>,
}

fn describe_plan(planned: &PlannedPublish) -> ExpectedPlan {
    let totals = serde_json::to_value(&planned.plan.totals).unwrap();
    let totals = totals.as_object().unwrap().clone().into_iter().filter(|(_, count)| *count != 0).collect();
    let policies = planned.judgements.iter().map(|judgement| {
        let observed = if judgement.mode.is_enforced() { "" } else { " (observed)" };
        format!("{}: {}{observed}", judgement.plugin, judgement.verdict)
    });
    let findings = planned.findings.iter().chain(planned.judgements.iter().flat_map(|judgement| &judgement.findings));
    ExpectedPlan::Planned {
        operations: planned.plan.operations.iter().map(describe_operation).collect(),
        totals,
        policies: policies.collect(),
        findings: findings.map(ToString::to_string).collect(),
    }
}

fn describe_operation(operation: &Operation) -> ExpectedOperation {
    let (body, headers, differences) = match &operation.action {
        Action::Put { body, size, headers, .. } => {
            let body = match body {
                PlannedBody::Source(key) => format!("{size} bytes of the source's {key}"),
                PlannedBody::Site { key, .. } => format!("{size} bytes of the site's {key}"),
                PlannedBody::Redirect(target) => format!("redirect to {}", target.as_str()),
            };
            let headers = headers.iter().map(|(name, value)| format!("{}: {value}", name.as_str()));
            (Some(body), headers.collect(), Vec::new())
        }
        Action::Headers { differences, .. } => {
            let none = || "nothing".to_owned();
            let differences = differences.iter().map(|difference| {
                let (has, wants) =
                    (difference.has.clone().unwrap_or_else(none), difference.wants.clone().unwrap_or_else(none));
                format!("{}: {has} becomes {wants}", difference.name)
            });
            (None, Vec::new(), differences.collect())
        }
        Action::Delete { .. } => (None, Vec::new(), Vec::new()),
    };
    ExpectedOperation {
        key: operation.key.to_string(),
        verb: operation.kind().as_str(),
        reason: operation.reason.to_string(),
        phase: serde_json::to_value(operation.phase()).unwrap(),
        body,
        headers,
        differences,
    }
}

async fn run(folder: &Path) -> Result<(), String> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    assert_eq!(read("why.md").trim_end().lines().count(), 1, "why.md must have one line");
    let world = World::new().await;
    world.seed(&BucketContents::parse(&read("site.toml"))).await;
    let before = world.site().await;
    let sources = sources(folder, &read("source.toml"));
    let mut publish = world.publish(&read("tidegate.toml"), &sources).await;
    if folder.join("content-only").exists() {
        publish.publisher.comparison = Comparison::Content;
    }

    world.clear_requests();
    let planned = publish.plan().await;
    let writes = calls::writes(&world.faults.calls());
    same("planning only reads", &Vec::<String>::new(), &writes)?;
    same("planning changes nothing", &before, &world.site().await)?;

    let planned = match planned {
        Err(error) => {
            // The directory of a test has a different name in each run.
            let error = error.to_string().replace(&*world.directory().to_string_lossy(), "DIRECTORY");
            expect(folder, "expected-plan.json", &json(&ExpectedPlan::Refused { refused: error }))?;
            return absent(folder, "expected-site.toml");
        }
        Ok(planned) => planned,
    };
    expect(folder, "expected-plan.json", &json(&describe_plan(&planned)))?;
    let report = publish.apply(planned).await;
    let after = world.site().await;
    if matches!(report.outcome, Outcome::Denied | Outcome::Held) {
        same("a publish that is denied or held changes nothing", &before, &after)?;
    }
    expect(folder, "expected-site.toml", &describe_site(&report, &after))?;

    if matches!(report.outcome, Outcome::Live | Outcome::Unchanged) {
        let again = publish.plan().await.map_err(|error| format!("the second run fails to plan: {error}"))?;
        if !again.plan.is_empty() {
            return Err(format!("the second run changes objects:\n{}", json(&describe_plan(&again))));
        }
        let report = publish.apply(again).await;
        same("the second run's outcome", &Outcome::Unchanged, &report.outcome)?;
        same("the second run changes nothing", &after, &world.site().await)?;
    }
    Ok(())
}

/// Reads the files of `source/` and of `source.toml`.
fn sources(folder: &Path, toml: &str) -> Sources {
    let mut sources: Sources = toml::from_str(toml).unwrap();
    let root = folder.join("source");
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
                continue;
            }
            let key = entry.path().strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let body = fs::read_to_string(entry.path()).unwrap();
            sources.objects.push(SourceObject { key, body: Some(body), ..SourceObject::default() });
        }
    }
    sources
}

fn json(value: &ExpectedPlan) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

/// The content of `expected-site.toml`: the outcome, and the bucket after the run.
fn describe_site(report: &PublishReport, after: &BucketContents) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct ExpectedSite<'a> {
        outcome: Outcome,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        failures: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        invalidated: Vec<String>,
        #[serde(flatten)]
        site: &'a BucketContents,
    }
    let failures = report.done.failures.iter();
    let expected = ExpectedSite {
        outcome: report.outcome,
        why: report.why.as_deref(),
        failures: failures.map(|failed| format!("{} {}: {}", failed.operation, failed.key, failed.why)).collect(),
        invalidated: report.invalidations.iter().flat_map(|invalidation| invalidation.paths.clone()).collect(),
        site: after,
    };
    toml::to_string_pretty(&expected).unwrap()
}

fn update() -> bool {
    std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value == "1")
}

fn expect(folder: &Path, name: &str, found: &str) -> Result<(), String> {
    let path = folder.join(name);
    if update() {
        return fs::write(&path, found).map_err(|error| error.to_string());
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    same(&format!("{name} (UPDATE_EXPECTED=1 rewrites it)"), &*expected, found)
}

/// A case whose plan fails has no expected site.
fn absent(folder: &Path, name: &str) -> Result<(), String> {
    let path = folder.join(name);
    if path.exists() && update() {
        return fs::remove_file(path).map_err(|error| error.to_string());
    }
    if path.exists() { Err(format!("{name} exists, but planning failed")) } else { Ok(()) }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}:\n{}", pretty_assertions::Comparison::new(expected, found)))
}
