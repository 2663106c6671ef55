//! Roles: created, changed, tagged, assumed and deleted, with paths and with other kinds of principals.

use aws_sdk_iam::types::Tag;
use pretty_assertions::assert_eq;

use super::*;

const GITHUB: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"GitHub","Effect":"Allow",
    "Principal":{"Federated":"arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"},
    "Action":"sts:AssumeRoleWithWebIdentity",
    "Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"},
                 "StringLike":{"token.actions.githubusercontent.com:sub":"repo:acme/docs:*"}}}]}"#;

fn trust(principal: &str) -> String {
    TRUST_ACCOUNT.replace("\"000000000000\"", &format!("\"{principal}\""))
}

async fn try_assume(account: &LocalAws, role: &str, seconds: i32) -> Result<(String, Credentials), (String, String)> {
    let client = sts(account, account.root_credentials());
    let request = client.assume_role().role_arn(role).role_session_name("run").duration_seconds(seconds);
    match request.send().await {
        Ok(output) => {
            let given = output.credentials().expect("credentials");
            let token = Some(given.session_token().to_owned());
            let keys = Credentials::new(given.access_key_id(), given.secret_access_key(), token, None, "test");
            Ok((output.assumed_role_user().expect("a user").arn().to_owned(), keys))
        }
        Err(error) => {
            Err((error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned()))
        }
    }
}

#[tokio::test]
async fn creates_a_role_that_can_be_assumed() {
    let (account, root) = account_with_root();
    let tag = Tag::builder().key("site").value("docs").build().expect("a tag");
    let created = root
        .create_role()
        .role_name("publisher")
        .path("/ci/docs/")
        .assume_role_policy_document(TRUST_ACCOUNT)
        .description("publishes <docs>")
        .max_session_duration(7_200)
        .permissions_boundary("arn:aws:iam::aws:policy/AmazonS3FullAccess")
        .tags(tag)
        .send()
        .await
        .expect("a role");
    let found = root.get_role().role_name("publisher").send().await.expect("the role");
    assert_eq!(created.role(), found.role());
    let role = found.role().expect("a role");
    let arn = "arn:aws:iam::000000000000:role/ci/docs/publisher";
    assert_eq!((role.arn(), role.path(), role.role_name()), (arn, "/ci/docs/", "publisher"));
    assert!(role.role_id().starts_with("AROA") && role.role_id().len() == 21);
    assert_eq!(decoded(role.assume_role_policy_document().expect("a document")), TRUST_ACCOUNT);
    assert_eq!((role.description(), role.max_session_duration()), (Some("publishes <docs>"), Some(7_200)));
    assert_eq!((role.tags()[0].key(), role.tags()[0].value()), ("site", "docs"));

    let (session, keys) = try_assume(&account, arn, 7_200).await.expect("a session");
    assert_eq!(session, "arn:aws:sts::000000000000:assumed-role/publisher/run", "sessions have no path");
    assert_eq!(try_assume(&account, arn, 7_201).await.expect_err("too long").0, "ValidationError");
    let without_path = "arn:aws:iam::000000000000:role/publisher";
    assert_eq!(try_assume(&account, without_path, 900).await.expect_err("no such role").0, "AccessDenied");

    root.put_role_policy()
        .role_name("publisher")
        .policy_name("put")
        .policy_document(ALLOW_ALL)
        .send()
        .await
        .expect("a policy");
    assert_eq!(try_put(&account, &keys).await, Ok(()));
    let rejected = iam(&account, keys.clone()).list_users().send().await;
    assert!(failure(rejected).2.contains("no permissions boundary allows"));

    root.put_role_permissions_boundary()
        .role_name("publisher")
        .permissions_boundary("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
        .send()
        .await
        .expect("a boundary");
    assert!(try_put(&account, &keys).await.is_err());
    root.delete_role_permissions_boundary().role_name("publisher").send().await.expect("no boundary");
    assert_eq!(try_put(&account, &keys).await, Ok(()));
    iam(&account, keys).list_users().send().await.expect("no boundary any more");
}

#[tokio::test]
async fn changes_trust_duration_and_description() {
    let (account, root) = account_with_root();
    root.create_role().role_name("r").assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    let arn = "arn:aws:iam::000000000000:role/r";
    let set = |document: &str| root.update_assume_role_policy().role_name("r").policy_document(document).send();
    set(&trust("111111111111")).await.expect("trust");
    assert!(try_assume(&account, arn, 900).await.is_err());
    set(TRUST_ACCOUNT).await.expect("trust");
    assert!(try_assume(&account, arn, 3_600).await.is_ok());
    assert!(try_assume(&account, arn, 3_601).await.is_err());

    root.update_role().role_name("r").max_session_duration(43_200).description("d").send().await.expect("changed");
    assert!(try_assume(&account, arn, 43_200).await.is_ok());
    let role = root.get_role().role_name("r").send().await.expect("the role");
    let role = role.role().expect("a role");
    assert_eq!((role.description(), role.max_session_duration()), (Some("d"), Some(43_200)));
    root.update_role().role_name("r").send().await.expect("changed");
    let role = root.get_role().role_name("r").send().await.expect("the role");
    let role = role.role().expect("a role");
    assert_eq!((role.description(), role.max_session_duration()), (Some("d"), Some(3_600)), "the default applies");
}

#[tokio::test]
async fn a_trust_policy_names_only_existing_identities() {
    let (account, root) = account_with_root();
    root.create_user().user_name("lea").path("/people/").send().await.expect("a user");
    root.create_group().group_name("g").send().await.expect("a group");
    let create = |name: &str, principal: &str| {
        root.create_role().role_name(name).assume_role_policy_document(trust(principal)).send()
    };
    create("one", "arn:aws:iam::000000000000:user/people/lea").await.expect("a role");
    create("two", "arn:aws:iam::000000000000:role/one").await.expect("a role");
    create("three", "arn:aws:iam::111111111111:user/unknown")
        .await
        .expect("identities of other accounts are not checked");
    for principal in [
        "arn:aws:iam::000000000000:user/lea",
        "arn:aws:iam::000000000000:user/people/max",
        "arn:aws:iam::000000000000:role/none",
        "arn:aws:iam::000000000000:group/g",
    ] {
        let (status, code_, message) = failure(create("four", principal).await);
        assert_eq!((status, code_.as_str()), (400, "MalformedPolicyDocument"), "{principal}");
        assert_eq!(message, format!("Invalid principal in policy: \"AWS\":\"{principal}\""));
        let changed = root.update_assume_role_policy().role_name("one").policy_document(trust(principal)).send().await;
        assert_eq!(code(changed), (400, "MalformedPolicyDocument".to_owned()), "{principal}");
    }
    let assume = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
    root.put_user_policy().user_name("lea").policy_name("p").policy_document(assume).send().await.expect("a policy");
    let lea = sts(&account, key_of(&root, "lea").await);
    let request = |role: &str| {
        lea.assume_role().role_arn(format!("arn:aws:iam::000000000000:role/{role}")).role_session_name("run").send()
    };
    assert!(request("one").await.is_ok(), "named with its path");
    assert!(request("two").await.is_err());
}

#[tokio::test]
async fn stores_trust_in_an_identity_provider_that_no_caller_can_use() {
    let (account, root) = account_with_root();
    root.create_role().role_name("ci").assume_role_policy_document(GITHUB).send().await.expect("a role");
    let role = root.get_role().role_name("ci").send().await.expect("the role");
    let stored = role.role().expect("a role").assume_role_policy_document().expect("a document");
    assert_eq!(decoded(stored), GITHUB);
    let (code, _) = try_assume(&account, "arn:aws:iam::000000000000:role/ci", 900).await.expect_err("denied");
    assert_eq!(code, "AccessDenied");
}

#[tokio::test]
async fn adds_replaces_and_lists_tags() {
    let (_account, root) = account_with_root();
    root.create_role().role_name("r").assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().expect("a tag");
    let add = |tags: Vec<Tag>| root.tag_role().role_name("r").set_tags(Some(tags)).send();
    add(vec![tag("a", "1"), tag("b", "2")]).await.expect("tags");
    add(vec![tag("A", "3"), tag("c", "")]).await.expect("tags");
    let listed = root.list_role_tags().role_name("r").max_items(2).send().await.expect("a list");
    let rest = root.list_role_tags().role_name("r").set_marker(listed.marker().map(str::to_owned)).send().await;
    let rest = rest.expect("a list");
    let tags: Vec<_> = listed.tags().iter().chain(rest.tags()).map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, [("A", "3"), ("b", "2"), ("c", "")], "the case of keys is ignored");

    assert_eq!(code(add(vec![tag("x", "1"), tag("X", "2")]).await), (400, "InvalidInput".to_owned()));
    assert_eq!(code(add(vec![tag("aws:x", "1")]).await), (400, "InvalidInput".to_owned()));
    assert_eq!(code(add(Vec::new()).await), (400, "ValidationError".to_owned()));
    let many = (0..48).map(|number| tag(&format!("t{number}"), "")).collect();
    assert_eq!(code(add(many).await), (409, "LimitExceeded".to_owned()));
    let listed = root.list_role_tags().role_name("r").send().await.expect("a list");
    assert_eq!(listed.tags().len(), 3, "rejected requests change nothing");
}

