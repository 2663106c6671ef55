//! The cases: one folder of `cases/` is one test.
//!
//! A folder holds `why.md` (one line: what it shows and where that is known from), `tidegate.toml`, `source/` and
//! `source.toml` (what is published: files, and files that cannot be in version control), `site.toml` (what the bucket
//! holds before), and what is expected: `expected-plan.json` and `expected-site.toml`. `UPDATE_EXPECTED=1` writes those two
//! anew. The first site of the configuration is published into the bucket `site`.
//!
//! Every case also shows that planning sends nothing but reads, that a plan that is denied or refused leaves the site as it
//! was, and that a second run has nothing left to do.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test, and must name its place")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde::Serialize;
use tidegate_core::diff::Comparison;
use tidegate_core::plan::{Action, Operation, PlannedBody};
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_publish::publish::PlannedPublish;
use tidegate_tests::{SiteState, SourceObject, Sources, World, calls};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut found: Vec<PathBuf> = fs::read_dir(folders).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let trials = found
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

/// A plan as `expected-plan.json` shows it.
#[derive(Serialize)]
#[serde(untagged)]
enum ShownPlan {
    Refused {
        refused: String,
    },
    Made {
        operations: Vec<ShownOperation>,
        totals: serde_json::Map<String, serde_json::Value>,
        policies: Vec<String>,
        findings: Vec<String>,
    },
}

#[derive(Serialize)]
struct ShownOperation {
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

fn shown(planned: &PlannedPublish) -> ShownPlan {
    let totals = serde_json::to_value(&planned.plan.totals).unwrap();
    let totals = totals.as_object().unwrap().clone().into_iter().filter(|(_, count)| *count != 0).collect();
    let policies =
        planned.judgements.iter().map(|judgement| format!("{} says {}", judgement.plugin, judgement.verdict));
    let findings = planned.findings.iter().chain(planned.judgements.iter().flat_map(|judgement| &judgement.findings));
    ShownPlan::Made {
        operations: planned.plan.operations.iter().map(operation).collect(),
        totals,
        policies: policies.collect(),
        findings: findings.map(ToString::to_string).collect(),
    }
}

fn operation(operation: &Operation) -> ShownOperation {
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
            let shown = differences.iter().map(|difference| {
                let (has, wants) =
                    (difference.has.clone().unwrap_or_else(none), difference.wants.clone().unwrap_or_else(none));
                format!("{}: {has} becomes {wants}", difference.name)
            });
            (None, Vec::new(), shown.collect())
        }
        Action::Delete { .. } => (None, Vec::new(), Vec::new()),
    };
    ShownOperation {
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
    world.seed(&SiteState::parse(&read("site.toml"))).await;
    let before = world.site().await;
    let sources = sources(folder, &read("source.toml"));
    let mut publish = world.publish(&read("tidegate.toml"), &sources).await;
    if folder.join("content-only").exists() {
        publish.publisher.comparison = Comparison::Content;
    }

    world.forget();
    let planned = publish.plan().await;
    let written = calls::writes(&world.faults.calls());
    same("a dry run only reads", &Vec::<String>::new(), &written)?;
    same("a dry run changes nothing", &before, &world.site().await)?;

    let planned = match planned {
        Err(error) => {
            // The directory of a test has another name in every run.
            let refused = error.to_string().replace(&*world.directory().to_string_lossy(), "DIRECTORY");
            expect(folder, "expected-plan.json", &json(&ShownPlan::Refused { refused }))?;
            return absent(folder, "expected-site.toml");
        }
        Ok(planned) => planned,
    };
    expect(folder, "expected-plan.json", &json(&shown(&planned)))?;
    let report = publish.apply(planned).await;
    let after = world.site().await;
    if matches!(report.outcome, Outcome::Denied | Outcome::Held) {
        same("a denied plan changes nothing", &before, &after)?;
    }
    expect(folder, "expected-site.toml", &site(&report, &after))?;

    if matches!(report.outcome, Outcome::Live | Outcome::Unchanged) {
        let again = publish.plan().await.map_err(|error| format!("the second run has no plan: {error}"))?;
        if !again.plan.is_empty() {
            return Err(format!("the second run has something left to do:\n{}", json(&shown(&again))));
        }
        let report = publish.apply(again).await;
        same("the second run's outcome", &Outcome::Unchanged, &report.outcome)?;
        same("the second run changes nothing", &after, &world.site().await)?;
    }
    Ok(())
}

/// The files of `source/` and of `source.toml`.
fn sources(folder: &Path, described: &str) -> Sources {
    let mut sources: Sources = toml::from_str(described).unwrap();
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

fn json(value: &ShownPlan) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

/// How the run ended and what the bucket holds then.
fn site(report: &PublishReport, after: &SiteState) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Shown<'a> {
        outcome: Outcome,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        failures: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        invalidated: Vec<String>,
        #[serde(flatten)]
        site: &'a SiteState,
    }
    let failures = report.done.failures.iter();
    let shown = Shown {
        outcome: report.outcome,
        why: report.why.as_deref(),
        failures: failures.map(|failed| format!("{} {}: {}", failed.operation, failed.key, failed.why)).collect(),
        invalidated: report.invalidations.iter().flat_map(|told| told.paths.clone()).collect(),
        site: after,
    };
    toml::to_string_pretty(&shown).unwrap()
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
    same(&format!("{name} (UPDATE_EXPECTED=1 writes it anew)"), &*expected, found)
}

/// A case whose plan is refused has no site afterwards.
fn absent(folder: &Path, name: &str) -> Result<(), String> {
    let path = folder.join(name);
    if path.exists() && update() {
        return fs::remove_file(path).map_err(|error| error.to_string());
    }
    if path.exists() { Err(format!("{name} is there, but the plan was refused")) } else { Ok(()) }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}:\n{}", pretty_assertions::Comparison::new(expected, found)))
}
