//! Settings of `budget`.

use serde::{Deserialize, Serialize};
use tidegate_plugin::violations::Response;
use tidegate_plugin::{FileList, Issues, Pointer, Settings};

use crate::Size;

/// Settings of `budget`. A limit that is `null` is off.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct BudgetSettings {
    /// Limits of files, in order. Every rule that matches a file counts it.
    pub(crate) rules: Vec<FileRule>,
    /// Limits of each page with what it loads.
    pub(crate) pages: PageLimits,
    /// Whether unchanged pages are read as well.
    pub(crate) include_unchanged: bool,
    /// The response to an exceeded limit.
    pub(crate) on_violation: Response,
}

/// Limits of the files that match.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileRule {
    pub(crate) files: FileList,
    /// Limit of one file.
    #[serde(default)]
    pub(crate) max_file: Option<Size>,
    /// Limit of all files together.
    #[serde(default)]
    pub(crate) max_total: Option<Size>,
    /// Limit of the number of files.
    #[serde(default)]
    pub(crate) max_files: Option<u64>,
}

/// Limits of each page.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PageLimits {
    /// Limit of the page and all that it loads.
    pub(crate) max: Option<Size>,
    pub(crate) max_scripts: Option<Size>,
    pub(crate) max_styles: Option<Size>,
    pub(crate) max_images: Option<Size>,
    pub(crate) max_fonts: Option<Size>,
    /// Limit of the number of objects that it loads, with itself.
    pub(crate) max_requests: Option<u64>,
    /// The hosts of the site. What pages load from them counts.
    pub(crate) hosts: Vec<String>,
    /// Pages that are not checked.
    pub(crate) ignore: FileList,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self { rules: Vec::new(), pages: PageLimits::default(), include_unchanged: false, on_violation: Response::Deny }
    }
}

impl Settings for BudgetSettings {
    fn check(&mut self, issues: &mut Issues) {
        for (position, rule) in self.rules.iter().enumerate() {
            let pointer = Pointer::root().member("rules").index(position);
            if rule.max_file.is_none() && rule.max_total.is_none() && rule.max_files.is_none() {
                issues.add(&pointer, "the rule has no limit; set `max-file`, `max-total` or `max-files`");
            }
            if let (Some(file), Some(total)) = (rule.max_file, rule.max_total)
                && file > total
            {
                issues.add(&pointer.member("max-file"), "it is larger than `max-total`, so it has no effect; lower it");
            }
        }
    }
}

impl PageLimits {
    /// Whether any limit is on. Otherwise, no page is read.
    pub(crate) fn is_on(&self) -> bool {
        self.sizes().iter().any(|(_, limit)| limit.is_some()) || self.max_requests.is_some()
    }

    /// The limits of sizes, by their names.
    pub(crate) fn sizes(&self) -> [(&'static str, Option<Size>); 5] {
        [
            ("max", self.max),
            ("max-scripts", self.max_scripts),
            ("max-styles", self.max_styles),
            ("max-images", self.max_images),
            ("max-fonts", self.max_fonts),
        ]
    }
}
