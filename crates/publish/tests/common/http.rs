//! S3 clients whose requests are handled in process, below the SDK.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use futures::future::BoxFuture;
use percent_encoding::percent_decode_str;
use tidegate_publish::{Connection, S3};

/// One request to S3.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Empty for requests about the bucket.
    pub(crate) key: String,
    pub(crate) query: BTreeMap<String, String>,
    http: HttpRequest,
}

impl Request {
    fn new(http: HttpRequest) -> Self {
        let (path, query) = http.uri().split_once('?').unwrap_or((http.uri(), ""));
        let path = path.strip_prefix("http://s3.test/").unwrap();
        let key = path.split_once('/').map_or("", |(_, key)| key);
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self { method: http.method().to_owned(), key: decoded(key), query: query.collect(), http }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.http.headers().get(name)
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// A response with a body.
pub(crate) fn response(status: u16, body: impl Into<SdkBody>) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), body.into())
}

/// A response with one of S3's error codes.
pub(crate) fn error(status: u16, code: &str) -> HttpResponse {
    response(status, format!("<Error><Code>{code}</Code><Message>test</Message></Error>"))
}

/// A client whose requests are handled by `handler`.
pub(crate) fn client(handler: impl Fn(Request) -> BoxFuture<'static, HttpResponse> + Send + Sync + 'static) -> S3 {
    let retry = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(std::time::Duration::from_millis(1));
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url("http://s3.test")
        .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("id", "secret", None)))
        .retry_config(retry)
        .http_client(SharedHttpClient::new(InProcess(Arc::new(handler))))
        .build();
    S3::new(&Connection::new(config, true))
}

type Handler = dyn Fn(Request) -> BoxFuture<'static, HttpResponse> + Send + Sync;

#[derive(Clone)]
struct InProcess(Arc<Handler>);

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let response = (self.0)(Request::new(request));
        HttpConnectorFuture::new(async move { Ok(response.await) })
    }
}
