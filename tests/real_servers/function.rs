//! The function's program under ministack, which runs it as Lambda does: `tidegate package` makes the package, `tidegate install`
//! brings it up, and then uploads, webhooks and queues start it.
//!
//! ministack is to be trusted for how events are carried (their form, their names, retries, partial failures of a batch, function
//! URLs), and for running a program of others by the runtime API. Not for permissions: it checks none.

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

use crate::server::{Server, skipped};

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
lease-seconds = 1

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

struct Stage {
    server: Server,
    s3: aws_sdk_s3::Client,
    lambda: aws_sdk_lambda::Client,
    sqs: aws_sdk_sqs::Client,
    place: TempDir,
}

impl Stage {
    /// An account with the function in it, installed by the binary.
    async fn new(test: &str) -> Option<Self> {
        let server = Server::start("ministack", |port| vec![port.to_string()]);
        let server = server.map_err(|why| skipped(test, &why)).ok()?;
        let config = server.configuration("test", "test");
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let stage = Self {
            s3: aws_sdk_s3::Client::from_conf(s3),
            lambda: aws_sdk_lambda::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            place: TempDir::new().unwrap(),
            server,
        };
        for bucket in ["artifacts", "site"] {
            stage.s3.create_bucket().bucket(bucket).send().await.unwrap();
        }
        let secrets = aws_sdk_secretsmanager::Client::new(&config);
        secrets.create_secret().name("repo/github.com/acme/docs").secret_string(SECRET).send().await.unwrap();
        std::fs::write(stage.place.path().join("tidegate.toml"), CONFIGURATION).unwrap();
        std::fs::copy(package(CONFIGURATION), stage.place.path().join("function.zip")).unwrap();
        stage.run(&["install", "--zip", "function.zip", "--yes"]);
        // ministack tells a function nothing of where it is itself.
        let endpoint = stage.server.endpoint();
        let known = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
        ];
        let known: HashMap<String, String> =
            known.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let update = stage.lambda.update_function_configuration().function_name("tidegate");
        update.environment(Environment::builder().set_variables(Some(known)).build()).send().await.unwrap();
        Some(stage)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.server.command(self.place.path(), "test").args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        said
    }

    async fn upload(&self, key: &str, files: &[(&str, &str)]) {
        self.s3.put_object().bucket("artifacts").key(key).body(ByteStream::from(zip(files))).send().await.unwrap();
    }

    /// From here on uploads start nothing.
    async fn unnotified(&self) {
        let nothing = NotificationConfiguration::builder().build();
        let request = self.s3.put_bucket_notification_configuration().bucket("artifacts");
        request.notification_configuration(nothing).send().await.unwrap();
    }

    async fn page(&self) -> Option<String> {
        let got = self.s3.get_object().bucket("site").key("docs/index.html").send().await.ok()?;
        Some(String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap())
    }

    /// Waits until the site's page says that; gives up after two minutes.
    async fn shows(&self, text: &str) {
        let mut page = None;
        for _ in 0..600 {
            page = self.page().await;
            if page.as_deref() == Some(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the page is {page:?} and not {text:?}");
    }

    /// Sends a webhook to the function's URL, whose name this machine does not know.
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
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let start = answer.find('{').unwrap_or(answer.len());
        let end = answer.rfind('}').map_or(start, |end| end + 1);
        (status, serde_json::from_str(answer.get(start..end).unwrap()).unwrap_or_default())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_start_the_function_that_was_installed() {
    let Some(stage) = Stage::new("uploads_start_the_function_that_was_installed").await else { return };
    // A name that events encode, as a form does.
    stage.upload("builds/docs/one +é.zip", &[("index.html", "<p>1"), ("drafts/a.html", "x")]).await;
    stage.shows("<p>1").await;
    let draft = stage.s3.head_object().bucket("site").key("docs/drafts/a.html").send().await;
    assert!(draft.is_err(), "plugins ran");
    let page = stage.s3.head_object().bucket("site").key("docs/index.html").send().await.unwrap();
    assert_eq!(page.content_type(), Some("text/html; charset=utf-8"));
    // A build in a folder counts once its marker lands.
    let put = |key: &str, body: &'static str| {
        let key = format!("builds/docs/two/{key}");
        stage.s3.put_object().bucket("artifacts").key(key).body(ByteStream::from_static(body.as_bytes())).send()
    };
    put("index.html", "<p>2").await.unwrap();
    put(".ready", "").await.unwrap();
    stage.shows("<p>2").await;
    assert!(stage.run(&["releases", "docs"]).contains("two"));
    // Back to the first one by hand, and everything away again but what it published.
    stage.run(&["rollback", "docs"]);
    stage.shows("<p>1").await;
    stage.run(&["uninstall", "--yes"]);
    assert!(stage.lambda.get_function().function_name("tidegate").send().await.is_err());
    assert_eq!(stage.page().await.as_deref(), Some("<p>1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_publishes_through_the_url_of_the_function() {
    let Some(stage) = Stage::new("a_webhook_publishes_through_the_url_of_the_function").await else { return };
    let found = stage.lambda.get_function_url_config().function_name("tidegate").send().await.unwrap();
    let url = found.function_url().to_owned();
    let body = events::pushed(COMMIT, "Say möre", "2026-11-22T10:00:30Z").to_string();
    assert_eq!(stage.post(&url, "wrong", &body).0, 401);
    // What publishes is the webhook.
    stage.unnotified().await;
    stage.upload(&format!("builds/docs/{COMMIT}.zip"), &[("index.html", "<p>pushed")]).await;
    assert_eq!(stage.page().await, None);
    let (status, answer) = stage.post(&url, SECRET, &body);
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["runs"][0]["site"], "docs", "{answer}");
    stage.shows("<p>pushed").await;
    assert_eq!(stage.post(&url, SECRET, &body).0, 200, "the same delivery again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_batch_only_the_message_that_failed_comes_again() {
    let Some(stage) = Stage::new("of_a_batch_only_the_message_that_failed_comes_again").await else { return };
    let queue = stage.sqs.create_queue().queue_name("builds").send().await.unwrap().queue_url.unwrap();
    let put = |key: &'static str, body: Vec<u8>| {
        stage.s3.put_object().bucket("artifacts").key(key).body(ByteStream::from(body)).send()
    };
    stage.unnotified().await;
    let good = put("builds/docs/good.zip", zip(&[("index.html", "<p>queued")])).await.unwrap().e_tag.unwrap();
    let event = events::stored("artifacts", "builds/docs/good.zip", good.trim_matches('"'), 2, "0000000000000002");
    for message in ["no event".to_owned(), event.to_string()] {
        stage.sqs.send_message().queue_url(&queue).message_body(message).send().await.unwrap();
    }
    stage
        .lambda
        .create_event_source_mapping()
        .function_name("tidegate")
        .event_source_arn("arn:aws:sqs:us-east-1:000000000000:builds")
        .batch_size(10)
        .function_response_types("ReportBatchItemFailures".into())
        .send()
        .await
        .unwrap();
    stage.shows("<p>queued").await;
    let mut left = (0, 0);
    for _ in 0..100 {
        let told = stage.sqs.get_queue_attributes().queue_url(&queue);
        let told = told
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .send()
            .await
            .unwrap();
        let count = |name: QueueAttributeName| -> u32 {
            told.attributes().and_then(|all| all.get(&name)).map_or(0, |count| count.parse().unwrap())
        };
        left = (
            count(QueueAttributeName::ApproximateNumberOfMessages),
            count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        );
        if left.0 + left.1 == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(left.0 + left.1, 1, "the message that nobody can read waits for its next turn: {left:?}");
}
