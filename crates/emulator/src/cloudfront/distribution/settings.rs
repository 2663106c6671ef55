//! The part of a distribution's configuration that the preview serves, and the configuration of a new distribution.

use std::time::Duration;

use crate::xml::XmlElement;

/// The cache policy `CachingOptimized`, which AWS manages. The preview caches by its rules: the key is the path alone.
const CACHING_OPTIMIZED: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";

/// The origin of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct S3Origin {
    /// The bucket.
    pub bucket: String,
    /// The prefix of every path, such as `/releases/1`: empty, or with a leading and without a trailing slash.
    pub path: String,
}

/// How a distribution reads its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginAccess {
    /// By the S3 website endpoint, without credentials.
    Website,
    /// By the REST endpoint, without credentials.
    Anonymous,
    /// By the REST endpoint, with an origin access control: as `cloudfront.amazonaws.com`.
    Control,
}

/// The answer to an error of the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The origin's status.
    pub error_code: u16,
    /// The path of the page and the status that replace the error, if any.
    pub page: Option<(String, u16)>,
    /// The shortest time that the error is cached.
    pub caching_min_ttl: Option<Duration>,
}

/// A distribution as the preview serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedDistribution {
    /// The origin of its default behavior; without a bucket if that is not in S3.
    pub origin: S3Origin,
    /// How it reads the bucket; `None` if the origin is not a bucket.
    pub access: Option<OriginAccess>,
    /// The object that answers `/`, such as `index.html`.
    pub default_root_object: Option<String>,
    /// The header that it reads cache tags from, such as `x-amz-meta-cache-tag`. Without one, it ignores tags.
    pub cache_tags: Option<String>,
    /// The ARN of the function that it calls for requests of viewers.
    pub viewer_request: Option<String>,
    /// The ARN of the function that it calls for responses to viewers.
    pub viewer_response: Option<String>,
    /// Its custom error responses.
    pub error_responses: Vec<ErrorResponse>,
    /// The methods that viewers may use.
    pub allowed_methods: Vec<String>,
    /// The ID of its response headers policy.
    pub headers_policy: Option<String>,
    /// The first element of its configuration that the preview cannot serve.
    pub unsupported: Option<&'static str>,
}

/// All behaviors of a configuration, the default one first.
pub(super) fn behaviors(config: &XmlElement) -> impl Iterator<Item = &XmlElement> {
    config.at(&["DefaultCacheBehavior"]).into_iter().chain(config.items_at(&["CacheBehaviors"]))
}

/// The origin of the default behavior.
pub(super) fn default_origin(config: &XmlElement) -> Option<&XmlElement> {
    let target = config.text_at(&["DefaultCacheBehavior", "TargetOriginId"])?;
    config.items_at(&["Origins"]).iter().find(|origin| origin.text_at(&["Id"]) == Some(target))
}

/// Reads what the preview serves.
pub(super) fn served(config: &XmlElement) -> ServedDistribution {
    let text = |path: &[&str]| config.text_at(path).map(str::to_owned);
    let origin = default_origin(config);
    let endpoint = origin.and_then(|origin| bucket_endpoint(origin.text_at(&["DomainName"])?));
    let access = endpoint.as_ref().map(|(_, endpoint)| match endpoint {
        BucketEndpoint::Website => OriginAccess::Website,
        BucketEndpoint::Rest if origin.and_then(|origin| origin.text_at(&["OriginAccessControlId"])).is_some() => {
            OriginAccess::Control
        }
        BucketEndpoint::Rest => OriginAccess::Anonymous,
    });
    let function = |event: &str| {
        let associations = config.items_at(&["DefaultCacheBehavior", "FunctionAssociations"]);
        let own = associations.iter().find(|association| association.text_at(&["EventType"]) == Some(event));
        own.and_then(|association| association.text_at(&["FunctionARN"])).map(str::to_owned)
    };
    // Without the list, only these two are allowed. Source: CloudFront API Reference, "DefaultCacheBehavior".
    let methods = config.items_at(&["DefaultCacheBehavior", "AllowedMethods"]).iter().map(XmlElement::content);
    let methods: Vec<String> = methods.map(str::to_owned).collect();
    ServedDistribution {
        origin: S3Origin {
            bucket: endpoint.map(|(bucket, _)| bucket.to_owned()).unwrap_or_default(),
            path: origin.and_then(|origin| origin.text_at(&["OriginPath"])).unwrap_or_default().to_owned(),
        },
        access,
        default_root_object: text(&["DefaultRootObject"]),
        cache_tags: text(&["CacheTagConfig", "HeaderName"]).map(|header| header.to_ascii_lowercase()),
        viewer_request: function("viewer-request"),
        viewer_response: function("viewer-response"),
        error_responses: config.items_at(&["CustomErrorResponses"]).iter().filter_map(error_response).collect(),
        allowed_methods: if methods.is_empty() { ["GET", "HEAD"].map(str::to_owned).to_vec() } else { methods },
        headers_policy: text(&["DefaultCacheBehavior", "ResponseHeadersPolicyId"]),
        unsupported: unsupported(config, origin, access),
    }
}

