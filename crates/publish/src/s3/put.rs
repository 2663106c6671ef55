//! Writing bodies: one request below 64 MiB, parts above.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption};
use aws_smithy_runtime_api::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, FuturesUnordered, StreamExt, TryStreamExt};
use http_body::Frame;
use http_body_util::StreamBody;
use tidegate_core::headers::{ObjectHeader, ObjectHeaders};
use tidegate_core::identity::{ContentIdentity, ETag};
use tidegate_core::listing::PreservedAttributes;
use tidegate_core::location::Location;
use tidegate_core::manifest::next::WrittenObject;
use tidegate_core::put_options::{MULTIPART_BYTES, ObjectSettings, SHA256_METADATA, part_bytes};
use tidegate_core::redirect::RedirectTarget;

use super::condition::PutCondition;
use super::{S3, whole};
use crate::aws_error::AwsError;

/// Parts of one body in flight: memory is this times the size of a part.
const PARTS_IN_FLIGHT: usize = 3;

/// Opens a body from its start; called again for each attempt.
pub(crate) type Opener = Arc<dyn Fn() -> BoxStream<'static, io::Result<Bytes>> + Send + Sync>;

/// The bytes of a body.
#[derive(Clone)]
pub(crate) enum BodyBytes {
    /// In memory.
    Whole(Bytes),
    /// Read again for each attempt.
    Streamed(Opener),
}

/// What an object is written with, besides its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PutOptions<'a> {
    /// Headers and metadata.
    pub headers: &'a ObjectHeaders,
    /// Where it redirects.
    pub redirect: Option<&'a RedirectTarget>,
    /// The site's settings.
    pub settings: &'a ObjectSettings,
}

/// What is known of an object that was written with `dress`, by S3's answer.
pub(super) fn written(
    etag: Option<&str>,
    encryption: Option<&ServerSideEncryption>,
    kms_key: Option<&str>,
    dress: PutOptions<'_>,
) -> WrittenObject {
    let keeping = PreservedAttributes {
        storage_class: dress.settings.storage_class.clone().filter(|class| class != "STANDARD"),
        encryption: encryption.map(|kind| kind.as_str().to_owned()),
        kms_key: kms_key.map(str::to_owned),
    };
    WrittenObject { etag: ETag::new(etag.unwrap_or_default()), attributes: keeping }
}

/// Applies the same setters to the builders of `PutObject`, `CreateMultipartUpload` and `CopyObject`, which share names
/// and no trait.
macro_rules! dressed {
    ($builder:expr, $dress:expr, $extra:expr) => {{
        let dress: $crate::s3::put::PutOptions<'_> = $dress;
        let system = |name| dress.headers.get(name).map(str::to_owned);
        $builder
            .set_cache_control(system(ObjectHeader::CacheControl))
            .set_content_disposition(system(ObjectHeader::ContentDisposition))
            .set_content_encoding(system(ObjectHeader::ContentEncoding))
            .set_content_language(system(ObjectHeader::ContentLanguage))
            .set_content_type(system(ObjectHeader::ContentType))
            .set_website_redirect_location(dress.redirect.map(|target| target.as_str().to_owned()))
            .set_acl(dress.settings.acl.as_deref().map(aws_sdk_s3::types::ObjectCannedAcl::from))
            .set_server_side_encryption(
                dress.settings.encryption.as_deref().map(aws_sdk_s3::types::ServerSideEncryption::from),
            )
            .set_ssekms_key_id(dress.settings.kms_key.clone())
            .set_storage_class(dress.settings.storage_class.as_deref().map(aws_sdk_s3::types::StorageClass::from))
            .set_metadata(
                Some(
                    dress
                        .headers
                        .metadata()
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .chain($extra)
                        .collect::<std::collections::HashMap<String, String>>(),
                )
                .filter(|metadata| !metadata.is_empty()),
            )
    }};
}
pub(super) use dressed;

/// `expires` goes out as the text that was configured: the SDK would only take a date, and write it anew.
pub(super) fn expires(headers: &ObjectHeaders) -> impl Fn(&mut Request) + Send + Sync + 'static {
    let value = headers.get(ObjectHeader::Expires).map(str::to_owned);
    move |request| {
        if let Some(value) = &value {
            request.headers_mut().insert("expires", value.clone());
        }
    }
}

