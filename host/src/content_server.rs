//! Reads of the artifact for a plugin: which keys it may name, and how much it may read.
//!
//! Owns the budget of reads and the way from a plugin's thread to the caller's, which alone can borrow a [`ContentReader`].
//! Never reads by itself.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tidegate_core::content::{ContentReader, ReadError};
use tidegate_core::key::Key;
use tidegate_core::sanitize::{MESSAGE_BYTES, sanitize};

use super::limits::Limits;

/// What a plugin gets for one key.
pub(super) type Answer = Result<Vec<u8>, ReadRefusal>;

/// Why it gets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReadRefusal {
    NotFound,
    Budget,
    Unavailable(String),
}

/// One call of the plugin, on its way to the caller's thread.
pub(super) struct ReadRequest {
    pub(super) what: RequestedContent,
    pub(super) reply: Sender<Vec<Answer>>,
}

/// What is asked for.
pub(super) enum RequestedContent {
    Heads { keys: Vec<String>, length: u32 },
    Range { key: String, offset: u64, length: u32 },
}

/// Asks the caller's thread and waits; `None` where it is gone.
pub(super) fn ask(requests: &Sender<ReadRequest>, what: RequestedContent) -> Option<Vec<Answer>> {
    let (reply, answers) = channel();
    requests.send(ReadRequest { what, reply }).ok()?;
    answers.recv().ok()
}

/// Finds the object that a key of the plugin stands for: its key in the artifact and its size in bytes.
pub(super) type Find<'a> = dyn Fn(&str) -> Option<(&'a Key, u64)> + 'a;

/// Serves one run's reads.
pub(super) struct ContentServer<'a> {
    find: &'a Find<'a>,
    content: &'a dyn ContentReader,
    reads_allowed: u64,
    bytes_allowed: u64,
    time_allowed: Duration,
    reads: u64,
    bytes: u64,
    time: Duration,
    exhausted: bool,
    unavailable: Option<String>,
}

/// What a run read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadTotals {
    pub(super) reads: u64,
    pub(super) reads_allowed: u64,
    pub(super) bytes: u64,
    pub(super) bytes_allowed: u64,
    pub(super) time: Duration,
    /// Something was refused because the budget was spent.
    pub(super) exhausted: bool,
    /// The first thing that storage could not answer.
    pub(super) unavailable: Option<String>,
}

impl<'a> ContentServer<'a> {
    pub(super) fn new(find: &'a Find<'a>, content: &'a dyn ContentReader, limits: &Limits, objects: u64) -> Self {
        Self {
            find,
            content,
            reads_allowed: limits.reads_for(objects),
            bytes_allowed: limits.read_bytes_for(objects),
            time_allowed: limits.reading_time,
            reads: 0,
            bytes: 0,
            time: Duration::ZERO,
            exhausted: false,
            unavailable: None,
        }
    }

    /// Serves until the plugin's thread has dropped its end.
    pub(super) fn serve(mut self, requests: &Receiver<ReadRequest>) -> ReadTotals {
        for ReadRequest { what, reply } in requests {
            let answers = match what {
                RequestedContent::Heads { keys, length } => self.heads(&keys, length),
                RequestedContent::Range { key, offset, length } => vec![self.range(&key, offset, length)],
            };
            // A plugin whose time is over does not wait for its answer.
            let _gone = reply.send(answers);
        }
        ReadTotals {
            reads: self.reads,
            reads_allowed: self.reads_allowed,
            bytes: self.bytes,
            bytes_allowed: self.bytes_allowed,
            time: self.time,
            exhausted: self.exhausted,
            unavailable: self.unavailable,
        }
    }

    fn heads(&mut self, keys: &[String], length: u32) -> Vec<Answer> {
        let mut wanted = Vec::new();
        let granted: Vec<Result<u64, ReadRefusal>> = keys
            .iter()
            .map(|key| {
                let (source, size) = (self.find)(key).ok_or(ReadRefusal::NotFound)?;
                let bytes = size.min(u64::from(length));
                self.charge(bytes)?;
                if bytes > 0 {
                    wanted.push(source.clone());
                }
                Ok(bytes)
            })
            .collect();
        let asked = Instant::now();
        let found =
            if wanted.is_empty() { Vec::new() } else { self.content.heads(&wanted, length, self.deadline(asked)) };
        self.time += asked.elapsed();
        let mut found = found.into_iter();
        granted
            .into_iter()
            .map(|grant| match grant? {
                0 => Ok(Vec::new()),
                bytes => match found.next() {
                    Some(answer) => self.checked(answer, bytes),
                    None => Err(self.lost("the source answered fewer objects than it was asked for")),
                },
            })
            .collect()
    }

    fn range(&mut self, key: &str, offset: u64, length: u32) -> Answer {
        let (source, size) = (self.find)(key).ok_or(ReadRefusal::NotFound)?;
        let bytes = size.saturating_sub(offset).min(u64::from(length));
        self.charge(bytes)?;
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let asked = Instant::now();
        let answer = self.content.range(source, offset, length, self.deadline(asked));
        self.time += asked.elapsed();
        self.checked(answer, bytes)
    }

    /// Budgets are charged by sizes that the listing says, before anything is read: equal inputs spend them alike.
    fn charge(&mut self, bytes: u64) -> Result<(), ReadRefusal> {
        if self.reads >= self.reads_allowed || self.bytes.saturating_add(bytes) > self.bytes_allowed {
            self.exhausted = true;
            return Err(ReadRefusal::Budget);
        }
        self.reads += 1;
        self.bytes += bytes;
        Ok(())
    }

    fn deadline(&self, now: Instant) -> Instant {
        now.checked_add(self.time_allowed.saturating_sub(self.time)).unwrap_or(now)
    }

    fn checked(&mut self, answer: Result<Vec<u8>, ReadError>, bytes: u64) -> Answer {
        match answer {
            Ok(body) if body.len() as u64 == bytes => Ok(body),
            // The size is the listing's: another length means that the object was replaced since.
            Ok(body) => {
                Err(self.lost(&format!("an object changed while it was read: {} bytes instead of {bytes}", body.len())))
            }
            Err(error) => Err(self.lost(&error.to_string())),
        }
    }

    fn lost(&mut self, why: &str) -> ReadRefusal {
        let why = sanitize(why, MESSAGE_BYTES);
        self.unavailable.get_or_insert_with(|| why.clone());
        ReadRefusal::Unavailable(why)
    }
}
