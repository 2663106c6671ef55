//! Key value stores, without their keys.

use aws_sdk_cloudfront::primitives::Blob;
use pretty_assertions::assert_eq;

use super::{IDENTITY, client, function_config, refusal, refused};
use tidegate_emulator::LocalAws;

#[tokio::test]
async fn a_store_is_created_described_updated_and_deleted() {
    let account = LocalAws::in_memory().expect("an account");
    let client = client(&account, account.root_credentials());
    let created = client.create_key_value_store().name("docs").comment("a").send().await.expect("a store");
    assert!(created.location().expect("a location").ends_with("/2020-05-31/key-value-store/docs"));
    let store = created.key_value_store().expect("a store");
    assert_eq!(store.status(), Some("PROVISIONING"));
    assert_eq!(store.arn(), format!("arn:aws:cloudfront::000000000000:key-value-store/{}", store.id()));
    let parts: Vec<usize> = store.id().split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "a UUID");

    let described = client.describe_key_value_store().name("docs").send().await.expect("a store");
    assert_eq!(described.e_tag(), created.e_tag());
    let known = described.key_value_store().expect("a store");
    assert_eq!((known.status(), known.comment()), (Some("READY"), "a"));

    let update = |etag: &str| client.update_key_value_store().name("docs").comment("b").if_match(etag).send();
    assert_eq!(refusal(update("E0").await), refused(412, "PreconditionFailed"));
    let updated = update(described.e_tag().expect("an ETag")).await.expect("updated");
    assert_eq!(updated.key_value_store().expect("a store").comment(), "b");

    let delete = |etag: &str| client.delete_key_value_store().name("docs").if_match(etag).send();
    assert_eq!(refusal(delete(described.e_tag().expect("an ETag")).await), refused(412, "PreconditionFailed"));
    delete(updated.e_tag().expect("an ETag")).await.expect("deleted");
    assert_eq!(refusal(client.describe_key_value_store().name("docs").send().await), refused(404, "EntityNotFound"));
    assert_eq!(refusal(update("E0").await), refused(404, "EntityNotFound"));
    assert_eq!(refusal(delete("E0").await), refused(404, "EntityNotFound"));
}

#[tokio::test]
async fn a_name_is_unique_and_has_the_documented_form() {
    let account = LocalAws::in_memory().expect("an account");
    let client = client(&account, account.root_credentials());
    let create = |name: &str| client.create_key_value_store().name(name).send();
    create("docs").await.expect("a store");
    assert_eq!(refusal(create("docs").await), refused(409, "EntityAlreadyExists"));
    for name in ["a.b", "a b", &"a".repeat(65)] {
        assert_eq!(refusal(create(name).await), refused(400, "InvalidArgument"), "{name}");
    }
    create(&"a".repeat(64)).await.expect("the longest name");
    let long = client.create_key_value_store().name("b").comment("c".repeat(129)).send().await;
    assert_eq!(refusal(long), refused(400, "InvalidArgument"));
}

#[tokio::test]
async fn a_store_in_use_is_not_deleted() {
    let account = LocalAws::in_memory().expect("an account");
    let client = client(&account, account.root_credentials());
    let created = client.create_key_value_store().name("docs").send().await.expect("a store");
    let arn = created.key_value_store().expect("a store").arn().to_owned();
    let other = client.create_key_value_store().name("other").send().await.expect("a store");
    let other = other.key_value_store().expect("a store").arn().to_owned();
    let create = |stores: &[&str]| {
        client.create_function().name("f").function_config(function_config(stores)).function_code(Blob::new(IDENTITY))
    };
    assert_eq!(refusal(create(&[&arn, &other]).send().await), refused(400, "InvalidArgument"), "one for a function");
    let unknown = arn.replace(|c: char| c.is_ascii_hexdigit() && c.is_alphabetic(), "0");
    assert_eq!(refusal(create(&[&unknown]).send().await), refused(400, "InvalidArgument"), "no such store");
    let function = create(&[&arn]).send().await.expect("a function");
    let delete = || client.delete_key_value_store().name("docs").if_match(created.e_tag().expect("an ETag")).send();
    assert_eq!(refusal(delete().await), refused(409, "CannotDeleteEntityWhileInUse"));
    let etag = function.e_tag().expect("an ETag");
    client.delete_function().name("f").if_match(etag).send().await.expect("deleted");
    delete().await.expect("deleted");
}

#[tokio::test]
async fn stores_are_listed_page_by_page() {
    let account = LocalAws::in_memory().expect("an account");
    let client = client(&account, account.root_credentials());
    for number in 0..5 {
        client.create_key_value_store().name(format!("s{number}")).send().await.expect("a store");
    }
    let mut names = Vec::new();
    let mut marker = None;
    loop {
        let page = client.list_key_value_stores().max_items(2).set_marker(marker).send().await.expect("a page");
        let list = page.key_value_store_list.expect("a list");
        names.extend(list.items().iter().map(|store| store.name().to_owned()));
        marker = list.next_marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(names, ["s0", "s1", "s2", "s3", "s4"]);
}
