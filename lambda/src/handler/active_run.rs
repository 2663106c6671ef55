//! The run that an invocation works on.

use tidegate_core::config::Site;

use crate::context::InvocationContext;
use crate::trigger::{RunId, Trigger};

/// One invocation's part of a run, with everything that its steps need.
#[derive(Clone, Copy)]
pub(super) struct ActiveRun<'a> {
    pub(super) site: &'a Site,
    pub(super) trigger: &'a Trigger,
    pub(super) id: &'a RunId,
    pub(super) context: InvocationContext,
}
