//! A reopened account contains everything that its API created.

use aws_sdk_iam::types::Tag;
use pretty_assertions::assert_eq;

use super::*;

const FULL: &str = "arn:aws:iam::aws:policy/AmazonS3FullAccess";

/// All read actions with their answers, without the request IDs.
async fn snapshot(account: &LocalAws) -> Vec<String> {
    let root = account.root_credentials();
    let mut answers = Vec::new();
    for query in [
        "Action=ListUsers",
        "Action=ListRoles",
        "Action=ListGroups",
        "Action=ListPolicies",
        "Action=GetAccountSummary",
        "Action=GetUser&UserName=lea",
        "Action=GetUser",
        "Action=ListAccessKeys&UserName=lea",
        "Action=ListUserPolicies&UserName=lea",
        "Action=GetUserPolicy&UserName=lea&PolicyName=p",
        "Action=ListAttachedUserPolicies&UserName=lea",
        "Action=ListGroupsForUser&UserName=lea",
        "Action=GetRole&RoleName=r",
        "Action=ListRoleTags&RoleName=r",
        "Action=GetRolePolicy&RoleName=r&PolicyName=p",
        "Action=ListAttachedRolePolicies&RoleName=r",
        "Action=GetGroup&GroupName=g",
        "Action=GetGroupPolicy&GroupName=g&PolicyName=p",
        "Action=ListAttachedGroupPolicies&GroupName=g",
        "Action=GetPolicy&PolicyArn=arn:aws:iam::000000000000:policy/ci/p",
        "Action=ListPolicyVersions&PolicyArn=arn:aws:iam::000000000000:policy/ci/p",
        "Action=GetPolicyVersion&PolicyArn=arn:aws:iam::000000000000:policy/ci/p&VersionId=v2",
    ] {
        let body = format!("{query}&Version=2010-05-08");
        let (status, answer) = signed::post(account, &root, ("iam", "us-east-1"), &[], &body).await;
        assert_eq!(status, 200, "{query}: {answer}");
        let (content, _) = answer.split_once("<ResponseMetadata>").expect("metadata");
        answers.push(format!("{query}: {content}"));
    }
    answers
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let tag = || Tag::builder().key("team").value("docs").build().expect("a tag");
    let (before, keys) = {
        let account = LocalAws::open(directory.path()).expect("an account");
        let root = iam(&account, account.root_credentials());
        let own = "arn:aws:iam::000000000000:policy/ci/p";
        root.create_policy()
            .policy_name("p")
            .path("/ci/")
            .description("d")
            .policy_document(MAY_PUT)
            .send()
            .await
            .expect("a policy");
        root.create_policy_version()
            .policy_arn(own)
            .policy_document(MAY_GET)
            .set_as_default(true)
            .send()
            .await
            .expect("a version");
        root.create_group().group_name("g").path("/ci/").send().await.expect("a group");
        root.create_user()
            .user_name("lea")
            .path("/ci/")
            .tags(tag())
            .permissions_boundary(FULL)
            .send()
            .await
            .expect("a user");
        root.add_user_to_group().group_name("g").user_name("lea").send().await.expect("added");
        let role = root.create_role().role_name("r").path("/ci/").description("d").max_session_duration(7_200);
        role.assume_role_policy_document(TRUST_ACCOUNT).tags(tag()).send().await.expect("a role");
        root.put_user_policy()
            .user_name("lea")
            .policy_name("p")
            .policy_document(MAY_GET)
            .send()
            .await
            .expect("a policy");
        root.put_role_policy().role_name("r").policy_name("p").policy_document(MAY_GET).send().await.expect("a policy");
        root.put_group_policy()
            .group_name("g")
            .policy_name("p")
            .policy_document(MAY_PUT)
            .send()
            .await
            .expect("a policy");
        root.attach_user_policy().user_name("lea").policy_arn(own).send().await.expect("attached");
        root.attach_role_policy().role_name("r").policy_arn(FULL).send().await.expect("attached");
        root.attach_group_policy().group_name("g").policy_arn(own).send().await.expect("attached");
        let active = key_of(&root, "lea").await;
        let inactive = key_of(&root, "lea").await;
        let off = root.update_access_key().user_name("lea").access_key_id(inactive.access_key_id());
        off.status(aws_sdk_iam::types::StatusType::Inactive).send().await.expect("inactive");
        assert_eq!(try_put(&account, &active).await, Ok(()), "by the group");
        (snapshot(&account).await, (active, inactive))
    };
    let account = LocalAws::open(directory.path()).expect("the same account");
    assert_eq!(snapshot(&account).await, before);
    assert_eq!(try_put(&account, &keys.0).await, Ok(()));
    assert!(try_put(&account, &keys.1).await.is_err());
}

#[tokio::test]
async fn deletions_survive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    {
        let account = LocalAws::open(directory.path()).expect("an account");
        let root = iam(&account, account.root_credentials());
        root.create_user().user_name("lea").send().await.expect("a user");
        let key = key_of(&root, "lea").await;
        root.delete_access_key().user_name("lea").access_key_id(key.access_key_id()).send().await.expect("deleted");
        root.delete_user().user_name("lea").send().await.expect("deleted");
    }
    let account = LocalAws::open(directory.path()).expect("the same account");
    let root = iam(&account, account.root_credentials());
    assert!(root.list_users().send().await.expect("a list").users().is_empty());
    root.create_user().user_name("lea").send().await.expect("the name is free");
    assert!(root.list_access_keys().user_name("lea").send().await.expect("a list").access_key_metadata().is_empty());
}
