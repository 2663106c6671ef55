//! What a request asks for, read from the request alone. Owns naming the operation; never the answer.

use std::fmt;

use aws_smithy_types::body::SdkBody;
use http::{HeaderMap, Method, Request, header};
use percent_encoding::percent_decode_str;

use crate::http::{HttpService, bucket_of_host, service_of};
use crate::json;

/// One request, as a line of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall {
    /// 1 for the first request.
    pub number: u64,
    /// Who is asked.
    pub service: HttpService,
    /// What is asked, as the API reference names it, such as `PutObject`; `Unknown` if that cannot be told.
    pub operation: String,
    /// The bucket, for S3.
    pub bucket: Option<String>,
    /// The key, for S3.
    pub key: Option<String>,
}

impl ApiCall {
    /// Reads a request.
    pub(super) fn of(number: u64, request: &Request<SdkBody>) -> Self {
        let service = service_of(request.uri(), request.headers());
        let (bucket, key) = match service {
            HttpService::S3 => place(request),
            HttpService::Sts
            | HttpService::Iam
            | HttpService::CloudFront
            | HttpService::SecretsManager
            | HttpService::SystemsManager => (None, None),
        };
        let operation = match service {
            HttpService::S3 => {
                let query = CallQuery::of(request.uri().query().unwrap_or_default());
                s3_operation(request.method(), bucket.is_some(), key.is_some(), &query, request.headers()).to_owned()
            }
            HttpService::Sts | HttpService::Iam => action(request.body().bytes().unwrap_or_default()),
            HttpService::SecretsManager | HttpService::SystemsManager => targeted(request.headers()),
            HttpService::CloudFront => cloudfront_operation(request.method(), request.uri().path()).to_owned(),
        };
        Self { number, service, operation, bucket, key }
    }

    /// Whether the request can change nothing. An operation that cannot be told counts as one that can.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        ["Get", "Head", "List", "Simulate"].iter().any(|start| self.operation.starts_with(start))
            || self.service == HttpService::Sts
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

/// The names that a query holds, and what it asks for of S3's subresources.
struct CallQuery(Vec<String>);

impl CallQuery {
    fn of(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|found| found == name)
    }
}

fn place(request: &Request<SdkBody>) -> (Option<String>, Option<String>) {
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

/// The action of a request in the query protocol.
fn action(body: &[u8]) -> String {
    url::form_urlencoded::parse(body)
        .find(|(name, _)| name == "Action")
        .map_or_else(|| "Unknown".to_owned(), |(_, action)| action.into_owned())
}

/// The operation of a request in the JSON protocol.
fn targeted(headers: &HeaderMap) -> String {
    let target = headers.get(json::TARGET).and_then(|target| target.to_str().ok());
    target.and_then(|target| target.rsplit_once('.')).map_or("Unknown", |(_, operation)| operation).to_owned()
}

/// Source: the request syntax of each operation in the CloudFront API reference; the first segment is the API's version.
fn cloudfront_operation(method: &Method, path: &str) -> &'static str {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).skip(1).collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["distribution"]) => "ListDistributions",
        ("GET", ["distribution", _]) => "GetDistribution",
        ("GET", ["distribution", _, "config"]) => "GetDistributionConfig",
        ("POST", ["distribution", _, "invalidation"]) => "CreateInvalidation",
        ("GET", ["distribution", _, "invalidation"]) => "ListInvalidations",
        ("GET", ["distribution", _, "invalidation", _]) => "GetInvalidation",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: the service's name in signatures, the target if it has one, the body, and what is asked.
    #[test]
    fn the_action_is_named_whatever_the_protocol() {
        for (service, target, body, operation, only_reads) in [
            ("iam", None, "Action=CreateUser&UserName=lea&Version=2010-05-08", "CreateUser", false),
            ("iam", None, "Version=2010-05-08&Action=SimulatePrincipalPolicy", "SimulatePrincipalPolicy", true),
            ("iam", None, "", "Unknown", false),
            ("sts", None, "Action=AssumeRole&Version=2011-06-15", "AssumeRole", true),
            ("secretsmanager", Some("secretsmanager.GetSecretValue"), "{}", "GetSecretValue", true),
            ("ssm", Some("AmazonSSM.PutParameter"), "{}", "PutParameter", false),
            ("ssm", None, "{}", "Unknown", false),
        ] {
            let mut request = Request::post(format!("https://{service}.us-east-1.amazonaws.com/"));
            if let Some(target) = target {
                request = request.header(json::TARGET, target);
            }
            let call = ApiCall::of(1, &request.body(SdkBody::from(body)).unwrap());
            assert_eq!((call.operation.as_str(), call.only_reads()), (operation, only_reads), "{service} {body}");
            assert_eq!((call.bucket, call.key), (None, None));
        }
    }
}
