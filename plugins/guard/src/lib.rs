//! Denies plans that delete, publish or change more than the site's owner expects.
//!
//! Every rule is checked, so a report has all violations. The configuration says whether a violation denies the plan,
//! holds it for approval, or is only reported.

mod addresses;
mod keynote;
mod settings;
mod share;
mod violations;

pub use settings::{GuardSettings, OnViolation, Response};
pub use share::Share;

use tidegate_plugin::glob::CachedGlobList;
use tidegate_plugin::{
    Change, ChangeKind, Failure, Finding, Judgement, Pointer, PolicyPlugin, Run, Severity, Totals, Verdict,
};

use addresses::SharedAddresses;
use violations::Violations;

/// The plugin.
#[derive(Debug)]
pub struct Guard {
    settings: GuardSettings,
    counts: ChangeCounts,
    forbidden: CachedGlobList,
    allowed: CachedGlobList,
    /// By position in `required`: whether the site will have such a key.
    present: Vec<bool>,
    forbidden_keys: Violations,
    large_objects: Violations,
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
            forbidden_keys: Violations::default(),
            large_objects: Violations::default(),
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
                self.forbidden_keys.add(key, position, || {
                    format!("`{key}` matches the forbidden name `{glob}`; exclude it, or add it to `allow`")
                });
            }
            self.addresses.add(key);
            if let Some(limit) = self.settings.max_object_bytes.filter(|limit| change.size > *limit) {
                let message = || format!("`{key}` has {} bytes, and the limit is {limit}", change.size);
                self.large_objects.add(key, 0, message);
            }
        }
        Ok(Vec::new())
    }

    fn conclude(&mut self) -> Result<Judgement, Failure> {
        let mut findings = GuardFindings { list: Vec::new(), verdict: Verdict::Allow };
        self.check_minimum(&mut findings);
        self.check_changes(&mut findings);
        self.check_size(&mut findings);
        self.check_names(&mut findings);
        if let Some(message) = self.addresses.finish() {
            let response = self.settings.on_violation.addresses;
            findings.add(response, "shared-address", message, &member("on-violation").member("addresses"));
        }
        Ok(Judgement::new(findings.verdict, findings.list))
    }
}

impl Guard {
    fn check_minimum(&self, findings: &mut GuardFindings) {
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
            findings.add(on_violation.allow_empty, "empty", message, &member("allow-empty"));
        }
        if let Some(minimum) = self.settings.min_objects.filter(|minimum| published_objects < *minimum) {
            let message = format!("the site would have {}, and the minimum is {minimum}", objects(published_objects));
            findings.add(on_violation.min_objects, "too-few-objects", message, &member("min-objects"));
        }
        for (position, (glob, present)) in self.settings.required.iter().zip(&self.present).enumerate() {
            if !present {
                let message = format!("the site would not have the required key `{glob}`");
                let rule = member("required").index(position);
                findings.add(on_violation.required, "required-missing", message, &rule);
            }
        }
    }

    fn check_changes(&self, findings: &mut GuardFindings) {
        let ChangeCounts { deletes, site_objects, changes, .. } = self.counts;
        let on_violation = &self.settings.on_violation;
        if let Some(limit) = self.settings.max_deletes.filter(|limit| deletes > *limit) {
            let message = format!("{} would be deleted, and the limit is {limit}", objects(deletes));
            findings.add(on_violation.max_deletes, "too-many-deletes", message, &member("max-deletes"));
        }
        let is_exceeded =
            |share: &Share| deletes > self.settings.delete_share_above && share.is_exceeded(deletes, site_objects);
        if let Some(share) = self.settings.max_delete_share.filter(is_exceeded) {
            let site = objects(site_objects);
            let message =
                format!("{deletes} of the site's {site} would be deleted, and the limit is a share of {share}");
            let rule = member("max-delete-share");
            findings.add(on_violation.max_delete_share, "too-large-share-of-deletes", message, &rule);
        }
        if let Some(limit) = self.settings.max_changes.filter(|limit| changes > *limit) {
            let message = format!("{} would change, and the limit is {limit}", objects(changes));
            findings.add(on_violation.max_changes, "too-many-changes", message, &member("max-changes"));
        }
    }

    fn check_size(&self, findings: &mut GuardFindings) {
        let bytes = self.counts.published_bytes;
        let on_violation = &self.settings.on_violation;
        if let Some(limit) = self.settings.max_site_bytes.filter(|limit| bytes > *limit) {
            let message = format!("the site would have {bytes} bytes, and the limit is {limit}");
            findings.add(on_violation.max_site_bytes, "site-too-large", message, &member("max-site-bytes"));
        }
        let (response, rule) = (on_violation.max_object_bytes, member("max-object-bytes"));
        for object in self.large_objects.named() {
            findings.add_for_key(response, "object-too-large", object.message.clone(), &object.key, &rule);
        }
        if let Some(more) = self.large_objects.more() {
            let message = if more == 1 {
                "1 more object is too large".to_owned()
            } else {
                format!("{more} more objects are too large")
            };
            findings.add(response, "object-too-large", message, &rule);
        }
    }

    fn check_names(&self, findings: &mut GuardFindings) {
        let response = self.settings.on_violation.forbidden;
        for object in self.forbidden_keys.named() {
            let rule = member("forbidden").index(object.position);
            findings.add_for_key(response, "forbidden-name", object.message.clone(), &object.key, &rule);
        }
        if let Some(more) = self.forbidden_keys.more() {
            let message = if more == 1 {
                "1 more object has a forbidden name".to_owned()
            } else {
                format!("{more} more objects have forbidden names")
            };
            findings.add(response, "forbidden-name", message, &member("forbidden"));
        }
    }
}

/// Findings, and the verdict that follows from them.
struct GuardFindings {
    list: Vec<Finding>,
    verdict: Verdict,
}

impl GuardFindings {
    fn add(&mut self, response: Response, code: &str, message: String, rule: &Pointer) {
        let severity = match response {
            Response::Deny => Severity::Error,
            Response::Hold | Response::Report => Severity::Warning,
        };
        self.list.push(Finding::new(severity, code, message).with_rule(rule));
        self.verdict = match (response, &self.verdict) {
            (Response::Report, _) => return,
            (Response::Deny, _) | (_, Verdict::Deny) => Verdict::Deny,
            (Response::Hold, _) => Verdict::Hold,
        };
    }

    fn add_for_key(&mut self, response: Response, code: &str, message: String, key: &str, rule: &Pointer) {
        self.add(response, code, message, rule);
        if let Some(finding) = self.list.last_mut() {
            finding.key = Some(key.to_owned());
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
