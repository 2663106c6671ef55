//! Denies plans that delete, publish or change more than the site's owner expects.
//!
//! Every rule is checked, so a report has all violations. The configuration says whether a violation denies the plan,
//! holds it for approval, or is only reported.

mod addresses;
mod keynote;
mod settings;
mod share;

pub use settings::{GuardSettings, OnViolation};
pub use share::Share;

use tidegate_plugin::glob::CachedGlobList;
use tidegate_plugin::violations::{FirstFew, Violations};
use tidegate_plugin::{Change, ChangeKind, Failure, Finding, Judgement, Pointer, PolicyPlugin, Run, Totals};

use addresses::SharedAddresses;

/// Limit of the keys that a report names for one rule.
const MAX_NAMED: usize = 20;

/// The plugin.
#[derive(Debug)]
pub struct Guard {
    settings: GuardSettings,
    counts: ChangeCounts,
    forbidden: CachedGlobList,
    allowed: CachedGlobList,
    /// By position in `required`: whether the site will have such a key.
    present: Vec<bool>,
    forbidden_keys: FirstFew<Finding>,
    large_objects: FirstFew<Finding>,
    addresses: SharedAddresses,
}

/// The totals of a plan that the rules need.
#[derive(Debug)]
struct ChangeCounts {
    source_objects: u64,
    published_objects: u64,
    published_bytes: u64,
    site_objects: u64,
    deletes: u64,
    changes: u64,
}

impl PolicyPlugin for Guard {
    type Settings = GuardSettings;

    fn begin(_run: &Run, totals: &Totals, settings: GuardSettings) -> Result<Self, Failure> {
        Ok(Self {
            counts: ChangeCounts::new(totals)?,
            forbidden: CachedGlobList::new(settings.forbidden.clone()),
            allowed: CachedGlobList::new(settings.allow.clone()),
            present: vec![false; settings.required.len()],
            forbidden_keys: FirstFew::new(MAX_NAMED),
            large_objects: FirstFew::new(MAX_NAMED),
            addresses: SharedAddresses::default(),
            settings,
        })
    }

    fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure> {
        let presentations = keynote::presentations(batch);
        for change in batch.iter().filter(|change| change.kind != ChangeKind::Delete) {
            let key = &change.key;
            for (present, glob) in self.present.iter_mut().zip(&self.settings.required) {
                *present = *present || glob.matches(key);
            }
            // A redirect has no bytes: neither a secret nor a page. A redirect from one address to the other is the remedy
            // for a shared address.
            if change.redirect.is_some() {
                continue;
            }
            if !self.allowed.matches(key)
                && let Some((position, glob)) = self.forbidden.last_match(key).filter(|(_, glob)| !glob.is_exception())
                && !(presentations.contains(key.as_str()) && glob.to_string() == keynote::GLOB)
            {
                self.forbidden_keys.add(|| {
                    let message =
                        format!("`{key}` matches the forbidden name `{glob}`; exclude it, or add it to `allow`");
                    let rule = member("forbidden").index(position);
                    Finding::error("forbidden-name", message).with_key(key).with_rule(&rule)
                });
            }
            self.addresses.add(key);
            if let Some(limit) = self.settings.max_object_bytes.filter(|limit| change.size > *limit) {
                self.large_objects.add(|| {
                    let message = format!("`{key}` has {} bytes, and the limit is {limit}", change.size);
                    Finding::error("object-too-large", message).with_key(key).with_rule(&member("max-object-bytes"))
                });
            }
        }
        Ok(Vec::new())
    }

    fn conclude(&mut self) -> Result<Judgement, Failure> {
        let mut findings = Violations::default();
        self.check_minimum(&mut findings);
        self.check_changes(&mut findings);
        self.check_size(&mut findings);
        self.check_names(&mut findings);
        if let Some(message) = self.addresses.finish() {
            let response = self.settings.on_violation.addresses;
            findings.add(
                response,
                Finding::error("shared-address", message).with_rule(&member("on-violation").member("addresses")),
            );
        }
        Ok(findings.into_judgement())
    }
}

