//! Managed policies and their versions, AWS managed policies, and inline policies of every kind.

use aws_sdk_iam::types::{PolicyScopeType, PolicyUsageType};
use pretty_assertions::assert_eq;

use super::*;

const FULL: &str = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

#[tokio::test]
async fn the_default_version_is_in_effect() {
    let (account, root) = account_with_root();
    root.create_user().user_name("lea").send().await.expect("a user");
    let key = key_of(&root, "lea").await;
    let created = root.create_policy().policy_name("p").path("/ci/").description("d").policy_document(MAY_PUT);
    let created = created.send().await.expect("a policy");
    let arn = created.policy().and_then(|policy| policy.arn()).expect("an ARN").to_owned();
    assert_eq!(arn, "arn:aws:iam::000000000000:policy/ci/p");
    root.attach_user_policy().user_name("lea").policy_arn(&arn).send().await.expect("attached");
    root.attach_user_policy().user_name("lea").policy_arn(&arn).send().await.expect("attaching again has no effect");
    assert_eq!(try_put(&account, &key).await, Ok(()));

    let add = |document: &str, default: bool| {
        root.create_policy_version().policy_arn(&arn).policy_document(document).set_as_default(default).send()
    };
    let version = add(NO_PUT, false).await.expect("a version");
    let version = version.policy_version().expect("a version");
    assert_eq!((version.version_id(), version.is_default_version(), version.document()), (Some("v2"), false, None));
    assert_eq!(try_put(&account, &key).await, Ok(()), "v1 is in effect");
    add(MAY_GET, true).await.expect("a version");
    assert!(try_put(&account, &key).await.is_err(), "v3 is in effect");
    root.set_default_policy_version().policy_arn(&arn).version_id("v1").send().await.expect("chosen");
    assert_eq!(try_put(&account, &key).await, Ok(()), "v1 is in effect again");

    let versions = root.list_policy_versions().policy_arn(&arn).max_items(2).send().await.expect("a list");
    let rest = root.list_policy_versions().policy_arn(&arn).set_marker(versions.marker().map(str::to_owned));
    let rest = rest.send().await.expect("a list");
    let listed: Vec<_> = versions.versions().iter().chain(rest.versions()).collect();
    let ids: Vec<_> = listed.iter().map(|version| (version.version_id(), version.is_default_version())).collect();
    assert_eq!(ids, [(Some("v3"), false), (Some("v2"), false), (Some("v1"), true)]);
    let second = root.get_policy_version().policy_arn(&arn).version_id("v2").send().await.expect("the version");
    let second = second.policy_version().expect("a version");
    assert_eq!(decoded(second.document().expect("a document")), NO_PUT);

    let policy = root.get_policy().policy_arn(&arn).send().await.expect("the policy");
    let policy = policy.policy().expect("a policy");
    assert_eq!((policy.policy_name(), policy.path(), policy.description()), (Some("p"), Some("/ci/"), Some("d")));
    assert_eq!((policy.default_version_id(), policy.attachment_count()), (Some("v1"), Some(1)));
    assert!(policy.policy_id().is_some_and(|id| id.starts_with("ANPA")) && policy.is_attachable());
}

#[tokio::test]
async fn a_policy_has_at_most_five_versions() {
    let (_account, root) = account_with_root();
    root.create_policy().policy_name("p").policy_document(MAY_PUT).send().await.expect("a policy");
    let arn = "arn:aws:iam::000000000000:policy/p";
    let add = || root.create_policy_version().policy_arn(arn).policy_document(MAY_PUT).send();
    let remove = |id: &str| root.delete_policy_version().policy_arn(arn).version_id(id).send();
    for _ in 2..=5 {
        add().await.expect("a version");
    }
    assert_eq!(code(add().await), (409, "LimitExceeded".to_owned()));
    assert_eq!(code(remove("v1").await), (409, "DeleteConflict".to_owned()), "the default version");
    assert_eq!(code(remove("v9").await), (404, "NoSuchEntity".to_owned()));
    remove("v3").await.expect("deleted");
    let sixth = add().await.expect("a version");
    let sixth = sixth.policy_version().and_then(|version| version.version_id()).map(str::to_owned);
    assert_eq!(sixth.as_deref(), Some("v6"), "numbers are not reused");

    assert_eq!(code(root.delete_policy().policy_arn(arn).send().await), (409, "DeleteConflict".to_owned()));
    for id in ["v2", "v4", "v5", "v6"] {
        remove(id).await.expect("deleted");
    }
    root.delete_policy().policy_arn(arn).send().await.expect("deleted");
    assert_eq!(code(root.get_policy().policy_arn(arn).send().await), (404, "NoSuchEntity".to_owned()));
}

