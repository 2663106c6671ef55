//! The security headers of a policy.

use crate::xml::XmlElement;

/// Their names. They have an element of their own.
pub(super) const SECURITY_NAMES: [&str; 6] = [
    "content-security-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

/// The security headers of a policy: name, value, and whether they override the origin's.
pub(super) fn security_headers(config: &XmlElement) -> Vec<(&'static str, String, bool)> {
    let at = |name: &str| config.at(&["SecurityHeadersConfig", name]);
    let is_true = |element: &XmlElement, name: &str| element.text_at(&[name]) == Some("true");
    let text = |element: &XmlElement, name: &str| element.text_at(&[name]).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    if let Some(element) = at("XSSProtection") {
        let mut value = if is_true(element, "Protection") { "1" } else { "0" }.to_owned();
        if is_true(element, "ModeBlock") {
            value.push_str("; mode=block");
        }
        if let Some(report) = element.text_at(&["ReportUri"]) {
            value.push_str("; report=");
            value.push_str(report);
        }
        headers.push(("x-xss-protection", value, is_true(element, "Override")));
    }
    for (name, element, member) in [
        ("x-frame-options", "FrameOptions", "FrameOption"),
        ("referrer-policy", "ReferrerPolicy", "ReferrerPolicy"),
        ("content-security-policy", "ContentSecurityPolicy", "ContentSecurityPolicy"),
    ] {
        if let Some(element) = at(element) {
            headers.push((name, text(element, member), is_true(element, "Override")));
        }
    }
    if let Some(element) = at("ContentTypeOptions") {
        headers.push(("x-content-type-options", "nosniff".to_owned(), is_true(element, "Override")));
    }
    if let Some(element) = at("StrictTransportSecurity") {
        let mut value = format!("max-age={}", text(element, "AccessControlMaxAgeSec"));
        for (member, directive) in [("IncludeSubdomains", "; includeSubDomains"), ("Preload", "; preload")] {
            if is_true(element, member) {
                value.push_str(directive);
            }
        }
        headers.push(("strict-transport-security", value, is_true(element, "Override")));
    }
    headers
}
