//! The protocol of the keys, REST with JSON. Requests are signed with Signature Version 4A.
//!
//! Source: CloudFront KeyValueStore API Reference; Service Authorization Reference, "Actions, resources, and condition
//! keys for Amazon CloudFront KeyValueStore".

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::{CloudFrontService, CloudFrontState};
use super::{KeyChanges, StoreError, StoreSize, check_key};
use crate::iam::AccessRequest;
use crate::iam::signature::{self, SignatureError};

/// The name of the service in signatures and in actions.
const SERVICE: &str = "cloudfront-keyvaluestore";
/// Most keys on one page of `ListKeys`.
const PAGE: usize = 50;
/// Names the kind of an error.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// An error with AWS's status, code and message.
struct StoreFailure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl From<StoreError> for StoreFailure {
    fn from(error: StoreError) -> Self {
        let (status, code) = match &error {
            StoreError::NotFound(_) => (StatusCode::NOT_FOUND, "ResourceNotFoundException"),
            StoreError::Validation(_) => (StatusCode::BAD_REQUEST, "ValidationException"),
            StoreError::Quota(_) => (StatusCode::PAYMENT_REQUIRED, "ServiceQuotaExceededException"),
            StoreError::Storage(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerException"),
        };
        Self { status, code, message: error.to_string() }
    }
}

impl From<SignatureError> for StoreFailure {
    fn from(error: SignatureError) -> Self {
        let code = match &error {
            SignatureError::Missing => "MissingAuthenticationTokenException",
            SignatureError::Incomplete(_) => "IncompleteSignatureException",
            SignatureError::InvalidClientTokenId => "UnrecognizedClientException",
            SignatureError::ExpiredToken => "ExpiredTokenException",
            SignatureError::Scope(_) | SignatureError::Skewed(_) | SignatureError::Mismatch => {
                "InvalidSignatureException"
            }
        };
        Self { status: error.status(), code, message: error.to_string() }
    }
}

/// A successful answer, with the version of the store.
struct StoreAnswer {
    body: Value,
    etag: Option<String>,
}

impl StoreAnswer {
    fn sized(etag: String, size: &StoreSize) -> Self {
        Self { body: json!({ "ItemCount": size.items, "TotalSizeInBytes": size.bytes }), etag: Some(etag) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutKeyBody {
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateKeysBody {
    #[serde(default)]
    puts: Vec<PutEntry>,
    #[serde(default)]
    deletes: Vec<DeleteEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutEntry {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteEntry {
    key: String,
}

impl CloudFrontService {
    /// Answers one request about the keys of a store.
    pub fn handle_keys(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let (status, body, header) = match self.answer_keys(request) {
            Ok(answer) => (StatusCode::OK, answer.body, answer.etag.map(|etag| (header::ETAG, etag))),
            Err(failure) => {
                let body = json!({ "Message": failure.message });
                (failure.status, body, Some((ERROR_TYPE, failure.code.to_owned())))
            }
        };
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some((name, value)) = header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn answer_keys(&self, request: &Request<Bytes>) -> Result<StoreAnswer, StoreFailure> {
        let caller = signature::verify_asymmetric(&self.iam, request, SERVICE)?;
        let segments: Vec<String> = request
            .uri()
            .path()
            .trim_start_matches('/')
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let allow = |action: &str, arn: &str| {
            let request = AccessRequest { action: &format!("{SERVICE}:{action}"), resource: arn, context: &[] };
            self.iam.authorize(&caller.access_key_id, &request).map_err(|denied| StoreFailure {
                status: StatusCode::FORBIDDEN,
                code: "AccessDeniedException",
                message: denied.to_string(),
            })
        };
        let if_match = request.headers().get(header::IF_MATCH).and_then(|value| value.to_str().ok());
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["key-value-stores", arn]) => {
                allow("DescribeKeyValueStore", arn)?;
                Ok(describe(&self.lock(), arn)?)
            }
            (&Method::GET, ["key-value-stores", arn, "keys"]) => {
                allow("ListKeys", arn)?;
                Ok(list(&self.lock(), arn, request.uri().query().unwrap_or_default())?)
            }
            (&Method::POST, ["key-value-stores", arn, "keys"]) => {
                allow("UpdateKeys", arn)?;
                let body: UpdateKeysBody = read(request.body())?;
                let changes = KeyChanges {
                    puts: body.puts.into_iter().map(|put| (put.key, put.value)).collect(),
                    deletes: body.deletes.into_iter().map(|delete| delete.key).collect(),
                };
                let (etag, size) = self.change_keys(arn, if_match, changes)?;
                Ok(StoreAnswer::sized(etag, &size))
            }
            (&Method::GET, ["key-value-stores", arn, "keys", key]) => {
                allow("GetKey", arn)?;
                Ok(get(&self.lock(), arn, key)?)
            }
            (&Method::PUT, ["key-value-stores", arn, "keys", key]) => {
                allow("PutKey", arn)?;
                let body: PutKeyBody = read(request.body())?;
                let changes = KeyChanges { puts: vec![((*key).to_owned(), body.value)], ..KeyChanges::default() };
                let (etag, size) = self.change_keys(arn, if_match, changes)?;
                Ok(StoreAnswer::sized(etag, &size))
            }
            (&Method::DELETE, ["key-value-stores", arn, "keys", key]) => {
                allow("DeleteKey", arn)?;
                let changes = KeyChanges { deletes: vec![(*key).to_owned()], ..KeyChanges::default() };
                let (etag, size) = self.change_keys(arn, if_match, changes)?;
                Ok(StoreAnswer::sized(etag, &size))
            }
            (method, _) => Err(StoreFailure {
                status: StatusCode::NOT_IMPLEMENTED,
                code: "NotImplemented",
                message: format!("the emulator does not support {method} {} of key value stores", request.uri().path()),
            }),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Validation(format!("The body is invalid: {error}.")))
}

fn describe(state: &CloudFrontState, arn: &str) -> Result<StoreAnswer, StoreError> {
    let found = state.entries(arn)?;
    let size = StoreSize::of(found.entries);
    let body = json!({
        "ItemCount": size.items,
        "TotalSizeInBytes": size.bytes,
        "KvsARN": arn,
        "Created": found.store.created.as_second(),
        "LastModified": found.store.data_modified.as_second(),
        "Status": "READY",
    });
    Ok(StoreAnswer { body, etag: Some(found.store.data_etag.clone()) })
}

fn get(state: &CloudFrontState, arn: &str, key: &str) -> Result<StoreAnswer, StoreError> {
    check_key(key)?;
    let found = state.entries(arn)?;
    let missing = || StoreError::NotFound(format!("The key {key} was not found."));
    let value = found.entries.get(key).ok_or_else(missing)?;
    let size = StoreSize::of(found.entries);
    let body = json!({ "Key": key, "Value": value, "ItemCount": size.items, "TotalSizeInBytes": size.bytes });
    Ok(StoreAnswer { body, etag: None })
}

fn list(state: &CloudFrontState, arn: &str, query: &str) -> Result<StoreAnswer, StoreError> {
    let found = state.entries(arn)?;
    let (mut most, mut after) = (PAGE, None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "MaxResults" => {
                let message =
                    || StoreError::Validation(format!("MaxResults must be from 1 to {PAGE}, but is {value}."));
                most = value.parse().ok().filter(|most| (1..=PAGE).contains(most)).ok_or_else(message)?;
            }
            "NextToken" => {
                let token = URL_SAFE_NO_PAD.decode(value.as_bytes()).ok().and_then(|key| String::from_utf8(key).ok());
                let invalid = || StoreError::Validation("The NextToken is invalid.".to_owned());
                after = Some(token.ok_or_else(invalid)?);
            }
            other => return Err(StoreError::Validation(format!("The parameter {other} is unknown."))),
        }
    }
    let mut rest = found.entries.iter().filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
    let page: Vec<(&String, &String)> = rest.by_ref().take(most).collect();
    let next = rest.next().and(page.last()).map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
    let items: Vec<Value> = page.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(StoreAnswer { body: json!({ "Items": items, "NextToken": next }), etag: None })
}
