//! Files that hold the bodies of objects, and their removal.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

/// A body's file that is being read. All readers share it.
pub(super) struct BodyFile {
    pub(super) path: PathBuf,
    remove: AtomicBool,
}

impl BodyFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, remove: AtomicBool::new(false) }
    }

    /// Removes the file after its last reader.
    pub(super) fn remove_when_closed(&self) {
        self.remove.store(true, Ordering::Release);
    }
}

impl Drop for BodyFile {
    fn drop(&mut self) {
        if self.remove.load(Ordering::Acquire) {
            remove(&self.path);
        }
    }
}

/// A new file, which is removed unless it is kept.
pub(super) struct StagedFile {
    path: PathBuf,
    kept: bool,
}

impl StagedFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, kept: false }
    }

    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.path);
        }
    }
}

pub(super) fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "cannot remove an unused body");
    }
}
