//! The AWS operation that a request calls, read from the request alone.

use std::fmt;

use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, Method, Request, header};
use percent_encoding::percent_decode_str;
use tidegate_emulator::http::{bucket_of_host, service_name};

use crate::json_protocol::{CONTENT_TYPE, TARGET};

/// A service that the product calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsService {
    /// Simple Storage Service.
    S3,
    /// Security Token Service.
    Sts,
    /// Identity and Access Management.
    Iam,
    /// CloudFormation.
    CloudFormation,
    /// CloudFront.
    CloudFront,
    /// CloudFront, for the keys of its key value stores.
    KeyValueStore,
    /// Secrets Manager.
    SecretsManager,
    /// Systems Manager, for its Parameter Store.
    SystemsManager,
    /// Step Functions.
    StepFunctions,
}

impl AwsService {
    fn of(name: &str) -> Self {
        match name {
            "sts" => Self::Sts,
            "iam" => Self::Iam,
            "cloudformation" => Self::CloudFormation,
            "cloudfront" => Self::CloudFront,
            "cloudfront-keyvaluestore" => Self::KeyValueStore,
            "secretsmanager" => Self::SecretsManager,
            "ssm" => Self::SystemsManager,
            "states" => Self::StepFunctions,
            _ => Self::S3,
        }
    }

    /// The body of an error in the protocol of this service.
    #[must_use]
    pub fn error_body(self, code: &str, message: &str) -> String {
        let inner = || {
            let (code, message) = (quick_xml::escape::escape(code), quick_xml::escape::escape(message));
            format!("<Code>{code}</Code><Message>{message}</Message>")
        };
        match self {
            Self::S3 => format!("<Error>{}<RequestId>FAULT</RequestId></Error>", inner()),
            Self::Sts | Self::Iam | Self::CloudFormation | Self::CloudFront => format!(
                "<ErrorResponse><Error><Type>Sender</Type>{}</Error><RequestId>FAULT</RequestId></ErrorResponse>",
                inner()
            ),
            Self::KeyValueStore => serde_json::json!({ "Message": message }).to_string(),
            Self::SecretsManager | Self::SystemsManager | Self::StepFunctions => {
                serde_json::json!({ "__type": code, "message": message }).to_string()
            }
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::SecretsManager | Self::SystemsManager => CONTENT_TYPE,
            Self::StepFunctions => "application/x-amz-json-1.0",
            Self::KeyValueStore => "application/json",
            Self::S3 | Self::Sts | Self::Iam | Self::CloudFormation | Self::CloudFront => "application/xml",
        }
    }
}

/// One request, as a line of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall {
    /// 1 for the first request.
    pub number: u64,
    /// The service.
    pub service: AwsService,
    /// The operation as in the API reference, such as `PutObject`; `Unknown` for any other request.
    pub operation: String,
    /// The bucket, for S3.
    pub bucket: Option<String>,
    /// The key, for S3.
    pub key: Option<String>,
}

impl ApiCall {
    /// Reads a request.
    #[must_use]
    pub fn of(number: u64, request: &Request<SdkBody>) -> Self {
        let service = AwsService::of(service_name(request.uri(), request.headers()));
        let (bucket, key) = if service == AwsService::S3 { bucket_and_key(request) } else { (None, None) };
        let operation = match service {
            AwsService::S3 => {
                let query = CallQuery::of(request.uri().query().unwrap_or_default());
                s3_operation(request.method(), bucket.is_some(), key.is_some(), &query, request.headers()).to_owned()
            }
            AwsService::Sts | AwsService::Iam | AwsService::CloudFormation => {
                query_operation(request.body().bytes().unwrap_or_default())
            }
            AwsService::SecretsManager | AwsService::SystemsManager | AwsService::StepFunctions => {
                json_operation(request.headers())
            }
            AwsService::KeyValueStore => key_value_operation(request.method(), request.uri().path()).to_owned(),
            AwsService::CloudFront => cloudfront_operation(request.method(), request.uri().path()).to_owned(),
        };
        Self { number, service, operation, bucket, key }
    }

    /// Whether the request can change nothing. An unknown operation counts as a write.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        ["Describe", "Get", "Head", "List", "Simulate"].iter().any(|start| self.operation.starts_with(start))
            || self.service == AwsService::Sts
    }
}

impl fmt::Display for ApiCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.number, self.operation)?;
        if let Some(bucket) = &self.bucket {
            write!(formatter, " {bucket}")?;
        }
        if let Some(key) = &self.key {
            write!(formatter, "/{key}")?;
        }
        Ok(())
    }
}

/// The names in a query string.
struct CallQuery(Vec<String>);

impl CallQuery {
    fn of(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|found| found == name)
    }
}

fn bucket_and_key(request: &Request<SdkBody>) -> (Option<String>, Option<String>) {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let named = |text: &str| Some(decode(text)).filter(|text| !text.is_empty());
    let path = request.uri().path().strip_prefix('/').unwrap_or_default();
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| request.uri().host());
    match host.and_then(bucket_of_host) {
        Some(bucket) => (Some(bucket.to_owned()), named(path)),
        None => match path.split_once('/') {
            Some((bucket, key)) => (named(bucket), named(key)),
            None => (named(path), None),
        },
    }
}

