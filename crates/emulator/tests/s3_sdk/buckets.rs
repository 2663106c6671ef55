//! Settings of buckets: default encryption, versioning, another region, another owner.

use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumMode, Delete, ObjectIdentifier, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};

use crate::*;

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d";

async fn encrypt(client: &Client) {
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id(KEY)
        .build()
        .unwrap();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .bucket_key_enabled(true)
        .build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    let put = client.put_bucket_encryption().bucket(BUCKET).server_side_encryption_configuration(configuration);
    put.send().await.unwrap();
}

#[tokio::test]
async fn a_bucket_encrypts_objects_by_default() {
    let (_account, client) = site().await;
    let encryption = client.get_bucket_encryption().bucket(BUCKET).send().await.unwrap();
    let rule = &encryption.server_side_encryption_configuration.unwrap().rules[0];
    let by_default = rule.apply_server_side_encryption_by_default.as_ref().unwrap();
    assert_eq!(by_default.sse_algorithm, ServerSideEncryption::Aes256);

    encrypt(&client).await;
    put(&client, "page", b"hello").await;
    let head = client.head_object().bucket(BUCKET).key("page").send().await.unwrap();
    assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
    assert_eq!((head.ssekms_key_id(), head.bucket_key_enabled()), (Some(KEY), Some(true)));
    assert_ne!(head.e_tag(), Some(quoted(&md5_hex(b"hello")).as_str()));
    // A request that names an encryption gets it.
    let own = client.put_object().bucket(BUCKET).key("own").server_side_encryption(ServerSideEncryption::Aes256);
    assert_eq!(own.send().await.unwrap().ssekms_key_id(), None);
}

#[tokio::test]
async fn a_customer_managed_key_needs_its_own_permissions() {
    let (account, root) = site().await;
    encrypt(&root).await;
    put(&root, "page", b"hello").await;
    let user = |name: &str, actions: &str| {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":"*"}}]}}"#
        );
        account.iam().create_user(name, &[("actions", &policy)]).unwrap();
        client(&account, account.iam().create_access_key(name).unwrap().credentials())
    };
    let without = user("without", r#""s3:*""#);
    let write = without.put_object().bucket(BUCKET).key("new").body(ByteStream::from_static(b"x")).send().await;
    let message = write.as_ref().unwrap_err().message().unwrap_or_default().to_owned();
    assert_eq!(failure(write), (403, "AccessDenied".to_owned()));
    assert!(message.contains("kms:GenerateDataKey") && message.contains(KEY), "{message}");
    assert_eq!(failure(without.get_object().bucket(BUCKET).key("page").send().await).0, 403);
    let with_checksum = without.head_object().bucket(BUCKET).key("page").checksum_mode(ChecksumMode::Enabled);
    assert_eq!(failure(with_checksum.send().await).0, 403);
    without.head_object().bucket(BUCKET).key("page").send().await.unwrap();
    assert_eq!(failure(without.copy_object().bucket(BUCKET).key("b").copy_source("site/page").send().await).0, 403);

    let with = user("with", r#""s3:*","kms:GenerateDataKey","kms:Decrypt""#);
    assert_eq!(body(&with, "page").await, b"hello");
    with.copy_object().bucket(BUCKET).key("b").copy_source("site/page").send().await.unwrap();
}

#[tokio::test]
async fn a_versioned_bucket_returns_versions_and_delete_markers() {
    let (account, client) = site().await;
    assert_eq!(client.get_bucket_versioning().bucket(BUCKET).send().await.unwrap().status(), None);
    put(&client, "page", b"0").await;
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(enabled).send().await.unwrap();
    let status = client.get_bucket_versioning().bucket(BUCKET).send().await.unwrap();
    assert_eq!(status.status(), Some(&BucketVersioningStatus::Enabled));

    let write =
        client.put_object().bucket(BUCKET).key("page").body(ByteStream::from_static(b"1")).send().await.unwrap();
    let head = client.head_object().bucket(BUCKET).key("page").send().await.unwrap();
    assert_eq!(head.version_id(), write.version_id());
    assert!(head.version_id().is_some());
    let gone = client.delete_object().bucket(BUCKET).key("page").send().await.unwrap();
    assert_eq!((gone.delete_marker(), gone.version_id().is_some()), (Some(true), true));
    assert_eq!(failure(client.head_object().bucket(BUCKET).key("page").send().await).0, 404);
    // Deleting a deleted object creates another marker.
    let key = ObjectIdentifier::builder().key("page").build().unwrap();
    let keys = Delete::builder().objects(key).build().unwrap();
    let again = client.delete_objects().bucket(BUCKET).delete(keys).send().await.unwrap();
    assert_eq!(again.deleted()[0].delete_marker(), Some(true));
    let versions: Vec<Option<u64>> = account
        .s3()
        .versions(BUCKET, "page")
        .unwrap()
        .iter()
        .map(|version| version.object.as_ref().map(|object| object.size))
        .collect();
    assert_eq!(versions, [Some(1), Some(1), None, None]);
    assert_eq!(failure(client.delete_bucket().bucket(BUCKET).send().await), (409, "BucketNotEmpty".to_owned()));
}

#[tokio::test]
async fn reports_the_region_of_a_bucket_and_denies_buckets_of_others() {
    let (account, client) = site().await;
    account.s3().set_region(BUCKET, "eu-west-1").await.unwrap();
    let moved = client.head_object().bucket(BUCKET).key("page").send().await.unwrap_err();
    let answer = moved.raw_response().unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get("x-amz-bucket-region")), (301, Some("eu-west-1")));
    let list = client.list_objects_v2().bucket(BUCKET).send().await;
    assert_eq!(failure(list), (301, "PermanentRedirect".to_owned()));
    account.s3().set_region(BUCKET, "us-east-1").await.unwrap();
    client.list_objects_v2().bucket(BUCKET).send().await.unwrap();

    account.s3().set_owner(BUCKET, "999999999999").await.unwrap();
    let list = client.list_objects_v2().bucket(BUCKET).send().await;
    assert_eq!(failure(list), (403, "AccessDenied".to_owned()));
}
