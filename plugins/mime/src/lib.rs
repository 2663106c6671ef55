//! Sets content types and content encodings.
//!
//! Owns the order in which a type is looked for: what an earlier plugin set, the configured globs, the extension, the first
//! bytes, the default. The tables are in the modules.

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

/// What is known about an entry's type, with the rule that says it.
struct TypeAnswer {
    content_type: String,
    encoding: Option<String>,
    rule: Pointer,
    reason: String,
}

/// What is known before anything is read.
enum FoundType {
    Answer(TypeAnswer),
    /// The first bytes decide; where they do not, this type does.
    Read {
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
                FoundType::Answer(answer) => decide(index, entry, answer, decisions),
                FoundType::Read { fallback } => to_read.push((index, entry, fallback)),
            }
        }
        let keys: Vec<String> = to_read.iter().map(|(_, entry, _)| entry.key.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        for ((index, entry, fallback), head) in to_read.into_iter().zip(content::heads(&keys, sniff::HEAD)) {
            let head = head.map_err(|error| unreadable(&entry.key, &error))?;
            decide(index, entry, self.sniffed(&head, fallback), decisions);
        }
        Ok(())
    }
}

const CONTENT_TYPE: &str = "content-type";
const CONTENT_ENCODING: &str = "content-encoding";

impl Mime {
    /// The type by rule, or by name.
    fn find(&self, entry: &Entry) -> FoundType {
        for (place, rule) in self.settings.types.iter().enumerate().rev() {
            if rule.matches(&entry.key) {
                return FoundType::Answer(TypeAnswer {
                    content_type: rule.content_type().to_owned(),
                    encoding: rule.encoding().map(str::to_owned),
                    rule: Pointer::root().member("types").index(place),
                    reason: format!("matches `{}`", rule.glob()),
                });
            }
        }
        match extension::known(&entry.key, self.settings.encodings) {
            KnownType::Type { content_type, encoding, by } => FoundType::Answer(TypeAnswer {
                content_type: self.with_charset(content_type),
                encoding: encoding.map(str::to_owned),
                rule: Pointer::root(),
                reason: by.to_owned(),
            }),
            KnownType::Ambiguous { likely } if self.settings.sniff && entry.size > 0 => {
                FoundType::Read { fallback: Some(likely) }
            }
            KnownType::Ambiguous { likely } => FoundType::Answer(TypeAnswer {
                content_type: self.with_charset(likely),
                encoding: None,
                rule: Pointer::root(),
                reason: "extension".to_owned(),
            }),
            KnownType::No if self.settings.sniff && entry.size > 0 => FoundType::Read { fallback: None },
            KnownType::No => FoundType::Answer(self.default_type()),
        }
    }

    /// The type by first bytes.
    fn sniffed(&self, head: &[u8], fallback: Option<&'static str>) -> TypeAnswer {
        match sniff::content_type(head, fallback) {
            Some(content_type) => TypeAnswer {
                content_type: self.with_charset(&content_type),
                encoding: None,
                rule: Pointer::root().member("sniff"),
                reason: "first bytes".to_owned(),
            },
            None => self.default_type(),
        }
    }

    fn default_type(&self) -> TypeAnswer {
        TypeAnswer {
            content_type: self.settings.default_type().to_owned(),
            encoding: None,
            rule: Pointer::root().member("default"),
            reason: "nothing says more".to_owned(),
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

/// Turns an answer into the edits that it needs.
fn decide(index: usize, entry: &Entry, answer: TypeAnswer, decisions: &mut Decisions) {
    let mut edits = Vec::new();
    if entry.header(CONTENT_TYPE) != Some(&answer.content_type) {
        edits.push(Edit::header(CONTENT_TYPE, answer.content_type));
    }
    if let Some(encoding) = answer.encoding
        && entry.header(CONTENT_ENCODING) != Some(&encoding)
    {
        edits.push(Edit::header(CONTENT_ENCODING, encoding));
    }
    decisions.publish(index, edits, &answer.rule, answer.reason);
}

/// A type that is guessed because storage failed would be another type the next time.
fn unreadable(key: &str, error: &content::ReadError) -> Failure {
    let mut failure = content::failure(key, error).by(&Pointer::root().member("sniff"));
    failure
        .message
        .push_str("; it has no extension that says its type: give it one under `types`, or set `sniff` to false");
    failure
}

tidegate_plugin::export_sync!(Mime);

#[cfg(test)]
mod tests;
