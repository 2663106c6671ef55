//! Requests: the caller's identity, malformed and unsupported requests.

use bytes::Bytes;
use pretty_assertions::assert_eq;
use tidegate_emulator::sts::StsService;

use super::*;

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
    let (code, _) = failure(sts(&account, account.root_credentials()).get_federation_token().name("lea").send().await);
    assert_eq!(code, "InvalidAction");
}
