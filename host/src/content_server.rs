//! Reads of content for a plugin, within its budget.
//!
//! A plugin runs on a thread of its own. Its reads go to the calling thread, which alone can borrow the
//! [`ContentReader`].

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tidegate_core::config::{MissingGrant, ReadGrant};
use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::key::{Key, MAX_KEY_BYTES};
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};

use super::limits::Limits;

/// The answer for one key.
pub(super) type ReadResult = Result<Vec<u8>, ReadRefusal>;

/// Why there are no bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadRefusal {
    NotFound,
    Budget,
    NotGranted(MissingGrant),
    Unavailable(String),
}

/// One call of the plugin, on its way to the calling thread.
pub(super) struct ReadRequest {
    content: RequestedContent,
    reply: Sender<ReadReply>,
}

/// The answers to one call, and the time that the storage took for them.
pub(super) struct ReadReply {
    pub(super) answers: Vec<ReadResult>,
    pub(super) reading: Duration,
}

/// The content that a call asks for.
pub(super) enum RequestedContent {
    Heads { keys: Vec<String>, length: u32 },
    Range { key: String, offset: u64, length: u32 },
}

/// Fuel for each key that a plugin asks for: about the host's work to find it and to switch threads.
const FUEL_PER_READ: u64 = 10_000;

impl RequestedContent {
    /// Fuel that the call costs, without the bytes that it returns.
    pub(super) fn fuel(&self) -> u64 {
        let keys = match self {
            Self::Heads { keys, .. } => keys.as_slice(),
            Self::Range { key, .. } => std::slice::from_ref(key),
        };
        // At least one key: a call for none switches threads too.
        let bytes: usize = keys.iter().map(String::len).sum();
        (keys.len().max(1) as u64).saturating_mul(FUEL_PER_READ).saturating_add(bytes as u64)
    }
}

/// Sends a request to the calling thread and waits for the answer; `None` if that thread has stopped serving.
pub(super) fn request(requests: &Sender<ReadRequest>, content: RequestedContent) -> Option<ReadReply> {
    let (reply, answer) = channel();
    requests.send(ReadRequest { content, reply }).ok()?;
    answer.recv().ok()
}

/// Finds the object behind a key of the plugin: its key in the artifact, and its size in bytes.
pub(super) type FindObject<'a> = dyn Fn(&str) -> Option<(&'a Key, u64)> + 'a;

/// Serves the reads of one run.
pub(super) struct ContentServer<'a> {
    find: &'a FindObject<'a>,
    content: &'a dyn ContentReader,
    reads_allowed: u64,
    bytes_allowed: u64,
    grant: Option<ReadGrant>,
    time_allowed: Duration,
    reads: u64,
    bytes: u64,
    time: Duration,
    exhausted: bool,
    not_granted: Option<String>,
    unavailable: Option<String>,
}

/// The reads of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadTotals {
    pub(super) reads: u64,
    pub(super) reads_allowed: u64,
    pub(super) bytes: u64,
    pub(super) bytes_allowed: u64,
    pub(super) time: Duration,
    /// A read was refused because the budget was spent.
    pub(super) exhausted: bool,
    /// The first key that was refused because of the grant.
    pub(super) not_granted: Option<String>,
    /// The first error of the storage.
    pub(super) unavailable: Option<String>,
}

impl<'a> ContentServer<'a> {
    pub(super) fn new(
        find: &'a FindObject<'a>,
        content: &'a dyn ContentReader,
        limits: &Limits,
        objects: u64,
        grant: Option<ReadGrant>,
    ) -> Self {
        let (reads, bytes) = (limits.reads_for(objects), limits.read_bytes_for(objects));
        Self {
            find,
            content,
            reads_allowed: grant.map_or(reads, |grant| grant.reads_of(reads)),
            bytes_allowed: grant.map_or(bytes, |grant| grant.of(bytes)),
            grant,
            time_allowed: limits.reading_time,
            reads: 0,
            bytes: 0,
            time: Duration::ZERO,
            exhausted: false,
            not_granted: None,
            unavailable: None,
        }
    }

