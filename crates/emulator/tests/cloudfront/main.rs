//! CloudFront's resources through the real SDKs: what is kept, what is refused with which code, and which permissions
//! each operation needs. Every rule is one of AWS's API Reference or Developer Guide.

#![expect(clippy::expect_used, reason = "clippy treats test helpers without a test attribute as product code")]

#[path = "../common/cloudfront.rs"]
mod cloudfront_client;
mod cors;
mod distributions;
mod functions;
mod headers_policies;
mod imports;
mod keys;
mod permissions;
mod server_timing;
mod site;
mod stores;
mod tags;
mod test_function;
mod viewers;

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{
    DistributionConfig, EventType, FunctionAssociation, FunctionAssociations, FunctionConfig, FunctionRuntime,
    KeyValueStoreAssociation, KeyValueStoreAssociations,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use cloudfront_client::client;
use tidegate_emulator::LocalAws;
use tidegate_emulator::cloudfront::S3Origin;

/// The distribution of the tests.
const ID: &str = "E2EXAMPLE";
/// A function that changes nothing.
const IDENTITY: &str = "function handler(event) { return event.request; }";

/// An account with a private distribution, and its root's client.
fn with_distribution() -> (LocalAws, Client) {
    let account = LocalAws::in_memory().expect("an account");
    let origin = S3Origin { bucket: "site".to_owned(), path: "/live".to_owned() };
    account.cloudfront().create_private_distribution(ID, origin, Some("index.html")).expect("a distribution");
    let client = client(&account, account.root_credentials());
    (account, client)
}

/// The status and the code of a refusal.
fn refusal<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E, HttpResponse>>) -> (u16, String) {
    match result {
        Ok(_) => (200, "OK".to_owned()),
        Err(error) => {
            let status = error.raw_response().map_or(0, |response| response.status().as_u16());
            (status, error.code().unwrap_or("none").to_owned())
        }
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// The configuration of a function, with these stores.
fn function_config(stores: &[&str]) -> FunctionConfig {
    let items = stores
        .iter()
        .map(|arn| KeyValueStoreAssociation::builder().key_value_store_arn(*arn).build().expect("an association"));
    let quantity = i32::try_from(stores.len()).expect("a small number");
    let associations = KeyValueStoreAssociations::builder()
        .quantity(quantity)
        .set_items(Some(items.collect()))
        .build()
        .expect("stores");
    FunctionConfig::builder()
        .comment("test")
        .runtime(FunctionRuntime::CloudfrontJs20)
        .key_value_store_associations(associations)
        .build()
        .expect("a configuration")
}

/// Creates and publishes a function, and returns its ARN.
async fn published(client: &Client, name: &str, code: &str) -> String {
    let request = client.create_function().name(name).function_config(function_config(&[]));
    let created = request.function_code(Blob::new(code)).send().await.expect("a function");
    let etag = created.e_tag().expect("an ETag").to_owned();
    client.publish_function().name(name).if_match(etag).send().await.expect("published");
    let summary = created.function_summary.expect("a summary");
    summary.function_metadata.expect("metadata").function_arn
}

/// The configuration of the distribution, and its version.
async fn config(client: &Client) -> (DistributionConfig, String) {
    let output = client.get_distribution_config().id(ID).send().await.expect("a distribution");
    let etag = output.e_tag().expect("an ETag").to_owned();
    (output.distribution_config.expect("a configuration"), etag)
}

/// The configuration with these functions at its default behavior.
fn with_functions(mut config: DistributionConfig, functions: &[(EventType, &str)]) -> DistributionConfig {
    let items = functions.iter().map(|(event, arn)| {
        FunctionAssociation::builder().event_type(event.clone()).function_arn(*arn).build().expect("an association")
    });
    let quantity = i32::try_from(functions.len()).expect("a small number");
    let associations = FunctionAssociations::builder().quantity(quantity).set_items(Some(items.collect()));
    if let Some(behavior) = &mut config.default_cache_behavior {
        behavior.function_associations = Some(associations.build().expect("associations"));
    }
    config
}
