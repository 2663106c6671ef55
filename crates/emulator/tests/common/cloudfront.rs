//! The client of CloudFront for tests.

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::{BehaviorVersion, Credentials, Region};
use tidegate_emulator::LocalAws;

/// A client that sends its requests to an account in this process.
pub(crate) fn client(account: &LocalAws, credentials: Credentials) -> Client {
    let config = aws_sdk_cloudfront::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(credentials)
        .build();
    Client::from_conf(config)
}
