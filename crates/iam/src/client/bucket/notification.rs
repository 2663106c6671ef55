//! Sending the events of a bucket to EventBridge. S3 can only replace all notifications of a bucket, without a condition, so
//! those of others are written back as they were read, and what is there afterwards is compared.

use aws_sdk_s3::types::{EventBridgeConfiguration, NotificationConfiguration};
use tidegate_core::location::Bucket;
use tidegate_publish::AwsError;

use super::BucketClient;

const PUT: &str = "PutBucketNotificationConfiguration";

impl BucketClient {
    async fn notification_configuration(&self, bucket: &Bucket) -> Result<NotificationConfiguration, AwsError> {
        let request = self.client.get_bucket_notification_configuration().bucket(bucket.as_str());
        let output = send!("GetBucketNotificationConfiguration", bucket.as_str(), request)?;
        // An empty list is the same as none.
        Ok(NotificationConfiguration::builder()
            .set_topic_configurations(output.topic_configurations.filter(|list| !list.is_empty()))
            .set_queue_configurations(output.queue_configurations.filter(|list| !list.is_empty()))
            .set_lambda_function_configurations(output.lambda_function_configurations.filter(|list| !list.is_empty()))
            .set_event_bridge_configuration(output.event_bridge_configuration)
            .build())
    }

    /// Whether a bucket sends its events to EventBridge; `None` where the bucket does not exist.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn sends_events(&self, bucket: &Bucket) -> Result<Option<bool>, AwsError> {
        match self.notification_configuration(bucket).await {
            Ok(found) => Ok(Some(found.event_bridge_configuration().is_some())),
            Err(error) if error.code.as_deref() == Some("NoSuchBucket") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends the events of a bucket to EventBridge, if it does not yet.
    pub(super) async fn send_events(&self, bucket: &Bucket) -> Result<(), AwsError> {
        let mut configuration = self.notification_configuration(bucket).await?;
        if configuration.event_bridge_configuration().is_some() {
            return Ok(());
        }
        configuration.event_bridge_configuration = Some(EventBridgeConfiguration::builder().build());
        let request = self
            .client
            .put_bucket_notification_configuration()
            .bucket(bucket.as_str())
            // The targets of others are unchanged, and one that no longer exists is not ours to repair.
            .skip_destination_validation(true)
            .notification_configuration(configuration.clone());
        send!("PutBucketNotificationConfiguration", bucket.as_str(), request)?;
        if self.notification_configuration(bucket).await? == configuration {
            return Ok(());
        }
        let why = "the notifications of the bucket were changed by another program at the same time; compare them with what they should be, and run the command again";
        Err(AwsError::malformed(PUT, bucket.as_str(), why))
    }
}
