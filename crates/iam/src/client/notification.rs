//! Event notifications of a bucket. S3 can only replace the whole list, without a condition, so others' notifications are
//! written back as they were read, and of two concurrent writers the last one wins.

use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::types::{
    Event, FilterRule, FilterRuleName, LambdaFunctionConfiguration, NotificationConfiguration,
    NotificationConfigurationFilter, S3KeyFilter,
};
use tidegate_core::location::Bucket;
use tidegate_publish::AwsError;

use super::BucketClient;
use crate::changes::NotificationEntry;

fn entry(
    id: Option<&str>,
    target: &str,
    events: &[Event],
    filter: Option<&NotificationConfigurationFilter>,
) -> NotificationEntry {
    let rules = filter.and_then(NotificationConfigurationFilter::key).map(S3KeyFilter::filter_rules);
    // S3 returns the names capitalized, however they were written.
    let value = |name: &str| {
        let is_named = |rule: &&FilterRule| rule.name().is_some_and(|found| found.as_str().eq_ignore_ascii_case(name));
        rules.into_iter().flatten().rfind(is_named).and_then(FilterRule::value).unwrap_or_default().to_owned()
    };
    NotificationEntry {
        id: id.unwrap_or_default().to_owned(),
        target: target.to_owned(),
        events: events.iter().map(|event| event.as_str().to_owned()).collect(),
        prefix: value("prefix"),
        suffix: value("suffix"),
    }
}

fn function_entry(found: &LambdaFunctionConfiguration) -> NotificationEntry {
    entry(found.id(), found.lambda_function_arn(), found.events(), found.filter())
}

fn function_configuration(entry: &NotificationEntry) -> Result<LambdaFunctionConfiguration, BuildError> {
    let rule = |name: FilterRuleName, value: &str| FilterRule::builder().name(name).value(value).build();
    let key = S3KeyFilter::builder()
        .filter_rules(rule(FilterRuleName::Prefix, &entry.prefix))
        .filter_rules(rule(FilterRuleName::Suffix, &entry.suffix))
        .build();
    let configuration = LambdaFunctionConfiguration::builder()
        .id(&entry.id)
        .lambda_function_arn(&entry.target)
        .filter(NotificationConfigurationFilter::builder().key(key).build());
    entry.events.iter().fold(configuration, |built, event| built.events(Event::from(event.as_str()))).build()
}

impl BucketClient {
    async fn notification_configuration(&self, bucket: &Bucket) -> Result<NotificationConfiguration, AwsError> {
        let request = self.client.get_bucket_notification_configuration().bucket(bucket.as_str());
        let output = send!("GetBucketNotificationConfiguration", bucket.as_str(), request)?;
        Ok(NotificationConfiguration::builder()
            .set_topic_configurations(output.topic_configurations)
            .set_queue_configurations(output.queue_configurations)
            .set_lambda_function_configurations(output.lambda_function_configurations)
            .set_event_bridge_configuration(output.event_bridge_configuration)
            .build())
    }

    /// All notifications of a bucket, for any target; `None` where the bucket does not exist.
    pub(crate) async fn notifications(&self, bucket: &Bucket) -> Result<Option<Vec<NotificationEntry>>, AwsError> {
        let found = match self.notification_configuration(bucket).await {
            Ok(found) => found,
            Err(error) if error.code.as_deref() == Some("NoSuchBucket") => return Ok(None),
            Err(error) => return Err(error),
        };
        let topics = found.topic_configurations().iter();
        let queues = found.queue_configurations().iter();
        let entries = topics
            .map(|found| entry(found.id(), found.topic_arn(), found.events(), found.filter()))
            .chain(queues.map(|found| entry(found.id(), found.queue_arn(), found.events(), found.filter())))
            .chain(found.lambda_function_configurations().iter().map(function_entry));
        Ok(Some(entries.collect()))
    }

    /// Replaces Tidegate's notifications for a function.
    pub(super) async fn set_notifications(
        &self,
        bucket: &Bucket,
        function: &str,
        entries: &[NotificationEntry],
    ) -> Result<(), AwsError> {
        let call = "PutBucketNotificationConfiguration";
        let mut configuration = self.notification_configuration(bucket).await?;
        let mut functions = configuration.lambda_function_configurations.take().unwrap_or_default();
        functions.retain(|found| !function_entry(found).is_ours(function));
        for entry in entries {
            let malformed = |error: BuildError| AwsError::malformed(call, bucket.as_str(), error.to_string());
            functions.push(function_configuration(entry).map_err(malformed)?);
        }
        configuration.lambda_function_configurations = Some(functions).filter(|functions| !functions.is_empty());
        let request = self.client.put_bucket_notification_configuration().bucket(bucket.as_str());
        let request = request.notification_configuration(configuration);
        send!("PutBucketNotificationConfiguration", bucket.as_str(), request).map(drop)
    }
}
