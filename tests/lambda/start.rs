//! Functions that cannot start: one sentence, for whoever reads the log and for Lambda.

use std::fs;

use aws_credential_types::Credentials;
use serde_json::Value;
use tempfile::TempDir;
use tidegate_core::architecture::Architecture;
use tidegate_tests::deployed::{package, unpack};

use crate::lambda::{Ended, Function, NAME};

const CONFIGURATION: &str = r#"
[[site]]
name = "docs"
builds = "s3://staging/builds/"
target = "s3://site/docs/"

[[site.sync]]
plugin = "mime"
"#;

async fn refused(spoil: impl FnOnce(&std::path::Path)) -> Ended {
    refused_as(NAME, spoil).await
}

async fn refused_as(name: &str, spoil: impl FnOnce(&std::path::Path)) -> Ended {
    let place = TempDir::new().unwrap();
    unpack(&package(CONFIGURATION), place.path());
    spoil(place.path());
    let credentials = Credentials::new("AKIAEXAMPLE", "not-to-be-printed", None, None, "test");
    Function::start_as(name, place.path(), 60, "http://127.0.0.1:9", &credentials).await.end().await
}

/// What was told is one sentence, the same to everybody, and it names what is wrong.
fn assert_told(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.status.unwrap().code(), Some(1));
    let (kind, told) = ended.init_error.as_ref().unwrap();
    assert_eq!(kind, "Tidegate.Configuration");
    assert_eq!(told["errorType"], Value::from(kind.as_str()));
    let sentence = told["errorMessage"].as_str().unwrap();
    assert_eq!(ended.errors.trim_end(), sentence);
    for word in words {
        assert!(sentence.contains(word), "{sentence}");
    }
}

#[tokio::test]
async fn a_package_of_another_architecture_does_not_start() {
    let other =
        Architecture::ALL.into_iter().find(|target| *target != Architecture::of_this_machine().unwrap()).unwrap();
    let ended = refused(|root| {
        let index = root.join("compiled/index.json");
        let text = fs::read_to_string(&index).unwrap();
        fs::write(&index, text.replace(Architecture::of_this_machine().unwrap().as_str(), other.as_str())).unwrap();
    })
    .await;
    assert_told(&ended, &[other.as_str(), "tidegate package --target"]);
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
}

#[tokio::test]
async fn a_package_of_another_version_does_not_start() {
    let ended = refused(|root| {
        let index = root.join("compiled/index.json");
        let text = fs::read_to_string(&index).unwrap();
        fs::write(&index, text.replace(env!("CARGO_PKG_VERSION"), "9.9.9")).unwrap();
    })
    .await;
    assert_told(&ended, &["9.9.9", "tidegate package"]);
}

#[tokio::test]
async fn a_configuration_that_is_wrong_or_missing_does_not_start() {
    let ended = refused(|root| fs::write(root.join("tidegate.toml"), "[[site]]\nname = 1").unwrap()).await;
    assert_told(&ended, &["name"]);
    let ended = refused(|root| fs::remove_file(root.join("tidegate.toml")).unwrap()).await;
    assert_told(&ended, &["tidegate.toml", "cannot be read"]);
}

#[tokio::test]
async fn fails_without_a_function_name() {
    let ended = refused_as("", |_| {}).await;
    assert_told(&ended, &["AWS_LAMBDA_FUNCTION_NAME"]);
}

#[test]
fn outside_of_lambda_it_says_what_to_do() {
    let output = std::process::Command::new(tidegate_tests::binary::bootstrap()).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("tidegate invoke"));
}
