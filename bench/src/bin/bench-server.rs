//! The server of the benchmark: `s3s-fs`, with listings and conditions as S3 has them, and a count of its requests.
//!
//!     bench-server DIRECTORY            prints its address, and runs until its standard input ends
//!     bench-server DIRECTORY indexed    lists from memory; see below
//!
//! For each line on its standard input it prints one line of JSON: how many requests it was asked since the line before,
//! by operation. A line that holds a number lets every request after it wait for so many milliseconds first, as a network
//! would.
//!
//! Three things are done here and not by `s3s-fs`. It answers an object's ETag to a PutObject and to a HeadObject and
//! leaves it out of listings, which S3 never does; clients that compare by ETag would be measured at work that they never
//! have on S3. So what writes answered is remembered and added to listings. It walks and sorts the whole bucket for every
//! page of a listing, which no large site survives: with `indexed`, pages are cut from what writes answered. And it checks
//! a condition before it writes, so that two writers may both pass: here such writes take turns. Writes without a condition
//! do not, which is enough for objects that are only ever written under one. Owns nothing else: objects, bodies and
//! metadata are `s3s-fs`'s business.

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

/// Keys of a page, where nobody asks for another number: S3's own.
const PAGE: i32 = 1_000;

/// What whoever started the server asks and sets.
#[derive(Clone, Default)]
struct Connections {
    /// Requests by operation.
    counts: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    /// How long every request waits, in milliseconds.
    latency: Arc<AtomicU64>,
}

/// What a listing says of an object.
#[derive(Clone)]
struct KnownKeys {
    etag: ETag,
    size: i64,
    at: Timestamp,
}

/// `s3s-fs` and what it answered.
struct BenchRouter {
    files: FileSystem,
    root: PathBuf,
    /// By bucket, then by key.
    known: RwLock<HashMap<String, BTreeMap<String, KnownKeys>>>,
    /// Whether listings come from `known`.
    indexed: bool,
    desk: Connections,
    /// Taken by writes under a condition.
    turns: tokio::sync::Mutex<()>,
}

impl BenchRouter {
    async fn arrive(&self, operation: &'static str) {
        *self.desk.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default() += 1;
        let milliseconds = self.desk.latency.load(Ordering::Relaxed);
        if milliseconds > 0 {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }

    /// Takes note of what a write answered. The size is the one on the disk, whichever way the object came there.
    async fn remember(&self, bucket: &str, key: &str, etag: Option<&ETag>) {
        let Some(etag) = etag.cloned() else { return };
        let status = tokio::fs::metadata(self.root.join(bucket).join(key)).await;
        let size = status.ok().and_then(|status| i64::try_from(status.len()).ok()).unwrap_or_default();
        let known = KnownKeys { etag, size, at: Timestamp::from(SystemTime::now()) };
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(bucket.to_owned()).or_default().insert(key.to_owned(), known);
    }

    fn forget(&self, bucket: &str, key: &str) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(bucket.to_owned()).or_default().remove(key);
    }

    fn add(&self, bucket: &str, objects: Option<&mut Vec<Object>>) {
        let all = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = all.get(bucket) else { return };
        for object in objects.into_iter().flatten() {
            object.e_tag = object.key.as_ref().and_then(|key| known.get(key)).map(|known| known.etag.clone());
        }
    }

    /// Whether a write may go on.
    fn holds(&self, bucket: &str, key: &str, wanted: Option<&ETagCondition>, unwanted: bool) -> S3Result<()> {
        let all = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let there = all.get(bucket).and_then(|known| known.get(key));
        let fine = match (wanted, there) {
            (Some(_), None) => return Err(S3Error::new(S3ErrorCode::NoSuchKey)),
            (Some(wanted), Some(there)) => wanted.is_any() || wanted.as_etag() == Some(&there.etag),
            (None, Some(_)) => !unwanted,
            (None, None) => true,
        };
        if fine { Ok(()) } else { Err(S3Error::new(S3ErrorCode::PreconditionFailed)) }
    }

