//! Groups: their members, and the effect of their policies on members.

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn lists_users_of_a_group_and_groups_of_a_user() {
    let (_account, root) = account_with_root();
    let created = root.create_group().group_name("docs").path("/teams/").send().await.expect("a group");
    let group = created.group().expect("a group");
    assert_eq!(group.arn(), "arn:aws:iam::000000000000:group/teams/docs");
    assert!(group.group_id().starts_with("AGPA") && group.group_id().len() == 21);
    root.create_group().group_name("all").send().await.expect("a group");
    for user in ["a", "b", "c"] {
        root.create_user().user_name(user).send().await.expect("a user");
        let add = root.add_user_to_group().group_name("docs").user_name(user);
        add.clone().send().await.expect("added");
        add.send().await.expect("adding again has no effect");
    }
    root.add_user_to_group().group_name("all").user_name("b").send().await.expect("added");

    let page = root.get_group().group_name("docs").max_items(2).send().await.expect("the group");
    assert_eq!(page.group(), Some(group));
    let rest = root.get_group().group_name("docs").set_marker(page.marker().map(str::to_owned)).send().await;
    let rest = rest.expect("the group");
    let names: Vec<&str> = page.users().iter().chain(rest.users()).map(|user| user.user_name()).collect();
    assert_eq!((names, page.is_truncated(), rest.is_truncated()), (vec!["a", "b", "c"], true, false));

    let of_b = root.list_groups_for_user().user_name("b").send().await.expect("a list");
    assert_eq!(of_b.groups().iter().map(|group| group.group_name()).collect::<Vec<_>>(), ["all", "docs"]);
    let teams = root.list_groups().path_prefix("/teams/").send().await.expect("a list");
    assert_eq!(teams.groups().iter().map(|group| group.group_name()).collect::<Vec<_>>(), ["docs"]);

    let remove = || root.remove_user_from_group().group_name("docs").user_name("b").send();
    remove().await.expect("removed");
    assert_eq!(code(remove().await), (404, "NoSuchEntity".to_owned()));
    let of_b = root.list_groups_for_user().user_name("b").send().await.expect("a list");
    assert_eq!(of_b.groups().iter().map(|group| group.group_name()).collect::<Vec<_>>(), ["all"]);
}

#[tokio::test]
async fn a_user_has_the_permissions_of_its_groups_unless_one_denies() {
    let (account, root) = account_with_root();
    root.create_user().user_name("lea").send().await.expect("a user");
    let key = key_of(&root, "lea").await;
    for group in ["writers", "guests", "admins"] {
        root.create_group().group_name(group).send().await.expect("a group");
    }
    let put = |group: &str, document: &str| {
        root.put_group_policy().group_name(group).policy_name("p").policy_document(document).send()
    };
    put("writers", MAY_PUT).await.expect("a policy");
    put("guests", NO_PUT).await.expect("a policy");
    let arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    root.attach_group_policy().group_name("admins").policy_arn(arn).send().await.expect("attached");
    let add = |group: &str| root.add_user_to_group().group_name(group).user_name("lea").send();
    let remove = |group: &str| root.remove_user_from_group().group_name(group).user_name("lea").send();

    assert!(try_put(&account, &key).await.is_err());
    add("writers").await.expect("added");
    assert_eq!(try_put(&account, &key).await, Ok(()));
    add("guests").await.expect("added");
    let message = try_put(&account, &key).await.expect_err("denied");
    assert!(message.ends_with("with an explicit deny in an identity-based policy"), "{message}");
    remove("guests").await.expect("removed");
    remove("writers").await.expect("removed");
    assert!(try_put(&account, &key).await.is_err());
    add("admins").await.expect("added");
    assert_eq!(try_put(&account, &key).await, Ok(()), "attached policies apply like inline ones");
    root.detach_group_policy().group_name("admins").policy_arn(arn).send().await.expect("detached");
    assert!(try_put(&account, &key).await.is_err());

    // A boundary also limits the permissions from groups.
    add("writers").await.expect("added");
    let read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    root.put_user_permissions_boundary()
        .user_name("lea")
        .permissions_boundary(read_only)
        .send()
        .await
        .expect("bounded");
    let message = try_put(&account, &key).await.expect_err("beyond the boundary");
    assert!(message.contains("no permissions boundary allows"), "{message}");
}

#[tokio::test]
async fn only_an_empty_group_can_be_deleted() {
    let (_account, root) = account_with_root();
    let arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    root.create_group().group_name("g").send().await.expect("a group");
    root.create_user().user_name("lea").send().await.expect("a user");
    root.add_user_to_group().group_name("g").user_name("lea").send().await.expect("added");
    let delete = || root.delete_group().group_name("g").send();
    let conflict = (409, "DeleteConflict".to_owned());
    assert_eq!(code(delete().await), conflict);
    root.remove_user_from_group().group_name("g").user_name("lea").send().await.expect("removed");
    root.put_group_policy().group_name("g").policy_name("p").policy_document(MAY_PUT).send().await.expect("a policy");
    assert_eq!(code(delete().await), conflict);
    root.delete_group_policy().group_name("g").policy_name("p").send().await.expect("deleted");
    root.attach_group_policy().group_name("g").policy_arn(arn).send().await.expect("attached");
    assert_eq!(code(delete().await), conflict);
    root.detach_group_policy().group_name("g").policy_arn(arn).send().await.expect("detached");
    delete().await.expect("deleted");
    assert!(root.list_groups().send().await.expect("a list").groups().is_empty());
}

#[tokio::test]
async fn a_user_is_in_at_most_ten_groups() {
    let (_account, root) = account_with_root();
    root.create_user().user_name("lea").send().await.expect("a user");
    for number in 0..11 {
        let group = format!("g{number}");
        root.create_group().group_name(&group).send().await.expect("a group");
        let added = root.add_user_to_group().group_name(&group).user_name("lea").send().await;
        if number < 10 {
            added.expect("added");
        } else {
            assert_eq!(code(added), (409, "LimitExceeded".to_owned()));
        }
    }
    let groups = root.list_groups_for_user().user_name("lea").send().await.expect("a list");
    assert_eq!(groups.groups().len(), 10);
}
