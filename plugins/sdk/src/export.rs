//! The adapter between the traits of this crate and the exports of a component. Only the macros and the test harness
//! call it.

use std::cell::RefCell;

use crate::panic::log_panics;
use crate::settings::{self, Issue};
use crate::{
    Change, Decision, Decisions, Entry, Failure, Finding, Judgement, PolicyPlugin, Run, Settings, Summary, SyncPlugin,
    Totals,
};

/// The run of a sync plugin in this instance.
#[derive(Debug)]
pub struct SyncSession<P>(RefCell<Option<P>>);

impl<P: SyncPlugin> SyncSession<P> {
    /// A session without a run.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a macro calls it in a constant, where `Default` is not available")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// `settings.validate`.
    ///
    /// # Errors
    ///
    /// The mistakes in the settings.
    pub fn validate(settings: &str) -> Result<String, Vec<Issue>> {
        log_panics();
        settings::canonical::<P::Settings>(settings)
    }

    /// `sync.begin`.
    ///
    /// # Errors
    ///
    /// The plugin's failure, or invalid settings.
    pub fn begin(&self, run: &Run) -> Result<(), Failure> {
        log_panics();
        let plugin = P::begin(run, parse_settings(&run.settings)?)?;
        self.0.replace(Some(plugin));
        Ok(())
    }

    /// `sync.decide`.
    ///
    /// # Errors
    ///
    /// The plugin's failure, or a call out of order.
    pub fn decide(&self, batch: &[Entry]) -> Result<Vec<Decision>, Failure> {
        let mut decisions = Decisions::default();
        match self.0.borrow_mut().as_mut() {
            Some(plugin) => plugin.decide(batch, &mut decisions)?,
            None => return Err(not_begun()),
        }
        decisions.in_order()
    }

    /// `sync.finish`.
    ///
    /// # Errors
    ///
    /// The plugin's failure, or a call out of order.
    pub fn finish(&self) -> Result<Summary, Failure> {
        self.0.borrow_mut().as_mut().map_or_else(|| Err(not_begun()), P::finish)
    }
}

/// The run of a policy plugin in this instance.
#[derive(Debug)]
pub struct PolicySession<P>(RefCell<Option<P>>);

impl<P: PolicyPlugin> PolicySession<P> {
    /// A session without a run.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a macro calls it in a constant, where `Default` is not available")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// `settings.validate`.
    ///
    /// # Errors
    ///
    /// The mistakes in the settings.
    pub fn validate(settings: &str) -> Result<String, Vec<Issue>> {
        log_panics();
        settings::canonical::<P::Settings>(settings)
    }

    /// `policy.begin`.
    ///
    /// # Errors
    ///
    /// The plugin's failure, or invalid settings.
    pub fn begin(&self, run: &Run, totals: &Totals) -> Result<(), Failure> {
        log_panics();
        let plugin = P::begin(run, totals, parse_settings(&run.settings)?)?;
        self.0.replace(Some(plugin));
        Ok(())
    }

    /// `policy.review`.
    ///
    /// # Errors
    ///
    /// The plugin's failure, or a call out of order.
    pub fn review(&self, batch: &[Change]) -> Result<Vec<Finding>, Failure> {
        self.0.borrow_mut().as_mut().map_or_else(|| Err(not_begun()), |plugin| plugin.review(batch))
    }

    /// `policy.conclude`.
    ///
    /// # Errors
    ///
    /// The plugin's failure, or a call out of order.
    pub fn conclude(&self) -> Result<Judgement, Failure> {
        self.0.borrow_mut().as_mut().map_or_else(|| Err(not_begun()), P::conclude)
    }
}

/// Parses the settings of a run, which the host validated when it loaded the configuration.
fn parse_settings<S: Settings>(text: &str) -> Result<S, Failure> {
    settings::parse(text).map_err(|issues| match issues.into_iter().next() {
        Some(issue) => Failure { rule: issue.pointer, ..Failure::new("settings", issue.message) },
        None => Failure::new("settings", "invalid settings; check the configuration"),
    })
}

