//! The keys of a store through the real SDK: versions, limits, permissions and signatures.

use std::collections::BTreeMap;

use aws_sdk_cloudfront::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudfrontkeyvaluestore::Client;
use aws_sdk_cloudfrontkeyvaluestore::types::{DeleteKeyRequestListItem, PutKeyRequestListItem};
use axum::body::Body;
use http::Request;
use pretty_assertions::assert_eq;
use proptest::prelude::*;
use tidegate_emulator::LocalAws;
use tower::ServiceExt as _;

use super::{client, refusal, refused};

fn keys_client(account: &LocalAws, credentials: Credentials) -> Client {
    let config = aws_sdk_cloudfrontkeyvaluestore::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(credentials)
        .build();
    Client::from_conf(config)
}

/// An account with a store, by its ARN.
async fn with_store() -> (LocalAws, Client, String) {
    let account = LocalAws::in_memory().expect("an account");
    let control = client(&account, account.root_credentials());
    let created = control.create_key_value_store().name("docs").send().await.expect("a store");
    let arn = created.key_value_store().expect("a store").arn().to_owned();
    let keys = keys_client(&account, account.root_credentials());
    (account, keys, arn)
}

async fn version(client: &Client, arn: &str) -> String {
    client.describe_key_value_store().kvs_arn(arn).send().await.expect("a store").e_tag
}

fn put(key: &str, value: &str) -> PutKeyRequestListItem {
    PutKeyRequestListItem::builder().key(key).value(value).build().expect("a put")
}

fn delete(key: &str) -> DeleteKeyRequestListItem {
    DeleteKeyRequestListItem::builder().key(key).build().expect("a delete")
}

/// Applies a change to the store's present version; returns the status and code of a refusal.
async fn update(client: &Client, arn: &str, puts: &[(&str, &str)], deletes: &[&str]) -> (u16, String) {
    let request = client.update_keys().kvs_arn(arn).if_match(version(client, arn).await);
    let puts = puts.iter().map(|(key, value)| put(key, value)).collect();
    let deletes = deletes.iter().map(|key| delete(key)).collect();
    refusal(request.set_puts(Some(puts)).set_deletes(Some(deletes)).send().await)
}

const OK: (u16, &str) = (200, "OK");

#[tokio::test]
async fn keys_are_put_read_listed_and_deleted() {
    let (account, client, arn) = with_store().await;
    let first = version(&client, &arn).await;
    let written = client.put_key().kvs_arn(&arn).key("docs:/a b/é").value("1").if_match(&first).send().await;
    let written = written.expect("written");
    assert_eq!((written.item_count(), written.total_size_in_bytes()), (1, 13));
    assert_ne!(written.e_tag(), first);
    let read = client.get_key().kvs_arn(&arn).key("docs:/a b/é").send().await.expect("a value");
    assert_eq!((read.key(), read.value(), read.item_count()), ("docs:/a b/é", "1", 1));
    let missing = client.get_key().kvs_arn(&arn).key("docs:/a").send().await;
    assert_eq!(refusal(missing), refused(404, "ResourceNotFoundException"));

    let stale = client.put_key().kvs_arn(&arn).key("b").value("1").if_match(&first).send().await;
    let error = stale.expect_err("an error");
    assert_eq!(error.as_service_error().and_then(|error| error.meta().message()), Some("Pre-Condition failed"));
    assert_eq!(refusal::<(), _>(Err(error)), refused(400, "ValidationException"));
    let deleted = client.delete_key().kvs_arn(&arn).key("docs:/a b/é").if_match(&first).send().await;
    assert_eq!(refusal(deleted), refused(400, "ValidationException"));
    let etag = written.e_tag();
    let deleted = client.delete_key().kvs_arn(&arn).key("docs:/a b/é").if_match(etag).send().await.expect("deleted");
    assert_eq!((deleted.item_count(), deleted.total_size_in_bytes()), (0, 0));
    assert_eq!(account.cloudfront().store_entries_of(&arn), Some(BTreeMap::new()));
    let control = super::client(&account, account.root_credentials());
    let described = control.describe_key_value_store().name("docs").send().await.expect("a store");
    assert_ne!(described.e_tag(), Some(version(&client, &arn).await.as_str()), "two versions, of name and of keys");
}

