//! The references in pages and style sheets, and the keys that they lead to.
//!
//! The plugins `links` and `budget` share this crate. [`page`] and [`style_sheet`] find references as they are written,
//! and [`Base`] resolves them.
//!
//! ```
//! use tidegate_plugin_references::{Base, ReferenceTarget, page};
//!
//! let found = page(b"<base href='/v2/'><img src='a.png?w=1'>");
//! let base = Base::of_page("docs/index.html").with_base(found.base.as_deref(), &[]);
//! let image = &found.references[0];
//! assert_eq!(base.resolve(&image.text, &[]), ReferenceTarget::Local("v2/a.png".to_owned()));
//! ```

mod css;
mod html;
mod keys;
mod srcset;
mod tags;
mod url;

pub use css::style_sheet;
pub use html::{PageReferences, page};
pub use keys::{KeyMap, KeySet, key_hash};
pub use url::{Base, ReferenceTarget};

/// A reference as it is written, decoded from HTML or CSS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The URL.
    pub text: String,
    /// What it is for.
    pub role: Role,
}

/// What a reference is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A page to go to.
    Link,
    /// A script that the page loads.
    Script,
    /// A style sheet that the page loads.
    Style,
    /// An image that the page loads.
    Image,
    /// A font that the page loads.
    Font,
    /// Something else that the page loads: media, frames, data.
    Other,
    /// Loaded instead of another reference, or later: other sizes of an image, prefetches.
    Alternative,
}

impl Role {
    /// Whether a browser loads it with the page.
    #[must_use]
    pub fn is_loaded(self) -> bool {
        !matches!(self, Self::Link | Self::Alternative)
    }
}

/// Whether an object is a page, by its content type, or by its name if it has none.
#[must_use]
pub fn is_page(key: &str, content_type: Option<&str>) -> bool {
    is_kind(key, content_type, &["text/html", "application/xhtml+xml"], &[".html", ".htm", ".xhtml"])
}

/// Whether an object is a style sheet, by its content type, or by its name if it has none.
#[must_use]
pub fn is_style_sheet(key: &str, content_type: Option<&str>) -> bool {
    is_kind(key, content_type, &["text/css"], &[".css"])
}

fn is_kind(key: &str, content_type: Option<&str>, types: &[&str], extensions: &[&str]) -> bool {
    match content_type {
        Some(value) => {
            let essence = value.split(';').next().unwrap_or_default().trim();
            types.iter().any(|kind| essence.eq_ignore_ascii_case(kind))
        }
        None => extensions.iter().any(|extension| key.ends_with(extension)),
    }
}

#[cfg(test)]
mod tests;
