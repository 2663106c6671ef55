//! The flow of a publish against the stand-in, where a case folder is not enough: saved plans, the order of writes,
//! failures half way, credentials, and faults at every request against a model of what a site must be.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, and must name its place"
)]

mod apply;
mod archives;
mod cache_tags;
mod copies;
mod credentials;
mod destinations;
mod github;
mod grants;
mod invalidation;
mod model;
mod packaged;
pub(crate) mod releases;
mod replaced;
mod saved_plans;
mod triggers;

use tidegate_tests::{SiteObject, SiteState};

/// A configuration of the site `docs` in the whole bucket, with what a test adds to it.
fn site_with(more: &str) -> String {
    format!("[[site]]\nname = \"docs\"\ntarget = \"s3://site/\"\n{more}")
}

/// A plugin with settings.
fn plugin(kind: &str, name: &str, settings: &str) -> String {
    format!("\n[[site.{kind}]]\nplugin = \"{name}\"\nsettings = {settings}\n")
}

/// A site of plain texts.
fn texts(objects: &[(&str, &str)]) -> SiteState {
    SiteState { objects: objects.iter().map(|(key, body)| SiteObject::text(key, body)).collect() }
}
