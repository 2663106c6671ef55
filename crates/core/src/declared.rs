//! What a staged object declares besides its bytes: headers, user metadata and a redirect. Sync plugins start from it.

use serde::{Deserialize, Serialize};

use crate::headers::{ObjectHeader, ObjectHeaderError, ObjectHeaders};
use crate::listing::ObservedObject;
use crate::redirect::{RedirectTarget, RedirectTargetError};

/// Types that S3 and upload tools give to objects that declare none.
const DEFAULT_TYPES: [&str; 2] = ["binary/octet-stream", "application/octet-stream"];

/// A transfer coding of upload requests that some servers store. It is not in the body.
const UPLOAD_CODING: &str = "aws-chunked";

/// Metadata in which upload tools keep the attributes of a local file: AWS DataSync, rclone, s3cmd and s3fs. It changes
/// with every build, and would make every object of the site differ.
const FILE_METADATA: [&str; 15] = [
    "atime",
    "ctime",
    "file-acl",
    "file-atime",
    "file-group",
    "file-mtime",
    "file-owner",
    "file-permissions",
    "gid",
    "md5chksum",
    "mode",
    "mtime",
    "s3cmd-attrs",
    "uid",
    "xattr",
];

/// How the headers of staged objects are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StagedHeaders {
    /// Sync plugins start from them. Takes one request for each version of an object.
    #[default]
    Keep,
    /// Sync plugins start without headers.
    Ignore,
}

/// What a staged object declares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredHeaders {
    /// Headers and user metadata.
    #[serde(rename = "h", default, skip_serializing_if = "is_none")]
    pub headers: ObjectHeaders,
    /// Where an empty object redirects.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<RedirectTarget>,
}

fn is_none(headers: &ObjectHeaders) -> bool {
    *headers == ObjectHeaders::default()
}

/// Why a declaration cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeclaredHeadersError {
    /// A header or metadata.
    #[error(transparent)]
    Header(#[from] ObjectHeaderError),
    /// The redirect.
    #[error(transparent)]
    Redirect(#[from] RedirectTargetError),
}

impl DeclaredHeaders {
    /// What an object of `size` bytes declares, without defaults of S3 and attributes of local files. Only an empty object
    /// can be a redirect, because a redirect has no body.
    ///
    /// # Errors
    /// [`DeclaredHeadersError`] for a value that Tidegate does not write.
    pub fn of(observed: &ObservedObject, size: u64) -> Result<Self, DeclaredHeadersError> {
        let mut headers = ObjectHeaders::default();
        for (name, value) in observed.headers.iter() {
            let value = match name {
                ObjectHeader::ContentType if DEFAULT_TYPES.contains(&value) => continue,
                ObjectHeader::ContentEncoding => without_upload_coding(value),
                _ => value.to_owned(),
            };
            if !value.trim().is_empty() {
                headers.set(name, value.trim())?;
            }
        }
        for (name, value) in observed.headers.metadata() {
            if !value.trim().is_empty() && FILE_METADATA.binary_search(&name).is_err() {
                headers.set_metadata(name, value.trim())?;
            }
        }
        let redirect = observed.redirect.as_deref().filter(|_| size == 0).map(RedirectTarget::new).transpose()?;
        Ok(Self { headers, redirect })
    }
}

fn without_upload_coding(value: &str) -> String {
    let codings = value.split(',').map(str::trim);
    codings.filter(|coding| !coding.eq_ignore_ascii_case(UPLOAD_CODING)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(system: &[(ObjectHeader, &str)], metadata: &[(&str, &str)]) -> Result<DeclaredHeaders, String> {
        let system = system.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let observed =
            ObservedObject { headers: ObjectHeaders::observed(system, metadata), ..ObservedObject::default() };
        DeclaredHeaders::of(&observed, 1).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_of_s3_and_attributes_of_files_are_not_declared() {
        let cases: &[(ObjectHeader, &str, Option<&str>)] = &[
            (ObjectHeader::ContentType, "binary/octet-stream", None),
            (ObjectHeader::ContentType, "application/octet-stream", None),
            (ObjectHeader::ContentType, "text/html", Some("text/html")),
            (ObjectHeader::ContentEncoding, "gzip", Some("gzip")),
            (ObjectHeader::ContentEncoding, "aws-chunked", None),
            (ObjectHeader::ContentEncoding, "gzip,aws-chunked", Some("gzip")),
            (ObjectHeader::ContentEncoding, "AWS-chunked, br", Some("br")),
            (ObjectHeader::ContentLanguage, "", None),
            (ObjectHeader::Expires, "0", Some("0")),
        ];
        for (name, value, expected) in cases {
            assert_eq!(declared(&[(*name, value)], &[]).unwrap().headers.get(*name), *expected, "{name}: {value}");
        }
        assert!(FILE_METADATA.is_sorted());
        let metadata = FILE_METADATA.map(|name| (name, "1"));
        assert_eq!(declared(&[], &metadata).unwrap(), DeclaredHeaders::default());
        let kept = declared(&[], &[("Author", "ada"), ("empty", ""), ("tidegate-sha256", "00")]).unwrap();
        assert_eq!(kept.headers.metadata().collect::<Vec<_>>(), [("author", "ada")]);
    }

    #[test]
    fn refuses_values_that_are_not_written() {
        let refused = declared(&[(ObjectHeader::ContentDisposition, "attachment; filename=\"é\"")], &[]).unwrap_err();
        assert!(refused.contains("`content-disposition`"), "{refused}");
        assert!(declared(&[], &[("a!", "x")]).unwrap_err().contains("`a!`"));
    }

    #[test]
    fn only_an_empty_object_redirects() {
        let at = |target: &str, size| {
            let observed = ObservedObject { redirect: Some(target.to_owned()), ..ObservedObject::default() };
            DeclaredHeaders::of(&observed, size).map(|declared| declared.redirect.map(|target| target.to_string()))
        };
        assert_eq!(at("/new", 0), Ok(Some("/new".to_owned())));
        assert_eq!(at("/new", 1), Ok(None));
        assert!(matches!(at("//host", 0), Err(DeclaredHeadersError::Redirect(_))));
    }
}
