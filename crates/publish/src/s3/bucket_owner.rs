//! Sends the expected owner of a bucket with every request, so that S3 refuses a bucket of the same name in another
//! account. Source: Amazon S3 user guide, "Verifying bucket ownership with bucket owner condition".

use std::sync::Arc;

use aws_sdk_s3::config::endpoint::Params;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use tidegate_core::config::BucketOwners;

/// Adds the headers to every request.
#[derive(Debug)]
pub(super) struct ExpectOwner(pub(super) Arc<BucketOwners>);

impl Intercept for ExpectOwner {
    fn name(&self) -> &'static str {
        "expected bucket owner"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bucket = config.load::<EndpointResolverParams>().and_then(|params| params.get::<Params>()?.bucket());
        let headers = context.request_mut().headers_mut();
        if let Some(owner) = bucket.and_then(|bucket| self.0.owner(bucket)) {
            headers.insert("x-amz-expected-bucket-owner", owner.to_owned());
        }
        // `BUCKET/KEY`
        let source = headers.get("x-amz-copy-source").and_then(|source| source.split('/').next());
        if let Some(owner) = source.and_then(|bucket| self.0.owner(bucket)) {
            let owner = owner.to_owned();
            headers.insert("x-amz-source-expected-bucket-owner", owner);
        }
        Ok(())
    }
}
