//! Faults between the SDK and the emulator.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_smithy_types::body::SdkBody;
use pretty_assertions::assert_eq;
use serde_json::json;
use tidegate_emulator::LocalAws;
use tidegate_emulator::cloudfront::S3Origin;
use tidegate_emulator::s3::StoredHeaders;
use tidegate_tests::fault::{ApiCall, AwsService, Faults, InjectedFault};

const BUCKET: &str = "site";

/// The configuration of an SDK client behind `faults` that does not retry.
fn configuration(account: &LocalAws, faults: &Faults) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(account.root_credentials()))
        .http_client(faults.wrap(account.http_client()))
        .retry_config(RetryConfig::disabled())
        .build()
}

/// An account with a bucket and one object, and an S3 client behind faults.
async fn faulty(
    script: impl Fn(&ApiCall) -> Option<InjectedFault> + Send + Sync + 'static,
) -> (LocalAws, Client, Faults) {
    let account = LocalAws::in_memory().unwrap();
    account.s3().create_bucket(BUCKET).await.unwrap();
    account.s3().put(BUCKET, "x", "0123456789", StoredHeaders::default()).await.unwrap();
    let faults = Faults::new(script);
    let config = aws_sdk_s3::config::Builder::from(&configuration(&account, &faults)).force_path_style(true);
    (account, Client::from_conf(config.build()), faults)
}

#[tokio::test]
async fn names_calls_as_the_api_reference_does() {
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
    assert!(calls.iter().all(|call| call.service == AwsService::S3));
    assert!(!calls[7].only_reads() && !calls[10].only_reads());

    // The bucket in the host, and other services.
    faults.clear();
    let hosted = client.config().to_builder().force_path_style(false).build();
    Client::from_conf(hosted).head_object().bucket(BUCKET).key("x").send().await.unwrap();
    let config = configuration(&account, &faults);
    aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.unwrap();
    let cloudfront = aws_sdk_cloudfront::Client::new(&config);
    cloudfront.list_invalidations().distribution_id("E0").send().await.unwrap_err();
    let calls: Vec<String> = faults.calls().iter().map(ToString::to_string).collect();
    assert_eq!(calls, ["17 HeadObject site/x", "18 GetCallerIdentity", "19 ListInvalidations"]);
}

#[tokio::test]
async fn applies_a_request_whose_response_is_lost_and_not_a_refused_one() {
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
async fn retries_an_injected_error_like_a_real_one() {
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
    let error = retrying.put_object().bucket(BUCKET).key("other").send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 403);
    assert_eq!(error.code(), Some("AccessDenied"));
    assert_eq!(faults.calls().len(), 3);
    assert!(account.s3().head(BUCKET, "other").is_err());
}

#[tokio::test]
async fn reports_a_cut_body_as_an_error() {
    let (_account, client, _) = faulty(|call| (call.operation == "GetObject").then_some(InjectedFault::Cut)).await;
    let got = client.get_object().bucket(BUCKET).key("x").send().await.unwrap();
    assert_eq!(got.content_length(), Some(10));
    let mut body = got.body;
    assert_eq!(body.next().await.unwrap().unwrap(), b"01234".as_slice());
    assert!(body.next().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn continues_a_delayed_request() {
    let (_account, client, _) = faulty(|_| Some(InjectedFault::Delay(Duration::from_secs(60)))).await;
    let before = tokio::time::Instant::now();
    client.head_object().bucket(BUCKET).key("x").send().await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(60));
}

/// AWS throttles after a few calls in a row, without documenting when. The emulator throttles only by an injected fault.
#[tokio::test]
async fn throttles_only_by_an_injected_fault() {
    let account = LocalAws::in_memory().unwrap();
    let origin = S3Origin { bucket: BUCKET.to_owned(), path: "/live".to_owned() };
    account.cloudfront().create_distribution("E2EXAMPLE", origin, None).unwrap();
    let invalidate = async |faults: &Faults, reference: &str| {
        let paths = Paths::builder().quantity(1).items("/a").build().unwrap();
        let batch = InvalidationBatch::builder().caller_reference(reference).paths(paths).build().unwrap();
        let client = aws_sdk_cloudfront::Client::new(&configuration(&account, faults));
        let sent = client.create_invalidation().distribution_id("E2EXAMPLE").invalidation_batch(batch).send().await;
        sent.map(drop).map_err(|error| error.code().unwrap_or("none").to_owned())
    };
    let none = Faults::none();
    for number in 0..200 {
        assert_eq!(invalidate(&none, &format!("run-{number}")).await, Ok(()), "call {number}");
    }
    let throttled =
        Faults::new(|call| (call.operation == "CreateInvalidation").then(|| InjectedFault::answer(400, "Throttling")));
    assert_eq!(invalidate(&throttled, "new").await, Err("Throttling".to_owned()));
    assert_eq!(account.cloudfront().invalidations("E2EXAMPLE").unwrap().len(), 200);
}

/// Every protocol has its own place and escaping for the code and the message.
#[test]
fn writes_an_injected_error_in_the_protocol_of_its_service() {
    let body = |service: AwsService| service.error_body("Throttling", "<slow> \"down\"");
    for service in [AwsService::S3, AwsService::Sts, AwsService::Iam, AwsService::CloudFront] {
        let text = body(service);
        assert!(text.contains("<Code>Throttling</Code><Message>&lt;slow&gt; &quot;down&quot;</Message>"), "{text}");
    }
    for service in [AwsService::SecretsManager, AwsService::SystemsManager] {
        let parsed: serde_json::Value = serde_json::from_str(&body(service)).unwrap();
        assert_eq!(parsed, json!({ "__type": "Throttling", "message": "<slow> \"down\"" }));
    }
}

/// Rows: the service's name in signatures, the target if it has one, the body, the operation, whether it only reads.
#[test]
fn names_the_operation_in_every_protocol() {
    for (service, target, body, operation, only_reads) in [
        ("iam", None, "Action=CreateUser&UserName=lea&Version=2010-05-08", "CreateUser", false),
        ("iam", None, "Version=2010-05-08&Action=SimulatePrincipalPolicy", "SimulatePrincipalPolicy", true),
        ("iam", None, "", "Unknown", false),
        ("sts", None, "Action=AssumeRole&Version=2011-06-15", "AssumeRole", true),
        ("secretsmanager", Some("secretsmanager.GetSecretValue"), "{}", "GetSecretValue", true),
        ("ssm", Some("AmazonSSM.PutParameter"), "{}", "PutParameter", false),
        ("ssm", None, "{}", "Unknown", false),
    ] {
        let mut request = http::Request::post(format!("https://{service}.us-east-1.amazonaws.com/"));
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        let call = ApiCall::of(1, &request.body(SdkBody::from(body)).unwrap());
        assert_eq!((call.operation.as_str(), call.only_reads()), (operation, only_reads), "{service} {body}");
        assert_eq!((call.bucket, call.key), (None, None));
    }
}
