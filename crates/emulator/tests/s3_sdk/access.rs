//! Permissions, which every call needs.

use std::time::Duration;

use aws_sdk_s3::types::MetadataDirective;
use tidegate_emulator::s3::StoredHeaders;

use crate::*;

/// A client of a new user with these statements.
fn user(account: &LocalAws, name: &str, statements: &str) -> Client {
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    account.iam().create_user(name, &[("policy", &policy)]).unwrap();
    client(account, account.iam().create_access_key(name).unwrap().credentials())
}

fn allow(action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":{action:?},"Resource":{resource:?}}}"#)
}

fn denied() -> (u16, String) {
    (403, "AccessDenied".to_owned())
}

#[tokio::test]
async fn denies_everything_without_permissions() {
    let (account, root) = site().await;
    put(&root, "x", b"1").await;
    let stranger = user(&account, "stranger", &allow("s3:GetObject", "arn:aws:s3:::other/*"));
    assert_eq!(failure(stranger.list_buckets().send().await), denied());
    assert_eq!(failure(stranger.list_objects_v2().bucket(BUCKET).send().await), denied());
    assert_eq!(failure(stranger.get_object().bucket(BUCKET).key("x").send().await), denied());
    assert_eq!(failure(stranger.head_object().bucket(BUCKET).key("x").send().await).0, 403);
    assert_eq!(failure(stranger.put_object().bucket(BUCKET).key("x").send().await), denied());
    assert_eq!(failure(stranger.delete_object().bucket(BUCKET).key("x").send().await), denied());
    assert_eq!(failure(stranger.create_bucket().bucket("new").send().await), denied());
    let copy = stranger.copy_object().bucket(BUCKET).key("y").copy_source("site/x").send().await;
    assert_eq!(failure(copy), denied());
    assert_eq!(account.s3().list(BUCKET, "").unwrap().len(), 1);
    let message = stranger.get_object().bucket(BUCKET).key("x").send().await.unwrap_err();
    let message = message.as_service_error().unwrap().message().unwrap().to_owned();
    assert_eq!(
        message,
        "User: arn:aws:iam::000000000000:user/stranger is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::site/x\" because no identity-based policy allows the s3:GetObject action"
    );
}

#[tokio::test]
async fn hides_missing_keys_without_the_permission_to_list() {
    let (account, _root) = site().await;
    let reader = user(&account, "reader", &allow("s3:GetObject", "arn:aws:s3:::site/*"));
    assert_eq!(failure(reader.get_object().bucket(BUCKET).key("no").send().await), denied());
    assert_eq!(failure(reader.head_object().bucket(BUCKET).key("no").send().await).0, 403);
    let both = [allow("s3:GetObject", "arn:aws:s3:::site/*"), allow("s3:ListBucket", "arn:aws:s3:::site")].join(",");
    let lister = user(&account, "lister", &both);
    assert_eq!(failure(lister.get_object().bucket(BUCKET).key("no").send().await).0, 404);
    assert_eq!(failure(lister.head_object().bucket(BUCKET).key("no").send().await).0, 404);
}

#[tokio::test]
async fn authorizes_lists_by_their_prefix() {
    let (account, _root) = site().await;
    for key in ["docs/a", "docs2/b"] {
        account.s3().put(BUCKET, key, "x", StoredHeaders::default()).await.unwrap();
    }
    let statement = r#"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::site","Condition":{"StringLike":{"s3:prefix":"docs/*"}}}"#;
    let lister = user(&account, "lister", statement);
    let list = || lister.list_objects_v2().bucket(BUCKET);
    assert_eq!(list().prefix("docs/").send().await.unwrap().contents().len(), 1);
    assert_eq!(failure(list().prefix("docs").send().await), denied());
    assert_eq!(failure(list().prefix("docs2/").send().await), denied());
    assert_eq!(failure(list().send().await), denied());
}

#[tokio::test]
async fn a_copy_needs_permissions_for_source_destination_and_tags() {
    let (account, root) = site().await;
    put(&root, "staged/x", b"1").await;
    root.put_object().bucket(BUCKET).key("staged/tagged").tagging("a=1").send().await.unwrap();
    let copy = |client: &Client, from: &str| {
        client.copy_object().bucket(BUCKET).key("site/x").copy_source(format!("site/{from}")).send()
    };
    let source_only = user(&account, "source", &allow("s3:GetObject", "arn:aws:s3:::site/staged/*"));
    assert_eq!(failure(copy(&source_only, "staged/x").await), denied());
    let destination_only = user(&account, "destination", &allow("s3:PutObject", "arn:aws:s3:::site/site/*"));
    assert_eq!(failure(copy(&destination_only, "staged/x").await), denied());
    let both = [allow("s3:GetObject", "arn:aws:s3:::site/staged/*"), allow("s3:PutObject", "arn:aws:s3:::site/site/*")]
        .join(",");
    let publisher = user(&account, "publisher", &both);
    copy(&publisher, "staged/x").await.unwrap();
    assert_eq!(failure(copy(&publisher, "staged/tagged").await), denied());
    let replaced = publisher.copy_object().bucket(BUCKET).key("site/x").copy_source("site/staged/tagged");
    let replaced = replaced.tagging_directive(aws_sdk_s3::types::TaggingDirective::Replace);
    replaced.metadata_directive(MetadataDirective::Replace).send().await.unwrap();
}