impl S3 {
    /// Writes one object. `identity.sha256`, where it is known, goes along: S3 refuses a body that does not have it, and
    /// keeps it for the next comparison.
    ///
    /// # Errors
    /// [`AwsError`]; an upload in parts that fails is aborted first.
    pub(crate) async fn put(
        &self,
        to: &Location,
        key: &str,
        body: BodyBytes,
        size: u64,
        identity: &ContentIdentity,
        dress: PutOptions<'_>,
    ) -> Result<WrittenObject, AwsError> {
        if size >= MULTIPART_BYTES {
            return self.put_parts(to, key, body, size, identity, dress).await;
        }
        let (body, broken) = noting(body);
        let request = self
            .client
            .put_object()
            .bucket(to.bucket.as_str())
            .key(whole(to, key))
            .content_length(i64::try_from(size).unwrap_or(i64::MAX))
            .set_checksum_sha256(identity.sha256.map(|digest| STANDARD.encode(digest)))
            .body(byte_stream(body));
        let answer = dressed!(request, dress, [])
            .customize()
            .mutate_request(expires(dress.headers))
            // The checksum above covers the body, so signing it would hash it twice.
            .disable_payload_signing()
            .send()
            .await
            .map_err(|error| broken.explain(AwsError::new("PutObject", key, &error)))?;
        Ok(written(answer.e_tag(), answer.server_side_encryption(), answer.ssekms_key_id(), dress))
    }

    async fn put_parts(
        &self,
        to: &Location,
        key: &str,
        body: BodyBytes,
        size: u64,
        identity: &ContentIdentity,
        dress: PutOptions<'_>,
    ) -> Result<WrittenObject, AwsError> {
        // The ETag of parts is no MD5 and S3 has no SHA-256 over parts, so the digest is kept as metadata.
        let kept = identity.sha256.map(|digest| (SHA256_METADATA.to_owned(), hex::encode(digest)));
        let upload = self.create_upload(to, key, dress, kept, None).await?;
        let parts = self.upload_parts(to, key, &upload, body, size).await;
        self.finish_upload(to, key, &upload, parts, dress, PutCondition::Whatever).await
    }

    /// Starts an upload in parts and returns its id. `tags` is a query, `name=value&…`.
    pub(super) async fn create_upload(
        &self,
        to: &Location,
        key: &str,
        dress: PutOptions<'_>,
        extra: impl IntoIterator<Item = (String, String)>,
        tags: Option<String>,
    ) -> Result<String, AwsError> {
        let request =
            self.client.create_multipart_upload().bucket(to.bucket.as_str()).key(whole(to, key)).set_tagging(tags);
        let answer = dressed!(request, dress, extra)
            .customize()
            .mutate_request(expires(dress.headers))
            .send()
            .await
            .map_err(|error| AwsError::new("CreateMultipartUpload", key, &error))?;
        answer.upload_id.ok_or_else(|| AwsError::malformed("CreateMultipartUpload", key, "the answer has no upload id"))
    }

    /// Completes an upload, or aborts it where a part failed.
    pub(super) async fn finish_upload<E: From<AwsError>>(
        &self,
        to: &Location,
        key: &str,
        upload: &str,
        parts: Result<Vec<CompletedPart>, E>,
        dress: PutOptions<'_>,
        condition: PutCondition<'_>,
    ) -> Result<WrittenObject, E> {
        let finished = match parts {
            Ok(mut parts) => {
                parts.sort_by_key(CompletedPart::part_number);
                let request = self.client.complete_multipart_upload();
                let request = match condition {
                    PutCondition::Absent => request.if_none_match("*"),
                    PutCondition::Is(etag) => request.if_match(etag.quoted()),
                    PutCondition::Whatever => request,
                };
                request
                    .bucket(to.bucket.as_str())
                    .key(whole(to, key))
                    .upload_id(upload)
                    .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
                    .send()
                    .await
                    .map(|answer| {
                        written(answer.e_tag(), answer.server_side_encryption(), answer.ssekms_key_id(), dress)
                    })
                    .map_err(|error| AwsError::new("CompleteMultipartUpload", key, &error).into())
            }
            Err(error) => Err(error),
        };
        if finished.is_err() {
            let aborted = self
                .client
                .abort_multipart_upload()
                .bucket(to.bucket.as_str())
                .key(whole(to, key))
                .upload_id(upload)
                .send()
                .await;
            if let Err(error) = aborted {
                let error = AwsError::new("AbortMultipartUpload", key, &error);
                tracing::warn!(%error, "parts of an upload may be left, a lifecycle rule for incomplete uploads removes them");
            }
        }
        finished
    }

