//! The references of a page. Source: HTML standard, "Attributes", those with URLs.

use std::borrow::Cow;

use html5gum::{Token, Tokenizer};

use crate::tags::{PageEvent, scan};
use crate::{Reference, Role, css, srcset};

/// The references of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageReferences {
    /// The URL of the first element `base` that has one.
    pub base: Option<String>,
    /// The references, in order.
    pub references: Vec<Reference>,
}

/// The references of a page in HTML.
#[must_use]
pub fn page(bytes: &[u8]) -> PageReferences {
    let mut page = PageReferences::default();
    scan(bytes, |event| match event {
        PageEvent::Start { name, attributes } => page.add_element(name, &Attributes(attributes)),
        PageEvent::Style(text) => page.add_style(&String::from_utf8_lossy(text)),
    });
    page
}

/// The attributes of an element, as they are written.
struct Attributes<'a>(&'a [(&'a [u8], &'a [u8])]);

impl<'a> Attributes<'a> {
    /// The value of an attribute. Of repeated ones, the first counts.
    fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        let named = |(known, _): &&(&[u8], &[u8])| known.eq_ignore_ascii_case(name.as_bytes());
        self.0.iter().find(named).map(|(_, value)| decoded(value))
    }

    fn is(&self, name: &str, expected: &str) -> bool {
        self.value(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(expected))
    }
}

/// A value without character references, such as `&amp;`.
fn decoded(value: &[u8]) -> Cow<'_, str> {
    let decode = || {
        // The tokenizer has the table of names and the rules for values.
        let quote: &[u8] = if value.contains(&b'"') { b"'" } else { b"\"" };
        let element = [b"<a b=", quote, value, quote, b">"].concat();
        let Some(Ok(Token::StartTag(tag))) = Tokenizer::new(&element).next() else { return None };
        tag.attributes.into_iter().next().map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
    };
    if value.contains(&b'&') {
        decode().map_or_else(|| String::from_utf8_lossy(value), Cow::Owned)
    } else {
        String::from_utf8_lossy(value)
    }
}

impl PageReferences {
    fn add(&mut self, attributes: &Attributes<'_>, name: &str, role: Role) {
        // A fragment leads to the page itself.
        if let Some(text) = attributes.value(name).filter(|text| !text.starts_with('#')) {
            self.references.push(Reference { text: text.into_owned(), role });
        }
    }

    fn add_all(&mut self, attributes: &Attributes<'_>, name: &str) {
        let Some(set) = attributes.value(name) else { return };
        let role = Role::Alternative;
        self.references.extend(srcset::urls(&set).into_iter().map(|text| Reference { text: text.to_owned(), role }));
    }

    fn add_style(&mut self, text: &str) {
        css::urls(text, &mut |text, role| self.references.push(Reference { text, role }));
    }

    fn add_element(&mut self, name: &[u8], attributes: &Attributes<'_>) {
        if attributes.0.is_empty() {
            return;
        }
        let mut lower = [0; 8];
        let Some(lower) = lower.get_mut(..name.len()) else { return self.add_style_attribute(attributes) };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        match &*lower {
            b"base" => {
                let href = attributes.value("href").map(Cow::into_owned);
                self.base = self.base.take().or(href);
            }
            b"a" | b"area" => {
                self.add(attributes, "href", Role::Link);
                self.add(attributes, "xlink:href", Role::Link);
            }
            b"link" => self.add_link(attributes),
            b"script" => {
                self.add(attributes, "src", Role::Script);
                self.add(attributes, "xlink:href", Role::Script);
            }
            b"img" => {
                self.add(attributes, "src", Role::Image);
                self.add_all(attributes, "srcset");
            }
            b"source" => {
                self.add(attributes, "src", Role::Alternative);
                self.add_all(attributes, "srcset");
            }
            b"video" => {
                self.add(attributes, "src", Role::Other);
                self.add(attributes, "poster", Role::Image);
            }
            b"audio" | b"embed" | b"iframe" | b"frame" => self.add(attributes, "src", Role::Other),
            b"track" => self.add(attributes, "src", Role::Alternative),
            b"object" => self.add(attributes, "data", Role::Other),
            b"input" if attributes.is("type", "image") => self.add(attributes, "src", Role::Image),
            b"image" | b"use" | b"feimage" => {
                self.add(attributes, "href", Role::Image);
                self.add(attributes, "xlink:href", Role::Image);
            }
            b"meta" if attributes.is("http-equiv", "refresh") => self.add_refresh(attributes),
            _ => {}
        }
        self.add_style_attribute(attributes);
    }

    fn add_style_attribute(&mut self, attributes: &Attributes<'_>) {
        if let Some(style) = attributes.value("style").filter(|style| style.contains('(')) {
            self.add_style(&style);
        }
    }

    fn add_link(&mut self, attributes: &Attributes<'_>) {
        let rel = attributes.value("rel").unwrap_or_default().to_ascii_lowercase();
        let has = |name: &str| rel.split_ascii_whitespace().any(|known| known == name);
        let role = if has("stylesheet") {
            let is_print = attributes.is("media", "print");
            if has("alternate") || is_print { Role::Alternative } else { Role::Style }
        } else if has("preload") {
            match attributes.value("as").as_deref() {
                Some("script") => Role::Script,
                Some("style") => Role::Style,
                Some("image") => Role::Image,
                Some("font") => Role::Font,
                _ => Role::Other,
            }
        } else if has("modulepreload") {
            Role::Script
        } else if has("icon") {
            Role::Image
        } else if has("manifest") {
            Role::Other
        } else if ["prefetch", "prerender", "apple-touch-icon", "mask-icon", "apple-touch-startup-image"]
            .into_iter()
            .any(has)
        {
            Role::Alternative
        } else if ["canonical", "alternate", "next", "prev", "help", "license", "author", "search"].into_iter().any(has)
        {
            Role::Link
        } else {
            return;
        };
        self.add(attributes, "href", role);
        self.add_all(attributes, "imagesrcset");
    }

    /// `<meta http-equiv=refresh content="0; url=/new/">`.
    fn add_refresh(&mut self, attributes: &Attributes<'_>) {
        let content = attributes.value("content").unwrap_or_default();
        let after_time =
            content.trim_start_matches(|character: char| character.is_ascii_digit() || " \t\n.".contains(character));
        let Some(rest) = after_time.strip_prefix([';', ',']) else { return };
        let rest = rest.trim_start();
        let is_named = rest.get(..3).is_some_and(|name| name.eq_ignore_ascii_case("url"));
        let url = rest
            .get(3..)
            .and_then(|rest| rest.trim_start().strip_prefix('='))
            .filter(|_| is_named)
            .unwrap_or(rest)
            .trim();
        let quote = url.chars().next().filter(|character| matches!(character, '"' | '\''));
        let url = match quote {
            Some(quote) => url.get(1..).unwrap_or_default().split(quote).next().unwrap_or_default(),
            None => url,
        };
        if !url.is_empty() {
            let text = url.to_owned();
            self.references.push(Reference { text, role: Role::Link });
        }
    }
}
