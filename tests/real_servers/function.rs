//! Packages and installs the Lambda function in ministack, then invokes it by uploads, webhooks and a queue.
//!
//! ministack is reliable for events (form, names, retries, partial failures of a batch, function URLs) and for the runtime API.
//! It checks no permissions.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_sdk_lambda::types::Environment;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::NotificationConfiguration;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use tempfile::TempDir;
use tidegate_tests::deployed::package;
use tidegate_tests::events::{self, sign, zip};

use tidegate_tests::skipped::skipped;

use crate::server::Server;

const CONFIGURATION: &str = r#"
state = "s3://artifacts/tidegate/"

[function]
timeout = 60

[[site]]
name = "docs"
builds = "s3://artifacts/builds/docs/"
target = "s3://site/docs/"
role = "arn:aws:iam::000000000000:role/tidegate-docs"
publish-on-upload = true
lease-seconds = 10

[[site.sync]]
plugin = "exclude"
settings = { globs = ["drafts/**"] }

[[site.sync]]
plugin = "mime"

[[site.policy]]
plugin = "guard"
settings = { required = ["index.html"], max-delete-share = 1.0 }

[[site.webhook]]
provider = "github"
repository = "acme/docs"
branch = "main"
secrets = ["secretsmanager:repo/github.com/acme/docs"]
"#;

const SECRET: &str = "the secret of this hook";
const COMMIT: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";

/// An account of ministack with the function.
pub(crate) struct InstalledLambda {
    pub(crate) server: Server,
    pub(crate) s3: aws_sdk_s3::Client,
    client: aws_sdk_lambda::Client,
    sqs: aws_sdk_sqs::Client,
    pub(crate) directory: TempDir,
}

impl InstalledLambda {
    /// Installs the function with the binary; `None` where ministack is not installed.
    async fn new(test: &str) -> Option<Self> {
        Self::with_configuration(test, CONFIGURATION).await
    }

    /// Installs the function with a configuration.
    pub(crate) async fn with_configuration(test: &str, configuration: &str) -> Option<Self> {
        let server = Server::start("ministack", |port| vec![port.to_string()]);
        let server = server.map_err(|reason| skipped(test, &reason)).ok()?;
        let config = server.configuration("test", "test");
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let lambda = Self {
            s3: aws_sdk_s3::Client::from_conf(s3),
            client: aws_sdk_lambda::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            directory: TempDir::new().unwrap(),
            server,
        };
        for bucket in ["artifacts", "site"] {
            lambda.s3.create_bucket().bucket(bucket).send().await.unwrap();
        }
        let secrets = aws_sdk_secretsmanager::Client::new(&config);
        secrets.create_secret().name("repo/github.com/acme/docs").secret_string(SECRET).send().await.unwrap();
        std::fs::write(lambda.directory.path().join("tidegate.toml"), configuration).unwrap();
        std::fs::copy(package(configuration), lambda.directory.path().join("function.zip")).unwrap();
        lambda.run(&["install", "--zip", "function.zip", "--yes"]);
        lambda.set_endpoint(&lambda.server.endpoint()).await;
        Some(lambda)
    }

