//! The artifact of a test.

use std::collections::BTreeMap;

use crate::{Attribute, Entry};

/// Objects and redirects with their content, by key.
#[derive(Clone, Debug, Default)]
pub struct TestArtifact {
    entries: BTreeMap<String, (Entry, Option<Vec<u8>>)>,
    edge: Option<String>,
}

impl TestArtifact {
    /// An empty artifact.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the site an edge, with the dialect `netlify` or `cloudflare`.
    #[must_use]
    pub fn edge(self, dialect: &str) -> Self {
        Self { edge: Some(dialect.to_owned()), ..self }
    }

    /// Adds an object.
    #[must_use]
    pub fn object(self, key: &str, content: impl Into<Vec<u8>>) -> Self {
        self.object_with(key, content, &[])
    }

    /// Adds an object with headers that earlier plugins set.
    #[must_use]
    pub fn object_with(mut self, key: &str, content: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> Self {
        let content = content.into();
        let entry = Entry {
            size: content.len() as u64,
            headers: headers.iter().map(|(name, value)| Attribute::new(*name, *value)).collect(),
            ..entry(key)
        };
        self.entries.insert(key.to_owned(), (entry, Some(content)));
        self
    }

    /// Adds empty objects.
    #[must_use]
    pub fn objects<'a>(self, keys: impl IntoIterator<Item = &'a str>) -> Self {
        keys.into_iter().fold(self, |artifact, key| artifact.object(key, ""))
    }

    /// Adds a redirect.
    #[must_use]
    pub fn redirect(mut self, key: &str, to: &str) -> Self {
        let entry = Entry { redirect: Some(to.to_owned()), ..entry(key) };
        self.entries.insert(key.to_owned(), (entry, None));
        self
    }

    /// The dialect of the edge.
    pub(super) fn dialect(&self) -> Option<&str> {
        self.edge.as_deref()
    }

    /// The entries, in the order of keys.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.values().map(|(entry, _)| entry.clone()).collect()
    }

    /// The content of the objects, by key.
    pub(super) fn content(&self) -> BTreeMap<String, Vec<u8>> {
        let readable =
            |(key, (_, content)): (&String, &(Entry, Option<Vec<u8>>))| Some((key.clone(), content.clone()?));
        self.entries.iter().filter_map(readable).collect()
    }
}

fn entry(key: &str) -> Entry {
    Entry {
        key: key.to_owned(),
        size: 0,
        digest: None,
        redirect: None,
        headers: Vec::new(),
        metadata: Vec::new(),
        attributes: Vec::new(),
    }
}
