//! The API itself is authorized: each action by its own name, on the ARN of its target, with its condition keys.

use aws_sdk_iam::types::Tag;
use pretty_assertions::assert_eq;
use serde_json::json;

use super::*;

const USER: &str = "arn:aws:iam::000000000000:user/ci/lea";
const ROLE: &str = "arn:aws:iam::000000000000:role/ci/r";
const GROUP: &str = "arn:aws:iam::000000000000:group/ci/g";
const POLICY: &str = "arn:aws:iam::000000000000:policy/ci/p";

/// Every action with its parameters, the ARN of its target, and the name of the target in error messages.
const ACTIONS: [(&str, &str, &str, &str); 68] = [
    (
        "CreateUser",
        "UserName=new&Path=/ci/",
        "arn:aws:iam::000000000000:user/ci/new",
        "arn:aws:iam::000000000000:user/ci/new",
    ),
    ("GetUser", "UserName=lea", USER, "user lea"),
    ("ListUsers", "PathPrefix=/ci/", "arn:aws:iam::000000000000:user/ci/", "arn:aws:iam::000000000000:user/ci/"),
    (
        "PutUserPermissionsBoundary",
        "UserName=lea&PermissionsBoundary=arn:aws:iam::000000000000:policy/ci/p",
        USER,
        "user lea",
    ),
    ("DeleteUserPermissionsBoundary", "UserName=lea", USER, "user lea"),
    ("CreateAccessKey", "UserName=lea", USER, "user lea"),
    ("ListAccessKeys", "UserName=lea", USER, "user lea"),
    ("UpdateAccessKey", "UserName=lea&AccessKeyId=AKIAAAAAAAAAAAAAAAAA&Status=Inactive", USER, "user lea"),
    ("DeleteAccessKey", "UserName=lea&AccessKeyId=AKIAAAAAAAAAAAAAAAAA", USER, "user lea"),
    ("PutUserPolicy", "UserName=lea&PolicyName=i&PolicyDocument=DOCUMENT", USER, "user lea"),
    ("GetUserPolicy", "UserName=lea&PolicyName=i", USER, "user lea"),
    ("ListUserPolicies", "UserName=lea", USER, "user lea"),
    ("DeleteUserPolicy", "UserName=lea&PolicyName=i", USER, "user lea"),
    ("AttachUserPolicy", "UserName=lea&PolicyArn=arn:aws:iam::000000000000:policy/ci/p", USER, "user lea"),
    ("ListAttachedUserPolicies", "UserName=lea", USER, "user lea"),
    ("DetachUserPolicy", "UserName=lea&PolicyArn=arn:aws:iam::000000000000:policy/ci/p", USER, "user lea"),
    ("ListGroupsForUser", "UserName=lea", USER, "user lea"),
    (
        "CreateRole",
        "RoleName=new&Path=/ci/&AssumeRolePolicyDocument=TRUST",
        "arn:aws:iam::000000000000:role/ci/new",
        "arn:aws:iam::000000000000:role/ci/new",
    ),
    ("GetRole", "RoleName=r", ROLE, "role r"),
    ("ListRoles", "", "arn:aws:iam::000000000000:role/", "arn:aws:iam::000000000000:role/"),
    ("UpdateRole", "RoleName=r&MaxSessionDuration=3600", ROLE, "role r"),
    ("UpdateAssumeRolePolicy", "RoleName=r&PolicyDocument=TRUST", ROLE, "role r"),
    ("TagRole", "RoleName=r&Tags.member.1.Key=k&Tags.member.1.Value=v", ROLE, "role r"),
    ("ListRoleTags", "RoleName=r", ROLE, "role r"),
    (
        "PutRolePermissionsBoundary",
        "RoleName=r&PermissionsBoundary=arn:aws:iam::000000000000:policy/ci/p",
        ROLE,
        "role r",
    ),
    ("DeleteRolePermissionsBoundary", "RoleName=r", ROLE, "role r"),
    ("PutRolePolicy", "RoleName=r&PolicyName=i&PolicyDocument=DOCUMENT", ROLE, "role r"),
    ("GetRolePolicy", "RoleName=r&PolicyName=i", ROLE, "role r"),
    ("ListRolePolicies", "RoleName=r", ROLE, "role r"),
    ("DeleteRolePolicy", "RoleName=r&PolicyName=i", ROLE, "role r"),
    ("AttachRolePolicy", "RoleName=r&PolicyArn=arn:aws:iam::000000000000:policy/ci/p", ROLE, "role r"),
    ("ListAttachedRolePolicies", "RoleName=r", ROLE, "role r"),
    ("DetachRolePolicy", "RoleName=r&PolicyArn=arn:aws:iam::000000000000:policy/ci/p", ROLE, "role r"),
    ("DeleteRole", "RoleName=r", ROLE, "role r"),
    ("CreateGroup", "GroupName=new", "arn:aws:iam::000000000000:group/new", "arn:aws:iam::000000000000:group/new"),
    ("GetGroup", "GroupName=g", GROUP, "group g"),
    ("ListGroups", "", "arn:aws:iam::000000000000:group/", "arn:aws:iam::000000000000:group/"),
    ("AddUserToGroup", "GroupName=g&UserName=lea", GROUP, "group g"),
    ("RemoveUserFromGroup", "GroupName=g&UserName=lea", GROUP, "group g"),
    ("PutGroupPolicy", "GroupName=g&PolicyName=i&PolicyDocument=DOCUMENT", GROUP, "group g"),
    ("GetGroupPolicy", "GroupName=g&PolicyName=i", GROUP, "group g"),
    ("ListGroupPolicies", "GroupName=g", GROUP, "group g"),
    ("DeleteGroupPolicy", "GroupName=g&PolicyName=i", GROUP, "group g"),
    ("AttachGroupPolicy", "GroupName=g&PolicyArn=arn:aws:iam::000000000000:policy/ci/p", GROUP, "group g"),
    ("ListAttachedGroupPolicies", "GroupName=g", GROUP, "group g"),
    ("DetachGroupPolicy", "GroupName=g&PolicyArn=arn:aws:iam::000000000000:policy/ci/p", GROUP, "group g"),
    ("DeleteGroup", "GroupName=g", GROUP, "group g"),
    ("DeleteUser", "UserName=lea", USER, "user lea"),
    ("CreatePolicy", "PolicyName=new&PolicyDocument=DOCUMENT", "arn:aws:iam::000000000000:policy/new", "policy new"),
    (
        "GetPolicy",
        "PolicyArn=arn:aws:iam::000000000000:policy/ci/p",
        POLICY,
        "policy arn:aws:iam::000000000000:policy/ci/p",
    ),
    ("ListPolicies", "", "arn:aws:iam::000000000000:policy/", "policy path /"),
    (
        "CreatePolicyVersion",
        "PolicyArn=arn:aws:iam::000000000000:policy/ci/p&PolicyDocument=DOCUMENT",
        POLICY,
        "policy arn:aws:iam::000000000000:policy/ci/p",
    ),
    (
        "GetPolicyVersion",
        "PolicyArn=arn:aws:iam::000000000000:policy/ci/p&VersionId=v1",
        POLICY,
        "policy arn:aws:iam::000000000000:policy/ci/p",
    ),
    (
        "ListEntitiesForPolicy",
        "PolicyArn=arn:aws:iam::000000000000:policy/ci/p",
        POLICY,
        "policy arn:aws:iam::000000000000:policy/ci/p",
    ),
    (
        "ListPolicyVersions",
        "PolicyArn=arn:aws:iam::000000000000:policy/ci/p",
        POLICY,
        "policy arn:aws:iam::000000000000:policy/ci/p",
    ),
    (
        "SetDefaultPolicyVersion",
        "PolicyArn=arn:aws:iam::000000000000:policy/ci/p&VersionId=v1",
        POLICY,
        "policy arn:aws:iam::000000000000:policy/ci/p",
    ),
    (
        "DeletePolicyVersion",
        "PolicyArn=arn:aws:iam::000000000000:policy/ci/p&VersionId=v2",
        POLICY,
        "policy arn:aws:iam::000000000000:policy/ci/p",
    ),
    (
        "DeletePolicy",
        "PolicyArn=arn:aws:iam::000000000000:policy/ci/p",
        POLICY,
        "policy arn:aws:iam::000000000000:policy/ci/p",
    ),
    ("GetAccountSummary", "", "*", "*"),
    (
        "SimulatePrincipalPolicy",
        "PolicySourceArn=arn:aws:iam::000000000000:user/other&ActionNames.member.1=s3:GetObject",
        "arn:aws:iam::000000000000:user/other",
        "user other",
    ),
    // A missing target is authorized as if it were at `/`, so that an unauthorized caller does not learn that it is
    // missing.
    ("GetUser", "UserName=missing", "arn:aws:iam::000000000000:user/missing", "user missing"),
    ("GetRole", "RoleName=missing", "arn:aws:iam::000000000000:role/missing", "role missing"),
    ("GetGroup", "GroupName=missing", "arn:aws:iam::000000000000:group/missing", "group missing"),
    (
        "GetPolicy",
        "PolicyArn=arn:aws:iam::000000000000:policy/none",
        "arn:aws:iam::000000000000:policy/none",
        "policy arn:aws:iam::000000000000:policy/none",
    ),
    (
        "SimulatePrincipalPolicy",
        "PolicySourceArn=arn:aws:iam::000000000000:user/missing&ActionNames.member.1=s3:GetObject",
        "arn:aws:iam::000000000000:user/missing",
        "arn:aws:iam::000000000000:user/missing",
    ),
    // Without a name, a user means itself.
    ("GetUser", "", "arn:aws:iam::000000000000:user/caller", "user caller"),
    ("ListAccessKeys", "", "arn:aws:iam::000000000000:user/caller", "user caller"),
    ("CreateAccessKey", "", "arn:aws:iam::000000000000:user/caller", "user caller"),
];

