//! Refuses plans that delete, publish or change more than a site's owner expects.
//!
//! Owns the rules and what they say. A rule that is violated denies the plan or holds it for a person, as the
//! configuration says; every rule is judged, so that a report names all that is wrong.

mod addresses;
mod settings;
mod share;
mod tally;

pub use settings::{GuardSettings, OnViolation, Response};
pub use share::Share;

use tidegate_plugin::glob::CachedGlobList;
use tidegate_plugin::{
    Change, ChangeKind, Failure, Finding, Judgement, Pointer, PolicyPlugin, Run, Severity, Totals, Verdict,
};

use addresses::ForbiddenPaths;
use tally::Tally;

/// The plugin.
#[derive(Debug)]
pub struct Guard {
    settings: GuardSettings,
    counts: ChangeCounts,
    forbidden: CachedGlobList,
    allowed: CachedGlobList,
    /// By place in `required`: whether the site will have it.
    present: Vec<bool>,
    forbidden_keys: Tally,
    large_keys: Tally,
    addresses: ForbiddenPaths,
}

/// The totals of a plan, as far as rules need them.
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
            counts: ChangeCounts::of(totals)?,
            forbidden: CachedGlobList::new(settings.forbidden.clone()),
            allowed: CachedGlobList::new(settings.allow.clone()),
            present: vec![false; settings.required.len()],
            forbidden_keys: Tally::default(),
            large_keys: Tally::default(),
            addresses: ForbiddenPaths::default(),
            settings,
        })
    }

    fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure> {
        for change in batch.iter().filter(|change| change.kind != ChangeKind::Delete) {
            for (present, glob) in self.present.iter_mut().zip(&self.settings.required) {
                *present = *present || glob.matches(&change.key);
            }
            if !self.allowed.matches(&change.key)
                && let Some((place, glob)) =
                    self.forbidden.last_match(&change.key).filter(|(_, glob)| !glob.is_exception())
            {
                self.forbidden_keys.add(&change.key, place, format!("matches `{glob}`"));
            }
            // A redirect is how two addresses are made one.
            if change.redirect.is_none() {
                self.addresses.see(&change.key);
            }
            if let Some(most) = self.settings.max_object_bytes.filter(|most| change.size > *most) {
                self.large_keys.add(&change.key, 0, format!("has {} bytes, more than the {most} allowed", change.size));
            }
        }
        Ok(Vec::new())
    }

    fn conclude(&mut self) -> Result<Judgement, Failure> {
        let mut findings = GuardFindings { list: Vec::new(), verdict: Verdict::Allow };
        self.judge_emptiness(&mut findings);
        self.judge_deletes(&mut findings);
        self.judge_size(&mut findings);
        self.judge_names(&mut findings);
        if let Some(message) = self.addresses.finish() {
            let response = self.settings.on_violation.addresses;
            findings.add(response, "one-address", message, None, &member("on-violation").member("addresses"));
        }
        Ok(Judgement::new(findings.verdict, findings.list))
    }
}

impl Guard {
    fn judge_emptiness(&self, findings: &mut GuardFindings) {
        let ChangeCounts { source_objects, published_objects, site_objects, .. } = self.counts;
        let on_violation = &self.settings.on_violation;
        if !self.settings.allow_empty && (source_objects == 0 || published_objects == 0) {
            let what =
                if source_objects == 0 { "the source is empty" } else { "nothing of the source would be published" };
            let message =
                format!("{what}, and {site_objects} objects are on the site; check the build, or set `allow-empty`");
            findings.add(on_violation.allow_empty, "empty", message, None, &member("allow-empty"));
        }
        if let Some(fewest) = self.settings.min_objects.filter(|fewest| published_objects < *fewest) {
            let message = format!("the site would have {published_objects} objects, fewer than the {fewest} expected");
            findings.add(on_violation.min_objects, "too-few-objects", message, None, &member("min-objects"));
        }
        for (place, (glob, _)) in
            self.settings.required.iter().zip(&self.present).enumerate().filter(|(_, (_, present))| !**present)
        {
            let message = format!("the site would have no `{glob}`, which is required");
            findings.add(on_violation.required, "required-missing", message, None, &member("required").index(place));
        }
    }

