//! What somebody should look at: failures that nothing repairs by itself.
//!
//! Owns which numbers of AWS these are. Sources: AWS Lambda developer guide, "Types of metrics for Lambda functions"; SQS developer
//! guide, "Available CloudWatch metrics".

use serde::Serialize;

use crate::policies::dead_letters;

/// How long a number is added up before it is looked at, in seconds.
pub(super) const PERIOD: u16 = 300;

/// A number that should be zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// Its name in CloudWatch.
    pub name: String,
    /// What it means when it is not, a sentence without its full stop.
    pub what: &'static str,
    /// What it is called in a template.
    pub label: &'static str,
    /// `AWS/Lambda`, `AWS/SQS`.
    pub namespace: &'static str,
    /// The number.
    pub metric: &'static str,
    /// `Sum`, `Maximum`.
    pub statistic: &'static str,
    /// Of what, by kind and name.
    pub dimension: (&'static str, String),
}

/// The alarms of a function.
pub(super) fn alarms(function: &str) -> Vec<Alarm> {
    let of_function = |label, metric, what| Alarm {
        name: format!("{function}-{label}"),
        what,
        label,
        namespace: "AWS/Lambda",
        metric,
        statistic: "Sum",
        dimension: ("FunctionName", function.to_owned()),
    };
    vec![
        of_function("errors", "Errors", "Invocations failed. Denials are no failures; the log says what is"),
        of_function("throttles", "Throttles", "Invocations were put off because the account runs too many at once"),
        of_function(
            "dropped",
            "DestinationDeliveryFailures",
            "An event failed for good and could not be kept in the queue of dead letters",
        ),
        Alarm {
            name: dead_letters(function),
            what: "Events failed for good and wait in the queue of dead letters",
            label: "dead-letters",
            namespace: "AWS/SQS",
            metric: "ApproximateNumberOfMessagesVisible",
            statistic: "Maximum",
            dimension: ("QueueName", dead_letters(function)),
        },
    ]
}
