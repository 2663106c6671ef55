//! Denies plans that exceed a budget: of single files, of all files of a kind, and of pages with what they load.
//!
//! Sizes are those of the stored objects. Files are judged on the site as the plan leaves it, pages when they change.

mod pages;
mod settings;
mod size;

pub use settings::{BudgetSettings, FileRule, PageLimits};
pub use size::Size;

use tidegate_plugin::glob::CachedGlobList;
use tidegate_plugin::reader::{ObjectReader, ObjectToRead, Progress};
use tidegate_plugin::violations::{FirstFew, Violations};
use tidegate_plugin::{Change, ChangeKind, Failure, Finding, Judgement, Pointer, PolicyPlugin, Run, Totals};
use tidegate_plugin_references::{Role, is_page, page};

use pages::{PageWeight, Pages};

/// Limit of the files and pages that a report names for one limit.
const MAX_NAMED: usize = 20;

/// Limit of the assets that a message names.
const MAX_ASSETS: usize = 3;

/// Limit of what is read of one page, in bytes.
const MAX_PAGE_BYTES: u64 = 8 << 20;

/// The plugin.
#[derive(Debug)]
pub struct Budget {
    settings: BudgetSettings,
    rules: Vec<CountedRule>,
    pages: Pages,
    reader: ObjectReader,
    unread: FirstFew<String>,
}

/// A rule, and the files that match it.
#[derive(Debug)]
struct CountedRule {
    files: CachedGlobList,
    max_file: Option<Size>,
    bytes: u64,
    count: u64,
    large: FirstFew<(String, u64)>,
    /// The largest files, in descending order.
    largest: Vec<(String, u64)>,
}

impl PolicyPlugin for Budget {
    type Settings = BudgetSettings;

    fn begin(run: &Run, _totals: &Totals, settings: BudgetSettings) -> Result<Self, Failure> {
        let rule = |rule: &FileRule| CountedRule {
            files: CachedGlobList::new(rule.files.0.clone()),
            max_file: rule.max_file,
            bytes: 0,
            count: 0,
            large: FirstFew::new(MAX_NAMED),
            largest: Vec::new(),
        };
        Ok(Self {
            rules: settings.rules.iter().map(rule).collect(),
            pages: Pages::default(),
            reader: ObjectReader::new(run, MAX_PAGE_BYTES),
            unread: FirstFew::new(5),
            settings,
        })
    }

    fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure> {
        let is_on = self.settings.pages.is_on();
        for change in batch.iter().filter(|change| is_published(change)) {
            self.rules.iter_mut().for_each(|rule| rule.add(&change.key, change.size));
            if is_on {
                self.pages.add_object(&change.key, change.size);
            }
        }
        let objects: Vec<ObjectToRead<'_>> = batch
            .iter()
            .filter(|change| is_on && self.is_read(change))
            .map(|change| ObjectToRead { key: &change.key, size: change.size })
            .collect();
        let mut text = Vec::new();
        let Self { settings, pages, reader, .. } = self;
        let unread = reader.read(&objects, |position, part| {
            let Some(object) = objects.get(position) else { return Progress::Skip };
            if part.offset == 0 {
                text.clear();
            }
            text.extend(part.bytes);
            if part.last {
                pages.add_page(object.key, object.size, &page(&text), &settings.pages.hosts);
            }
            Progress::Continue
        })?;
        for object in unread.0.iter().filter_map(|position| objects.get(*position)) {
            self.unread.add(|| object.key.to_owned());
        }
        Ok(Vec::new())
    }

    fn conclude(&mut self) -> Result<Judgement, Failure> {
        let mut violations = Violations::default();
        self.check_files(&mut violations);
        self.check_pages(&mut violations);
        let (first, more) = self.unread.take();
        if let Some(key) = first.first() {
            let count = first.len() as u64 + more;
            let pages = if count == 1 { "page was" } else { "pages were" };
            let message = format!("{count} {pages} not read completely, since they are large, such as `{key}`");
            violations.remark(Finding::warning("not-read", message));
        }
        if self.pages.unchecked > 0 {
            let message = format!("{} pages were not checked: all pages together load too much", self.pages.unchecked);
            violations.remark(Finding::warning("not-checked", message));
        }
        Ok(violations.into_judgement())
    }
}

/// Whether a change leaves an object with a body on the site.
fn is_published(change: &Change) -> bool {
    change.kind != ChangeKind::Delete && change.redirect.is_none()
}

impl CountedRule {
    fn add(&mut self, key: &str, size: u64) {
        if !self.files.matches(key) {
            return;
        }
        self.bytes = self.bytes.saturating_add(size);
        self.count += 1;
        if self.max_file.is_some_and(|limit| size > limit.0) {
            self.large.add(|| (key.to_owned(), size));
        }
        let at = self.largest.partition_point(|(_, known)| *known >= size);
        if at < MAX_ASSETS {
            self.largest.insert(at, (key.to_owned(), size));
            self.largest.truncate(MAX_ASSETS);
        }
    }
}

