//! Watches files and directories for changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify_debouncer_full::notify::{Error as WatchError, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tidegate_core::listing_filter::ListingFilter;
use tokio::sync::mpsc;

use crate::error::CliError;
use crate::output::warn;

/// How long a source must be unchanged before a change is reported, since builds write many files.
const QUIET: Duration = Duration::from_millis(300);

/// Watches a source. A watch is lost with its file or directory: a build that deletes its output first, or that replaces a
/// zip by renaming another one. So the parent is watched, too.
pub(crate) struct SourceWatcher {
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
    source: PathBuf,
    /// Whether the source itself was created, deleted or renamed.
    replaced: Arc<AtomicBool>,
}

impl SourceWatcher {
    /// Sends a message once the source has changed and is unchanged for [`QUIET`]. Changes of what `filter` leaves out, such
    /// as those that git makes in `.git/`, do not count.
    pub(crate) fn new(path: &Path, mut filter: ListingFilter, changed: mpsc::Sender<()>) -> Result<Self, CliError> {
        let failed = |error: WatchError| CliError::System(format!("cannot watch `{}`: {error}", path.display()));
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.canonicalize(),
            Some(_) | None => std::env::current_dir(),
        };
        let parent = parent.map_err(CliError::read("directory of the source", path))?;
        // `.` and `/` have no name: they are not replaced.
        let source = path.file_name().map_or_else(|| parent.clone(), |name| parent.join(name));
        let replaced = Arc::new(AtomicBool::default());
        let (watched, replacing) = (source.clone(), Arc::clone(&replaced));
        let debouncer = new_debouncer(QUIET, None, move |events: DebounceEventResult| {
            let events = events.unwrap_or_default();
            let changes = events.iter().filter(|event| !event.kind.is_access());
            let mut is_source = |path: &PathBuf| {
                path.strip_prefix(&watched).is_ok_and(|below| !filter.excludes(&below.to_string_lossy()))
            };
            let paths: Vec<&PathBuf> = changes.flat_map(|event| &event.paths).filter(|path| is_source(path)).collect();
            if paths.iter().any(|path| **path == watched) {
                replacing.store(true, Ordering::Relaxed);
            }
            if !paths.is_empty() {
                // The channel is full if a publish is due already.
                let _ = changed.try_send(());
            }
        });
        let mut watcher = Self { debouncer: debouncer.map_err(failed)?, source, replaced };
        watcher.debouncer.watch(&parent, RecursiveMode::NonRecursive).map_err(failed)?;
        watcher.watch_directory().map_err(failed)?;
        Ok(watcher)
    }

    fn watch_directory(&mut self) -> Result<(), WatchError> {
        if self.source.is_dir() { self.debouncer.watch(&self.source, RecursiveMode::Recursive) } else { Ok(()) }
    }

    /// Watches a directory that was replaced.
    pub(crate) fn renew(&mut self) {
        if self.replaced.swap(false, Ordering::Relaxed)
            && let Err(error) = self.watch_directory()
        {
            warn(format!("cannot watch `{}`: {error}", self.source.display()));
        }
    }
}
