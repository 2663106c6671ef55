//! A release under way: what it is made from, what was there before, and the lease.
//!
//! Owns the value. What is done with it is `release`, `manifest` and `settle`.

use std::sync::Arc;

use tidegate_core::approval::Approved;
use tidegate_core::config::Site;
use tidegate_core::desired::Desired;
use tidegate_core::plan::Plan;
use tidegate_core::release::Pointer;
use tidegate_core::request::Request;
use tidegate_core::site_state::Site as SiteState;

use super::{Publisher, Standing};
use crate::source::Reader;
use crate::state::{Fence, History, State};

/// What a release is made from.
pub(super) struct Work<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) request: &'a Request,
    pub(super) site: &'a Site,
    pub(super) approved: &'a Approved,
    pub(super) desired: &'a Arc<Desired>,
    pub(super) found: &'a SiteState,
    pub(super) reader: Reader,
}

/// A release under way, with the lease.
pub(super) struct Under<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) past: &'a Standing,
    pub(super) fence: &'a Fence,
    /// The lease's fencing counter.
    pub(super) count: u64,
}

impl Under<'_> {
    pub(super) fn plan(&self) -> &Plan {
        self.work.approved.plan()
    }

    pub(super) fn state(&self) -> &State {
        &self.past.state
    }

    pub(super) fn history(&self) -> &History {
        &self.past.history
    }

    pub(super) fn pointer(&self) -> Option<&Pointer> {
        self.history().pointer.as_ref().map(|(pointer, _)| pointer)
    }
}
