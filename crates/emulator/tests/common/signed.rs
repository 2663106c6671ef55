//! Requests that are written by hand and signed by AWS's own signer, for protocols and mistakes that an SDK does not
//! produce.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::body::Body;
use http_body_util::BodyExt as _;
use tidegate_emulator::LocalAws;
use tower::ServiceExt as _;

/// Posts `body` to a service with these headers, and returns status and body.
pub(crate) async fn post(
    account: &LocalAws,
    credentials: &Credentials,
    (service, region): (&str, &str),
    headers: &[(&'static str, &str)],
    body: &str,
) -> (u16, String) {
    let uri = format!("https://{service}.{region}.amazonaws.com/");
    let mut request = http::Request::post(&uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(body.to_owned()).expect("a request");
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .expect("parameters")
        .into();
    let signable = SignableRequest::new("POST", &uri, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()))
        .expect("a request");
    let (instructions, _) = sign(signable, &parameters).expect("a signature").into_parts();
    instructions.apply_to_request_http1x(&mut request);
    let response = account.router().oneshot(request.map(Body::from)).await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}