#[tokio::test]
async fn an_update_changes_all_keys_or_none() {
    let (account, client, arn) = with_store().await;
    let entries = || account.cloudfront().store_entries_of(&arn).expect("a store");
    assert_eq!(update(&client, &arn, &[("a", "1"), ("b", "2")], &[]).await, refused(OK.0, OK.1));
    let before = entries();
    let long_key = "k".repeat(513);
    let long_value = "v".repeat(1_025);
    for (puts, deletes, code) in [
        (vec![("c", "3")], vec!["none"], "ResourceNotFoundException"),
        (vec![("c", "3"), (long_key.as_str(), "1")], vec![], "ValidationException"),
        (vec![("c", "3"), ("d", long_value.as_str())], vec![], "ValidationException"),
        (vec![("c", "3"), ("c", "4")], vec![], "ValidationException"),
        (vec![("a", "3")], vec!["a"], "ValidationException"),
        (vec![], vec!["a", "a"], "ValidationException"),
        (vec![], vec![], "ValidationException"),
    ] {
        let (status, found) = update(&client, &arn, &puts, &deletes).await;
        assert_eq!(found, code, "{puts:?} {deletes:?}");
        assert_eq!(status, if code == "ResourceNotFoundException" { 404 } else { 400 });
        assert_eq!(entries(), before, "{puts:?} {deletes:?}");
    }
    assert_eq!(update(&client, &arn, &[("c", "3"), ("b", "5")], &["a"]).await, refused(OK.0, OK.1));
    let expected = [("b", "5"), ("c", "3")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(entries(), expected.into());
}

#[tokio::test]
async fn the_limits_themselves_are_accepted() {
    let (_account, client, arn) = with_store().await;
    let (key, value) = ("k".repeat(512), "v".repeat(1_024));
    assert_eq!(update(&client, &arn, &[(&key, &value)], &[]).await, refused(OK.0, OK.1));
    let names: Vec<String> = (0..51).map(|number| format!("k{number}")).collect();
    let puts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    assert_eq!(update(&client, &arn, &puts, &[]).await, refused(402, "ServiceQuotaExceededException"), "51 keys");
    let (first, others) = puts.split_first().expect("keys");
    assert_eq!(update(&client, &arn, others, &[]).await, refused(OK.0, OK.1), "50 keys");
    let most: Vec<&str> = others.iter().map(|(key, _)| *key).collect();
    assert_eq!(update(&client, &arn, &[*first], &most).await, refused(402, "ServiceQuotaExceededException"));
}

#[tokio::test]
async fn a_store_holds_five_megabytes() {
    let (_account, client, arn) = with_store().await;
    let value = "v".repeat(1_024);
    let mut number = 0;
    let mut etag = version(&client, &arn).await;
    let size = loop {
        let puts = (0..50).map(|_| {
            number += 1;
            put(&format!("{number:0>512}"), &value)
        });
        let request = client.update_keys().kvs_arn(&arn).if_match(&etag).set_puts(Some(puts.collect()));
        match request.send().await {
            Ok(output) => etag = output.e_tag,
            Err(error) => {
                assert_eq!(refusal::<(), _>(Err(error)), refused(402, "ServiceQuotaExceededException"));
                let described = client.describe_key_value_store().kvs_arn(&arn).send().await.expect("a store");
                break described.total_size_in_bytes();
            }
        }
    };
    assert_eq!(size, 5 * 1_024 * 1_024 / (50 * 1_536) * (50 * 1_536));
}

#[tokio::test]
async fn keys_are_listed_in_pages_of_fifty() {
    let (account, client, arn) = with_store().await;
    for start in [0, 50, 100] {
        let names: Vec<String> = (start..start + 50).map(|number| format!("k{number:03}")).collect();
        let puts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert_eq!(update(&client, &arn, &puts, &[]).await, refused(OK.0, OK.1));
    }
    let mut pages = Vec::new();
    let mut all = BTreeMap::new();
    let mut token = None;
    loop {
        let page = client.list_keys().kvs_arn(&arn).set_next_token(token).send().await.expect("a page");
        pages.push(page.items().len());
        all.extend(page.items().iter().map(|item| (item.key().to_owned(), item.value().to_owned())));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(pages, [50, 50, 50]);
    assert_eq!(Some(all), account.cloudfront().store_entries_of(&arn));
    for most in [0, 51] {
        let refused_page = client.list_keys().kvs_arn(&arn).max_results(most).send().await;
        assert_eq!(refusal(refused_page), refused(400, "ValidationException"), "{most}");
    }
    let invalid = client.list_keys().kvs_arn(&arn).next_token("*").send().await;
    assert_eq!(refusal(invalid), refused(400, "ValidationException"));
}

#[tokio::test]
async fn each_operation_needs_its_own_permission_on_the_store() {
    let (account, root, arn) = with_store().await;
    assert_eq!(update(&root, &arn, &[("a", "1")], &[]).await, refused(OK.0, OK.1));
    let operations = ["DescribeKeyValueStore", "GetKey", "ListKeys", "PutKey", "DeleteKey", "UpdateKeys"];
    for allowed in operations {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"cloudfront-keyvaluestore:{allowed}","Resource":"{arn}"}}]}}"#
        );
        account.iam().create_user(allowed, &[("p", policy.as_str())]).expect("a user");
        let key = account.iam().create_access_key(allowed).expect("a key");
        let client = keys_client(&account, Credentials::new(key.id, key.secret, None, None, "test"));
        for operation in operations {
            let status = match operation {
                "DescribeKeyValueStore" => refusal(client.describe_key_value_store().kvs_arn(&arn).send().await),
                "GetKey" => refusal(client.get_key().kvs_arn(&arn).key("a").send().await),
                "ListKeys" => refusal(client.list_keys().kvs_arn(&arn).send().await),
                "PutKey" => refusal(client.put_key().kvs_arn(&arn).key("a").value("1").if_match("x").send().await),
                "DeleteKey" => refusal(client.delete_key().kvs_arn(&arn).key("a").if_match("x").send().await),
                _ => refusal(client.update_keys().kvs_arn(&arn).if_match("x").puts(put("a", "1")).send().await),
            };
            if operation == allowed {
                assert_ne!(status.0, 403, "{operation}: {status:?}");
            } else {
                assert_eq!(status, refused(403, "AccessDeniedException"), "{operation} with {allowed}");
            }
        }
    }
    let missing = format!("{}0", arn.get(..arn.len() - 1).expect("an ARN"));
    let missing = if missing == arn { format!("{}1", arn.get(..arn.len() - 1).expect("an ARN")) } else { missing };
    let described = root.describe_key_value_store().kvs_arn(&missing).send().await;
    assert_eq!(refusal(described), refused(404, "ResourceNotFoundException"));
}

