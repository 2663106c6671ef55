//! The shape of a response headers policy's configuration.

use super::super::shape::DocumentShape::{Flag, List, Number, OneOf, Structure, Text};
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

/// Without CORS and `Server-Timing`, which the emulator does not support.
pub(super) const CONFIG: DocumentShape = Structure(&[
    optional("Comment", &Text),
    required("Name", &Text),
    optional("SecurityHeadersConfig", &SECURITY),
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
