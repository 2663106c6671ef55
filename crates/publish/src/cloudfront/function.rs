//! CloudFront functions.

use aws_sdk_cloudfront::error::BuildError;
use aws_sdk_cloudfront::types::{
    FunctionConfig, FunctionRuntime, FunctionStage, KeyValueStoreAssociation, KeyValueStoreAssociations,
};
use aws_smithy_types::Blob;

use super::CloudFront;
use crate::aws_error::{AwsError, if_exists};

/// A stage of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeStage {
    /// The one that changes are made to.
    Development,
    /// The one that visitors get.
    Live,
}

/// What a function is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeFunctionSpec {
    /// Its comment.
    pub comment: String,
    /// Its code.
    pub code: String,
    /// The ARN of the key value store that it reads.
    pub store: Option<String>,
}

/// A function, as one of its stages is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEdgeFunction {
    /// Its ARN.
    pub arn: String,
    /// The version that changes are made to, for `If-Match`.
    pub etag: String,
    /// What it is made of.
    pub function: EdgeFunctionSpec,
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeTestOutput {
    /// The event as the function returned it, as JSON.
    pub output: String,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// Its part of the computing time that is allowed, in percent.
    pub utilization: Option<u32>,
}

impl EdgeStage {
    fn sdk(self) -> FunctionStage {
        match self {
            Self::Development => FunctionStage::Development,
            Self::Live => FunctionStage::Live,
        }
    }
}

impl EdgeFunctionSpec {
    fn config(&self) -> Result<FunctionConfig, BuildError> {
        let stores = self.store.iter().map(|arn| KeyValueStoreAssociation::builder().key_value_store_arn(arn).build());
        let stores: Vec<_> = stores.collect::<Result<_, _>>()?;
        let quantity = i32::try_from(stores.len()).unwrap_or(i32::MAX);
        let stores = KeyValueStoreAssociations::builder().quantity(quantity).set_items(Some(stores)).build()?;
        FunctionConfig::builder()
            .comment(&self.comment)
            .runtime(FunctionRuntime::CloudfrontJs20)
            .key_value_store_associations(stores)
            .build()
    }
}

impl CloudFront {
    /// A function; `None` where it, or this stage of it, does not exist.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn function(&self, name: &str, stage: EdgeStage) -> Result<Option<FoundEdgeFunction>, AwsError> {
        let request = self.client.describe_function().name(name).stage(stage.sdk());
        let Some(described) = if_exists(send!("DescribeFunction", name, request))? else { return Ok(None) };
        let request = self.client.get_function().name(name).stage(stage.sdk());
        let Some(got) = if_exists(send!("GetFunction", name, request))? else { return Ok(None) };
        let malformed = || AwsError::malformed("DescribeFunction", name, "the response has no function");
        let summary = described.function_summary.ok_or_else(malformed)?;
        let config = summary.function_config.ok_or_else(malformed)?;
        let stores = config.key_value_store_associations.and_then(|stores| stores.items).unwrap_or_default();
        let code = got.function_code.map(Blob::into_inner).unwrap_or_default();
        Ok(Some(FoundEdgeFunction {
            arn: summary.function_metadata.ok_or_else(malformed)?.function_arn,
            etag: described.e_tag.unwrap_or_default(),
            function: EdgeFunctionSpec {
                comment: config.comment,
                code: String::from_utf8_lossy(&code).into_owned(),
                store: stores.into_iter().next().map(|store| store.key_value_store_arn),
            },
        }))
    }

    /// Creates a function, in the stage `DEVELOPMENT`.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn create_function(&self, name: &str, function: &EdgeFunctionSpec) -> Result<(), AwsError> {
        let config =
            function.config().map_err(|error| AwsError::malformed("CreateFunction", name, error.to_string()))?;
        let code = Blob::new(function.code.as_bytes());
        let request = self.client.create_function().name(name).function_config(config).function_code(code);
        send!("CreateFunction", name, request).map(drop)
    }

    /// Changes the stage `DEVELOPMENT` of a function.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn update_function(&self, name: &str, etag: &str, function: &EdgeFunctionSpec) -> Result<(), AwsError> {
        let config =
            function.config().map_err(|error| AwsError::malformed("UpdateFunction", name, error.to_string()))?;
        let code = Blob::new(function.code.as_bytes());
        let request = self.client.update_function().name(name).if_match(etag);
        send!("UpdateFunction", name, request.function_config(config).function_code(code)).map(drop)
    }

    /// Runs the stage `DEVELOPMENT` of a function with an event.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn test_function(&self, name: &str, etag: &str, event: &str) -> Result<EdgeTestOutput, AwsError> {
        let request = self.client.test_function().name(name).if_match(etag).stage(FunctionStage::Development);
        let output = send!("TestFunction", name, request.event_object(Blob::new(event.as_bytes())))?;
        let malformed = || AwsError::malformed("TestFunction", name, "the response has no result");
        let result = output.test_result.ok_or_else(malformed)?;
        Ok(EdgeTestOutput {
            output: result.function_output.unwrap_or_default(),
            error: result.function_error_message.filter(|message| !message.is_empty()),
            utilization: result.compute_utilization.and_then(|text| text.trim().parse().ok()),
        })
    }

    /// Makes the stage `DEVELOPMENT` of a function its stage `LIVE`, in every behavior that uses it.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn publish_function(&self, name: &str, etag: &str) -> Result<(), AwsError> {
        send!("PublishFunction", name, self.client.publish_function().name(name).if_match(etag)).map(drop)
    }

    /// Deletes a function.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn delete_function(&self, name: &str, etag: &str) -> Result<(), AwsError> {
        send!("DeleteFunction", name, self.client.delete_function().name(name).if_match(etag)).map(drop)
    }
}
