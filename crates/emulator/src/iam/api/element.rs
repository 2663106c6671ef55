//! XML elements that several answers share: documents, tags, boundaries.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::record::Tags;
use crate::xml::XmlElement;

/// The percent-encoding of documents in answers, by RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn document(name: &'static str, text: &str) -> XmlElement {
    XmlElement::text(name, &utf8_percent_encode(text, ENCODED))
}

pub(super) fn tag(key: &str, value: &str) -> XmlElement {
    XmlElement::new("member").with(XmlElement::text("Key", key)).with(XmlElement::text("Value", value))
}

/// The tags of an entity, if it has any.
pub(super) fn tags(tags: &Tags) -> Option<XmlElement> {
    let members = tags.iter().map(|(key, value)| tag(key, value));
    (!tags.is_empty()).then(|| XmlElement::new("Tags").with_each(members))
}

pub(super) fn boundary(arn: Option<&str>) -> Option<XmlElement> {
    let arn = arn?;
    Some(
        XmlElement::new("PermissionsBoundary")
            .with(XmlElement::text("PermissionsBoundaryType", "PermissionsBoundaryPolicy"))
            .with(XmlElement::text("PermissionsBoundaryArn", arn)),
    )
}
