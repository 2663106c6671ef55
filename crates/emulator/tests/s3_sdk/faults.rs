//! Faults between the SDK and the stand-in.

use std::time::Duration;

use aws_sdk_s3::{config::retry::RetryConfig, error::SdkError};
use tidegate_emulator::fault::{ApiCall, Faults, InjectedFault};
use tidegate_emulator::http::HttpService;
use tidegate_emulator::s3::StoredHeaders;

use crate::*;

async fn faulty(
    script: impl Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync + 'static,
) -> (LocalAws, Client, Faults) {
    let (account, _) = site().await;
    account.s3().put(BUCKET, "x", "0123456789", StoredHeaders::default()).await.unwrap();
    let faults = Faults::new(script);
    let client = client_over(faults.wrap(account.http_client()), account.root_credentials());
    (account, client, faults)
}

#[tokio::test]
async fn calls_are_named_as_the_api_reference_names_them() {
    let (account, client, faults) = faulty(|_| None).await;
    client.list_buckets().send().await.unwrap();
    client.head_bucket().bucket(BUCKET).send().await.unwrap();
    client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    client.list_objects().bucket(BUCKET).send().await.unwrap();
    client.head_object().bucket(BUCKET).key("x").send().await.unwrap();
    client.get_object().bucket(BUCKET).key("x").send().await.unwrap();
    client.get_object_tagging().bucket(BUCKET).key("x").send().await.unwrap();
    assert!(faults.calls().iter().all(ApiCall::only_reads));
    client.put_object().bucket(BUCKET).key("a b/é").send().await.unwrap();
    client.copy_object().bucket(BUCKET).key("y").copy_source("site/x").send().await.unwrap();
    let created = client.create_multipart_upload().bucket(BUCKET).key("m");
    let created = created.checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Crc32).send().await.unwrap();
    let id = created.upload_id.unwrap();
    client.upload_part().bucket(BUCKET).key("m").upload_id(&id).part_number(1).send().await.unwrap();
    client
        .upload_part_copy()
        .bucket(BUCKET)
        .key("m")
        .upload_id(&id)
        .part_number(2)
        .copy_source("site/x")
        .send()
        .await
        .unwrap();
    client.list_parts().bucket(BUCKET).key("m").upload_id(&id).send().await.unwrap();
    client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
    client.abort_multipart_upload().bucket(BUCKET).key("m").upload_id(&id).send().await.unwrap();
    client.delete_object().bucket(BUCKET).key("y").send().await.unwrap();
    let calls = faults.calls();
    let operations: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(
        operations,
        [
            "ListBuckets",
            "HeadBucket",
            "ListObjectsV2",
            "ListObjects",
            "HeadObject",
            "GetObject",
            "GetObjectTagging",
            "PutObject",
            "CopyObject",
            "CreateMultipartUpload",
            "UploadPart",
            "UploadPartCopy",
            "ListParts",
            "ListMultipartUploads",
            "AbortMultipartUpload",
            "DeleteObject",
        ]
    );
    assert_eq!(calls.iter().map(|call| call.number).collect::<Vec<_>>(), (1..=16).collect::<Vec<u64>>());
    assert_eq!(calls[7].to_string(), "8 PutObject site/a b/é");
    assert!(calls.iter().all(|call| call.service == HttpService::S3));
    assert!(!calls[7].only_reads() && !calls[10].only_reads());

    // The same when the bucket is in the host, and for the other services.
    faults.forget();
    let hosted = client.config().to_builder().force_path_style(false).build();
    Client::from_conf(hosted).head_object().bucket(BUCKET).key("x").send().await.unwrap();
    let sts = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(account.root_credentials())
        .http_client(faults.wrap(account.http_client()));
    aws_sdk_sts::Client::from_conf(sts.build()).get_caller_identity().send().await.unwrap();
    let cloudfront = aws_sdk_cloudfront::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(account.root_credentials())
        .http_client(faults.wrap(account.http_client()));
    let cloudfront = aws_sdk_cloudfront::Client::from_conf(cloudfront.build());
    cloudfront.list_invalidations().distribution_id("E0").send().await.unwrap_err();
    let calls: Vec<String> = faults.calls().iter().map(ToString::to_string).collect();
    assert_eq!(calls, ["17 HeadObject site/x", "18 GetCallerIdentity", "19 ListInvalidations"]);
}

#[tokio::test]
async fn refused_is_not_applied_and_lost_is() {
    let (account, client, _) = faulty(|call| match call.key.as_deref() {
        Some("refused") => Some(InjectedFault::Refuse),
        Some("lost") => Some(InjectedFault::Lose),
        _ => None,
    })
    .await;
    for (key, there) in [("refused", false), ("lost", true)] {
        let put = client.put_object().bucket(BUCKET).key(key).send().await;
        assert!(matches!(put, Err(SdkError::DispatchFailure(_))), "{put:?}");
        assert_eq!(account.s3().head(BUCKET, key).is_ok(), there, "{key}");
    }
}

#[tokio::test]
async fn answers_are_those_of_the_service_and_retried_by_its_rules() {
    let (account, client, faults) = faulty(|call| {
        (call.number % 2 == 1).then(|| {
            InjectedFault::answer(
                if call.number == 1 { 503 } else { 403 },
                if call.number == 1 { "SlowDown" } else { "AccessDenied" },
            )
        })
    })
    .await;
    let retrying = client
        .config()
        .to_builder()
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .build();
    let retrying = Client::from_conf(retrying);
    retrying.put_object().bucket(BUCKET).key("new").send().await.unwrap();
    assert_eq!(faults.calls().len(), 2);
    assert_eq!(
        refusal(retrying.put_object().bucket(BUCKET).key("other").send().await),
        (403, "AccessDenied".to_owned())
    );
    assert_eq!(faults.calls().len(), 3);
    assert!(account.s3().head(BUCKET, "other").is_err());
}

#[tokio::test]
async fn a_cut_body_is_an_error_and_not_a_short_object() {
    let (_account, client, _) = faulty(|call| (call.operation == "GetObject").then_some(InjectedFault::Cut)).await;
    let got = client.get_object().bucket(BUCKET).key("x").send().await.unwrap();
    assert_eq!(got.content_length(), Some(10));
    let mut body = got.body;
    assert_eq!(body.next().await.unwrap().unwrap(), b"01234".as_slice());
    assert!(body.next().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_delay_waits_and_then_goes_through() {
    let (_account, client, _) = faulty(|_| Some(InjectedFault::Delay(Duration::from_secs(60)))).await;
    let before = tokio::time::Instant::now();
    client.head_object().bucket(BUCKET).key("x").send().await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(60));
}
