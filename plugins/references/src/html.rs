//! The references of a page. Source: HTML standard, "Attributes", those with URLs.

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use crate::{Reference, Role, css, srcset};

/// The references of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageReferences {
    /// The URL of the first element `base` that has one.
    pub base: Option<String>,
    /// The references, in order.
    pub references: Vec<Reference>,
}

/// The attributes that a reference can be in, or that say what it is for.
const ATTRIBUTES: [&[u8]; 14] = [
    b"as",
    b"content",
    b"data",
    b"href",
    b"http-equiv",
    b"imagesrcset",
    b"poster",
    b"rel",
    b"src",
    b"srcset",
    b"style",
    b"type",
    b"xlink:href",
    b"media",
];

/// The references of a page in HTML.
#[must_use]
pub fn page(bytes: &[u8]) -> PageReferences {
    let mut state = PageState::default();
    {
        let callback = |event: CallbackEvent<'_>, _: Span<()>| -> Option<()> {
            state.event(event);
            None
        };
        let mut emitter = CallbackEmitter::new(callback);
        emitter.naively_switch_states(true);
        for token in Tokenizer::new_with_emitter(bytes, emitter) {
            let Ok(()) = token;
        }
    }
    state.page
}

#[derive(Default)]
struct PageState {
    page: PageReferences,
    element: Vec<u8>,
    /// The attributes of the current element, without repeated ones.
    attributes: Vec<(Vec<u8>, String)>,
    /// Whether the current attribute is one of `ATTRIBUTES`.
    is_relevant: bool,
    is_style: bool,
}

impl PageState {
    fn event(&mut self, event: CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.element.clear();
                self.element.extend(name);
                self.attributes.clear();
            }
            CallbackEvent::AttributeName { name } => {
                self.is_relevant = ATTRIBUTES.contains(&name) && self.value(name).is_none();
                if self.is_relevant {
                    self.attributes.push((name.to_vec(), String::new()));
                }
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some((_, known)) = self.attributes.last_mut().filter(|_| self.is_relevant) {
                    *known = String::from_utf8_lossy(value).into_owned();
                }
            }
            CallbackEvent::CloseStartTag { .. } => self.start_tag(),
            CallbackEvent::String { value } if self.is_style => {
                let references = &mut self.page.references;
                css::urls(&String::from_utf8_lossy(value), &mut |text, role| references.push(Reference { text, role }));
            }
            CallbackEvent::EndTag { .. } => self.is_style = false,
            _ => {}
        }
    }

    fn value(&self, name: &[u8]) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn add(&mut self, attribute: &[u8], role: Role) {
        if let Some(text) = self.value(attribute).map(str::to_owned) {
            self.page.references.push(Reference { text, role });
        }
    }

    fn add_all(&mut self, attribute: &[u8]) {
        let urls: Vec<String> =
            self.value(attribute).map(srcset::urls).unwrap_or_default().into_iter().map(str::to_owned).collect();
        let role = Role::Alternative;
        self.page.references.extend(urls.into_iter().map(|text| Reference { text, role }));
    }

    fn start_tag(&mut self) {
        self.is_style = self.element == b"style";
        if self.attributes.is_empty() {
            return;
        }
        match self.element.as_slice() {
            b"base" => {
                let href = self.value(b"href").map(str::to_owned);
                self.page.base = self.page.base.take().or(href);
            }
            b"a" | b"area" => {
                self.add(b"href", Role::Link);
                self.add(b"xlink:href", Role::Link);
            }
            b"link" => self.link(),
            b"script" => {
                self.add(b"src", Role::Script);
                self.add(b"xlink:href", Role::Script);
            }
            b"img" => {
                self.add(b"src", Role::Image);
                self.add_all(b"srcset");
            }
            b"source" => {
                self.add(b"src", Role::Alternative);
                self.add_all(b"srcset");
            }
            b"video" => {
                self.add(b"src", Role::Other);
                self.add(b"poster", Role::Image);
            }
            b"audio" | b"embed" | b"iframe" | b"frame" => self.add(b"src", Role::Other),
            b"track" => self.add(b"src", Role::Alternative),
            b"object" => self.add(b"data", Role::Other),
            b"input" if self.value(b"type").is_some_and(|kind| kind.eq_ignore_ascii_case("image")) => {
                self.add(b"src", Role::Image);
            }
            b"image" | b"use" | b"feimage" => {
                self.add(b"href", Role::Image);
                self.add(b"xlink:href", Role::Image);
            }
            b"meta" => self.refresh(),
            _ => {}
        }
        if let Some(style) = self.value(b"style").map(str::to_owned) {
            let references = &mut self.page.references;
            css::urls(&style, &mut |text, role| references.push(Reference { text, role }));
        }
    }

    fn link(&mut self) {
        let rel = self.value(b"rel").unwrap_or_default().to_ascii_lowercase();
        let has = |name: &str| rel.split_ascii_whitespace().any(|known| known == name);
        let role = if has("stylesheet") {
            let is_print = self.value(b"media").is_some_and(|media| media.trim().eq_ignore_ascii_case("print"));
            if has("alternate") || is_print { Role::Alternative } else { Role::Style }
        } else if has("preload") {
            match self.value(b"as") {
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
        self.add(b"href", role);
        self.add_all(b"imagesrcset");
    }

    /// `<meta http-equiv=refresh content="0; url=/new/">`.
    fn refresh(&mut self) {
        if !self.value(b"http-equiv").is_some_and(|value| value.eq_ignore_ascii_case("refresh")) {
            return;
        }
        let content = self.value(b"content").unwrap_or_default();
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
            self.page.references.push(Reference { text, role: Role::Link });
        }
    }
}
