//! `tidegate publish --step-functions`: starts an execution of the state machine, or joins the one that publishes the same
//! release, and follows it.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate_core::arn::Partition;
use tidegate_core::config::{Config, Site};
use tidegate_core::execution_arn::ExecutionArn;
use tidegate_core::identity::sha256;
use tidegate_core::report::Outcome;
use tidegate_core::timestamp::Timestamp;
use tidegate_lambda::handler::{ExecutionStarter, StartExecution as _};
use tidegate_lambda::trigger::{CONTINUATION_FORMAT, Continuation, ExecutionState, Invocation, RunId, Trigger};
use tidegate_publish::Sts;
use tidegate_publish::executions::{DescribedExecution, Executions};
use tidegate_publish::publish::Publisher;
use tokio::time::sleep;

use crate::arguments::{CommonArguments, PublishArguments};
use crate::configuration::Configuration;
use crate::context::AwsContext;
use crate::error::{CliError, ExitStatus};
use crate::execution_progress::ExecutionProgress;
use crate::interrupt;
use crate::output::json_line;

/// The time between two looks at an execution.
const INTERVAL: Duration = Duration::from_secs(2);

/// Has the state machine publish a site.
pub(crate) async fn publish(
    common: &CommonArguments,
    arguments: &PublishArguments,
    configuration: &Configuration,
) -> Result<ExitStatus, CliError> {
    if common.local.is_some() {
        return Err(CliError::Usage("the local emulator has no Step Functions; omit `--step-functions`".to_owned()));
    }
    let (config, site) = (&configuration.config, configuration.site(&arguments.site)?);
    let source = configuration.source(site, arguments.from.as_ref())?;
    let invocation = Invocation {
        site: site.name.to_string(),
        source: Some(source),
        release: arguments.release.clone(),
        commit_time: arguments.commit_time.map(Timestamp::from_milliseconds),
    };
    let trigger = invocation.trigger(site).map_err(|error| CliError::Usage(error.to_string()))?;
    let context = AwsContext::open(common).await?;
    let publisher = context.publisher(common, &configuration.directory)?;
    let execution = match running(&publisher, site, &trigger).await? {
        Some(execution) => execution,
        None => start(&context, &publisher, config, site, trigger).await?,
    };
    if !common.json {
        outln!("{}: execution `{execution}`", site.name);
    }
    let followed = follow(common, &publisher, site, &execution).await?;
    report(common, site, &execution, followed)
}

/// The execution that publishes the same release of the site.
async fn running(publisher: &Publisher, site: &Site, trigger: &Trigger) -> Result<Option<ExecutionArn>, CliError> {
    let Some(state) = publisher.state(site) else { return Ok(None) };
    let lease = state.holder().await.map_err(CliError::system)?;
    let same = lease.filter(|lease| lease.release == *trigger.release);
    let Some(execution) = same.and_then(|lease| ExecutionArn::parse(&lease.holder)) else { return Ok(None) };
    let state = Executions::new(&publisher.connection).state(&execution).await?;
    Ok((!state.has_ended()).then_some(execution))
}

/// Starts an execution, unless this very publish was started before and runs. It may not have the lease yet.
async fn start(
    context: &AwsContext,
    publisher: &Publisher,
    config: &Config,
    site: &Site,
    trigger: Trigger,
) -> Result<ExecutionArn, CliError> {
    let connection = &context.connection;
    let (region, account) = (connection.region(), Sts::new(connection).caller().await?.account);
    let function =
        format!("arn:{}:lambda:{region}:{account}:function:{}", Partition::of_region(&region), config.function.name);
    let machine = ExecutionStarter::new(connection, &function, &config.function.state_machine());
    let machine = machine.ok_or_else(|| CliError::System(format!("`{function}` is not the ARN of a function")))?;
    let arn = |run: &RunId| {
        let name = machine.name(run, &site.name);
        ExecutionArn::parse(name.as_str()).ok_or_else(|| CliError::System(format!("`{}` is not an ARN", name.as_str())))
    };
    let mut run = run_id(publisher, site, &trigger).await?;
    match Executions::new(connection).state(&arn(&run)?).await? {
        DescribedExecution::Running => return arn(&run),
        DescribedExecution::Unknown => {}
        // A name is used once.
        DescribedExecution::Succeeded(_) | DescribedExecution::Failed(_) => {
            run = RunId::random().map_err(CliError::system)?;
        }
    }
    let state = ExecutionState::Plan { run: Continuation { format: CONTINUATION_FORMAT, run: run.clone(), trigger } };
    machine.start(&machine.name(&run, &site.name), &state).await?;
    arn(&run)
}

/// The same for the same publish, until one of the site has ended.
async fn run_id(publisher: &Publisher, site: &Site, trigger: &Trigger) -> Result<RunId, CliError> {
    let pointer = match publisher.state(site) {
        Some(state) => state.pointer().await.map_err(CliError::system)?,
        None => None,
    };
    let etag = pointer.as_ref().map(|(_, etag)| etag);
    let bytes = serde_json::to_vec(&(trigger, etag)).map_err(CliError::system)?;
    Ok(RunId::new(sha256(&bytes).chars().take(16).collect::<String>()))
}

/// Follows an execution to its end.
async fn follow(
    common: &CommonArguments,
    publisher: &Publisher,
    site: &Site,
    execution: &ExecutionArn,
) -> Result<DescribedExecution, CliError> {
    let (cancel, executions) = (interrupt::token()?, Executions::new(&publisher.connection));
    let progress = ExecutionProgress::new(common.json);
    let following = async {
        loop {
            let state = executions.state(execution).await?;
            if state.has_ended() {
                return Ok(state);
            }
            // The caller may be allowed to start executions, and not to read the state.
            match publisher.shard_progress(site).await {
                Ok(shards) => progress.show(shards.as_ref()),
                Err(error) => tracing::debug!(%error, "cannot read how far the execution is"),
            }
            sleep(INTERVAL).await;
        }
    };
    cancel.run_until_cancelled(following).await.unwrap_or_else(|| {
        let message = format!("the execution `{}` goes on; run the same command again to follow it", execution.name());
        Err(CliError::Interrupted(message))
    })
}

fn report(
    common: &CommonArguments,
    site: &Site,
    execution: &ExecutionArn,
    ended: DescribedExecution,
) -> Result<ExitStatus, CliError> {
    let (outcome, why) = match ended {
        DescribedExecution::Succeeded(output) => match serde_json::from_str(&output) {
            Ok(ExecutionState::Done { outcome, why, .. }) => (outcome, why),
            _ => (Outcome::Failed, Some("another version of Tidegate carried it out".to_owned())),
        },
        DescribedExecution::Failed(why) => (Outcome::Failed, Some(why)),
        DescribedExecution::Running | DescribedExecution::Unknown => {
            (Outcome::Failed, Some("Step Functions does not know the execution any more".to_owned()))
        }
    };
    if common.json {
        let why: Value = why.into();
        outln!(
            "{}",
            json_line(&json!({ "site": site.name, "execution": execution.as_str(), "outcome": outcome, "why": why }))
        );
    } else {
        match why {
            Some(why) => outln!("{}: {outcome}: {why}", site.name),
            None => outln!("{}: {outcome}", site.name),
        }
    }
    Ok(outcome.into())
}