fn error_response(element: &XmlElement) -> Option<ErrorResponse> {
    let page = element.text_at(&["ResponsePagePath"]).zip(element.text_at(&["ResponseCode"]));
    Some(ErrorResponse {
        error_code: element.text_at(&["ErrorCode"])?.parse().ok()?,
        page: page.and_then(|(path, code)| Some((path.to_owned(), code.parse().ok()?))),
        caching_min_ttl: element
            .text_at(&["ErrorCachingMinTTL"])
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs),
    })
}

/// The first element that changes what viewers get and that the preview does not know.
fn unsupported(config: &XmlElement, origin: Option<&XmlElement>, access: Option<OriginAccess>) -> Option<&'static str> {
    let behavior = |path: &[&str]| config.at(&["DefaultCacheBehavior"]).and_then(|behavior| behavior.text_at(path));
    let is_set = |value: Option<&str>| value.is_some_and(|value| !matches!(value, "false" | "0" | "none"));
    let origin_text = |path: &[&str]| origin.and_then(|origin| origin.text_at(path));
    let found = [
        ("Enabled", config.text_at(&["Enabled"]) == Some("false")),
        ("Origins (an origin that is not a bucket)", access.is_none()),
        ("OriginAccessIdentity", is_set(origin_text(&["S3OriginConfig", "OriginAccessIdentity"]))),
        ("CustomHeaders", is_set(origin_text(&["CustomHeaders", "Quantity"]))),
        ("OriginGroups", is_set(config.text_at(&["OriginGroups", "Quantity"]))),
        ("CacheBehaviors", is_set(config.text_at(&["CacheBehaviors", "Quantity"]))),
        ("GeoRestriction", is_set(config.text_at(&["Restrictions", "GeoRestriction", "RestrictionType"]))),
        ("Staging", is_set(config.text_at(&["Staging"]))),
        ("TrustedSigners", is_set(behavior(&["TrustedSigners", "Enabled"]))),
        ("TrustedKeyGroups", is_set(behavior(&["TrustedKeyGroups", "Enabled"]))),
        ("SmoothStreaming", is_set(behavior(&["SmoothStreaming"]))),
        ("LambdaFunctionAssociations", is_set(behavior(&["LambdaFunctionAssociations", "Quantity"]))),
        ("FieldLevelEncryptionId", is_set(behavior(&["FieldLevelEncryptionId"]))),
        ("OriginRequestPolicyId", is_set(behavior(&["OriginRequestPolicyId"]))),
        ("ForwardedValues", behavior(&["ForwardedValues", "QueryString"]).is_some()),
        ("CachePolicyId", behavior(&["CachePolicyId"]).is_some_and(|policy| policy != CACHING_OPTIMIZED)),
    ];
    found.into_iter().find(|(_, unsupported)| *unsupported).map(|(element, _)| element)
}

/// An endpoint of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BucketEndpoint {
    Rest,
    Website,
}

/// The bucket and the endpoint in the domain of an origin. Source: AWS General Reference, "Amazon Simple Storage Service
/// endpoints and quotas".
pub(super) fn bucket_endpoint(domain: &str) -> Option<(&str, BucketEndpoint)> {
    let name = domain.strip_suffix(".amazonaws.com")?;
    if let Some((bucket, region)) = name.rsplit_once(".s3-website") {
        return region.starts_with(['-', '.']).then_some((bucket, BucketEndpoint::Website));
    }
    let name = name.strip_suffix(".s3").map_or_else(|| name.rsplit_once(".s3."), |bucket| Some((bucket, "")));
    name.filter(|(bucket, _)| !bucket.is_empty()).map(|(bucket, _)| (bucket, BucketEndpoint::Rest))
}

fn list(name: &'static str) -> XmlElement {
    XmlElement::new(name).with(XmlElement::text("Quantity", &0))
}

