//! Permissions for queues whose messages start the function.

use tidegate_core::config::QueueArn;

use super::Grant;
use crate::document::{PolicyDocument, Statement};

/// The grant of an execution role with what Lambda needs to poll these queues for the function.
///
/// Source: AWS Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping" (execution role
/// permissions).
#[must_use]
pub fn with_queues(grant: Grant, queues: &[QueueArn]) -> Grant {
    if queues.is_empty() {
        return grant;
    }
    let actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let queues = queues.iter().map(|queue| queue.as_str().to_owned());
    let statement = Statement::allow(actions, queues)
        .because("ReceiveMessages", "to let Lambda receive the messages of the queues that start the function");
    let statements = grant.document.statements().iter().cloned().chain([statement]).collect();
    Grant { document: PolicyDocument::new(statements), ..grant }
}
