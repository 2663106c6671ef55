//! Sets `content-type` and `content-encoding`.
//!
//! The first of these sources that has a type decides: an earlier plugin, the configured globs, the name, the first
//! bytes, the default.

mod charset;
mod extension;
mod settings;
mod sniff;

pub use settings::{MimeSettings, TypeRule};

use tidegate_plugin::{Decisions, Edit, Entry, Failure, Pointer, Run, SyncPlugin, content};

use extension::KnownType;

/// The plugin.
#[derive(Debug)]
pub struct Mime {
    settings: MimeSettings,
}

/// The type of an entry, with the rule that it comes from.
struct DecidedType {
    content_type: String,
    encoding: Option<String>,
    rule: Pointer,
    reason: String,
}

/// The type of an entry before its content is read.
enum FoundType {
    Decided(DecidedType),
    /// The first bytes decide, with this type as the fallback.
    Unknown {
        fallback: Option<&'static str>,
    },
}

impl SyncPlugin for Mime {
    type Settings = MimeSettings;

    fn begin(_run: &Run, settings: MimeSettings) -> Result<Self, Failure> {
        Ok(Self { settings })
    }

    fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
        let mut to_read = Vec::new();
        for (index, entry) in batch.iter().enumerate() {
            if entry.redirect.is_some() || (entry.header(CONTENT_TYPE).is_some() && !self.settings.overwrite) {
                continue;
            }
            match self.find(entry) {
                FoundType::Decided(decided) => decide(index, entry, decided, decisions),
                FoundType::Unknown { fallback } => to_read.push((index, entry, fallback)),
            }
        }
        let keys: Vec<String> = to_read.iter().map(|(_, entry, _)| entry.key.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        for ((index, entry, fallback), head) in to_read.into_iter().zip(content::heads(&keys, sniff::HEAD_BYTES)) {
            let head = head.map_err(|error| unreadable(&entry.key, &error))?;
            decide(index, entry, self.sniffed(&head, fallback), decisions);
        }
        Ok(())
    }
}

const CONTENT_TYPE: &str = "content-type";
const CONTENT_ENCODING: &str = "content-encoding";

impl Mime {
    /// The type from a rule or the name.
    fn find(&self, entry: &Entry) -> FoundType {
        for (position, rule) in self.settings.types.iter().enumerate().rev() {
            if rule.matches(&entry.key) {
                return FoundType::Decided(DecidedType {
                    content_type: rule.content_type().to_owned(),
                    encoding: rule.encoding().map(str::to_owned),
                    rule: Pointer::root().member("types").index(position),
                    reason: format!("matches `{}`", rule.glob()),
                });
            }
        }
        match extension::known(&entry.key, self.settings.encodings) {
            KnownType::Type { content_type, encoding, source } => FoundType::Decided(DecidedType {
                content_type: self.with_charset(content_type),
                encoding: encoding.map(str::to_owned),
                rule: Pointer::root(),
                reason: source.to_owned(),
            }),
            KnownType::Ambiguous { likely } if self.settings.sniff && entry.size > 0 => {
                FoundType::Unknown { fallback: Some(likely) }
            }
            KnownType::Ambiguous { likely } => FoundType::Decided(DecidedType {
                content_type: self.with_charset(likely),
                encoding: None,
                rule: Pointer::root(),
                reason: "extension".to_owned(),
            }),
            KnownType::Unknown if self.settings.sniff && entry.size > 0 => FoundType::Unknown { fallback: None },
            KnownType::Unknown => FoundType::Decided(self.default_type()),
        }
    }

    /// The type from the first bytes.
    fn sniffed(&self, head: &[u8], fallback: Option<&'static str>) -> DecidedType {
        match sniff::content_type(head, fallback) {
            Some(content_type) => DecidedType {
                content_type: self.with_charset(&content_type),
                encoding: None,
                rule: Pointer::root().member("sniff"),
                reason: "first bytes".to_owned(),
            },
            None => self.default_type(),
        }
    }

    fn default_type(&self) -> DecidedType {
        DecidedType {
            content_type: self.settings.default_type().to_owned(),
            encoding: None,
            rule: Pointer::root().member("default"),
            reason: "default".to_owned(),
        }
    }

    fn with_charset(&self, content_type: &str) -> String {
        match &self.settings.charset {
            Some(charset) if charset::is_text(content_type) => {
                format!("{content_type}; charset={charset}")
            }
            _ => content_type.to_owned(),
        }
    }
}

/// Adds the edits that give the entry its type.
fn decide(index: usize, entry: &Entry, decided: DecidedType, decisions: &mut Decisions) {
    let mut edits = Vec::new();
    if entry.header(CONTENT_TYPE) != Some(&decided.content_type) {
        edits.push(Edit::header(CONTENT_TYPE, decided.content_type));
    }
    if let Some(encoding) = decided.encoding
        && entry.header(CONTENT_ENCODING) != Some(&encoding)
    {
        edits.push(Edit::header(CONTENT_ENCODING, encoding));
    }
    decisions.publish(index, edits, &decided.rule, decided.reason);
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
