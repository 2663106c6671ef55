//! Clean URLs, and conflicts between pages with the same one. All conflicts are reported at the end.

use indexmap::IndexMap;
use percent_encoding::utf8_percent_encode;
use rustc_hash::FxBuildHasher;
use tidegate_plugin::glob::KeyGlob;
use tidegate_plugin::{Failure, Pointer};

use crate::RenamedKey;
use crate::pattern::IN_KEYS;
use crate::settings::CleanUrls;

/// The pages of a run, by address, if clean URLs are on.
#[derive(Debug)]
pub(crate) struct CleanPages {
    mode: CleanUrls,
    except: Vec<KeyGlob>,
    /// By address: which of its names exist. Flags instead of names, so that a million pages fit in memory. Hashed, because
    /// comparing paths takes long, and in the order of keys, which is nearly that of addresses.
    addresses: IndexMap<String, PageNames, FxBuildHasher>,
}

/// The three names of an address.
#[derive(Clone, Copy, Debug, Default)]
struct PageNames {
    /// `about`
    bare: bool,
    /// `about.html`
    html: bool,
    /// `about/index.html`
    index: bool,
}

impl PageNames {
    fn are_several(self) -> bool {
        u8::from(self.bare) + u8::from(self.html) + u8::from(self.index) > 1
    }

    fn list(self, address: &str) -> Vec<String> {
        let bare = self.bare.then(|| address.to_owned());
        let html = self.html.then(|| format!("{address}.html"));
        let index = self
            .index
            .then(|| if address.is_empty() { "index.html".to_owned() } else { format!("{address}/index.html") });
        [bare, html, index].into_iter().flatten().collect()
    }
}

/// Limit of the conflicts that a message names.
const MAX_NAMED: usize = 5;

impl CleanPages {
    pub(crate) fn new(mode: CleanUrls, except: Vec<KeyGlob>) -> Self {
        Self { mode, except, addresses: IndexMap::default() }
    }

    /// Adds a key, and returns its [clean name](Self::clean).
    pub(crate) fn add(&mut self, key: &str) -> Option<RenamedKey> {
        if !self.applies_to(key) {
            return None;
        }
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
        if name == "index.html" {
            self.addresses.entry(folder.to_owned()).or_default().index = true;
        } else if let Some(address) = html_address(key) {
            self.addresses.entry(address.to_owned()).or_default().html = true;
            return Some(self.renamed(address));
        } else if !name.contains('.') {
            self.addresses.entry(key.to_owned()).or_default().bare = true;
        }
        None
    }

    /// The clean name of a key, if it differs. An index keeps its name in both modes: with the name of its folder, its
    /// relative links would break.
    pub(crate) fn clean(&self, key: &str) -> Option<RenamedKey> {
        html_address(key).filter(|_| self.applies_to(key)).map(|address| self.renamed(address))
    }

    fn renamed(&self, address: &str) -> RenamedKey {
        let (key, reason) = match self.mode {
            CleanUrls::HtmlToDirectory => ([address, "/index.html"].concat(), "page in its own folder"),
            CleanUrls::StripHtml | CleanUrls::Off => (address.to_owned(), "extension removed"),
        };
        RenamedKey { key, rule: Pointer::root().member("clean-urls"), reason: reason.to_owned() }
    }

    /// The clean address of a page that had this key, as a redirect target.
    pub(crate) fn moved_to(&self, key: &str) -> Option<String> {
        let address =
            html_address(key).filter(|address| self.addresses.get(*address).is_some_and(|names| names.html))?;
        Some(self.target(address))
    }

    /// The keys that pages had, each with its clean address as a redirect target.
    pub(crate) fn moved(&self) -> impl Iterator<Item = (String, String)> {
        self.sorted(|names| names.html)
            .into_iter()
            .map(|(address, _)| (format!("{address}.html"), self.target(address)))
    }

    /// The addresses with such names, in their order.
    fn sorted(&self, are_wanted: impl Fn(PageNames) -> bool) -> Vec<(&String, &PageNames)> {
        let mut found: Vec<_> = self.addresses.iter().filter(|(_, names)| are_wanted(**names)).collect();
        found.sort_by_key(|(address, _)| *address);
        found
    }

    fn target(&self, address: &str) -> String {
        let slash = if self.mode == CleanUrls::HtmlToDirectory { "/" } else { "" };
        format!("/{}{slash}", utf8_percent_encode(address, IN_KEYS))
    }

    fn applies_to(&self, key: &str) -> bool {
        self.mode != CleanUrls::Off && !self.except.iter().any(|glob| glob.matches(key))
    }

    /// Fails if several objects have the same address.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let mut conflicts = self
            .sorted(PageNames::are_several)
            .into_iter()
            .map(|(address, names)| (address, names.list(address)))
            .peekable();
        let Some((_, first)) = conflicts.peek() else {
            return Ok(());
        };
        let key = first.first().cloned();
        let all: Vec<String> = conflicts
            .map(|(address, names)| {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("{} become `/{address}`", names.join(", "))
            })
            .collect();
        let more = all.len().saturating_sub(MAX_NAMED);
        let named: Vec<&str> = all.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("clean URL conflict: {}{more}; keep one of each", named.join("; "));
        Err(Failure { key, ..Failure::new("page-conflict", message).with_rule(&Pointer::root().member("clean-urls")) })
    }
}

/// The address of a page other than an index.
fn html_address(key: &str) -> Option<&str> {
    let name = key.rsplit('/').next().unwrap_or(key);
    key.strip_suffix(".html").filter(|address| !address.is_empty() && !address.ends_with('/') && name != "index.html")
}
