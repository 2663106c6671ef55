//! Listing in pages and in byte order.

use aws_sdk_s3::types::EncodingType;
use tidegate_emulator::s3::StoredHeaders;

use crate::*;

async fn fill(account: &LocalAws, count: usize) -> Vec<String> {
    // Keys whose order as bytes differs from that of their numbers and of UTF-16.
    let mut keys: Vec<String> = (0..count)
        .map(|number| match number % 4 {
            0 => format!("a/{number}"),
            1 => format!("b-{number}"),
            2 => format!("é{number}"),
            _ => format!("\u{10348}/{number}"),
        })
        .collect();
    futures::future::join_all(keys.iter().map(|key| account.s3().put(BUCKET, key, "x", StoredHeaders::default())))
        .await;
    keys.sort_unstable_by(|left, right| left.as_bytes().cmp(right.as_bytes()));
    keys
}

#[tokio::test]
async fn lists_pages_of_at_most_a_thousand_keys_in_byte_order() {
    for (count, pages) in [
        (0, vec![0]),
        (999, vec![999]),
        (1_000, vec![1_000]),
        (1_001, vec![1_000, 1]),
        (2_500, vec![1_000, 1_000, 500]),
    ] {
        let (account, client) = site().await;
        let keys = fill(&account, count).await;
        let mut listed = Vec::new();
        let mut sizes = Vec::new();
        let mut token = None;
        loop {
            let page = client
                .list_objects_v2()
                .bucket(BUCKET)
                .max_keys(5_000)
                .set_continuation_token(token)
                .send()
                .await
                .unwrap();
            assert_eq!(page.key_count, Some(i32::try_from(page.contents().len()).unwrap()));
            assert_eq!(page.max_keys, Some(1_000));
            sizes.push(page.contents().len());
            listed.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
            assert_eq!(page.is_truncated(), Some(page.next_continuation_token().is_some()));
            token = page.next_continuation_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(sizes, pages, "of {count} keys");
        assert_eq!(listed, keys);
    }
}

#[tokio::test]
async fn lists_by_prefix_delimiter_and_start_after() {
    let (account, client) = site().await;
    for key in ["docs", "docs/", "docs/a", "docs/b/1", "docs/b/2", "docs/c", "docs2/x", "z"] {
        account.s3().put(BUCKET, key, "x", StoredHeaders::default()).await.unwrap();
    }
    let list = || client.list_objects_v2().bucket(BUCKET);
    let keys = |page: &aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| {
        page.contents().iter().map(|object| object.key().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let prefixes = |page: &aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| {
        page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()).collect::<Vec<_>>()
    };

    let page = list().prefix("docs/").send().await.unwrap();
    assert_eq!(keys(&page), ["docs/", "docs/a", "docs/b/1", "docs/b/2", "docs/c"]);
    let page = list().prefix("docs/").delimiter("/").send().await.unwrap();
    assert_eq!(
        (keys(&page), prefixes(&page)),
        (vec!["docs/".into(), "docs/a".into(), "docs/c".into()], vec!["docs/b/".into()])
    );
    let page = list().delimiter("/").send().await.unwrap();
    assert_eq!(
        (keys(&page), prefixes(&page)),
        (vec!["docs".into(), "z".into()], vec!["docs/".into(), "docs2/".into()])
    );
    let page = list().start_after("docs/b/1").send().await.unwrap();
    assert_eq!(keys(&page), ["docs/b/2", "docs/c", "docs2/x", "z"]);
    let page = list().max_keys(0).send().await.unwrap();
    assert_eq!((keys(&page).len(), page.is_truncated()), (0, Some(false)));
    assert_eq!(failure(list().continuation_token("nonsense").send().await), (400, "InvalidArgument".to_owned()));

    // A common prefix counts as one entry, and the next page starts after all its keys.
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let page = list().delimiter("/").max_keys(1).set_continuation_token(token).send().await.unwrap();
        seen.extend(keys(&page));
        seen.extend(prefixes(&page));
        token = page.next_continuation_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["docs", "docs/", "docs2/", "z"]);
}

#[tokio::test]
async fn list_objects_pages_by_marker() {
    let (account, client) = site().await;
    for key in ["a/1", "a/2", "b", "c/1"] {
        account.s3().put(BUCKET, key, "x", StoredHeaders::default()).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut marker = None;
    loop {
        let page =
            client.list_objects().bucket(BUCKET).delimiter("/").max_keys(1).set_marker(marker).send().await.unwrap();
        seen.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        seen.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
        marker = page.next_marker;
        if page.is_truncated != Some(true) {
            break;
        }
    }
    assert_eq!(seen, ["a/", "b", "c/"]);
}

#[tokio::test]
async fn encodes_every_key_for_urls() {
    let (account, client) = site().await;
    account.s3().put(BUCKET, "a b&<\r+é.html", "x", StoredHeaders::default()).await.unwrap();
    let page = client.list_objects_v2().bucket(BUCKET).encoding_type(EncodingType::Url).send().await.unwrap();
    assert_eq!(page.contents()[0].key(), Some("a+b%26%3C%0D%2B%C3%A9.html"));
    assert_eq!(page.encoding_type(), Some(&EncodingType::Url));
}

#[tokio::test]
async fn lists_the_attributes_of_objects() {
    let (_account, client) = site().await;
    client
        .put_object()
        .bucket(BUCKET)
        .key("x")
        .body(ByteStream::from_static(b"hello"))
        .storage_class(aws_sdk_s3::types::StorageClass::StandardIa)
        .checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Sha256)
        .send()
        .await
        .unwrap();
    let page = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let line = &page.contents()[0];
    assert_eq!(line.size(), Some(5));
    assert_eq!(line.e_tag(), Some(quoted(&md5_hex(b"hello")).as_str()));
    assert_eq!(line.storage_class().unwrap().as_str(), "STANDARD_IA");
    assert_eq!(line.checksum_algorithm(), [aws_sdk_s3::types::ChecksumAlgorithm::Sha256]);
    let missing = client.list_objects_v2().bucket("no-such-bucket").send().await;
    assert_eq!(failure(missing), (404, "NoSuchBucket".to_owned()));
}
