//! Multipart uploads.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart};
use tidegate_emulator::s3::StoreLimits;

use crate::*;

const MIB: usize = 1 << 20;

fn completed(parts: impl IntoIterator<Item = (i32, String)>) -> CompletedMultipartUpload {
    let parts =
        parts.into_iter().map(|(number, etag)| CompletedPart::builder().part_number(number).e_tag(etag).build());
    CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build()
}

/// A client that adds no checksums of its own.
fn plain(account: &LocalAws) -> Client {
    use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
    let config = client(account, account.root_credentials()).config().to_builder();
    let config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    Client::from_conf(config.response_checksum_validation(ResponseChecksumValidation::WhenRequired).build())
}

async fn upload(client: &Client, key: &str) -> String {
    let created = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key(key)
        .content_type("video/mp4")
        .metadata("m", "1")
        .send()
        .await
        .unwrap();
    created.upload_id.unwrap()
}

async fn part(client: &Client, key: &str, id: &str, number: i32, bytes: Vec<u8>) -> String {
    let sent =
        client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number).body(ByteStream::from(bytes));
    sent.send().await.unwrap().e_tag.unwrap()
}

#[tokio::test]
async fn completes_an_upload() {
    let (account, _) = site().await;
    let client = plain(&account);
    let id = upload(&client, "film").await;
    let (first, second) = (vec![1_u8; 5 * MIB], vec![2_u8; 10]);
    // Out of order, one part twice, and one part unused.
    let two = part(&client, "film", &id, 2, second.clone()).await;
    part(&client, "film", &id, 1, b"too small".to_vec()).await;
    let one = part(&client, "film", &id, 1, first.clone()).await;
    part(&client, "film", &id, 9, b"unused".to_vec()).await;

    let listed = client.list_parts().bucket(BUCKET).key("film").upload_id(&id).max_parts(2).send().await.unwrap();
    let numbers: Vec<_> =
        listed.parts().iter().map(|part| (part.part_number().unwrap(), part.size().unwrap())).collect();
    assert_eq!((numbers, listed.is_truncated()), (vec![(1, 5 * MIB as i64), (2, 10)], Some(true)));
    let uploads = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id.as_str()));
    assert_eq!(failure(client.head_object().bucket(BUCKET).key("film").send().await).0, 404);

    let complete = |parts| {
        client.complete_multipart_upload().bucket(BUCKET).key("film").upload_id(&id).multipart_upload(parts).send()
    };
    assert_eq!(
        failure(complete(completed([(2, two.clone()), (1, one.clone())])).await),
        (400, "InvalidPartOrder".to_owned())
    );
    assert_eq!(failure(complete(completed([(1, two.clone())])).await), (400, "InvalidPart".to_owned()));
    assert_eq!(failure(complete(completed([(3, two.clone())])).await), (400, "InvalidPart".to_owned()));
    let done = complete(completed([(1, one), (2, two)])).await.unwrap();
    let md5s: Vec<u8> = [&first, &second]
        .iter()
        .flat_map(|bytes| {
            use md5::Digest as _;
            md5::Md5::digest(bytes).to_vec()
        })
        .collect();
    let etag = quoted(&format!("{}-2", md5_hex(&md5s)));
    assert_eq!(done.e_tag(), Some(etag.as_str()));
    let head = client.head_object().bucket(BUCKET).key("film").part_number(2).send().await.unwrap();
    assert_eq!(
        (head.parts_count(), head.content_length(), head.content_type()),
        (Some(2), Some(10), Some("video/mp4"))
    );
    assert_eq!(head.e_tag(), Some(etag.as_str()));
    let across = client
        .get_object()
        .bucket(BUCKET)
        .key("film")
        .range(format!("bytes={}-{}", 5 * MIB - 2, 5 * MIB + 1))
        .send()
        .await
        .unwrap();
    assert_eq!(across.body.collect().await.unwrap().to_vec(), [1, 1, 2, 2]);
    assert_eq!(body(&client, "film").await, [first, second].concat());
    assert_eq!(client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap().uploads(), []);
    assert_eq!(
        failure(client.list_parts().bucket(BUCKET).key("film").upload_id(&id).send().await),
        (404, "NoSuchUpload".to_owned())
    );

    // A copy is a single object with the ETag of one.
    let copied = client.copy_object().bucket(BUCKET).key("copy").copy_source("site/film").send().await.unwrap();
    let whole = body(&client, "film").await;
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), Some(quoted(&md5_hex(&whole)).as_str()));
}

#[tokio::test]
async fn rejects_small_parts_except_the_last() {
    let (account, _) = site().await;
    let client = plain(&account);
    let id = upload(&client, "x").await;
    let one = part(&client, "x", &id, 1, vec![1; 10]).await;
    let two = part(&client, "x", &id, 2, vec![2; 10]).await;
    let complete = || {
        let parts = completed([(1, one.clone()), (2, two.clone())]);
        client.complete_multipart_upload().bucket(BUCKET).key("x").upload_id(&id).multipart_upload(parts).send()
    };
    assert_eq!(failure(complete().await), (400, "EntityTooSmall".to_owned()));
    account.s3().set_limits(StoreLimits { smallest_part: 10, ..StoreLimits::default() });
    complete().await.unwrap();
}

