//! Conditional writes, on which the lease and the release pointer depend.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use tokio::{sync::Barrier, task::JoinSet};

use crate::*;

/// Runs 64 attempts at once. Returns the number of successes, and the errors of the others.
async fn race<F, Fut>(attempt: F) -> (usize, Vec<(u16, String)>)
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Result<(), (u16, String)>> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(64));
    let mut attempts = JoinSet::new();
    for number in 0..64 {
        let (barrier, attempt) = (Arc::clone(&barrier), attempt(number));
        attempts.spawn(async move {
            barrier.wait().await;
            attempt.await
        });
    }
    let results = attempts.join_all().await;
    let successes = results.iter().filter(|result| result.is_ok()).count();
    (successes, results.into_iter().filter_map(Result::err).collect())
}

async fn race_if_none_match(client: Client) {
    let (successes, errors) = race(|number| {
        let put = client.put_object().bucket(BUCKET).key("lease").if_none_match("*");
        let put = put.body(ByteStream::from(format!("holder {number}").into_bytes()));
        async move {
            let result = put.send().await;
            if result.is_ok() { Ok(()) } else { Err(failure(result)) }
        }
    })
    .await;
    assert_eq!(successes, 1);
    assert_eq!(errors, vec![(412, "PreconditionFailed".to_owned()); 63]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_64_concurrent_creations_succeeds_in_memory() {
    let (_account, client) = site().await;
    race_if_none_match(client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_64_concurrent_creations_succeeds_in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let account = LocalAws::open(directory.path()).unwrap();
    account.s3().create_bucket(BUCKET).await.unwrap();
    race_if_none_match(client(&account, account.root_credentials())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_64_concurrent_renewals_succeeds() {
    let (_account, client) = site().await;
    let etag = put(&client, "lease", b"first").await;
    let (successes, errors) = race(|number| {
        let put = client.put_object().bucket(BUCKET).key("lease").if_match(&etag);
        let put = put.body(ByteStream::from(format!("holder {number}").into_bytes()));
        async move {
            let result = put.send().await;
            if result.is_ok() { Ok(()) } else { Err(failure(result)) }
        }
    })
    .await;
    assert_eq!(successes, 1);
    assert_eq!(errors, vec![(412, "PreconditionFailed".to_owned()); 63]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_64_concurrent_copies_and_deletes_succeeds() {
    let (_account, client) = site().await;
    put(&client, "source", b"bytes").await;
    let (successes, errors) = race(|_| {
        let copy = client.copy_object().bucket(BUCKET).key("copy").copy_source("site/source").if_none_match("*");
        async move {
            let result = copy.send().await;
            if result.is_ok() { Ok(()) } else { Err(failure(result)) }
        }
    })
    .await;
    assert_eq!((successes, errors), (1, vec![(412, "PreconditionFailed".to_owned()); 63]));

    let (successes, errors) = race(|_| {
        let delete = client.delete_object().bucket(BUCKET).key("copy").if_match("*");
        async move {
            let result = delete.send().await;
            if result.is_ok() { Ok(()) } else { Err(failure(result)) }
        }
    })
    .await;
    assert_eq!((successes, errors), (1, vec![(404, "NoSuchKey".to_owned()); 63]));
}

#[tokio::test]
async fn conditions_fail_on_missing_and_different_objects() {
    let (_account, client) = site().await;
    let put_if = |key: &str, etag: &str| {
        client.put_object().bucket(BUCKET).key(key).if_match(etag).body(ByteStream::from_static(b"x")).send()
    };
    assert_eq!(failure(put_if("missing", "\"abc\"").await), (404, "NoSuchKey".to_owned()));
    let etag = put(&client, "there", b"1").await;
    assert_eq!(failure(put_if("there", "\"abc\"").await), (412, "PreconditionFailed".to_owned()));
    // The quotes are optional.
    put_if("there", etag.trim_matches('"')).await.unwrap();
    assert_eq!(body(&client, "there").await, b"x");
    let other = client.put_object().bucket(BUCKET).key("there").if_none_match("\"abc\"").send().await;
    assert_eq!(failure(other), (501, "NotImplemented".to_owned()));

    let delete = |key: &str, etag: &str| client.delete_object().bucket(BUCKET).key(key).if_match(etag).send();
    assert_eq!(failure(delete("missing", "\"abc\"").await), (404, "NoSuchKey".to_owned()));
    assert_eq!(failure(delete("there", "\"abc\"").await), (412, "PreconditionFailed".to_owned()));
    delete("there", &quoted(&md5_hex(b"x"))).await.unwrap();
    client.delete_object().bucket(BUCKET).key("there").send().await.unwrap();
}

#[tokio::test]
async fn a_rejected_put_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let account = LocalAws::open(directory.path()).unwrap();
    account.s3().create_bucket(BUCKET).await.unwrap();
    let client = client(&account, account.root_credentials());
    let large = vec![7_u8; 300_000];
    put(&client, "large", &large).await;
    let files = || std::fs::read_dir(directory.path().join("bodies")).unwrap().count();
    assert_eq!(files(), 1);
    let again =
        client.put_object().bucket(BUCKET).key("large").if_none_match("*").body(ByteStream::from(large)).send().await;
    assert_eq!(failure(again), (412, "PreconditionFailed".to_owned()));
    assert_eq!(files(), 1);
}
