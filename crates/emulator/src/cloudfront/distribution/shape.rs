//! The shape of a distribution's configuration.
//!
//! Source: the service model of CloudFront's API, `DistributionConfig`. Elements of features that no site uses
//! (tenants, VPC origins, mutual TLS) are left out, so a configuration with one of them is rejected.

use super::super::shape::DocumentShape::{self, Flag, List, Number, OneOf, Structure, Text};
use super::super::shape::{optional, required};

const NAMES: DocumentShape = Structure(&[required("Quantity", &Number), optional("Items", &List("Name", &Text))]);

const METHODS: DocumentShape = List("Method", &OneOf(&["GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "DELETE"]));

const EVENTS: DocumentShape = OneOf(&["viewer-request", "viewer-response", "origin-request", "origin-response"]);

const ALIASES: DocumentShape = Structure(&[required("Quantity", &Number), optional("Items", &List("CNAME", &Text))]);

const CUSTOM_HEADERS: DocumentShape = Structure(&[
    required("Quantity", &Number),
    optional(
        "Items",
        &List("OriginCustomHeader", &Structure(&[required("HeaderName", &Text), required("HeaderValue", &Text)])),
    ),
]);

const CUSTOM_ORIGIN: DocumentShape = Structure(&[
    required("HTTPPort", &Number),
    required("HTTPSPort", &Number),
    required("OriginProtocolPolicy", &OneOf(&["http-only", "match-viewer", "https-only"])),
    optional(
        "OriginSslProtocols",
        &Structure(&[
            required("Quantity", &Number),
            required("Items", &List("SslProtocol", &OneOf(&["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"]))),
        ]),
    ),
    optional("OriginReadTimeout", &Number),
    optional("OriginKeepaliveTimeout", &Number),
    optional("IpAddressType", &OneOf(&["ipv4", "ipv6", "dualstack"])),
]);

const ORIGIN: DocumentShape = Structure(&[
    required("Id", &Text),
    required("DomainName", &Text),
    optional("OriginPath", &Text),
    optional("CustomHeaders", &CUSTOM_HEADERS),
    optional(
        "S3OriginConfig",
        &Structure(&[required("OriginAccessIdentity", &Text), optional("OriginReadTimeout", &Number)]),
    ),
    optional("CustomOriginConfig", &CUSTOM_ORIGIN),
    optional("ConnectionAttempts", &Number),
    optional("ConnectionTimeout", &Number),
    optional("ResponseCompletionTimeout", &Number),
    optional("OriginShield", &Structure(&[required("Enabled", &Flag), optional("OriginShieldRegion", &Text)])),
    optional("OriginAccessControlId", &Text),
]);

const ORIGIN_GROUP: DocumentShape = Structure(&[
    required("Id", &Text),
    required(
        "FailoverCriteria",
        &Structure(&[required(
            "StatusCodes",
            &Structure(&[required("Quantity", &Number), required("Items", &List("StatusCode", &Number))]),
        )]),
    ),
    required(
        "Members",
        &Structure(&[
            required("Quantity", &Number),
            required("Items", &List("OriginGroupMember", &Structure(&[required("OriginId", &Text)]))),
        ]),
    ),
    optional("SelectionCriteria", &OneOf(&["default", "media-quality-based"])),
]);

const fn signers(name: &'static DocumentShape) -> [super::super::shape::ShapeMember; 3] {
    [required("Enabled", &Flag), required("Quantity", &Number), optional("Items", name)]
}

const FORWARDED_VALUES: DocumentShape = Structure(&[
    required("QueryString", &Flag),
    required(
        "Cookies",
        &Structure(&[required("Forward", &OneOf(&["none", "whitelist", "all"])), optional("WhitelistedNames", &NAMES)]),
    ),
    optional("Headers", &NAMES),
    optional("QueryStringCacheKeys", &NAMES),
]);

/// The elements of a behavior, after `PathPattern`.
macro_rules! behavior {
    ($($first:expr)?) => {
        Structure(&[
            $($first,)?
            required("TargetOriginId", &Text),
            optional("TrustedSigners", &Structure(&signers(&List("AwsAccountNumber", &Text)))),
            optional("TrustedKeyGroups", &Structure(&signers(&List("KeyGroup", &Text)))),
            required("ViewerProtocolPolicy", &OneOf(&["allow-all", "https-only", "redirect-to-https"])),
            optional(
                "AllowedMethods",
                &Structure(&[
                    required("Quantity", &Number),
                    required("Items", &METHODS),
                    optional(
                        "CachedMethods",
                        &Structure(&[required("Quantity", &Number), required("Items", &METHODS)]),
                    ),
                ]),
            ),
            optional("SmoothStreaming", &Flag),
            optional("Compress", &Flag),
            optional(
                "LambdaFunctionAssociations",
                &Structure(&[
                    required("Quantity", &Number),
                    optional(
                        "Items",
                        &List(
                            "LambdaFunctionAssociation",
                            &Structure(&[
                                required("LambdaFunctionARN", &Text),
                                required("EventType", &EVENTS),
                                optional("IncludeBody", &Flag),
                            ]),
                        ),
                    ),
                ]),
            ),
            optional(
                "FunctionAssociations",
                &Structure(&[
                    required("Quantity", &Number),
                    optional(
                        "Items",
                        &List(
                            "FunctionAssociation",
                            &Structure(&[required("FunctionARN", &Text), required("EventType", &EVENTS)]),
                        ),
                    ),
                ]),
            ),
            optional("FieldLevelEncryptionId", &Text),
            optional("RealtimeLogConfigArn", &Text),
            optional("CachePolicyId", &Text),
            optional("OriginRequestPolicyId", &Text),
            optional("ResponseHeadersPolicyId", &Text),
            optional("GrpcConfig", &Structure(&[required("Enabled", &Flag)])),
            optional("ForwardedValues", &FORWARDED_VALUES),
            optional("MinTTL", &Number),
            optional("DefaultTTL", &Number),
            optional("MaxTTL", &Number),
        ])
    };
}

const CERTIFICATE: DocumentShape = Structure(&[
    optional("CloudFrontDefaultCertificate", &Flag),
    optional("IAMCertificateId", &Text),
    optional("ACMCertificateArn", &Text),
    optional("SSLSupportMethod", &OneOf(&["sni-only", "vip", "static-ip"])),
    optional("MinimumProtocolVersion", &Text),
    optional("Certificate", &Text),
    optional("CertificateSource", &OneOf(&["cloudfront", "iam", "acm"])),
]);

const RESTRICTIONS: DocumentShape = Structure(&[required(
    "GeoRestriction",
    &Structure(&[
        required("RestrictionType", &OneOf(&["blacklist", "whitelist", "none"])),
        required("Quantity", &Number),
        optional("Items", &List("Location", &Text)),
    ]),
)]);

const ERROR_RESPONSE: DocumentShape = Structure(&[
    required("ErrorCode", &Number),
    optional("ResponsePagePath", &Text),
    optional("ResponseCode", &Text),
    optional("ErrorCachingMinTTL", &Number),
]);

/// `DistributionConfig`.
pub(super) const DISTRIBUTION: DocumentShape = Structure(&[
    required("CallerReference", &Text),
    optional("Aliases", &ALIASES),
    optional("DefaultRootObject", &Text),
    required("Origins", &Structure(&[required("Quantity", &Number), required("Items", &List("Origin", &ORIGIN))])),
    optional(
        "OriginGroups",
        &Structure(&[required("Quantity", &Number), optional("Items", &List("OriginGroup", &ORIGIN_GROUP))]),
    ),
    required("DefaultCacheBehavior", &behavior!()),
    optional(
        "CacheBehaviors",
        &Structure(&[
            required("Quantity", &Number),
            optional("Items", &List("CacheBehavior", &behavior!(required("PathPattern", &Text)))),
        ]),
    ),
    optional(
        "CustomErrorResponses",
        &Structure(&[required("Quantity", &Number), optional("Items", &List("CustomErrorResponse", &ERROR_RESPONSE))]),
    ),
    required("Comment", &Text),
    optional(
        "Logging",
        &Structure(&[
            optional("Enabled", &Flag),
            optional("IncludeCookies", &Flag),
            optional("Bucket", &Text),
            optional("Prefix", &Text),
        ]),
    ),
    optional("PriceClass", &OneOf(&["PriceClass_100", "PriceClass_200", "PriceClass_All", "None"])),
    required("Enabled", &Flag),
    optional("ViewerCertificate", &CERTIFICATE),
    optional("Restrictions", &RESTRICTIONS),
    optional("WebACLId", &Text),
    optional("HttpVersion", &OneOf(&["http1.1", "http2", "http3", "http2and3"])),
    optional("IsIPV6Enabled", &Flag),
    optional("ContinuousDeploymentPolicyId", &Text),
    optional("Staging", &Flag),
    optional("CacheTagConfig", &Structure(&[required("HeaderName", &Text)])),
]);
