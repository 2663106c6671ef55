//! Files that GitHub stores: artifacts of workflow runs, and assets of releases.
//!
//! Makes the request paths, reads GitHub's lists, and chooses one file from them. Sends nothing.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tidegate_core::config::{GithubAccess, GithubRule, NamePattern, Repository, WebhookPublish};
use tidegate_core::sanitize::sanitize_name;

/// The media type of GitHub's JSON.
pub(super) const JSON: &str = "application/vnd.github+json";

/// The media type that requests the bytes of a release asset.
const BYTES: &str = "application/octet-stream";

/// Largest file that is downloaded, in bytes: 10 GiB. A release asset has less than 2 GiB (GitHub documentation, "About
/// releases", storage and bandwidth quotas); GitHub documents no limit for an artifact. A larger file would not arrive
/// within one invocation.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024 * 1024;

/// Files on one page of a list: GitHub's maximum.
const PER_PAGE: usize = 100;

/// Most names that an error lists.
const MAX_LISTED: usize = 20;

/// What a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOrigin {
    /// A workflow run, by its id.
    Run(u64),
    /// A release, by its id.
    Release(u64),
}

/// A file that a webhook's rule publishes, before it was looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GithubFileRef {
    /// The address of the API, and where the token is stored.
    pub access: GithubAccess,
    /// The repository.
    pub repository: Repository,
    /// What the file belongs to.
    pub origin: FileOrigin,
    /// The name, or a glob.
    pub name: NamePattern,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// No file has this name.
    #[error("{owner} has no file `{name}`; available: {available}")]
    Missing {
        /// What the file should belong to.
        owner: String,
        /// The name or glob.
        name: String,
        /// The names of all files.
        available: String,
    },
    /// Several files match.
    #[error("{owner} has several files that match `{name}`: {matches}; set `artifact` to the name of one of them")]
    Ambiguous {
        /// What the files belong to.
        owner: String,
        /// The glob.
        name: String,
        /// The names of the files that match.
        matches: String,
    },
    /// GitHub deleted the artifact.
    #[error("the artifact `{0}` has expired at GitHub; run the workflow again")]
    Expired(String),
    /// The upload of the asset did not finish.
    #[error("the upload of the asset `{0}` did not finish; upload it again")]
    Incomplete(String),
    /// The file is too large.
    #[error("`{name}` has {size} bytes, and the limit is {MAX_FILE_BYTES}; upload it to S3")]
    TooLarge {
        /// The name.
        name: String,
        /// The size in bytes.
        size: u64,
    },
    /// GitHub's list has an unexpected form.
    #[error("cannot read GitHub's list of files: {0}")]
    Form(String),
}

/// A file from one of GitHub's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubFile {
    /// GitHub's id. The content of an id never changes, since neither artifacts nor assets are replaced in place.
    pub id: u64,
    /// The name.
    pub name: String,
    /// The length of the download in bytes, if the list says it. Old versions of `upload-artifact` stored files that
    /// GitHub zips on request: their listed size is that of the unpacked files, and they have no digest.
    pub size: Option<u64>,
    /// SHA-256, if the list has it.
    pub digest: Option<[u8; 32]>,
    state: FileState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileState {
    Available,
    Expired,
    Incomplete,
}

#[derive(Deserialize)]
struct ArtifactList {
    artifacts: Vec<ArtifactEntry>,
}

#[derive(Deserialize)]
struct ArtifactEntry {
    id: u64,
    name: String,
    size_in_bytes: u64,
    expired: bool,
    digest: Option<String>,
}

#[derive(Deserialize)]
struct ReleaseAsset {
    id: u64,
    name: String,
    size: u64,
    state: String,
    digest: Option<String>,
}

/// Parses `sha256:…`. Returns `None` for other algorithms.
fn sha256(text: Option<&str>) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text?.strip_prefix("sha256:")?, &mut digest).ok()?;
    Some(digest)
}

impl From<ArtifactEntry> for GithubFile {
    fn from(artifact: ArtifactEntry) -> Self {
        let digest = sha256(artifact.digest.as_deref());
        Self {
            id: artifact.id,
            name: artifact.name,
            size: digest.map(|_| artifact.size_in_bytes),
            digest,
            state: if artifact.expired { FileState::Expired } else { FileState::Available },
        }
    }
}

impl From<ReleaseAsset> for GithubFile {
    fn from(asset: ReleaseAsset) -> Self {
        Self {
            id: asset.id,
            name: asset.name,
            size: Some(asset.size),
            digest: sha256(asset.digest.as_deref()),
            state: if asset.state == "uploaded" { FileState::Available } else { FileState::Incomplete },
        }
    }
}

impl GithubFileRef {
    /// Whether a rule publishes this very file. A continuation carries the reference, so it is checked against the
    /// deployed configuration before the token is used.
    #[must_use]
    pub fn is_configured_by(&self, rule: &GithubRule) -> bool {
        let same_name = matches!(&rule.publish, WebhookPublish::Artifact { name, .. } if *name == self.name);
        same_name && rule.provider() == Some(&self.access) && rule.repository == self.repository
    }

