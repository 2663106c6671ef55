//! The S3 server of the benchmark: `s3s-fs`, with listings and conditional writes as in S3, and a count of requests.
//!
//!     bench-server DIRECTORY            print the address, and run until standard input ends
//!     bench-server DIRECTORY indexed    list from memory (see below)
//!
//! For each line on standard input it prints a line of JSON: the requests since the previous line, by operation. A number in
//! the line sets the latency of all following requests, in milliseconds.
//!
//! It differs from `s3s-fs` in three ways:
//!
//! - `s3s-fs` omits ETags from listings, unlike S3, so clients that compare ETags would send requests that S3 makes
//!   unnecessary. This server remembers the ETags of writes and adds them to listings.
//! - `s3s-fs` walks and sorts the whole bucket for every page of a listing, which is too slow for a large site. With
//!   `indexed`, this server lists from the remembered writes.
//! - `s3s-fs` checks a condition before it writes, so two concurrent conditional writes can both succeed. This server
//!   serializes conditional writes. Unconditional writes are not serialized, because no object is written in both ways.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io::{BufRead, Write};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

/// Default number of keys in a page. Source: S3 API reference, `ListObjectsV2`, `max-keys`.
const PAGE: i32 = 1_000;

/// State that standard input reads and sets.
#[derive(Clone, Default)]
struct ServerControl {
    /// Requests by operation.
    counts: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    /// Latency of every request, in milliseconds.
    latency: Arc<AtomicU64>,
}

/// An object in listings.
#[derive(Clone)]
struct ServedObject {
    etag: ETag,
    size: i64,
    modified: Timestamp,
}

/// `s3s-fs` and the objects that were written.
struct BenchServer {
    files: FileSystem,
    root: PathBuf,
    /// By bucket, then by key.
    written: RwLock<HashMap<String, BTreeMap<String, ServedObject>>>,
    /// Whether to list from `written`.
    indexed: bool,
    control: ServerControl,
    /// Held during conditional writes.
    conditional_write: tokio::sync::Mutex<()>,
}