impl Budget {
    fn is_read(&self, change: &Change) -> bool {
        let is_new = matches!(change.kind, ChangeKind::Create | ChangeKind::Update);
        let header =
            |name: &str| change.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str());
        is_published(change)
            && (is_new || self.settings.include_unchanged)
            && header("content-encoding").is_none_or(|encoding| encoding == "identity")
            && is_page(&change.key, header("content-type"))
            && !self.settings.pages.ignore.0.matches(&change.key)
    }

    fn check_files(&mut self, violations: &mut Violations) {
        let response = self.settings.on_violation;
        for (position, (rule, counted)) in self.settings.rules.iter().zip(&mut self.rules).enumerate() {
            let pointer = |name: &str| Pointer::root().member("rules").index(position).member(name);
            let add = |violations: &mut Violations, code: &str, message: String, name: &str| {
                violations.add(response, Finding::error(code, message).with_rule(&pointer(name)));
            };
            if let Some(limit) = rule.max_file {
                let (large, more) = counted.large.take();
                for (key, size) in large {
                    let message = format!("`{key}` has {}, and the limit is {limit}", Size(size));
                    let finding =
                        Finding::error("file-too-large", message).with_key(key).with_rule(&pointer("max-file"));
                    violations.add(response, finding);
                }
                if more > 0 {
                    let message = if more == 1 {
                        "1 more file is too large".to_owned()
                    } else {
                        format!("{more} more files are too large")
                    };
                    add(violations, "file-too-large", message, "max-file");
                }
            }
            let count = counted.count;
            if let Some(limit) = rule.max_total.filter(|limit| counted.bytes > limit.0) {
                let files = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
                let largest = counted.largest.iter().map(|(key, size)| (key.as_str(), *size));
                let message = format!(
                    "{files} of this rule would have {}, and the limit is {limit}; the largest are {}",
                    Size(counted.bytes),
                    named(largest)
                );
                add(violations, "total-too-large", message, "max-total");
            }
            if let Some(limit) = rule.max_files.filter(|limit| count > *limit) {
                let message = format!("the site would have {count} files of this rule, and the limit is {limit}");
                add(violations, "too-many-files", message, "max-files");
            }
        }
    }

    fn check_pages(&self, violations: &mut Violations) {
        let limits = &self.settings.pages;
        let mut by_limit: Vec<(&str, FirstFew<Finding>)> =
            limits.sizes().iter().map(|(name, _)| (*name, FirstFew::new(MAX_NAMED))).collect();
        let mut by_requests = FirstFew::new(MAX_NAMED);
        for weight in self.pages.weights() {
            let limits_of_page = limits.sizes().into_iter().zip(weight.sizes).zip(&mut by_limit);
            for (((name, limit), size), (_, few)) in limits_of_page {
                if let Some(limit) = limit.filter(|limit| size > limit.0) {
                    few.add(|| too_heavy(&weight, name, size, limit));
                }
            }
            if let Some(limit) = limits.max_requests.filter(|limit| weight.requests > *limit) {
                by_requests.add(|| {
                    let message =
                        format!("`{}` makes {} requests, and the limit is {limit}", weight.key, weight.requests);
                    Finding::error("too-many-requests", message)
                        .with_key(&*weight.key)
                        .with_rule(&Pointer::root().member("pages").member("max-requests"))
                });
            }
        }
        by_limit.push(("max-requests", by_requests));
        for (name, few) in by_limit {
            let (findings, more) = few.into_parts();
            findings.into_iter().for_each(|finding| violations.add(self.settings.on_violation, finding));
            if more > 0 {
                let (code, message) = match name {
                    "max-requests" => ("too-many-requests", format!("{more} more pages make too many requests")),
                    _ => ("page-too-heavy", format!("{more} more pages are too heavy")),
                };
                let rule = Pointer::root().member("pages").member(name);
                violations.add(self.settings.on_violation, Finding::error(code, message).with_rule(&rule));
            }
        }
    }
}

fn too_heavy(page: &PageWeight, name: &str, size: u64, limit: Size) -> Finding {
    let (what, role) = match name {
        "max-scripts" => ("loads scripts of", Some(Role::Script)),
        "max-styles" => ("loads style sheets of", Some(Role::Style)),
        "max-images" => ("loads images of", Some(Role::Image)),
        "max-fonts" => ("loads fonts of", Some(Role::Font)),
        _ => ("weighs", None),
    };
    let assets = page.assets.iter().filter(|(_, _, known)| role.is_none_or(|role| role == *known));
    let largest = named(assets.map(|(key, size, _)| (key.as_str(), *size)));
    let largest = if largest.is_empty() { largest } else { format!("; the largest are {largest}") };
    let message = format!("`{}` {what} {}, and the limit is {limit}{largest}", page.key, Size(size));
    let rule = Pointer::root().member("pages").member(name);
    Finding::error("page-too-heavy", message).with_key(&*page.key).with_rule(&rule)
}

/// The first few files, with their sizes.
fn named<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> String {
    let named: Vec<String> = files.take(MAX_ASSETS).map(|(key, size)| format!("`{key}` ({})", Size(size))).collect();
    named.join(", ")
}

tidegate_plugin::export_policy!(Budget);

#[cfg(test)]
mod tests;