    /// What the file belongs to, for messages.
    fn owner(&self) -> String {
        match self.origin {
            FileOrigin::Run(id) => format!("the run {id} of `{}`", self.repository),
            FileOrigin::Release(id) => format!("the release {id} of `{}`", self.repository),
        }
    }

    /// The request path of a page of the list, counted from 1.
    pub(super) fn list_path(&self, page: usize) -> String {
        let repository = &self.repository;
        match self.origin {
            FileOrigin::Run(id) => {
                let name = self.name.literal().map(|name| utf8_percent_encode(name, NON_ALPHANUMERIC));
                let name = name.map(|name| format!("&name={name}")).unwrap_or_default();
                format!("/repos/{repository}/actions/runs/{id}/artifacts?per_page={PER_PAGE}&page={page}{name}")
            }
            FileOrigin::Release(id) => {
                format!("/repos/{repository}/releases/{id}/assets?per_page={PER_PAGE}&page={page}")
            }
        }
    }

    /// The request path of a file's content, and the media type to accept.
    pub(super) fn download_path(&self, file: &GithubFile) -> (String, &'static str) {
        let (repository, id) = (&self.repository, file.id);
        match self.origin {
            FileOrigin::Run(_) => (format!("/repos/{repository}/actions/artifacts/{id}/zip"), JSON),
            FileOrigin::Release(_) => (format!("/repos/{repository}/releases/assets/{id}"), BYTES),
        }
    }

    /// The name under which the file is stored, unique across GitHub servers.
    #[must_use]
    pub fn stored_name(&self, file: &GithubFile) -> String {
        let kind = match self.origin {
            FileOrigin::Run(_) => "artifact",
            FileOrigin::Release(_) => "asset",
        };
        format!("{}/{kind}-{}.zip", self.access.api.authority(), file.id)
    }

    /// The files of one page of the list.
    pub(super) fn read_page(&self, body: &[u8]) -> Result<Vec<GithubFile>, FileError> {
        let form = |error: serde_json::Error| FileError::Form(sanitize_name(&error.to_string()));
        match self.origin {
            FileOrigin::Run(_) => {
                let page: ArtifactList = serde_json::from_slice(body).map_err(form)?;
                Ok(page.artifacts.into_iter().map(GithubFile::from).collect())
            }
            FileOrigin::Release(_) => {
                let page: Vec<ReleaseAsset> = serde_json::from_slice(body).map_err(form)?;
                Ok(page.into_iter().map(GithubFile::from).collect())
            }
        }
    }

    /// The one file that the reference means. A run that was started again has the files of all its attempts: of files
    /// with the same name, the newest counts.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn choose(&self, files: &[GithubFile]) -> Result<GithubFile, FileError> {
        let (owner, name) = (self.owner(), sanitize_name(self.name.as_str()));
        let mut matches: Vec<&GithubFile> = files.iter().filter(|file| self.name.covers(&file.name)).collect();
        matches.sort_by(|a, b| a.name.cmp(&b.name).then(b.id.cmp(&a.id)));
        matches.dedup_by(|later, earlier| later.name == earlier.name);
        let file = match matches.as_slice() {
            [] => return Err(FileError::Missing { owner, name, available: listed(files.iter()) }),
            [file] => *file,
            several => return Err(FileError::Ambiguous { owner, name, matches: listed(several.iter().copied()) }),
        };
        match file.state {
            FileState::Expired => Err(file.expired()),
            FileState::Incomplete => Err(FileError::Incomplete(sanitize_name(&file.name))),
            FileState::Available => file.check_size(file.size.unwrap_or_default()).map(|()| file.clone()),
        }
    }
}

impl FileError {
    /// Whether the file may still be uploaded.
    pub(crate) fn is_early(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Incomplete(_))
    }
}

impl GithubFile {
    /// A file that can be downloaded.
    pub(super) fn available(id: u64, name: &str, size: u64) -> Self {
        Self { id, name: name.to_owned(), size: Some(size), digest: None, state: FileState::Available }
    }

    /// The error for an artifact that GitHub has deleted.
    pub(super) fn expired(&self) -> FileError {
        FileError::Expired(sanitize_name(&self.name))
    }

    /// Checks a number of bytes against [`MAX_FILE_BYTES`].
    pub(super) fn check_size(&self, size: u64) -> Result<(), FileError> {
        if size > MAX_FILE_BYTES { Err(FileError::TooLarge { name: sanitize_name(&self.name), size }) } else { Ok(()) }
    }
}

fn listed<'a>(files: impl Iterator<Item = &'a GithubFile>) -> String {
    let mut names: Vec<String> = files.map(|file| format!("`{}`", sanitize_name(&file.name))).collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    let more = names.len().saturating_sub(MAX_LISTED);
    names.truncate(MAX_LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}
