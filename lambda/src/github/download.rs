//! A file that GitHub keeps, from its list to its last byte.
//!
//! Owns that the bytes are those that were announced: the stream ends with an error before anybody can take it for whole.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::client::{Github, QUIET, silent};
use super::error::GithubError;
use super::file::{GithubFile, GithubFileRef};

/// Pages of one list that are read: ten thousand files, ten times as many as a release may have.
const MOST_PAGES: usize = 100;

/// HTTP status of an artifact that is no longer there.
const GONE: u16 = 410;

impl Github {
    /// Finds the file that is meant.
    ///
    /// # Errors
    /// [`GithubError`].
    pub(crate) async fn find(&self, wanted: &GithubFileRef) -> Result<GithubFile, GithubError> {
        let mut files = Vec::new();
        for page in 1..=MOST_PAGES {
            let listed = self.list(&wanted.list_path(page)).await?;
            files.extend(wanted.read_page(&listed.body)?);
            if !listed.goes_on {
                break;
            }
        }
        Ok(wanted.choose(&files)?)
    }

    /// Starts to read a file. What does not have the announced length and digest ends with an error.
    ///
    /// # Errors
    /// [`GithubError`].
    pub(crate) async fn open(
        &self,
        wanted: &GithubFileRef,
        file: &GithubFile,
    ) -> Result<BoxStream<'static, Result<Bytes, GithubError>>, GithubError> {
        let (path, accept) = wanted.download_path(file);
        let answer = match self.get(&path, accept).await {
            Err(GithubError::Refused { status: GONE, .. }) => return Err(file.expired().into()),
            answer => answer?,
        };
        let length = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let arriving = DownloadBody {
            what: format!("GET {path}"),
            body: answer.into_body(),
            file: file.clone(),
            length: file.size.or(length),
            arrived: 0,
            hash: Sha256::new(),
            deadline: self.deadline(),
        };
        Ok(stream::try_unfold(arriving, DownloadBody::next).boxed())
    }
}

/// A body on its way.
struct DownloadBody {
    what: String,
    body: Incoming,
    file: GithubFile,
    /// Bytes that must come, where that is known.
    length: Option<u64>,
    arrived: u64,
    hash: Sha256,
    deadline: Instant,
}

impl DownloadBody {
    /// The next bytes; nothing after the last ones, if they were all that was announced.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, GithubError> {
        loop {
            let until = self.deadline.min(Instant::now() + QUIET);
            let frame = match timeout_at(until, self.body.frame()).await {
                Ok(None) => return self.end().map(|()| None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(silent(&self.what, &error)),
                Err(_) if Instant::now() >= self.deadline => return Err(GithubError::Late(self.what)),
                Err(_) => {
                    return Err(GithubError::Silent { what: self.what, why: "nothing came any more".to_owned() });
                }
            };
            // What is no data are trailers, which say nothing here.
            let Ok(bytes) = frame.into_data() else { continue };
            self.arrived = self.arrived.saturating_add(bytes.len() as u64);
            self.file.fits(self.arrived)?;
            if let Some(length) = self.length.filter(|length| self.arrived > *length) {
                return Err(self.changed(format!("it has more than {length} bytes")));
            }
            self.hash.update(&bytes);
            if !bytes.is_empty() {
                return Ok(Some((bytes, self)));
            }
        }
    }

    fn end(&self) -> Result<(), GithubError> {
        if let Some(length) = self.length.filter(|length| self.arrived != *length) {
            return Err(self.changed(format!("it has {} bytes instead of {length}", self.arrived)));
        }
        match self.file.digest {
            Some(digest) if self.hash.clone().finalize().as_slice() != digest => {
                Err(self.changed("its SHA-256 is another one".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn changed(&self, why: String) -> GithubError {
        GithubError::Changed { what: self.what.clone(), why }
    }
}