fn document(statement: &serde_json::Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}

#[tokio::test]
async fn each_action_needs_its_own_permission_on_its_target() {
    let (account, root) = account_with_root();
    root.create_user().user_name("lea").path("/ci/").send().await.expect("a user");
    root.create_user().user_name("other").send().await.expect("a user");
    root.create_role()
        .role_name("r")
        .path("/ci/")
        .assume_role_policy_document(TRUST_ACCOUNT)
        .send()
        .await
        .expect("a role");
    root.create_group().group_name("g").path("/ci/").send().await.expect("a group");
    root.create_policy().policy_name("p").path("/ci/").policy_document(MAY_PUT).send().await.expect("a policy");
    account.iam().create_user("caller", &[]).expect("a user");
    let caller = account.iam().create_access_key("caller").expect("a key").credentials();
    for (action, parameters, arn, name) in ACTIONS {
        let fields = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("Action", action), ("Version", "2010-05-08")])
            .extend_pairs(
                parameters
                    .split('&')
                    .filter_map(|pair| pair.split_once('='))
                    .map(|(name, value)| (name, value.replace("DOCUMENT", MAY_PUT).replace("TRUST", TRUST_ACCOUNT))),
            )
            .finish();
        let send = async |statement: serde_json::Value| {
            account.iam().put_user_policy("caller", "only", &document(&statement)).expect("a policy");
            signed::post(&account, &caller, ("iam", "us-east-1"), &[], &fields).await
        };
        let label = format!("{action} {parameters}");

        // All other actions on this ARN, and this action on all other ARNs, do not suffice.
        let rejected = if arn == "*" {
            json!({ "Effect": "Allow", "NotAction": format!("iam:{action}"), "Resource": "*" })
        } else {
            json!([
                { "Effect": "Allow", "NotAction": format!("iam:{action}"), "Resource": "*" },
                { "Effect": "Allow", "Action": format!("iam:{action}"), "NotResource": arn },
            ])
        };
        let (status, body) = send(rejected).await;
        let message = format!(
            "User: arn:aws:iam::000000000000:user/caller is not authorized to perform: iam:{action} on resource: \
             {name} because no identity-based policy allows the iam:{action} action"
        );
        assert!(body.contains("<Code>AccessDenied</Code>") && body.contains(&message), "{label}: {body}");
        assert_eq!(status, 403, "{label}");

        // This action on this ARN suffices. Its result does not matter here.
        let (status, body) =
            send(json!({ "Effect": "Allow", "Action": format!("iam:{action}"), "Resource": arn })).await;
        assert!(!body.contains("AccessDenied") && !body.contains("InvalidAction") && status < 500, "{label}: {body}");
        let missing =
            parameters.contains("missing") || parameters.contains("/none") || parameters.contains("AKIAAAAAAAA");
        assert_eq!(status == 404, missing, "{label}: {body}");
    }
}

