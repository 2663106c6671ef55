//! Answers in XML as STS, IAM and CloudFront give them: nested elements, errors and request IDs.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use quick_xml::escape::escape;

use crate::random::identifier;

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
        match &mut self.content {
            XmlContent::Children(children) => children.push(child),
            XmlContent::Text(_) => self.content = XmlContent::Children(vec![child]),
        }
        self
    }

    /// Adds several children.
    pub(crate) fn with_each(self, children: impl IntoIterator<Item = Self>) -> Self {
        children.into_iter().fold(self, Self::with)
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
    fn escapes_text_and_puts_the_namespace_on_the_root_only() {
        let root = XmlElement::new("A").with(XmlElement::text("B", "<&\u{1}é")).with_each([XmlElement::new("C")]);
        let answer = answer(StatusCode::OK, "urn:x", "id", &root);
        let body = std::str::from_utf8(answer.body()).expect("text");
        assert!(body.ends_with("<A xmlns=\"urn:x\"><B>&lt;&amp;\u{fffd}é</B><C></C></A>"), "{body}");
        assert_eq!(answer.headers()["x-amzn-requestid"], "id");
    }
}
