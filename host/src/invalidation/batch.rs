//! What one distribution is asked to forget: [`Batch`], and the [`Room`] that it has to fit into.
//!
//! Owns the form and the reference that makes sending it again free. Never sends it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::{Address, addresses};
use super::fold::fold;
use super::path::Path;
use super::unchanged::Unchanged;
use super::{FREE_PATHS, MAX_PATHS, MAX_WILDCARDS};
use crate::config::{Cdn, DistributionId};
use crate::location::Location;

/// Longest reference that we send, in characters. AWS documents no limit of an invalidation's `CallerReference`; most of
/// its other references end at 128.
const MAX_REFERENCE: usize = 128;

/// One invalidation of one distribution. The same batch is the same invalidation to CloudFront, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Batch {
    /// Whom it is for.
    pub distribution: DistributionId,
    /// What is forgotten: sorted, at least one.
    pub paths: Vec<Path>,
    /// CloudFront's `CallerReference`.
    pub reference: String,
    /// How many keys the paths clear that did not change.
    #[serde(default)]
    pub unchanged: usize,
}

/// How many paths there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Single paths: [`MAX_PATHS`] without those in progress.
    pub paths: usize,
    /// Wildcards: [`MAX_WILDCARDS`] without those in progress.
    pub wildcards: usize,
    /// Paths of both kinds together: what is left of the month's [`FREE_PATHS`] and of the site's own ceiling. Nothing
    /// left means as few as possible, which is one.
    pub free: usize,
}

impl Default for Room {
    /// Nothing in progress, nothing used.
    fn default() -> Self {
        Self { paths: MAX_PATHS, wildcards: MAX_WILDCARDS, free: FREE_PATHS }
    }
}

/// What a distribution has to forget after a release; nothing where nothing changed.
///
/// `changed` are the keys that were written, deleted or redirected, relative to the site, new ones included: an error page
/// may be cached for them. `unchanged` are all other keys of the site: they tell which folders may be cleared as a whole
/// for nothing, and what clearing more would cost. Both are sorted by their bytes.
///
/// Every address of every changed key is covered. The paths fit into the room, and cost no more than one path for each
/// address; where no paths that cover everything fit, there is one.
pub fn batch<'a>(
    site: &str,
    release: &str,
    cdn: &Cdn,
    target: &Location,
    changed: impl Iterator<Item = &'a str>,
    unchanged: impl Iterator<Item = &'a str>,
    room: Room,
) -> Option<Batch> {
    let below = cdn.visible_prefix(target);
    let addresses = addresses(changed, &below);
    if addresses.is_empty() {
        return None;
    }
    let room = Room { free: room.free.min(cdn.max_paths), ..room };
    let folded = fold(&addresses, &Unchanged::new(unchanged, &below), room);
    Some(Batch {
        distribution: cdn.distribution.clone(),
        reference: reference(site, release, &cdn.distribution, &folded.paths),
        paths: folded.paths,
        unchanged: folded.unchanged,
    })
}

impl Batch {
    /// Whether it clears every address of a key of the site at `target`.
    #[must_use]
    pub fn clears(&self, cdn: &Cdn, target: &Location, key: &str) -> bool {
        let below = cdn.visible_prefix(target);
        let cleared = |address: &Address| !address.cut && self.paths.iter().any(|path| path.clears(&address.text));
        addresses(std::iter::once(key), &below).iter().all(cleared)
    }
}

/// A digest of everything that makes an invalidation what it is, after as much of site and release as helps a person who
/// reads a list of invalidations.
fn reference(site: &str, release: &str, distribution: &DistributionId, paths: &[Path]) -> String {
    let mut hash = Sha256::new();
    for part in [site, release, distribution.as_str()].into_iter().chain(paths.iter().map(Path::as_str)) {
        // Parts cannot run into each other: each comes after its length.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hex::encode(hash.finalize());
    let readable = format!("{site}.{release}");
    let readable = readable.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let readable: String = readable.take(MAX_REFERENCE - 1 - digest.len()).collect();
    format!("{readable}.{digest}")
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wildcards = self.paths.iter().filter(|path| path.is_wildcard()).count();
        write!(f, "{}: {} paths, {wildcards} of them wildcards", self.distribution, self.paths.len())?;
        if self.unchanged > 0 {
            write!(f, ", which clear {} unchanged keys as well", self.unchanged)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
