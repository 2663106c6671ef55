//! The baseline of the benchmark: the work of each task with the minimal number of requests.
//!
//!     bare-loop create ENDPOINT BUCKET              create a bucket
//!     bare-loop upload ENDPOINT DIRECTORY BUCKET    send one PutObject per file
//!     bare-loop copy   ENDPOINT FROM TO             send one CopyObject per object of bucket FROM
//!     bare-loop list   ENDPOINT SIDE SIDE           list both sides concurrently: `bucket:NAME` or `directory:PATH`
//!
//! Prints the number of objects that it wrote, or that each side has. Client, retries, timeouts and concurrency are those of
//! `tidegate-publish`.

use std::error::Error;
use std::path::Path;

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::primitives::ByteStream;
use futures::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_publish::Connection;
use walkdir::WalkDir;

/// Concurrent writes, as in `tidegate-publish`.
const IN_FLIGHT: usize = 32;

/// Characters to encode in a URL path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["create", endpoint, bucket] => {
            client(endpoint).await.create_bucket().bucket(*bucket).send().await?;
        }
        ["upload", endpoint, directory, bucket] => {
            println!("{}", upload(&client(endpoint).await, Path::new(directory), bucket).await?);
        }
        ["copy", endpoint, from, to] => println!("{}", copy(&client(endpoint).await, from, to).await?),
        ["list", endpoint, first, second] => {
            let client = client(endpoint).await;
            let (first, second) = tokio::try_join!(count(&client, first), count(&client, second))?;
            println!("{first} {second}");
        }
        _ => return Err("usage: bare-loop create|upload|copy|list ENDPOINT ...".into()),
    }
    Ok(())
}

async fn client(endpoint: &str) -> Client {
    let config = Connection::defaults()
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::from_keys("bench", "benchbench", None))
        .load()
        .await;
    let config = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    Client::from_conf(config)
}

/// Keys and sizes of the files below a directory.
fn walk(directory: &Path) -> Result<Vec<(String, u64)>, Failure> {
    let mut found = Vec::new();
    for entry in WalkDir::new(directory) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let key = entry.path().strip_prefix(directory)?.to_str().ok_or("a file name is not UTF-8")?.to_owned();
            found.push((key, entry.metadata()?.len()));
        }
    }
    Ok(found)
}

/// Keys and sizes of the objects of a bucket.
async fn list(client: &Client, bucket: &str) -> Result<Vec<(String, i64)>, Failure> {
    let mut pages = client.list_objects_v2().bucket(bucket).max_keys(1_000).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.try_next().await? {
        let objects = page.contents.unwrap_or_default().into_iter();
        found.extend(objects.filter_map(|object| Some((object.key?, object.size.unwrap_or_default()))));
    }
    Ok(found)
}

async fn count(client: &Client, side: &str) -> Result<usize, Failure> {
    match side.split_once(':') {
        Some(("bucket", name)) => Ok(list(client, name).await?.len()),
        Some(("directory", path)) => {
            let path = path.to_owned();
            Ok(tokio::task::spawn_blocking(move || walk(Path::new(&path))).await??.len())
        }
        _ => Err("invalid side; use `bucket:NAME` or `directory:PATH`".into()),
    }
}

/// Reads each body into memory, signs it with its SHA-256 and sends it.
async fn upload(client: &Client, directory: &Path, bucket: &str) -> Result<usize, Failure> {
    run_all(walk(directory)?.into_iter().map(|(key, _)| {
        let (client, path, bucket) = (client.clone(), directory.join(&key), bucket.to_owned());
        async move {
            let body = ByteStream::from(tokio::fs::read(path).await?);
            client.put_object().bucket(bucket).key(key).body(body).send().await?;
            Ok(())
        }
    }))
    .await
}

async fn copy(client: &Client, from: &str, to: &str) -> Result<usize, Failure> {
    run_all(list(client, from).await?.into_iter().map(|(key, _)| {
        let source = format!("{from}/{}", utf8_percent_encode(&key, PATH));
        let (client, to) = (client.clone(), to.to_owned());
        async move {
            client.copy_object().copy_source(source).bucket(to).key(key).send().await?;
            Ok(())
        }
    }))
    .await
}

/// Runs requests concurrently. Each has its own task, so that all processors are used.
async fn run_all<F>(requests: impl Iterator<Item = F>) -> Result<usize, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    stream::iter(requests)
        .map(|request| async move { tokio::spawn(request).await? })
        .buffer_unordered(IN_FLIGHT)
        .try_fold(0, |done, ()| async move { Ok(done + 1) })
        .await
}