impl Guard {
    fn check_minimum(&self, findings: &mut Violations) {
        let ChangeCounts { source_objects, published_objects, site_objects, .. } = self.counts;
        let on_violation = &self.settings.on_violation;
        if !self.settings.allow_empty && (source_objects == 0 || published_objects == 0) {
            let problem = if source_objects == 0 {
                "the source is empty"
            } else {
                "the plugins excluded every object of the source"
            };
            let site = objects(site_objects);
            let message = format!("{problem}, and the site has {site}; check the build, or set `allow-empty`");
            findings.add(on_violation.allow_empty, Finding::error("empty", message).with_rule(&member("allow-empty")));
        }
        if let Some(minimum) = self.settings.min_objects.filter(|minimum| published_objects < *minimum) {
            let message = format!("the site would have {}, and the minimum is {minimum}", objects(published_objects));
            findings.add(
                on_violation.min_objects,
                Finding::error("too-few-objects", message).with_rule(&member("min-objects")),
            );
        }
        for (position, (glob, present)) in self.settings.required.iter().zip(&self.present).enumerate() {
            if !present {
                let message = format!("the site would not have the required key `{glob}`");
                let rule = member("required").index(position);
                findings.add(on_violation.required, Finding::error("required-missing", message).with_rule(&rule));
            }
        }
    }

    fn check_changes(&self, findings: &mut Violations) {
        let ChangeCounts { deletes, site_objects, changes, .. } = self.counts;
        let on_violation = &self.settings.on_violation;
        if let Some(limit) = self.settings.max_deletes.filter(|limit| deletes > *limit) {
            let message = format!("{} would be deleted, and the limit is {limit}", objects(deletes));
            findings.add(
                on_violation.max_deletes,
                Finding::error("too-many-deletes", message).with_rule(&member("max-deletes")),
            );
        }
        let is_exceeded =
            |share: &Share| deletes > self.settings.delete_share_above && share.is_exceeded(deletes, site_objects);
        if let Some(share) = self.settings.max_delete_share.filter(is_exceeded) {
            let site = objects(site_objects);
            let message =
                format!("{deletes} of the site's {site} would be deleted, and the limit is a share of {share}");
            let rule = member("max-delete-share");
            findings.add(
                on_violation.max_delete_share,
                Finding::error("too-large-share-of-deletes", message).with_rule(&rule),
            );
        }
        if let Some(limit) = self.settings.max_changes.filter(|limit| changes > *limit) {
            let message = format!("{} would change, and the limit is {limit}", objects(changes));
            findings.add(
                on_violation.max_changes,
                Finding::error("too-many-changes", message).with_rule(&member("max-changes")),
            );
        }
    }

    fn check_size(&mut self, findings: &mut Violations) {
        let bytes = self.counts.published_bytes;
        let on_violation = self.settings.on_violation.clone();
        if let Some(limit) = self.settings.max_site_bytes.filter(|limit| bytes > *limit) {
            let message = format!("the site would have {bytes} bytes, and the limit is {limit}");
            findings.add(
                on_violation.max_site_bytes,
                Finding::error("site-too-large", message).with_rule(&member("max-site-bytes")),
            );
        }
        let (response, rule) = (on_violation.max_object_bytes, member("max-object-bytes"));
        let (large, more) = self.large_objects.take();
        large.into_iter().for_each(|finding| findings.add(response, finding));
        if more > 0 {
            let message = if more == 1 {
                "1 more object is too large".to_owned()
            } else {
                format!("{more} more objects are too large")
            };
            findings.add(response, Finding::error("object-too-large", message).with_rule(&rule));
        }
    }

    fn check_names(&mut self, findings: &mut Violations) {
        let response = self.settings.on_violation.forbidden;
        let (forbidden, more) = self.forbidden_keys.take();
        forbidden.into_iter().for_each(|finding| findings.add(response, finding));
        if more > 0 {
            let message = if more == 1 {
                "1 more object has a forbidden name".to_owned()
            } else {
                format!("{more} more objects have forbidden names")
            };
            findings.add(response, Finding::error("forbidden-name", message).with_rule(&member("forbidden")));
        }
    }
}

impl ChangeCounts {
    /// A missing count is a failure: a rule that cannot be checked must not pass.
    fn new(totals: &Totals) -> Result<Self, Failure> {
        let count = |name: &str| {
            let missing = || {
                Failure::new(
                    "no-count",
                    format!("the host does not report the total `{name}`; install a newer Tidegate"),
                )
            };
            totals.count(name).ok_or_else(missing)
        };
        let deletes = count("delete")?;
        let changes = [count("create")?, count("update")?, count("headers")?, deletes];
        Ok(Self {
            source_objects: count("source-objects")?,
            published_objects: count("published-objects")?,
            published_bytes: count("published-bytes")?,
            site_objects: count("site-objects")?,
            deletes,
            changes: changes.into_iter().fold(0, u64::saturating_add),
        })
    }
}

/// A number of objects, as text.
fn objects(count: u64) -> String {
    if count == 1 { "1 object".to_owned() } else { format!("{count} objects") }
}

fn member(name: &str) -> Pointer {
    Pointer::root().member(name)
}

tidegate_plugin::export_policy!(Guard);

#[cfg(test)]
mod tests;
