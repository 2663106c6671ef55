//! An HTTP proxy with faults, in front of a server. It is for processes of their own, whose clients tests cannot wrap.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::{StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

use crate::fault::{ApiCall, Faults, InjectedFault};

/// Milliseconds after which a throttled request is sent again. Without this header of AWS, an SDK waits for seconds.
const RETRY_AFTER: (&str, &str) = ("x-amz-retry-after", "20");

/// A proxy in front of a server. It serves until the test's runtime ends.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
}

struct Upstream {
    /// The URL of the server, without a path.
    server: String,
    client: Client<HttpConnector, Body>,
    faults: Faults,
}

impl FaultProxy {
    /// Starts a proxy in front of the server with this URL. It supports faults that answer, delay or hold a request.
    pub async fn start(server: &str, faults: &Faults) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let upstream = Upstream { server: server.to_owned(), client, faults: faults.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(forward).with_state(Arc::new(upstream));
        drop(tokio::spawn(axum::serve(listener, router).into_future()));
        Self { address }
    }

    /// The URL of the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn forward(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let described = http::Request::from_parts(parts.clone(), SdkBody::from(body.clone()));
    let call = ApiCall::of(upstream.faults.next_number(), &described);
    let service = call.service;
    match upstream.faults.record(call) {
        None => {}
        Some(InjectedFault::Delay(time)) => tokio::time::sleep(time).await,
        Some(InjectedFault::Hold(gate)) => gate.pass().await,
        Some(InjectedFault::Answer { status, code, message }) => {
            let status = StatusCode::from_u16(status).unwrap();
            let headers = [(CONTENT_TYPE.as_str(), service.content_type()), RETRY_AFTER];
            return (status, headers, service.error_body(&code, &message)).into_response();
        }
        Some(fault) => panic!("a proxy does not support {fault:?}"),
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = format!("{}{path}", upstream.server).parse::<Uri>().unwrap();
    match upstream.client.request(http::Request::from_parts(parts, Body::from(body))).await {
        Ok(response) => response.map(Body::new),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
