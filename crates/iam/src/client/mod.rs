//! Clients of IAM, CloudFormation, and S3 for buckets: the only place in this crate that names an AWS SDK. A resource that
//! does not exist is `None`, not an error.

/// Sends a request. An error names the call and its subject.
macro_rules! send {
    ($call:literal, $subject:expr, $request:expr) => {
        $request.send().await.map_err(|error| ::tidegate_publish::AwsError::new($call, $subject, &error))
    };
}

mod bucket;
mod cloudformation;
mod iam;

pub use bucket::BucketClient;
pub(crate) use cloudformation::{ChangeSetSpec, ChangeSetState, StackClient, TemplateSource, says_up_to_date};
pub use iam::{IamClient, RoleFilter, RoleInfo, UserInfo};
