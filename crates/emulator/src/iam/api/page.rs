//! Pages of lists.

use crate::xml::XmlElement;

/// Default number of items of a page.
const DEFAULT_ITEMS: u32 = 100;

/// A requested page.
pub(super) struct IamPage {
    marker: Option<String>,
    max_items: usize,
}

impl IamPage {
    pub(super) fn new(marker: Option<String>, max_items: Option<u32>) -> Self {
        Self { marker, max_items: usize::try_from(max_items.unwrap_or(DEFAULT_ITEMS)).unwrap_or(usize::MAX) }
    }

    /// The items of this page in an element, whether the list is truncated, and the next marker. Items come with the
    /// keys that they are sorted by. A marker is the key of the last item of the previous page, so changes before it do
    /// not affect the page.
    pub(super) fn of(
        &self,
        name: &'static str,
        items: impl IntoIterator<Item = (String, XmlElement)>,
    ) -> Vec<XmlElement> {
        let after = |key: &String| self.marker.as_ref().is_none_or(|marker| key > marker);
        let mut items: Vec<(String, XmlElement)> =
            items.into_iter().filter(|(key, _)| after(key)).take(self.max_items.saturating_add(1)).collect();
        let more = items.len() > self.max_items;
        items.truncate(self.max_items);
        let marker = items.last().filter(|_| more).map(|(key, _)| XmlElement::text("Marker", key));
        let list = XmlElement::new(name).with_each(items.into_iter().map(|(_, item)| item));
        [list, XmlElement::text("IsTruncated", &more)].into_iter().chain(marker).collect()
    }
}
