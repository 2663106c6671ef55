//! Sites with releases: what visitors get, what the state holds, crashes and concurrent runs.

mod bodies;
mod concurrency;
mod large_documents;
mod lease;
mod lifecycle;
mod ranges;
pub(crate) mod recovery;
mod second_run;
mod session;
mod visitors;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_core::location::Source;
use tidegate_emulator::LocalAws;
use tidegate_tests::releases::*;
use tidegate_tests::world::BUCKET;
use tidegate_tests::{Publish, World};
