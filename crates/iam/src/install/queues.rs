//! SQS: the only room that names its SDK.
//!
//! Owns the requests about one queue. Never reads a message.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use tidegate_publish::{AwsError, Connection};

use crate::stack::install::FoundQueue;
use crate::stack::{DEAD_LETTER_SECONDS, TAG};

/// A client of SQS.
#[derive(Debug, Clone)]
pub(super) struct Queues {
    client: Client,
}

/// What the queue of dead letters is like.
fn attributes() -> [(QueueAttributeName, String); 2] {
    [
        (QueueAttributeName::MessageRetentionPeriod, DEAD_LETTER_SECONDS.to_string()),
        (QueueAttributeName::SqsManagedSseEnabled, "true".to_owned()),
    ]
}

impl Queues {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    pub(super) async fn read(&self, queue: &str) -> Result<Option<FoundQueue>, AwsError> {
        let answer = self.client.get_queue_url().queue_name(queue).send().await;
        let url = match answer.map_err(|error| AwsError::new("GetQueueUrl", queue, &error)) {
            Ok(answer) => answer.queue_url.unwrap_or_default(),
            Err(error)
                if error
                    .code
                    .as_deref()
                    .is_some_and(|code| code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist")) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let names = attributes().map(|(name, _)| name);
        let answer = self.client.get_queue_attributes().queue_url(&url).set_attribute_names(Some(names.into())).send();
        let answer = answer.await.map_err(|error| AwsError::new("GetQueueAttributes", queue, &error))?;
        let attribute = |name| answer.attributes().and_then(|all| all.get(&name));
        let tags = self.client.list_queue_tags().queue_url(&url).send().await;
        let tags = tags.map_err(|error| AwsError::new("ListQueueTags", queue, &error))?;
        Ok(Some(FoundQueue {
            owner: tags.tags.and_then(|mut tags| tags.remove(TAG)),
            retention: attribute(QueueAttributeName::MessageRetentionPeriod).and_then(|text| text.parse().ok()),
            encrypted: attribute(QueueAttributeName::SqsManagedSseEnabled).is_some_and(|text| text == "true"),
            url,
        }))
    }

    pub(super) async fn create(&self, queue: &str, owner: &str) -> Result<(), AwsError> {
        let request = self.client.create_queue().queue_name(queue).tags(TAG, owner);
        let request = attributes().into_iter().fold(request, |request, (name, value)| request.attributes(name, value));
        sent!("CreateQueue", queue, request)
    }

    pub(super) async fn set(&self, url: &str) -> Result<(), AwsError> {
        let request = self.client.set_queue_attributes().queue_url(url);
        let request = attributes().into_iter().fold(request, |request, (name, value)| request.attributes(name, value));
        sent!("SetQueueAttributes", url, request)
    }

    pub(super) async fn delete(&self, url: &str) -> Result<(), AwsError> {
        let request = self.client.delete_queue().queue_url(url);
        sent!("DeleteQueue", url, request)
    }
}
