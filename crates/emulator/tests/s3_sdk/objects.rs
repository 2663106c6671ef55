//! A single object: its headers, bytes, checksums and name.

use aws_sdk_s3::{
    primitives::{DateTime, DateTimeFormat},
    types::{ChecksumAlgorithm, ChecksumMode, ObjectAttributes, ServerSideEncryption, StorageClass},
};

use crate::*;

#[tokio::test]
async fn stores_headers_metadata_and_tags() {
    let (_account, client) = site().await;
    let expires = DateTime::from_str("Wed, 21 Oct 2026 07:28:00 GMT", DateTimeFormat::HttpDate).unwrap();
    client
        .put_object()
        .bucket(BUCKET)
        .key("page")
        .body(ByteStream::from_static(b"<h1>"))
        .content_type("text/html; charset=utf-8")
        .cache_control("no-cache")
        .content_disposition("inline; filename=\"a b\"")
        .content_encoding("br")
        .content_language("de, en")
        .expires(expires)
        .website_redirect_location("/elsewhere")
        .storage_class(StorageClass::IntelligentTiering)
        .metadata("tidegate-sha256", "abc")
        .metadata("Mixed-Case", "Value")
        .tagging("team=docs&a%20b=c%26d")
        .send()
        .await
        .unwrap();
    let head = client.head_object().bucket(BUCKET).key("page").send().await.unwrap();
    assert_eq!(head.content_type(), Some("text/html; charset=utf-8"));
    assert_eq!(head.cache_control(), Some("no-cache"));
    assert_eq!(head.content_disposition(), Some("inline; filename=\"a b\""));
    assert_eq!(head.content_encoding(), Some("br"));
    assert_eq!(head.content_language(), Some("de, en"));
    assert_eq!(head.expires_string(), Some("Wed, 21 Oct 2026 07:28:00 GMT"));
    assert_eq!(head.website_redirect_location(), Some("/elsewhere"));
    assert_eq!(head.storage_class(), Some(&StorageClass::IntelligentTiering));
    assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::Aes256));
    assert_eq!(head.content_length(), Some(4));
    assert_eq!(head.e_tag(), Some(quoted(&md5_hex(b"<h1>")).as_str()));
    let metadata = head.metadata().unwrap();
    assert_eq!((metadata["tidegate-sha256"].as_str(), metadata["mixed-case"].as_str()), ("abc", "Value"));
    let got = client.get_object().bucket(BUCKET).key("page").send().await.unwrap();
    assert_eq!((got.content_type(), got.tag_count(), got.metadata()), (head.content_type(), Some(2), head.metadata()));
    let tags = client.get_object_tagging().bucket(BUCKET).key("page").send().await.unwrap();
    let tags: Vec<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, [("a b", "c&d"), ("team", "docs")]);
}

#[tokio::test]
async fn applies_defaults_and_rejects_invalid_attributes() {
    let (_account, client) = site().await;
    let put = || client.put_object().bucket(BUCKET).key("x").body(ByteStream::from_static(b""));
    put().content_type("").send().await.unwrap();
    let head = client.head_object().bucket(BUCKET).key("x").send().await.unwrap();
    assert_eq!(head.content_type(), Some("binary/octet-stream"));
    assert_eq!((head.storage_class(), head.content_length()), (None, Some(0)));
    let large = "x".repeat(2_044);
    assert_eq!(failure(put().metadata("large", &large).send().await), (400, "MetadataTooLarge".to_owned()));
    put().metadata("name", &large).send().await.unwrap();
    assert_eq!(failure(put().website_redirect_location("elsewhere").send().await), (400, "InvalidRequest".to_owned()));
    assert_eq!(failure(put().storage_class("COLD".into()).send().await), (400, "InvalidStorageClass".to_owned()));
    assert_eq!(failure(put().tagging("a=1&a=2").send().await), (400, "InvalidTag".to_owned()));
    let longest = "k".repeat(1_024);
    client.put_object().bucket(BUCKET).key(&longest).send().await.unwrap();
    let longer = client.put_object().bucket(BUCKET).key(format!("{longest}k")).send().await;
    assert_eq!(failure(longer), (400, "KeyTooLongError".to_owned()));
    let missing = client.put_object().bucket("no-such-bucket").key("x").send().await;
    assert_eq!(failure(missing), (404, "NoSuchBucket".to_owned()));
}

