//! Handing a run on to another invocation: the only place that names Lambda's SDK, but for `install`, which makes the function.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use tidegate_publish::Connection;
use tidegate_publish::aws_error::CloudError;

use crate::trigger::HandedOn;

/// A way into another invocation.
#[async_trait]
pub trait Relay: Send + Sync {
    /// Hands a run on. It has arrived once this returns.
    ///
    /// # Errors
    /// [`CloudError`].
    async fn hand_on(&self, run: &HandedOn) -> Result<(), CloudError>;
}

/// The function invokes itself, asynchronously: Lambda keeps the run in a queue of its own, tries it again where it fails, and
/// gives it to the dead-letter queue in the end.
#[derive(Debug, Clone)]
pub struct FunctionRelay {
    client: Client,
    function: String,
}

impl FunctionRelay {
    /// The function of that name, or ARN, and of a version where it has one.
    #[must_use]
    pub fn new(connection: &Connection, function: &str) -> Self {
        Self { client: Client::new(connection.config()), function: function.to_owned() }
    }
}

#[async_trait]
impl Relay for FunctionRelay {
    async fn hand_on(&self, run: &HandedOn) -> Result<(), CloudError> {
        let event = run.to_event().map(|event| event.to_string());
        let event = event.map_err(|error| CloudError::malformed("Invoke", &self.function, error.to_string()))?;
        let request = self
            .client
            .invoke()
            .function_name(&self.function)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(event));
        request.send().await.map_err(|error| CloudError::new("Invoke", &self.function, &error))?;
        Ok(())
    }
}
