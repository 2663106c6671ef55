//! Records which credentials signed each request, which the trace of [`Faults`](crate::fault::Faults) does not contain.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// One signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// The access key: `AKIA…` for a user, `ASIA…` for a session.
    pub access_key: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// All headers and the body, for tests that search for secrets.
    pub text: String,
    /// The HTTP status of the response; absent until it arrives.
    pub status: Option<u16>,
}

/// Records requests. Cheap to clone; all clones share one record.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<SignedRequest>>>);

impl Recorder {
    /// All recorded requests, in the order in which they began.
    #[must_use]
    pub fn requests(&self) -> Vec<SignedRequest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Clears the record.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Puts this recorder in front of `client`.
    #[must_use]
    pub fn wrap(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(RecordingClient { recorder: self.clone(), client })
    }
}

#[derive(Debug)]
struct RecordingClient {
    recorder: Recorder,
    client: SharedHttpClient,
}

impl HttpClient for RecordingClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(RecordingConnector { recorder: self.recorder.clone(), connector })
    }
}

#[derive(Debug)]
struct RecordingConnector {
    recorder: Recorder,
    connector: SharedHttpConnector,
}

impl HttpConnector for RecordingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let authorization = request.headers().get("authorization").unwrap_or_default();
        let access_key = authorization
            .split("Credential=")
            .nth(1)
            .and_then(|rest| rest.split('/').next())
            .unwrap_or_default()
            .to_owned();
        let headers: Vec<String> = request.headers().iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let body = request.body().bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let signed = SignedRequest {
            access_key,
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            text: format!("{}\n{body}", headers.join("\n")),
            status: None,
        };
        let record = Arc::clone(&self.recorder.0);
        let index = {
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            record.push(signed);
            record.len() - 1
        };
        let response = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let response = response.await?;
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(signed) = record.get_mut(index) {
                signed.status = Some(response.status().as_u16());
            }
            drop(record);
            Ok(response)
        })
    }
}