/// Each kind of use prevents the deletion of a policy.
#[tokio::test]
async fn a_policy_in_use_cannot_be_deleted() {
    let (_account, root) = account_with_root();
    root.create_policy().policy_name("p").policy_document(MAY_PUT).send().await.expect("a policy");
    let arn = "arn:aws:iam::000000000000:policy/p";
    root.create_user().user_name("u").send().await.expect("a user");
    root.create_group().group_name("g").send().await.expect("a group");
    root.create_role().role_name("r").assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    let usage = async || {
        let policy = root.get_policy().policy_arn(arn).send().await.expect("the policy");
        let policy = policy.policy().expect("a policy").clone();
        (policy.attachment_count(), policy.permissions_boundary_usage_count())
    };
    let delete = || root.delete_policy().policy_arn(arn).send();
    let conflict = (409, "DeleteConflict".to_owned());

    root.attach_user_policy().user_name("u").policy_arn(arn).send().await.expect("attached");
    root.attach_role_policy().role_name("r").policy_arn(arn).send().await.expect("attached");
    root.attach_group_policy().group_name("g").policy_arn(arn).send().await.expect("attached");
    root.put_user_permissions_boundary().user_name("u").permissions_boundary(arn).send().await.expect("bounded");
    assert_eq!(usage().await, (Some(3), Some(1)));
    assert_eq!(code(delete().await), conflict);
    root.detach_user_policy().user_name("u").policy_arn(arn).send().await.expect("detached");
    assert_eq!(code(delete().await), conflict);
    root.detach_role_policy().role_name("r").policy_arn(arn).send().await.expect("detached");
    assert_eq!(code(delete().await), conflict);
    root.detach_group_policy().group_name("g").policy_arn(arn).send().await.expect("detached");
    assert_eq!(usage().await, (Some(0), Some(1)));
    assert_eq!(code(delete().await), conflict, "a boundary");
    root.delete_user_permissions_boundary().user_name("u").send().await.expect("no boundary");
    delete().await.expect("deleted");
}

