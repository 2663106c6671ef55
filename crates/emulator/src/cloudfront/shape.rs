//! The shapes of the documents that CloudFront's requests carry. A document with an unknown, missing or repeated element
//! is rejected, as is a list whose `Quantity` is not its length.
//!
//! Source: the service model of CloudFront's API, version 2020-05-31.

use super::error::{CloudFrontError, RefusalCode};
use crate::xml::XmlElement;

/// What an element contains.
pub(super) enum DocumentShape {
    /// Any text.
    Text,
    /// A whole number.
    Number,
    /// A number.
    Decimal,
    /// `true` or `false`.
    Flag,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// These elements, in any order.
    Structure(&'static [ShapeMember]),
    /// Any number of elements with this name.
    List(&'static str, &'static Self),
}

/// An element of a structure.
pub(super) struct ShapeMember {
    name: &'static str,
    required: bool,
    shape: &'static DocumentShape,
}

/// An element that must be present.
pub(super) const fn required(name: &'static str, shape: &'static DocumentShape) -> ShapeMember {
    ShapeMember { name, required: true, shape }
}

/// An element that may be missing.
pub(super) const fn optional(name: &'static str, shape: &'static DocumentShape) -> ShapeMember {
    ShapeMember { name, required: false, shape }
}

/// Reads a request's document.
///
/// # Errors
/// There is none, or it does not have this shape.
pub(super) fn read(body: &[u8], root: &str, shape: &DocumentShape) -> Result<XmlElement, CloudFrontError> {
    if body.is_empty() {
        let message =
            "This operation requires a body. Ensure that the body is present and the Content-Type header is set.";
        return Err(CloudFrontError::refused(RefusalCode::MissingBody, message));
    }
    let text = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
    let document = XmlElement::parse(text).map_err(|error| malformed(&error))?;
    if document.name() != root {
        return Err(malformed(&format!("the root element is `{}` instead of `{root}`", document.name())));
    }
    check(&document, shape, root)?;
    Ok(document)
}

fn malformed(problem: &dyn ToString) -> CloudFrontError {
    let message = format!("The XML document is malformed: {}", problem.to_string());
    CloudFrontError::refused(RefusalCode::MalformedXML, message)
}

fn check(element: &XmlElement, shape: &DocumentShape, path: &str) -> Result<(), CloudFrontError> {
    let text = element.content();
    let is_leaf = element.children().is_empty();
    match shape {
        DocumentShape::Text if is_leaf => Ok(()),
        DocumentShape::Number if is_leaf && text.trim().parse::<i64>().is_ok() => Ok(()),
        DocumentShape::Decimal if is_leaf && text.trim().parse().is_ok_and(f64::is_finite) => Ok(()),
        DocumentShape::Flag if is_leaf && matches!(text, "true" | "false") => Ok(()),
        DocumentShape::OneOf(values) if is_leaf => {
            if values.contains(&text) {
                return Ok(());
            }
            let message = format!("The parameter {path} must be one of {}, but is `{text}`.", values.join(", "));
            Err(CloudFrontError::refused(RefusalCode::InvalidArgument, message))
        }
        DocumentShape::Structure(members) => check_members(element, members, path),
        DocumentShape::List(name, shape) => element.children().iter().try_for_each(|child| {
            if child.name() != *name {
                return Err(malformed(&format!("`{path}` contains `{}`", child.name())));
            }
            check(child, shape, &format!("{path}.{name}"))
        }),
        DocumentShape::Text
        | DocumentShape::Number
        | DocumentShape::Decimal
        | DocumentShape::Flag
        | DocumentShape::OneOf(_) => Err(malformed(&format!("`{path}` has an invalid value"))),
    }
}

fn check_members(element: &XmlElement, members: &[ShapeMember], path: &str) -> Result<(), CloudFrontError> {
    for child in element.children() {
        let name = child.name();
        let Some(member) = members.iter().find(|member| member.name == name) else {
            return Err(malformed(&format!("`{path}` contains the unknown element `{name}`")));
        };
        if element.children().iter().filter(|other| other.name() == name).count() > 1 {
            return Err(malformed(&format!("`{path}` contains `{name}` twice")));
        }
        check(child, member.shape, &format!("{path}.{name}"))?;
    }
    if let Some(missing) = members.iter().find(|member| member.required && element.at(&[member.name]).is_none()) {
        let message = format!("The parameter {path}.{} is required.", missing.name);
        return Err(CloudFrontError::refused(RefusalCode::InvalidArgument, message));
    }
    let Some(quantity) = element.at(&["Quantity"]) else { return Ok(()) };
    let length = element.at(&["Items"]).map_or(0, |items| items.children().len());
    if quantity.content().trim().parse() == Ok(length) { Ok(()) } else { Err(CloudFrontError::InconsistentQuantities) }
}
