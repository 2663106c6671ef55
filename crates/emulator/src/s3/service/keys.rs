//! KMS keys of objects: checks the KMS permissions that a request needs beside those of S3. Nothing is encrypted.
//!
//! Only customer managed keys (`…:key/…`) are checked, since the key `aws/s3` can be used through S3 by its whole
//! account. A key's own policy is assumed to leave the decision to IAM, as the console writes it. Source: Amazon S3
//! User Guide, "Using server-side encryption with AWS KMS keys", "Permissions"; API Reference, HeadObject,
//! `x-amz-checksum-mode`.

use s3s::{S3Request, auth::Credentials};

use super::super::access::{Authorizer, bucket_arn, object_arn};
use super::super::error::S3Failure;
use super::super::object::{ObjectEncryption, ObjectName};
use super::backend::EmulatedS3;

impl Authorizer {
    /// Checks one action on the key of an object.
    pub(super) fn authorize_key(
        &self,
        credentials: Option<&Credentials>,
        object: &ObjectName,
        encryption: &ObjectEncryption,
        action: &str,
    ) -> Result<(), S3Failure> {
        match encryption.kms_key.as_deref().filter(|key| key.contains(":key/")) {
            // Source: AWS KMS Developer Guide, "kms:ViaService".
            Some(key) => {
                // Source: Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys", "Encryption context".
                let resource = match encryption.bucket_key {
                    Some(true) => bucket_arn(&object.bucket),
                    _ => object_arn(&object.bucket, &object.key),
                };
                let context = vec![
                    ("kms:ViaService".to_owned(), "s3.us-east-1.amazonaws.com".to_owned()),
                    ("kms:EncryptionContext:aws:s3:arn".to_owned(), resource),
                ];
                self.authorize(credentials, action, key, &context)
            }
            None => Ok(()),
        }
    }
}

impl EmulatedS3 {
    /// Checks that the caller may encrypt an object.
    pub(super) fn authorize_encrypt<T>(
        &self,
        request: &S3Request<T>,
        object: &ObjectName,
        encryption: &ObjectEncryption,
    ) -> Result<(), S3Failure> {
        self.authorizer.authorize_key(request.credentials.as_ref(), object, encryption, "kms:GenerateDataKey")
    }

    /// Checks that the caller may read an object or the checksum of its content.
    pub(super) fn authorize_decrypt<T>(
        &self,
        request: &S3Request<T>,
        object: &ObjectName,
        encryption: &ObjectEncryption,
    ) -> Result<(), S3Failure> {
        self.authorizer.authorize_key(request.credentials.as_ref(), object, encryption, "kms:Decrypt")
    }

    /// Checks that the caller may copy from an object. The copy itself reports a missing source.
    pub(super) fn authorize_decrypt_source<T>(
        &self,
        request: &S3Request<T>,
        source: &ObjectName,
    ) -> Result<(), S3Failure> {
        match self.store.head(&source.bucket, &source.key) {
            Ok(info) => self.authorize_decrypt(request, source, &info.encryption),
            Err(_) => Ok(()),
        }
    }
}
