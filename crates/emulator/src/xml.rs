//! Documents in XML as STS, IAM and CloudFront read and write them: nested elements, errors and request IDs.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::Event;
use thiserror::Error;

use crate::random::identifier;

/// Deepest nesting of a document that is read. CloudFront's are at most 12 deep.
const MAX_DEPTH: usize = 64;

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum XmlError {
    /// Not well-formed.
    #[error("{0}")]
    Malformed(String),
    /// Without an element.
    #[error("the document has no element")]
    Empty,
    /// Nested too deeply.
    #[error("the document is nested more than {MAX_DEPTH} deep")]
    Depth,
}

/// An element with children or with text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct XmlElement {
    name: Cow<'static, str>,
    content: XmlContent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum XmlContent {
    Text(String),
    Children(Vec<XmlElement>),
}

impl XmlElement {
    /// An element without children.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), content: XmlContent::Children(Vec::new()) }
    }

    /// An element with text.
    pub(crate) fn text(name: &'static str, text: &(impl ToString + ?Sized)) -> Self {
        Self { name: Cow::Borrowed(name), content: XmlContent::Text(text.to_string()) }
    }

    /// Adds a child. It replaces text.
    pub(crate) fn with(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// Adds several children.
    pub(crate) fn with_each(self, children: impl IntoIterator<Item = Self>) -> Self {
        children.into_iter().fold(self, Self::with)
    }

    /// Reads a document. Namespaces, comments and other attributes are dropped.
    pub(crate) fn parse(text: &str) -> Result<Self, XmlError> {
        let malformed = |error: &dyn ToString| XmlError::Malformed(error.to_string());
        let mut reader = Reader::from_str(text);
        let mut open: Vec<(Self, String)> = Vec::new();
        loop {
            let event = reader.read_event().map_err(|error| malformed(&error))?;
            match &event {
                Event::Start(start) => {
                    if open.len() == MAX_DEPTH {
                        return Err(XmlError::Depth);
                    }
                    open.push((Self::new(start.local_name().as_ref().to_owned()), String::new()));
                }
                Event::Empty(start) => {
                    let element = Self::new(start.local_name().as_ref().to_owned());
                    match open.last_mut() {
                        Some((parent, _)) => parent.push(element),
                        None => return Ok(element),
                    }
                }
                Event::Text(text) => add_text(&mut open, text),
                Event::CData(text) => add_text(&mut open, text),
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().map_err(|error| malformed(&error))?;
                    let resolved = match character {
                        Some(character) => character.to_string(),
                        None => resolve_predefined_entity(reference)
                            .ok_or_else(|| XmlError::Malformed(format!("unknown entity `&{};`", &**reference)))?
                            .to_owned(),
                    };
                    add_text(&mut open, &resolved);
                }
                Event::End(_) => {
                    let Some((mut element, text)) = open.pop() else { return Err(XmlError::Empty) };
                    if matches!(&element.content, XmlContent::Children(children) if children.is_empty()) {
                        element.content = XmlContent::Text(text);
                    }
                    match open.last_mut() {
                        Some((parent, _)) => parent.push(element),
                        None => return Ok(element),
                    }
                }
                Event::Eof => return Err(XmlError::Empty),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its children.
    pub(crate) fn children(&self) -> &[Self] {
        match &self.content {
            XmlContent::Text(_) => &[],
            XmlContent::Children(children) => children,
        }
    }

    /// Its text; empty if it has children.
    pub(crate) fn content(&self) -> &str {
        match &self.content {
            XmlContent::Text(text) => text,
            XmlContent::Children(_) => "",
        }
    }

    /// The first descendant along a path of names.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.children().iter().find(|child| child.name == *name))
    }

    /// The text along a path of names, unless it is missing or empty.
    pub(crate) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(Self::content).filter(|text| !text.is_empty())
    }

    /// The elements of the list along a path of names, which have this form: `<List><Quantity/><Items>…</Items></List>`.
    pub(crate) fn items_at(&self, path: &[&str]) -> &[Self] {
        self.at(path).and_then(|list| list.at(&["Items"])).map_or(&[], Self::children)
    }

    /// Replaces its child with the same name, or adds the child.
    pub(crate) fn set(&mut self, child: Self) {
        let XmlContent::Children(children) = &mut self.content else {
            self.content = XmlContent::Children(vec![child]);
            return;
        };
        match children.iter_mut().find(|known| known.name == child.name) {
            Some(known) => *known = child,
            None => children.push(child),
        }
    }

    /// Removes its children with this name.
    pub(crate) fn remove(&mut self, name: &str) {
        if let XmlContent::Children(children) = &mut self.content {
            children.retain(|child| child.name != name);
        }
    }

    fn push(&mut self, child: Self) {
        match &mut self.content {
            XmlContent::Children(children) => children.push(child),
            XmlContent::Text(_) => self.content = XmlContent::Children(vec![child]),
        }
    }

    /// The element as a document, which [`Self::parse`] reads.
    pub(crate) fn to_document(&self) -> String {
        let mut document = String::new();
        self.write(None, &mut document);
        document
    }

    fn write(&self, namespace: Option<&str>, into: &mut String) {
        into.push('<');
        into.push_str(&self.name);
        if let Some(namespace) = namespace {
            into.push_str(" xmlns=\"");
            into.push_str(namespace);
            into.push('"');
        }
        into.push('>');
        match &self.content {
            XmlContent::Text(text) => {
                // XML 1.0 cannot represent control characters.
                let printable: String = text
                    .chars()
                    .map(|c| if c.is_control() && !matches!(c, '\t' | '\n' | '\r') { '\u{fffd}' } else { c })
                    .collect();
                into.push_str(&escape(printable));
            }
            XmlContent::Children(children) => {
                children.iter().for_each(|child| child.write(None, into));
            }
        }
        into.push_str("</");
        into.push_str(&self.name);
        into.push('>');
    }
}

