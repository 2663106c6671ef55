//! Finds a file in GitHub's lists and downloads it.
//!
//! A download that does not match the listed length and SHA-256 ends with an error, so that an incomplete file is never
//! taken for a complete one.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::client::{Github, READ_TIMEOUT, no_response};
use super::error::GithubError;
use super::file::{GithubFile, GithubFileRef};

/// Most pages of one list that are read: ten thousand files, ten times as many as a release may have.
const MAX_PAGES: usize = 100;

/// HTTP status for an artifact that GitHub has deleted.
const GONE: u16 = 410;

impl Github {
    /// Finds the referenced file.
    ///
    /// # Errors
    /// [`GithubError`].
    pub(crate) async fn find(&self, reference: &GithubFileRef) -> Result<GithubFile, GithubError> {
        let mut files = Vec::new();
        for number in 1..=MAX_PAGES {
            let page = self.list(&reference.list_path(number)).await?;
            files.extend(reference.read_page(&page.body)?);
            if !page.has_next {
                break;
            }
        }
        Ok(reference.choose(&files)?)
    }

    /// Starts to download a file. The stream ends with an error unless length and digest match.
    ///
    /// # Errors
    /// [`GithubError`].
    pub(crate) async fn download(
        &self,
        reference: &GithubFileRef,
        file: &GithubFile,
    ) -> Result<BoxStream<'static, Result<Bytes, GithubError>>, GithubError> {
        let (path, accept) = reference.download_path(file);
        let response = match self.get(&path, accept).await {
            Err(GithubError::Refused { status: GONE, .. }) => return Err(file.expired().into()),
            response => response?,
        };
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = DownloadBody {
            request: format!("GET {path}"),
            body: response.into_body(),
            file: file.clone(),
            length: file.size.or(length),
            received: 0,
            hash: Sha256::new(),
            deadline: self.deadline(),
        };
        Ok(stream::try_unfold(body, DownloadBody::next).boxed())
    }
}

/// A body that is being downloaded.
struct DownloadBody {
    request: String,
    body: Incoming,
    file: GithubFile,
    /// Expected length in bytes, if known.
    length: Option<u64>,
    received: u64,
    hash: Sha256,
    deadline: Instant,
}

impl DownloadBody {
    /// The next bytes, or `None` after the last ones if all of them match.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, GithubError> {
        loop {
            let until = self.deadline.min(Instant::now() + READ_TIMEOUT);
            let frame = match timeout_at(until, self.body.frame()).await {
                Ok(None) => return self.check_complete().map(|()| None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(no_response(&self.request, &error)),
                Err(_) if Instant::now() >= self.deadline => return Err(GithubError::Timeout(self.request)),
                Err(_) => {
                    return Err(GithubError::NoResponse {
                        request: self.request,
                        reason: "the download stalled".to_owned(),
                    });
                }
            };
            // A frame without data holds trailers, which have no meaning here.
            let Ok(bytes) = frame.into_data() else { continue };
            self.received = self.received.saturating_add(bytes.len() as u64);
            self.file.check_size(self.received)?;
            if let Some(length) = self.length.filter(|length| self.received > *length) {
                return Err(self.mismatch(format!("it has more than {length} bytes")));
            }
            self.hash.update(&bytes);
            if !bytes.is_empty() {
                return Ok(Some((bytes, self)));
            }
        }
    }

    fn check_complete(&self) -> Result<(), GithubError> {
        if let Some(length) = self.length.filter(|length| self.received != *length) {
            return Err(self.mismatch(format!("it has {} bytes instead of {length}", self.received)));
        }
        match self.file.digest {
            Some(digest) if self.hash.clone().finalize().as_slice() != digest => {
                Err(self.mismatch("it has another SHA-256".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn mismatch(&self, reason: String) -> GithubError {
        GithubError::Mismatch { request: self.request.clone(), reason }
    }
}
