//! A bucket in memory that responds to an S3 client, with the faults that the tests need.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures::{FutureExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_core::identity::ETag;
use tidegate_publish::S3;

use crate::http::{Request, client, error, response};

/// A bucket in memory. ETags are the MD5 of the body, or what a test sets.
#[derive(Default)]
pub(crate) struct MemoryS3 {
    objects: Mutex<BTreeMap<String, (Bytes, ETag)>>,
    /// Objects per page.
    pub(crate) page: usize,
    /// The page, from 0, that fails.
    pub(crate) failing_page: Option<usize>,
    /// Whether `start-after` has no effect.
    pub(crate) ignores_start_after: bool,
    /// The requests for pages so far.
    pub(crate) lists: AtomicUsize,
    /// How many bytes are missing at the end of every body, without an error.
    pub(crate) cut: usize,
    /// How long every read takes.
    pub(crate) delay: Duration,
    /// The `Range` header of each read.
    pub(crate) reads: Mutex<Vec<Option<String>>>,
}

impl MemoryS3 {
    pub(crate) fn new(objects: &[(&str, &[u8])]) -> Self {
        let bucket = Self { page: 1000, ..Self::default() };
        for (key, body) in objects {
            bucket.put(key, body);
        }
        bucket
    }

    pub(crate) fn put(&self, key: &str, body: &[u8]) {
        use md5::Digest;
        let etag = hex::encode(md5::Md5::digest(body));
        self.put_with_etag(key, body, &etag);
    }

    pub(crate) fn put_with_etag(&self, key: &str, body: &[u8], etag: &str) {
        self.objects.lock().unwrap().insert(key.to_owned(), (Bytes::copy_from_slice(body), ETag::new(etag)));
    }

    /// A client of this bucket.
    pub(crate) fn client(self: &Arc<Self>) -> S3 {
        let bucket = Arc::clone(self);
        client(move |request| Arc::clone(&bucket).respond(request).boxed())
    }

    async fn respond(self: Arc<Self>, request: Request) -> HttpResponse {
        if request.key.is_empty() {
            return self.list(&request);
        }
        let is_get = request.method == "GET";
        if is_get {
            self.reads.lock().unwrap().push(request.header("range").map(str::to_owned));
            tokio::time::sleep(self.delay).await;
        }
        let found = self.objects.lock().unwrap().get(&request.key).cloned();
        let Some((body, etag)) = found else { return error(404, "NoSuchKey") };
        if request.header("if-match").is_some_and(|expected| expected != etag.quoted()) {
            return error(412, "PreconditionFailed");
        }
        let mut reply = if is_get { self.read(&request, &body) } else { response(200, SdkBody::empty()) };
        if !is_get {
            reply.headers_mut().insert("content-length", body.len().to_string());
        }
        reply.headers_mut().insert("etag", etag.quoted());
        reply
    }

    fn list(&self, request: &Request) -> HttpResponse {
        assert_eq!(request.query["encoding-type"], "url");
        self.lists.fetch_add(1, Ordering::Relaxed);
        let prefix = request.query.get("prefix").map_or("", String::as_str);
        let objects = self.objects.lock().unwrap();
        let below: Vec<_> = objects.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
        let after = request.query.get("start-after").filter(|_| !self.ignores_start_after);
        let first = after.map_or(0, |after| below.partition_point(|(key, _)| *key <= after));
        let start: usize = request.query.get("continuation-token").map_or(first, |token| token.parse().unwrap());
        if self.failing_page == Some(start / self.page) {
            return error(503, "SlowDown");
        }
        let mut xml = "<ListBucketResult><EncodingType>url</EncodingType>".to_owned();
        for (key, (body, etag)) in below.iter().skip(start).take(self.page) {
            let (key, size) = (utf8_percent_encode(key, NON_ALPHANUMERIC), body.len());
            write!(xml, "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag></Contents>").unwrap();
        }
        if start + self.page < below.len() {
            let next = start + self.page;
            write!(xml, "<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>")
                .unwrap();
        }
        response(200, xml + "</ListBucketResult>")
    }

    /// The body or a range of it, in chunks and without a length, so that only the reader notices that it is cut short.
    fn read(&self, request: &Request, body: &Bytes) -> HttpResponse {
        let range = request.header("range").map_or(0..body.len(), |range| {
            let (start, end) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            start.parse().unwrap()..end.parse::<usize>().unwrap() + 1
        });
        assert!(range.end <= body.len(), "a range beyond the object");
        let end = range.end.saturating_sub(self.cut);
        let part = body.slice(range.start.min(end)..end);
        let chunks: Vec<_> =
            part.chunks(100_000).map(|chunk| Ok::<_, std::io::Error>(Frame::data(part.slice_ref(chunk)))).collect();
        let status = if request.header("range").is_some() { 206 } else { 200 };
        response(status, SdkBody::from_body_1_x(StreamBody::new(stream::iter(chunks))))
    }
}
