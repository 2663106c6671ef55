//! Notifications of a bucket: read, and written with those of others as they were.
//!
//! Owns that nothing of others is lost: S3 knows only the whole list. Whoever writes at the same time wins or loses as a whole, since S3
//! has no condition for it.

use aws_sdk_s3::types::{
    Event, FilterRule, FilterRuleName, LambdaFunctionConfiguration, NotificationConfiguration,
    NotificationConfigurationFilter, S3KeyFilter,
};
use tidegate_core::location::Bucket;
use tidegate_publish::AwsError;

use super::BucketClient;
use crate::stack::install::{NotificationEntry, ours};

/// Begin and end of keys.
fn filter(filter: Option<&NotificationConfigurationFilter>) -> (String, String) {
    let (mut prefix, mut suffix) = (String::new(), String::new());
    for rule in filter.and_then(NotificationConfigurationFilter::key).map(S3KeyFilter::filter_rules).unwrap_or_default()
    {
        let value = rule.value().unwrap_or_default();
        // S3 answers these names with a capital, whatever was written.
        match rule.name().map(|name| name.as_str().to_ascii_lowercase()).as_deref() {
            Some("prefix") => value.clone_into(&mut prefix),
            Some("suffix") => value.clone_into(&mut suffix),
            _ => {}
        }
    }
    (prefix, suffix)
}

fn entry(
    id: Option<&str>,
    target: &str,
    events: &[Event],
    of: Option<&NotificationConfigurationFilter>,
) -> NotificationEntry {
    let (prefix, suffix) = filter(of);
    NotificationEntry {
        id: id.unwrap_or_default().to_owned(),
        target: target.to_owned(),
        events: events.iter().map(|event| event.as_str().to_owned()).collect(),
        prefix,
        suffix,
    }
}

fn of_function(one: &LambdaFunctionConfiguration) -> NotificationEntry {
    entry(one.id(), one.lambda_function_arn(), one.events(), one.filter())
}

fn written(entry: &NotificationEntry) -> Result<LambdaFunctionConfiguration, aws_sdk_s3::error::BuildError> {
    let rule = |name: FilterRuleName, value: &str| FilterRule::builder().name(name).value(value).build();
    let key = S3KeyFilter::builder()
        .filter_rules(rule(FilterRuleName::Prefix, &entry.prefix))
        .filter_rules(rule(FilterRuleName::Suffix, &entry.suffix))
        .build();
    let one = LambdaFunctionConfiguration::builder()
        .id(&entry.id)
        .lambda_function_arn(&entry.target)
        .filter(NotificationConfigurationFilter::builder().key(key).build());
    entry.events.iter().fold(one, |one, event| one.events(Event::from(event.as_str()))).build()
}

impl BucketClient {
    async fn notification_configuration(&self, bucket: &Bucket) -> Result<NotificationConfiguration, AwsError> {
        let answer = self.client.get_bucket_notification_configuration().bucket(bucket.as_str()).send().await;
        let answer =
            answer.map_err(|error| AwsError::new("GetBucketNotificationConfiguration", bucket.to_string(), &error))?;
        Ok(NotificationConfiguration::builder()
            .set_topic_configurations(answer.topic_configurations)
            .set_queue_configurations(answer.queue_configurations)
            .set_lambda_function_configurations(answer.lambda_function_configurations)
            .set_event_bridge_configuration(answer.event_bridge_configuration)
            .build())
    }

    /// All notifications of a bucket, whoever is told; nothing where there is no such bucket.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn notifications(&self, bucket: &Bucket) -> Result<Option<Vec<NotificationEntry>>, AwsError> {
        let found = match self.notification_configuration(bucket).await {
            Ok(found) => found,
            Err(error) if error.code.as_deref() == Some("NoSuchBucket") => return Ok(None),
            Err(error) => return Err(error),
        };
        let topics = found.topic_configurations().iter();
        let queues = found.queue_configurations().iter();
        let functions = found.lambda_function_configurations().iter();
        let all = topics
            .map(|one| entry(one.id(), one.topic_arn(), one.events(), one.filter()))
            .chain(queues.map(|one| entry(one.id(), one.queue_arn(), one.events(), one.filter())))
            .chain(functions.map(of_function));
        Ok(Some(all.collect()))
    }

    /// Replaces what the bucket tells a function by our entries. Everything else is written back as it was read.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn set_notifications(
        &self,
        bucket: &Bucket,
        function: &str,
        entries: &[NotificationEntry],
    ) -> Result<(), AwsError> {
        let call = "PutBucketNotificationConfiguration";
        let mut found = self.notification_configuration(bucket).await?;
        let mut functions = found.lambda_function_configurations.take().unwrap_or_default();
        functions.retain(|one| !ours(&of_function(one), function));
        for entry in entries {
            let malformed =
                |error: aws_sdk_s3::error::BuildError| AwsError::malformed(call, bucket.to_string(), error.to_string());
            functions.push(written(entry).map_err(malformed)?);
        }
        found.lambda_function_configurations = Some(functions).filter(|functions| !functions.is_empty());
        let request = self.client.put_bucket_notification_configuration().bucket(bucket.as_str());
        let request = request.notification_configuration(found);
        request.send().await.map_err(|error| AwsError::new(call, bucket.to_string(), &error))?;
        Ok(())
    }
}
