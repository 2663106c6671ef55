//! Continues a run in another invocation of the function.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use tidegate_publish::Connection;
use tidegate_publish::aws_error::AwsError;

use crate::trigger::Continuation;

/// Continues runs in other invocations.
#[async_trait]
pub trait SelfInvoke: Send + Sync {
    /// Queues a continuation. It is queued once this returns.
    ///
    /// # Errors
    /// [`AwsError`].
    async fn continue_run(&self, run: &Continuation) -> Result<(), AwsError>;
}

/// The function invokes itself asynchronously. Lambda queues the event, retries it if it fails, and finally sends it to
/// the dead-letter queue.
#[derive(Debug, Clone)]
pub struct LambdaSelfInvoke {
    client: Client,
    function: String,
}

impl LambdaSelfInvoke {
    /// Invokes a function by its name or ARN.
    #[must_use]
    pub fn new(connection: &Connection, function: &str) -> Self {
        Self { client: Client::new(connection.config()), function: function.to_owned() }
    }
}

#[async_trait]
impl SelfInvoke for LambdaSelfInvoke {
    async fn continue_run(&self, run: &Continuation) -> Result<(), AwsError> {
        let event = run.to_event().map(|event| event.to_string());
        let event = event.map_err(|error| AwsError::malformed("Invoke", &self.function, error.to_string()))?;
        let request = self
            .client
            .invoke()
            .function_name(&self.function)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(event));
        request.send().await.map_err(|error| AwsError::new("Invoke", &self.function, &error))?;
        Ok(())
    }
}
