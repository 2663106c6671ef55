//! S3: an object store that imitates the real one where a publisher depends on it, and the protocol on top.
//!
//! In the order in which data meets them: `service` implements the protocol, `access` authorizes every request, the
//! [`ObjectStore`] stores buckets, objects and uploads, and [`body`] their bytes. The store itself checks no
//! permissions: tests and the preview use it directly.

mod access;
mod body;
mod body_file;
mod bucket;
mod buckets;
mod algorithm;
mod checksum;
mod condition;
mod content;
mod copy;
mod error;
mod list;
mod multipart;
mod object;
mod service;
mod store;
mod version;

pub(crate) use self::access::{Authorizer, OriginCaller};
pub(crate) use self::service::service;
pub use self::{
    bucket::{BucketRecord, Ownership, PublicAccessBlock, Website},
    condition::WriteCondition,
    content::ObjectContent,
    error::S3Failure,
    object::{ObjectEncryption, ObjectInfo, StoredHeaders},
    store::{ObjectStore, OpenObject, StoreLimits},
    version::NoncurrentVersion,
};
