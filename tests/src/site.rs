//! What a bucket holds, as a value that can be written down: for `site.toml` and `expected-site.toml` of the cases, and
//! for comparisons.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption, StorageClass};
use serde::{Deserialize, Serialize};
use tidegate_emulator::LocalAws;

use crate::body;

/// One object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SiteObject {
    /// Its whole key in the bucket.
    pub key: String,
    /// Its text; where it has none that can be read, `size` and `digest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What the bytes are made from; only to seed.
    #[serde(skip_serializing)]
    pub seed: u64,
    /// A short digest of the bytes; only to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `Content-Type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Content-Encoding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Expires`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// Storage class, where it is not `STANDARD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Encryption, where it is not `AES256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The KMS key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Size of the parts that it is uploaded in; afterwards, how many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<u64>,
    /// User metadata.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Everything in a bucket, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteState {
    /// In the order of their keys' bytes.
    #[serde(rename = "object")]
    pub objects: Vec<SiteObject>,
}

impl SiteObject {
    /// An object with nothing but a text.
    #[must_use]
    pub fn text(key: &str, body: &str) -> Self {
        Self { key: key.to_owned(), body: Some(body.to_owned()), ..Self::default() }
    }

    /// The bytes that it describes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        body::bytes(self.body.as_deref(), self.size, self.seed)
    }

    /// Puts it into a bucket, as some other tool would.
    pub async fn seed(&self, client: &Client, bucket: &str) {
        let metadata = Some(self.metadata.clone().into_iter().collect());
        let tags: Vec<String> = self.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let tags = Some(tags.join("&")).filter(|tags| !tags.is_empty());
        macro_rules! dressed {
            ($builder:expr) => {
                $builder
                    .bucket(bucket)
                    .key(&self.key)
                    .set_content_type(self.content_type.clone())
                    .set_cache_control(self.cache_control.clone())
                    .set_content_encoding(self.content_encoding.clone())
                    .set_content_disposition(self.content_disposition.clone())
                    .set_content_language(self.content_language.clone())
                    .set_website_redirect_location(self.redirect.clone())
                    .set_storage_class(self.storage_class.as_deref().map(StorageClass::from))
                    .set_server_side_encryption(self.encryption.as_deref().map(ServerSideEncryption::from))
                    .set_ssekms_key_id(self.kms_key.clone())
                    .set_metadata(metadata)
                    .set_tagging(tags)
            };
        }
        let bytes = self.bytes();
        let Some(part) = self.parts else {
            dressed!(client.put_object()).body(ByteStream::from(bytes)).send().await.unwrap();
            return;
        };
        let upload = dressed!(client.create_multipart_upload()).send().await.unwrap().upload_id.unwrap();
        let mut done = Vec::new();
        for (number, chunk) in (1..).zip(bytes.chunks(usize::try_from(part).unwrap())) {
            let sent = client.upload_part().bucket(bucket).key(&self.key).upload_id(&upload).part_number(number);
            let sent = sent.body(ByteStream::from(chunk.to_vec())).send().await.unwrap();
            done.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
        }
        let whole = CompletedMultipartUpload::builder().set_parts(Some(done)).build();
        let finish = client.complete_multipart_upload().bucket(bucket).key(&self.key).upload_id(upload);
        finish.multipart_upload(whole).send().await.unwrap();
    }
}

impl SiteState {
    /// Reads it from TOML.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        toml::from_str(text).unwrap()
    }

    /// Puts all of it into a bucket.
    pub async fn seed(&self, client: &Client, bucket: &str) {
        for object in &self.objects {
            object.seed(client, bucket).await;
        }
    }

    /// What a bucket of the stand-in holds.
    pub async fn of(account: &LocalAws, bucket: &str) -> Self {
        let mut objects = Vec::new();
        for (key, info) in account.s3().list(bucket, "").unwrap() {
            let bytes = account.s3().get(bucket, &key).unwrap().content.bytes().await.unwrap();
            let text = std::str::from_utf8(&bytes)
                .ok()
                .filter(|text| text.len() <= 200 && text.chars().all(|c| !c.is_control() || c == '\n'));
            let mut metadata = info.headers.metadata;
            // Under KMS an ETag is another one in every run.
            if let Some(etag) = metadata.get_mut("tidegate-source-etag").filter(|etag| etag.len() == 32) {
                "(an ETag)".clone_into(etag);
            }
            objects.push(SiteObject {
                key,
                body: text.map(str::to_owned),
                size: text.is_none().then_some(info.size),
                seed: 0,
                digest: text.is_none().then(|| body::digest(&bytes)),
                content_type: info.headers.content_type,
                cache_control: info.headers.cache_control,
                content_encoding: info.headers.content_encoding,
                content_disposition: info.headers.content_disposition,
                content_language: info.headers.content_language,
                expires: info.headers.expires,
                redirect: info.headers.website_redirect,
                storage_class: Some(info.storage_class).filter(|class| class != "STANDARD"),
                encryption: Some(info.encryption.algorithm).filter(|algorithm| algorithm != "AES256"),
                kms_key: info.encryption.kms_key,
                parts: Some(info.parts.len() as u64).filter(|parts| *parts > 0),
                metadata,
                tags: info.tags,
            });
        }
        Self { objects }
    }

    /// The object under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&SiteObject> {
        self.objects.iter().find(|object| object.key == key)
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        self.objects.iter().map(|object| object.key.as_str()).collect()
    }
}
