//! Deleting many keys, each with its own result.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use tidegate_emulator::s3::StoredHeaders;

use crate::*;

fn delete(keys: impl IntoIterator<Item = String>) -> Delete {
    let objects = keys.into_iter().map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    Delete::builder().set_objects(Some(objects.collect())).build().unwrap()
}

#[tokio::test]
async fn deletes_at_most_a_thousand_keys() {
    let (account, client) = site().await;
    let keys: Vec<String> = (0..1_001).map(|number| format!("k{number:04}")).collect();
    futures::future::join_all(keys.iter().map(|key| account.s3().put(BUCKET, key, "x", StoredHeaders::default())))
        .await;
    let too_many = client.delete_objects().bucket(BUCKET).delete(delete(keys.clone())).send().await;
    assert_eq!(failure(too_many), (400, "MalformedXML".to_owned()));
    assert_eq!(account.s3().list(BUCKET, "").unwrap().len(), 1_001);
    let done = client.delete_objects().bucket(BUCKET).delete(delete(keys[..1_000].to_vec())).send().await.unwrap();
    assert_eq!((done.deleted().len(), done.errors().len()), (1_000, 0));
    assert_eq!(account.s3().list(BUCKET, "").unwrap().len(), 1);
}

#[tokio::test]
async fn checks_policy_and_condition_of_each_key() {
    let (account, root) = site().await;
    for key in ["a", "locked/b", "c", "d"] {
        put(&root, key, key.as_bytes()).await;
    }
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["s3:DeleteObject","s3:GetObject"],"Resource":"arn:aws:s3:::site/*"},
        {"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::site/locked/*"}]}"#;
    account.iam().create_user("pruner", &[("prune", policy)]).unwrap();
    let key = account.iam().create_access_key("pruner").unwrap();
    let pruner = client(&account, key.credentials());
    let conditional = |key: &str, etag: &str| ObjectIdentifier::builder().key(key).e_tag(etag).build().unwrap();
    let request = Delete::builder()
        .objects(ObjectIdentifier::builder().key("a").build().unwrap())
        .objects(ObjectIdentifier::builder().key("locked/b").build().unwrap())
        .objects(conditional("c", "\"of another\""))
        .objects(conditional("d", &quoted(&md5_hex(b"d"))))
        .objects(conditional("missing", "\"any\""))
        .objects(ObjectIdentifier::builder().key("never existed").build().unwrap())
        .build()
        .unwrap();
    let done = pruner.delete_objects().bucket(BUCKET).delete(request).send().await.unwrap();
    let deleted: Vec<_> = done.deleted().iter().map(|line| line.key().unwrap()).collect();
    assert_eq!(deleted, ["a", "d", "never existed"]);
    let errors: Vec<_> = done.errors().iter().map(|line| (line.key().unwrap(), line.code().unwrap())).collect();
    assert_eq!(errors, [("locked/b", "AccessDenied"), ("c", "PreconditionFailed"), ("missing", "NoSuchKey")]);
    assert!(done.errors()[0].message().unwrap().contains("explicit deny"), "{:?}", done.errors()[0]);
    let left: Vec<String> = account.s3().list(BUCKET, "").unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, ["c", "locked/b"]);
}

#[tokio::test]
async fn deletes_odd_names_quietly() {
    let (account, client) = site().await;
    let keys = ["a\rb", "a\nb", "a&b", "<x>", "é", " lead", "trail "];
    for key in keys {
        put(&client, key, b"x").await;
    }
    let mut request = delete(keys.map(str::to_owned));
    request.quiet = Some(true);
    let done = client.delete_objects().bucket(BUCKET).delete(request).send().await.unwrap();
    assert_eq!((done.deleted().len(), done.errors().len()), (0, 0));
    assert_eq!(account.s3().list(BUCKET, "").unwrap(), []);
}
