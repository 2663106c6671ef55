//! Tags of key value stores and functions: what is accepted, and how they are listed.

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::Credentials;
use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{Tag, Tags};
use pretty_assertions::assert_eq;
use tidegate_emulator::LocalAws;

use super::{ID, IDENTITY, client, function_config, refusal, refused, with_distribution};

async fn create(client: &Client, name: &str, tags: &[(&str, &str)]) -> (u16, String) {
    let items = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build().expect("a tag"));
    let tags = Tags::builder().set_items(Some(items.collect())).build();
    refusal(client.create_key_value_store().name(name).tags(tags).send().await)
}

async fn list(client: &Client, resource: &str) -> Result<Vec<(String, String)>, (u16, String)> {
    match client.list_tags_for_resource().resource(resource).send().await {
        Ok(output) => {
            let tags = output.tags.expect("tags");
            let tags =
                tags.items().iter().map(|tag| (tag.key().to_owned(), tag.value().unwrap_or_default().to_owned()));
            Ok(tags.collect())
        }
        Err(error) => Err(refusal::<(), _>(Err(error))),
    }
}

#[tokio::test]
async fn a_store_keeps_its_tags() {
    let (_account, client) = with_distribution();
    let tags = [("site", "docs"), ("team:é", "a/b = c@d"), ("empty", "")];
    assert_eq!(create(&client, "docs", &tags).await, refused(200, "OK"));
    let store = client.describe_key_value_store().name("docs").send().await.expect("a store");
    let arn = store.key_value_store().expect("a store").arn().to_owned();
    let mut expected = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    expected.sort();
    assert_eq!(list(&client, &arn).await, Ok(expected.to_vec()));
    let distribution = format!("arn:aws:cloudfront::000000000000:distribution/{ID}");
    assert_eq!(list(&client, &distribution).await, Ok(Vec::new()));
    assert_eq!(list(&client, &format!("{distribution}X")).await, Err(refused(404, "NoSuchResource")));
}

#[tokio::test]
async fn a_function_keeps_its_tags() {
    let (_account, client) = with_distribution();
    let create = |key: &str| {
        let tags = Tags::builder().items(Tag::builder().key(key).value("v").build().expect("a tag")).build();
        let request = client.create_function().name("f").function_config(function_config(&[])).tags(tags);
        request.function_code(Blob::new(IDENTITY)).send()
    };
    assert_eq!(refusal(create("aws:k").await), refused(400, "InvalidArgument"));
    let created = create("k").await.expect("a function");
    let etag = created.e_tag().expect("an ETag");
    client.publish_function().name("f").if_match(etag).send().await.expect("published");
    let arn = "arn:aws:cloudfront::000000000000:function/f";
    assert_eq!(list(&client, arn).await, Ok(vec![("k".to_owned(), "v".to_owned())]), "after a change");
}

#[tokio::test]
async fn tags_are_accepted_or_refused() {
    let (_account, client) = with_distribution();
    let names: Vec<String> = (0..51).map(|number| format!("k{number}")).collect();
    let all: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let (key, value) = ("k".repeat(128), "v".repeat(256));
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    for (number, (tags, accepted)) in [
        (vec![], true),
        (vec![(key.as_str(), value.as_str())], true),
        (all.iter().copied().take(50).collect(), true),
        (all, false),
        (vec![("", "v")], false),
        (vec![(&long_key, "v")], false),
        (vec![("k", &long_value)], false),
        (vec![("k", "1"), ("k", "2")], false),
        (vec![("aws:k", "v")], false),
        (vec![("AWS:k", "v")], false),
        (vec![("k!", "v")], false),
        (vec![("k", "a;b")], false),
    ]
    .into_iter()
    .enumerate()
    {
        let expected = if accepted { refused(200, "OK") } else { refused(400, "InvalidArgument") };
        assert_eq!(create(&client, &format!("s{number}"), &tags).await, expected, "{tags:?}");
    }
}

#[tokio::test]
async fn a_caller_needs_a_permission_to_tag_and_to_list() {
    let account = LocalAws::in_memory().expect("an account");
    let root = client(&account, account.root_credentials());
    let stores = "arn:aws:cloudfront::000000000000:key-value-store/*";
    let statement = |action: &str, resource: &str| {
        format!(r#"{{"Effect":"Allow","Action":"cloudfront:{action}","Resource":"{resource}"}}"#)
    };
    let create_store = statement("CreateKeyValueStore", "*");
    for (name, second, tagged, listed) in [
        ("tagger", statement("TagResource", stores), 200, 403),
        ("lister", statement("ListTagsForResource", stores), 403, 200),
    ] {
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{create_store},{second}]}}"#);
        account.iam().create_user(name, &[("p", policy.as_str())]).expect("a user");
        let key = account.iam().create_access_key(name).expect("a key");
        let client = client(&account, Credentials::new(key.id, key.secret, None, None, "test"));
        assert_eq!(create(&client, name, &[("k", "v")]).await.0, tagged, "{name}");
        let plain = format!("{name}-plain");
        assert_eq!(create(&client, &plain, &[]).await.0, 200, "{name}: without tags");
        let store = root.describe_key_value_store().name(&plain).send().await.expect("a store");
        let arn = store.key_value_store().expect("a store").arn().to_owned();
        let status = list(&client, &arn).await.map_or_else(|(status, _)| status, |_| 200);
        assert_eq!(status, listed, "{name}");
    }
}
