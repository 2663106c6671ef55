//! Which of the files that GitHub keeps is meant: an artifact of a workflow's run, or an asset of a release.
//!
//! Owns the reading of GitHub's lists and the choice. Never fetches one.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tidegate_core::config::{GithubAccess, GithubRule, NamePattern, Repository, WebhookPublish};
use tidegate_core::sanitize::sanitize_name;

/// How JSON is asked for.
pub(super) const JSON: &str = "application/vnd.github+json";

/// How the bytes of a release's asset are asked for.
const BYTES: &str = "application/octet-stream";

/// Largest file that is fetched, in bytes: 10 GiB. A file of a release has less than 2 GiB (GitHub documentation, "About
/// releases", storage and bandwidth quotas); for artifacts GitHub documents no size of one. What is larger would not arrive
/// within one invocation.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024 * 1024;

/// Files of one page. GitHub's most.
const PER_PAGE: usize = 100;

/// Names that are told where none fits.
const TOLD: usize = 20;

/// What GitHub keeps files of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOrigin {
    /// A run of a workflow, by its id.
    Run(u64),
    /// A release, by its id.
    Release(u64),
}

/// A file that GitHub keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GithubFileRef {
    /// How GitHub is asked; the token may read the file.
    pub access: GithubAccess,
    /// The repository.
    pub repository: Repository,
    /// What it belongs to.
    pub origin: FileOrigin,
    /// Its name.
    pub name: NamePattern,
}

/// Why no file can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// None of that name.
    #[error("{of} has no file `{name}`, it has {there}")]
    Absent {
        /// Of what.
        of: String,
        /// The name that was asked for.
        name: String,
        /// What there is.
        there: String,
    },
    /// Several.
    #[error("{of} has several files that fit `{name}`: {there}; let `artifact` name one of them")]
    Several {
        /// Of what.
        of: String,
        /// The name that was asked for.
        name: String,
        /// What there is.
        there: String,
    },
    /// GitHub removed it.
    #[error("the artifact `{0}` has expired at GitHub, run the workflow again")]
    Expired(String),
    /// Not uploaded to its end.
    #[error("the asset `{0}` was not uploaded to its end, upload it again")]
    Unfinished(String),
    /// Too large.
    #[error("`{name}` has {size} bytes, which is more than the {MAX_FILE_BYTES} that are fetched: upload it to S3")]
    Large {
        /// Its name.
        name: String,
        /// Bytes.
        size: u64,
    },
    /// An answer in another form.
    #[error("GitHub's list of files cannot be read: {0}")]
    Form(String),
}

/// A file that GitHub keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubFile {
    /// GitHub's number for it: whatever has this number has this content, since neither artifacts nor assets are replaced in
    /// place.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Bytes, where GitHub tells how many will come. What old versions of `upload-artifact` stored is packed when it is asked
    /// for, and its size is that of the unpacked files; such an artifact has no digest either.
    pub size: Option<u64>,
    /// SHA-256, where GitHub knows it.
    pub digest: Option<[u8; 32]>,
    state: FileState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileState {
    Whole,
    Expired,
    Unfinished,
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

/// The digits of `sha256:…`; nothing for other algorithms.
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
            state: if artifact.expired { FileState::Expired } else { FileState::Whole },
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
            state: if asset.state == "uploaded" { FileState::Whole } else { FileState::Unfinished },
        }
    }
}

impl GithubFileRef {
    /// Whether a rule fetches this very file: a continued run carries it, and a token must not go anywhere that the
    /// configuration does not name.
    #[must_use]
    pub fn is_configured_by(&self, rule: &GithubRule) -> bool {
        let named = matches!(&rule.publish, WebhookPublish::Artifact { name, .. } if *name == self.name);
        named && rule.provider() == Some(&self.access) && rule.repository == self.repository
    }