fn add_text(open: &mut [(XmlElement, String)], text: &str) {
    if let Some((_, own)) = open.last_mut() {
        own.push_str(text);
    }
}

/// An answer with `root` in `namespace` as its body.
pub(crate) fn answer(status: StatusCode, namespace: &str, request_id: &str, root: &XmlElement) -> Response<Bytes> {
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    root.write(Some(namespace), &mut body);
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// An error in the format that STS, IAM and CloudFront share.
pub(crate) fn error(namespace: &str, status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let request_id = request_id();
    let kind = if status.is_server_error() { "Receiver" } else { "Sender" };
    let root = XmlElement::new("ErrorResponse")
        .with(
            XmlElement::new("Error")
                .with(XmlElement::text("Type", kind))
                .with(XmlElement::text("Code", code))
                .with(XmlElement::text("Message", message)),
        )
        .with(XmlElement::text("RequestId", &request_id));
    answer(status, namespace, &request_id, &root)
}

/// A request ID. Without random numbers all requests get the same ID, since that is no reason to fail a request.
pub(crate) fn request_id() -> String {
    identifier("", 26).unwrap_or_else(|_| "UNKNOWN".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let root = XmlElement::new("A")
            .with(XmlElement::text("B", " <&>\"' é\n"))
            .with(XmlElement::new("C").with(XmlElement::text("D", "1")).with(XmlElement::text("D", "2")));
        let read = XmlElement::parse(&root.to_document()).expect("a document");
        assert_eq!(read, root);
        let foreign =
            "<?xml version=\"1.0\"?>\n<x:A xmlns:x=\"urn:x\"> <!-- c --> <B k=\"v\">&#65;<![CDATA[<b>]]></B><C/></x:A>";
        let read = XmlElement::parse(foreign).expect("a document");
        assert_eq!(read.text_at(&["B"]), Some("A<b>"));
        assert_eq!(read.children().len(), 2);
        for wrong in ["", "text", "<A>", "<A></B>", "<A>&nbsp;</A>", &"<A>".repeat(100)] {
            assert!(XmlElement::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn escapes_text_and_puts_the_namespace_on_the_root_only() {
        let root = XmlElement::new("A").with(XmlElement::text("B", "<&\u{1}é")).with_each([XmlElement::new("C")]);
        let answer = answer(StatusCode::OK, "urn:x", "id", &root);
        let body = std::str::from_utf8(answer.body()).expect("text");
        assert!(body.ends_with("<A xmlns=\"urn:x\"><B>&lt;&amp;\u{fffd}é</B><C></C></A>"), "{body}");
        assert_eq!(answer.headers()["x-amzn-requestid"], "id");
    }
}
