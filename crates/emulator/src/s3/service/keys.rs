//! KMS keys of objects. Owns which permissions of KMS a request needs beside those of S3; encrypts nothing.
//!
//! Only keys that a customer manages are asked for (`…:key/…`): the key `aws/s3` lets everybody of its account use it
//! through S3. A key's own policy is taken to leave the decision to IAM, which is what the console writes. Source: Amazon S3
//! user guide, "Using server-side encryption with AWS KMS keys", "Permissions"; API reference, HeadObject,
//! `x-amz-checksum-mode`.

use s3s::{S3Request, auth::Credentials};

use super::EmulatedS3;
use crate::s3::access::Authorizer;
use crate::s3::{ObjectEncryption, S3Failure};

impl Authorizer {
    /// Asks for one action on the key of an object.
    pub(super) fn ask_key(
        &self,
        credentials: Option<&Credentials>,
        encryption: &ObjectEncryption,
        action: &str,
    ) -> Result<(), S3Failure> {
        match encryption.kms_key.as_deref().filter(|key| key.contains(":key/")) {
            // Source: AWS KMS developer guide, "kms:ViaService".
            Some(key) => {
                let context = vec![("kms:ViaService".to_owned(), "s3.us-east-1.amazonaws.com".to_owned())];
                self.ask(credentials, action, key, &context)
            }
            None => Ok(()),
        }
    }
}

impl EmulatedS3 {
    /// To encrypt an object.
    pub(super) fn ask_to_encrypt<T>(
        &self,
        request: &S3Request<T>,
        encryption: &ObjectEncryption,
    ) -> Result<(), S3Failure> {
        self.gate.ask_key(request.credentials.as_ref(), encryption, "kms:GenerateDataKey")
    }

    /// To read an object, or the checksum of its content.
    pub(super) fn ask_to_decrypt<T>(
        &self,
        request: &S3Request<T>,
        encryption: &ObjectEncryption,
    ) -> Result<(), S3Failure> {
        self.gate.ask_key(request.credentials.as_ref(), encryption, "kms:Decrypt")
    }

    /// To copy from an object. What else is wrong with the source is told by the copy itself.
    pub(super) fn ask_to_decrypt_source<T>(
        &self,
        request: &S3Request<T>,
        (bucket, key): &(String, String),
    ) -> Result<(), S3Failure> {
        match self.store.head(bucket, key) {
            Ok(info) => self.ask_to_decrypt(request, &info.encryption),
            Err(_) => Ok(()),
        }
    }
}