#[tokio::test]
async fn lists_policies_by_scope_path_and_use() {
    let (_account, root) = account_with_root();
    root.create_user().user_name("u").permissions_boundary(READ_ONLY).send().await.expect("a user");
    for (name, path) in [("one", "/"), ("two", "/ci/")] {
        root.create_policy().policy_name(name).path(path).policy_document(MAY_PUT).send().await.expect("a policy");
    }
    let own = ["arn:aws:iam::000000000000:policy/ci/two", "arn:aws:iam::000000000000:policy/one"];
    root.attach_user_policy().user_name("u").policy_arn(own[0]).send().await.expect("attached");
    let names = async |list: aws_sdk_iam::operation::list_policies::builders::ListPoliciesFluentBuilder| {
        let list = list.send().await.expect("a list");
        list.policies().iter().filter_map(|policy| policy.arn().map(str::to_owned)).collect::<Vec<_>>()
    };
    let all = names(root.list_policies()).await;
    let local = names(root.list_policies().scope(PolicyScopeType::Local)).await;
    let aws = names(root.list_policies().scope(PolicyScopeType::Aws)).await;
    assert_eq!(local, own);
    assert!(aws.contains(&FULL.to_owned()) && aws.contains(&READ_ONLY.to_owned()));
    assert_eq!(all, [local.clone(), aws.clone()].concat());
    assert_eq!(names(root.list_policies().path_prefix("/ci/")).await, [own[0]]);
    assert_eq!(names(root.list_policies().only_attached(true)).await, [own[0]]);
    let boundary = PolicyUsageType::PermissionsBoundary;
    assert_eq!(names(root.list_policies().policy_usage_filter(boundary)).await, [READ_ONLY]);
    let permissions = PolicyUsageType::PermissionsPolicy;
    assert_eq!(names(root.list_policies().policy_usage_filter(permissions)).await, [own[0]]);

    // The whole list again, in pages of one.
    let mut paged = Vec::new();
    let mut marker = None;
    loop {
        let page = root.list_policies().max_items(1).set_marker(marker).send().await.expect("a page");
        paged.extend(page.policies().iter().filter_map(|policy| policy.arn().map(str::to_owned)));
        marker = page.marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);

    let attached = async |prefix: &str| {
        let list = root.list_attached_user_policies().user_name("u").path_prefix(prefix).send().await.expect("a list");
        list.attached_policies().iter().filter_map(|policy| policy.policy_name().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(attached("/").await, ["two"]);
    assert!(attached("/other/").await.is_empty());
}

#[tokio::test]
async fn aws_managed_policies_apply_and_cannot_be_changed() {
    let (account, root) = account_with_root();
    root.create_user().user_name("lea").send().await.expect("a user");
    let key = key_of(&root, "lea").await;
    root.attach_user_policy().user_name("lea").policy_arn(READ_ONLY).send().await.expect("attached");
    assert!(try_put(&account, &key).await.is_err());
    let client = s3(&account, key.clone());
    client.list_objects_v2().bucket("site").send().await.expect("may list");
    client.list_buckets().send().await.expect("may list");
    root.attach_user_policy().user_name("lea").policy_arn(FULL).send().await.expect("attached");
    assert_eq!(try_put(&account, &key).await, Ok(()));
    client.get_object().bucket("site").key("a").send().await.expect("may get");

    // As a session policy: the role has all permissions, its session can only read.
    let role = account.iam().create_role("r", TRUST_ACCOUNT, &[("all", ALLOW_ALL)]).expect("a role");
    let narrow = aws_sdk_sts::types::PolicyDescriptorType::builder().arn(READ_ONLY).build();
    let request = sts(&account, account.root_credentials());
    let session = request.assume_role().role_arn(role).role_session_name("run").policy_arns(narrow).send().await;
    let session = session.expect("a session");
    let given = session.credentials().expect("credentials");
    let token = Some(given.session_token().to_owned());
    let session = Credentials::new(given.access_key_id(), given.secret_access_key(), token, None, "test");
    assert!(try_put(&account, &session).await.expect_err("narrowed").contains("no session policy allows"));
    s3(&account, session).get_object().bucket("site").key("a").send().await.expect("may get");

    let denied = (403, "AccessDenied".to_owned());
    assert_eq!(code(root.delete_policy().policy_arn(FULL).send().await), denied);
    let add = root.create_policy_version().policy_arn(FULL).policy_document(MAY_GET).set_as_default(true);
    assert_eq!(code(add.send().await), denied);
    assert_eq!(code(root.set_default_policy_version().policy_arn(FULL).version_id("v1").send().await), denied);
    assert_eq!(code(root.delete_policy_version().policy_arn(FULL).version_id("v1").send().await), denied);
    let version = root.get_policy_version().policy_arn(FULL).version_id("v1").send().await.expect("the version");
    let document = decoded(version.policy_version().and_then(|version| version.document()).expect("a document"));
    assert!(document.contains("s3-object-lambda:*"), "{document}");
}

/// The same four actions for users, roles and groups.
#[tokio::test]
async fn puts_gets_lists_and_deletes_inline_policies() {
    let (_account, root) = account_with_root();
    root.create_user().user_name("x").send().await.expect("a user");
    root.create_group().group_name("x").send().await.expect("a group");
    root.create_role().role_name("x").assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    let spaced = MAY_PUT.replace(':', ": ");
    macro_rules! inline {
        ($owner:ident: $put:ident, $get:ident, $list:ident, $delete:ident) => {
            for (name, document) in [("b", MAY_PUT), ("a", MAY_GET), ("b", spaced.as_str())] {
                root.$put().$owner("x").policy_name(name).policy_document(document).send().await.expect("a policy");
            }
            let list = root.$list().$owner("x").send().await.expect("a list");
            assert_eq!(list.policy_names(), ["a", "b"]);
            let found = root.$get().$owner("x").policy_name("b").send().await.expect("the policy");
            assert_eq!(found.policy_name(), "b");
            assert_eq!(decoded(found.policy_document()), spaced, "the exact text of the last one");
            root.$delete().$owner("x").policy_name("b").send().await.expect("deleted");
            let missing = (404, "NoSuchEntity".to_owned());
            assert_eq!(code(root.$get().$owner("x").policy_name("b").send().await), missing);
            assert_eq!(code(root.$delete().$owner("x").policy_name("b").send().await), missing);
            assert_eq!(root.$list().$owner("x").send().await.expect("a list").policy_names(), ["a"]);
        };
    }
    inline!(user_name: put_user_policy, get_user_policy, list_user_policies, delete_user_policy);
    inline!(role_name: put_role_policy, get_role_policy, list_role_policies, delete_role_policy);
    inline!(group_name: put_group_policy, get_group_policy, list_group_policies, delete_group_policy);
}

/// The same three actions for users, roles and groups.
#[tokio::test]
async fn attaches_lists_and_detaches_managed_policies() {
    let (_account, root) = account_with_root();
    root.create_user().user_name("x").send().await.expect("a user");
    root.create_group().group_name("x").send().await.expect("a group");
    root.create_role().role_name("x").assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    for number in 0..10 {
        root.create_policy().policy_name(format!("p{number}")).policy_document(MAY_PUT).send().await.expect("a policy");
    }
    macro_rules! attached {
        ($owner:ident: $attach:ident, $list:ident, $detach:ident, $quota:literal) => {
            for number in 0..10 {
                let arn = format!("arn:aws:iam::000000000000:policy/p{number}");
                root.$attach().$owner("x").policy_arn(arn).send().await.expect("attached");
            }
            let (status, code_, message) = failure(root.$attach().$owner("x").policy_arn(FULL).send().await);
            assert_eq!((status, code_.as_str()), (409, "LimitExceeded"));
            assert_eq!(message, concat!("Cannot exceed quota for ", $quota, ": 10"));
            let arn = "arn:aws:iam::000000000000:policy/p7";
            root.$detach().$owner("x").policy_arn(arn).send().await.expect("detached");
            let missing = (404, "NoSuchEntity".to_owned());
            assert_eq!(code(root.$detach().$owner("x").policy_arn(arn).send().await), missing);
            let list = root.$list().$owner("x").send().await.expect("a list");
            let names: Vec<_> = list.attached_policies().iter().filter_map(|policy| policy.policy_name()).collect();
            assert_eq!(names, ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p8", "p9"]);
        };
    }
    attached!(user_name: attach_user_policy, list_attached_user_policies, detach_user_policy, "PoliciesPerUser");
    attached!(role_name: attach_role_policy, list_attached_role_policies, detach_role_policy, "PoliciesPerRole");
    attached!(group_name: attach_group_policy, list_attached_group_policies, detach_group_policy, "PoliciesPerGroup");
}

#[tokio::test]
async fn summarizes_the_account() {
    let (_account, root) = account_with_root();
    root.create_user().user_name("u").send().await.expect("a user");
    root.create_group().group_name("g").send().await.expect("a group");
    root.create_policy().policy_name("p").policy_document(MAY_PUT).send().await.expect("a policy");
    for name in ["r", "s"] {
        root.create_role().role_name(name).assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    }
    let summary = root.get_account_summary().send().await.expect("a summary");
    let summary = summary.summary_map().expect("a map");
    for (key, expected) in [
        ("Users", 1),
        ("Groups", 1),
        ("Policies", 1),
        ("Roles", 2),
        ("PolicyVersionsInUse", 1),
        ("AccountAccessKeysPresent", 1),
        ("AccountMFAEnabled", 0),
        ("AccessKeysPerUserQuota", 2),
    ] {
        assert_eq!(summary.get(&key.into()), Some(&expected), "{key}");
    }
}
