//! The shape of a response headers policy's configuration.
//!
//! Source: the service model of CloudFront's API, `ResponseHeadersPolicyConfig`.

use super::super::shape::DocumentShape::{Decimal, Flag, List, Number, OneOf, Structure, Text};
use super::super::shape::{DocumentShape, optional, required};

const FRAME_OPTIONS: DocumentShape = OneOf(&["DENY", "SAMEORIGIN"]);

const REFERRER_POLICIES: DocumentShape = OneOf(&[
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
]);

const SECURITY: DocumentShape = Structure(&[
    optional(
        "XSSProtection",
        &Structure(&[
            required("Override", &Flag),
            required("Protection", &Flag),
            optional("ModeBlock", &Flag),
            optional("ReportUri", &Text),
        ]),
    ),
    optional("FrameOptions", &Structure(&[required("Override", &Flag), required("FrameOption", &FRAME_OPTIONS)])),
    optional(
        "ReferrerPolicy",
        &Structure(&[required("Override", &Flag), required("ReferrerPolicy", &REFERRER_POLICIES)]),
    ),
    optional(
        "ContentSecurityPolicy",
        &Structure(&[required("Override", &Flag), required("ContentSecurityPolicy", &Text)]),
    ),
    optional("ContentTypeOptions", &Structure(&[required("Override", &Flag)])),
    optional(
        "StrictTransportSecurity",
        &Structure(&[
            required("Override", &Flag),
            optional("IncludeSubdomains", &Flag),
            optional("Preload", &Flag),
            required("AccessControlMaxAgeSec", &Number),
        ]),
    ),
]);

const CUSTOM_HEADER: DocumentShape =
    Structure(&[required("Header", &Text), required("Value", &Text), required("Override", &Flag)]);

const METHODS: DocumentShape = OneOf(&["GET", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "HEAD", "ALL"]);

/// A list that must be present, with its items.
macro_rules! list {
    ($member:literal, $items:expr) => {
        Structure(&[required("Quantity", &Number), required("Items", &List($member, $items))])
    };
}

const CORS: DocumentShape = Structure(&[
    required("AccessControlAllowOrigins", &list!("Origin", &Text)),
    required("AccessControlAllowHeaders", &list!("Header", &Text)),
    required("AccessControlAllowMethods", &list!("Method", &METHODS)),
    required("AccessControlAllowCredentials", &Flag),
    optional(
        "AccessControlExposeHeaders",
        &Structure(&[required("Quantity", &Number), optional("Items", &List("Header", &Text))]),
    ),
    optional("AccessControlMaxAgeSec", &Number),
    required("OriginOverride", &Flag),
]);

/// `ResponseHeadersPolicyConfig`.
pub(super) const CONFIG: DocumentShape = Structure(&[
    optional("Comment", &Text),
    required("Name", &Text),
    optional("CorsConfig", &CORS),
    optional("SecurityHeadersConfig", &SECURITY),
    optional(
        "ServerTimingHeadersConfig",
        &Structure(&[required("Enabled", &Flag), optional("SamplingRate", &Decimal)]),
    ),
    optional(
        "CustomHeadersConfig",
        &Structure(&[
            required("Quantity", &Number),
            optional("Items", &List("ResponseHeadersPolicyCustomHeader", &CUSTOM_HEADER)),
        ]),
    ),
    optional(
        "RemoveHeadersConfig",
        &Structure(&[
            required("Quantity", &Number),
            optional("Items", &List("ResponseHeadersPolicyRemoveHeader", &Structure(&[required("Header", &Text)]))),
        ]),
    ),
]);

#[cfg(test)]
mod tests {
    use super::super::super::shape::read;
    use super::*;

    const POLICY: &str = "<ResponseHeadersPolicyConfig><Name>p</Name><CorsConfig>\
        <AccessControlAllowOrigins><Quantity>1</Quantity><Items><Origin>*</Origin></Items></AccessControlAllowOrigins>\
        <AccessControlAllowHeaders><Quantity>1</Quantity><Items><Header>x-a</Header></Items></AccessControlAllowHeaders>\
        <AccessControlAllowMethods><Quantity>1</Quantity><Items><Method>ALL</Method></Items></AccessControlAllowMethods>\
        <AccessControlAllowCredentials>false</AccessControlAllowCredentials>\
        <OriginOverride>true</OriginOverride></CorsConfig>\
        <ServerTimingHeadersConfig><Enabled>true</Enabled><SamplingRate>0.5</SamplingRate></ServerTimingHeadersConfig>\
        </ResponseHeadersPolicyConfig>";

    /// Rows: a text of the policy, its replacement, and the code. SDKs do not send such policies.
    #[test]
    fn members_of_cors_and_timing_are_required_and_typed() {
        let code = |policy: &str| {
            let read = read(policy.as_bytes(), "ResponseHeadersPolicyConfig", &CONFIG);
            read.map_or_else(|error| error.code(), |_| "OK")
        };
        assert_eq!(code(POLICY), "OK");
        for (text, replacement, expected) in [
            ("<AccessControlAllowCredentials>false</AccessControlAllowCredentials>", "", "InvalidArgument"),
            ("<OriginOverride>true</OriginOverride>", "", "InvalidArgument"),
            ("<Items><Origin>*</Origin></Items>", "", "InvalidArgument"),
            ("<Items><Header>x-a</Header></Items>", "", "InvalidArgument"),
            ("<Items><Method>ALL</Method></Items>", "", "InvalidArgument"),
            ("<Enabled>true</Enabled>", "", "InvalidArgument"),
            ("<Quantity>1</Quantity>", "", "InvalidArgument"),
            ("<Quantity>1</Quantity>", "<Quantity>2</Quantity>", "InconsistentQuantities"),
            ("<Method>ALL</Method>", "<Method>TRACE</Method>", "InvalidArgument"),
            ("<SamplingRate>0.5</SamplingRate>", "", "OK"),
            ("<SamplingRate>0.5</SamplingRate>", "<SamplingRate>half</SamplingRate>", "MalformedXML"),
            ("<SamplingRate>0.5</SamplingRate>", "<SamplingRate>NaN</SamplingRate>", "MalformedXML"),
            ("<OriginOverride>true", "<OriginOverride>yes", "MalformedXML"),
            ("<Origin>*</Origin>", "<Header>*</Header>", "MalformedXML"),
        ] {
            assert_eq!(code(&POLICY.replacen(text, replacement, 1)), expected, "{text} {replacement}");
        }
    }
}
