//! Copies inside S3.

use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, MetadataDirective, ServerSideEncryption, StorageClass, TaggingDirective,
};
use tidegate_emulator::s3::StoreLimits;

use crate::*;

#[tokio::test]
async fn copies_headers_tags_and_metadata_only() {
    let (_account, client) = site().await;
    client
        .put_object()
        .bucket(BUCKET)
        .key("from")
        .body(ByteStream::from_static(b"hello"))
        .content_type("text/html")
        .cache_control("no-cache")
        .metadata("m", "1")
        .tagging("t=1")
        .website_redirect_location("/x")
        .storage_class(StorageClass::StandardIa)
        .send()
        .await
        .unwrap();
    let copied = client.copy_object().bucket(BUCKET).key("to").copy_source("site/from").send().await.unwrap();
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), Some(quoted(&md5_hex(b"hello")).as_str()));
    let head = client.head_object().bucket(BUCKET).key("to").send().await.unwrap();
    assert_eq!((head.content_type(), head.cache_control()), (Some("text/html"), Some("no-cache")));
    assert_eq!(head.metadata().unwrap()["m"], "1");
    // Neither the redirect nor the storage class is copied.
    assert_eq!((head.website_redirect_location(), head.storage_class()), (None, None));
    let tags = client.get_object_tagging().bucket(BUCKET).key("to").send().await.unwrap();
    assert_eq!(tags.tag_set().len(), 1);

    let replaced = client.copy_object().bucket(BUCKET).key("new").copy_source("/site/from");
    let replaced =
        replaced.metadata_directive(MetadataDirective::Replace).content_type("text/plain").metadata("n", "2");
    replaced
        .tagging_directive(TaggingDirective::Replace)
        .tagging("u=2")
        .website_redirect_location("/y")
        .send()
        .await
        .unwrap();
    let head = client.head_object().bucket(BUCKET).key("new").send().await.unwrap();
    assert_eq!((head.content_type(), head.cache_control()), (Some("text/plain"), None));
    assert_eq!((head.metadata().unwrap().get("m"), head.metadata().unwrap()["n"].as_str()), (None, "2"));
    assert_eq!(head.website_redirect_location(), Some("/y"));
    let tags = client.get_object_tagging().bucket(BUCKET).key("new").send().await.unwrap();
    assert_eq!(tags.tag_set()[0].key(), "u");
    assert_eq!(body(&client, "new").await, b"hello");
}

#[tokio::test]
async fn a_copy_onto_itself_must_change_an_attribute() {
    let (_account, client) = site().await;
    put(&client, "x", b"hello").await;
    let copy = || client.copy_object().bucket(BUCKET).key("x").copy_source("site/x");
    assert_eq!(failure(copy().send().await), (400, "InvalidRequest".to_owned()));
    copy().metadata_directive(MetadataDirective::Replace).cache_control("no-store").send().await.unwrap();
    let head = client.head_object().bucket(BUCKET).key("x").send().await.unwrap();
    assert_eq!(head.cache_control(), Some("no-store"));
    copy().storage_class(StorageClass::GlacierIr).send().await.unwrap();
    copy().server_side_encryption(ServerSideEncryption::AwsKms).send().await.unwrap();
    assert_eq!(body(&client, "x").await, b"hello");
    // Without KMS the ETag is the MD5 again, which the record did not contain.
    let copied = copy().server_side_encryption(ServerSideEncryption::Aes256).send().await.unwrap();
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), Some(quoted(&md5_hex(b"hello")).as_str()));
}

#[tokio::test]
async fn checks_conditions_on_source_and_destination() {
    let (_account, client) = site().await;
    let etag = put(&client, "from", b"1").await;
    let current = put(&client, "to", b"2").await;
    let copy = || client.copy_object().bucket(BUCKET).key("to").copy_source("site/from");
    assert_eq!(failure(copy().copy_source_if_match("\"no\"").send().await), (412, "PreconditionFailed".to_owned()));
    assert_eq!(failure(copy().copy_source_if_none_match(&etag).send().await), (412, "PreconditionFailed".to_owned()));
    assert_eq!(failure(copy().if_match("\"no\"").send().await), (412, "PreconditionFailed".to_owned()));
    assert_eq!(failure(copy().if_none_match("*").send().await), (412, "PreconditionFailed".to_owned()));
    assert_eq!(body(&client, "to").await, b"2");
    copy().copy_source_if_match(&etag).if_match(&current).send().await.unwrap();
    assert_eq!(body(&client, "to").await, b"1");
    let missing = client.copy_object().bucket(BUCKET).key("to").copy_source("site/none").send().await;
    assert_eq!(failure(missing), (404, "NoSuchKey".to_owned()));
    let missing = client.copy_object().bucket(BUCKET).key("to").copy_source("nowhere/none").send().await;
    assert_eq!(failure(missing), (404, "NoSuchBucket".to_owned()));
}

#[tokio::test]
async fn computes_checksums_on_request() {
    let (_account, client) = site().await;
    put(&client, "from", b"hello").await;
    let copy = client.copy_object().bucket(BUCKET).key("to").copy_source("site/from");
    let copied = copy.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    let sha256 = Some("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    assert_eq!(copied.copy_object_result().unwrap().checksum_sha256(), sha256);
    let head = client.head_object().bucket(BUCKET).key("to").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!((head.checksum_sha256(), head.checksum_crc32()), (sha256, None));
    client.copy_object().bucket(BUCKET).key("again").copy_source("site/to").send().await.unwrap();
    let head =
        client.head_object().bucket(BUCKET).key("again").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.checksum_sha256(), sha256);
}

#[tokio::test]
async fn rejects_a_source_above_the_limit() {
    let (account, client) = site().await;
    account.s3().set_limits(StoreLimits { copy_source: 4, ..StoreLimits::default() });
    put(&client, "four", b"1234").await;
    put(&client, "five", b"12345").await;
    client.copy_object().bucket(BUCKET).key("a").copy_source("site/four").send().await.unwrap();
    let rejected = client.copy_object().bucket(BUCKET).key("b").copy_source("site/five").send().await;
    assert_eq!(failure(rejected), (400, "InvalidRequest".to_owned()));
}

#[tokio::test]
async fn a_copy_outlives_its_source() {
    let directory = tempfile::tempdir().unwrap();
    let account = LocalAws::open(directory.path()).unwrap();
    account.s3().create_bucket(BUCKET).await.unwrap();
    let client = client(&account, account.root_credentials());
    let large = vec![3_u8; 200_000];
    for (key, bytes) in [("small", b"small".as_slice()), ("large", &large)] {
        put(&client, key, bytes).await;
        client
            .copy_object()
            .bucket(BUCKET)
            .key(format!("{key} copy"))
            .copy_source(format!("site/{key}"))
            .send()
            .await
            .unwrap();
        client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(body(&client, &format!("{key} copy")).await, bytes);
    }
    let files = || std::fs::read_dir(directory.path().join("bodies")).unwrap().count();
    assert_eq!(files(), 1);
    client.delete_object().bucket(BUCKET).key("large copy").send().await.unwrap();
    assert_eq!(files(), 0);
}