fn not_begun() -> Failure {
    Failure::new("not-begun", "the host did not call `begin`; report this bug to the authors of the host")
}

/// Exports a type that implements [`SyncPlugin`](crate::SyncPlugin) as the component's plugin. Call it once in a crate.
/// It does nothing on other targets than WebAssembly, so that tests run natively.
#[macro_export]
macro_rules! export_sync {
    ($plugin:ty) => {
        #[cfg(target_family = "wasm")]
        #[doc(hidden)]
        mod tidegate_plugin_export {
            use super::*;
            use $crate::bindings::{settings::exports::tidegate::plugin::settings, sync::exports::tidegate::plugin::sync};

            ::std::thread_local! {
                static SESSION: $crate::SyncSession<$plugin> = const { $crate::SyncSession::new() };
            }

            struct SyncExport;

            impl settings::Guest for SyncExport {
                fn validate(text: ::std::string::String) -> ::std::result::Result<::std::string::String, ::std::vec::Vec<$crate::Issue>> {
                    $crate::SyncSession::<$plugin>::validate(&text)
                }
            }

            impl sync::Guest for SyncExport {
                fn begin(run: $crate::Run) -> ::std::result::Result<(), $crate::Failure> {
                    SESSION.with(|session| session.begin(&run))
                }
                fn decide(batch: ::std::vec::Vec<$crate::Entry>) -> ::std::result::Result<::std::vec::Vec<$crate::Decision>, $crate::Failure> {
                    SESSION.with(|session| session.decide(&batch))
                }
                fn finish() -> ::std::result::Result<$crate::Summary, $crate::Failure> {
                    SESSION.with(|session| session.finish())
                }
            }

            $crate::bindings::settings::export_settings!(SyncExport with_types_in $crate::bindings::settings);
            $crate::bindings::sync::export_sync!(SyncExport with_types_in $crate::bindings::sync);
        }
    };
}

/// Exports a type that implements [`PolicyPlugin`](crate::PolicyPlugin) as the component's plugin. Call it once in a
/// crate. It does nothing on other targets than WebAssembly, so that tests run natively.
#[macro_export]
macro_rules! export_policy {
    ($plugin:ty) => {
        #[cfg(target_family = "wasm")]
        #[doc(hidden)]
        mod tidegate_plugin_export {
            use super::*;
            use $crate::bindings::{policy::exports::tidegate::plugin::policy, settings::exports::tidegate::plugin::settings};

            ::std::thread_local! {
                static SESSION: $crate::PolicySession<$plugin> = const { $crate::PolicySession::new() };
            }

            struct PolicyExport;

            impl settings::Guest for PolicyExport {
                fn validate(text: ::std::string::String) -> ::std::result::Result<::std::string::String, ::std::vec::Vec<$crate::Issue>> {
                    $crate::PolicySession::<$plugin>::validate(&text)
                }
            }

            impl policy::Guest for PolicyExport {
                fn begin(run: $crate::Run, totals: $crate::Totals) -> ::std::result::Result<(), $crate::Failure> {
                    SESSION.with(|session| session.begin(&run, &totals))
                }
                fn review(batch: ::std::vec::Vec<$crate::Change>) -> ::std::result::Result<::std::vec::Vec<$crate::Finding>, $crate::Failure> {
                    SESSION.with(|session| session.review(&batch))
                }
                fn conclude() -> ::std::result::Result<$crate::Judgement, $crate::Failure> {
                    SESSION.with(|session| session.conclude())
                }
            }

            $crate::bindings::settings::export_settings!(PolicyExport with_types_in $crate::bindings::settings);
            $crate::bindings::policy::export_policy!(PolicyExport with_types_in $crate::bindings::policy);
        }
    };
}
