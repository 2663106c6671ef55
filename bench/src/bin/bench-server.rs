//! The server of the benchmark: `s3s-fs`, with the ETags in its listings that S3 has in them.
//!
//!     bench-server DIRECTORY      prints its address, and runs until its standard input ends
//!
//! `s3s-fs` answers an object's ETag to a PutObject and to a HeadObject and leaves it out of listings, which S3 never
//! does; clients that compare by ETag would be measured at work that they never have on S3. So what writes answered is
//! remembered and added to listings. Owns nothing else: objects, bodies and metadata are `s3s-fs`'s business.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::sync::{PoisonError, RwLock};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

/// `s3s-fs` and the ETags that it answered.
struct Front {
    files: FileSystem,
    /// By bucket, then by key.
    etags: RwLock<HashMap<String, HashMap<String, ETag>>>,
}

impl Front {
    fn remember(&self, bucket: String, key: String, etag: Option<&ETag>) {
        if let Some(etag) = etag {
            let mut etags = self.etags.write().unwrap_or_else(PoisonError::into_inner);
            etags.entry(bucket).or_default().insert(key, etag.clone());
        }
    }

    fn add(&self, bucket: &str, objects: Option<&mut Vec<Object>>) {
        let etags = self.etags.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = etags.get(bucket) else { return };
        for object in objects.into_iter().flatten() {
            object.e_tag = object.key.as_ref().and_then(|key| known.get(key)).cloned();
        }
    }
}

#[async_trait::async_trait]
impl S3 for Front {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let answer = self.files.put_object(request).await?;
        self.remember(bucket, key, answer.output.e_tag.as_ref());
        Ok(answer)
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let answer = self.files.copy_object(request).await?;
        let result = answer.output.copy_object_result.as_ref();
        self.remember(bucket, key, result.and_then(|result| result.e_tag.as_ref()));
        Ok(answer)
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let answer = self.files.complete_multipart_upload(request).await?;
        self.remember(bucket, key, answer.output.e_tag.as_ref());
        Ok(answer)
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let bucket = request.input.bucket.clone();
        let mut answer = self.files.list_objects(request).await?;
        self.add(&bucket, answer.output.contents.as_mut());
        Ok(answer)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let bucket = request.input.bucket.clone();
        let mut answer = self.files.list_objects_v2(request).await?;
        self.add(&bucket, answer.output.contents.as_mut());
        Ok(answer)
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(request).await
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(request).await
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(request).await
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.files.get_bucket_location(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.files.get_object(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.files.create_multipart_upload(request).await
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.files.upload_part(request).await
    }

    async fn upload_part_copy(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.files.upload_part_copy(request).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("name the directory that keeps the objects")?;
    let files = FileSystem::new(directory).map_err(|error| format!("{error:?}"))?;
    let mut builder = S3ServiceBuilder::new(Front { files, etags: RwLock::default() });
    builder.set_auth(SimpleAuth::from_single("bench", "benchbench"));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;

    // Whoever started it holds the other end: it never outlives the benchmark.
    let mut ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
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
