//! The S3 protocol on top of the store. Each group of operations has its own file. An unsupported operation is rejected
//! by name, never ignored.

mod backend;
mod buckets;
mod deletes;
mod exposure;
mod keys;
mod lists;
mod parts;
mod reads;
mod request;
mod writes;

use s3s::{
    S3, S3Request, S3Response, S3Result,
    dto::*,
    host::{S3Host, VirtualHost},
    service::{S3Service, S3ServiceBuilder},
};

use self::backend::EmulatedS3;
use super::{access::Authorizer, store::ObjectStore};
use crate::http::bucket_of_host;
use crate::iam::IamService;

/// The S3 service with authentication and authorization.
pub(crate) fn service(store: ObjectStore, iam: IamService) -> S3Service {
    let authorizer = Authorizer::new(store.clone(), iam);
    let mut builder = S3ServiceBuilder::new(EmulatedS3 { store, authorizer: authorizer.clone() });
    builder.set_auth(authorizer.clone());
    builder.set_access(authorizer);
    builder.set_host(Hosts);
    builder.build()
}

/// Both forms of addresses: `s3.…/bucket/key` and `bucket.s3.…/key`.
struct Hosts;

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let address = VirtualHost::new(host);
        Ok(match bucket_of_host(host) {
            Some(bucket) => address.with_bucket(bucket),
            None => address,
        })
    }
}

/// Implements each operation by the function of its name in a group.
macro_rules! operations {
    ($($name:ident: $group:ident($input:ty) -> $output:ty;)+) => {
        #[async_trait::async_trait]
        impl S3 for EmulatedS3 {
            $(async fn $name(&self, req: S3Request<$input>) -> S3Result<S3Response<$output>> {
                $group::$name(self, req).await.map_err(Into::into)
            })+
        }
    };
}

operations! {
    list_buckets: buckets(ListBucketsInput) -> ListBucketsOutput;
    create_bucket: buckets(CreateBucketInput) -> CreateBucketOutput;
    delete_bucket: buckets(DeleteBucketInput) -> DeleteBucketOutput;
    head_bucket: buckets(HeadBucketInput) -> HeadBucketOutput;
    get_bucket_location: buckets(GetBucketLocationInput) -> GetBucketLocationOutput;
    get_bucket_versioning: buckets(GetBucketVersioningInput) -> GetBucketVersioningOutput;
    put_bucket_versioning: buckets(PutBucketVersioningInput) -> PutBucketVersioningOutput;
    get_bucket_encryption: buckets(GetBucketEncryptionInput) -> GetBucketEncryptionOutput;
    put_bucket_encryption: buckets(PutBucketEncryptionInput) -> PutBucketEncryptionOutput;
    get_bucket_website: buckets(GetBucketWebsiteInput) -> GetBucketWebsiteOutput;
    put_bucket_website: buckets(PutBucketWebsiteInput) -> PutBucketWebsiteOutput;
    delete_bucket_website: buckets(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput;
    get_bucket_ownership_controls: buckets(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput;
    put_bucket_ownership_controls: buckets(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput;
    get_bucket_policy: exposure(GetBucketPolicyInput) -> GetBucketPolicyOutput;
    put_bucket_policy: exposure(PutBucketPolicyInput) -> PutBucketPolicyOutput;
    delete_bucket_policy: exposure(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput;
    get_bucket_policy_status: exposure(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput;
    get_public_access_block: exposure(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput;
    put_public_access_block: exposure(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput;
    get_bucket_acl: exposure(GetBucketAclInput) -> GetBucketAclOutput;
    list_objects: lists(ListObjectsInput) -> ListObjectsOutput;
    list_objects_v2: lists(ListObjectsV2Input) -> ListObjectsV2Output;
    get_object: reads(GetObjectInput) -> GetObjectOutput;
    head_object: reads(HeadObjectInput) -> HeadObjectOutput;
    get_object_attributes: reads(GetObjectAttributesInput) -> GetObjectAttributesOutput;
    get_object_tagging: reads(GetObjectTaggingInput) -> GetObjectTaggingOutput;
    put_object: writes(PutObjectInput) -> PutObjectOutput;
    copy_object: writes(CopyObjectInput) -> CopyObjectOutput;
    put_object_tagging: writes(PutObjectTaggingInput) -> PutObjectTaggingOutput;
    delete_object_tagging: writes(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput;
    delete_object: deletes(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects: deletes(DeleteObjectsInput) -> DeleteObjectsOutput;
    create_multipart_upload: parts(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part: parts(UploadPartInput) -> UploadPartOutput;
    upload_part_copy: parts(UploadPartCopyInput) -> UploadPartCopyOutput;
    list_parts: parts(ListPartsInput) -> ListPartsOutput;
    list_multipart_uploads: parts(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
    complete_multipart_upload: parts(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    abort_multipart_upload: parts(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
}
