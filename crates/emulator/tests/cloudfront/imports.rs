//! New key value stores with the pairs of a file in S3. The rules are those of the CloudFront Developer Guide, "Create a
//! key value store" and "File format for key-value pairs".

use std::collections::BTreeMap;

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::Credentials;
use aws_sdk_cloudfront::types::{ImportSource, ImportSourceType};
use pretty_assertions::assert_eq;
use tidegate_emulator::LocalAws;
use tidegate_emulator::s3::StoredHeaders;

use super::{client, refusal, refused};

const ARN: &str = "arn:aws:s3:::files/pairs/a.json";
const PAIR: &str = r#"{"data":[{"key":"a","value":"1"}]}"#;

async fn with_bucket(account: &LocalAws) -> Client {
    account.s3().create_bucket("files").await.expect("a bucket");
    client(account, account.root_credentials())
}

async fn put(account: &LocalAws, body: &str) {
    account.s3().put("files", "pairs/a.json", body.to_owned(), StoredHeaders::default()).await.expect("put");
}

fn source(kind: ImportSourceType, arn: &str) -> ImportSource {
    ImportSource::builder().source_type(kind).source_arn(arn).build().expect("a source")
}

/// Creates a store with an import; returns the status and code.
async fn import(client: &Client, name: &str, arn: &str) -> (u16, String) {
    let request = client.create_key_value_store().name(name).import_source(source(ImportSourceType::S3, arn));
    refusal(request.send().await)
}

const OK: (u16, &str) = (200, "OK");

/// A file with one pair.
fn file(key: &str, value: &str) -> String {
    serde_json::json!({ "data": [{ "key": key, "value": value }] }).to_string()
}

#[tokio::test]
async fn a_store_starts_with_the_pairs_of_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    // Larger than what the bucket keeps in its database.
    let pairs: BTreeMap<String, String> = (0..500)
        .map(|number| (format!("docs:/é/{number}"), format!("{{\"n\":{number}}}{}", "v".repeat(200))))
        .collect();
    let data: Vec<_> = pairs.iter().map(|(key, value)| serde_json::json!({ "key": key, "value": value })).collect();
    let arn = {
        let account = LocalAws::open(directory.path()).expect("an account");
        let client = with_bucket(&account).await;
        put(&account, &serde_json::json!({ "data": data }).to_string()).await;
        let request = client.create_key_value_store().name("docs").comment("c");
        let created = request.import_source(source(ImportSourceType::S3, ARN)).send().await.expect("a store");
        let store = created.key_value_store().expect("a store");
        assert_eq!((store.status(), store.comment()), (Some("PROVISIONING"), "c"));
        let described = client.describe_key_value_store().name("docs").send().await.expect("a store");
        assert_eq!(described.key_value_store().expect("a store").status(), Some("READY"));
        assert_eq!(account.cloudfront().store_entries_of(store.arn()), Some(pairs.clone()));
        store.arn().to_owned()
    };
    let account = LocalAws::open(directory.path()).expect("an account");
    assert_eq!(account.cloudfront().store_entries_of(&arn), Some(pairs), "after a restart");
}

