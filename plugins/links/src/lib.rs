//! Denies plans with broken links: links and assets in pages, to keys that the site will not have.
//!
//! The links of the pages in a plan are collected while it is reviewed, and judged when all keys are known.

mod settings;
mod unresolved;

pub use settings::{LinkSettings, OnBroken};

use std::rc::Rc;

use tidegate_plugin::reader::{ObjectReader, ObjectToRead, Progress, ReadPart};
use tidegate_plugin::violations::{FirstFew, Violations};
use tidegate_plugin::{Change, ChangeKind, Failure, Finding, Judgement, Pointer, PolicyPlugin, Run, Totals};
use tidegate_plugin_references::{Base, ReferenceTarget, Role, is_page, is_style_sheet, key_hash, page, style_sheet};

use unresolved::{Link, LinkTargets};

/// Limit of the findings of each kind that a report has.
const MAX_NAMED: usize = 50;

/// Limit of what is read of one page, in bytes.
const MAX_PAGE_BYTES: u64 = 8 << 20;

/// The plugin.
#[derive(Debug)]
pub struct LinkCheck {
    settings: LinkSettings,
    targets: LinkTargets,
    reader: ObjectReader,
    unread: FirstFew<String>,
}

impl PolicyPlugin for LinkCheck {
    type Settings = LinkSettings;

    fn begin(run: &Run, _totals: &Totals, settings: LinkSettings) -> Result<Self, Failure> {
        Ok(Self {
            targets: LinkTargets::new(&settings.index_document, settings.clean_urls),
            reader: ObjectReader::new(run, MAX_PAGE_BYTES),
            unread: FirstFew::new(5),
            settings,
        })
    }

    fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure> {
        let read: Vec<usize> =
            (0..batch.len()).filter(|at| batch.get(*at).is_some_and(|change| self.is_read(change))).collect();
        let objects: Vec<ObjectToRead<'_>> = read
            .iter()
            .filter_map(|at| batch.get(*at))
            .map(|change| ObjectToRead { key: &change.key, size: change.size })
            .collect();
        let mut keys = KeysInOrder { batch, next: 0 };
        let mut text = Vec::new();
        let Self { settings, targets, reader, .. } = self;
        let unread = reader.read(&objects, |position, part| {
            let Some((at, change)) = read.get(position).and_then(|at| Some((*at, batch.get(*at)?))) else {
                return Progress::Skip;
            };
            if part.offset == 0 {
                text.clear();
            }
            if part.last {
                keys.add_before(at, settings, targets);
                let whole = if text.is_empty() { part.bytes } else { joined(&mut text, part) };
                add_links(change, whole, settings, targets);
            } else {
                text.extend(part.bytes);
            }
            Progress::Continue
        })?;
        keys.add_before(batch.len(), settings, targets);
        for object in unread.0.iter().filter_map(|position| objects.get(*position)) {
            self.unread.add(|| object.key.to_owned());
        }
        Ok(Vec::new())
    }

    fn conclude(&mut self) -> Result<Judgement, Failure> {
        let mut violations = Violations::default();
        let (assets, links): (Vec<Link>, Vec<Link>) = self.targets.broken().into_iter().partition(|link| link.is_asset);
        for (name, response, links) in
            [("assets", self.settings.on_violation.assets, assets), ("links", self.settings.on_violation.links, links)]
        {
            let rule = Pointer::root().member("on-violation").member(name);
            let code = if name == "assets" { "missing-asset" } else { "broken-link" };
            let mut few = FirstFew::new(MAX_NAMED);
            links.iter().for_each(|link| few.add(|| finding(code, link).with_rule(&rule)));
            let (findings, more) = few.into_parts();
            findings.into_iter().for_each(|finding| violations.add(response, finding));
            if more > 0 {
                let message = format!("{more} more {name} lead to what the site would not have");
                violations.add(response, Finding::error(code, message).with_rule(&rule));
            }
        }
        self.add_remarks(&mut violations);
        Ok(violations.into_judgement())
    }
}

/// The keys of a batch, which are added when the pages after them are read. So what is known at a page does not depend on
/// batches.
struct KeysInOrder<'a> {
    batch: &'a [Change],
    next: usize,
}