#[tokio::test]
async fn conditions_on_etags_need_the_permission_to_read() {
    let (account, root) = site().await;
    let etag = put(&root, "x", b"1").await;
    let both =
        [allow("s3:PutObject", "arn:aws:s3:::site/*"), allow("s3:DeleteObject", "arn:aws:s3:::site/*")].join(",");
    let writer = user(&account, "writer", &both);
    let put_if = || writer.put_object().bucket(BUCKET).key("x").if_match(&etag).send();
    assert_eq!(failure(put_if().await), denied());
    assert_eq!(failure(writer.delete_object().bucket(BUCKET).key("x").if_match(&etag).send().await), denied());
    // That no object exists can be required with the permission to write alone.
    writer.put_object().bucket(BUCKET).key("new").if_none_match("*").send().await.unwrap();
    writer.delete_object().bucket(BUCKET).key("x").send().await.unwrap();
}

#[tokio::test]
async fn a_policy_can_require_conditional_writes() {
    let (account, _root) = site().await;
    let statement = r#"{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/*","Condition":{"Null":{"s3:if-none-match":"false"}}}"#;
    let writer = user(&account, "writer", statement);
    assert_eq!(failure(writer.put_object().bucket(BUCKET).key("x").send().await), denied());
    writer.put_object().bucket(BUCKET).key("x").if_none_match("*").send().await.unwrap();
}

#[tokio::test]
async fn temporary_credentials_need_their_token_and_expire() {
    let (account, root) = site().await;
    put(&root, "docs/x", b"1").await;
    put(&root, "other", b"2").await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;
    let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let role = account.iam().create_role("publisher", trust, &[("all", everything)]).unwrap();
    let session = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::site/docs/*"}]}"#;
    let credentials = assume(&account, &role, session).await;
    let get = |credentials: &Credentials, key: &str| {
        client(&account, credentials.clone()).get_object().bucket(BUCKET).key(key).send()
    };
    get(&credentials, "docs/x").await.unwrap();
    assert_eq!(failure(get(&credentials, "other").await), denied());

    let (id, secret) = (credentials.access_key_id(), credentials.secret_access_key());
    let without = Credentials::new(id, secret, None, None, "test");
    assert_eq!(failure(get(&without, "docs/x").await), (400, "InvalidToken".to_owned()));
    let other = Credentials::new(id, secret, Some("another token".to_owned()), None, "test");
    assert_eq!(failure(get(&other, "docs/x").await), (400, "InvalidToken".to_owned()));
    let root = account.root_credentials();
    let unexpected =
        Credentials::new(root.access_key_id(), root.secret_access_key(), Some("token".to_owned()), None, "test");
    assert_eq!(failure(get(&unexpected, "docs/x").await), (400, "InvalidToken".to_owned()));

    account.iam().clock().advance(Duration::from_secs(3_601));
    // The SDK itself would reject expired credentials.
    let without_expiry = Credentials::new(id, secret, credentials.session_token().map(str::to_owned), None, "test");
    assert_eq!(failure(get(&without_expiry, "docs/x").await), (400, "ExpiredToken".to_owned()));

    async fn assume(account: &LocalAws, role: &str, policy: &str) -> Credentials {
        let root = account.root_credentials();
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(root)
            .http_client(account.http_client())
            .build();
        let assumed = aws_sdk_sts::Client::from_conf(config)
            .assume_role()
            .role_arn(role)
            .role_session_name("run-1")
            .policy(policy);
        let given = assumed.send().await.unwrap().credentials.unwrap();
        Credentials::new(given.access_key_id, given.secret_access_key, Some(given.session_token), None, "test")
    }
}

#[tokio::test]
async fn verifies_signatures() {
    let (account, root) = site().await;
    put(&root, "x", b"1").await;
    let credentials = account.root_credentials();
    let wrong = Credentials::new(credentials.access_key_id(), "not the secret", None, None, "test");
    let got = client(&account, wrong).get_object().bucket(BUCKET).key("x").send().await;
    assert_eq!(failure(got), (403, "SignatureDoesNotMatch".to_owned()));
    let unknown = Credentials::new("AKIAUNKNOWN000000000", "secret", None, None, "test");
    let got = client(&account, unknown).get_object().bucket(BUCKET).key("x").send().await;
    assert_eq!(failure(got), (403, "InvalidAccessKeyId".to_owned()));
    let unsigned = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .allow_no_auth()
        .build();
    let got = Client::from_conf(unsigned).get_object().bucket(BUCKET).key("x").send().await;
    assert_eq!(failure(got), denied());
    let other = root.get_object().bucket(BUCKET).key("x").expected_bucket_owner("111111111111").send().await;
    assert_eq!(failure(other), denied());
}