    /// One page of a bucket, in the order of its keys' bytes. Without delimiters, which nobody here asks for.
    fn page(&self, input: ListObjectsV2Input) -> ListObjectsV2Output {
        let all = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.clone().max(input.start_after.clone());
        let from = match &after {
            Some(after) if *after >= prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(prefix.clone()),
        };
        let most = usize::try_from(input.max_keys.unwrap_or(PAGE).min(PAGE)).unwrap_or_default();
        let mut following = all
            .get(&input.bucket)
            .into_iter()
            .flat_map(|known| known.range((from.clone(), Bound::Unbounded)))
            .take_while(|(key, _)| key.starts_with(&prefix))
            .peekable();
        let contents: Vec<Object> = following.by_ref().take(most).map(|(key, known)| listed(key, known)).collect();
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

fn listed(key: &str, known: &KnownKeys) -> Object {
    Object {
        key: Some(key.to_owned()),
        e_tag: Some(known.etag.clone()),
        size: Some(known.size),
        last_modified: Some(known.at.clone()),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    }
}

#[async_trait::async_trait]
impl S3 for BenchRouter {
    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.arrive("PutObject").await;
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let (wanted, unwanted) = (request.input.if_match.take(), request.input.if_none_match.take());
        let turn = if wanted.is_some() || unwanted.is_some() { Some(self.turns.lock().await) } else { None };
        self.holds(&bucket, &key, wanted.as_ref(), unwanted.is_some())?;
        let answer = self.files.put_object(request).await?;
        self.remember(&bucket, &key, answer.output.e_tag.as_ref()).await;
        drop(turn);
        Ok(answer)
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.arrive("CopyObject").await;
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let answer = self.files.copy_object(request).await?;
        let result = answer.output.copy_object_result.as_ref();
        self.remember(&bucket, &key, result.and_then(|result| result.e_tag.as_ref())).await;
        Ok(answer)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.arrive("CompleteMultipartUpload").await;
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let mut answer = self.files.complete_multipart_upload(request).await?;
        // `s3s-fs` answers the ETag at the end of a body that it keeps open.
        if let Some(rest) = answer.output.future.take() {
            answer.output = rest.await?;
        }
        self.remember(&bucket, &key, answer.output.e_tag.as_ref()).await;
        Ok(answer)
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        self.arrive("ListObjects").await;
        let bucket = request.input.bucket.clone();
        let mut answer = self.files.list_objects(request).await?;
        self.add(&bucket, answer.output.contents.as_mut());
        Ok(answer)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.arrive("ListObjectsV2").await;
        if self.indexed {
            return Ok(S3Response::new(self.page(request.input)));
        }
        let bucket = request.input.bucket.clone();
        let mut answer = self.files.list_objects_v2(request).await?;
        self.add(&bucket, answer.output.contents.as_mut());
        Ok(answer)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.arrive("DeleteObject").await;
        self.forget(&request.input.bucket, &request.input.key);
        self.files.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.arrive("DeleteObjects").await;
        for object in &request.input.delete.objects {
            self.forget(&request.input.bucket, &object.key);
        }
        self.files.delete_objects(request).await
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.arrive("CreateBucket").await;
        self.files.create_bucket(request).await
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.arrive("HeadBucket").await;
        self.files.head_bucket(request).await
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.arrive("ListBuckets").await;
        self.files.list_buckets(request).await
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.arrive("GetBucketLocation").await;
        self.files.get_bucket_location(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.arrive("HeadObject").await;
        self.files.head_object(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.arrive("GetObject").await;
        self.files.get_object(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.arrive("CreateMultipartUpload").await;
        self.files.create_multipart_upload(request).await
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.arrive("UploadPart").await;
        self.files.upload_part(request).await
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.arrive("UploadPartCopy").await;
        self.files.upload_part_copy(request).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (directory, indexed) = match words.as_slice() {
        [directory] => (*directory, false),
        [directory, "indexed"] => (*directory, true),
        _ => return Err("name the directory that keeps the objects, as the head of the source has it".into()),
    };
    let files = FileSystem::new(directory).map_err(|error| format!("{error:?}"))?;
    let desk = Connections::default();
    let mut builder = S3ServiceBuilder::new(BenchRouter {
        files,
        root: PathBuf::from(directory),
        known: RwLock::default(),
        indexed,
        desk: desk.clone(),
        turns: tokio::sync::Mutex::default(),
    });
    builder.set_auth(SimpleAuth::from_single("bench", "benchbench"));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;

    // Whoever started it holds the other end: it never outlives the benchmark.
    let mut ended = tokio::task::spawn_blocking(move || answer(&desk));
    loop {
        let (socket, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = &mut ended => return Ok(()),
        };
        // As every server on the internet: without it, small answers wait for the client's acknowledgement.
        socket.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            // A client that goes away in the middle is no concern of the server's.
            drop(Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await);
        });
    }
}

/// Tells the counts for each line of the standard input, until it ends.
fn answer(desk: &Connections) -> std::io::Result<()> {
    for line in std::io::stdin().lock().lines() {
        if let Ok(milliseconds) = line?.trim().parse() {
            desk.latency.store(milliseconds, Ordering::Relaxed);
        }
        let told = std::mem::take(&mut *desk.counts.lock().unwrap_or_else(PoisonError::into_inner));
        println!("{}", serde_json::json!(told));
        std::io::stdout().flush()?;
    }
    Ok(())
}
