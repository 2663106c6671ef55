//! `GetSessionToken` and `GetScopedCredentials`, which the SDK does not have: the request is written by hand.
//!
//! Source: STS API Reference, "GetScopedCredentials"; IAM User Guide, "Permissions for GetScopedCredentials".

use std::time::Duration;

use pretty_assertions::assert_eq;

use super::*;
use crate::signed::post;

const MAY_SCOPE: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:GetScopedCredentials","Resource":"*"}}"#;

/// A form of a request with these parameters.
fn form(parameters: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "GetScopedCredentials").append_pair("Version", "2011-06-15");
    form.extend_pairs(parameters);
    form.finish()
}

async fn scope(account: &LocalAws, from: &Credentials, parameters: &[(&str, &str)]) -> Result<Credentials, String> {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let (status, body) = post(account, from, ("sts", "us-east-1"), &headers, &form(parameters)).await;
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.to_owned())
    };
    if status != 200 {
        return Err(format!("{status} {}", element("Code").expect("a code")));
    }
    assert!(body.contains("<GetScopedCredentialsResponse") && body.contains("<GetScopedCredentialsResult>"), "{body}");
    let read = |name| element(name).expect(name);
    Ok(Credentials::new(read("AccessKeyId"), read("SecretAccessKey"), Some(read("SessionToken")), None, "test"))
}

/// An account, and a session of a role that may put objects and scope its credentials.
async fn session(seconds: i32) -> (LocalAws, Credentials) {
    let (account, user) = account_with_role();
    account.iam().put_role_policy("publisher", "scope", MAY_SCOPE).expect("a policy");
    let output = user.assume_role().role_arn(ROLE).role_session_name("run").duration_seconds(seconds).send().await;
    let credentials = credentials(&output.expect("a session"));
    (account, credentials)
}

fn docs(prefix: &str) -> String {
    ONLY_DOCS.replace("docs/*", prefix)
}

#[tokio::test]
async fn scoped_credentials_are_the_same_session_with_the_intersection_of_all_policies() {
    let (account, whole) = session(900).await;
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"sts:GetScopedCredentials","Resource":"*"},
        {"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/docs/*"}]}"#;
    let first = scope(&account, &whole, &[("Policy", policy), ("ScopedSessionDescription", "docs, plan 1")]).await;
    let first = first.expect("credentials");
    assert_eq!(may_put(&account, first.access_key_id(), "docs/a"), Ok(()));
    let message = may_put(&account, first.access_key_id(), "other/a").expect_err("outside of the scope");
    assert!(message.ends_with("because no session policy allows the s3:PutObject action"), "{message}");
    assert_eq!(may_put(&account, whole.access_key_id(), "other/a"), Ok(()), "the caller's session is unchanged");

    let identity = sts(&account, first.clone()).get_caller_identity().send().await.expect("an identity");
    assert_eq!(identity.arn(), Some("arn:aws:sts::000000000000:assumed-role/publisher/run"));

    // Each layer restricts further; a wider one gives nothing back.
    let wide = policy.replace("docs/*", "*");
    let second = scope(&account, &first, &[("Policy", &wide)]).await.expect("a second layer");
    assert!(may_put(&account, second.access_key_id(), "other/a").is_err());
    let third =
        scope(&account, &second, &[("Policy", &policy.replace("docs/*", "docs/a"))]).await.expect("a third layer");
    assert_eq!(may_put(&account, third.access_key_id(), "docs/a"), Ok(()));
    assert!(may_put(&account, third.access_key_id(), "docs/b").is_err());
    let fourth = scope(&account, &third, &[("Policy", &wide)]).await;
    assert_eq!(fourth.err().as_deref(), Some("403 AccessDenied"), "at most three layers");
    assert!(scope(&account, &third, &[("DurationSeconds", "60")]).await.is_ok(), "a duration is not a layer");
}

