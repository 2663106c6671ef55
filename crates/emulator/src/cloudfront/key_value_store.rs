//! Key value stores: how they are created, described and deleted. `keys` reads and writes their keys.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{CloudFrontError, RefusalCode};
use super::shape::DocumentShape::{OneOf, Structure, Text};
use super::shape::{self, DocumentShape, optional, required};
use super::tags::{ResourceTags, TAGS};
use super::wire::{CloudFrontAnswer, CloudFrontFailure, PageQuery};
use super::{CloudFrontService, STORES, check_match, check_name, etag};
use crate::iam::clock::iso8601;
use crate::iam::{Caller, arn};
use crate::random::uuid;
use crate::xml::XmlElement;

/// Longest comment, in characters.
const MAX_COMMENT: usize = 128;

const CREATE: DocumentShape = Structure(&[
    required("Name", &Text),
    optional("Comment", &Text),
    optional("ImportSource", &Structure(&[required("SourceType", &OneOf(&["S3"])), required("SourceARN", &Text)])),
    optional("Tags", &TAGS),
]);
const UPDATE: DocumentShape = Structure(&[required("Comment", &Text)]);

/// A key value store, without its keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeyValueStore {
    pub(super) name: String,
    /// A UUID.
    pub(super) id: String,
    comment: String,
    /// The version of its name and comment. Its keys have a version of their own.
    etag: String,
    pub(super) created: Timestamp,
    modified: Timestamp,
    /// The version of its keys.
    pub(super) data_etag: String,
    /// When its keys were changed last.
    pub(super) data_modified: Timestamp,
    #[serde(default)]
    pub(super) tags: ResourceTags,
}

impl KeyValueStore {
    pub(super) fn arn(&self) -> String {
        arn::key_value_store(&self.id)
    }

    /// The same store after its keys were changed.
    pub(super) fn changed(&self, data_etag: String, data_modified: Timestamp) -> Self {
        Self { data_etag, data_modified, ..self.clone() }
    }

    fn element(&self, status: &str) -> XmlElement {
        XmlElement::new("KeyValueStore")
            .with(XmlElement::text("Name", &self.name))
            .with(XmlElement::text("Id", &self.id))
            .with(XmlElement::text("Comment", &self.comment))
            .with(XmlElement::text("ARN", &self.arn()))
            .with(XmlElement::text("Status", status))
            .with(XmlElement::text("LastModifiedTime", &iso8601(self.modified)))
    }
}

impl CloudFrontService {
    /// Answers the requests below `key-value-store`.
    pub(super) fn answer_store(
        &self,
        caller: &Caller,
        request: &Request<Bytes>,
        path: &[&str],
    ) -> Result<Option<CloudFrontAnswer>, CloudFrontFailure> {
        // A request names the store, and a policy its ID. A store that does not exist has every ID.
        let allow = |action: &str, name: &str| {
            let id = self.lock().stores.get(name).map_or_else(|| "*".to_owned(), |store| store.id.clone());
            self.allow(caller, action, &arn::key_value_store(&id))
        };
        Ok(Some(match (request.method(), path) {
            (&Method::POST, []) => {
                self.allow(caller, "cloudfront:CreateKeyValueStore", "*")?;
                self.create_store(caller, request.body())?
            }
            (&Method::GET, []) => {
                self.allow(caller, "cloudfront:ListKeyValueStores", "*")?;
                let query = PageQuery::read(request)?;
                let state = self.lock();
                let stores =
                    state.stores.iter().filter(|_| query.value("Status").is_none_or(|status| status == "READY"));
                let items = stores.map(|(name, store)| (name.as_str(), store.element("READY")));
                CloudFrontAnswer::ok(query.short_list("KeyValueStoreList", items))
            }
            (&Method::GET, [name]) => {
                allow("cloudfront:DescribeKeyValueStore", name)?;
                let store = self.lock().stores.get(*name).cloned().ok_or_else(missing)?;
                CloudFrontAnswer::ok(store.element("READY")).with_etag(&store.etag)
            }
            (&Method::PUT, [name]) => {
                allow("cloudfront:UpdateKeyValueStore", name)?;
                self.update_store(name, request)?
            }
            (&Method::DELETE, [name]) => {
                allow("cloudfront:DeleteKeyValueStore", name)?;
                self.delete_store(name, request.headers())?;
                CloudFrontAnswer::deleted()
            }
            _ => return Ok(None),
        }))
    }

