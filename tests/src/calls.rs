//! Questions about a trace of calls.

use crate::fault::{ApiCall, AwsService};

/// The keys of one operation's calls, in order.
#[must_use]
pub fn keys<'a>(calls: &'a [ApiCall], operation: &str) -> Vec<&'a str> {
    calls.iter().filter(|call| call.operation == operation).filter_map(|call| call.key.as_deref()).collect()
}

/// How many calls of an operation there are.
#[must_use]
pub fn count(calls: &[ApiCall], operation: &str) -> usize {
    calls.iter().filter(|call| call.operation == operation).count()
}

/// The calls that may have changed something. Assuming a role changes nothing.
#[must_use]
pub fn writes(calls: &[ApiCall]) -> Vec<String> {
    calls.iter().filter(|call| !call.only_reads() && call.service != AwsService::Sts).map(ToString::to_string).collect()
}

/// Where the first call of an operation on a key stands in the trace.
#[must_use]
pub fn place(calls: &[ApiCall], operation: &str, key: Option<&str>) -> Option<usize> {
    calls.iter().position(|call| call.operation == operation && (key.is_none() || call.key.as_deref() == key))
}
