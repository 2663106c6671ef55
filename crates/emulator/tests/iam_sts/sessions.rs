//! Sessions: what they may do, and how long their credentials are valid.

use std::time::Duration;

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn a_session_may_do_what_role_session_policy_and_boundary_all_allow() {
    let (account, user) = account_with_role();
    let request = || user.assume_role().role_arn(ROLE).role_session_name("run");

    let whole = credentials(&request().send().await.expect("a session"));
    assert_eq!(may_put(&account, whole.access_key_id(), "a"), Ok(()));

    let output = request().policy(ONLY_DOCS).send().await.expect("a session");
    assert!(output.packed_policy_size().is_some_and(|percent| (1..=100).contains(&percent)));
    let narrow = credentials(&output);
    assert_eq!(may_put(&account, narrow.access_key_id(), "docs/a"), Ok(()));
    assert_eq!(
        may_put(&account, narrow.access_key_id(), "docs2/a"),
        Err(
            "User: arn:aws:sts::000000000000:assumed-role/publisher/run is not authorized to perform: s3:PutObject on \
             resource: \"arn:aws:s3:::site/docs2/a\" because no session policy allows the s3:PutObject action"
                .to_owned()
        )
    );

    let created = iam(&account).create_policy().policy_name("only-docs").policy_document(ONLY_DOCS).send().await;
    let managed = created.expect("a policy").policy.and_then(|policy| policy.arn).expect("an ARN");
    let arns = aws_sdk_sts::types::PolicyDescriptorType::builder().arn(&managed).build();
    let by_arn = credentials(&request().policy_arns(arns).send().await.expect("a session"));
    assert_eq!(may_put(&account, by_arn.access_key_id(), "docs/a"), Ok(()));
    assert!(may_put(&account, by_arn.access_key_id(), "a").is_err());

    let bound = iam(&account).put_role_permissions_boundary().role_name("publisher").permissions_boundary(&managed);
    bound.send().await.expect("a boundary");
    let message = may_put(&account, whole.access_key_id(), "a").expect_err("beyond the boundary");
    assert!(message.ends_with("because no permissions boundary allows the s3:PutObject action"), "{message}");
    assert_eq!(may_put(&account, whole.access_key_id(), "docs/a"), Ok(()));

    let deny = ONLY_DOCS.replace("Allow", "Deny");
    account.iam().put_role_policy("publisher", "deny", &deny).expect("a policy");
    let message = may_put(&account, whole.access_key_id(), "docs/a").expect_err("denied");
    assert!(message.ends_with("with an explicit deny in an identity-based policy"), "{message}");
}

/// The session policy of a real publish, enforced by S3 itself.
#[tokio::test]
async fn a_session_policy_is_enforced_by_s3() {
    let (account, user) = account_with_role();
    account.s3().create_bucket("site").await.expect("a bucket");
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::site","Condition":{"StringLike":{"s3:prefix":"docs/*"}}},
        {"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/docs/*"}]}"#;
    let output = user.assume_role().role_arn(ROLE).role_session_name("run").policy(policy).send().await;
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .force_path_style(true)
        .http_client(account.http_client())
        .credentials_provider(credentials(&output.expect("a session")))
        .build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    let put = |key: &str| s3.put_object().bucket("site").key(key).body(b"x".to_vec().into()).send();
    let list = |prefix: &str| s3.list_objects_v2().bucket("site").prefix(prefix).send();
    put("docs/a").await.expect("its own prefix");
    list("docs/").await.expect("its own prefix");
    list("docs/a").await.expect("its own prefix");
    assert_eq!(failure(put("docs2/a").await).0, "AccessDenied");
    assert_eq!(failure(list("docs2/").await).0, "AccessDenied");
    assert_eq!(failure(list("docs").await).0, "AccessDenied");
    assert_eq!(failure(s3.list_objects_v2().bucket("site").send().await).0, "AccessDenied");
    assert_eq!(failure(s3.delete_object().bucket("site").key("docs/a").send().await).0, "AccessDenied");
    let (code, message) = failure(s3.put_object().bucket("other").key("docs/a").send().await);
    assert_eq!(code, "AccessDenied");
    assert!(
        message.starts_with("User: arn:aws:sts::000000000000:assumed-role/publisher/run is not authorized"),
        "{message}"
    );
}

#[tokio::test]
async fn a_session_of_a_deleted_role_is_invalid() {
    let (account, user) = account_with_role();
    let output = user.assume_role().role_arn(ROLE).role_session_name("run").send().await.expect("a session");
    let session = credentials(&output);
    let client = iam(&account);
    for policy in ["put", "assume"] {
        client.delete_role_policy().role_name("publisher").policy_name(policy).send().await.expect("deleted");
    }
    client.delete_role().role_name("publisher").send().await.expect("deleted");
    account.iam().create_role("publisher", TRUST_ACCOUNT, &[("put", MAY_PUT)]).expect("a role of the same name");
    assert!(may_put(&account, session.access_key_id(), "a").is_err());
    let (code, _) = failure(sts(&account, session).get_caller_identity().send().await);
    assert_eq!(code, "InvalidClientTokenId");
}

#[tokio::test]
async fn temporary_credentials_expire_and_need_their_own_token() {
    let (account, user) = account_with_role();
    let request = || user.assume_role().role_arn(ROLE).role_session_name("run").duration_seconds(900);
    let one = credentials(&request().send().await.expect("a session"));
    let two = credentials(&request().send().await.expect("a session"));
    let with = |token: Option<&str>, secret: &str, id: &str| {
        Credentials::new(id, secret, token.map(str::to_owned), None, "test")
    };
    let (id, secret, token) = (one.access_key_id(), one.secret_access_key(), one.session_token());
    let long_lived = account.root_credentials();
    for (label, credentials, expected) in [
        ("no token", with(None, secret, id), "InvalidClientTokenId"),
        ("another session's token", with(two.session_token(), secret, id), "InvalidClientTokenId"),
        (
            "an unexpected token",
            with(token, long_lived.secret_access_key(), long_lived.access_key_id()),
            "InvalidClientTokenId",
        ),
        ("another secret", with(token, two.secret_access_key(), id), "SignatureDoesNotMatch"),
        ("an unknown key", with(token, secret, "ASIAAAAAAAAAAAAAAAAA"), "InvalidClientTokenId"),
    ] {
        let (code, _) = failure(sts(&account, credentials).get_caller_identity().send().await);
        assert_eq!(code, expected, "{label}");
    }
    let client = sts(&account, one.clone());
    account.iam().clock().advance(Duration::from_secs(880));
    assert!(client.get_caller_identity().send().await.is_ok(), "the session has twenty seconds left");
    account.iam().clock().advance(Duration::from_secs(30));
    let (code, message) = failure(client.get_caller_identity().send().await);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ExpiredToken", "The security token included in the request is expired")
    );
}

#[tokio::test]
async fn an_inactive_key_is_unknown() {
    let (account, _) = account_with_role();
    let key = account.iam().create_access_key("lea").expect("a key");
    let client = sts(&account, key.credentials());
    assert!(client.get_caller_identity().send().await.is_ok());
    let inactive = aws_sdk_iam::types::StatusType::Inactive;
    let update = iam(&account).update_access_key().user_name("lea").access_key_id(&key.id).status(inactive);
    update.send().await.expect("inactive");
    assert_eq!(failure(client.get_caller_identity().send().await).0, "InvalidClientTokenId");
}