/// The origins of a new distribution: the REST endpoint, with or without an origin access control, or the website
/// endpoint.
pub(super) fn origins(origin: &S3Origin, access: OriginAccess, access_control: Option<&str>) -> XmlElement {
    let endpoint = match access {
        OriginAccess::Website => "s3-website-us-east-1",
        OriginAccess::Anonymous | OriginAccess::Control => "s3.us-east-1",
    };
    let element = XmlElement::new("Origin")
        .with(XmlElement::text("Id", &origin.bucket))
        .with(XmlElement::text("DomainName", &format!("{}.{endpoint}.amazonaws.com", origin.bucket)))
        .with(XmlElement::text("OriginPath", &origin.path))
        .with(list("CustomHeaders"));
    let element = match access {
        OriginAccess::Anonymous | OriginAccess::Control => {
            element.with(XmlElement::new("S3OriginConfig").with(XmlElement::text("OriginAccessIdentity", "")))
        }
        OriginAccess::Website => {
            let protocols = XmlElement::new("OriginSslProtocols")
                .with(XmlElement::text("Quantity", &1))
                .with(XmlElement::new("Items").with(XmlElement::text("SslProtocol", "TLSv1.2")));
            element.with(
                XmlElement::new("CustomOriginConfig")
                    .with(XmlElement::text("HTTPPort", &80))
                    .with(XmlElement::text("HTTPSPort", &443))
                    .with(XmlElement::text("OriginProtocolPolicy", "http-only"))
                    .with(protocols)
                    .with(XmlElement::text("OriginReadTimeout", &30))
                    .with(XmlElement::text("OriginKeepaliveTimeout", &5)),
            )
        }
    };
    let element = element
        .with(XmlElement::text("ConnectionAttempts", &3))
        .with(XmlElement::text("ConnectionTimeout", &10))
        .with(XmlElement::new("OriginShield").with(XmlElement::text("Enabled", &false)))
        .with(XmlElement::text("OriginAccessControlId", access_control.unwrap_or_default()));
    XmlElement::new("Origins").with(XmlElement::text("Quantity", &1)).with(XmlElement::new("Items").with(element))
}

/// A configuration with the defaults of AWS for what was not sent.
pub(super) fn completed(mut sent: XmlElement) -> XmlElement {
    let defaults = config("", &S3Origin::default(), None, OriginAccess::Anonymous, None);
    let missing = |known: &XmlElement, defaults: &XmlElement, except: &[&str]| -> Vec<XmlElement> {
        let is_missing = |child: &&XmlElement| known.at(&[child.name()]).is_none() && !except.contains(&child.name());
        defaults.children().iter().filter(is_missing).cloned().collect()
    };
    missing(&sent, &defaults, &[]).into_iter().for_each(|child| sent.set(child));
    if let (Some(behavior), Some(of_behavior)) =
        (sent.at(&["DefaultCacheBehavior"]), defaults.at(&["DefaultCacheBehavior"]))
    {
        // A behavior has either a cache policy or the older `ForwardedValues`.
        let mut behavior = behavior.clone();
        missing(&behavior, of_behavior, &["CachePolicyId"]).into_iter().for_each(|child| behavior.set(child));
        sent.set(behavior);
    }
    let of_origin = defaults.items_at(&["Origins"]).first();
    let complete = |origin: &XmlElement| {
        let except = ["Id", "DomainName", "S3OriginConfig", "CustomOriginConfig"];
        let missing = of_origin.map(|of_origin| missing(origin, of_origin, &except)).unwrap_or_default();
        missing.into_iter().fold(origin.clone(), XmlElement::with)
    };
    let origins: Vec<XmlElement> = sent.items_at(&["Origins"]).iter().map(complete).collect();
    let quantity = XmlElement::text("Quantity", &origins.len());
    sent.set(XmlElement::new("Origins").with(quantity).with(XmlElement::new("Items").with_each(origins)));
    sent
}

fn methods(name: &'static str) -> XmlElement {
    let items = ["GET", "HEAD"].map(|method| XmlElement::text("Method", method));
    XmlElement::new(name).with(XmlElement::text("Quantity", &2)).with(XmlElement::new("Items").with_each(items))
}

fn signers(name: &'static str) -> XmlElement {
    XmlElement::new(name).with(XmlElement::text("Enabled", &false)).with(XmlElement::text("Quantity", &0))
}

