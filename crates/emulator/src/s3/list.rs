//! Listing: keys in the order of their UTF-8 bytes, in pages, grouped at a delimiter.

use std::ops::Bound;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{bucket, error::S3Failure, object::ObjectInfo, store::ObjectStore};
use crate::database::{BUCKETS, OBJECTS};

/// Most keys and common prefixes of a page. Source: API Reference, ListObjectsV2.
pub(crate) const MAX_PAGE_SIZE: usize = 1_000;

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListCursor {
    /// After this key.
    Key(String),
    /// After all keys with this prefix.
    Prefix(String),
}

impl ListCursor {
    /// The opaque continuation token.
    pub(crate) fn to_token(&self) -> String {
        let plain = match self {
            Self::Key(key) => format!("k{key}"),
            Self::Prefix(prefix) => format!("p{prefix}"),
        };
        URL_SAFE_NO_PAD.encode(plain)
    }

    /// Parses a token of [`Self::to_token`].
    pub(crate) fn from_token(token: &str) -> Result<Self, S3Failure> {
        let wrong = || S3Failure::InvalidArgument("The continuation token provided is incorrect");
        let plain =
            URL_SAFE_NO_PAD.decode(token).ok().and_then(|plain| String::from_utf8(plain).ok()).ok_or_else(wrong)?;
        match (plain.strip_prefix('k'), plain.strip_prefix('p')) {
            (Some(key), _) => Ok(Self::Key(key.to_owned())),
            (_, Some(prefix)) => Ok(Self::Prefix(prefix.to_owned())),
            (None, None) => Err(wrong()),
        }
    }
}

/// What to list.
#[derive(Debug, Default)]
pub(crate) struct ListQuery<'a> {
    pub(crate) prefix: &'a str,
    /// Never empty.
    pub(crate) delimiter: Option<&'a str>,
    pub(crate) after: Option<ListCursor>,
    /// At most [`MAX_PAGE_SIZE`].
    pub(crate) limit: usize,
}

/// An entry of a page.
#[derive(Debug)]
pub(crate) enum ListEntry {
    Object(String, Box<ObjectInfo>),
    CommonPrefix(String),
}

/// One page.
#[derive(Debug, Default)]
pub(crate) struct ObjectPage {
    pub(crate) entries: Vec<ListEntry>,
    /// Where the next page starts, if there is one.
    pub(crate) next: Option<ListCursor>,
}

/// The common prefix that `key` is grouped into.
fn fold<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter?;
    let found = key.strip_prefix(prefix)?.find(delimiter)?;
    key.get(..prefix.len() + found + delimiter.len())
}

impl ObjectStore {
    /// All objects below `prefix`, in order and without pages. For tests and the preview.
    ///
    /// # Errors
    /// The bucket does not exist.
    pub fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<(String, ObjectInfo)>, S3Failure> {
        let page = self.list_page(bucket, &ListQuery { prefix, limit: usize::MAX, ..ListQuery::default() })?;
        Ok(page
            .entries
            .into_iter()
            .filter_map(|entry| match entry {
                ListEntry::Object(key, info) => Some((key, *info)),
                ListEntry::CommonPrefix(_) => None,
            })
            .collect())
    }

