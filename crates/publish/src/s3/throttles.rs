//! Counts responses that ask for fewer requests. The SDK repeats such requests, so nothing else shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;

/// The status of `SlowDown` and of `ServiceUnavailable`. Source: Amazon S3 API reference, "Error responses".
const THROTTLED: u16 = 503;

/// The number of such responses. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThrottleCount(Arc<AtomicU64>);

impl ThrottleCount {
    /// How many there were so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Intercept for ThrottleCount {
    fn name(&self) -> &'static str {
        "count of throttled requests"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().is_some_and(|response| response.status().as_u16() == THROTTLED) {
            self.add();
        }
        Ok(())
    }
}
