//! A release under way: what it is made from, what was there before, and the lease.
//!
//! Owns the value. What is done with it is `release`, `manifest` and `settle`.

use std::sync::Arc;

use tidegate_core::approval::Approved;
use tidegate_core::config::Site;
use tidegate_core::desired::DesiredSite;
use tidegate_core::plan::Plan;
use tidegate_core::release::ReleasePointer;
use tidegate_core::request::PublishRequest;
use tidegate_core::site_state::SiteState;

use super::{Publisher, ReleaseContext};
use crate::source::SourceReader;
use crate::state::{Fence, History, StateStore};

/// What a release is made from.
pub(super) struct Work<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) request: &'a PublishRequest,
    pub(super) site: &'a Site,
    pub(super) approved: &'a Approved,
    pub(super) desired: &'a Arc<DesiredSite>,
    pub(super) found: &'a SiteState,
    pub(super) reader: SourceReader,
}

/// A release under way, with the lease.
pub(super) struct Under<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) past: &'a ReleaseContext,
    pub(super) fence: &'a Fence,
    /// The lease's fencing counter.
    pub(super) count: u64,
}

impl Under<'_> {
    pub(super) fn plan(&self) -> &Plan {
        self.work.approved.plan()
    }

    pub(super) fn state(&self) -> &StateStore {
        &self.past.state
    }

    pub(super) fn history(&self) -> &History {
        &self.past.history
    }

    pub(super) fn pointer(&self) -> Option<&ReleasePointer> {
        self.history().pointer.as_ref().map(|(pointer, _)| pointer)
    }
}