    fn judge_deletes(&self, findings: &mut GuardFindings) {
        let ChangeCounts { deletes, site_objects, changes, .. } = self.counts;
        let on_violation = &self.settings.on_violation;
        if let Some(most) = self.settings.max_deletes.filter(|most| deletes > *most) {
            let message = format!("{deletes} objects would be deleted, more than the {most} allowed");
            findings.add(on_violation.max_deletes, "too-many-deletes", message, None, &member("max-deletes"));
        }
        let is_too_much =
            |share: &Share| deletes > self.settings.delete_share_above && share.is_exceeded(deletes, site_objects);
        if let Some(share) = self.settings.max_delete_share.filter(is_too_much) {
            let message = format!(
                "{deletes} of the site's {site_objects} objects would be deleted, more than the share of {share} allowed"
            );
            findings.add(
                on_violation.max_delete_share,
                "too-large-share-of-deletes",
                message,
                None,
                &member("max-delete-share"),
            );
        }
        if let Some(most) = self.settings.max_changes.filter(|most| changes > *most) {
            let message =
                format!("{changes} objects would change, more than the {most} allowed without a person's approval");
            findings.add(on_violation.max_changes, "too-many-changes", message, None, &member("max-changes"));
        }
    }

    fn judge_size(&self, findings: &mut GuardFindings) {
        let bytes = self.counts.published_bytes;
        let on_violation = &self.settings.on_violation;
        if let Some(most) = self.settings.max_site_bytes.filter(|most| bytes > *most) {
            let message = format!("the site would have {bytes} bytes, more than the {most} allowed");
            findings.add(on_violation.max_site_bytes, "site-too-large", message, None, &member("max-site-bytes"));
        }
        let rule = member("max-object-bytes");
        for found in self.large_keys.found() {
            let message = format!("`{}` {}", found.key, found.what);
            findings.add(on_violation.max_object_bytes, "object-too-large", message, Some(&found.key), &rule);
        }
        if let Some(more) = self.large_keys.more() {
            findings.add(
                on_violation.max_object_bytes,
                "object-too-large",
                format!("{more} more objects are too large"),
                None,
                &rule,
            );
        }
    }

    fn judge_names(&self, findings: &mut GuardFindings) {
        let response = self.settings.on_violation.forbidden;
        for found in self.forbidden_keys.found() {
            let message =
                format!("`{}` {}, a forbidden name; exclude it, or list it under `allow`", found.key, found.what);
            let rule = member("forbidden").index(found.place);
            findings.add(response, "forbidden-name", message, Some(&found.key), &rule);
        }
        if let Some(more) = self.forbidden_keys.more() {
            findings.add(
                response,
                "forbidden-name",
                format!("{more} more objects have forbidden names"),
                None,
                &member("forbidden"),
            );
        }
    }
}

/// What has been found, and the verdict that follows.
struct GuardFindings {
    list: Vec<Finding>,
    verdict: Verdict,
}

impl GuardFindings {
    fn add(&mut self, response: Response, code: &str, message: String, key: Option<&str>, rule: &Pointer) {
        let severity = match response {
            Response::Deny => Severity::Error,
            Response::Hold | Response::Report => Severity::Warning,
        };
        let finding = Finding::new(severity, code, message).by(rule);
        self.list.push(Finding { key: key.map(str::to_owned), ..finding });
        self.verdict = match (response, &self.verdict) {
            (Response::Report, _) => return,
            (Response::Deny, _) | (_, Verdict::Deny) => Verdict::Deny,
            (Response::Hold, _) => Verdict::Hold,
        };
    }
}

impl ChangeCounts {
    /// A count that the host does not give cannot be judged, and what cannot be judged is not allowed.
    fn of(totals: &Totals) -> Result<Self, Failure> {
        let count = |name: &str| {
            let missing =
                || Failure::new("no-count", format!("the host gives no total `{name}`; use a newer Tidegate"));
            totals.count(name).ok_or_else(missing)
        };
        let (create, update, headers, deletes) =
            (count("create")?, count("update")?, count("headers")?, count("delete")?);
        Ok(Self {
            source_objects: count("source-objects")?,
            published_objects: count("published-objects")?,
            published_bytes: count("published-bytes")?,
            site_objects: count("site-objects")?,
            deletes,
            changes: [create, update, headers, deletes].into_iter().fold(0, u64::saturating_add),
        })
    }
}

fn member(name: &str) -> Pointer {
    Pointer::root().member(name)
}

tidegate_plugin::export_policy!(Guard);

#[cfg(test)]
mod tests;
