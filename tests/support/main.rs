//! Tests of the test support: fault injection, Secrets Manager and the Parameter Store.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy takes helpers of tests for product code unless they carry the attribute of a test"
)]

mod faults;
mod secrets;
