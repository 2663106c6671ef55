//! Lists a prefix in ranges of keys that are requested side by side, and returns the pages of one listing in order.
//!
//! The token of a page is in the page before it, so a listing of five million objects is 5,000 requests in sequence.
//! Ranges are independent. The keys between them need not fit what the prefix holds: they only decide how the work is
//! shared out.

use std::collections::VecDeque;
use std::pin::pin;

use futures::stream::TryStreamExt;
use tidegate_core::key::{MAX_KEY_BYTES, StoredKey};
use tidegate_core::listing::ListedObject;
use tidegate_core::location::Location;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::task::AbortOnDropHandle;

use super::client::S3;
use super::list::{ListPage, ListScope, relative};
use crate::aws_error::AwsError;

/// Ranges that are listed at the same time, or wait to be read.
const RANGES_IN_FLIGHT: usize = 16;

/// Pages of one range that may wait: about twice as many as a range has when its keys are stored. All ranges in flight
/// together then hold at most 340,000 objects in about 60 MB. A longer range continues while it is read.
const PAGES_AHEAD_OF_RANGE: usize = 20;

/// Pages of a listing without ranges that may wait: 64,000 objects in about 10 MB.
const PAGES_AHEAD: usize = 64;

/// The keys after `after`, up to and with `until`, relative to the prefix.
#[derive(Debug, Clone, Default)]
struct KeyRange {
    after: Option<StoredKey>,
    until: Option<StoredKey>,
}

/// Why a range could not be listed.
#[derive(Debug)]
enum RangeError {
    Aws(AwsError),
    /// The server returned keys before the range.
    StartAfterIgnored,
}

/// A range that is being listed.
#[derive(Debug)]
struct StartedRange {
    range: KeyRange,
    pages: Receiver<Result<ListPage, RangeError>>,
    /// Ends the requests when the range is dropped.
    _lister: AbortOnDropHandle<()>,
}

/// A listing whose ranges are requested side by side. Every object is in one page, in the order of keys. Requests end
/// when it is dropped.
#[derive(Debug)]
pub struct RangedListing {
    s3: S3,
    location: Location,
    /// Ranges that were not started.
    waiting: std::vec::IntoIter<KeyRange>,
    /// Ranges in flight, in order.
    started: VecDeque<StartedRange>,
}

impl S3 {
    /// Starts to list the objects below a prefix, in the ranges between `splits`: keys relative to the prefix, in any
    /// order.
    #[must_use]
    pub fn pages_in_ranges(&self, location: &Location, mut splits: Vec<StoredKey>) -> RangedListing {
        let is_usable = |split: &StoredKey| {
            !split.as_str().is_empty() && location.prefix.join(split.as_str()).len() <= MAX_KEY_BYTES
        };
        splits.retain(is_usable);
        splits.sort();
        splits.dedup();
        let mut ranges = Vec::with_capacity(splits.len() + 1);
        let mut after = None;
        for split in splits {
            ranges.push(KeyRange { after: after.replace(split.clone()), until: Some(split) });
        }
        ranges.push(KeyRange { after, until: None });
        let mut listing = RangedListing {
            s3: self.clone(),
            location: location.clone(),
            waiting: ranges.into_iter(),
            started: VecDeque::new(),
        };
        listing.start_ranges();
        listing
    }
}

impl RangedListing {
    /// The next page; nothing after the last one.
    ///
    /// # Errors
    /// [`AwsError`] if a page could not be read, or if the keys of ranges are out of order. A listing without ranges is
    /// not checked for order.
    pub async fn next(&mut self) -> Result<Option<ListPage>, AwsError> {
        loop {
            let Some(StartedRange { range, pages, .. }) = self.started.front_mut() else { return Ok(None) };
            match pages.recv().await {
                Some(Ok(mut page)) => {
                    if page.last {
                        self.started.pop_front();
                        self.start_ranges();
                        page.last = self.started.is_empty();
                    }
                    return Ok(Some(page));
                }
                Some(Err(RangeError::StartAfterIgnored)) => {
                    tracing::warn!(
                        location = %self.location,
                        "the server ignores `start-after` of ListObjectsV2, so the objects are listed page by page"
                    );
                    let rest = KeyRange { after: range.after.take(), until: None };
                    self.stop();
                    self.start(rest, StartPoint::Beginning, PAGES_AHEAD);
                }
                Some(Err(RangeError::Aws(error))) => return Err(self.failed(error)),
                None => {
                    let why = "the listing was interrupted";
                    let error = AwsError::malformed("ListObjectsV2", self.location.to_string(), why);
                    return Err(self.failed(error));
                }
            }
        }
    }