    fn create_store(&self, caller: &Caller, body: &[u8]) -> Result<CloudFrontAnswer, CloudFrontFailure> {
        let document = shape::read(body, "CreateKeyValueStoreRequest", &CREATE)?;
        let name = document.text_at(&["Name"]).unwrap_or_default();
        check_name(name)?;
        let comment = document.text_at(&["Comment"]).unwrap_or_default();
        check_comment(comment)?;
        let tags = self.new_tags(caller, &document, &arn::key_value_store("*"))?;
        let source = document.at(&["ImportSource", "SourceARN"]).map(XmlElement::content);
        let entries = source.map(|arn| self.import(caller, arn)).transpose()?.unwrap_or_default();
        let mut state = self.lock();
        if state.stores.contains_key(name) {
            let message = format!("A key value store with the name {name} already exists.");
            return Err(CloudFrontError::refused(RefusalCode::EntityAlreadyExists, message).into());
        }
        let now = self.iam.clock().now();
        let store = KeyValueStore {
            name: name.to_owned(),
            id: uuid().map_err(|error| CloudFrontError::Storage(error.to_string()))?,
            comment: comment.to_owned(),
            etag: etag()?,
            created: now,
            modified: now,
            data_etag: etag()?,
            data_modified: now,
            tags,
        };
        // The keys first: those of a store that does not exist are not loaded.
        let written = entries.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
        self.store_entries(&store.id, written.collect())?;
        self.store(STORES, name, &store)?;
        let answer = CloudFrontAnswer::ok(store.element("PROVISIONING")).with_etag(&store.etag);
        state.entries.insert(store.id.clone(), entries);
        state.stores.insert(name.to_owned(), store);
        Ok(answer.created(&format!("key-value-store/{name}")))
    }

    fn update_store(&self, name: &str, request: &Request<Bytes>) -> Result<CloudFrontAnswer, CloudFrontError> {
        let document = shape::read(request.body(), "UpdateKeyValueStoreRequest", &UPDATE)?;
        let comment = document.text_at(&["Comment"]).unwrap_or_default();
        check_comment(comment)?;
        let mut state = self.lock();
        let known = state.stores.get(name).ok_or_else(missing)?;
        check_match(request.headers(), &known.etag)?;
        let modified = self.iam.clock().now();
        let store = KeyValueStore { comment: comment.to_owned(), etag: etag()?, modified, ..known.clone() };
        self.store(STORES, name, &store)?;
        let answer = CloudFrontAnswer::ok(store.element("READY")).with_etag(&store.etag);
        state.stores.insert(name.to_owned(), store);
        Ok(answer)
    }

    fn delete_store(&self, name: &str, headers: &HeaderMap) -> Result<(), CloudFrontError> {
        let mut state = self.lock();
        let store = state.stores.get(name).ok_or_else(missing)?.clone();
        check_match(headers, &store.etag)?;
        if state.functions.values().any(|function| function.uses_store(&store.arn())) {
            let message = "Cannot delete the key value store because it is associated with one or more functions.";
            return Err(CloudFrontError::refused(RefusalCode::CannotDeleteEntityWhileInUse, message));
        }
        let keys = state.entries.get(&store.id).into_iter().flatten().map(|(key, _)| (key.clone(), None)).collect();
        self.store_entries(&store.id, keys)?;
        self.remove(STORES, name)?;
        state.entries.remove(&store.id);
        state.stores.remove(name);
        Ok(())
    }
}

fn check_comment(comment: &str) -> Result<(), CloudFrontError> {
    if comment.chars().count() > MAX_COMMENT {
        let message = format!("The comment has more than {MAX_COMMENT} characters.");
        return Err(CloudFrontError::refused(RefusalCode::InvalidArgument, message));
    }
    Ok(())
}

fn missing() -> CloudFrontError {
    CloudFrontError::refused(RefusalCode::EntityNotFound, "The key value store was not found.")
}
