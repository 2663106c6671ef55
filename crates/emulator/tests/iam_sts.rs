//! Identities through the real SDK: who may assume which role with which session, and the validity of temporary
//! credentials. Source of every constraint, code and message asserted here: STS API Reference, "AssumeRole" and "Common
//! Errors", or IAM User Guide, "Policy evaluation logic".

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]
#![expect(deprecated, reason = "publishers still read PackedPolicySize, which has no replacement")]

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use bytes::Bytes;
use pretty_assertions::assert_eq;
use tidegate_emulator::LocalAws;
use tidegate_emulator::iam::{AccessRequest, IamError};
use tidegate_emulator::sts::StsService;

const TRUST_ACCOUNT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}"#;
const MAY_ASSUME: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
const MAY_PUT: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::site/*"},
    {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::site"}]}"#;
const ONLY_DOCS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::site/docs/*"}}"#;
const ROLE: &str = "arn:aws:iam::000000000000:role/publisher";

fn sts(account: &LocalAws, credentials: Credentials) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(credentials)
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

/// A client of IAM as the account's root.
fn iam(account: &LocalAws) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(account.root_credentials())
        .build();
    aws_sdk_iam::Client::from_conf(config)
}

/// An account with a user that may assume roles, and a role that trusts the account and may put objects.
fn account_with_role() -> (LocalAws, aws_sdk_sts::Client) {
    let account = LocalAws::in_memory().expect("an account");
    let iam = account.iam();
    iam.create_user("lea", &[("assume", MAY_ASSUME)]).expect("a user");
    iam.create_role("publisher", TRUST_ACCOUNT, &[("put", MAY_PUT), ("assume", MAY_ASSUME)]).expect("a role");
    let key = iam.create_access_key("lea").expect("a key");
    let client = sts(&account, key.credentials());
    (account, client)
}

fn credentials(output: &AssumeRoleOutput) -> Credentials {
    let given = output.credentials().expect("credentials");
    let token = Some(given.session_token().to_owned());
    Credentials::new(given.access_key_id(), given.secret_access_key(), token, None, "test")
}

/// The code and message of an error.
fn failure<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> (String, String) {
    let error = result.err().expect("a failure");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn may_put(account: &LocalAws, key_id: &str, key: &str) -> Result<(), String> {
    let resource = format!("arn:aws:s3:::site/{key}");
    let access = AccessRequest { action: "s3:PutObject", resource: &resource, context: &[] };
    account.iam().authorize(key_id, &access).map_err(|denied| denied.to_string())
}

#[tokio::test]
async fn returns_the_callers_identity() {
    let (account, user) = account_with_role();
    let root = sts(&account, account.root_credentials()).get_caller_identity().send().await.expect("an answer");
    assert_eq!(root.arn(), Some("arn:aws:iam::000000000000:root"));
    assert_eq!(root.account(), Some("000000000000"));

    let own = user.get_caller_identity().send().await.expect("an answer");
    assert_eq!(own.arn(), Some("arn:aws:iam::000000000000:user/lea"));
    assert!(own.user_id().expect("an id").starts_with("AIDA"));

    let assumed = user.assume_role().role_arn(ROLE).role_session_name("run-1").send().await.expect("a session");
    let role_user = assumed.assumed_role_user().expect("a user");
    assert_eq!(role_user.arn(), "arn:aws:sts::000000000000:assumed-role/publisher/run-1");
    let token = credentials(&assumed).session_token().map(str::len);
    let size = assumed.session_token_size().and_then(|bytes| usize::try_from(bytes).ok());
    assert_eq!(size, token);
    let session = sts(&account, credentials(&assumed)).get_caller_identity().send().await.expect("an answer");
    assert_eq!(session.arn(), Some(role_user.arn()));
    assert_eq!(session.user_id(), Some(role_user.assumed_role_id()));
    assert!(role_user.assumed_role_id().starts_with("AROA") && role_user.assumed_role_id().ends_with(":run-1"));
    assert_eq!(assumed.packed_policy_size(), None, "no session policy was passed");
}

#[tokio::test]
async fn assuming_a_role_needs_trust_and_the_callers_own_permission() {
    let trust = |principal: &str, effect: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{"AWS":"000000000000"}},"Action":"sts:AssumeRole"}},
            {{"Effect":"{effect}","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
        )
    };
    let account = LocalAws::in_memory().expect("an account");
    let iam = account.iam();
    let may_one = MAY_ASSUME.replace("\"*\"", "\"arn:aws:iam::000000000000:role/one\"");
    iam.create_user("lea", &[("assume", MAY_ASSUME)]).expect("a user");
    iam.create_user("max", &[("assume", &may_one)]).expect("a user");
    iam.create_user("eve", &[]).expect("a user");
    let other = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}}"#;
    let service = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    let only_lea = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/lea"},"Action":"sts:AssumeRole"}}"#;
    for (name, document) in [
        ("one", TRUST_ACCOUNT.to_owned()),
        ("two", only_lea.to_owned()),
        ("foreign", other.to_owned()),
        ("service", service.to_owned()),
        ("not-lea", trust(r#"{"AWS":"arn:aws:iam::000000000000:user/lea"}"#, "Deny")),
    ] {
        iam.create_role(name, &document, &[]).expect(name);
    }
    for (user, role, expected) in [
        ("lea", "one", true),
        ("lea", "two", true),
        ("lea", "foreign", false),
        ("lea", "service", false),
        ("lea", "not-lea", false),
        ("lea", "missing", false),
        ("max", "one", true),
        ("max", "two", false),
        ("eve", "one", false),
    ] {
        let client = sts(&account, iam.create_access_key(user).expect("a key").credentials());
        let arn = format!("arn:aws:iam::000000000000:role/{role}");
        let result = client.assume_role().role_arn(&arn).role_session_name("run").send().await;
        if expected {
            assert!(
                result.is_ok(),
                "{user} {role}: {:?}",
                result.err().and_then(|error| error.message().map(str::to_owned))
            );
        } else {
            let (code, message) = failure(result);
            assert_eq!(code, "AccessDenied", "{user} {role}");
            let text = format!(
                "User: arn:aws:iam::000000000000:user/{user} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            );
            assert!(message.starts_with(&text), "{message}");
        }
    }
}

#[tokio::test]
async fn trust_can_require_an_external_id() {
    let (account, user) = account_with_role();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole",
        "Condition":{"StringEquals":{"sts:ExternalId":"blue"},"StringLike":{"sts:RoleSessionName":"run-*"}}}}"#;
    let arn = account.iam().create_role("asks", trust, &[]).expect("a role");
    let request = || user.assume_role().role_arn(&arn).role_session_name("run-1");
    assert!(request().external_id("blue").send().await.is_ok());
    assert_eq!(failure(request().external_id("red").send().await).0, "AccessDenied");
    assert_eq!(failure(request().send().await).0, "AccessDenied");
    assert_eq!(failure(request().role_session_name("other").external_id("blue").send().await).0, "AccessDenied");
}

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

/// Rows: session name, seconds, session policy, and the code and part of the message if the request is rejected.
#[tokio::test]
async fn checks_parameters_by_the_api_reference() {
    let (_account, user) = account_with_role();
    let padded = |length: usize| format!("{ONLY_DOCS}{}", " ".repeat(length - ONLY_DOCS.len()));
    let random = |length: usize| {
        let keys: Vec<String> = (0..length)
            .map(|number| format!("arn:aws:s3:::site/{:016x}/*", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        ONLY_DOCS.replace("\"arn:aws:s3:::site/docs/*\"", &serde_json::to_string(&keys).expect("JSON"))
    };
    let ok: Option<(&str, &str)> = None;
    let rejected = |code, message| Some((code, message));
    let invalid = |message| Some(("ValidationError", message));
    for (name, seconds, policy, expected) in [
        ("ab".to_owned(), 900, None, ok),
        ("a".repeat(64), 3_600, None, ok),
        (
            "a".to_owned(),
            900,
            None,
            invalid(
                "'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
            ),
        ),
        ("a".repeat(65), 900, None, invalid("Member must have length less than or equal to 64")),
        ("run/1".to_owned(), 900, None, invalid(r"Member must satisfy regular expression pattern: [\w+=,.@-]*")),
        ("run é".to_owned(), 900, None, invalid("regular expression")),
        ("run".to_owned(), 899, None, invalid("Member must have value greater than or equal to 900")),
        ("run".to_owned(), 43_201, None, invalid("Member must have value less than or equal to 43200")),
        ("run".to_owned(), 3_601, None, invalid("exceeds the MaxSessionDuration set for this role")),
        ("run".to_owned(), 900, Some(padded(2_047)), ok),
        ("run".to_owned(), 900, Some(padded(2_048)), ok),
        (
            "run".to_owned(),
            900,
            Some(padded(2_049)),
            invalid("'policy' failed to satisfy constraint: Member must have length less than or equal to 2048"),
        ),
        ("run".to_owned(), 900, Some(ONLY_DOCS.replace("docs", "é")), ok),
        ("run".to_owned(), 900, Some(ONLY_DOCS.replace("docs", "日")), invalid(r"[\u0009\u000A\u000D\u0020-\u00FF]+")),
        ("run".to_owned(), 900, Some("{".to_owned()), rejected("MalformedPolicyDocument", "syntax errors in policy")),
        (
            "run".to_owned(),
            900,
            Some(ONLY_DOCS.replace("Allow", "Permit")),
            rejected("MalformedPolicyDocument", "invalid effect"),
        ),
        ("run".to_owned(), 900, Some(random(20)), ok),
        ("run".to_owned(), 900, Some(random(46)), rejected("PackedPolicyTooLarge", "% of allotted space")),
    ] {
        assert!(policy.as_ref().is_none_or(|policy| {
            expected.is_some_and(|(code, _)| code == "ValidationError") || policy.chars().count() <= 2_048
        }));
        let label = format!("{name} {seconds} {:?}", policy.as_ref().map(String::len));
        let request =
            user.assume_role().role_arn(ROLE).role_session_name(name).duration_seconds(seconds).set_policy(policy);
        match (request.send().await, expected) {
            (Ok(_), None) => {}
            (result, Some((code, message))) => {
                let (own_code, own_message) = failure(result);
                assert_eq!(own_code, code, "{label}: {own_message}");
                assert!(own_message.contains(message), "{label}: {own_message}");
            }
            (Err(error), None) => panic!("{label}: {:?} {:?}", error.code(), error.message()),
        }
    }
}

#[tokio::test]
async fn a_chained_session_lasts_at_most_one_hour() {
    let (account, user) = account_with_role();
    iam(&account).update_role().role_name("publisher").max_session_duration(43_200).send().await.expect("a duration");
    let first = user.assume_role().role_arn(ROLE).role_session_name("first").duration_seconds(43_200).send().await;
    let chained = sts(&account, credentials(&first.expect("a session")));
    let request = |seconds| chained.assume_role().role_arn(ROLE).role_session_name("second").duration_seconds(seconds);
    assert!(request(3_600).send().await.is_ok());
    let (code, message) = failure(request(3_601).send().await);
    assert_eq!(code, "ValidationError");
    assert!(message.contains("exceeds the 1 hour session limit for roles assumed by role chaining"), "{message}");
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

#[tokio::test]
async fn rejects_malformed_requests() {
    let (account, _) = account_with_role();
    let service = StsService::new(account.iam().clone());
    let send = async |authorization: Option<&str>| {
        let mut request =
            http::Request::post("https://sts.us-east-1.amazonaws.com/").header("x-amz-date", "20150830T123600Z");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let request =
            request.body(Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15")).expect("a request");
        let response = service.handle(&request);
        (response.status().as_u16(), String::from_utf8(response.into_body().to_vec()).expect("text"))
    };
    let signed = |rest: &str| format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{rest}");
    for (authorization, status, code) in [
        (None, 403, "MissingAuthenticationToken"),
        (Some("Basic eA==".to_owned()), 400, "IncompleteSignature"),
        (Some(signed("sts/aws4_request, SignedHeaders=host;x-amz-date")), 400, "IncompleteSignature"),
        (Some(signed("sts/aws4_request, SignedHeaders=host, Signature=00")), 400, "IncompleteSignature"),
        (Some(signed("s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00")), 403, "SignatureDoesNotMatch"),
        (Some(signed("sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=00")), 403, "SignatureDoesNotMatch"),
    ] {
        let (own_status, body) = send(authorization.as_deref()).await;
        assert_eq!(own_status, status, "{authorization:?}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{authorization:?} {body}");
    }
}

#[tokio::test]
async fn rejects_unsupported_parameters_and_actions() {
    let (account, user) = account_with_role();
    let tag = aws_sdk_sts::types::Tag::builder().key("team").value("docs").build().expect("a tag");
    let request = user.assume_role().role_arn(ROLE).role_session_name("run").tags(tag);
    let (code, message) = failure(request.send().await);
    assert_eq!(code, "NotImplemented");
    assert!(message.contains("Tags"), "{message}");
    let (code, _) = failure(sts(&account, account.root_credentials()).get_session_token().send().await);
    assert_eq!(code, "InvalidAction");
}

#[tokio::test]
async fn identities_survive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let (root, session) = {
        let account = LocalAws::open(directory.path()).expect("an account");
        account.iam().create_role("publisher", TRUST_ACCOUNT, &[("put", MAY_PUT)]).expect("a role");
        let client = sts(&account, account.root_credentials());
        let request = client.assume_role().role_arn(ROLE).role_session_name("run").policy(ONLY_DOCS);
        (account.root_credentials(), credentials(&request.send().await.expect("a session")))
    };
    let account = LocalAws::open(directory.path()).expect("the same account");
    assert_eq!(account.root_credentials().access_key_id(), root.access_key_id());
    assert!(sts(&account, root).get_caller_identity().send().await.is_ok());
    assert!(sts(&account, session.clone()).get_caller_identity().send().await.is_ok());
    assert_eq!(may_put(&account, session.access_key_id(), "docs/a"), Ok(()));
    assert!(may_put(&account, session.access_key_id(), "a").is_err());
    let again = account.iam().create_role("publisher", TRUST_ACCOUNT, &[]);
    assert!(matches!(again, Err(IamError::EntityAlreadyExists { kind: "role", .. })));
}

#[test]
fn rejects_invalid_identities() {
    let account = LocalAws::in_memory().expect("an account");
    let iam = account.iam();
    let missing = TRUST_ACCOUNT.replace("\"000000000000\"", "\"arn:aws:iam::000000000000:user/missing\"");
    assert!(matches!(iam.create_role("r", &missing, &[]), Err(IamError::UnknownPrincipal(_))));
    assert!(matches!(iam.create_role("a/b", TRUST_ACCOUNT, &[]), Err(IamError::Name(_))));
    assert!(matches!(iam.create_role(&"a".repeat(65), TRUST_ACCOUNT, &[]), Err(IamError::Name(_))));
    assert!(matches!(iam.create_role("r", "{}", &[]), Err(IamError::Document(_))));
    let keys: Vec<String> = (0..400).map(|number| format!("arn:aws:s3:::site/{number:08}/*")).collect();
    let large = ONLY_DOCS.replace("\"arn:aws:s3:::site/docs/*\"", &serde_json::to_string(&keys).expect("JSON"));
    assert!(matches!(
        iam.create_role("r", TRUST_ACCOUNT, &[("large", &large)]),
        Err(IamError::TooLarge { limit: 10_240, .. })
    ));
    assert!(matches!(iam.create_access_key("missing"), Err(IamError::NoSuchEntity { kind: "user", .. })));
}
