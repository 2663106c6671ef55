//! Permissions for queues whose messages start the function.

use tidegate_core::config::QueueArn;

use crate::document::Statement;

/// What Lambda needs to poll these queues for the function, with its execution role.
///
/// Source: AWS Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping" (execution role
/// permissions).
pub(super) fn receive_messages(queues: &[QueueArn]) -> Option<Statement> {
    let actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let arns = queues.iter().map(|queue| queue.as_str().to_owned());
    (!queues.is_empty()).then(|| {
        Statement::allow(actions, arns)
            .because("ReceiveMessages", "to let Lambda receive the messages of the queues that start the function")
    })
}
