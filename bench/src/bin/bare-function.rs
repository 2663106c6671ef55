//! The least that a function of Rust can be: it answers with its event. What Tidegate's cold start is measured against.
//!
//! Owns nothing. Knows no AWS.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move { Ok::<Value, Error>(event.payload) })).await
}
