//! IAM's errors: codes, statuses and messages.

use pretty_assertions::assert_eq;

use super::*;

/// Sends a handwritten request as root.
async fn send(account: &LocalAws, action: &str, parameters: &[(&str, &str)]) -> (u16, String) {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("Action", action), ("Version", "2010-05-08")])
        .extend_pairs(parameters)
        .finish();
    signed::post(account, &account.root_credentials(), ("iam", "us-east-1"), &[], &body).await
}

const TOO_LONG: &str = "failed to satisfy constraint: Member must have length less than or equal to";
const PATTERN: &str = "failed to satisfy constraint: Member must satisfy regular expression pattern";
const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
const MISSING: &str = "arn:aws:iam::000000000000:policy/missing";

/// An action, its parameters, and the expected status, code and part of the message.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str, &'a str);

#[tokio::test]
async fn rejects_invalid_requests_with_aws_codes() {
    let (account, root) = account_with_root();
    root.create_user().user_name("lea").path("/ci/").send().await.expect("a user");
    root.create_group().group_name("g").send().await.expect("a group");
    root.create_role().role_name("r").assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    root.create_policy().policy_name("p").policy_document(MAY_PUT).send().await.expect("a policy");
    let (long65, long129, long513) = ("a".repeat(65), "a".repeat(129), format!("/{}/", "a".repeat(511)));
    let trust_in = |principal: &str| TRUST_ACCOUNT.replace("000000000000", principal);
    let missing = trust_in("arn:aws:iam::000000000000:user/missing");
    let with_resource = MAY_PUT.replace("\"Effect\"", "\"Principal\":\"*\",\"Effect\"");
    let unsupported =
        MAY_PUT.replace("\"Effect\"", "\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}},\"Effect\"");
    let invalid = "ValidationError";
    let malformed = "MalformedPolicyDocument";
    let rows: &[Row<'_>] = &[
        (
            "CreateUser",
            &[],
            400,
            invalid,
            "Value null at 'userName' failed to satisfy constraint: Member must not be null",
        ),
        ("CreateUser", &[("UserName", "")], 400, invalid, "greater than or equal to 1"),
        ("CreateUser", &[("UserName", &long65)], 400, invalid, TOO_LONG),
        ("CreateUser", &[("UserName", "ci/x")], 400, invalid, PATTERN),
        ("CreateUser", &[("UserName", "x"), ("Path", "ci")], 400, invalid, "invalid path"),
        ("CreateUser", &[("UserName", "x"), ("Path", "/a b/")], 400, invalid, PATTERN),
        ("CreateUser", &[("UserName", "x"), ("Path", &long513)], 400, invalid, TOO_LONG),
        ("CreateUser", &[("UserName", "lea")], 409, "EntityAlreadyExists", "User with name lea already exists."),
        ("CreateUser", &[("UserName", "LEA")], 409, "EntityAlreadyExists", "User with name LEA already exists."),
        ("CreateUser", &[("UserName", "x"), ("PermissionsBoundary", MISSING)], 404, "NoSuchEntity", MISSING),
        (
            "CreateUser",
            &[("UserName", "x"), ("PermissionsBoundary", "arn:aws:s3:::a-bucket-it-is")],
            400,
            "InvalidInput",
            "is not valid",
        ),
        (
            "CreateUser",
            &[("UserName", "x"), ("Nickname", "y")],
            501,
            "NotImplemented",
            "the parameter Nickname of CreateUser",
        ),
        ("CreateUser", &[("UserName", "x"), ("Tags.member.1.Key", "k")], 400, invalid, "'value'"),
        ("CreateUser", &[("UserName", "x"), ("Tags.member.2.Key", "k")], 501, "NotImplemented", "Tags.member.2.Key"),
        ("GetUser", &[("UserName", "missing")], 404, "NoSuchEntity", "The user with name missing cannot be found."),
        ("GetUser", &[("UserName", &long129)], 400, invalid, TOO_LONG),
        ("DeleteUser", &[("UserName", "missing")], 404, "NoSuchEntity", "The user with name missing cannot be found."),
        ("ListUsers", &[("MaxItems", "0")], 400, invalid, "greater than or equal to 1"),
        ("ListUsers", &[("MaxItems", "1001")], 400, invalid, "less than or equal to 1000"),
        ("ListUsers", &[("MaxItems", "many")], 400, "MalformedInput", "must be a number"),
        ("ListUsers", &[("PathPrefix", "ci/")], 400, invalid, PATTERN),
        (
            "CreateAccessKey",
            &[("UserName", "missing")],
            404,
            "NoSuchEntity",
            "The user with name missing cannot be found.",
        ),
        (
            "ListAccessKeys",
            &[("UserName", "missing")],
            404,
            "NoSuchEntity",
            "The user with name missing cannot be found.",
        ),
        ("ListAccessKeys", &[], 400, invalid, "Must specify userName"),
        (
            "DeleteAccessKey",
            &[("UserName", "lea"), ("AccessKeyId", "AKIAAAAAAAAAAAAAAAAA")],
            404,
            "NoSuchEntity",
            "The Access Key with id AKIAAAAAAAAAAAAAAAAA cannot be found.",
        ),
        ("UpdateAccessKey", &[("UserName", "lea"), ("AccessKeyId", "AKIAAAAAAAAAAAAAAAAA")], 400, invalid, "'status'"),
        (
            "UpdateAccessKey",
            &[("UserName", "lea"), ("AccessKeyId", "AKIA"), ("Status", "Active")],
            400,
            invalid,
            "greater than or equal to 16",
        ),
        (
            "PutUserPolicy",
            &[("UserName", "lea"), ("PolicyName", "p"), ("PolicyDocument", "{")],
            400,
            malformed,
            "syntax errors in policy",
        ),
        (
            "PutUserPolicy",
            &[("UserName", "lea"), ("PolicyName", "p"), ("PolicyDocument", &with_resource)],
            400,
            malformed,
            "prohibited field",
        ),
        (
            "PutUserPolicy",
            &[("UserName", "lea"), ("PolicyName", "p"), ("PolicyDocument", &unsupported)],
            400,
            malformed,
            "does not support",
        ),
        ("PutUserPolicy", &[("UserName", "lea"), ("PolicyName", "p"), ("PolicyDocument", "日")], 400, invalid, PATTERN),
        (
            "PutUserPolicy",
            &[("UserName", "lea"), ("PolicyName", "a/b"), ("PolicyDocument", MAY_PUT)],
            400,
            invalid,
            PATTERN,
        ),
        (
            "PutUserPolicy",
            &[("UserName", "missing"), ("PolicyName", "p"), ("PolicyDocument", MAY_PUT)],
            404,
            "NoSuchEntity",
            "The user with name missing cannot be found.",
        ),
        (
            "GetUserPolicy",
            &[("UserName", "lea"), ("PolicyName", "p")],
            404,
            "NoSuchEntity",
            "The user policy with name p cannot be found.",
        ),
        ("AttachUserPolicy", &[("UserName", "lea"), ("PolicyArn", MISSING)], 404, "NoSuchEntity", MISSING),
        (
            "AttachUserPolicy",
            &[("UserName", "lea"), ("PolicyArn", "arn:aws:iam::aws:user/lea")],
            400,
            "InvalidInput",
            "ARN arn:aws:iam::aws:user/lea is not valid.",
        ),
        ("AttachUserPolicy", &[("UserName", "lea"), ("PolicyArn", "p")], 400, invalid, "greater than or equal to 20"),
        (
            "AttachUserPolicy",
            &[("UserName", "missing"), ("PolicyArn", READ_ONLY)],
            404,
            "NoSuchEntity",
            "The user with name missing cannot be found.",
        ),
        ("DetachUserPolicy", &[("UserName", "lea"), ("PolicyArn", READ_ONLY)], 404, "NoSuchEntity", READ_ONLY),
        (
            "PutUserPermissionsBoundary",
            &[("UserName", "lea"), ("PermissionsBoundary", MISSING)],
            404,
            "NoSuchEntity",
            MISSING,
        ),
        ("CreateRole", &[("RoleName", "x")], 400, invalid, "'assumeRolePolicyDocument'"),
        (
            "CreateRole",
            &[("RoleName", "x"), ("AssumeRolePolicyDocument", &missing)],
            400,
            malformed,
            "Invalid principal in policy: &quot;AWS&quot;:&quot;arn:aws:iam::000000000000:user/missing&quot;",
        ),
        ("CreateRole", &[("RoleName", "x"), ("AssumeRolePolicyDocument", MAY_PUT)], 400, malformed, "prohibited field"),
        (
            "CreateRole",
            &[("RoleName", "x"), ("AssumeRolePolicyDocument", TRUST_ACCOUNT), ("MaxSessionDuration", "3599")],
            400,
            invalid,
            "greater than or equal to 3600",
        ),
        (
            "CreateRole",
            &[("RoleName", "x"), ("AssumeRolePolicyDocument", TRUST_ACCOUNT), ("MaxSessionDuration", "43201")],
            400,
            invalid,
            "less than or equal to 43200",
        ),
        (
            "CreateRole",
            &[("RoleName", "R"), ("AssumeRolePolicyDocument", TRUST_ACCOUNT)],
            409,
            "EntityAlreadyExists",
            "Role with name R already exists.",
        ),
        (
            "CreateRole",
            &[("RoleName", "x"), ("AssumeRolePolicyDocument", TRUST_ACCOUNT), ("Description", "\u{1}")],
            400,
            invalid,
            PATTERN,
        ),
        ("GetRole", &[("RoleName", "missing")], 404, "NoSuchEntity", "The role with name missing cannot be found."),
        ("UpdateRole", &[("RoleName", "missing")], 404, "NoSuchEntity", "The role with name missing cannot be found."),
        (
            "GetRolePolicy",
            &[("RoleName", "r"), ("PolicyName", "p")],
            404,
            "NoSuchEntity",
            "The role policy with name p cannot be found.",
        ),
        ("CreateGroup", &[("GroupName", "G")], 409, "EntityAlreadyExists", "Group with name G already exists."),
        ("CreateGroup", &[("GroupName", &long129)], 400, invalid, TOO_LONG),
        (
            "AddUserToGroup",
            &[("GroupName", "g"), ("UserName", "missing")],
            404,
            "NoSuchEntity",
            "The user with name missing cannot be found.",
        ),
        (
            "AddUserToGroup",
            &[("GroupName", "missing"), ("UserName", "lea")],
            404,
            "NoSuchEntity",
            "The group with name missing cannot be found.",
        ),
        (
            "CreatePolicy",
            &[("PolicyName", "P"), ("Path", "/other/"), ("PolicyDocument", MAY_PUT)],
            409,
            "EntityAlreadyExists",
            "A policy called P already exists.",
        ),
        ("CreatePolicy", &[("PolicyName", &long129), ("PolicyDocument", MAY_PUT)], 400, invalid, TOO_LONG),
        ("CreatePolicy", &[("PolicyName", "x"), ("PolicyDocument", TRUST_ACCOUNT)], 400, malformed, "prohibited field"),
        ("GetPolicy", &[("PolicyArn", MISSING)], 404, "NoSuchEntity", "was not found."),
        ("GetPolicyVersion", &[("PolicyArn", READ_ONLY), ("VersionId", "v2")], 404, "NoSuchEntity", "v2"),
        ("ListPolicies", &[("Scope", "Mine")], 400, invalid, "[All, AWS, Local]"),
        ("ListPolicies", &[("OnlyAttached", "yes")], 400, "MalformedInput", "must be true or false"),
        (
            "SimulatePrincipalPolicy",
            &[("PolicySourceArn", "arn:aws:iam::000000000000:user/ci/lea")],
            400,
            invalid,
            "'actionNames'",
        ),
        (
            "SimulatePrincipalPolicy",
            &[("PolicySourceArn", "arn:aws:iam::000000000000:user/lea"), ("ActionNames.member.1", "s3:GetObject")],
            404,
            "NoSuchEntity",
            "user/lea",
        ),
        (
            "SimulatePrincipalPolicy",
            &[("PolicySourceArn", "arn:aws:iam::000000000000:root"), ("ActionNames.member.1", "s3:GetObject")],
            400,
            "InvalidInput",
            ":root",
        ),
        (
            "SimulatePrincipalPolicy",
            &[("PolicySourceArn", "arn:aws:iam::000000000000:role/r"), ("ActionNames.member.1", "s3:Get*")],
            400,
            "InvalidInput",
            "s3:Get*",
        ),
        (
            "SimulatePrincipalPolicy",
            &[("PolicySourceArn", "arn:aws:iam::000000000000:role/r"), ("ActionNames.member.1", "GetObject")],
            400,
            "InvalidInput",
            "GetObject",
        ),
        (
            "SimulatePrincipalPolicy",
            &[
                ("PolicySourceArn", "arn:aws:iam::000000000000:role/r"),
                ("ActionNames.member.1", "s3:GetObject"),
                ("PolicyInputList.member.1", "{"),
            ],
            400,
            "InvalidInput",
            "syntax errors",
        ),
        (
            "SimulatePrincipalPolicy",
            &[
                ("PolicySourceArn", "arn:aws:iam::000000000000:role/r"),
                ("ActionNames.member.1", "s3:GetObject"),
                ("ResourcePolicy", MAY_PUT),
            ],
            501,
            "NotImplemented",
            "ResourcePolicy",
        ),
        (
            "SimulatePrincipalPolicy",
            &[
                ("PolicySourceArn", "arn:aws:iam::000000000000:role/r"),
                ("ActionNames.member.1", "s3:GetObject"),
                ("ContextEntries.member.1.ContextKeyName", "s3:prefix"),
                ("ContextEntries.member.1.ContextKeyType", "text"),
                ("ContextEntries.member.1.ContextKeyValues.member.1", "a"),
            ],
            400,
            invalid,
            "stringList",
        ),
        (
            "SimulatePrincipalPolicy",
            &[
                ("PolicySourceArn", "arn:aws:iam::000000000000:role/r"),
                ("ActionNames.member.1", "s3:GetObject"),
                ("PermissionsBoundaryPolicyInputList.member.1", MAY_PUT),
                ("PermissionsBoundaryPolicyInputList.member.2", MAY_PUT),
            ],
            400,
            "InvalidInput",
            "Only one policy",
        ),
        (
            "CreateLoginProfile",
            &[("UserName", "lea")],
            400,
            "InvalidAction",
            "Could not find operation CreateLoginProfile for version 2010-05-08",
        ),
        ("", &[], 400, "InvalidAction", "Could not find operation"),
    ];
    for (action, parameters, status, code, message) in rows {
        let (own_status, body) = send(&account, action, parameters).await;
        let label = format!("{action} {parameters:?}: {body}");
        assert_eq!(own_status, *status, "{label}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{label}");
        assert!(body.contains(&message.replace('\'', "&apos;")) || body.contains(message), "{label}");
    }
    let users = root.list_users().send().await.expect("a list");
    assert_eq!(users.users().len(), 1, "rejected requests create nothing");
}

