//! Settings of `links`.

use serde::{Deserialize, Serialize};
use tidegate_plugin::violations::Response;
use tidegate_plugin::{FileList, Issues, Pointer, Settings};

/// Settings of `links`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct LinkSettings {
    /// The name of the object that a folder has as its page; empty if folders have none.
    pub(crate) index_document: String,
    /// Whether `/about` and `/about/` lead to `about`, `about.html` and `about/index.html`.
    pub(crate) clean_urls: bool,
    /// The hosts of the site. Absolute links to them are checked.
    pub(crate) hosts: Vec<String>,
    /// Targets that are not checked, such as those of rules at the edge.
    pub(crate) ignore: FileList,
    /// Pages and style sheets whose links are not checked.
    pub(crate) ignore_pages: FileList,
    /// Whether unchanged pages are read as well.
    pub(crate) include_unchanged: bool,
    /// The responses.
    pub(crate) on_violation: OnBroken,
}

/// The response to each kind of a broken link.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct OnBroken {
    /// A link to a page that the site does not have.
    pub(crate) links: Response,
    /// Something that a page loads and the site does not have.
    pub(crate) assets: Response,
}

impl Default for OnBroken {
    fn default() -> Self {
        Self { links: Response::Deny, assets: Response::Deny }
    }
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            index_document: "index.html".to_owned(),
            clean_urls: false,
            hosts: Vec::new(),
            ignore: FileList::default(),
            ignore_pages: FileList::default(),
            include_unchanged: false,
            on_violation: OnBroken::default(),
        }
    }
}

impl Settings for LinkSettings {
    fn check(&mut self, issues: &mut Issues) {
        if self.index_document.contains('/') {
            issues.add(&Pointer::root().member("index-document"), "it has a `/`; use a name such as `index.html`");
        }
        for (position, host) in self.hosts.iter_mut().enumerate() {
            host.make_ascii_lowercase();
            let is_host = !host.is_empty()
                && host.chars().all(|character| character.is_ascii_alphanumeric() || ".-:".contains(character));
            if !is_host {
                let message = format!("invalid host `{host}`; use a name without a scheme, such as `www.example.com`");
                issues.add(&Pointer::root().member("hosts").index(position), message);
            }
        }
    }
}
