//! S3 over a socket, with both forms of addresses.

use aws_sdk_s3::{
    config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint},
    types::ChecksumMode,
};
use tokio::{net::TcpListener, sync::oneshot};

use crate::*;

#[derive(Debug)]
struct FixedEndpoint(String);

impl ResolveEndpoint for FixedEndpoint {
    fn resolve_endpoint<'a>(&'a self, _params: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.0.clone()).build()))
    }
}

async fn serve(account: &LocalAws) -> (String, oneshot::Sender<()>, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(account.clone().serve(listener, async {
        stopped.await.ok();
    }));
    (address, stop, server)
}

fn config(account: &LocalAws) -> aws_sdk_s3::config::Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(account.root_credentials())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
}

#[tokio::test]
async fn serves_the_sdk_by_path() {
    let (account, _) = site().await;
    let (address, stop, server) = serve(&account).await;
    let client =
        Client::from_conf(config(&account).endpoint_url(format!("http://{address}")).force_path_style(true).build());
    let bytes = vec![5_u8; 2_000_000];
    put(&client, "dir/é x", &bytes).await;
    let got =
        client.get_object().bucket(BUCKET).key("dir/é x").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(got.content_length(), Some(2_000_000));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes);
    assert_eq!(failure(client.head_object().bucket(BUCKET).key("no").send().await).0, 404);
    drop(client);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn serves_the_sdk_by_host() {
    let (account, _) = site().await;
    account.s3().put(BUCKET, "x", "by host", tidegate_emulator::s3::StoredHeaders::default()).await.unwrap();
    // In process, so names below s3.localhost need not resolve.
    let config = config(&account)
        .http_client(account.http_client())
        .endpoint_resolver(FixedEndpoint("http://site.s3.localhost:9000".to_owned()));
    let client = Client::from_conf(config.build());
    assert_eq!(body(&client, "x").await, b"by host");
    // The SDK's default endpoint.
    let config = Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let config = config.credentials_provider(account.root_credentials()).http_client(account.http_client());
    assert_eq!(body(&Client::from_conf(config.build()), "x").await, b"by host");
}

/// Changes the body after it was signed.
#[derive(Debug)]
struct Tampering(SharedHttpClient);

impl aws_smithy_runtime_api::client::http::HttpClient for Tampering {
    fn http_connector(
        &self,
        settings: &aws_smithy_runtime_api::client::http::HttpConnectorSettings,
        components: &aws_smithy_runtime_api::client::runtime_components::RuntimeComponents,
    ) -> aws_smithy_runtime_api::client::http::SharedHttpConnector {
        let connector = self.0.http_connector(settings, components);
        aws_smithy_runtime_api::client::http::SharedHttpConnector::new(TamperingConnector(connector))
    }
}

#[derive(Debug)]
struct TamperingConnector(aws_smithy_runtime_api::client::http::SharedHttpConnector);

impl aws_smithy_runtime_api::client::http::HttpConnector for TamperingConnector {
    fn call(
        &self,
        mut request: aws_sdk_s3::config::http::HttpRequest,
    ) -> aws_smithy_runtime_api::client::http::HttpConnectorFuture {
        *request.body_mut() = aws_sdk_s3::primitives::SdkBody::from("jello");
        self.0.call(request)
    }
}

#[tokio::test]
async fn rejects_a_body_that_was_changed_after_signing() {
    let (account, _) = site().await;
    let client = client_over(SharedHttpClient::new(Tampering(account.http_client())), account.root_credentials());
    let put = client.put_object().bucket(BUCKET).key("x").body(ByteStream::from_static(b"hello")).send().await;
    assert_eq!(failure(put), (400, "XAmzContentSHA256Mismatch".to_owned()));
    assert!(account.s3().list(BUCKET, "").unwrap().is_empty());
}
