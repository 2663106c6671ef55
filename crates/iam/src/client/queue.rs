//! The client of SQS for the dead-letter queue, and for queues whose messages start the function.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use tidegate_core::config::QueueArn;
use tidegate_publish::{AwsError, Connection};

use crate::changes::{QueueChange, TAG};
use crate::stack::DEAD_LETTER_SECONDS;
use crate::stack::install::{FoundEventQueue, FoundQueue};

/// A client of SQS.
#[derive(Debug, Clone)]
pub(crate) struct QueueClient {
    client: Client,
}

fn attributes() -> [(QueueAttributeName, String); 2] {
    [
        (QueueAttributeName::MessageRetentionPeriod, DEAD_LETTER_SECONDS.to_string()),
        (QueueAttributeName::SqsManagedSseEnabled, "true".to_owned()),
    ]
}

/// Whether a code means that the queue does not exist, in SQS's query or JSON protocol.
fn is_not_found(code: &str) -> bool {
    code.ends_with("NonExistentQueue") || code.ends_with("QueueDoesNotExist")
}

impl QueueClient {
    pub(crate) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    /// The URL of a queue; `None` where it does not exist.
    async fn url(&self, queue: &str) -> Result<Option<String>, AwsError> {
        match send!("GetQueueUrl", queue, self.client.get_queue_url().queue_name(queue)) {
            Ok(output) => Ok(Some(output.queue_url.unwrap_or_default())),
            Err(error) if error.code.as_deref().is_some_and(is_not_found) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn exists(&self, queue: &str) -> Result<bool, AwsError> {
        Ok(self.url(queue).await?.is_some())
    }

    pub(crate) async fn read(&self, queue: &str) -> Result<Option<FoundQueue>, AwsError> {
        let Some(url) = self.url(queue).await? else { return Ok(None) };
        let names = attributes().map(|(name, _)| name);
        let request = self.client.get_queue_attributes().queue_url(&url).set_attribute_names(Some(names.into()));
        let output = send!("GetQueueAttributes", queue, request)?;
        let attribute = |name| output.attributes().and_then(|all| all.get(&name));
        let tags = send!("ListQueueTags", queue, self.client.list_queue_tags().queue_url(&url))?;
        Ok(Some(FoundQueue {
            owner: tags.tags.and_then(|mut tags| tags.remove(TAG)),
            retention: attribute(QueueAttributeName::MessageRetentionPeriod).and_then(|text| text.parse().ok()),
            encrypted: attribute(QueueAttributeName::SqsManagedSseEnabled).is_some_and(|text| text == "true"),
            url,
        }))
    }

    /// Reads a queue whose messages start the function.
    pub(crate) async fn read_events(&self, queue: &QueueArn) -> Result<Option<FoundEventQueue>, AwsError> {
        let account = queue.as_str().split(':').nth(4).unwrap_or_default();
        let request = self.client.get_queue_url().queue_name(queue.name()).queue_owner_aws_account_id(account);
        let url = match send!("GetQueueUrl", queue.as_str(), request) {
            Ok(output) => output.queue_url.unwrap_or_default(),
            Err(error) if error.code.as_deref().is_some_and(is_not_found) => return Ok(None),
            Err(error) => return Err(error),
        };
        let visibility = QueueAttributeName::VisibilityTimeout;
        let request = self.client.get_queue_attributes().queue_url(&url).attribute_names(visibility.clone());
        let output = send!("GetQueueAttributes", queue.as_str(), request)?;
        let visibility = output.attributes().and_then(|all| all.get(&visibility)).and_then(|text| text.parse().ok());
        Ok(Some(FoundEventQueue { url, visibility: visibility.unwrap_or_default() }))
    }

    pub(crate) async fn change(&self, change: &QueueChange) -> Result<(), AwsError> {
        match change {
            QueueChange::CreateQueue { queue, owner } => {
                let request = self.client.create_queue().queue_name(queue).tags(TAG, owner);
                let request = request.set_attributes(Some(attributes().into()));
                send!("CreateQueue", queue, request).map(drop)
            }
            QueueChange::SetQueue { url, .. } => {
                let request = self.client.set_queue_attributes().queue_url(url);
                let request = request.set_attributes(Some(attributes().into()));
                send!("SetQueueAttributes", url, request).map(drop)
            }
            QueueChange::SetVisibility { url, seconds, .. } => {
                let request = self.client.set_queue_attributes().queue_url(url);
                let request = request.attributes(QueueAttributeName::VisibilityTimeout, seconds.to_string());
                send!("SetQueueAttributes", url, request).map(drop)
            }
            QueueChange::DeleteQueue { url, .. } => {
                send!("DeleteQueue", url, self.client.delete_queue().queue_url(url)).map(drop)
            }
        }
    }
}