#[tokio::test]
async fn reports_an_explicit_deny() {
    let (account, _root) = account_with_root();
    let deny = json!([
        { "Effect": "Allow", "Action": "iam:*", "Resource": "*" },
        { "Effect": "Deny", "Action": "iam:CreateUser", "Resource": "*" },
    ]);
    account.iam().create_user("caller", &[("p", &document(&deny))]).expect("a user");
    let caller = iam(&account, account.iam().create_access_key("caller").expect("a key").credentials());
    let (status, code, message) = failure(caller.create_user().user_name("x").send().await);
    assert_eq!((status, code.as_str()), (403, "AccessDenied"));
    assert!(message.ends_with("with an explicit deny in an identity-based policy"), "{message}");
    caller.create_group().group_name("x").send().await.expect("allowed");
}

/// How an administrator lets others create identities whose permissions stay within a boundary. Source: IAM User Guide,
/// "Permissions boundaries for IAM entities".
#[tokio::test]
async fn creating_users_can_be_allowed_with_a_boundary_only() {
    let (account, root) = account_with_root();
    root.create_policy().policy_name("bound").policy_document(MAY_PUT).send().await.expect("a policy");
    let bound = "arn:aws:iam::000000000000:policy/bound";
    let delegated = json!([
        {
            "Effect": "Allow",
            "Action": ["iam:CreateUser", "iam:PutUserPolicy", "iam:AttachUserPolicy", "iam:PutUserPermissionsBoundary"],
            "Resource": "*",
            "Condition": { "StringEquals": { "iam:PermissionsBoundary": bound } },
        },
        { "Effect": "Deny", "Action": "iam:DeleteUserPermissionsBoundary", "Resource": "*" },
    ]);
    account.iam().create_user("admin", &[("p", &document(&delegated))]).expect("a user");
    let admin = iam(&account, account.iam().create_access_key("admin").expect("a key").credentials());
    let denied = (403, "AccessDenied".to_owned());
    let full = "arn:aws:iam::aws:policy/AmazonS3FullAccess";

    assert_eq!(code(admin.create_user().user_name("x").send().await), denied);
    assert_eq!(code(admin.create_user().user_name("x").permissions_boundary(full).send().await), denied);
    admin.create_user().user_name("x").permissions_boundary(bound).send().await.expect("with the boundary");
    admin.put_user_policy().user_name("x").policy_name("p").policy_document(ALLOW_ALL).send().await.expect("bounded");
    admin.attach_user_policy().user_name("x").policy_arn(full).send().await.expect("bounded");
    assert_eq!(
        code(admin.put_user_permissions_boundary().user_name("x").permissions_boundary(full).send().await),
        denied
    );
    assert_eq!(code(admin.delete_user_permissions_boundary().user_name("x").send().await), denied);
    root.create_user().user_name("free").send().await.expect("a user");
    let put = admin.put_user_policy().user_name("free").policy_name("p").policy_document(ALLOW_ALL);
    assert_eq!(code(put.send().await), denied, "a user without the boundary");

    let key = key_of(&root, "x").await;
    assert_eq!(try_put(&account, &key).await, Ok(()));
    assert_eq!(code(iam(&account, key).list_users().send().await), denied, "beyond the boundary");
}

