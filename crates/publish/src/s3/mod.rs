//! S3 requests. Nothing else in this crate names the S3 SDK.

mod client;
mod acl;
mod condition;
mod list;
mod ranges;
mod uploads;
mod head;
mod get;
mod body;
mod put_options;
mod put;
mod multipart;
mod bucket_owner;
mod copy;
mod delete;
mod document;
mod throttles;

pub(crate) use body::{BodyBytes, Opener};
pub use client::S3;
pub use condition::PutCondition;
pub use copy::CopySource;
pub(crate) use delete::{DeleteOutcome, DeleteTarget};
pub(crate) use get::MAX_DOCUMENT;
pub use get::StagedObject;
pub use head::ObjectHead;
pub(crate) use head::ObservedCopy;
pub use list::{ListError, ListPage};
pub(crate) use put_options::PutOptions;
pub use ranges::RangedListing;
pub(crate) use throttles::ThrottleCount;
