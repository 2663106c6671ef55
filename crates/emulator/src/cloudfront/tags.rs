//! Tags of key value stores and functions: those that a new one can have, and how they are listed.
//!
//! Source: CloudFront API Reference, "Tag" and "ListTagsForResource"; Tagging AWS Resources, "Tag naming limits and
//! requirements" (unique keys, the prefix `aws:`, at most 50).

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request};

use super::error::{CloudFrontError, RefusalCode};
use super::shape::DocumentShape::{List, Structure, Text};
use super::shape::{DocumentShape, optional, required};
use super::wire::{CloudFrontAnswer, CloudFrontFailure, PageQuery};
use super::{CloudFrontService, CloudFrontState};
use crate::iam::{Caller, arn};
use crate::xml::XmlElement;

/// Tags by key.
pub(super) type ResourceTags = BTreeMap<String, String>;

/// Most tags of one resource.
const MAX_TAGS: usize = 50;
/// Longest key, in characters.
const MAX_KEY: usize = 128;
/// Longest value, in characters.
const MAX_VALUE: usize = 256;

/// `Tags`.
pub(super) const TAGS: DocumentShape =
    Structure(&[optional("Items", &List("Tag", &Structure(&[required("Key", &Text), optional("Value", &Text)])))]);

/// Reads the tags of a document.
fn read(tags: Option<&XmlElement>) -> Result<ResourceTags, CloudFrontError> {
    let refuse = |message: String| Err(CloudFrontError::refused(RefusalCode::InvalidArgument, message));
    let mut read = ResourceTags::new();
    for tag in tags.and_then(|tags| tags.at(&["Items"])).map_or(&[][..], XmlElement::children) {
        let text = |name: &str| tag.text_at(&[name]).unwrap_or_default();
        let (key, value) = (text("Key"), text("Value"));
        let is_valid = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
        if key.is_empty() || key.chars().count() > MAX_KEY || !is_valid(key) {
            return refuse(format!("The key of the tag `{key}` must have 1 to {MAX_KEY} valid characters."));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return refuse(format!("The key of the tag `{key}` must not begin with `aws:`."));
        }
        if value.chars().count() > MAX_VALUE || !is_valid(value) {
            return refuse(format!("The value of the tag `{key}` must have at most {MAX_VALUE} valid characters."));
        }
        if read.insert(key.to_owned(), value.to_owned()).is_some() {
            return refuse(format!("The tag `{key}` occurs twice."));
        }
    }
    if read.len() > MAX_TAGS {
        return refuse(format!("A resource has at most {MAX_TAGS} tags."));
    }
    Ok(read)
}

impl CloudFrontState {
    /// The tags of a resource that can have some; `None` if there is no such resource.
    fn tags(&self, resource: &str) -> Option<ResourceTags> {
        let store = self.stores.values().find(|store| store.arn() == resource).map(|store| &store.tags);
        let function = || self.functions.values().find(|known| known.arn() == resource).map(|known| &known.tags);
        if let Some(tags) = store.or_else(function) {
            return Some(tags.clone());
        }
        let is_distribution = self.distributions.keys().any(|id| arn::distribution(id) == resource);
        is_distribution.then(ResourceTags::new)
    }
}

impl CloudFrontService {
    /// The tags in a request that creates a resource with this ARN.
    pub(super) fn new_tags(
        &self,
        caller: &Caller,
        document: &XmlElement,
        resource: &str,
    ) -> Result<ResourceTags, CloudFrontFailure> {
        let tags = read(document.at(&["Tags"]))?;
        if !tags.is_empty() {
            // AWS does not document this permission for these operations, but other services demand it to tag what they
            // create.
            self.allow(caller, "cloudfront:TagResource", resource)?;
        }
        Ok(tags)
    }

    /// Answers the requests for `tagging`.
    pub(super) fn answer_tags(
        &self,
        caller: &Caller,
        request: &Request<Bytes>,
    ) -> Result<Option<CloudFrontAnswer>, CloudFrontFailure> {
        if request.method() != Method::GET {
            return Ok(None);
        }
        let query = PageQuery::read(request)?;
        let resource = query.value("Resource").unwrap_or_default();
        self.allow(caller, "cloudfront:ListTagsForResource", resource)?;
        let missing = || CloudFrontError::refused(RefusalCode::NoSuchResource, "The resource does not exist.");
        let tags = self.lock().tags(resource).ok_or_else(missing)?;
        let items = tags.iter().map(|(key, value)| {
            XmlElement::new("Tag").with(XmlElement::text("Key", key)).with(XmlElement::text("Value", value))
        });
        let root = XmlElement::new("Tags").with(XmlElement::new("Items").with_each(items));
        Ok(Some(CloudFrontAnswer::ok(root)))
    }
}
