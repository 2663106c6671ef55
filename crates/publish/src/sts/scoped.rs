//! `GetScopedCredentials` of STS, announced on 2026-11-19, which `aws-sdk-sts` 1.124 does not have.
//!
//! The request is sent as `GetSessionToken`, whose response has the same `Credentials`, with another form. Endpoint,
//! signature, retries, time limits and errors are those of the SDK. Delete this file when the crate has the call.
//! Source: STS API Reference, "GetScopedCredentials".

use aws_sdk_sts::Client;
use aws_sdk_sts::operation::get_session_token::{GetSessionTokenError, GetSessionTokenOutput};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

const NAME: &str = "GetScopedCredentials";
const SUBSTITUTE: &str = "GetSessionToken";

/// Longest response that is read, in bytes. The longest session token has 4,096.
const MAX_RESPONSE: usize = 64 * 1024;

/// A request for scoped credentials.
#[derive(Debug, Clone)]
pub(super) struct ScopedRequest<'a> {
    pub(super) policy: &'a str,
    /// 2 to 256 characters, for CloudTrail.
    pub(super) description: &'a str,
    /// In seconds; without it, the credentials last as long as the caller's.
    pub(super) duration: Option<u64>,
}

impl ScopedRequest<'_> {
    fn form(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut form = format!("Action={NAME}&Version=2011-06-15&Policy={}", encoded(self.policy));
        form.push_str(&format!("&ScopedSessionDescription={}", encoded(self.description)));
        if let Some(seconds) = self.duration {
            form.push_str(&format!("&DurationSeconds={seconds}"));
        }
        form
    }

    /// Sends the request. `http` is the HTTP client of `client`.
    pub(super) async fn send(
        self,
        client: &Client,
        http: SharedHttpClient,
    ) -> Result<GetSessionTokenOutput, SdkError<GetSessionTokenError, HttpResponse>> {
        let form = self.form();
        let renaming = aws_sdk_sts::config::Builder::new().http_client(RenamingClient(http));
        let request = client.get_session_token().customize().config_override(renaming);
        let request = request.mutate_request(move |request| {
            request.headers_mut().insert("content-length", form.len().to_string());
            *request.body_mut() = SdkBody::from(form.as_str());
        });
        request.send().await
    }
}

/// Renames the elements of the response.
#[derive(Debug)]
struct RenamingClient(SharedHttpClient);

#[derive(Debug)]
struct RenamingConnector(SharedHttpConnector);

impl HttpClient for RenamingClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(RenamingConnector(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for RenamingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let mut response = call.await?;
            let body = Limited::new(response.take_body(), MAX_RESPONSE).collect().await;
            let bytes = body.map_err(ConnectorError::io)?.to_bytes();
            let text = String::from_utf8_lossy(&bytes);
            *response.body_mut() = SdkBody::from(text.replace(NAME, SUBSTITUTE));
            Ok(response)
        })
    }
}
