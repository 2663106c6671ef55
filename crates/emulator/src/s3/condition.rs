//! The conditions of a request on the current object.

use http::HeaderMap;
use s3s::dto::{ETagCondition, Timestamp};

use super::{error::S3Failure, object::ObjectInfo};

/// The condition of a write or delete on the current object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WriteCondition {
    /// Nothing.
    #[default]
    None,
    /// `If-None-Match: *`: no object exists.
    Absent,
    /// `If-Match: *`: an object exists.
    Present,
    /// `If-Match: "etag"`: the object has this ETag (unquoted).
    Matches(String),
}

impl WriteCondition {
    /// Reads the two headers as PutObject, CopyObject and CompleteMultipartUpload interpret them.
    ///
    /// # Errors
    /// S3 supports only `*` in `If-None-Match` here, no `If-Match: *`, and not both at once.
    pub(crate) fn of_write(headers: &HeaderMap) -> Result<Self, S3Failure> {
        let if_match = header(headers, http::header::IF_MATCH);
        let if_none_match = header(headers, http::header::IF_NONE_MATCH);
        match (if_match, if_none_match) {
            (None, None) => Ok(Self::None),
            (None, Some("*")) => Ok(Self::Absent),
            (Some("*"), None) => Err(S3Failure::NotImplemented("If-Match: *")),
            (Some(etag), None) => Ok(Self::Matches(unquoted(etag))),
            (None, Some(_)) => Err(S3Failure::NotImplemented("If-None-Match with an ETag")),
            (Some(_), Some(_)) => Err(S3Failure::NotImplemented("If-Match together with If-None-Match")),
        }
    }

    /// Reads `If-Match` as deletes interpret it.
    pub(crate) fn of_delete(etag: Option<&str>) -> Self {
        match etag {
            None => Self::None,
            Some("*") => Self::Present,
            Some(etag) => Self::Matches(unquoted(etag)),
        }
    }

    /// Checks the condition.
    ///
    /// # Errors
    /// [`S3Failure::PreconditionFailed`], or [`S3Failure::NoSuchKey`] if an object must match and none exists. Source:
    /// S3 User Guide, "How to prevent object overwrites with conditional writes" and "How to perform conditional
    /// deletes".
    pub(crate) fn check(&self, current: Option<&ObjectInfo>) -> Result<(), S3Failure> {
        match (self, current) {
            (Self::None, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Absent, Some(_)) => Err(S3Failure::PreconditionFailed),
            (Self::Present | Self::Matches(_), None) => Err(S3Failure::NoSuchKey),
            (Self::Matches(etag), Some(object)) if *etag == object.etag => Ok(()),
            (Self::Matches(_), Some(_)) => Err(S3Failure::PreconditionFailed),
        }
    }
}

/// The conditions of a read, or of the source of a copy.
#[derive(Debug, Default)]
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

impl ReadConditions {
    /// Checks them in the order of RFC 9110, section 13.2.2: with an ETag condition, the date is ignored.
    ///
    /// # Errors
    /// [`S3Failure::PreconditionFailed`], or [`S3Failure::NotModified`] if the client already has this object.
    pub(crate) fn check(&self, object: &ObjectInfo) -> Result<(), S3Failure> {
        let modified = Timestamp::from(object.modified());
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !holds(condition, object) => {
                return Err(S3Failure::PreconditionFailed);
            }
            (None, Some(since)) if modified > *since => return Err(S3Failure::PreconditionFailed),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if holds(condition, object) => Err(S3Failure::NotModified),
            (None, Some(since)) if modified <= *since => Err(S3Failure::NotModified),
            _ => Ok(()),
        }
    }

    /// The same for a copy, which has no 304.
    ///
    /// # Errors
    /// [`S3Failure::PreconditionFailed`].
    pub(crate) fn check_copy(&self, object: &ObjectInfo) -> Result<(), S3Failure> {
        self.check(object).map_err(|_| S3Failure::PreconditionFailed)
    }
}

fn holds(condition: &ETagCondition, object: &ObjectInfo) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

fn header(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty())
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}