/// Rows: what the file has, its text, and the status and code.
#[tokio::test]
async fn files_are_accepted_or_refused() {
    let account = LocalAws::in_memory().expect("an account");
    let client = with_bucket(&account).await;
    let invalid = (400, "InvalidArgument");
    let twice = r#"{"data":[{"key":"a","value":"1"},{"key":"b","value":"1"},{"key":"a","value":"2"}]}"#;
    let filled = |length: usize| format!("{}{}", " ".repeat(length - PAIR.len()), PAIR);
    let escaped = format!(r#"{{"data":[{{"key":"{}","value":""}}]}}"#, r"\u0061".repeat(512));
    let rows: [(&str, String, (u16, &str)); 24] = [
        ("one pair", PAIR.to_owned(), OK),
        ("no pair", r#"{"data":[]}"#.to_owned(), OK),
        ("white space", format!("\n{PAIR}\n"), OK),
        ("an empty value", file("a", ""), OK),
        ("the longest key", file(&"k".repeat(512), "1"), OK),
        ("the longest key, escaped", escaped, OK),
        ("the longest value", file("a", &"v".repeat(1_024)), OK),
        ("the largest file", filled(5 << 20), OK),
        ("one byte more", filled((5 << 20) + 1), (413, "EntitySizeLimitExceeded")),
        ("a long key", file(&"k".repeat(513), "1"), invalid),
        ("a key of 257 characters and 514 bytes", file(&"é".repeat(257), "1"), invalid),
        ("a long value", file("a", &"v".repeat(1_025)), invalid),
        ("an empty key", file("", "1"), invalid),
        ("a key twice", twice.to_owned(), invalid),
        ("nothing", String::new(), invalid),
        ("no JSON", "a=1".to_owned(), invalid),
        ("half of the JSON", r#"{"data":[{"key":"a","val"#.to_owned(), invalid),
        ("more after the JSON", format!("{PAIR}{PAIR}"), invalid),
        ("an object of pairs", r#"{"a":"1"}"#.to_owned(), invalid),
        ("a list", r#"[{"key":"a","value":"1"}]"#.to_owned(), invalid),
        ("no value", r#"{"data":[{"key":"a"}]}"#.to_owned(), invalid),
        ("a number as a value", r#"{"data":[{"key":"a","value":1}]}"#.to_owned(), invalid),
        ("another member", r#"{"data":[],"version":1}"#.to_owned(), invalid),
        ("upper case", r#"{"Data":[]}"#.to_owned(), invalid),
    ];
    for (number, (name, body, expected)) in rows.into_iter().enumerate() {
        put(&account, &body).await;
        let store = format!("s{number}");
        assert_eq!(import(&client, &store, ARN).await, refused(expected.0, expected.1), "{name}");
        let described = refusal(client.describe_key_value_store().name(&store).send().await);
        assert_eq!(described.0, if expected == OK { 200 } else { 404 }, "{name}: nothing is created");
    }
    account.s3().put("files", "pairs/a.json", vec![0xff, 0xfe], StoredHeaders::default()).await.expect("put");
    assert_eq!(import(&client, "bytes", ARN).await, refused(invalid.0, invalid.1), "no UTF-8");
    put(&account, PAIR).await;
    assert_eq!(import(&client, "bytes", ARN).await, refused(OK.0, OK.1), "after the file was corrected");
}

#[tokio::test]
async fn a_source_is_an_object_in_s3() {
    let account = LocalAws::in_memory().expect("an account");
    let client = with_bucket(&account).await;
    put(&account, PAIR).await;
    for arn in [
        "",
        "files/pairs/a.json",
        "s3://files/pairs/a.json",
        "arn:aws:s3:::files",
        "arn:aws:s3:::files/",
        "arn:aws:s3:::/pairs/a.json",
        "arn:aws:s3:us-east-1::files/pairs/a.json",
        "arn:aws:s3:::files/none.json",
        "arn:aws:s3:::other/pairs/a.json",
    ] {
        assert_eq!(import(&client, "s", arn).await, refused(400, "InvalidArgument"), "{arn}");
    }
    let other = source(ImportSourceType::from("FILE"), ARN);
    let request = client.create_key_value_store().name("s").import_source(other);
    assert_eq!(refusal(request.send().await), refused(400, "InvalidArgument"), "another type");
    assert_eq!(import(&client, "s", ARN).await, refused(OK.0, OK.1));
    assert_eq!(import(&client, "s", ARN).await, refused(409, "EntityAlreadyExists"));
    account.s3().set_owner("files", "111122223333").await.expect("set");
    assert_eq!(import(&client, "t", ARN).await, refused(403, "AccessDenied"), "the bucket of another account");
}

#[tokio::test]
async fn the_caller_needs_permissions_on_the_bucket() {
    let account = LocalAws::in_memory().expect("an account");
    with_bucket(&account).await;
    put(&account, PAIR).await;
    let create = r#"{"Effect":"Allow","Action":"cloudfront:CreateKeyValueStore","Resource":"*"}"#;
    let get = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::files/pairs/*"}"#;
    let location = r#"{"Effect":"Allow","Action":"s3:GetBucketLocation","Resource":"arn:aws:s3:::files"}"#;
    let other = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::files/other/*"}"#;
    let deny = r#"{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}"#;
    for (name, statements, status) in [
        ("all", [create, get, location].as_slice(), 200),
        ("no-get", &[create, location], 403),
        ("no-location", &[create, get], 403),
        ("no-create", &[get, location], 403),
        ("other-key", &[create, other, location], 403),
        ("denied", &[create, get, location, deny], 403),
    ] {
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        account.iam().create_user(name, &[("p", policy.as_str())]).expect("a user");
        let key = account.iam().create_access_key(name).expect("a key");
        let client = client(&account, Credentials::new(key.id, key.secret, None, None, "test"));
        let (seen, code) = import(&client, name, ARN).await;
        assert_eq!(seen, status, "{name}: {code}");
        assert_eq!(code == "AccessDenied", status == 403, "{name}: {code}");
        if name == "no-get" {
            let missing = import(&client, "missing", "arn:aws:s3:::files/none").await;
            assert_eq!(missing, refused(403, "AccessDenied"), "whether the object exists does not show");
            let allow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/no-get"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::files/*"}]}"#;
            account.s3().set_policy("files", Some(allow.to_owned())).await.expect("a policy");
            assert_eq!(import(&client, name, ARN).await, refused(OK.0, OK.1), "by the policy of the bucket");
        }
    }
}