#[tokio::test]
async fn requests_must_be_signed_for_all_regions() {
    let (account, _, arn) = with_store().await;
    let root = account.root_credentials();
    let wrong = Credentials::new(root.access_key_id(), "another secret", None, None, "test");
    let client = keys_client(&account, wrong);
    let described = client.describe_key_value_store().kvs_arn(&arn).send().await;
    assert_eq!(refusal(described), refused(403, "InvalidSignatureException"));
    let unknown = keys_client(&account, Credentials::new("AKIANONE", "secret", None, None, "test"));
    let described = unknown.describe_key_value_store().kvs_arn(&arn).send().await;
    assert_eq!(refusal(described), refused(403, "UnrecognizedClientException"));

    let host = "000000000000.cloudfront-kvs.global.api.aws";
    let uri = format!("https://{host}/key-value-stores/{}", arn.replace(':', "%3A").replace('/', "%2F"));
    let send = async |authorization: Option<&str>| {
        let mut request = Request::get(&uri).header("host", host).header("x-amz-date", "20260101T000000Z");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = account.router().oneshot(request).await.expect("an answer");
        let code = response.headers().get("x-amzn-errortype").map(|code| code.to_str().expect("text").to_owned());
        (response.status().as_u16(), code.unwrap_or_default())
    };
    assert_eq!(send(None).await, refused(403, "MissingAuthenticationTokenException"));
    let regional = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/cloudfront-keyvaluestore/aws4_request, \
        SignedHeaders=host;x-amz-date, Signature=00";
    assert_eq!(send(Some(regional)).await, refused(400, "IncompleteSignatureException"), "Signature Version 4");
}