    /// Serves until the plugin's thread drops its sender.
    pub(super) fn serve(mut self, requests: &Receiver<ReadRequest>) -> ReadTotals {
        for ReadRequest { content, reply } in requests {
            let before = self.time;
            let answers = match content {
                RequestedContent::Heads { keys, length } => self.heads(&keys, length),
                RequestedContent::Range { key, offset, length } => vec![self.range(&key, offset, length)],
            };
            // A plugin whose time is over does not wait for the answer.
            let _ = reply.send(ReadReply { answers, reading: self.time.saturating_sub(before) });
        }
        ReadTotals {
            reads: self.reads,
            reads_allowed: self.reads_allowed,
            bytes: self.bytes,
            bytes_allowed: self.bytes_allowed,
            time: self.time,
            exhausted: self.exhausted,
            not_granted: self.not_granted,
            unavailable: self.unavailable,
        }
    }

    fn heads(&mut self, keys: &[String], length: u32) -> Vec<ReadResult> {
        let mut sources = Vec::new();
        let granted: Vec<Result<u64, ReadRefusal>> = keys
            .iter()
            .map(|key| {
                let (source, bytes) = self.charge(key, |size| size.min(u64::from(length)))?;
                if bytes > 0 {
                    sources.push(source.clone());
                }
                Ok(bytes)
            })
            .collect();
        let started = Instant::now();
        let heads =
            if sources.is_empty() { Vec::new() } else { self.content.heads(&sources, length, self.deadline(started)) };
        self.time += started.elapsed();
        let mut heads = heads.into_iter();
        granted
            .into_iter()
            .map(|granted| match granted? {
                0 => Ok(Vec::new()),
                bytes => match heads.next() {
                    Some(head) => self.check(head, bytes),
                    None => Err(self.unavailable("the source returned fewer objects than requested")),
                },
            })
            .collect()
    }

    fn range(&mut self, key: &str, offset: u64, length: u32) -> ReadResult {
        let (source, bytes) = self.charge(key, |size| size.saturating_sub(offset).min(u64::from(length)))?;
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        let range = self.content.range(source, offset, length, self.deadline(started));
        self.time += started.elapsed();
        self.check(range, bytes)
    }

    /// Charges the budget for a key before anything is read, by the sizes of the listing: equal inputs spend it
    /// equally. A key that does not exist is charged like one without bytes.
    fn charge(&mut self, key: &str, bytes_of: impl FnOnce(u64) -> u64) -> Result<(&'a Key, u64), ReadRefusal> {
        let find = self.find;
        let found = find(key).map(|(source, size)| (source, bytes_of(size)));
        let bytes = found.map_or(0, |(_, bytes)| bytes);
        if self.reads >= self.reads_allowed || self.bytes.saturating_add(bytes) > self.bytes_allowed {
            // A plugin can do with less than the budget of a run, which every plugin has. What it may not do ends its run.
            if let Some(granted) = self.grant {
                self.not_granted.get_or_insert_with(|| sanitize(key, MAX_KEY_BYTES));
                let more = MissingGrant::MoreReads { read: self.bytes, reads: self.reads, asked: bytes, granted };
                return Err(ReadRefusal::NotGranted(if granted.is_none() { MissingGrant::Read } else { more }));
            }
            self.exhausted = true;
            return Err(ReadRefusal::Budget);
        }
        self.reads += 1;
        self.bytes += bytes;
        found.ok_or(ReadRefusal::NotFound)
    }

    fn deadline(&self, now: Instant) -> Instant {
        now.checked_add(self.time_allowed.saturating_sub(self.time)).unwrap_or(now)
    }

    fn check(&mut self, body: Result<Vec<u8>, ReadError>, bytes: u64) -> ReadResult {
        match body {
            Ok(body) if body.len() as u64 == bytes => Ok(body),
            // The size is from the listing, so the object was replaced since.
            Ok(body) => Err(self
                .unavailable(&format!("an object changed while it was read: {} bytes instead of {bytes}", body.len()))),
            Err(error) => Err(self.unavailable(&error.to_string())),
        }
    }

    fn unavailable(&mut self, reason: &str) -> ReadRefusal {
        let reason = sanitize(reason, MESSAGE_BYTES);
        self.unavailable.get_or_insert_with(|| reason.clone());
        ReadRefusal::Unavailable(reason)
    }
}