#[tokio::test]
async fn reads_ranges_and_checks_conditions() {
    let (_account, client) = site().await;
    let etag = put(&client, "x", b"0123456789").await;
    let get = || client.get_object().bucket(BUCKET).key("x");
    for (range, bytes, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
        ("bytes=-100", "0123456789", "bytes 0-9/10"),
    ] {
        let got = get().range(range).send().await.unwrap();
        assert_eq!(
            (got.content_range(), got.content_length()),
            (Some(content_range), Some(i64::try_from(bytes.len()).unwrap())),
            "{range}"
        );
        assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes.as_bytes(), "{range}");
        let head = client.head_object().bucket(BUCKET).key("x").range(range).send().await.unwrap();
        assert_eq!(head.content_length(), Some(i64::try_from(bytes.len()).unwrap()));
    }
    assert_eq!(failure(get().range("bytes=10-").send().await), (416, "InvalidRange".to_owned()));
    put(&client, "empty", b"").await;
    let empty = client.get_object().bucket(BUCKET).key("empty").range("bytes=0-").send().await;
    assert_eq!(failure(empty), (416, "InvalidRange".to_owned()));

    get().if_match(&etag).send().await.unwrap();
    assert_eq!(failure(get().if_match("\"no\"").send().await), (412, "PreconditionFailed".to_owned()));
    get().if_none_match("\"no\"").send().await.unwrap();
    assert_eq!(failure(get().if_none_match(&etag).send().await).0, 304);
    let head = client.head_object().bucket(BUCKET).key("x").if_none_match(&etag).send().await;
    assert_eq!(failure(head).0, 304);
    let (past, future) = (DateTime::from_secs(1_000_000_000), DateTime::from_secs(4_000_000_000));
    assert_eq!(failure(get().if_modified_since(future).send().await).0, 304);
    get().if_modified_since(past).send().await.unwrap();
    assert_eq!(failure(get().if_unmodified_since(past).send().await).0, 412);
    // A matching ETag makes the date irrelevant.
    get().if_match(&etag).if_unmodified_since(past).send().await.unwrap();
}

#[tokio::test]
async fn reports_missing_keys_with_the_permission_to_list() {
    let (_account, client) = site().await;
    assert_eq!(failure(client.get_object().bucket(BUCKET).key("no").send().await), (404, "NoSuchKey".to_owned()));
    let head = client.head_object().bucket(BUCKET).key("no").send().await;
    assert!(head.as_ref().unwrap_err().as_service_error().unwrap().is_not_found());
    assert_eq!(failure(head).0, 404);
}

#[tokio::test]
async fn verifies_stores_and_returns_checksums() {
    let (_account, client) = site().await;
    let hello = || ByteStream::from_static(b"hello");
    let put = |key: &str| client.put_object().bucket(BUCKET).key(key).body(hello());
    // SHA-256 of "hello".
    let sha256 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    put("sha256").checksum_sha256(sha256).send().await.unwrap();
    put("sha1").checksum_algorithm(ChecksumAlgorithm::Sha1).send().await.unwrap();
    put("crc32c").checksum_algorithm(ChecksumAlgorithm::Crc32C).send().await.unwrap();
    put("crc64").checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send().await.unwrap();
    let head = |key: &str| client.head_object().bucket(BUCKET).key(key);
    let output = head("sha256").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!((output.checksum_sha256(), output.checksum_crc32()), (Some(sha256), None));
    assert_eq!(output.checksum_type().unwrap().as_str(), "FULL_OBJECT");
    assert_eq!(head("sha256").send().await.unwrap().checksum_sha256(), None);
    let output = head("sha1").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(output.checksum_sha1(), Some("qvTGHdzF6KLavt4PO0gs2a6pQ00="));
    let output = head("crc32c").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(output.checksum_crc32_c(), Some("mnG7TA=="));
    assert!(head("crc64").checksum_mode(ChecksumMode::Enabled).send().await.unwrap().checksum_crc64_nvme().is_some());

    let wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(failure(put("bad").checksum_sha256(wrong).send().await), (400, "BadDigest".to_owned()));
    assert_eq!(failure(put("bad").checksum_sha256("AAAA").send().await), (400, "InvalidRequest".to_owned()));
    assert_eq!(failure(put("bad").content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await), (400, "BadDigest".to_owned()));
    assert_eq!(failure(put("bad").content_md5("AAAA").send().await), (400, "InvalidDigest".to_owned()));
    put("good").content_md5("XUFAKrxLKna5cZ2REBfFkg==").send().await.unwrap();
    assert_eq!(failure(client.get_object().bucket(BUCKET).key("bad").send().await).0, 404);

    let attributes = client
        .get_object_attributes()
        .bucket(BUCKET)
        .key("sha256")
        .object_attributes(ObjectAttributes::Checksum)
        .object_attributes(ObjectAttributes::Etag)
        .object_attributes(ObjectAttributes::ObjectSize)
        .send()
        .await
        .unwrap();
    assert_eq!(attributes.checksum().unwrap().checksum_sha256(), Some(sha256));
    assert_eq!(attributes.object_size(), Some(5));
    assert_eq!(attributes.e_tag().map(|etag| etag.trim_matches('"')), Some(md5_hex(b"hello").as_str()));
}

#[tokio::test]
async fn accepts_a_streamed_body_with_a_trailing_checksum() {
    let (_account, client) = site().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(file.path(), &bytes).unwrap();
    let body = ByteStream::from_path(file.path()).await.unwrap();
    let put =
        client.put_object().bucket(BUCKET).key("streamed").body(body).checksum_algorithm(ChecksumAlgorithm::Crc32);
    let put = put.content_encoding("gzip").send().await.unwrap();
    assert_eq!(put.e_tag(), Some(quoted(&md5_hex(&bytes)).as_str()));
    let got =
        client.get_object().bucket(BUCKET).key("streamed").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(got.content_encoding(), Some("gzip"));
    assert!(got.checksum_crc32().is_some());
    assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes);
}