#[tokio::test]
async fn attaching_can_be_allowed_for_some_policies_and_by_tags() {
    let (account, root) = account_with_root();
    let read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let some = json!([
        {
            "Effect": "Allow",
            "Action": ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
            "Resource": "*",
            "Condition": { "ArnLike": { "iam:PolicyARN": read_only } },
        },
        {
            "Effect": "Allow",
            "Action": ["iam:CreateRole", "iam:TagRole"],
            "Resource": "*",
            "Condition": { "StringEquals": { "aws:RequestTag/team": "docs" }, "ForAllValues:StringEquals": { "aws:TagKeys": "team" } },
        },
        {
            "Effect": "Allow",
            "Action": "iam:DeleteRole",
            "Resource": "*",
            "Condition": { "StringEquals": { "aws:ResourceTag/team": "docs", "iam:ResourceTag/team": "docs" } },
        },
    ]);
    account.iam().create_user("lead", &[("p", &document(&some))]).expect("a user");
    let lead = iam(&account, account.iam().create_access_key("lead").expect("a key").credentials());
    let denied = (403, "AccessDenied".to_owned());
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build().expect("a tag");
    let create = |name: &str| lead.create_role().role_name(name).assume_role_policy_document(TRUST_ACCOUNT);

    assert_eq!(code(create("r").send().await), denied);
    assert_eq!(code(create("r").tags(tag("team", "site")).send().await), denied);
    assert_eq!(code(create("r").tags(tag("team", "docs")).tags(tag("x", "")).send().await), denied);
    create("r").tags(tag("team", "docs")).send().await.expect("tagged as allowed");
    let full = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
    assert_eq!(code(lead.attach_role_policy().role_name("r").policy_arn(full).send().await), denied);
    lead.attach_role_policy().role_name("r").policy_arn(read_only).send().await.expect("this one");
    lead.detach_role_policy().role_name("r").policy_arn(read_only).send().await.expect("this one");
    lead.delete_role().role_name("r").send().await.expect("by its tag");
    root.create_role().role_name("other").assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    assert_eq!(code(lead.delete_role().role_name("other").send().await), denied);

    let only_create = json!({ "Effect": "Allow", "Action": "iam:Create*", "Resource": "*" });
    account.iam().put_user_policy("lead", "p", &document(&only_create)).expect("a policy");
    create("plain").send().await.expect("without tags");
    let (_, _, message) = failure(create("tagged").tags(tag("team", "docs")).send().await);
    assert!(message.contains("iam:TagRole"), "tags need a permission of their own: {message}");
    let (_, _, message) = failure(lead.create_user().user_name("tagged").tags(tag("team", "docs")).send().await);
    assert!(message.contains("iam:TagUser"), "{message}");
}
