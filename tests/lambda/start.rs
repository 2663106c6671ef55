//! Functions that cannot start: one sentence in the log, and the same to Lambda.

use std::fs;
use std::path::Path;

use aws_credential_types::Credentials;
use serde_json::Value;
use tempfile::TempDir;
use tidegate_core::architecture::Architecture;
use tidegate_tests::deployed::{package, unpack};

use crate::lambda::{EndedLambda, LambdaProcess, NAME};

const CONFIGURATION: &str = r#"
[[site]]
name = "docs"
builds = "s3://staging/builds/"
target = "s3://site/docs/"

[[site.sync]]
plugin = "mime"
"#;

/// Starts a function from a package with a change.
async fn start_with(change: impl FnOnce(&Path)) -> EndedLambda {
    start_as(NAME, change).await
}

async fn start_as(name: &str, change: impl FnOnce(&Path)) -> EndedLambda {
    let root = TempDir::new().unwrap();
    unpack(&package(CONFIGURATION), root.path());
    change(root.path());
    let credentials = Credentials::new("AKIAEXAMPLE", "not-to-be-printed", None, None, "test");
    LambdaProcess::start_as(name, root.path(), 60, "http://127.0.0.1:9", &credentials).await.exited().await
}

/// Asserts that the function failed with one sentence that names the cause, in the log and to Lambda.
fn assert_refused(ended: &EndedLambda, expected: &[&str]) {
    assert_eq!(ended.status.unwrap().code(), Some(1));
    let (error_type, report) = ended.init_error.as_ref().unwrap();
    assert_eq!(error_type, "Tidegate.Configuration");
    assert_eq!(report["errorType"], Value::from(error_type.as_str()));
    let message = report["errorMessage"].as_str().unwrap();
    assert_eq!(ended.stderr.trim_end(), message);
    for text in expected {
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn refuses_a_package_for_another_architecture() {
    let other =
        Architecture::ALL.into_iter().find(|target| *target != Architecture::of_this_machine().unwrap()).unwrap();
    let ended = start_with(|root| {
        let index = root.join("compiled/index.json");
        let text = fs::read_to_string(&index).unwrap();
        fs::write(&index, text.replace(Architecture::of_this_machine().unwrap().as_str(), other.as_str())).unwrap();
    })
    .await;
    assert_refused(&ended, &[other.as_str(), "tidegate package --target"]);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[tokio::test]
async fn refuses_a_package_of_another_version() {
    let ended = start_with(|root| {
        let index = root.join("compiled/index.json");
        let text = fs::read_to_string(&index).unwrap();
        fs::write(&index, text.replace(env!("CARGO_PKG_VERSION"), "9.9.9")).unwrap();
    })
    .await;
    assert_refused(&ended, &["9.9.9", "tidegate package"]);
}

#[tokio::test]
async fn refuses_an_invalid_or_missing_configuration() {
    let ended = start_with(|root| fs::write(root.join("tidegate.toml"), "[[site]]\nname = 1").unwrap()).await;
    assert_refused(&ended, &["name"]);
    let ended = start_with(|root| fs::remove_file(root.join("tidegate.toml")).unwrap()).await;
    assert_refused(&ended, &["cannot read", "tidegate.toml"]);
}

#[tokio::test]
async fn requires_a_function_name() {
    let ended = start_as("", |_| {}).await;
    assert_refused(&ended, &["AWS_LAMBDA_FUNCTION_NAME"]);
}

#[test]
fn refuses_to_start_outside_of_lambda() {
    let output = std::process::Command::new(tidegate_tests::binary::bootstrap()).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("tidegate invoke"));
}