/// Rows: action, owner, quota, and AWS's message above it.
#[tokio::test]
async fn policies_may_fill_their_quota_without_white_space() {
    let (account, root) = account_with_root();
    root.create_user().user_name("x").send().await.expect("a user");
    root.create_group().group_name("x").send().await.expect("a group");
    root.create_role().role_name("x").assume_role_policy_document(TRUST_ACCOUNT).send().await.expect("a role");
    // Exactly `size` characters and a thousand spaces.
    let sized = |size: usize| {
        let filled = |keys: usize| MAY_PUT.replace("/*", &format!("/{}*", "k".repeat(keys)));
        format!("{}{}", filled(size - filled(0).len()), " ".repeat(1_000))
    };
    let rows = [
        ("PutUserPolicy", Some(("UserName", "x")), 2_048, "Maximum policy size of 2048 bytes exceeded for user x"),
        ("PutGroupPolicy", Some(("GroupName", "x")), 5_120, "Maximum policy size of 5120 bytes exceeded for group x"),
        ("PutRolePolicy", Some(("RoleName", "x")), 10_240, "Maximum policy size of 10240 bytes exceeded for role x"),
        ("CreatePolicy", None, 6_144, "Cannot exceed quota for PolicySize: 6144"),
    ];
    for (action, owner, limit, message) in rows {
        for (size, name, expected) in [(limit + 1, "large", 409), (limit, "fits", 200)] {
            let document = sized(size);
            let policy = [("PolicyName", name), ("PolicyDocument", document.as_str())];
            let parameters: Vec<_> = owner.into_iter().chain(policy).collect();
            let (status, body) = send(&account, action, &parameters).await;
            assert_eq!(status, expected, "{action} {size}: {body}");
            assert_eq!(body.contains(message), expected == 409, "{action} {size}: {body}");
        }
    }
    // Inline policies share one quota, which the first policy fills.
    for (action, owner) in
        [("PutUserPolicy", "UserName"), ("PutGroupPolicy", "GroupName"), ("PutRolePolicy", "RoleName")]
    {
        let parameters = [(owner, "x"), ("PolicyName", "more"), ("PolicyDocument", MAY_GET)];
        assert_eq!(send(&account, action, &parameters).await.0, 409, "{action}");
    }
    let trust = |keys: usize| {
        let condition =
            format!(r#""Condition":{{"StringEquals":{{"sts:ExternalId":"{}"}}}},"Effect""#, "k".repeat(keys));
        TRUST_ACCOUNT.replace("\"Effect\"", &condition)
    };
    let base = trust(0).len();
    for (size, name, expected) in [(2_049, "large", 409), (2_048, "fits", 200)] {
        let document = trust(size - base);
        let parameters = [("RoleName", name), ("AssumeRolePolicyDocument", document.as_str())];
        let (status, body) = send(&account, "CreateRole", &parameters).await;
        assert_eq!(status, expected, "{size}: {body}");
        assert_eq!(body.contains("Cannot exceed quota for ACLSizePerRole: 2048"), expected == 409, "{body}");
    }
}

#[tokio::test]
async fn requests_must_be_signed_for_iam_in_its_only_region() {
    let (account, _root) = account_with_root();
    let body = "Action=ListUsers&Version=2010-05-08";
    let root = account.root_credentials();
    let (status, answer) = signed::post(&account, &root, ("iam", "us-east-1"), &[], body).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = signed::post(&account, &root, ("iam", "eu-west-1"), &[], body).await;
    assert_eq!(status, 403);
    assert!(answer.contains("SignatureDoesNotMatch") && answer.contains("valid region"), "{answer}");
    let stranger = Credentials::new("AKIAAAAAAAAAAAAAAAAA", "secret", None, None, "test");
    let (status, answer) = signed::post(&account, &stranger, ("iam", "us-east-1"), &[], body).await;
    assert_eq!(status, 403);
    assert!(answer.contains("InvalidClientTokenId"), "{answer}");
}