/// The configuration of a new distribution, with every element that AWS returns.
pub(super) fn config(
    caller_reference: &str,
    origin: &S3Origin,
    default_root_object: Option<&str>,
    access: OriginAccess,
    access_control: Option<&str>,
) -> XmlElement {
    let behavior = XmlElement::new("DefaultCacheBehavior")
        .with(XmlElement::text("TargetOriginId", &origin.bucket))
        .with(signers("TrustedSigners"))
        .with(signers("TrustedKeyGroups"))
        .with(XmlElement::text("ViewerProtocolPolicy", "redirect-to-https"))
        .with(methods("AllowedMethods").with(methods("CachedMethods")))
        .with(XmlElement::text("SmoothStreaming", &false))
        .with(XmlElement::text("Compress", &true))
        .with(list("LambdaFunctionAssociations"))
        .with(list("FunctionAssociations"))
        .with(XmlElement::text("FieldLevelEncryptionId", ""))
        .with(XmlElement::text("CachePolicyId", CACHING_OPTIMIZED));
    let logging = XmlElement::new("Logging")
        .with(XmlElement::text("Enabled", &false))
        .with(XmlElement::text("IncludeCookies", &false))
        .with(XmlElement::text("Bucket", ""))
        .with(XmlElement::text("Prefix", ""));
    let certificate = XmlElement::new("ViewerCertificate")
        .with(XmlElement::text("CloudFrontDefaultCertificate", &true))
        .with(XmlElement::text("MinimumProtocolVersion", "TLSv1"))
        .with(XmlElement::text("CertificateSource", "cloudfront"));
    let restriction = XmlElement::new("GeoRestriction")
        .with(XmlElement::text("RestrictionType", "none"))
        .with(XmlElement::text("Quantity", &0));
    XmlElement::new("DistributionConfig")
        .with(XmlElement::text("CallerReference", caller_reference))
        .with(list("Aliases"))
        .with(XmlElement::text("DefaultRootObject", default_root_object.unwrap_or_default()))
        .with(origins(origin, access, access_control))
        .with(list("OriginGroups"))
        .with(behavior)
        .with(list("CacheBehaviors"))
        .with(list("CustomErrorResponses"))
        .with(XmlElement::text("Comment", ""))
        .with(logging)
        .with(XmlElement::text("PriceClass", "PriceClass_All"))
        .with(XmlElement::text("Enabled", &true))
        .with(certificate)
        .with(XmlElement::new("Restrictions").with(restriction))
        .with(XmlElement::text("WebACLId", ""))
        .with(XmlElement::text("HttpVersion", "http2"))
        .with(XmlElement::text("IsIPV6Enabled", &true))
        .with(XmlElement::text("Staging", &false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bucket_in_the_domain_of_an_origin() {
        use BucketEndpoint::{Rest, Website};
        for (domain, expected) in [
            ("docs.s3.amazonaws.com", Some(("docs", Rest))),
            ("docs.example.com.s3.eu-central-1.amazonaws.com", Some(("docs.example.com", Rest))),
            ("a.s3.b.s3.eu-central-1.amazonaws.com", Some(("a.s3.b", Rest))),
            ("docs.s3-website-us-east-1.amazonaws.com", Some(("docs", Website))),
            ("docs.s3-website.eu-central-1.amazonaws.com", Some(("docs", Website))),
            ("docs.example.com", None),
            ("s3.amazonaws.com", None),
            ("api.execute-api.eu-central-1.amazonaws.com", None),
        ] {
            assert_eq!(bucket_endpoint(domain), expected, "{domain}");
        }
    }

    #[test]
    fn what_is_not_sent_has_the_defaults_of_a_new_distribution() {
        let origin = S3Origin { bucket: "docs".to_owned(), path: String::new() };
        let whole = config("r", &origin, Some("index.html"), OriginAccess::Control, Some("E1"));
        let mut sent = whole.clone();
        for name in ["Aliases", "OriginGroups", "CacheBehaviors", "CustomErrorResponses", "Logging", "Restrictions"] {
            sent.remove(name);
        }
        let mut behavior = sent.at(&["DefaultCacheBehavior"]).unwrap().clone();
        ["AllowedMethods", "FunctionAssociations", "TrustedSigners"].iter().for_each(|name| behavior.remove(name));
        sent.set(behavior);
        let completed = completed(sent);
        for child in whole.children() {
            let found = completed.at(&[child.name()]).unwrap();
            assert_eq!(found.children().len(), child.children().len(), "{}", child.name());
        }
        assert_eq!(served(&completed), served(&whole));
    }

    #[test]
    fn a_new_configuration_has_the_shape_that_updates_must_have() {
        let origin = S3Origin { bucket: "docs".to_owned(), path: "/live".to_owned() };
        for (control, access) in
            [(None, OriginAccess::Website), (None, OriginAccess::Anonymous), (Some("E1"), OriginAccess::Control)]
        {
            let config = config("E2EXAMPLE", &origin, Some("index.html"), access, control);
            let text = config.to_document();
            let read = super::super::super::shape::read(
                text.as_bytes(),
                "DistributionConfig",
                &super::super::shape::DISTRIBUTION,
            );
            assert_eq!(read.expect("the shape").to_document(), text);
            let served = served(&config);
            assert_eq!((served.access, served.origin, served.unsupported), (Some(access), origin.clone(), None));
        }
    }
}