    /// Sets where the function sends its requests, with variables that ministack does not set for its functions.
    pub(crate) async fn set_endpoint(&self, endpoint: &str) {
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
        ];
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let update = self.client.update_function_configuration().function_name("tidegate");
        update.environment(Environment::builder().set_variables(Some(variables)).build()).send().await.unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.server.command(self.directory.path(), "test").args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {text}");
        text
    }

    async fn upload(&self, key: &str, files: &[(&str, &str)]) {
        self.s3.put_object().bucket("artifacts").key(key).body(ByteStream::from(zip(files))).send().await.unwrap();
    }

    /// Removes the notifications of the bucket, so that uploads no longer invoke the function.
    pub(crate) async fn remove_notifications(&self) {
        let empty = NotificationConfiguration::builder().build();
        let request = self.s3.put_bucket_notification_configuration().bucket("artifacts");
        request.notification_configuration(empty).send().await.unwrap();
    }

    async fn page(&self) -> Option<String> {
        let got = self.s3.get_object().bucket("site").key("docs/index.html").send().await.ok()?;
        Some(String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap())
    }

    /// Waits until the site's page has a text, for at most two minutes.
    async fn wait_for_page(&self, text: &str) {
        let mut page = None;
        for _ in 0..600 {
            page = self.page().await;
            if page.as_deref() == Some(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the page is {page:?}, not {text:?}");
    }

    /// Sends a webhook to the function's URL. Its host name does not resolve, so the request goes to the server with that name
    /// as `Host`.
    fn post(&self, url: &str, secret: &str, body: &str) -> (u16, Value) {
        let signature = sign(secret, body.as_bytes());
        let host = url.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             x-github-event: push\r\nx-github-delivery: d-1\r\nx-hub-signature-256: {signature}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.server.endpoint().trim_start_matches("http://")).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let status = response.split(' ').nth(1).unwrap().parse().unwrap();
        let start = response.find('{').unwrap_or(response.len());
        let end = response.rfind('}').map_or(start, |end| end + 1);
        (status, serde_json::from_str(response.get(start..end).unwrap()).unwrap_or_default())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_uploads_in_ministack() {
    let Some(lambda) = InstalledLambda::new("publishes_uploads_in_ministack").await else { return };
    // Events encode this name like a form.
    lambda.upload("builds/docs/one +é.zip", &[("index.html", "<p>1"), ("drafts/a.html", "x")]).await;
    lambda.wait_for_page("<p>1").await;
    let draft = lambda.s3.head_object().bucket("site").key("docs/drafts/a.html").send().await;
    assert!(draft.is_err(), "excluded by a plugin");
    let page = lambda.s3.head_object().bucket("site").key("docs/index.html").send().await.unwrap();
    assert_eq!(page.content_type(), Some("text/html; charset=utf-8"));
    // A build in a folder is complete once its marker exists.
    let put = |key: &str, body: &'static str| {
        let key = format!("builds/docs/two/{key}");
        lambda.s3.put_object().bucket("artifacts").key(key).body(ByteStream::from_static(body.as_bytes())).send()
    };
    put("index.html", "<p>2").await.unwrap();
    put(".ready", "").await.unwrap();
    lambda.wait_for_page("<p>2").await;
    assert!(lambda.run(&["releases", "docs"]).contains("two"));
    // Uninstalling keeps the published site.
    lambda.run(&["rollback", "docs"]);
    lambda.wait_for_page("<p>1").await;
    lambda.run(&["uninstall", "--yes"]);
    assert!(lambda.client.get_function().function_name("tidegate").send().await.is_err());
    assert_eq!(lambda.page().await.as_deref(), Some("<p>1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_a_webhook_to_the_function_url_in_ministack() {
    let Some(lambda) = InstalledLambda::new("publishes_a_webhook_to_the_function_url_in_ministack").await else {
        return;
    };
    let found = lambda.client.get_function_url_config().function_name("tidegate").send().await.unwrap();
    let url = found.function_url().to_owned();
    let body = events::pushed(COMMIT, "Say möre", "2026-11-22T10:00:30Z").to_string();
    assert_eq!(lambda.post(&url, "wrong", &body).0, 401);
    // Only the webhook may publish.
    lambda.remove_notifications().await;
    lambda.upload(&format!("builds/docs/{COMMIT}.zip"), &[("index.html", "<p>pushed")]).await;
    assert_eq!(lambda.page().await, None);
    let (status, response) = lambda.post(&url, SECRET, &body);
    assert_eq!(status, 202, "{response}");
    assert_eq!(response["runs"][0]["site"], "docs", "{response}");
    lambda.wait_for_page("<p>pushed").await;
    assert_eq!(lambda.post(&url, SECRET, &body).0, 200, "a repeated delivery publishes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_only_the_failed_message_of_a_batch_in_ministack() {
    let Some(lambda) = InstalledLambda::new("retries_only_the_failed_message_of_a_batch_in_ministack").await else {
        return;
    };
    let queue = lambda.sqs.create_queue().queue_name("builds").send().await.unwrap().queue_url.unwrap();
    let put = |key: &'static str, body: Vec<u8>| {
        lambda.s3.put_object().bucket("artifacts").key(key).body(ByteStream::from(body)).send()
    };
    lambda.remove_notifications().await;
    let good = put("builds/docs/good.zip", zip(&[("index.html", "<p>queued")])).await.unwrap().e_tag.unwrap();
    let event = events::stored("artifacts", "builds/docs/good.zip", good.trim_matches('"'), 2, "0000000000000002");
    for message in ["not an event".to_owned(), event.to_string()] {
        lambda.sqs.send_message().queue_url(&queue).message_body(message).send().await.unwrap();
    }
    lambda
        .client
        .create_event_source_mapping()
        .function_name("tidegate")
        .event_source_arn("arn:aws:sqs:us-east-1:000000000000:builds")
        .batch_size(10)
        .function_response_types("ReportBatchItemFailures".into())
        .send()
        .await
        .unwrap();
    lambda.wait_for_page("<p>queued").await;
    let mut messages = 0;
    for _ in 0..100 {
        let request = lambda.sqs.get_queue_attributes().queue_url(&queue);
        let attributes = request
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .send()
            .await
            .unwrap();
        let count = |name: QueueAttributeName| -> u32 {
            attributes.attributes().and_then(|all| all.get(&name)).map_or(0, |count| count.parse().unwrap())
        };
        messages = count(QueueAttributeName::ApproximateNumberOfMessages)
            + count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        if messages == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(messages, 1, "only the message that is not an event stays in the queue");
}
