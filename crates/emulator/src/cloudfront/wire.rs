//! CloudFront's protocol, REST with XML: routes, permissions, and the format of bodies.
//!
//! Source of formats and statuses: CloudFront API Reference, version 2020-05-31. Source of actions and resources:
//! Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudFront".

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{CloudFrontError, CloudFrontService, Distribution, Invalidation, InvalidationBatch};
use crate::iam::clock::iso8601;
use crate::iam::signature::{self, CredentialScope};
use crate::iam::{AccessRequest, Caller, arn};
use crate::xml::{self, XmlElement};

/// The namespace of CloudFront's answers.
const NAMESPACE: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";
/// The API version, which is also the first segment of every path.
const VERSION: &str = "2020-05-31";
/// Most items on one page of a list.
const PAGE: usize = 100;

/// An error with AWS's status, code and message.
struct CloudFrontFailure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl CloudFrontFailure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

impl From<CloudFrontError> for CloudFrontFailure {
    fn from(error: CloudFrontError) -> Self {
        let status = match &error {
            CloudFrontError::NoSuchDistribution | CloudFrontError::NoSuchInvalidation => StatusCode::NOT_FOUND,
            CloudFrontError::BatchTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            CloudFrontError::DistributionAlreadyExists(_) | CloudFrontError::InvalidationBatchAlreadyExists => {
                StatusCode::CONFLICT
            }
            CloudFrontError::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
            CloudFrontError::InvalidPath(_)
            | CloudFrontError::InvalidArgument(_)
            | CloudFrontError::InconsistentQuantities
            | CloudFrontError::TooManyInvalidationsInProgress => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

/// A successful answer.
struct CloudFrontAnswer {
    status: StatusCode,
    root: XmlElement,
    headers: Vec<(header::HeaderName, String)>,
}

impl CloudFrontAnswer {
    fn ok(root: XmlElement) -> Self {
        Self { status: StatusCode::OK, root, headers: Vec::new() }
    }
}

impl CloudFrontService {
    /// Answers one request.
    pub fn handle(&self, request: &Request<Bytes>) -> Response<Bytes> {
        match self.answer(request) {
            Ok(answer) => {
                let mut response = xml::answer(answer.status, NAMESPACE, &xml::request_id(), &answer.root);
                for (name, value) in answer.headers {
                    if let Ok(value) = HeaderValue::from_str(&value) {
                        response.headers_mut().insert(name, value);
                    }
                }
                response
            }
            Err(failure) => xml::error(NAMESPACE, failure.status, failure.code, &failure.message),
        }
    }

    fn answer(&self, request: &Request<Bytes>) -> Result<CloudFrontAnswer, CloudFrontFailure> {
        let caller =
            signature::verify(&self.iam, request, CredentialScope { service: "cloudfront", region: Some("us-east-1") })
                .map_err(|error| CloudFrontFailure::new(error.status(), error.code(), error.to_string()))?;
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, [VERSION, "distribution"]) => {
                self.allow(&caller, "cloudfront:ListDistributions", "*")?;
                self.list_distributions(request)
            }
            (&Method::GET, [VERSION, "distribution", id]) => {
                self.allow(&caller, "cloudfront:GetDistribution", &arn::distribution(id))?;
                let distribution = self.distribution(id)?;
                let etag = vec![(header::ETAG, format!("E{}", distribution.created.as_second()))];
                Ok(CloudFrontAnswer { headers: etag, ..CloudFrontAnswer::ok(distribution_element(&distribution)) })
            }
            (&Method::GET, [VERSION, "distribution", id, "config"]) => {
                self.allow(&caller, "cloudfront:GetDistributionConfig", &arn::distribution(id))?;
                Ok(CloudFrontAnswer::ok(config_element(&self.distribution(id)?)))
            }
            (&Method::POST, [VERSION, "distribution", id, "invalidation"]) => {
                self.allow(&caller, "cloudfront:CreateInvalidation", &arn::distribution(id))?;
                let batch = read_batch(request.body())?;
                let invalidation = self.create_invalidation(id, &batch)?;
                let location = format!(
                    "https://cloudfront.amazonaws.com/{VERSION}/distribution/{id}/invalidation/{}",
                    invalidation.id
                );
                Ok(CloudFrontAnswer {
                    status: StatusCode::CREATED,
                    root: invalidation_element(&invalidation),
                    headers: vec![(header::LOCATION, location)],
                })
            }
            (&Method::GET, [VERSION, "distribution", id, "invalidation"]) => {
                self.allow(&caller, "cloudfront:ListInvalidations", &arn::distribution(id))?;
                self.list_invalidations(id, request)
            }
            (&Method::GET, [VERSION, "distribution", id, "invalidation", invalidation]) => {
                self.allow(&caller, "cloudfront:GetInvalidation", &arn::distribution(id))?;
                Ok(CloudFrontAnswer::ok(invalidation_element(&self.poll_invalidation(id, invalidation)?)))
            }
            (method, _) => {
                let message = format!("the emulator does not support {method} {path} of CloudFront");
                Err(CloudFrontFailure::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message))
            }
        }
    }

