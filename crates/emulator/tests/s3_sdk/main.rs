//! The emulated S3 as the real SDK sees it.

#![expect(clippy::unwrap_used, reason = "clippy treats test helpers without a test attribute as product code")]

mod access;
mod buckets;
mod conditions;
mod copies;
mod deletes;
mod directory;
mod listing;
mod multipart;
mod objects;
mod server;

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Region, SharedHttpClient, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use tidegate_emulator::LocalAws;

/// The bucket of most tests.
const BUCKET: &str = "site";

/// An SDK client that never retries, so that tests see every answer.
fn client_over(http: SharedHttpClient, credentials: Credentials) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

fn client(account: &LocalAws, credentials: Credentials) -> Client {
    client_over(account.http_client(), credentials)
}

/// An account in memory with an empty bucket, and a client of its root.
async fn site() -> (LocalAws, Client) {
    let account = LocalAws::in_memory().unwrap();
    account.s3().create_bucket(BUCKET).await.unwrap();
    let client = client(&account, account.root_credentials());
    (account, client)
}

async fn put(client: &Client, key: &str, body: &[u8]) -> String {
    let put = client.put_object().bucket(BUCKET).key(key).body(ByteStream::from(body.to_vec())).send().await.unwrap();
    put.e_tag.unwrap()
}

async fn body(client: &Client, key: &str) -> Vec<u8> {
    let got = client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    got.body.collect().await.unwrap().to_vec()
}

/// Status and code of an error. The code is empty if the answer has no body.
fn failure<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, aws_sdk_s3::config::http::HttpResponse>>,
) -> (u16, String) {
    let error = result.unwrap_err();
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or_default().to_owned())
}

fn md5_hex(bytes: &[u8]) -> String {
    use md5::Digest as _;
    md5::Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