    fn start_ranges(&mut self) {
        while self.started.len() < RANGES_IN_FLIGHT
            && let Some(range) = self.waiting.next()
        {
            let ahead = if range.until.is_none() && range.after.is_none() { PAGES_AHEAD } else { PAGES_AHEAD_OF_RANGE };
            self.start(range, StartPoint::Range, ahead);
        }
    }

    fn start(&mut self, range: KeyRange, start: StartPoint, ahead: usize) {
        let (sender, pages) = channel(ahead);
        let (s3, reader) = (self.s3.clone(), RangeReader { range: range.clone(), start, last: None });
        let lister = tokio::spawn(reader.list(s3, self.location.clone(), sender));
        self.started.push_back(StartedRange { range, pages, _lister: AbortOnDropHandle::new(lister) });
    }

    fn stop(&mut self) {
        self.waiting = Vec::new().into_iter();
        self.started.clear();
    }

    /// Ends the requests of all ranges.
    fn failed(&mut self, error: AwsError) -> AwsError {
        self.stop();
        error
    }
}

/// Where the requests of a range start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartPoint {
    /// At the range.
    Range,
    /// At the first object of the prefix. What is before the range is dropped.
    Beginning,
}

/// Reads the pages of a range.
struct RangeReader {
    range: KeyRange,
    start: StartPoint,
    /// The last key that the server returned.
    last: Option<StoredKey>,
}

impl RangeReader {
    /// Sends the pages of the range. The last one has [`ListPage::last`].
    async fn list(mut self, s3: S3, location: Location, sender: Sender<Result<ListPage, RangeError>>) {
        let after = self.range.after.as_ref().filter(|_| self.start == StartPoint::Range);
        let after = after.map(|after| location.prefix.join(after.as_str()));
        let scope = ListScope { after: after.as_deref(), ..ListScope::below(&location) };
        let mut pages = pin!(s3.bucket_pages(scope));
        loop {
            let page = match pages.try_next().await {
                Ok(Some(page)) => self.page(relative(&location, page), &scope),
                Ok(None) => return,
                Err(error) => Err(RangeError::Aws(error)),
            };
            let ended = page.as_ref().map_or(true, |page| page.last);
            if sender.send(page).await.is_err() || ended {
                return;
            }
        }
    }

    /// The part of a page that is in the range.
    fn page(&mut self, mut page: ListPage, scope: &ListScope<'_>) -> Result<ListPage, RangeError> {
        let KeyRange { after, until } = &self.range;
        if after.is_none() && until.is_none() {
            return Ok(page);
        }
        // What is beyond the range is dropped, so an object out of order could get lost.
        for ListedObject { key, .. } in &page.objects {
            match (&self.last, after) {
                (Some(last), _) if key <= last => {
                    let why = format!("the server returned `{key}` out of order");
                    return Err(RangeError::Aws(AwsError::malformed("ListObjectsV2", scope.subject(), why)));
                }
                (None, Some(after)) if self.start == StartPoint::Range && key <= after => {
                    return Err(RangeError::StartAfterIgnored);
                }
                _ => self.last = Some(key.clone()),
            }
        }
        if let Some(until) = until {
            let end = page.objects.partition_point(|object| object.key <= *until);
            page.last |= self.last.as_ref().is_some_and(|last| last >= until);
            page.objects.truncate(end);
            page.modified.truncate(end);
        }
        if let Some(after) = after {
            let start = page.objects.partition_point(|object| object.key <= *after);
            page.objects.drain(..start);
            page.modified.drain(..start);
        }
        Ok(page)
    }
}
