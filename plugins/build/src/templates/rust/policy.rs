//! Warns about large pages, and holds plans that delete objects until a person approves them.

use serde::{Deserialize, Serialize};
use tidegate_plugin::{
    Change, ChangeKind, Failure, Finding, Issues, Judgement, Pointer, PolicyPlugin, Run, Settings, Totals, Verdict,
};

/// The plugin's settings. `{}` must be valid, so every member has a default.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PageSizeSettings {
    /// Pages above this size, in bytes, are warnings.
    max_page_bytes: u64,
}

impl Default for PageSizeSettings {
    fn default() -> Self {
        Self { max_page_bytes: 100_000 }
    }
}

impl Settings for PageSizeSettings {
    fn check(&mut self, issues: &mut Issues) {
        if self.max_page_bytes == 0 {
            issues.add(&Pointer::root().member("max-page-bytes"), "use a number above 0");
        }
    }
}

/// One value lives for one run.
pub struct PageSizes {
    settings: PageSizeSettings,
    deletes: u64,
}

impl PolicyPlugin for PageSizes {
    type Settings = PageSizeSettings;

    fn begin(_run: &Run, totals: &Totals, settings: PageSizeSettings) -> Result<Self, Failure> {
        Ok(Self { settings, deletes: totals.count("delete").unwrap_or(0) })
    }

    fn review(&mut self, batch: &[Change]) -> Result<Vec<Finding>, Failure> {
        let limit = self.settings.max_page_bytes;
        let is_new = |change: &&Change| matches!(change.kind, ChangeKind::Create | ChangeKind::Update);
        let is_large = |change: &&Change| change.key.ends_with(".html") && change.size > limit;
        let finding = |change: &Change| {
            Finding::warning("large-page", format!("the page has {} bytes, more than {limit}", change.size))
                .with_key(&change.key)
                .with_rule(&Pointer::root().member("max-page-bytes"))
        };
        Ok(batch.iter().filter(is_new).filter(is_large).map(finding).collect())
    }

    fn conclude(&mut self) -> Result<Judgement, Failure> {
        if self.deletes == 0 {
            return Ok(Judgement::allow());
        }
        let finding = Finding::warning("deletes", format!("{} objects are deleted", self.deletes));
        Ok(Judgement::new(Verdict::Hold, vec![finding]))
    }
}

tidegate_plugin::export_policy!(PageSizes);

#[cfg(test)]
mod tests {
    use super::PageSizes;
    use tidegate_plugin::testing::{TestPlan, judge};
    use tidegate_plugin::{ChangeKind, Verdict};

    #[test]
    fn holds_deletes() {
        let plan = TestPlan::new().change(ChangeKind::Create, "a.html", 10).change(ChangeKind::Delete, "b.html", 10);
        assert_eq!(judge::<PageSizes>("{}", &plan).unwrap().verdict, Verdict::Hold);
        let plan = TestPlan::new().change(ChangeKind::Create, "a.html", 200_000);
        let judgement = judge::<PageSizes>("{}", &plan).unwrap();
        assert_eq!((judgement.verdict, judgement.findings.len()), (Verdict::Allow, 1));
    }
}