#[tokio::test]
async fn scoped_credentials_need_a_temporary_session_and_permission() {
    let (account, whole) = session(900).await;
    let refused = |result: Result<Credentials, String>| result.err().unwrap_or_default();
    let policy = [("Policy", ONLY_DOCS)];
    assert_eq!(refused(scope(&account, &account.root_credentials(), &policy).await), "403 AccessDenied");
    let lea = account.iam().create_access_key("lea").expect("a key").credentials();
    account.iam().put_user_policy("lea", "scope", MAY_SCOPE).expect("a policy");
    account.iam().put_user_policy("lea", "put", MAY_PUT).expect("a policy");
    assert_eq!(refused(scope(&account, &lea, &policy).await), "403 AccessDenied");

    let token = sts(&account, lea.clone()).get_session_token().duration_seconds(900).send().await.expect("a session");
    let given = token.credentials().expect("credentials");
    let token = Some(given.session_token().to_owned());
    let user = Credentials::new(given.access_key_id(), given.secret_access_key(), token, None, "test");
    assert_eq!(may_put(&account, user.access_key_id(), "other/a"), Ok(()), "all permissions of the user");
    let scoped = scope(&account, &user, &policy).await.expect("credentials");
    assert_eq!(may_put(&account, scoped.access_key_id(), "docs/a"), Ok(()));
    assert!(may_put(&account, scoped.access_key_id(), "other/a").is_err());
    // Without MFA, the session of a user calls neither IAM nor most of STS.
    assert_eq!(failure(sts(&account, user.clone()).get_session_token().send().await).0, "AccessDenied");
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(user)
        .build();
    let listed = aws_sdk_iam::Client::from_conf(config).list_users().send().await;
    assert_eq!(failure(listed).0, "InvalidClientTokenId");

    account.iam().put_role_policy("publisher", "scope", MAY_PUT).expect("a policy");
    assert_eq!(refused(scope(&account, &whole, &policy).await), "403 AccessDenied", "no permission");
}

#[tokio::test]
async fn scoped_credentials_end_with_the_session_of_the_caller() {
    let (account, whole) = session(1_000).await;
    let with = async |seconds: &str| scope(&account, &whole, &[("DurationSeconds", seconds)]).await;
    assert!(with("1").await.is_ok());
    assert_eq!(with("1001").await.err().as_deref(), Some("400 InsufficientSessionLifetime"));
    let short = with("100").await.expect("credentials");
    let long = scope(&account, &whole, &[("Policy", ONLY_DOCS)]).await.expect("credentials");
    account.iam().clock().advance(Duration::from_secs(101));
    assert!(sts(&account, short).get_caller_identity().send().await.is_err(), "expired");
    assert!(sts(&account, long.clone()).get_caller_identity().send().await.is_ok());
    account.iam().clock().advance(Duration::from_secs(900));
    assert!(sts(&account, long).get_caller_identity().send().await.is_err(), "expired with the caller's session");
}

#[tokio::test]
async fn scoped_credentials_check_their_parameters() {
    let (account, whole) = session(900).await;
    let long = docs(&format!("docs/{}/*", "a".repeat(2_048)));
    let varied: String = (0..250).map(|at| format!("w{at:03}/")).collect();
    let packed = docs(&format!("{varied}{}", "é~!$'()".repeat(60)));
    let description = "d".repeat(257);
    for (parameters, expected) in [
        (&[][..], "400 ValidationError"),
        (&[("ScopedSessionDescription", "docs")], "400 ValidationError"),
        (&[("DurationSeconds", "0")], "400 ValidationError"),
        (&[("DurationSeconds", "129601")], "400 ValidationError"),
        (&[("Policy", "{}")], "400 MalformedPolicyDocument"),
        (&[("Policy", long.as_str())], "400 ValidationError"),
        (&[("Policy", packed.as_str())], "400 PackedPolicyTooLarge"),
        (&[("Policy", ONLY_DOCS), ("ScopedSessionDescription", "d")], "400 ValidationError"),
        (&[("Policy", ONLY_DOCS), ("ScopedSessionDescription", description.as_str())], "400 ValidationError"),
        (&[("Policy", ONLY_DOCS), ("RoleArn", ROLE)], "501 NotImplemented"),
    ] {
        assert_eq!(scope(&account, &whole, parameters).await.err().as_deref(), Some(expected), "{parameters:?}");
    }
    // The global endpoint does not have the action.
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("host", "sts.amazonaws.com")];
    let form = form(&[("Policy", ONLY_DOCS)]);
    let (status, body) = post(&account, &whole, ("sts", "us-east-1"), &headers, &form).await;
    assert_eq!((status, body.contains("InvalidAction")), (400, true), "{body}");
}