#[tokio::test]
async fn a_conditional_completion_can_fail_and_be_aborted() {
    let directory = tempfile::tempdir().unwrap();
    let account = LocalAws::open(directory.path()).unwrap();
    account.s3().create_bucket(BUCKET).await.unwrap();
    let client = plain(&account);
    let files = || std::fs::read_dir(directory.path().join("bodies")).unwrap().count();
    let id = upload(&client, "x").await;
    let one = part(&client, "x", &id, 1, vec![1; 100_000]).await;
    put(&client, "x", b"was here first").await;
    let complete = || {
        let parts = completed([(1, one.clone())]);
        client.complete_multipart_upload().bucket(BUCKET).key("x").upload_id(&id).multipart_upload(parts)
    };
    assert_eq!(failure(complete().if_none_match("*").send().await), (412, "PreconditionFailed".to_owned()));
    assert_eq!(failure(complete().if_match("\"no\"").send().await), (412, "PreconditionFailed".to_owned()));
    assert_eq!(body(&client, "x").await, b"was here first");
    assert_eq!(files(), 1);
    let abort = || client.abort_multipart_upload().bucket(BUCKET).key("x").upload_id(&id).send();
    abort().await.unwrap();
    assert_eq!(files(), 0);
    assert_eq!(failure(abort().await), (404, "NoSuchUpload".to_owned()));
    assert_eq!(failure(complete().send().await), (404, "NoSuchUpload".to_owned()));
}

#[tokio::test]
async fn copies_parts_from_ranges_of_an_object() {
    let (account, _) = site().await;
    account.s3().set_limits(StoreLimits { smallest_part: 1, ..StoreLimits::default() });
    let client = plain(&account);
    put(&client, "from", b"0123456789").await;
    let id = upload(&client, "to").await;
    let copy = |number, range: &str| {
        let copy = client.upload_part_copy().bucket(BUCKET).key("to").upload_id(&id).part_number(number);
        copy.copy_source("site/from").copy_source_range(range).send()
    };
    let one = copy(1, "bytes=5-9").await.unwrap().copy_part_result.unwrap().e_tag.unwrap();
    assert_eq!(one, quoted(&md5_hex(b"56789")));
    let two = copy(2, "bytes=0-4").await.unwrap().copy_part_result.unwrap().e_tag.unwrap();
    assert_eq!(failure(copy(3, "bytes=0-10").await), (416, "InvalidRange".to_owned()));
    assert_eq!(failure(copy(3, "bytes=3-").await), (400, "InvalidArgument".to_owned()));
    client.delete_object().bucket(BUCKET).key("from").send().await.unwrap();
    let parts = completed([(1, one), (2, two)]);
    client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("to")
        .upload_id(&id)
        .multipart_upload(parts)
        .send()
        .await
        .unwrap();
    assert_eq!(body(&client, "to").await, b"5678901234");
}

#[tokio::test]
async fn rejects_parts_with_another_checksum_than_their_upload() {
    let (_account, client) = site().await;
    let id = upload(&client, "x").await;
    // The SDK adds a CRC-32 to the part, which this upload did not announce.
    let part =
        client.upload_part().bucket(BUCKET).key("x").upload_id(&id).part_number(1).body(ByteStream::from_static(b"x"));
    let rejected = part.send().await;
    let message = rejected.as_ref().unwrap_err().as_service_error().unwrap().message().unwrap().to_owned();
    assert_eq!(message, "Checksum Type mismatch occurred, expected checksum Type: null, actual checksum Type: crc32");
    assert_eq!(failure(rejected), (400, "InvalidRequest".to_owned()));
}

#[tokio::test]
async fn computes_the_checksum_of_the_object_from_those_of_its_parts() {
    let (account, client) = site().await;
    account.s3().set_limits(StoreLimits { smallest_part: 1, ..StoreLimits::default() });
    for (algorithm, kind) in [
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc32, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc32, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
    ] {
        let create = client.create_multipart_upload().bucket(BUCKET).key("x");
        let created = create.checksum_algorithm(algorithm.clone()).checksum_type(kind.clone()).send().await.unwrap();
        let id = created.upload_id().unwrap();
        let mut parts = Vec::new();
        for (number, bytes) in [(1, b"hello ".to_vec()), (2, b"world".to_vec())] {
            let part = client.upload_part().bucket(BUCKET).key("x").upload_id(id).part_number(number);
            let part = part.checksum_algorithm(algorithm.clone()).body(ByteStream::from(bytes)).send().await.unwrap();
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(part.e_tag)
                    .set_checksum_sha256(part.checksum_sha256)
                    .set_checksum_crc32(part.checksum_crc32)
                    .set_checksum_crc64_nvme(part.checksum_crc64_nvme)
                    .build(),
            );
        }
        let complete = |parts| {
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
            client.complete_multipart_upload().bucket(BUCKET).key("x").upload_id(id).multipart_upload(parts).send()
        };
        if kind == ChecksumType::Composite {
            let bare = parts.iter().map(|part| {
                CompletedPart::builder().part_number(part.part_number().unwrap()).e_tag(part.e_tag().unwrap()).build()
            });
            assert_eq!(failure(complete(bare.collect()).await), (400, "InvalidRequest".to_owned()));
        }
        complete(parts).await.unwrap();
        let head =
            client.head_object().bucket(BUCKET).key("x").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        assert_eq!(head.checksum_type(), Some(&kind));
        let value = head.checksum_sha256().or(head.checksum_crc32()).or(head.checksum_crc64_nvme()).unwrap().to_owned();
        assert_eq!(value.ends_with("-2"), kind == ChecksumType::Composite, "{value}");
        if kind == ChecksumType::FullObject {
            let single = client.put_object().bucket(BUCKET).key("single").checksum_algorithm(algorithm);
            let single = single.body(ByteStream::from_static(b"hello world")).send().await.unwrap();
            assert_eq!(single.checksum_crc32().or(single.checksum_crc64_nvme()), Some(value.as_str()));
        }
        assert_eq!(body(&client, "x").await, b"hello world");
    }
}
