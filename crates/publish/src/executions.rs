//! Executions of the state machine in Step Functions: started, and asked whether they run. Nothing else names its SDK.

use aws_config::Region;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::Builder;
use aws_sdk_sfn::types::ExecutionStatus;
use tidegate_core::execution_arn::ExecutionArn;

use crate::aws_error::AwsError;
use crate::connection::Connection;

/// Executions of state machines.
#[derive(Debug, Clone)]
pub struct Executions {
    connection: Connection,
}

/// What Step Functions says about an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DescribedExecution {
    /// It runs.
    Running,
    /// It succeeded. Contains its output, as JSON.
    Succeeded(String),
    /// It failed, timed out or was stopped. Contains what Step Functions says about that.
    Failed(String),
    /// There is none with this name, or it ended more than 90 days ago.
    Unknown,
}

impl DescribedExecution {
    /// Whether it does not run any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        !matches!(self, Self::Running)
    }
}

impl Executions {
    /// Executions that the caller may start and see.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }

    /// A client for the region of an execution, which may be another one than the connection's.
    fn client(&self, execution: &ExecutionArn) -> Client {
        let region = Region::new(execution.region().to_owned());
        Client::from_conf(Builder::from(self.connection.config()).region(region).build())
    }

    /// Starts an execution with an input in JSON. Returns whether it is new: its name is used once.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn start(&self, execution: &ExecutionArn, input: &str) -> Result<bool, AwsError> {
        let request = self.client(execution).start_execution();
        let request = request.state_machine_arn(execution.state_machine()).name(execution.name()).input(input);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_execution_already_exists()) => {
                Ok(false)
            }
            Err(error) => Err(AwsError::new("StartExecution", execution.state_machine(), &error)),
        }
    }

    /// What became of an execution.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn state(&self, execution: &ExecutionArn) -> Result<DescribedExecution, AwsError> {
        let found = match self.client(execution).describe_execution().execution_arn(execution.as_str()).send().await {
            Ok(found) => found,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_execution_does_not_exist()) => {
                return Ok(DescribedExecution::Unknown);
            }
            Err(error) => return Err(AwsError::new("DescribeExecution", execution.as_str(), &error)),
        };
        Ok(match found.status {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => DescribedExecution::Running,
            ExecutionStatus::Succeeded => DescribedExecution::Succeeded(found.output.unwrap_or_default()),
            status => {
                let details = [Some(status.as_str().to_owned()), found.error, found.cause];
                DescribedExecution::Failed(details.into_iter().flatten().collect::<Vec<_>>().join(": "))
            }
        })
    }
}
