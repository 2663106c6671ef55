//! Generated policies for people, functions and CI jobs. Every statement has the reason for it.

mod bucket;
mod ci_publisher;
mod ci_publisher_module;
mod edge;
mod format;
mod queue;
mod s3_sync;
mod site;
mod state_machine;
mod trust;
mod trusted_arn;
mod uploader;
mod workflow;

use serde::Serialize;
use tidegate_core::location::{Bucket, Location};

use crate::document::{PolicyDocument, Statement};

pub use bucket::{BucketAccess, BucketGrant, BucketGrantError, parse_statement, public, website_url};
pub use ci_publisher::{CiPublisher, CiPublisherError};
pub use edge::edge;
pub use format::GrantFormat;
pub use s3_sync::S3Sync;
pub use site::{SessionTags, caller, dead_letters, lambda, site};
pub use state_machine::{execution, state_machine};
pub use trust::{
    GitHubRepository, TrustError, TrustedIdentity, TrustedJobs, trust, trust_account, trust_ci_role, trust_role,
    trust_service, trust_state_machine,
};
pub use trusted_arn::{TrustedArn, TrustedArnError, trust_people};
pub use uploader::{UploadPlace, upload_grant, uploader, uploader_guard};
pub use workflow::{CiWorkflow, JobTask};

/// What a document is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// Users, groups and roles, as a managed policy.
    Policy,
    /// A role, as its trust policy.
    Trust,
    /// A bucket.
    Bucket(Bucket),
}

/// A policy document with its name and what it is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name in IAM.
    pub name: String,
    /// Its path in IAM: `/`, `/ci/`.
    pub path: String,
    /// What it is for, a sentence without a full stop.
    pub description: &'static str,
    /// What it is attached to.
    pub attached: PolicyKind,
    /// The document.
    pub document: PolicyDocument,
}

impl Grant {
    /// Whether it allows an action of a service, such as `cloudfront`.
    #[must_use]
    pub fn allows_service(&self, service: &str) -> bool {
        let actions = self.document.statements().iter().flat_map(Statement::actions);
        actions.filter_map(|action| action.split_once(':')).any(|(prefix, _)| prefix == service)
    }

    fn policy(name: &str, description: &'static str, document: PolicyDocument) -> Self {
        Self { name: name.to_owned(), path: "/".to_owned(), description, attached: PolicyKind::Policy, document }
    }
}

/// `bucket/prefix`, for names: a bucket has no `/`, so different places have different names.
fn place_name(location: &Location) -> String {
    format!("{}/{}", location.bucket, location.prefix).trim_end_matches('/').to_owned()
}
