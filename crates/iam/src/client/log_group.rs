//! The client of CloudWatch Logs for the function's log group.

use aws_sdk_cloudwatchlogs::Client;
use tidegate_publish::{AwsError, Connection};

use crate::changes::{LogGroupChange, TAG};
use crate::stack::install::FoundLogGroup;

/// A client of CloudWatch Logs.
#[derive(Debug, Clone)]
pub(crate) struct LogGroupClient {
    client: Client,
}

impl LogGroupClient {
    pub(crate) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    pub(crate) async fn read(&self, group: &str) -> Result<Option<FoundLogGroup>, AwsError> {
        let mut pages = self.client.describe_log_groups().log_group_name_prefix(group).into_paginator().items().send();
        let mut next =
            async || pages.try_next().await.map_err(|error| AwsError::new("DescribeLogGroups", group, &error));
        while let Some(found) = next().await? {
            if found.log_group_name() != Some(group) {
                continue;
            }
            // `DescribeLogGroups` returns the ARN with `:*` at its end, `ListTagsForResource` takes it without.
            let arn = found.arn().unwrap_or_default().trim_end_matches(":*");
            let request = self.client.list_tags_for_resource().resource_arn(arn);
            let tags = send!("ListTagsForResource", group, request)?;
            return Ok(Some(FoundLogGroup {
                owner: tags.tags.and_then(|mut tags| tags.remove(TAG)),
                days: found.retention_in_days().and_then(|days| u16::try_from(days).ok()),
            }));
        }
        Ok(None)
    }

    pub(crate) async fn change(&self, change: &LogGroupChange) -> Result<(), AwsError> {
        match change {
            LogGroupChange::CreateLogGroup { group, owner } => {
                let request = self.client.create_log_group().log_group_name(group).tags(TAG, owner);
                send!("CreateLogGroup", group, request).map(drop)
            }
            LogGroupChange::SetRetention { group, days } => {
                let request = self.client.put_retention_policy().log_group_name(group);
                send!("PutRetentionPolicy", group, request.retention_in_days((*days).into())).map(drop)
            }
            LogGroupChange::DeleteLogGroup { group } => {
                send!("DeleteLogGroup", group, self.client.delete_log_group().log_group_name(group)).map(drop)
            }
        }
    }
}