/// Source: the request syntax of each operation in the S3 API reference.
fn s3_operation(method: &Method, bucket: bool, key: bool, query: &CallQuery, headers: &HeaderMap) -> &'static str {
    let copies = headers.contains_key("x-amz-copy-source");
    match (method.as_str(), bucket, key) {
        ("GET", false, _) => "ListBuckets",
        ("HEAD", true, false) => "HeadBucket",
        ("HEAD", true, true) => "HeadObject",
        ("GET", true, true) if query.has("uploadId") => "ListParts",
        ("GET", true, true) if query.has("attributes") => "GetObjectAttributes",
        ("GET", true, true) if query.has("tagging") => "GetObjectTagging",
        ("GET", true, true) => "GetObject",
        ("GET", true, false) if query.has("list-type") => "ListObjectsV2",
        ("GET", true, false) if query.has("uploads") => "ListMultipartUploads",
        ("GET", true, false) if query.has("location") => "GetBucketLocation",
        ("GET", true, false) if query.has("versioning") => "GetBucketVersioning",
        ("GET", true, false) if query.has("encryption") => "GetBucketEncryption",
        ("GET", true, false) if query.has("website") => "GetBucketWebsite",
        ("GET", true, false) if query.has("ownershipControls") => "GetBucketOwnershipControls",
        ("GET", true, false) if query.has("policy") => "GetBucketPolicy",
        ("GET", true, false) => "ListObjects",
        ("PUT", true, true) if query.has("partNumber") && copies => "UploadPartCopy",
        ("PUT", true, true) if query.has("partNumber") => "UploadPart",
        ("PUT", true, true) if query.has("tagging") => "PutObjectTagging",
        ("PUT", true, true) if query.has("acl") => "PutObjectAcl",
        ("PUT", true, true) if copies => "CopyObject",
        ("PUT", true, true) => "PutObject",
        ("PUT", true, false) if query.has("versioning") => "PutBucketVersioning",
        ("PUT", true, false) if query.has("encryption") => "PutBucketEncryption",
        ("PUT", true, false) if query.has("website") => "PutBucketWebsite",
        ("PUT", true, false) if query.has("ownershipControls") => "PutBucketOwnershipControls",
        ("PUT", true, false) if query.has("policy") => "PutBucketPolicy",
        ("PUT", true, false) => "CreateBucket",
        ("POST", true, true) if query.has("uploads") => "CreateMultipartUpload",
        ("POST", true, true) if query.has("uploadId") => "CompleteMultipartUpload",
        ("POST", true, false) if query.has("delete") => "DeleteObjects",
        ("DELETE", true, true) if query.has("uploadId") => "AbortMultipartUpload",
        ("DELETE", true, true) if query.has("tagging") => "DeleteObjectTagging",
        ("DELETE", true, true) => "DeleteObject",
        ("DELETE", true, false) if query.has("website") => "DeleteBucketWebsite",
        ("DELETE", true, false) => "DeleteBucket",
        _ => "Unknown",
    }
}

/// The operation of a request in the query protocol.
fn query_operation(body: &[u8]) -> String {
    url::form_urlencoded::parse(body)
        .find(|(name, _)| name == "Action")
        .map_or_else(|| "Unknown".to_owned(), |(_, action)| action.into_owned())
}

/// The operation of a request in the JSON protocol.
fn json_operation(headers: &HeaderMap) -> String {
    let target = headers.get(TARGET).and_then(|target| target.to_str().ok());
    target.and_then(|target| target.rsplit_once('.')).map_or("Unknown", |(_, operation)| operation).to_owned()
}

/// Source: the request syntax of each operation in the CloudFront KeyValueStore API reference.
fn key_value_operation(method: &Method, path: &str) -> &'static str {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).skip(2).collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", []) => "DescribeKeyValueStore",
        ("GET", ["keys"]) => "ListKeys",
        ("POST", ["keys"]) => "UpdateKeys",
        ("GET", ["keys", _]) => "GetKey",
        _ => "Unknown",
    }
}

/// Source: the request syntax of each operation in the CloudFront API reference. The first segment is the API version.
fn cloudfront_operation(method: &Method, path: &str) -> &'static str {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).skip(1).collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["distribution"]) => "ListDistributions",
        ("GET", ["distribution", _]) => "GetDistribution",
        ("GET", ["distribution", _, "config"]) => "GetDistributionConfig",
        ("PUT", ["distribution", _, "config"]) => "UpdateDistribution",
        ("POST", ["distribution", _, "invalidation"]) => "CreateInvalidation",
        ("GET", ["distribution", _, "invalidation"]) => "ListInvalidations",
        ("GET", ["distribution", _, "invalidation", _]) => "GetInvalidation",
        _ => "Unknown",
    }
}