impl KeysInOrder<'_> {
    fn add_before(&mut self, end: usize, settings: &LinkSettings, targets: &mut LinkTargets) {
        let changes = self.batch.get(self.next..end).unwrap_or_default();
        for change in changes.iter().filter(|change| change.kind != ChangeKind::Delete) {
            targets.add_key(&change.key);
            let is_new = change.kind != ChangeKind::Keep || settings.include_unchanged;
            if let Some(redirect) =
                change.redirect.as_deref().filter(|_| is_new && !settings.ignore_pages.0.matches(&change.key))
            {
                add(&change.key.as_str().into(), &Base::of_page(&change.key), redirect, false, settings, targets);
            }
        }
        self.next = self.next.max(end);
    }
}

impl LinkCheck {
    fn is_read(&self, change: &Change) -> bool {
        let is_new = matches!(change.kind, ChangeKind::Create | ChangeKind::Update);
        let is_published = change.kind != ChangeKind::Delete && change.redirect.is_none();
        let header = |name: &str| header(change, name);
        is_published
            && (is_new || self.settings.include_unchanged)
            && header("content-encoding").is_none_or(|encoding| encoding == "identity")
            && (is_page(&change.key, header("content-type")) || is_style_sheet(&change.key, header("content-type")))
            && !self.settings.ignore_pages.0.matches(&change.key)
    }

    fn add_remarks(&mut self, violations: &mut Violations) {
        let (first, more) = self.unread.take();
        if let Some(key) = first.first() {
            let count = first.len() as u64 + more;
            let pages = if count == 1 { "page was" } else { "pages were" };
            let message = format!("{count} {pages} not read completely, since they are large, such as `{key}`");
            violations.remark(Finding::warning("not-read", message));
        }
        if self.targets.unchecked > 0 {
            let message = format!("{} links were not checked: too many targets are unknown", self.targets.unchecked);
            violations.remark(Finding::warning("not-checked", message));
        }
    }
}

fn joined<'a>(text: &'a mut Vec<u8>, part: ReadPart<'_>) -> &'a [u8] {
    text.extend(part.bytes);
    text
}

fn header<'a>(change: &'a Change, name: &str) -> Option<&'a str> {
    change.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
}

/// Adds the links of a page or a style sheet.
fn add_links(change: &Change, bytes: &[u8], settings: &LinkSettings, targets: &mut LinkTargets) {
    let key: Rc<str> = change.key.as_str().into();
    let base = Base::of_page(&change.key);
    if is_page(&change.key, header(change, "content-type")) {
        let found = page(bytes);
        let base = base.with_base(found.base.as_deref(), &settings.hosts);
        for reference in &found.references {
            add(&key, &base, &reference.text, reference.role != Role::Link, settings, targets);
        }
    } else {
        style_sheet(bytes).iter().for_each(|reference| add(&key, &base, &reference.text, true, settings, targets));
    }
}

fn add(page: &Rc<str>, base: &Base, text: &str, is_asset: bool, settings: &LinkSettings, targets: &mut LinkTargets) {
    // These lead to the page itself. Where others lead depends on the folder alone.
    if text.is_empty() || text.starts_with(['#', '?']) {
        return;
    }
    let reference = key_hash(&[base.folder().unwrap_or("//"), "\n", text]);
    if targets.is_resolved(reference) {
        return;
    }
    match base.resolve(text, &settings.hosts) {
        ReferenceTarget::Invalid => targets.add_link(page, text, is_asset),
        ReferenceTarget::Local(path) if !is_ignored(&path, settings) && !targets.is_present(&path) => {
            targets.add_link(page, &path, is_asset);
        }
        ReferenceTarget::Local(_) | ReferenceTarget::External => targets.set_resolved(reference),
    }
}

fn is_ignored(path: &str, settings: &LinkSettings) -> bool {
    settings.ignore.0.matches(path.trim_end_matches('/'))
}

fn finding(code: &str, link: &Link) -> Finding {
    let Link { path, page, count, is_asset } = link;
    let verb = if *is_asset { "needs" } else { "links to" };
    let more = match count {
        1 => String::new(),
        2 => ", and so does 1 more link".to_owned(),
        count => format!(", and so do {} more links", count - 1),
    };
    Finding::error(code, format!("`{page}` {verb} `/{path}`, which the site would not have{more}")).with_key(&**page)
}

tidegate_plugin::export_policy!(LinkCheck);

#[cfg(test)]
mod tests;
