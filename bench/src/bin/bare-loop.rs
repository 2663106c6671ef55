//! The limit that Tidegate is measured against: the fewest requests that do the work, and nothing around them.
//!
//!     bare-loop create ENDPOINT BUCKET              makes a bucket
//!     bare-loop upload ENDPOINT DIRECTORY BUCKET    one PutObject a file
//!     bare-loop copy   ENDPOINT FROM TO             one CopyObject an object of bucket FROM
//!     bare-loop list   ENDPOINT SIDE SIDE           a listing of each side, both at once: `bucket:NAME` or
//!                                                   `directory:PATH`
//!
//! Prints how many objects it wrote; of a listing, how many each side has. Owns no plan, no plugin, no header, no
//! comparison and no identity. Client, retries and timeouts are those of `tidegate-publish`; its concurrency is repeated
//! here.

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

/// Writes in flight, as `tidegate-publish` has them.
const IN_FLIGHT: usize = 32;

/// What a URL path may hold unencoded.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
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
        _ => return Err("say create, upload, copy or list, as the head of the source has it".into()),
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

/// Files below a directory, as keys with their sizes.
fn walk(directory: &Path) -> Result<Vec<(String, u64)>, Failure> {
    let mut found = Vec::new();
    for entry in WalkDir::new(directory) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let key = entry.path().strip_prefix(directory)?.to_str().ok_or("a name is not UTF-8")?.to_owned();
            found.push((key, entry.metadata()?.len()));
        }
    }
    Ok(found)
}

/// Keys of a bucket with their sizes.
async fn keys(client: &Client, bucket: &str) -> Result<Vec<(String, i64)>, Failure> {
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
        Some(("bucket", name)) => Ok(keys(client, name).await?.len()),
        Some(("directory", path)) => {
            let path = path.to_owned();
            Ok(tokio::task::spawn_blocking(move || walk(Path::new(&path))).await??.len())
        }
        _ => Err("a side is `bucket:NAME` or `directory:PATH`".into()),
    }
}

/// Each body is read whole, signed with its SHA-256 and sent.
async fn upload(client: &Client, directory: &Path, bucket: &str) -> Result<usize, Failure> {
    each(walk(directory)?.into_iter().map(|(key, _)| {
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
    each(keys(client, from).await?.into_iter().map(|(key, _)| {
        let source = format!("{from}/{}", utf8_percent_encode(&key, PATH));
        let (client, to) = (client.clone(), to.to_owned());
        async move {
            client.copy_object().copy_source(source).bucket(to).key(key).send().await?;
            Ok(())
        }
    }))
    .await
}

/// Runs requests side by side, each in a task of its own so that all processors take part.
async fn each<F>(requests: impl Iterator<Item = F>) -> Result<usize, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    stream::iter(requests)
        .map(|request| async move { tokio::spawn(request).await? })
        .buffer_unordered(IN_FLIGHT)
        .try_fold(0, |done, ()| async move { Ok(done + 1) })
        .await
}