    /// One page of one consistent state.
    pub(crate) fn list_page(&self, bucket: &str, query: &ListQuery<'_>) -> Result<ObjectPage, S3Failure> {
        self.database().read(|transaction| {
            bucket::find(&transaction.open_table(BUCKETS)?, bucket)?;
            let objects = transaction.open_table(OBJECTS)?;
            let mut page = ObjectPage::default();
            if query.limit == 0 {
                return Ok(page);
            }
            let mut after = query.after.clone();
            // Each iteration scans until it finds a common prefix, then seeks past all its keys.
            'seek: loop {
                let past;
                let start = match &after {
                    Some(ListCursor::Key(key)) if key.as_str() >= query.prefix => {
                        Bound::Excluded((bucket, key.as_str()))
                    }
                    Some(ListCursor::Prefix(folded)) if folded.as_str() >= query.prefix => {
                        past = format!("{folded}{}", char::MAX);
                        Bound::Excluded((bucket, past.as_str()))
                    }
                    _ => Bound::Included((bucket, query.prefix)),
                };
                for entry in objects.range::<(&str, &str)>((start, Bound::Unbounded))? {
                    let (name, record) = entry?;
                    let (in_bucket, key) = name.value();
                    if in_bucket != bucket || !key.starts_with(query.prefix) {
                        break;
                    }
                    if matches!(&after, Some(ListCursor::Prefix(folded)) if key.starts_with(folded.as_str())) {
                        // A key of the prefix followed by the last of all characters, which sorts after the seek
                        // position.
                        continue;
                    }
                    if page.entries.len() == query.limit {
                        page.next = page.entries.last().map(|last| match last {
                            ListEntry::Object(key, _) => ListCursor::Key(key.clone()),
                            ListEntry::CommonPrefix(prefix) => ListCursor::Prefix(prefix.clone()),
                        });
                        break;
                    }
                    if let Some(folded) = fold(key, query.prefix, query.delimiter) {
                        page.entries.push(ListEntry::CommonPrefix(folded.to_owned()));
                        after = Some(ListCursor::Prefix(folded.to_owned()));
                        continue 'seek;
                    }
                    page.entries
                        .push(ListEntry::Object(key.to_owned(), Box::new(serde_json::from_slice(record.value())?)));
                }
                return Ok(page);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use proptest::prelude::*;

    use super::*;
    use crate::database::Database;
    use crate::s3::object::StoredHeaders;

    #[test]
    fn tokens_round_trip() {
        for cursor in [ListCursor::Key("a\r<é".to_owned()), ListCursor::Prefix("x/".to_owned())] {
            assert_eq!(ListCursor::from_token(&cursor.to_token()).unwrap(), cursor);
        }
        assert!(ListCursor::from_token("!").is_err());
        assert!(ListCursor::from_token("").is_err());
    }

    /// The documented behaviour in the simplest form: group all keys, sort, remove duplicates.
    fn reference(keys: &BTreeSet<String>, prefix: &str, delimiter: Option<&str>) -> Vec<String> {
        let mut lines: Vec<String> = keys
            .iter()
            .filter(|key| key.starts_with(prefix))
            .map(|key| {
                fold(key, prefix, delimiter)
                    .map_or_else(|| format!("object {key}"), |folded| format!("prefix {folded}"))
            })
            .collect();
        lines.dedup();
        lines
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn pages_together_are_the_whole_listing(
            keys in proptest::collection::btree_set("[ab/\u{10FFFF}]{1,5}", 1..24),
            prefix in "[ab/]{0,2}",
            delimited in any::<bool>(),
            limit in 1_usize..5,
        ) {
            let delimiter = delimited.then_some("/");
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let listed: Vec<String> = runtime.block_on(async {
                let store = ObjectStore::in_memory(Arc::new(Database::in_memory().unwrap()));
                store.create_bucket("other").await.unwrap();
                store.put("other", "a", "", StoredHeaders::default()).await.unwrap();
                store.create_bucket("bucket").await.unwrap();
                futures::future::join_all(keys.iter().map(|key| store.put("bucket", key, "", StoredHeaders::default()))).await;
                let mut lines = Vec::new();
                let mut after = None;
                loop {
                    let page = store.list_page("bucket", &ListQuery { prefix: &prefix, delimiter, after, limit }).unwrap();
                    assert!(page.entries.len() <= limit);
                    lines.extend(page.entries.iter().map(|entry| match entry {
                        ListEntry::Object(key, _) => format!("object {key}"),
                        ListEntry::CommonPrefix(folded) => format!("prefix {folded}"),
                    }));
                    after = page.next;
                    if after.is_none() {
                        break lines;
                    }
                    assert_eq!(page.entries.len(), limit);
                }
            });
            prop_assert_eq!(listed, reference(&keys, &prefix, delimiter));
        }
    }
}