#[tokio::test]
async fn a_session_of_a_role_may_do_what_its_policies_allow() {
    let (account, root, arn) = with_store().await;
    let allow = |actions: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":"{arn}"}}]}}"#
        )
    };
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;
    let policy = allow(r#"["cloudfront-keyvaluestore:UpdateKeys","cloudfront-keyvaluestore:DescribeKeyValueStore"]"#);
    let role = account.iam().create_role("publisher", trust, &[("p", policy.as_str())]).expect("a role");
    let sts = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(account.root_credentials())
        .build();
    let assume = aws_sdk_sts::Client::from_conf(sts).assume_role().role_arn(role).role_session_name("session");
    let assumed = assume.policy(allow(r#""cloudfront-keyvaluestore:*""#)).send().await.expect("a session");
    let session = assumed.credentials.expect("credentials");
    let (id, secret) = (session.access_key_id, session.secret_access_key);
    let client = keys_client(&account, Credentials::new(&id, &secret, Some(session.session_token), None, "test"));
    assert_eq!(update(&client, &arn, &[("a", "1")], &[]).await, refused(OK.0, OK.1));
    let read = client.get_key().kvs_arn(&arn).key("a").send().await;
    assert_eq!(refusal(read), refused(403, "AccessDeniedException"));
    let without_token = keys_client(&account, Credentials::new(id, secret, None, None, "test"));
    let described = without_token.describe_key_value_store().kvs_arn(&arn).send().await;
    assert_eq!(refusal(described), refused(403, "UnrecognizedClientException"));
    assert_eq!(update(&root, &arn, &[], &["a"]).await, refused(OK.0, OK.1));
}

#[tokio::test]
async fn keys_are_still_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let arn = {
        let account = LocalAws::open(directory.path()).expect("an account");
        let control = client(&account, account.root_credentials());
        let created = control.create_key_value_store().name("docs").send().await.expect("a store");
        let arn = created.key_value_store().expect("a store").arn().to_owned();
        let keys = keys_client(&account, account.root_credentials());
        assert_eq!(update(&keys, &arn, &[("a/b", "1"), ("c", "2")], &[]).await, refused(OK.0, OK.1));
        assert_eq!(update(&keys, &arn, &[("a/b", "3")], &["c"]).await, refused(OK.0, OK.1));
        arn
    };
    let account = LocalAws::open(directory.path()).expect("an account");
    let expected = BTreeMap::from([("a/b".to_owned(), "3".to_owned())]);
    assert_eq!(account.cloudfront().store_entries_of(&arn), Some(expected));
}

/// A change in the property test: keys by number, with a value or deleted, and whether it names the present version.
#[derive(Debug, Clone)]
struct Change {
    puts: Vec<(u8, u8)>,
    deletes: Vec<u8>,
    is_current: bool,
}

fn change() -> impl Strategy<Value = Change> {
    let puts = proptest::collection::vec((0..6_u8, 0..4_u8), 0..4);
    let deletes = proptest::collection::vec(0..6_u8, 0..3);
    (puts, deletes, proptest::bool::weighted(0.8)).prop_map(|(puts, deletes, is_current)| Change {
        puts,
        deletes,
        is_current,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A map is changed by every update that names its version, names each key once, and deletes only what exists.
    #[test]
    fn updates_are_those_of_a_map(changes in proptest::collection::vec(change(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (account, client, arn) = with_store().await;
            let mut model: BTreeMap<String, String> = BTreeMap::new();
            let mut etag = version(&client, &arn).await;
            for change in changes {
                let name = |key: u8| format!("k/{key}");
                let named: Vec<u8> = change.puts.iter().map(|(key, _)| *key).chain(change.deletes.clone()).collect();
                let unique: std::collections::BTreeSet<u8> = named.iter().copied().collect();
                let exist = change.deletes.iter().all(|key| model.contains_key(&name(*key)));
                let is_valid = !named.is_empty() && unique.len() == named.len() && exist && change.is_current;
                let puts = change.puts.iter().map(|(key, value)| put(&name(*key), &value.to_string()));
                let deletes = change.deletes.iter().map(|key| delete(&name(*key)));
                let request = client.update_keys().kvs_arn(&arn).if_match(if change.is_current { &etag } else { "stale" });
                let result = request.set_puts(Some(puts.collect())).set_deletes(Some(deletes.collect())).send().await;
                prop_assert_eq!(result.is_ok(), is_valid, "{:?}", change);
                if let Ok(output) = result {
                    for key in &change.deletes {
                        model.remove(&name(*key));
                    }
                    model.extend(change.puts.iter().map(|(key, value)| (name(*key), value.to_string())));
                    let bytes: usize = model.iter().map(|(key, value)| key.len() + value.len()).sum();
                    prop_assert_eq!(output.item_count(), i32::try_from(model.len()).expect("a small number"));
                    prop_assert_eq!(output.total_size_in_bytes(), i64::try_from(bytes).expect("a small number"));
                    prop_assert_ne!(output.e_tag(), &etag);
                    etag = output.e_tag;
                }
                prop_assert_eq!(version(&client, &arn).await, etag.clone());
                prop_assert_eq!(account.cloudfront().store_entries_of(&arn), Some(model.clone()));
            }
            Ok(())
        })?;
    }
}
