//! IAM's API through the real SDK: what it creates, how it affects the evaluation of requests, and AWS's error codes.
//! Source of every constraint and code asserted here: IAM API Reference, or IAM User Guide, "IAM and AWS STS quotas".

#![expect(clippy::expect_used, reason = "clippy treats test helpers without a test attribute as product code")]

mod access_keys;
mod errors;
mod groups;
mod restart;
mod permissions;
mod policies;
mod providers;
mod roles;
#[path = "../common/signed.rs"]
mod signed;
mod simulation;
mod users;

use aws_credential_types::Credentials;
use aws_sdk_iam::config::{BehaviorVersion, Region};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tidegate_emulator::LocalAws;

const ALLOW_ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const MAY_PUT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/*"}}"#;
const NO_PUT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/*"}}"#;
const MAY_GET: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::site/*"}}"#;
const TRUST_ACCOUNT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}"#;

/// An account, and its root as a client of IAM.
fn account_with_root() -> (LocalAws, aws_sdk_iam::Client) {
    let account = LocalAws::in_memory().expect("an account");
    let root = iam(&account, account.root_credentials());
    (account, root)
}

fn iam(account: &LocalAws, credentials: Credentials) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(credentials)
        .build();
    aws_sdk_iam::Client::from_conf(config)
}

fn sts(account: &LocalAws, credentials: Credentials) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(credentials)
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

fn s3(account: &LocalAws, credentials: Credentials) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .force_path_style(true)
        .http_client(account.http_client())
        .credentials_provider(credentials)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// Creates an access key of a user.
async fn key_of(root: &aws_sdk_iam::Client, user: &str) -> Credentials {
    let created = root.create_access_key().user_name(user).send().await.expect("a key");
    let key = created.access_key().expect("a key");
    Credentials::new(key.access_key_id(), key.secret_access_key(), None, None, "test")
}

/// Tries to put an object, and returns the error message.
async fn try_put(account: &LocalAws, credentials: &Credentials) -> Result<(), String> {
    drop(account.s3().create_bucket("site").await);
    let client = s3(account, credentials.clone());
    let put = client.put_object().bucket("site").key("a").body(b"x".to_vec().into());
    put.send().await.map(drop).map_err(|error| error.message().unwrap_or_default().to_owned())
}

/// Status, code and message of an error.
fn failure<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E, HttpResponse>>) -> (u16, String, String) {
    let error = result.err().expect("a failure");
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

/// Status and code of an error.
fn code<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E, HttpResponse>>) -> (u16, String) {
    let (status, code, _) = failure(result);
    (status, code)
}

/// A policy document without the encoding of IAM's answers.
fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document).decode_utf8().expect("text").into_owned()
}
