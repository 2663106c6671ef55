//! Clients for IAM, and for what S3, Lambda, SQS, SNS and CloudWatch Logs keep about the function: the only place in this
//! crate that names an AWS SDK. A resource that does not exist is `None`, not an error.

/// Sends a request. An error names the call and its subject.
macro_rules! send {
    ($call:literal, $subject:expr, $request:expr) => {
        $request.send().await.map_err(|error| ::tidegate_publish::AwsError::new($call, $subject, &error))
    };
}

mod bucket;
mod function;
mod iam;
mod log_group;
mod notification;
mod queue;
mod topic;

pub use bucket::BucketClient;
pub(crate) use function::FunctionClient;
pub use iam::{IamClient, RoleFilter, RoleInfo, UserInfo};
pub(crate) use log_group::LogGroupClient;
pub(crate) use queue::QueueClient;
pub(crate) use topic::TopicClient;
