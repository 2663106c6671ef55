//! Starts executions of the state machine.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_core::config::SiteName;
use tidegate_core::execution_arn::ExecutionArn;
use tidegate_core::lease::ExecutionName;
use tidegate_publish::Connection;
use tidegate_publish::aws_error::AwsError;
use tidegate_publish::executions::Executions;

use super::EventHandler;
use crate::trigger::{ExecutionState, RunId};

/// Starts executions.
#[async_trait]
pub trait StartExecution: Send + Sync {
    /// The name of the execution that carries out a run for a site; the same for the same run.
    fn name(&self, run: &RunId, site: &SiteName) -> ExecutionName;

    /// Starts an execution, unless that was done before.
    ///
    /// # Errors
    /// [`AwsError`].
    async fn start(&self, execution: &ExecutionName, state: &ExecutionState) -> Result<(), AwsError>;
}

/// Starts executions of the state machine of the stack.
#[derive(Debug, Clone)]
pub struct ExecutionStarter {
    executions: Executions,
    /// Any execution of the state machine.
    any: ExecutionArn,
}

impl ExecutionStarter {
    /// The state machine with a name, in the account and region of the function with this ARN. Nothing if it is not an ARN.
    #[must_use]
    pub fn new(connection: &Connection, function: &str, name: &str) -> Option<Self> {
        let any = ExecutionArn::beside(function, name, "any")?;
        Some(Self { executions: Executions::new(connection), any })
    }
}

#[async_trait]
impl StartExecution for ExecutionStarter {
    fn name(&self, run: &RunId, site: &SiteName) -> ExecutionName {
        ExecutionName::from(&self.any.with_name(&format!("{}-{site}", run.id)))
    }

    async fn start(&self, execution: &ExecutionName, state: &ExecutionState) -> Result<(), AwsError> {
        let malformed = |why: String| AwsError::malformed("StartExecution", execution.as_str(), why);
        let arn = ExecutionArn::parse(execution.as_str()).ok_or_else(|| malformed("it is not an ARN".to_owned()))?;
        let input = serde_json::to_string(state).map_err(|error| malformed(error.to_string()))?;
        let new = self.executions.start(&arn, &input).await?;
        tracing::info!(%arn, new, "the run continues as an execution");
        Ok(())
    }
}

impl EventHandler {
    /// The same handler in a function with this ARN, whose account and region have the state machine.
    #[must_use]
    pub fn in_function(&self, function: &str) -> Self {
        let name = self.config.function.state_machine();
        let machine = ExecutionStarter::new(&self.publisher.connection, function, &name);
        let executions = machine.map(|machine| Arc::new(machine) as Arc<dyn StartExecution>);
        Self { executions, ..self.clone() }
    }
}
