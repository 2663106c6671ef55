//! What the objects of a staged prefix declare. A listing has no headers, so each object takes one HEAD request, unless the
//! state remembers the answer for the same version of the object.

use std::collections::HashSet;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tidegate_core::declared::{DeclaredHeaders, StagedHeaders};
use tidegate_core::location::Location;
use tokio::task::JoinSet;

use super::error::SourceError;
use super::options::SourceOptions;
use super::prefix_object::PrefixObject;
use super::storage::StorageError;
use crate::s3::{S3, StagedObject};

/// HEAD requests in flight. S3 takes 5,500 a second for a prefix, at tens of milliseconds each.
const HEADS_IN_FLIGHT: usize = 64;

/// Sets what each object declares. Returns whether the state does not remember that yet.
pub(super) async fn read(
    s3: &S3,
    location: &Location,
    objects: &mut [PrefixObject],
    options: &SourceOptions,
) -> Result<bool, SourceError> {
    if options.staged_headers == StagedHeaders::Ignore {
        return Ok(false);
    }
    let mut pool = DeclaredPool::default();
    if let Some(state) = &options.state {
        // Records and objects have the same order.
        let mut rest = &mut *objects;
        let recalled = state.staged_headers(location, |key, record| {
            let passed = rest.partition_point(|object| object.key.as_str() < key);
            rest = std::mem::take(&mut rest).get_mut(passed..).unwrap_or_default();
            if let Some(object) = rest.first_mut().filter(|object| object.is_version_of(key, &record)) {
                object.declared = Some(pool.share(record.declared));
            }
        });
        recalled.await.map_err(|error| StorageError::new(state.staged_headers_url(), error))?;
    }
    let unknown = objects.iter().enumerate().filter(|(_, object)| object.declared.is_none());
    let unknown: Vec<usize> = unknown.map(|(index, _)| index).collect();
    let news = !unknown.is_empty();
    let mut unknown = unknown.into_iter();
    let mut heads = JoinSet::new();
    loop {
        while heads.len() < HEADS_IN_FLIGHT
            && let Some(index) = unknown.next()
            && let Some(object) = objects.get(index)
        {
            let (s3, object) = (s3.clone(), object.staged(location));
            heads.spawn(async move { head(&s3, &object).await.map(|declared| (index, declared)) });
        }
        let Some(answer) = heads.join_next().await else { return Ok(news) };
        let (index, declared) = answer.map_err(|_| SourceError::Interrupted)??;
        if let Some(object) = objects.get_mut(index) {
            object.declared = Some(pool.share(declared));
        }
        options.progress.iter().for_each(|report| report(1, 0));
    }
}

/// Shares the memory of equal declarations.
#[derive(Default)]
struct DeclaredPool(HashSet<Arc<DeclaredHeaders>>);

impl DeclaredPool {
    fn share(&mut self, declared: DeclaredHeaders) -> Arc<DeclaredHeaders> {
        if let Some(known) = self.0.get(&declared) {
            return Arc::clone(known);
        }
        let shared = Arc::new(declared);
        self.0.insert(Arc::clone(&shared));
        shared
    }
}

async fn head(s3: &S3, object: &StagedObject) -> Result<DeclaredHeaders, SourceError> {
    let observed = s3.observe_staged(object).await.map_err(|error| match error.is_not_found() {
        // It was there when the prefix was listed.
        true => StorageError::Changed { what: object.url() },
        false => StorageError::new(object.url(), error),
    })?;
    DeclaredHeaders::of(&observed, object.size).map_err(|error| SourceError::Declared { url: object.url(), error })
}

/// The fingerprint of a prefix whose listing has the fingerprint `listed`. It is the same if its objects declare nothing.
pub(super) fn fingerprint(listed: String, objects: &[PrefixObject]) -> String {
    let mut digest: Option<Sha256> = None;
    for object in objects {
        let declared = object.declared.as_deref().filter(|declared| **declared != DeclaredHeaders::default());
        if let Some(json) = declared.and_then(|declared| serde_json::to_string(declared).ok()) {
            let digest = digest.get_or_insert_with(|| Sha256::new_with_prefix(listed.as_bytes()));
            // Neither a key nor JSON contains a zero byte.
            for text in [object.key.as_str(), &json] {
                digest.update(text.as_bytes());
                digest.update([0]);
            }
        }
    }
    digest.map_or(listed, |digest| format!("sha256:{}", hex::encode(digest.finalize())))
}