    fn allow(&self, caller: &Caller, action: &str, resource: &str) -> Result<(), CloudFrontFailure> {
        self.iam
            .authorize(&caller.access_key_id, &AccessRequest { action, resource, context: &[] })
            .map_err(|denied| CloudFrontFailure::new(StatusCode::FORBIDDEN, "AccessDenied", denied.to_string()))
    }

    fn list_distributions(&self, request: &Request<Bytes>) -> Result<CloudFrontAnswer, CloudFrontFailure> {
        let page = PageQuery::read(request)?;
        let all = self.distributions();
        let after =
            all.iter().filter(|distribution| page.marker.as_ref().is_none_or(|marker| distribution.id > *marker));
        let (items, next) = page.cut(after, |distribution| &distribution.id);
        let root = page.element("DistributionList", items.len(), next);
        let summaries = items.into_iter().map(|distribution| {
            let [id, arn, status, modified, domain] = identity(distribution);
            let enabled = XmlElement::text("Enabled", &true);
            let summary = XmlElement::new("DistributionSummary").with_each([id, arn, status, modified, domain]);
            summary
                .with(XmlElement::new("Aliases").with(XmlElement::text("Quantity", &0)))
                .with(origins(distribution))
                .with(default_cache_behavior(distribution))
                .with(XmlElement::text("Comment", ""))
                .with(enabled)
        });
        Ok(CloudFrontAnswer::ok(root.with(XmlElement::new("Items").with_each(summaries))))
    }

    fn list_invalidations(
        &self,
        distribution: &str,
        request: &Request<Bytes>,
    ) -> Result<CloudFrontAnswer, CloudFrontFailure> {
        let page = PageQuery::read(request)?;
        let all = self.invalidations(distribution)?;
        let start = match &page.marker {
            None => 0,
            Some(marker) => match all.iter().position(|invalidation| invalidation.id == *marker) {
                Some(at) => at + 1,
                None => {
                    let message = format!("the marker {marker} is not an invalidation of the distribution");
                    return Err(CloudFrontFailure::new(StatusCode::BAD_REQUEST, "InvalidArgument", message));
                }
            },
        };
        let (items, next) = page.cut(all.iter().skip(start), |invalidation| &invalidation.id);
        let root = page.element("InvalidationList", items.len(), next);
        let summaries = items.into_iter().map(|invalidation| {
            XmlElement::new("InvalidationSummary")
                .with(XmlElement::text("Id", &invalidation.id))
                .with(XmlElement::text("CreateTime", &iso8601(invalidation.created)))
                .with(XmlElement::text("Status", invalidation.status()))
        });
        Ok(CloudFrontAnswer::ok(root.with(XmlElement::new("Items").with_each(summaries))))
    }
}

/// The requested page of a list.
struct PageQuery {
    marker: Option<String>,
    max_items: usize,
}

