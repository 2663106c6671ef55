//! The CloudFront function of a site: one table of requests, and random rules against the reference, in several engines.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic here is a failed test and names its location"
)]

mod engines;
mod properties;
mod requests;
mod responses;
mod rules;
