//! Identities through the real SDK: who may assume which role with which session, and the validity of temporary
//! credentials. Source of every constraint, code and message asserted here: STS API Reference, "AssumeRole" and "Common
//! Errors", or IAM User Guide, "Policy evaluation logic".

#![expect(clippy::expect_used, reason = "clippy treats test helpers without a test attribute as product code")]
#![expect(deprecated, reason = "publishers still read PackedPolicySize, which has no replacement")]

mod assume;
mod identities;
mod requests;
mod scoped;
mod sessions;
#[path = "../common/signed.rs"]
mod signed;

use aws_credential_types::Credentials;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use tidegate_emulator::LocalAws;
use tidegate_emulator::iam::AccessRequest;

const TRUST_ACCOUNT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}"#;
const MAY_ASSUME: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
const MAY_PUT: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::site/*"},
    {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::site"}]}"#;
const ONLY_DOCS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/docs/*"}}"#;
const ROLE: &str = "arn:aws:iam::000000000000:role/publisher";

fn sts(account: &LocalAws, credentials: Credentials) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(credentials)
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

/// A client of IAM as the account's root.
fn iam(account: &LocalAws) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(account.root_credentials())
        .build();
    aws_sdk_iam::Client::from_conf(config)
}

/// An account with a user that may assume roles, and a role that trusts the account and may put objects.
fn account_with_role() -> (LocalAws, aws_sdk_sts::Client) {
    let account = LocalAws::in_memory().expect("an account");
    let iam = account.iam();
    iam.create_user("lea", &[("assume", MAY_ASSUME)]).expect("a user");
    iam.create_role("publisher", TRUST_ACCOUNT, &[("put", MAY_PUT), ("assume", MAY_ASSUME)]).expect("a role");
    let key = iam.create_access_key("lea").expect("a key");
    let client = sts(&account, key.credentials());
    (account, client)
}

fn credentials(output: &AssumeRoleOutput) -> Credentials {
    let given = output.credentials().expect("credentials");
    let token = Some(given.session_token().to_owned());
    Credentials::new(given.access_key_id(), given.secret_access_key(), token, None, "test")
}

/// The code and message of an error.
fn failure<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> (String, String) {
    let error = result.err().expect("a failure");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn may_put(account: &LocalAws, key_id: &str, key: &str) -> Result<(), String> {
    let resource = format!("arn:aws:s3:::site/{key}");
    let access = AccessRequest { action: "s3:PutObject", resource: &resource, context: &[] };
    account.iam().authorize(key_id, &access).map_err(|denied| denied.to_string())
}
