//! `tidegate plugin profile`: where the fuel of a plugin goes, as collapsed stacks.

use std::io::Write as _;

use indicatif::HumanCount;
use serde_json::json;
use tidegate_core::plugin_failure::PluginFailure;
use tidegate_host::ProfileChanged;
use tidegate_host::observed::observe;

use super::input::TrialInput;
use super::render;
use crate::arguments::{CommonArguments, PluginProfileArguments};
use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, print_json, warn, write_file};

/// Functions that people see.
const SHOWN: usize = 15;

/// Why there is no profile.
enum Unprofiled {
    Failed(PluginFailure),
    Changed(ProfileChanged),
}

impl From<ProfileChanged> for Unprofiled {
    fn from(error: ProfileChanged) -> Self {
        Self::Changed(error)
    }
}

pub(super) async fn profile(
    common: &CommonArguments,
    arguments: &PluginProfileArguments,
) -> Result<ExitStatus, CliError> {
    let input = TrialInput::open(common, &arguments.input).await?;
    let configured = input.configured.clone();
    let profiled = input.trial.with(move |given, facts, content| {
        configured.plugin().profiler().profile(|| match observe(&configured, given, facts, content).failure {
            Some(failure) => Err(Unprofiled::Failed(failure)),
            None => Ok(()),
        })
    });
    let stacks = profiled.await?.map_err(|error| match error {
        Unprofiled::Failed(failure) => CliError::Plugin(failure),
        Unprofiled::Changed(error) => CliError::system(error),
    })?;
    let text = stacks.to_text(&input.subject.name);
    write_file(&arguments.out, "profile", |mut file| {
        file.write_all(text.as_bytes())?;
        file.flush()
    })?;
    let (fuel, functions) = (stacks.fuel(), stacks.functions());
    if common.json {
        let functions: Vec<_> =
            functions.iter().map(|(name, fuel)| json!({ "function": name, "fuel": fuel })).collect();
        print_json(&json!({ "fuel": fuel, "stacks": stacks.stacks().count(), "functions": functions }))?;
        return Ok(ExitStatus::Success);
    }
    render::subject(&input.subject.info(input.configured.plugin()));
    outln!("  {} units of fuel in {} stacks", HumanCount(fuel), stacks.stacks().count());
    for (name, own) in functions.iter().take(SHOWN) {
        outln!("  {:>5.1} %  {name}", percent(*own, fuel));
    }
    outln!("  {DIM}{} is for tools such as `inferno-flamegraph` and speedscope{DIM:#}", arguments.out.display());
    if functions.iter().filter(|(name, _)| name.starts_with("function ")).count() * 2 > functions.len() {
        warn(
            "the component has no names of functions; build it with `strip = \"debuginfo\"` instead of `strip = true`",
        );
    }
    Ok(ExitStatus::Success)
}

fn percent(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
    let share = part as f64 / whole.max(1) as f64;
    share * 100.0
}
