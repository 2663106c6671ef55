//! Events and webhooks in the format of AWS and GitHub, written independently of the product's own types.

use std::io::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A zip that contains these files.
#[must_use]
pub fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, body) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(body.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// S3's notification that an object was created, `second` seconds after 10:00 UTC.
#[must_use]
pub fn stored(bucket: &str, key: &str, etag: &str, second: u32, sequencer: &str) -> Value {
    json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": format!("2025-06-15T14:00:{second:02}.000Z"), "eventName": "ObjectCreated:Put",
        "s3": { "s3SchemaVersion": "1.0", "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
                "object": { "key": key, "size": 100, "eTag": etag, "sequencer": sequencer } },
    }]})
}

/// The body of GitHub's webhook for a push of `commit` to the branch `main` of `acme/docs`.
#[must_use]
pub fn pushed(commit: &str, message: &str, timestamp: &str) -> Value {
    json!({
        "ref": "refs/heads/main", "before": "0".repeat(40), "after": commit, "deleted": false, "created": false,
        "repository": { "full_name": "acme/docs", "fork": false, "default_branch": "main" },
        "head_commit": { "id": commit, "message": message, "timestamp": timestamp },
        "commits": [],
    })
}

/// The value of GitHub's `X-Hub-Signature-256` header for a body.
#[must_use]
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
