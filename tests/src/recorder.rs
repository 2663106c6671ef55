//! Whose credentials signed which request, which the stand-in's own trace does not tell.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// One request as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The access key: `AKIA…` for a user, `ASIA…` for a session.
    pub access_key: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// Every header's value and the body, for a test that looks for secrets.
    pub text: String,
    /// The status that was answered; none while nothing was.
    pub status: Option<u16>,
}

/// Remembers every request that passes.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Signed>>>);

impl Recorder {
    /// What passed so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Signed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets it.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// `client` with this recorder before it.
    #[must_use]
    pub fn wrap(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Recording { recorder: self.clone(), client })
    }
}

#[derive(Debug)]
struct Recording {
    recorder: Recorder,
    client: SharedHttpClient,
}

impl HttpClient for Recording {
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
        let signed = Signed {
            access_key,
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            text: format!("{}\n{body}", headers.join("\n")),
            status: None,
        };
        let record = Arc::clone(&self.recorder.0);
        let place = {
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            record.push(signed);
            record.len() - 1
        };
        let answer = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(signed) = record.get_mut(place) {
                signed.status = Some(answer.status().as_u16());
            }
            drop(record);
            Ok(answer)
        })
    }
}