impl BenchServer {
    /// Counts a request and waits for the latency.
    async fn begin(&self, operation: &'static str) {
        *self.control.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default() += 1;
        let milliseconds = self.control.latency.load(Ordering::Relaxed);
        if milliseconds > 0 {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }

    /// Remembers a written object. The size is that of the file, which is right for uploads, copies and multipart uploads.
    async fn remember(&self, bucket: &str, key: &str, etag: Option<&ETag>) {
        let Some(etag) = etag.cloned() else { return };
        let status = tokio::fs::metadata(self.root.join(bucket).join(key)).await;
        let size = status.ok().and_then(|status| i64::try_from(status.len()).ok()).unwrap_or_default();
        let object = ServedObject { etag, size, modified: Timestamp::from(SystemTime::now()) };
        let mut written = self.written.write().unwrap_or_else(PoisonError::into_inner);
        written.entry(bucket.to_owned()).or_default().insert(key.to_owned(), object);
    }

    fn forget(&self, bucket: &str, key: &str) {
        let mut written = self.written.write().unwrap_or_else(PoisonError::into_inner);
        written.entry(bucket.to_owned()).or_default().remove(key);
    }

    /// Adds ETags to a listing.
    fn add_etags(&self, bucket: &str, objects: Option<&mut Vec<Object>>) {
        let buckets = self.written.read().unwrap_or_else(PoisonError::into_inner);
        let Some(written) = buckets.get(bucket) else { return };
        for object in objects.into_iter().flatten() {
            object.e_tag = object.key.as_ref().and_then(|key| written.get(key)).map(|written| written.etag.clone());
        }
    }

    /// Checks `If-Match` and `If-None-Match: *`.
    fn check_conditions(
        &self,
        bucket: &str,
        key: &str,
        if_match: Option<&ETagCondition>,
        if_none_match: bool,
    ) -> S3Result<()> {
        let buckets = self.written.read().unwrap_or_else(PoisonError::into_inner);
        let existing = buckets.get(bucket).and_then(|written| written.get(key));
        let holds = match (if_match, existing) {
            (Some(_), None) => return Err(S3Error::new(S3ErrorCode::NoSuchKey)),
            (Some(condition), Some(existing)) => condition.is_any() || condition.as_etag() == Some(&existing.etag),
            (None, Some(_)) => !if_none_match,
            (None, None) => true,
        };
        if holds { Ok(()) } else { Err(S3Error::new(S3ErrorCode::PreconditionFailed)) }
    }

    /// One page of a bucket, sorted by the bytes of the keys. Ignores delimiters, which the benchmark does not use.
    fn page(&self, input: ListObjectsV2Input) -> ListObjectsV2Output {
        let buckets = self.written.read().unwrap_or_else(PoisonError::into_inner);
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.clone().max(input.start_after.clone());
        let start = match &after {
            Some(after) if *after >= prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(prefix.clone()),
        };
        let max_keys = usize::try_from(input.max_keys.unwrap_or(PAGE).min(PAGE)).unwrap_or_default();
        let mut following = buckets
            .get(&input.bucket)
            .into_iter()
            .flat_map(|written| written.range((start.clone(), Bound::Unbounded)))
            .take_while(|(key, _)| key.starts_with(&prefix))
            .peekable();
        let contents: Vec<Object> =
            following.by_ref().take(max_keys).map(|(key, object)| listed(key, object)).collect();
        let truncated = following.peek().is_some();
        let last = contents.last().and_then(|object| object.key.clone());
        ListObjectsV2Output {
            key_count: i32::try_from(contents.len()).ok(),
            max_keys: Some(input.max_keys.unwrap_or(PAGE)),
            is_truncated: Some(truncated),
            next_continuation_token: last.filter(|_| truncated),
            contents: Some(contents),
            continuation_token: input.continuation_token,
            name: Some(input.bucket),
            prefix: input.prefix,
            start_after: input.start_after,
            ..ListObjectsV2Output::default()
        }
    }
}

fn listed(key: &str, object: &ServedObject) -> Object {
    Object {
        key: Some(key.to_owned()),
        e_tag: Some(object.etag.clone()),
        size: Some(object.size),
        last_modified: Some(object.modified.clone()),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    }
}

#[async_trait::async_trait]
impl S3 for BenchServer {
    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.begin("PutObject").await;
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let (if_match, if_none_match) = (request.input.if_match.take(), request.input.if_none_match.take());
        let is_conditional = if_match.is_some() || if_none_match.is_some();
        let guard = if is_conditional { Some(self.conditional_write.lock().await) } else { None };
        self.check_conditions(&bucket, &key, if_match.as_ref(), if_none_match.is_some())?;
        let response = self.files.put_object(request).await?;
        self.remember(&bucket, &key, response.output.e_tag.as_ref()).await;
        drop(guard);
        Ok(response)
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.begin("CopyObject").await;
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let response = self.files.copy_object(request).await?;
        let result = response.output.copy_object_result.as_ref();
        self.remember(&bucket, &key, result.and_then(|result| result.e_tag.as_ref())).await;
        Ok(response)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.begin("CompleteMultipartUpload").await;
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let mut response = self.files.complete_multipart_upload(request).await?;
        // `s3s-fs` returns the ETag only at the end of a streamed response.
        if let Some(rest) = response.output.future.take() {
            response.output = rest.await?;
        }
        self.remember(&bucket, &key, response.output.e_tag.as_ref()).await;
        Ok(response)
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        self.begin("ListObjects").await;
        let bucket = request.input.bucket.clone();
        let mut response = self.files.list_objects(request).await?;
        self.add_etags(&bucket, response.output.contents.as_mut());
        Ok(response)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.begin("ListObjectsV2").await;
        if self.indexed {
            return Ok(S3Response::new(self.page(request.input)));
        }
        let bucket = request.input.bucket.clone();
        let mut response = self.files.list_objects_v2(request).await?;
        self.add_etags(&bucket, response.output.contents.as_mut());
        Ok(response)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.begin("DeleteObject").await;
        self.forget(&request.input.bucket, &request.input.key);
        self.files.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.begin("DeleteObjects").await;
        for object in &request.input.delete.objects {
            self.forget(&request.input.bucket, &object.key);
        }
        self.files.delete_objects(request).await
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.begin("CreateBucket").await;
        self.files.create_bucket(request).await
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.begin("HeadBucket").await;
        self.files.head_bucket(request).await
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.begin("ListBuckets").await;
        self.files.list_buckets(request).await
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.begin("GetBucketLocation").await;
        self.files.get_bucket_location(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.begin("HeadObject").await;
        self.files.head_object(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.begin("GetObject").await;
        self.files.get_object(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.begin("CreateMultipartUpload").await;
        self.files.create_multipart_upload(request).await
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.begin("UploadPart").await;
        self.files.upload_part(request).await
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.begin("UploadPartCopy").await;
        self.files.upload_part_copy(request).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (directory, indexed) = match arguments.as_slice() {
        [directory] => (*directory, false),
        [directory, "indexed"] => (*directory, true),
        _ => return Err("usage: bench-server DIRECTORY [indexed]".into()),
    };
    let files = FileSystem::new(directory).map_err(|error| format!("{error:?}"))?;
    let control = ServerControl::default();
    let mut builder = S3ServiceBuilder::new(BenchServer {
        files,
        root: PathBuf::from(directory),
        written: RwLock::default(),
        indexed,
        control: control.clone(),
        conditional_write: tokio::sync::Mutex::default(),
    });
    builder.set_auth(SimpleAuth::from_single("bench", "benchbench"));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;

    // Standard input ends with the benchmark, so the server does not outlive it.
    let mut ended = tokio::task::spawn_blocking(move || serve_control(&control));
    loop {
        let (socket, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = &mut ended => return Ok(()),
        };
        // Without this, small responses wait for the client's acknowledgement (Nagle's algorithm).
        socket.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            // Clients may disconnect at any time.
            drop(Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await);
        });
    }
}

/// Prints the counts for each line of standard input, until it ends.
fn serve_control(control: &ServerControl) -> std::io::Result<()> {
    for line in std::io::stdin().lock().lines() {
        if let Ok(milliseconds) = line?.trim().parse() {
            control.latency.store(milliseconds, Ordering::Relaxed);
        }
        let counts = std::mem::take(&mut *control.counts.lock().unwrap_or_else(PoisonError::into_inner));
        println!("{}", serde_json::json!(counts));
        std::io::stdout().flush()?;
    }
    Ok(())
}
