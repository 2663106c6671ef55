//! Permissions for people, functions and CI jobs, each as the documents that somebody attaches.
//!
//! Owns which statements each of them needs, and why. Never attaches anything, and never asks AWS.

mod bucket;
mod ci_publisher;
mod form;
mod s3_sync;
mod site;
mod trust;
mod uploader;

use serde::Serialize;
use tidegate_core::location::Bucket;

use crate::document::PolicyDocument;

pub use bucket::{BucketAccess, BucketGrant, BucketGrantError, public, statement as checked_statement};
pub use ci_publisher::{CiPublisher, CiPublisherError};
pub use form::GrantFormat;
pub use s3_sync::S3Sync;
pub use site::{caller, dead_letters, lambda, site};
pub use trust::{TrustError, TrustedIdentity, trust, trust_account, trust_role, trust_service};
pub use uploader::{uploader, uploader_guard};

/// What a document is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// Users, groups and roles: a managed policy.
    Policy,
    /// A role: who may assume it.
    Trust,
    /// A bucket.
    Bucket(Bucket),
}

/// One document, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name in IAM.
    pub name: String,
    /// Its path in IAM: `/`, `/ci/`.
    pub path: String,
    /// What it is for, a sentence without its full stop.
    pub what: &'static str,
    /// What it is attached to.
    pub attached: PolicyKind,
    /// The document.
    pub document: PolicyDocument,
}

impl Grant {
    fn policy(name: &str, what: &'static str, document: PolicyDocument) -> Self {
        Self { name: name.to_owned(), path: "/".to_owned(), what, attached: PolicyKind::Policy, document }
    }
}