#[tokio::test]
async fn an_etag_under_kms_is_not_the_md5() {
    let (_account, client) = site().await;
    let put = client.put_object().bucket(BUCKET).key("kms").body(ByteStream::from_static(b"hello"));
    let put =
        put.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id("alias/site").send().await.unwrap();
    let etag = put.e_tag().unwrap().trim_matches('"').to_owned();
    assert_eq!(etag.len(), 32);
    assert_ne!(etag, md5_hex(b"hello"));
    let head = client.head_object().bucket(BUCKET).key("kms").send().await.unwrap();
    assert_eq!(
        (head.server_side_encryption(), head.ssekms_key_id()),
        (Some(&ServerSideEncryption::AwsKms), Some("alias/site"))
    );
    assert_eq!(head.e_tag().unwrap().trim_matches('"'), etag);
}

#[tokio::test]
async fn supports_odd_key_names() {
    let (_account, client) = site().await;
    let keys = [
        "a b.html",
        "c++.html",
        "é.html",
        "e\u{301}.html",
        "日本/語.html",
        "\u{1F600}",
        "a&b<c>\"d'.html",
        "a\rb\nc\td",
        "a//b",
        "/leading",
        "trailing/",
        "a/../b",
        "./a",
        "%20%2F",
        "a?b#c",
        "*~!()",
        "a\\b",
        "=;:@,$",
    ];
    for key in keys {
        let bytes = format!("bytes of {key}");
        put(&client, key, bytes.as_bytes()).await;
        assert_eq!(body(&client, key).await, bytes.as_bytes(), "{key:?}");
        let copy = format!("copy/{key}");
        let source =
            format!("{BUCKET}/{}", percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC));
        client.copy_object().bucket(BUCKET).key(&copy).copy_source(source).send().await.unwrap();
        assert_eq!(body(&client, &copy).await, bytes.as_bytes(), "{key:?}");
    }
    let listed = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let mut expected: Vec<String> = keys.iter().flat_map(|key| [(*key).to_owned(), format!("copy/{key}")]).collect();
    expected.sort_unstable();
    let listed: Vec<String> = listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn acls_are_off_by_default() {
    use aws_sdk_s3::types::{ObjectCannedAcl, ObjectOwnership};
    let (_account, client) = site().await;
    let put = |bucket: &str, acl| client.put_object().bucket(bucket).key("x").acl(acl).send();
    assert_eq!(
        failure(put(BUCKET, ObjectCannedAcl::PublicRead).await),
        (400, "AccessControlListNotSupported".to_owned())
    );
    put(BUCKET, ObjectCannedAcl::BucketOwnerFullControl).await.unwrap();
    client.create_bucket().bucket("with-acls").object_ownership(ObjectOwnership::ObjectWriter).send().await.unwrap();
    put("with-acls", ObjectCannedAcl::PublicRead).await.unwrap();
}

#[tokio::test]
async fn creates_configures_and_deletes_buckets() {
    use aws_sdk_s3::types::{ErrorDocument, IndexDocument, WebsiteConfiguration};
    let (_account, client) = site().await;
    client.create_bucket().bucket("other").send().await.unwrap();
    assert_eq!(
        failure(client.create_bucket().bucket("other").send().await),
        (409, "BucketAlreadyOwnedByYou".to_owned())
    );
    let listed = client.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed.buckets().iter().map(|bucket| bucket.name().unwrap()).collect();
    assert_eq!(names, ["other", "site"]);
    client.head_bucket().bucket("other").send().await.unwrap();
    client.get_bucket_location().bucket("other").send().await.unwrap();

    let get_website = || client.get_bucket_website().bucket("other").send();
    assert_eq!(failure(get_website().await), (404, "NoSuchWebsiteConfiguration".to_owned()));
    let website = WebsiteConfiguration::builder()
        .index_document(IndexDocument::builder().suffix("index.html").build().unwrap())
        .error_document(ErrorDocument::builder().key("404.html").build().unwrap())
        .build();
    client.put_bucket_website().bucket("other").website_configuration(website).send().await.unwrap();
    let got = get_website().await.unwrap();
    assert_eq!(got.index_document().unwrap().suffix(), "index.html");
    assert_eq!(got.error_document().unwrap().key(), "404.html");

    client.put_object().bucket("other").key("x").send().await.unwrap();
    assert_eq!(failure(client.delete_bucket().bucket("other").send().await), (409, "BucketNotEmpty".to_owned()));
    client.delete_object().bucket("other").key("x").send().await.unwrap();
    client.delete_bucket().bucket("other").send().await.unwrap();
    assert_eq!(failure(client.head_bucket().bucket("other").send().await).0, 404);
}
