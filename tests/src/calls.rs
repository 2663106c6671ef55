//! Queries on a trace of API calls.

use crate::fault::{ApiCall, AwsService};

/// The keys of one operation's calls, in order.
#[must_use]
pub fn keys<'a>(calls: &'a [ApiCall], operation: &str) -> Vec<&'a str> {
    calls.iter().filter(|call| call.operation == operation).filter_map(|call| call.key.as_deref()).collect()
}

/// The number of calls of an operation.
#[must_use]
pub fn count(calls: &[ApiCall], operation: &str) -> usize {
    calls.iter().filter(|call| call.operation == operation).count()
}

/// The calls that may have changed something. `AssumeRole` changes nothing.
#[must_use]
pub fn writes(calls: &[ApiCall]) -> Vec<String> {
    calls.iter().filter(|call| !call.only_reads() && call.service != AwsService::Sts).map(ToString::to_string).collect()
}

/// The position of the first call of an operation, on `key` if one is given.
#[must_use]
pub fn position(calls: &[ApiCall], operation: &str, key: Option<&str>) -> Option<usize> {
    calls.iter().position(|call| call.operation == operation && (key.is_none() || call.key.as_deref() == key))
}
