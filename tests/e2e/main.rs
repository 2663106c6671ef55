//! End-to-end tests against the local AWS emulator that need more than a folder of `tests/cases`: saved plans, the
//! order of writes, partial failures, credentials, releases, triggers, and faults at every request.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic here is a failed test and names its location"
)]

mod apply;
mod archives;
mod bucket_owners;
mod cache_tags;
mod ci_tokens;
mod copies;
mod credentials;
mod destinations;
mod distributed;
mod edge;
mod edge_rules;
mod edge_install;
mod excluded;
mod execution;
mod github;
mod grants;
mod invalidation;
mod model;
mod packaged;
pub(crate) mod releases;
mod replaced;
mod saved_plans;

mod sources;
mod staged_headers;
mod triggers;
mod uploads;

use tidegate_tests::{BucketContents, SiteObject};

/// A configuration with the site `docs` in the whole bucket, followed by `more`.
fn site_with(more: &str) -> String {
    format!("[[site]]\nname = \"docs\"\ntarget = \"s3://site/\"\n{more}")
}

/// A plugin with settings, as TOML.
fn plugin(kind: &str, name: &str, settings: &str) -> String {
    format!("\n[[site.{kind}]]\nplugin = \"{name}\"\nsettings = {settings}\n")
}

/// Text objects without headers.
fn texts(objects: &[(&str, &str)]) -> BucketContents {
    BucketContents { objects: objects.iter().map(|(key, body)| SiteObject::text(key, body)).collect() }
}
