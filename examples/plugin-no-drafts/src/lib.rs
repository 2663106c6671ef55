//! Excludes pages that are marked as drafts, keeps caches from data, and adds a redirect for a robots.txt that is missing.

use serde::{Deserialize, Serialize};
use tidegate_plugin::{Decisions, Edit, Entry, Failure, Issues, Pointer, Run, Settings, Summary, SyncPlugin, content};

/// The plugin's settings. `{}` must be valid, so every member has a default.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct DraftSettings {
    /// The text at the start of a page that marks it as a draft.
    marker: String,
    /// How many bytes of each page are searched.
    head_bytes: u32,
}

impl Default for DraftSettings {
    fn default() -> Self {
        Self { marker: "<meta name=\"draft\"".to_owned(), head_bytes: 1024 }
    }
}

impl Settings for DraftSettings {
    /// Reports mistakes that the types do not exclude. Each issue points at the wrong value.
    fn check(&mut self, issues: &mut Issues) {
        if self.marker.is_empty() {
            issues.add(&Pointer::root().member("marker"), "it is empty, so every page is a draft; set a marker");
        }
        if !(1..=65_536).contains(&self.head_bytes) {
            issues.add(&Pointer::root().member("head-bytes"), "use a number from 1 to 65536");
        }
    }
}

/// One value lives for one run.
pub struct NoDrafts {
    settings: DraftSettings,
    has_robots: bool,
}

impl SyncPlugin for NoDrafts {
    type Settings = DraftSettings;

    fn begin(_run: &Run, settings: DraftSettings) -> Result<Self, Failure> {
        Ok(Self { settings, has_robots: false })
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        self.has_robots |= batch.iter().any(|entry| entry.key == "robots.txt");
        let is_page = |entry: &Entry| entry.key.ends_with(".html") && entry.redirect.is_none();
        let pages: Vec<(usize, &Entry)> = batch.iter().enumerate().filter(|(_, entry)| is_page(entry)).collect();
        // One call for all pages of the batch: the host reads them concurrently.
        let keys: Vec<String> = pages.iter().map(|(_, entry)| entry.key.clone()).collect();
        let heads = content::heads(&keys, self.settings.head_bytes);
        for ((index, entry), head) in pages.into_iter().zip(heads) {
            let head = head.map_err(|error| content::failure(&entry.key, &error))?;
            if String::from_utf8_lossy(&head).contains(&self.settings.marker) {
                decisions.exclude(index, &Pointer::root().member("marker"), "marked as a draft");
            }
        }
        for (index, _) in batch.iter().enumerate().filter(|(_, entry)| entry.key.ends_with(".json")) {
            let edits = vec![Edit::header("cache-control", "no-store")];
            decisions.publish(index, edits, &Pointer::root(), "data is never cached");
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Summary, Failure> {
        let mut summary = Summary::default();
        if !self.has_robots {
            summary.redirect("robots.txt", "/robots/", &Pointer::root(), "the artifact has no robots.txt");
        }
        Ok(summary)
    }
}

tidegate_plugin::export_sync!(NoDrafts);

#[cfg(test)]
mod tests {
    use super::NoDrafts;
    use tidegate_plugin::testing::{TestArtifact, sync};

    #[test]
    fn excludes_drafts() {
        let artifact = TestArtifact::new()
            .object("a.html", "<p>done")
            .object("b.html", "<meta name=\"draft\"><p>later")
            .object("robots.txt", "");
        let answer = sync::<NoDrafts>("{}", &artifact).unwrap();
        assert_eq!(answer.published().into_keys().collect::<Vec<_>>(), ["a.html", "robots.txt"]);
    }
}
