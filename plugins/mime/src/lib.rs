//! Sets `content-type` and `content-encoding`.
//!
//! The first of these sources that has a type decides: an earlier plugin, the configured globs, the name, the first
//! bytes, the default. The first bytes of text also decide its charset.

mod charset;
mod extension;
mod settings;
mod sniff;

pub use settings::{MimeSettings, TypeRule};

use std::borrow::Cow;

use tidegate_plugin::{Decisions, Edit, Entry, Failure, Finding, Pointer, Run, Summary, SyncPlugin, content};

use extension::{AmbiguousType, KnownType};
use sniff::Content;

/// Keys in one read: the heads of more would take too much of the plugin's memory.
const KEYS_IN_ONE_READ: usize = 250;

/// Most findings about compressed texts; the last one counts the others.
const MAX_COMPRESSED: usize = 20;

/// The plugin.
#[derive(Debug)]
pub struct Mime {
    settings: MimeSettings,
    /// Texts by name that are compressed and do not say so.
    compressed: Vec<CompressedText>,
}

/// An object with a name of text and compressed bytes.
#[derive(Debug)]
struct CompressedText {
    key: String,
    encoding: &'static str,
}

/// The type of an entry, with the rule that it comes from.
struct DecidedType {
    content_type: String,
    encoding: Option<String>,
    rule: Pointer,
    reason: Cow<'static, str>,
}

/// The type of an entry before its content is read.
enum FoundType {
    Decided(DecidedType),
    /// The first bytes decide.
    Unread(UnreadType),
}

/// What the first bytes decide about.
#[derive(Clone, Copy)]
enum UnreadType {
    /// The charset of this type.
    Charset { content_type: &'static str, source: &'static str },
    /// The type, which is one of two.
    OneOf(AmbiguousType),
    /// The type.
    Any { extension: bool },
}

impl SyncPlugin for Mime {
    type Settings = MimeSettings;

    fn begin(_run: &Run, settings: MimeSettings) -> Result<Self, Failure> {
        Ok(Self { settings, compressed: Vec::new() })
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        let mut found = Vec::with_capacity(batch.len());
        for (index, entry) in batch.iter().enumerate() {
            if entry.redirect.is_none() && (self.settings.overwrite || entry.header(CONTENT_TYPE).is_none()) {
                found.push((index, entry, self.find(entry)));
            }
        }
        let mut found = found.into_iter();
        loop {
            let chunk: Vec<_> = found.by_ref().take(KEYS_IN_ONE_READ).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let unread = chunk.iter().filter(|(.., found)| matches!(found, FoundType::Unread(_)));
            let keys: Vec<String> = unread.map(|(_, entry, _)| entry.key.clone()).collect();
            let mut heads =
                if keys.is_empty() { Vec::new() } else { content::heads(&keys, sniff::HEAD_BYTES) }.into_iter();
            for (index, entry, found) in chunk {
                match found {
                    FoundType::Decided(decided) => decide(index, entry, decided, decisions),
                    FoundType::Unread(unread) => {
                        let head = heads.next().unwrap_or(Err(content::ReadError::NotFound));
                        let head = head.map_err(|error| unreadable(&entry.key, &error))?;
                        if let (UnreadType::Charset { .. }, Some(encoding)) = (&unread, sniff::compression(&head)) {
                            self.compressed.push(CompressedText { key: entry.key.clone(), encoding });
                        }
                        decide(index, entry, self.read(unread, &head, entry.size), decisions);
                    }
                }
            }
        }
    }

    fn finish(&mut self) -> Result<Summary, Failure> {
        Ok(Summary { findings: self.compressed_texts(), ..Summary::default() })
    }
}

const CONTENT_TYPE: &str = "content-type";
const CONTENT_ENCODING: &str = "content-encoding";
const EXTENSION: &str = "extension";

