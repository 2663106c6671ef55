//! The rules for requests that a plugin adds in a test, on its thread.

use std::cell::RefCell;

use crate::bindings::imports::tidegate::plugin::edge::{HeaderRule, RedirectRule, RuleError};

thread_local! {
    static ADDED: RefCell<Option<AddedRules>> = const { RefCell::new(None) };
}

/// The rules for requests that a plugin added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddedRules {
    /// Redirects and other answers.
    pub redirects: Vec<RedirectRule>,
    /// Headers.
    pub headers: Vec<HeaderRule>,
}

/// Accepts rules from now on, or refuses them on a site without an edge.
pub(crate) fn start(has_edge: bool) {
    ADDED.set(has_edge.then(AddedRules::default));
}

/// The rules since [`start`].
pub(crate) fn take() -> AddedRules {
    ADDED.take().unwrap_or_default()
}

/// Adds redirects for the plugin on this thread.
pub(crate) fn add_redirects(rules: &[RedirectRule]) -> Result<(), RuleError> {
    add(|added| added.redirects.extend_from_slice(rules))
}

/// Adds headers for the plugin on this thread.
pub(crate) fn add_headers(rules: &[HeaderRule]) -> Result<(), RuleError> {
    add(|added| added.headers.extend_from_slice(rules))
}

fn add(add: impl FnOnce(&mut AddedRules)) -> Result<(), RuleError> {
    ADDED.with_borrow_mut(|rules| rules.as_mut().map(add).ok_or(RuleError::NoEdge))
}
