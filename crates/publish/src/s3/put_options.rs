//! What an object is written with, besides its bytes: headers, metadata, redirect and settings.

use aws_sdk_s3::types::ServerSideEncryption;
use aws_smithy_runtime_api::http::Request;
use tidegate_core::headers::{ObjectHeader, ObjectHeaders};
use tidegate_core::identity::ETag;
use tidegate_core::listing::PreservedAttributes;
use tidegate_core::manifest::written::WrittenObject;
use tidegate_core::put_options::ObjectSettings;
use tidegate_core::redirect::RedirectTarget;

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

impl PutOptions<'_> {
    /// What is known about an object that was written with these options, from S3's response.
    pub(super) fn written(
        self,
        etag: Option<&str>,
        encryption: Option<&ServerSideEncryption>,
        kms_key: Option<&str>,
    ) -> WrittenObject {
        let attributes = PreservedAttributes {
            storage_class: self.settings.storage_class.clone().filter(|class| class != "STANDARD"),
            encryption: encryption.map(|kind| kind.as_str().to_owned()),
            kms_key: kms_key.map(str::to_owned),
        };
        WrittenObject { etag: ETag::new(etag.unwrap_or_default()), attributes }
    }

    /// Sends `expires` as the text that was configured. The SDK only takes a date, and would format it differently.
    pub(super) fn expires(self) -> impl Fn(&mut Request) + Send + Sync + 'static {
        let value = self.headers.get(ObjectHeader::Expires).map(str::to_owned);
        move |request| {
            if let Some(value) = &value {
                request.headers_mut().insert("expires", value.clone());
            }
        }
    }
}

/// Applies [`PutOptions`] and further metadata to a request builder. The builders of `PutObject`,
/// `CreateMultipartUpload` and `CopyObject` have the same methods, but no common trait.
macro_rules! with_put_options {
    ($builder:expr, $options:expr, $metadata:expr) => {{
        let options: $crate::s3::put_options::PutOptions<'_> = $options;
        let system = |name| options.headers.get(name).map(str::to_owned);
        $builder
            .set_cache_control(system(ObjectHeader::CacheControl))
            .set_content_disposition(system(ObjectHeader::ContentDisposition))
            .set_content_encoding(system(ObjectHeader::ContentEncoding))
            .set_content_language(system(ObjectHeader::ContentLanguage))
            .set_content_type(system(ObjectHeader::ContentType))
            .set_website_redirect_location(options.redirect.map(|target| target.as_str().to_owned()))
            .set_acl(options.settings.acl.as_deref().map(aws_sdk_s3::types::ObjectCannedAcl::from))
            .set_server_side_encryption(
                options.settings.encryption.as_deref().map(aws_sdk_s3::types::ServerSideEncryption::from),
            )
            .set_ssekms_key_id(options.settings.kms_key.as_ref().map(ToString::to_string))
            .set_storage_class(options.settings.storage_class.as_deref().map(aws_sdk_s3::types::StorageClass::from))
            .set_metadata(
                Some(
                    options
                        .headers
                        .metadata()
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .chain($metadata)
                        .collect::<std::collections::HashMap<String, String>>(),
                )
                .filter(|metadata| !metadata.is_empty()),
            )
    }};
}
pub(super) use with_put_options;