impl Mime {
    /// The type from a rule or the name.
    fn find(&self, entry: &Entry) -> FoundType {
        for (position, rule) in self.settings.types.iter().enumerate().rev() {
            if rule.matches(&entry.key) {
                return FoundType::Decided(DecidedType {
                    content_type: rule.content_type().to_owned(),
                    encoding: rule.encoding().map(str::to_owned),
                    rule: Pointer::root().member("types").index(position),
                    reason: format!("matches `{}`", rule.glob()).into(),
                });
            }
        }
        // The bytes of an encoded body are not those of its type.
        let reads = self.settings.sniff && entry.size > 0 && entry.header(CONTENT_ENCODING).is_none();
        let decided = |content_type, encoding: Option<&str>, reason: &'static str| {
            FoundType::Decided(DecidedType {
                content_type: self.with_charset(content_type),
                encoding: encoding.map(str::to_owned),
                rule: Pointer::root(),
                reason: reason.into(),
            })
        };
        match extension::known(&entry.key, &self.settings.encodings) {
            KnownType::Type { content_type, encoding: None, source } if reads && self.reads_charset(content_type) => {
                FoundType::Unread(UnreadType::Charset { content_type, source })
            }
            KnownType::Type { content_type, encoding, source } => decided(content_type, encoding, source),
            KnownType::Ambiguous(types) if reads => FoundType::Unread(UnreadType::OneOf(types)),
            KnownType::Ambiguous(types) => decided(types.text, None, EXTENSION),
            KnownType::Unknown { extension } if reads => FoundType::Unread(UnreadType::Any { extension }),
            KnownType::Unknown { .. } => FoundType::Decided(self.default_type()),
        }
    }

    /// Whether the bytes decide if a type gets the charset.
    fn reads_charset(&self, content_type: &str) -> bool {
        self.settings.charset.as_ref().is_some_and(|charset| charset.eq_ignore_ascii_case("utf-8"))
            && charset::is_text(content_type)
    }

    /// The type of an entry of this size with these first bytes.
    fn read(&self, unread: UnreadType, head: &[u8], size: u64) -> DecidedType {
        let complete = head.len() as u64 == size;
        let (content_type, rule, reason) = match unread {
            UnreadType::Charset { content_type, source } => (content_type, Pointer::root(), source),
            UnreadType::OneOf(types) => {
                let content_type = match sniff::content(head, complete) {
                    Content::Text("text/plain") => types.text,
                    Content::Text(other) => other,
                    Content::Binary => types.binary,
                };
                (content_type, Pointer::root().member("sniff"), "extension and first bytes")
            }
            UnreadType::Any { extension } => {
                let content_type = match sniff::content(head, complete) {
                    Content::Text(content_type) => Some(content_type),
                    Content::Binary => sniff::binary_type(head, extension),
                };
                match content_type {
                    Some(content_type) => (content_type, Pointer::root().member("sniff"), "first bytes"),
                    None => return self.default_type(),
                }
            }
        };
        let content_type = if self.reads_charset(content_type) {
            match charset::of(content_type, head, complete) {
                Some(charset) => format!("{content_type}; charset={charset}"),
                None => content_type.to_owned(),
            }
        } else {
            self.with_charset(content_type)
        };
        DecidedType { content_type, encoding: None, rule, reason: reason.into() }
    }

    /// Without the encoding, browsers show the compressed bytes.
    fn compressed_texts(&self) -> Vec<Finding> {
        let total = self.compressed.len();
        let shown = self.compressed.iter().take(MAX_COMPRESSED).enumerate();
        let finding = |(at, CompressedText { key, encoding }): (usize, &CompressedText)| {
            let others = if at + 1 == MAX_COMPRESSED { total - MAX_COMPRESSED } else { 0 };
            let more = if others == 0 { String::new() } else { format!(", like {others} more objects,") };
            let message = format!(
                "the name is that of text{more} but the body is {encoding}; set `content-encoding` to `{encoding}` in `types` \
                 or with `headers`, or publish the body uncompressed"
            );
            Finding::warning("undeclared-encoding", message).with_key(&**key)
        };
        shown.map(finding).collect()
    }

    fn default_type(&self) -> DecidedType {
        DecidedType {
            content_type: self.settings.default_type().to_owned(),
            encoding: None,
            rule: Pointer::root().member("default"),
            reason: "default".into(),
        }
    }

    fn with_charset(&self, content_type: &str) -> String {
        match &self.settings.charset {
            Some(charset) if charset::is_text(content_type) => [content_type, "; charset=", charset].concat(),
            _ => content_type.to_owned(),
        }
    }
}

/// Adds the edits that give the entry its type.
fn decide(index: usize, entry: &Entry, decided: DecidedType, decisions: &mut Decisions) {
    let DecidedType { content_type, encoding, rule, reason } = decided;
    let mut edits = Vec::new();
    if entry.header(CONTENT_TYPE) != Some(&*content_type) {
        edits.push(Edit::header(CONTENT_TYPE, content_type));
    }
    if let Some(encoding) = encoding
        && entry.header(CONTENT_ENCODING) != Some(&*encoding)
    {
        edits.push(Edit::header(CONTENT_ENCODING, encoding));
    }
    decisions.publish(index, edits, &rule, reason);
}

/// A read error denies the run: with a guess, the type would change in the next run.
fn unreadable(key: &str, error: &content::ReadError) -> Failure {
    let mut failure = content::failure(key, error).with_rule(&Pointer::root().member("sniff"));
    failure.message.push_str("; set its type in `types`, or set `sniff` to false");
    failure
}

tidegate_plugin::export_sync!(Mime);

#[cfg(test)]
mod tests;
