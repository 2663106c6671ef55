//! `tidegate plugin replay`: runs a plugin with a record, and compares its answers.

use serde_json::{Value, json};
use tidegate_core::sanitize::sanitize_json;
use tidegate_core::text::count;
use tidegate_host::MissingRead;
use tidegate_host::SettingsError;
use tidegate_host::limits::MAX_BATCH;
use tidegate_host::observed::ObservedAnswer;
use tidegate_host::replay::{Record, Replay, ReplayDifference, ReplayError};

use super::subject::Subject;
use crate::arguments::{CommonArguments, PluginReplayArguments};
use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, GREEN, RED, print_json};

pub(super) fn replay(common: &CommonArguments, arguments: &PluginReplayArguments) -> Result<ExitStatus, CliError> {
    let path = &arguments.record;
    let text = std::fs::read_to_string(path).map_err(CliError::read("record", path))?;
    let invalid = |error: ReplayError| match error {
        ReplayError::Settings(SettingsError::Failed(failure)) => CliError::Plugin(failure),
        error => CliError::Usage(format!("cannot replay `{}`: {error}", path.display())),
    };
    let record = Record::parse(&text).map_err(invalid)?;
    let subject = tokio::task::block_in_place(|| Subject::find(&arguments.plugin))?;
    let plugin = subject.load_with_batch(arguments.batch.map_or(MAX_BATCH, usize::from))?;
    let replay = tokio::task::block_in_place(|| record.replay(&plugin)).map_err(invalid)?;
    if common.json {
        print_json(&json!({
            "equal": replay.difference.is_none(),
            "answers": replay.answers,
            "difference": replay.difference.as_ref().map(difference),
            "usage": replay.run.usage,
        }))?;
    } else {
        print(arguments, &subject.name, &replay);
    }
    Ok(if replay.difference.is_none() { ExitStatus::Success } else { ExitStatus::Denied })
}

fn difference(difference: &ReplayDifference) -> Value {
    match difference {
        ReplayDifference::Settings { recorded, replayed } => {
            json!({ "of": "settings", "recorded": recorded, "replayed": replayed })
        }
        ReplayDifference::Answer { line, recorded, replayed } => {
            json!({ "of": "answer", "line": line, "recorded": recorded, "replayed": replayed })
        }
        ReplayDifference::Read(MissingRead { key, offset, length }) => {
            json!({ "of": "read", "key": key, "offset": offset, "length": length })
        }
    }
}

fn print(arguments: &PluginReplayArguments, plugin: &str, replay: &Replay) {
    let path = arguments.record.display();
    let pair = |recorded: &str, replayed: &str| {
        outln!("  {RED}- {recorded}{RED:#}");
        outln!("  {GREEN}+ {replayed}{GREEN:#}");
    };
    match &replay.difference {
        None => outln!("{GREEN}equal{GREEN:#}  `{plugin}` answers as in `{path}`: {}", count(replay.answers, "answer")),
        Some(ReplayDifference::Settings { recorded, replayed }) => {
            outln!("{RED}different{RED:#}  the canonical settings of `{plugin}` are not those in `{path}`");
            pair(&sanitize_json(recorded), &sanitize_json(replayed));
        }
        Some(ReplayDifference::Answer { line, recorded, replayed }) => {
            let at = line.map_or_else(|| "after the last answer".to_owned(), |line| format!("at line {line}"));
            outln!("{RED}different{RED:#}  `{plugin}` answers otherwise than in `{path}`, first {at}");
            pair(&answer(recorded.as_deref()), &answer(replayed.as_deref()));
        }
        Some(ReplayDifference::Read(MissingRead { key, offset, length })) => {
            outln!(
                "{RED}different{RED:#}  `{plugin}` reads {length} bytes of `{key}` from {offset}, which `{path}` does not have; record it again"
            );
        }
    }
    // Without what it reads, a plugin often fails.
    if let (Some(ReplayDifference::Answer { .. }), Some(failure)) = (&replay.difference, &replay.run.failure) {
        outln!("  {failure}");
        failure.details().for_each(|detail| outln!("    {DIM}{detail}{DIM:#}"));
    }
}

fn answer(answer: Option<&ObservedAnswer>) -> String {
    match answer {
        Some(answer) => sanitize_json(&serde_json::to_string(answer).unwrap_or_default()),
        None => "nothing".to_owned(),
    }
}
