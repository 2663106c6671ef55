//! Pages of lists.

use bytes::Bytes;
use http::Request;

use super::super::CloudFrontError;
use crate::xml::XmlElement;

/// Most items on one page of a list.
const PAGE: usize = 100;

/// The query of a request: the page of a list, and filters.
pub(in super::super) struct PageQuery {
    marker: Option<String>,
    max_items: usize,
    others: Vec<(String, String)>,
}

impl PageQuery {
    pub(in super::super) fn read(request: &Request<Bytes>) -> Result<Self, CloudFrontError> {
        let mut page = Self { marker: None, max_items: PAGE, others: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "Marker" if !value.is_empty() => page.marker = Some(value.into_owned()),
                "MaxItems" => match value.parse() {
                    Ok(max_items @ 1..=PAGE) => page.max_items = max_items,
                    _ => {
                        let message = format!("MaxItems must be a number from 1 to {PAGE}, but is {value}");
                        return Err(CloudFrontError::InvalidArgument(message));
                    }
                },
                _ => page.others.push((name.into_owned(), value.into_owned())),
            }
        }
        Ok(page)
    }

    /// Where the page starts.
    pub(super) fn marker(&self) -> Option<&str> {
        self.marker.as_deref()
    }

    /// Another parameter of the query.
    pub(in super::super) fn value(&self, name: &str) -> Option<&str> {
        self.others.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The items of this page, and the marker of the next page if there is one.
    pub(super) fn cut<T>(&self, items: impl Iterator<Item = T>, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        let mut items: Vec<T> = items.take(self.max_items + 1).collect();
        let more = items.len() > self.max_items;
        items.truncate(self.max_items);
        let next = items.last().filter(|_| more).map(id);
        (items, next)
    }

    pub(super) fn element(&self, name: &'static str, quantity: usize, next: Option<&str>) -> XmlElement {
        XmlElement::new(name)
            .with(XmlElement::text("Marker", self.marker.as_deref().unwrap_or_default()))
            .with_each(next.map(|marker| XmlElement::text("NextMarker", marker)))
            .with(XmlElement::text("MaxItems", &self.max_items))
            .with(XmlElement::text("IsTruncated", &next.is_some()))
            .with(XmlElement::text("Quantity", &quantity))
    }

    /// A page of items that are ordered by their IDs.
    pub(in super::super) fn list<'a>(
        &self,
        name: &'static str,
        items: impl Iterator<Item = (&'a str, XmlElement)>,
    ) -> XmlElement {
        let after = items.filter(|(id, _)| self.marker.as_deref().is_none_or(|marker| *id > marker));
        let (items, next) = self.cut(after, |(id, _)| (*id).to_owned());
        let root = self.element(name, items.len(), next.as_deref());
        root.with(XmlElement::new("Items").with_each(items.into_iter().map(|(_, element)| element)))
    }

    /// The same for lists without `Marker` and `IsTruncated`, as those of newer resources are.
    pub(in super::super) fn short_list<'a>(
        &self,
        name: &'static str,
        items: impl Iterator<Item = (&'a str, XmlElement)>,
    ) -> XmlElement {
        let mut list = self.list(name, items);
        list.remove("Marker");
        list.remove("IsTruncated");
        list
    }
}