impl PageQuery {
    fn read(request: &Request<Bytes>) -> Result<Self, CloudFrontFailure> {
        let mut page = Self { marker: None, max_items: PAGE };
        for (name, value) in url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "Marker" if !value.is_empty() => page.marker = Some(value.into_owned()),
                "MaxItems" => match value.parse() {
                    Ok(max_items @ 1..=PAGE) => page.max_items = max_items,
                    _ => {
                        let message = format!("MaxItems must be a number from 1 to {PAGE}, but is {value}");
                        return Err(CloudFrontFailure::new(StatusCode::BAD_REQUEST, "InvalidArgument", message));
                    }
                },
                _ => {}
            }
        }
        Ok(page)
    }

    /// The items of this page, and the marker of the next page if there is one.
    fn cut<'a, T>(&self, items: impl Iterator<Item = &'a T>, id: fn(&T) -> &String) -> (Vec<&'a T>, Option<&'a str>) {
        let mut items: Vec<&T> = items.take(self.max_items + 1).collect();
        let more = items.len() > self.max_items;
        items.truncate(self.max_items);
        let next = items.last().filter(|_| more).map(|item| id(item).as_str());
        (items, next)
    }

    fn element(&self, name: &'static str, quantity: usize, next: Option<&str>) -> XmlElement {
        XmlElement::new(name)
            .with(XmlElement::text("Marker", self.marker.as_deref().unwrap_or_default()))
            .with_each(next.map(|marker| XmlElement::text("NextMarker", marker)))
            .with(XmlElement::text("MaxItems", &self.max_items))
            .with(XmlElement::text("IsTruncated", &next.is_some()))
            .with(XmlElement::text("Quantity", &quantity))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchDocument {
    paths: PathsDocument,
    caller_reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PathsDocument {
    quantity: i64,
    #[serde(default)]
    items: ItemsDocument,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ItemsDocument {
    #[serde(default)]
    path: Vec<String>,
}

fn read_batch(body: &[u8]) -> Result<InvalidationBatch, CloudFrontFailure> {
    if body.is_empty() {
        let message =
            "This operation requires a body. Ensure that the body is present and the Content-Type header is set.";
        return Err(CloudFrontFailure::new(StatusCode::BAD_REQUEST, "MissingBody", message));
    }
    let malformed = |error: String| {
        CloudFrontFailure::new(
            StatusCode::BAD_REQUEST,
            "MalformedXML",
            format!("The XML document is malformed: {error}"),
        )
    };
    let text = std::str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
    let document: BatchDocument = quick_xml::de::from_str(text).map_err(|error| malformed(error.to_string()))?;
    Ok(InvalidationBatch {
        caller_reference: document.caller_reference,
        quantity: document.paths.quantity,
        paths: document.paths.items.path,
    })
}

fn invalidation_element(invalidation: &Invalidation) -> XmlElement {
    let items = invalidation.paths.iter().map(|path| XmlElement::text("Path", path.as_str()));
    let paths = XmlElement::new("Paths")
        .with(XmlElement::text("Quantity", &invalidation.paths.len()))
        .with(XmlElement::new("Items").with_each(items));
    let batch = XmlElement::new("InvalidationBatch")
        .with(paths)
        .with(XmlElement::text("CallerReference", &invalidation.caller_reference));
    XmlElement::new("Invalidation")
        .with(XmlElement::text("Id", &invalidation.id))
        .with(XmlElement::text("Status", invalidation.status()))
        .with(XmlElement::text("CreateTime", &iso8601(invalidation.created)))
        .with(batch)
}

fn identity(distribution: &Distribution) -> [XmlElement; 5] {
    [
        XmlElement::text("Id", &distribution.id),
        XmlElement::text("ARN", &arn::distribution(&distribution.id)),
        XmlElement::text("Status", "Deployed"),
        XmlElement::text("LastModifiedTime", &iso8601(distribution.created)),
        XmlElement::text("DomainName", &format!("{}.cloudfront.net", distribution.id.to_ascii_lowercase())),
    ]
}

/// The bucket's website endpoint, which the preview imitates.
fn origins(distribution: &Distribution) -> XmlElement {
    let domain = format!("{}.s3-website-us-east-1.amazonaws.com", distribution.origin.bucket);
    let custom = XmlElement::new("CustomOriginConfig")
        .with(XmlElement::text("HTTPPort", &80))
        .with(XmlElement::text("HTTPSPort", &443))
        .with(XmlElement::text("OriginProtocolPolicy", "http-only"));
    let origin = XmlElement::new("Origin")
        .with(XmlElement::text("Id", &distribution.origin.bucket))
        .with(XmlElement::text("DomainName", &domain))
        .with(XmlElement::text("OriginPath", &distribution.origin.path))
        .with(custom);
    XmlElement::new("Origins").with(XmlElement::text("Quantity", &1)).with(XmlElement::new("Items").with(origin))
}

fn default_cache_behavior(distribution: &Distribution) -> XmlElement {
    XmlElement::new("DefaultCacheBehavior")
        .with(XmlElement::text("TargetOriginId", &distribution.origin.bucket))
        .with(XmlElement::text("ViewerProtocolPolicy", "redirect-to-https"))
}

fn config_element(distribution: &Distribution) -> XmlElement {
    let tags = distribution.cache_tags.as_ref();
    XmlElement::new("DistributionConfig")
        .with(XmlElement::text("CallerReference", &distribution.id))
        .with(XmlElement::new("Aliases").with(XmlElement::text("Quantity", &0)))
        .with(XmlElement::text("DefaultRootObject", distribution.default_root_object.as_deref().unwrap_or_default()))
        .with(origins(distribution))
        .with(default_cache_behavior(distribution))
        .with(XmlElement::text("Comment", ""))
        .with(XmlElement::text("Enabled", &true))
        .with_each(tags.map(|header| XmlElement::new("CacheTagConfig").with(XmlElement::text("HeaderName", header))))
}

fn distribution_element(distribution: &Distribution) -> XmlElement {
    XmlElement::new("Distribution")
        .with_each(identity(distribution))
        .with(XmlElement::text("InProgressInvalidationBatches", &0))
        .with(config_element(distribution))
}
