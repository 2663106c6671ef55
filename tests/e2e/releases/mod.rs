//! Sites with releases: what a visitor gets, what is stored of them, and that nothing is left over.

mod life;
mod narrow;
pub(crate) mod recovery;
mod rivals;
mod visitors;

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::location::Source;
use tidegate_emulator::LocalAws;
use tidegate_tests::releases::*;
use tidegate_tests::world::BUCKET;
use tidegate_tests::{Publish, World};