#[tokio::test]
async fn only_a_role_without_policies_can_be_deleted() {
    let (account, root) = account_with_root();
    let arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    root.create_role().role_name("r").assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    root.put_role_policy().role_name("r").policy_name("p").policy_document(MAY_PUT).send().await.expect("a policy");
    let (_, session) = try_assume(&account, "arn:aws:iam::000000000000:role/r", 900).await.expect("a session");
    assert_eq!(code(root.delete_role().role_name("r").send().await), (409, "DeleteConflict".to_owned()));
    root.delete_role_policy().role_name("r").policy_name("p").send().await.expect("deleted");
    root.attach_role_policy().role_name("r").policy_arn(arn).send().await.expect("attached");
    assert_eq!(code(root.delete_role().role_name("r").send().await), (409, "DeleteConflict".to_owned()));
    assert_eq!(try_put(&account, &session).await, Ok(()));
    root.detach_role_policy().role_name("r").policy_arn(arn).send().await.expect("detached");
    root.delete_role().role_name("r").send().await.expect("deleted");
    assert!(try_put(&account, &session).await.is_err(), "its sessions end");
    assert!(root.list_roles().send().await.expect("a list").roles().is_empty());
}

#[tokio::test]
async fn lists_roles_by_path() {
    let (_account, root) = account_with_root();
    for (name, path) in [("a", "/"), ("b", "/ci/"), ("c", "/ci/docs/")] {
        let role = root.create_role().role_name(name).path(path).assume_role_policy_document(TRUST_ACCOUNT);
        role.send().await.expect("a role");
    }
    for (prefix, expected) in
        [(None, vec!["a", "b", "c"]), (Some("/ci/"), vec!["b", "c"]), (Some("/ci/docs/"), vec!["c"])]
    {
        let list = root.list_roles().set_path_prefix(prefix.map(str::to_owned)).send().await.expect("a list");
        let names: Vec<&str> = list.roles().iter().map(|role| role.role_name()).collect();
        assert_eq!(names, expected, "{prefix:?}");
    }
}
