//! `tidegate plugin record`: a run in a file, to replay it without the source.

use std::io::Write as _;

use indicatif::HumanBytes;
use serde_json::json;
use tidegate_core::text::count;
use tidegate_host::record::{RecordedRun, record as record_run};

use super::input::TrialInput;
use crate::arguments::{CommonArguments, PluginRecordArguments};
use crate::error::{CliError, ExitStatus};
use crate::output::{YELLOW, print_json, write_file};

pub(super) async fn record(
    common: &CommonArguments,
    arguments: &PluginRecordArguments,
) -> Result<ExitStatus, CliError> {
    let input = TrialInput::open(common, &arguments.input).await?;
    let (configured, given) = (input.configured.clone(), input.given.clone());
    let recorded = input.trial.with(move |seen, facts, content| record_run(&configured, &given, seen, facts, content));
    let RecordedRun { text, run } = recorded.await?.map_err(CliError::usage)?;
    write_file(&arguments.out, "record", |mut file| {
        file.write_all(text.as_bytes())?;
        file.flush()
    })?;
    let (objects, answers) = (run.usage.objects, run.answers.len());
    if common.json {
        print_json(&json!({
            "record": arguments.out,
            "bytes": text.len(),
            "objects": objects,
            "reads": run.usage.reads,
            "answers": answers,
            "failure": run.failure,
        }))?;
    } else {
        outln!(
            "{}  {}: {}, {}, {}",
            arguments.out.display(),
            HumanBytes(text.len() as u64),
            count(objects, "object"),
            count(run.usage.reads, "read"),
            count(answers, "answer")
        );
        if let Some(failure) = &run.failure {
            outln!("  {YELLOW}the record is of a failure{YELLOW:#}: {failure}");
            failure.details().for_each(|detail| outln!("    {detail}"));
        }
    }
    Ok(ExitStatus::Success)
}
