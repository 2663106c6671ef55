//! The CloudWatch alarms of a function. Sources: AWS Lambda developer guide, "Types of metrics for Lambda functions"; SQS
//! developer guide, "Available CloudWatch metrics"; Step Functions developer guide, "Monitoring Step Functions metrics using
//! Amazon CloudWatch".

use serde::Serialize;
use tidegate_core::config::FunctionConfig;

use crate::policies::dead_letters;

/// An alarm on a metric above zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// What it means.
    pub description: &'static str,
    /// Its name in a template.
    pub label: &'static str,
    /// The namespace of the metric: `AWS/Lambda`, `AWS/SQS`, `AWS/States`.
    pub namespace: &'static str,
    /// The metric.
    pub metric: &'static str,
    /// `Sum`, `Maximum`.
    pub statistic: &'static str,
    /// The resource that the metric is of.
    pub dimension: AlarmDimension,
}

/// The resource that a metric is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum AlarmDimension {
    /// The function.
    FunctionName,
    /// The dead-letter queue.
    QueueName,
    /// The state machine.
    StateMachineArn,
}

impl AlarmDimension {
    /// Its name in CloudWatch.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FunctionName => "FunctionName",
            Self::QueueName => "QueueName",
            Self::StateMachineArn => "StateMachineArn",
        }
    }
}

/// The alarms of a function. There is none on aborted executions: a person aborts them.
pub(super) fn alarms(config: &FunctionConfig) -> Vec<Alarm> {
    let function = config.name.as_str();
    let of_function = |label, metric, description| Alarm {
        name: format!("{function}-{label}"),
        description,
        label,
        namespace: "AWS/Lambda",
        metric,
        statistic: "Sum",
        dimension: AlarmDimension::FunctionName,
    };
    let mut alarms = vec![
        of_function(
            "errors",
            "Errors",
            "Invocations failed; the log has the reasons. A denied publish is not a failure",
        ),
        of_function("throttles", "Throttles", "Invocations were throttled by the concurrency limit of the account"),
        of_function(
            "dropped",
            "DestinationDeliveryFailures",
            "An event failed after all retries and could not be sent to the dead-letter queue",
        ),
        Alarm {
            name: dead_letters(function),
            description: "Events that failed after all retries are in the dead-letter queue",
            label: "dead-letters",
            namespace: "AWS/SQS",
            metric: "ApproximateNumberOfMessagesVisible",
            statistic: "Maximum",
            dimension: AlarmDimension::QueueName,
        },
    ];
    if config.engine.has_state_machine() {
        let of_executions = |label, metric, description| Alarm {
            namespace: "AWS/States",
            dimension: AlarmDimension::StateMachineArn,
            ..of_function(label, metric, description)
        };
        alarms.extend([
            of_executions(
                "executions-failed",
                "ExecutionsFailed",
                "Executions of the state machine failed; the execution has the reason",
            ),
            of_executions(
                "executions-timed-out",
                "ExecutionsTimedOut",
                "Executions of the state machine did not end within a day",
            ),
        ]);
    }
    alarms
}
