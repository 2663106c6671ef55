//! Excludes objects from a site with the patterns of gitignore.
//!
//! The listing of a source applies the same settings to names before they are read. So this plugin sees only what it does
//! not exclude, unless a plugin before it may rename or add objects.

use tidegate_plugin::glob::{ExcludeList, ExcludeMatch, ExcludeSettings};
use tidegate_plugin::{Decisions, Entry, Failure, Pointer, Run, SyncPlugin};

/// The plugin.
#[derive(Debug)]
pub struct Exclude(ExcludeList);

impl SyncPlugin for Exclude {
    type Settings = ExcludeSettings;

    fn begin(_run: &Run, settings: ExcludeSettings) -> Result<Self, Failure> {
        settings.into_list().map(Self).map_err(|error| Failure::new("defaults", error.to_string()))
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        for (index, entry) in batch.iter().enumerate() {
            let Some(found) = self.0.excludes(&entry.key) else { continue };
            decisions.exclude(index, &pointer(found), found.to_string());
        }
        Ok(())
    }
}

fn pointer(found: ExcludeMatch<'_>) -> Pointer {
    match found.position {
        Some(position) => Pointer::root().member("globs").index(position),
        None => Pointer::root().member("defaults"),
    }
}

tidegate_plugin::export_sync!(Exclude);

#[cfg(test)]
mod tests;