    async fn upload_parts(
        &self,
        to: &Location,
        key: &str,
        upload: &str,
        body: BodyBytes,
        size: u64,
    ) -> Result<Vec<CompletedPart>, AwsError> {
        let broken = |error: io::Error| AwsError::malformed("UploadPart", key, error.to_string());
        let mut stream = match body {
            BodyBytes::Whole(bytes) => futures::stream::iter([Ok(bytes)]).boxed(),
            BodyBytes::Streamed(open) => open(),
        };
        let length = usize::try_from(part_bytes(size)).unwrap_or(usize::MAX);
        let (mut done, mut flying) = (Vec::new(), FuturesUnordered::new());
        let (mut buffer, mut number, mut left) = (BytesMut::new(), 0, size);
        loop {
            let next = stream.try_next().await.map_err(broken)?;
            let last = next.is_none();
            buffer.extend_from_slice(&next.unwrap_or_default());
            while buffer.len() >= length || (last && !buffer.is_empty()) {
                let part = buffer.split_to(length.min(buffer.len())).freeze();
                left = left.checked_sub(part.len() as u64).ok_or_else(|| {
                    AwsError::malformed("UploadPart", key, "the source gives more bytes than it announced")
                })?;
                number += 1;
                while flying.len() >= PARTS_IN_FLIGHT {
                    done.extend(flying.try_next().await?);
                }
                flying.push(self.upload_part(to, key, upload, number, part));
            }
            if last {
                break;
            }
        }
        if left != 0 {
            return Err(AwsError::malformed("UploadPart", key, "the source gives fewer bytes than it announced"));
        }
        while let Some(part) = flying.try_next().await? {
            done.push(part);
        }
        Ok(done)
    }

    pub(super) async fn upload_part(
        &self,
        to: &Location,
        key: &str,
        upload: &str,
        number: i32,
        bytes: Bytes,
    ) -> Result<CompletedPart, AwsError> {
        let answer = self
            .client
            .upload_part()
            .bucket(to.bucket.as_str())
            .key(whole(to, key))
            .upload_id(upload)
            .part_number(number)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| AwsError::new("UploadPart", key, &error))?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag).build())
    }
}

/// What a streamed body broke off with. S3 only sees that bytes are missing.
struct BrokenBody(Arc<Mutex<Option<String>>>);

/// The same body, which notes why it breaks off.
fn noting(body: BodyBytes) -> (BodyBytes, BrokenBody) {
    let note: Arc<Mutex<Option<String>>> = Arc::default();
    let broken = BrokenBody(Arc::clone(&note));
    let body = match body {
        BodyBytes::Whole(bytes) => BodyBytes::Whole(bytes),
        BodyBytes::Streamed(open) => BodyBytes::Streamed(Arc::new(move || {
            let note = Arc::clone(&note);
            // Another attempt: what an earlier one broke off with does not count.
            note.lock().unwrap_or_else(PoisonError::into_inner).take();
            let told = move |error: &io::Error| {
                *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            };
            open().inspect_err(told).boxed()
        })),
    };
    (body, broken)
}

impl BrokenBody {
    /// Gives the source's reason where it has one. Such a body never ends, so nothing was written, whether S3 answered or not.
    fn explain(self, error: AwsError) -> AwsError {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(why) => {
                let code = error.code.or_else(|| Some("IncompleteBody".to_owned()));
                AwsError { code, why: crate::aws_error::plain(&why), ..error }
            }
            None => error,
        }
    }
}

fn byte_stream(body: BodyBytes) -> ByteStream {
    match body {
        BodyBytes::Whole(bytes) => ByteStream::from(bytes),
        BodyBytes::Streamed(open) => ByteStream::new(SdkBody::retryable(move || {
            let frames = open().map_ok(Frame::data).map_err(Box::<dyn std::error::Error + Send + Sync>::from);
            SdkBody::from_body_1_x(StreamBody::new(sync(frames)))
        })),
    }
}

/// SDK bodies must be `Sync`; a stream that is polled from one task at a time is, behind a lock that never waits.
fn sync<T: Send + 'static>(
    stream: impl futures::Stream<Item = T> + Send + 'static,
) -> impl futures::Stream<Item = T> + Send + Sync + 'static {
    let stream = Mutex::new(stream.boxed());
    futures::stream::poll_fn(move |context| match stream.lock() {
        Ok(mut stream) => stream.poll_next_unpin(context),
        Err(poisoned) => poisoned.into_inner().poll_next_unpin(context),
    })
}
