//! The client of SNS, for topics that buckets notify.

use aws_sdk_sns::Client;
use tidegate_publish::{AwsError, Connection};

/// A client of SNS.
#[derive(Debug, Clone)]
pub(crate) struct TopicClient {
    client: Client,
}

impl TopicClient {
    pub(crate) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    /// Whether a topic exists, by its ARN.
    pub(crate) async fn exists(&self, topic: &str) -> Result<bool, AwsError> {
        let request = self.client.get_topic_attributes().topic_arn(topic);
        match send!("GetTopicAttributes", topic, request) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() || error.code.as_deref() == Some("NotFound") => Ok(false),
            Err(error) => Err(error),
        }
    }
}
