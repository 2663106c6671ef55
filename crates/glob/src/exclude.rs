//! The settings of the bundled plugin `exclude`, and its default patterns. The plugin and the listing of a source use them,
//! so that a folder that the listing does not read is one of which the plugin would exclude everything.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CachedGlobList, GlobError, IgnoreGlob};

/// Files that operating systems, editors and version control create in folders. Files that a site may need are not listed:
/// neither `.nojekyll` nor `.well-known/`, nor other names only because they start with a dot.
///
/// For the systems: the templates of <https://github.com/github/gitignore/tree/main/Global> for macOS, Windows and Linux,
/// without installers (`*.cab`, `*.msi`, `*.msix`, `*.msm`, `*.msp`), which sites offer as downloads.
pub const DEFAULT_EXCLUDES: &[&str] = &[
    // macOS
    ".DS_Store",
    "._*",
    ".localized",
    "__MACOSX/",
    ".AppleDouble",
    ".LSOverride",
    "Icon\r",
    ".DocumentRevisions-V100",
    ".fseventsd",
    ".Spotlight-V100",
    ".TemporaryItems",
    ".Trashes",
    ".VolumeIcon.icns",
    ".com.apple.timemachine.donotpresent",
    ".com.apple.timemachine.supported",
    ".PKInstallSandboxManager",
    ".PKInstallSandboxManager-SystemSoftware",
    ".hotfiles.btree",
    ".vol",
    ".file",
    ".disk_label*",
    "lost+found",
    ".HFS+ Private Directory Data\r",
    ".AppleDB",
    ".AppleDesktop",
    "Network Trash Folder",
    "Temporary Items",
    ".apdisk",
    "Desktop DB",
    "Desktop DF",
    "TheFindByContentFolder",
    "TheVolumeSettingsFolder",
    ".FBCIndex",
    ".FBCSemaphoreFile",
    ".FBCLockFolder",
    ".quota.group",
    ".quota.user",
    ".quota.ops.group",
    ".quota.ops.user",
    "Backups.backupdb",
    ".MobileBackups",
    ".MobileBackups.trash",
    "MobileBackups.trash",
    "tmbootpicker.efi",
    // Windows
    "Thumbs.db",
    "Thumbs.db:encryptable",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "*.stackdump",
    "desktop.ini",
    "Desktop.ini",
    "$RECYCLE.BIN/",
    "System Volume Information/",
    "*.lnk",
    // Linux
    ".fuse_hidden*",
    ".directory",
    ".Trash-*",
    ".nfs*",
    "nohup.out",
    // Version control. A work tree of git has a file with this name.
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".svn/",
    ".hg/",
    ".hgignore",
    "CVS/",
    // Editors
    "*~",
    "*.swp",
    "*.swo",
    ".#*",
    "\\#*#",
];

/// Settings of the plugin `exclude`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExcludeSettings {
    /// Patterns in order; the last match decides.
    pub globs: Vec<IgnoreGlob>,
    /// Whether [`DEFAULT_EXCLUDES`] precede `globs`.
    pub defaults: bool,
}

impl Default for ExcludeSettings {
    fn default() -> Self {
        Self { globs: Vec::new(), defaults: true }
    }
}

impl ExcludeSettings {
    /// All patterns of these settings, in order.
    ///
    /// # Errors
    ///
    /// A default pattern is invalid.
    pub fn into_list(self) -> Result<ExcludeList, GlobError> {
        let mut globs = Vec::new();
        if self.defaults {
            globs = DEFAULT_EXCLUDES.iter().copied().map(IgnoreGlob::parse).collect::<Result<_, _>>()?;
        }
        let defaults = globs.len();
        globs.extend(self.globs);
        Ok(ExcludeList { defaults, globs: CachedGlobList::new(globs.into()) })
    }
}

/// All patterns of [`ExcludeSettings`].
#[derive(Clone, Debug, Default)]
pub struct ExcludeList {
    globs: CachedGlobList,
    /// The number of default patterns at the start of `globs`.
    defaults: usize,
}

/// The pattern that excludes an object or a folder. Its text is the reason of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExcludeMatch<'a> {
    /// The pattern.
    pub glob: &'a IgnoreGlob,
    /// Its position in `globs`; none for a default pattern.
    pub position: Option<usize>,
}

impl ExcludeList {
    /// The pattern that excludes this key.
    pub fn excludes(&mut self, key: &str) -> Option<ExcludeMatch<'_>> {
        let (position, glob) = self.globs.last_match(key).filter(|(_, glob)| !glob.is_exception())?;
        Some(ExcludeMatch { glob, position: position.checked_sub(self.defaults) })
    }

    /// The pattern that excludes everything in this folder, given without a trailing `/`; see
    /// [`GlobList::excludes_folder`](super::GlobList::excludes_folder).
    #[must_use]
    pub fn excludes_folder(&self, folder: &str) -> Option<ExcludeMatch<'_>> {
        let (position, glob) = self.globs.excludes_folder(folder)?;
        Some(ExcludeMatch { glob, position: position.checked_sub(self.defaults) })
    }
}

impl fmt::Display for ExcludeMatch<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_defaults = if self.position.is_none() { ", a default" } else { "" };
        write!(formatter, "matches `{}`{of_defaults}", self.glob)
    }
}