    /// What it is of, for people.
    #[must_use]
    pub fn owner(&self) -> String {
        match self.origin {
            FileOrigin::Run(id) => format!("the run {id} of `{}`", self.repository),
            FileOrigin::Release(id) => format!("the release {id} of `{}`", self.repository),
        }
    }

    /// The path of a page of the list, counted from 1.
    #[must_use]
    pub fn list_path(&self, page: usize) -> String {
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

    /// The path of a file's bytes, and the form that is asked for.
    #[must_use]
    pub fn download_path(&self, file: &GithubFile) -> (String, &'static str) {
        let (repository, id) = (&self.repository, file.id);
        match self.origin {
            FileOrigin::Run(_) => (format!("/repos/{repository}/actions/artifacts/{id}/zip"), JSON),
            FileOrigin::Release(_) => (format!("/repos/{repository}/releases/assets/{id}"), BYTES),
        }
    }

    /// A name for a file that no other file has, whatever server of GitHub it is of.
    #[must_use]
    pub fn stored_name(&self, file: &GithubFile) -> String {
        let kind = match self.origin {
            FileOrigin::Run(_) => "artifact",
            FileOrigin::Release(_) => "asset",
        };
        format!("{}/{kind}-{}.zip", self.access.api.authority(), file.id)
    }

    /// The files of a page of the list.
    ///
    /// # Errors
    /// [`FileError::Form`].
    pub fn read_page(&self, body: &[u8]) -> Result<Vec<GithubFile>, FileError> {
        let told = |error: serde_json::Error| FileError::Form(sanitize_name(&error.to_string()));
        match self.origin {
            FileOrigin::Run(_) => {
                let page: ArtifactList = serde_json::from_slice(body).map_err(told)?;
                Ok(page.artifacts.into_iter().map(GithubFile::from).collect())
            }
            FileOrigin::Release(_) => {
                let page: Vec<ReleaseAsset> = serde_json::from_slice(body).map_err(told)?;
                Ok(page.into_iter().map(GithubFile::from).collect())
            }
        }
    }

    /// The one file that is meant. A run that was started again has the files of all its attempts: of one name, the newest
    /// counts.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn choose(&self, files: &[GithubFile]) -> Result<GithubFile, FileError> {
        let (of, name) = (self.owner(), sanitize_name(self.name.as_str()));
        let mut fitting: Vec<&GithubFile> = files.iter().filter(|file| self.name.covers(&file.name)).collect();
        fitting.sort_by(|a, b| a.name.cmp(&b.name).then(b.id.cmp(&a.id)));
        fitting.dedup_by(|later, earlier| later.name == earlier.name);
        let file = match fitting.as_slice() {
            [] => return Err(FileError::Absent { of, name, there: listed(files.iter()) }),
            [file] => *file,
            several => return Err(FileError::Several { of, name, there: listed(several.iter().copied()) }),
        };
        match file.state {
            FileState::Expired => Err(file.expired()),
            FileState::Unfinished => Err(FileError::Unfinished(sanitize_name(&file.name))),
            FileState::Whole => file.fits(file.size.unwrap_or_default()).map(|()| file.clone()),
        }
    }
}

impl GithubFile {
    /// GitHub has it no longer.
    #[must_use]
    pub fn expired(&self) -> FileError {
        FileError::Expired(sanitize_name(&self.name))
    }

    /// Whether so many bytes of it may be fetched.
    ///
    /// # Errors
    /// [`FileError::Large`].
    pub fn fits(&self, size: u64) -> Result<(), FileError> {
        if size > MAX_FILE_BYTES { Err(FileError::Large { name: sanitize_name(&self.name), size }) } else { Ok(()) }
    }
}

fn listed<'a>(files: impl Iterator<Item = &'a GithubFile>) -> String {
    let mut names: Vec<String> = files.map(|file| format!("`{}`", sanitize_name(&file.name))).collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    let more = names.len().saturating_sub(TOLD);
    names.truncate(TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}
