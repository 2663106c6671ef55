//! Notices an archive whose single top folder would become part of every address.

use tidegate_core::desired::DesiredSite;
use tidegate_core::finding::Finding;
use tidegate_core::location::Source;
use tidegate_core::site_state::SiteState;

use super::run::Run;

/// A folder that macOS adds beside the one that was packed.
const MACOS_METADATA: &str = "__MACOSX/";

/// The finding, if every file of an archive is below a folder that the site does not have, and that hides its
/// `index.html`.
pub(super) fn find(run: Run<'_>, desired: &DesiredSite, state: &SiteState) -> Option<Finding> {
    let is_archive = matches!(run.request.source, Source::Archive(_) | Source::Object(_));
    if !is_archive || !run.site.strip_prefix.as_str().is_empty() {
        return None;
    }
    let entries = desired.entries().iter().enumerate();
    let mut files = entries
        .filter(|(_, entry)| entry.body.source().is_some_and(|source| !source.as_str().starts_with(MACOS_METADATA)));
    let (_, first) = files.clone().next()?;
    let (name, _) = first.key.as_str().split_once('/')?;
    let folder = format!("{name}/");
    let known = state.objects().iter().any(|object| object.key.as_str().starts_with(&folder));
    if known || files.any(|(at, entry)| !entry.key.as_str().starts_with(&folder) || state.is_proven(at)) {
        return None;
    }
    let loses = run.site.delete && state.get("index.html").is_some_and(|object| !run.site.protect.covers(&object.key));
    let hidden = desired.get(&format!("{folder}index.html")).is_some();
    let what = match (loses, hidden) {
        (true, _) => "the `index.html` of the site would be deleted",
        (false, true) => "its `index.html` would not be that of the site",
        (false, false) => return None,
    };
    let message = format!(
        "every file of the archive is in `{folder}`, which the site does not have, and {what}; set the site's \
         `strip-prefix` to `{folder}` to publish what is in the folder"
    );
    Some(Finding::warning("top-folder", message))
}
