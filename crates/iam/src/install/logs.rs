//! CloudWatch Logs: the only room that names its SDK.
//!
//! Owns the requests about one log group. Never reads a log.

use aws_sdk_cloudwatchlogs::Client;
use tidegate_publish::{AwsError, Connection};

use crate::stack::TAG;
use crate::stack::install::FoundLog;

/// A client of CloudWatch Logs.
#[derive(Debug, Clone)]
pub(super) struct Logs {
    client: Client,
}

impl Logs {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    pub(super) async fn read(&self, group: &str) -> Result<Option<FoundLog>, AwsError> {
        let mut pages = self.client.describe_log_groups().log_group_name_prefix(group).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new("DescribeLogGroups", group, &error))?;
            let Some(there) = page.log_groups().iter().find(|found| found.log_group_name() == Some(group)) else {
                continue;
            };
            // One of the two forms ends in `:*`, for policies; tags are asked for by the other.
            let arn = there.arn().unwrap_or_default().trim_end_matches(":*").to_owned();
            let tags = self.client.list_tags_for_resource().resource_arn(arn).send().await;
            let tags = tags.map_err(|error| AwsError::new("ListTagsForResource", group, &error))?;
            return Ok(Some(FoundLog {
                owner: tags.tags.and_then(|mut tags| tags.remove(TAG)),
                days: there.retention_in_days().and_then(|days| u16::try_from(days).ok()),
            }));
        }
        Ok(None)
    }

    pub(super) async fn create(&self, group: &str, owner: &str) -> Result<(), AwsError> {
        let request = self.client.create_log_group().log_group_name(group).tags(TAG, owner);
        sent!("CreateLogGroup", group, request)
    }

    pub(super) async fn retain(&self, group: &str, days: u16) -> Result<(), AwsError> {
        let request = self.client.put_retention_policy().log_group_name(group).retention_in_days(days.into());
        sent!("PutRetentionPolicy", group, request)
    }

    pub(super) async fn delete(&self, group: &str) -> Result<(), AwsError> {
        let request = self.client.delete_log_group().log_group_name(group);
        sent!("DeleteLogGroup", group, request)
    }
}
