//! Runs plugins natively, so that `cargo test` can test them.
//!
//! It replaces the host with an artifact with its content, batches of several sizes, and answers by key. It is not the
//! sandbox: it has neither limits nor the host's checks of answers. It panics, with the reason, if a test is wrong.
//!
//! ```
//! # use tidegate_plugin::{Decisions, Entry, Failure, Pointer, Run, Settings, SyncPlugin};
//! # #[derive(serde::Deserialize, serde::Serialize)]
//! # struct NoSettings {}
//! # impl Settings for NoSettings {}
//! # struct Drafts;
//! # impl SyncPlugin for Drafts {
//! #     type Settings = NoSettings;
//! #     fn begin(_: &Run, _: NoSettings) -> Result<Self, Failure> { Ok(Self) }
//! #     fn decide(&mut self, batch: &[Entry], decisions: &mut Decisions) -> Result<(), Failure> {
//! #         for (index, entry) in batch.iter().enumerate() {
//! #             if entry.key.starts_with("drafts/") { decisions.exclude(index, &Pointer::root(), "a draft"); }
//! #         }
//! #         Ok(())
//! #     }
//! # }
//! use tidegate_plugin::testing::{TestArtifact, sync};
//!
//! let artifact = TestArtifact::new().object("index.html", "<p>").object("drafts/a.html", "<p>");
//! let answer = sync::<Drafts>("{}", &artifact).unwrap();
//! assert_eq!(answer.published().into_keys().collect::<Vec<_>>(), ["index.html"]);
//! ```

mod artifact;
mod policy;
mod sync;

use std::cell::RefCell;
use std::collections::BTreeMap;

pub use artifact::TestArtifact;
pub use policy::{TestPlan, judge, judge_in_batches};
pub use sync::{DecidedEntry, SyncAnswer, sync, sync_in_batches};

pub use crate::added_rules::AddedRules;
use crate::{Attribute, Run, Settings};

/// Sizes of batches with which the harness runs a plugin: the smallest, an odd one, one in between, and the largest.
pub const BATCH_SIZES: [usize; 4] = [1, 7, 512, 1_000];

thread_local! {
    static CONTENT: RefCell<BTreeMap<String, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Reads content for the plugin on this thread.
pub(crate) fn read_content<T>(read: impl FnOnce(&BTreeMap<String, Vec<u8>>) -> T) -> T {
    CONTENT.with_borrow(read)
}

/// Runs a plugin on this thread with `content`.
fn with_content<T>(content: BTreeMap<String, Vec<u8>>, run: impl FnOnce() -> T) -> T {
    CONTENT.replace(content);
    let answer = run();
    CONTENT.replace(BTreeMap::new());
    answer
}

/// The canonical form of settings; checks that it is a fixed point.
///
/// # Panics
///
/// The canonical settings are invalid, or not a fixed point.
///
/// # Errors
///
/// Pointer and message of each issue.
pub fn canonical<S: Settings>(settings: &str) -> Result<String, Vec<(String, String)>> {
    let once = crate::settings::canonical::<S>(settings)
        .map_err(|issues| issues.into_iter().map(|issue| (issue.pointer, issue.message)).collect::<Vec<_>>())?;
    let twice = crate::settings::canonical::<S>(&once);
    assert_eq!(twice.as_ref().ok(), Some(&once), "canonical settings are not a fixed point: {twice:?}");
    Ok(once)
}

/// The facts of a run in tests: the site `test` at 2026-01-01T00:00:00Z.
fn run(settings: &str, objects: usize, edge: Option<&str>) -> Run {
    Run {
        site: "test".to_owned(),
        release: "1".to_owned(),
        now_ms: 1_767_225_600_000,
        settings: settings.to_owned(),
        objects: objects as u64,
        attributes: edge.iter().map(|dialect| Attribute::new(crate::edge::ATTRIBUTE, *dialect)).collect(),
    }
}
