//! Users: creation with paths, tags and boundaries, lists in pages, and deletion.

use std::time::{Duration, SystemTime};

use aws_sdk_iam::types::Tag;
use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn creates_a_user() {
    let (account, root) = account_with_root();
    account.iam().clock().advance(Duration::from_secs(30 * 24 * 3_600));
    let boundary = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let tag = Tag::builder().key("team").value("docs/site: a+b").build().expect("a tag");
    let created = root.create_user().user_name("publisher").path("/ci/").permissions_boundary(boundary).tags(tag);
    let created_user = created.send().await.expect("a user");
    let found = root.get_user().user_name("publisher").send().await.expect("the user");
    assert_eq!(created_user.user(), found.user());
    let user = found.user().expect("a user");
    assert_eq!(user.arn(), "arn:aws:iam::000000000000:user/ci/publisher");
    assert_eq!((user.path(), user.user_name()), ("/ci/", "publisher"));
    assert!(user.user_id().starts_with("AIDA") && user.user_id().len() == 21, "{}", user.user_id());
    let tags: Vec<_> = user.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, [("team", "docs/site: a+b")]);
    assert_eq!(user.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn()), Some(boundary));
    let created = SystemTime::try_from(*user.create_date()).expect("a date");
    let age = created.duration_since(SystemTime::now()).expect("ahead, as the account's clock is").as_secs();
    assert!((29 * 24 * 3_600..=30 * 24 * 3_600).contains(&age), "{age}");

    root.delete_user_permissions_boundary().user_name("publisher").send().await.expect("no boundary");
    let found = root.get_user().user_name("publisher").send().await.expect("the user");
    assert!(found.user().expect("a user").permissions_boundary().is_none());
    let again = root.delete_user_permissions_boundary().user_name("publisher").send().await;
    assert_eq!(code(again), (404, "NoSuchEntity".to_owned()));

    let plain = root.list_users().send().await.expect("a list");
    let [listed] = plain.users() else { panic!("one user") };
    assert_eq!((listed.arn(), listed.tags().len()), (user.arn(), 0), "lists show no tags");
}

#[tokio::test]
async fn without_a_name_a_user_gets_itself() {
    let (account, root) = account_with_root();
    let own = root.get_user().send().await.expect("root");
    assert_eq!(own.user().expect("root").arn(), "arn:aws:iam::000000000000:root");

    account.iam().create_user("lea", &[("all", ALLOW_ALL)]).expect("a user");
    let lea = iam(&account, account.iam().create_access_key("lea").expect("a key").credentials());
    let own = lea.get_user().send().await.expect("lea");
    assert_eq!(own.user().expect("lea").user_name(), "lea");

    let role = account.iam().create_role("r", TRUST_ACCOUNT, &[("all", ALLOW_ALL)]).expect("a role");
    let session = sts(&account, account.root_credentials());
    let session = session.assume_role().role_arn(role).role_session_name("run").send().await.expect("a session");
    let given = session.credentials().expect("credentials");
    let token = Some(given.session_token().to_owned());
    let session = Credentials::new(given.access_key_id(), given.secret_access_key(), token, None, "test");
    let (status, code, message) = failure(iam(&account, session).get_user().send().await);
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
    assert_eq!(message, "Must specify userName when calling with non-User credentials");
}

#[tokio::test]
async fn lists_users_in_pages_and_by_path() {
    let (_account, root) = account_with_root();
    for number in 0..7 {
        let path = if number % 2 == 0 { "/ci/" } else { "/people/docs/" };
        root.create_user().user_name(format!("u{number}")).path(path).send().await.expect("a user");
    }
    let mut marker = None;
    let mut pages = Vec::new();
    loop {
        let page = root.list_users().max_items(3).set_marker(marker).send().await.expect("a page");
        pages.push(page.users().iter().map(|user| user.user_name().to_owned()).collect::<Vec<_>>());
        assert_eq!(page.is_truncated(), page.marker().is_some());
        marker = page.marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
        // A deletion between two pages does not affect later pages.
        if pages.len() == 1 {
            root.delete_user().user_name("u2").send().await.expect("deleted");
        }
    }
    assert_eq!(pages, [vec!["u0", "u1", "u2"], vec!["u3", "u4", "u5"], vec!["u6"]]);

    for (prefix, expected) in [
        ("/ci/", vec!["u0", "u4", "u6"]),
        ("/people/", vec!["u1", "u3", "u5"]),
        ("/other/", vec![]),
        ("/c", vec!["u0", "u4", "u6"]),
    ] {
        let list = root.list_users().path_prefix(prefix).send().await.expect("a list");
        let names: Vec<&str> = list.users().iter().map(|user| user.user_name()).collect();
        assert_eq!(names, expected, "{prefix}");
    }
}

#[tokio::test]
async fn only_a_user_without_keys_policies_and_groups_can_be_deleted() {
    let (_account, root) = account_with_root();
    root.create_user().user_name("lea").send().await.expect("a user");
    root.create_group().group_name("g").send().await.expect("a group");
    let arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    let delete = || root.delete_user().user_name("lea").send();
    let rejected = |result, expected: &str| {
        let (status, code, message) = failure(result);
        assert_eq!((status, code.as_str()), (409, "DeleteConflict"));
        assert!(message.contains(expected), "{message}");
    };

    let key = key_of(&root, "lea").await;
    rejected(delete().await, "must delete access keys first");
    root.delete_access_key().user_name("lea").access_key_id(key.access_key_id()).send().await.expect("deleted");
    root.put_user_policy().user_name("lea").policy_name("p").policy_document(MAY_PUT).send().await.expect("a policy");
    rejected(delete().await, "must delete policies first");
    root.delete_user_policy().user_name("lea").policy_name("p").send().await.expect("deleted");
    root.attach_user_policy().user_name("lea").policy_arn(arn).send().await.expect("attached");
    rejected(delete().await, "must detach all policies first");
    root.detach_user_policy().user_name("lea").policy_arn(arn).send().await.expect("detached");
    root.add_user_to_group().user_name("lea").group_name("g").send().await.expect("added");
    rejected(delete().await, "must remove users from group first");
    root.remove_user_from_group().user_name("lea").group_name("g").send().await.expect("removed");

    delete().await.expect("deleted");
    assert_eq!(code(root.get_user().user_name("lea").send().await), (404, "NoSuchEntity".to_owned()));
    assert_eq!(code(delete().await), (404, "NoSuchEntity".to_owned()));
}
