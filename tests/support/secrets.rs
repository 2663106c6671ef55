//! Secrets Manager and the Parameter Store, called with requests that are signed by AWS's own signer. The asserted fields
//! and codes are from "GetSecretValue" in the Secrets Manager API Reference and "GetParameter" in that of Systems Manager.

#[path = "../../crates/emulator/tests/common/signed.rs"]
mod signed;

use std::time::Duration;

use aws_credential_types::Credentials;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tidegate_emulator::LocalAws;
use tidegate_tests::parameter_store::{ParameterStore, ParameterValue, ParametersError};
use tidegate_tests::secrets_manager::{SecretsError, SecretsManager, StoredSecretValue};

const SECRET: &str = "secretsmanager.GetSecretValue";
const PARAMETER: &str = "AmazonSSM.GetParameter";

async fn ask(account: &LocalAws, credentials: &Credentials, target: &str, input: Value) -> (u16, Value) {
    let service = if target.starts_with("secretsmanager") { "secretsmanager" } else { "ssm" };
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
    let (status, body) = signed::post(account, credentials, (service, "us-east-1"), &headers, &input.to_string()).await;
    (status, serde_json::from_str(&body).expect("JSON"))
}

async fn root(account: &LocalAws, target: &str, input: Value) -> (u16, Value) {
    ask(account, &account.root_credentials(), target, input).await
}

/// The code of a failure. Every failure here has status 400.
fn code((status, body): (u16, Value)) -> String {
    assert_eq!(status, 400, "{body}");
    assert!(body.get("message").is_some_and(Value::is_string), "{body}");
    body.get("__type").and_then(Value::as_str).expect("a code").to_owned()
}

#[tokio::test]
async fn reads_a_secret_by_name_and_by_both_forms_of_its_arn() {
    let account = LocalAws::in_memory().expect("an account");
    let secrets = SecretsManager::add_to(&account);
    let arn = secrets.put("repo/github.com/acme-docs", "s3cret").expect("a secret");
    let (partial, suffix) = arn.rsplit_once('-').expect("a suffix");
    assert_eq!(partial, "arn:aws:secretsmanager:us-east-1:000000000000:secret:repo/github.com/acme-docs");
    assert!(suffix.len() == 6 && suffix.chars().all(|character| character.is_ascii_alphanumeric()), "{arn}");
    for id in ["repo/github.com/acme-docs", partial, arn.as_str()] {
        let (status, body) = root(&account, SECRET, json!({ "SecretId": id })).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!((&body["ARN"], &body["Name"]), (&json!(arn), &json!("repo/github.com/acme-docs")));
        assert_eq!((&body["SecretString"], &body["VersionStages"]), (&json!("s3cret"), &json!(["AWSCURRENT"])));
        assert_eq!(body["VersionId"].as_str().map(str::len), Some(36), "{body}");
        assert!(body["CreatedDate"].is_f64() && body["SecretBinary"].is_null(), "{body}");
    }
    for id in [
        "repo/github.com/acme",
        "arn:aws:secretsmanager:us-east-1:000000000000:secret:repo/github.com/acme-docs-AAAAA1",
        "arn:aws:secretsmanager:eu-west-1:000000000000:secret:repo/github.com/acme-docs",
        "arn:aws:secretsmanager:us-east-1:111111111111:secret:repo/github.com/acme-docs",
    ] {
        let answer = root(&account, SECRET, json!({ "SecretId": id })).await;
        assert_eq!(code(answer), "ResourceNotFoundException", "{id}");
    }
    let plain = format!("repo/github.com/acme-docs-{suffix}");
    assert_eq!(code(root(&account, SECRET, json!({ "SecretId": plain })).await), "ResourceNotFoundException");
}

#[tokio::test]
async fn keeps_the_previous_version_of_a_secret() {
    let account = LocalAws::in_memory().expect("an account");
    let secrets = SecretsManager::add_to(&account);
    let first = secrets.put("s", "one").expect("a secret");
    let get = async |input: Value| root(&account, SECRET, input).await;
    let (_, one) = get(json!({ "SecretId": "s" })).await;
    assert_eq!(code(get(json!({ "SecretId": "s", "VersionStage": "AWSPREVIOUS" })).await), "ResourceNotFoundException");
    assert_eq!(secrets.put("s", "two").expect("a version"), first, "the ARN stays");
    assert_eq!(secrets.put("s", StoredSecretValue::Binary(vec![0, 255])).expect("a version"), first);

    let (_, current) = get(json!({ "SecretId": "s" })).await;
    assert_eq!((&current["SecretBinary"], &current["SecretString"]), (&json!("AP8="), &Value::Null));
    let (_, previous) = get(json!({ "SecretId": "s", "VersionStage": "AWSPREVIOUS" })).await;
    assert_eq!((&previous["SecretString"], &previous["VersionStages"]), (&json!("two"), &json!(["AWSPREVIOUS"])));
    let id = previous["VersionId"].clone();
    let (_, by_id) = get(json!({ "SecretId": "s", "VersionId": id })).await;
    assert_eq!(by_id, previous);
    let both = get(json!({ "SecretId": "s", "VersionId": id, "VersionStage": "AWSCURRENT" })).await;
    assert_eq!(code(both), "InvalidRequestException");
    let gone = get(json!({ "SecretId": "s", "VersionId": one["VersionId"] })).await;
    assert_eq!(code(gone), "ResourceNotFoundException");
}

#[tokio::test]
async fn reads_a_parameter_by_name_arn_and_version() {
    let account = LocalAws::in_memory().expect("an account");
    let parameters = ParameterStore::add_to(&account);
    account.iam().clock().advance(Duration::from_secs(24 * 3_600));
    let arn = parameters.put("/tidegate/token", "one").expect("a parameter");
    assert_eq!(arn, "arn:aws:ssm:us-east-1:000000000000:parameter/tidegate/token");
    parameters.put("/tidegate/token", ParameterValue::Secure("two".to_owned())).expect("a version");
    let plain = parameters.put("plain", "three").expect("a parameter");
    assert_eq!(plain, "arn:aws:ssm:us-east-1:000000000000:parameter/plain");
    let get = async |input: Value| root(&account, PARAMETER, input).await;

    for id in ["/tidegate/token", arn.as_str()] {
        let (status, body) = get(json!({ "Name": id, "WithDecryption": true })).await;
        assert_eq!(status, 200, "{body}");
        let parameter = &body["Parameter"];
        assert_eq!((&parameter["Name"], &parameter["ARN"]), (&json!("/tidegate/token"), &json!(arn)));
        assert_eq!((&parameter["Type"], &parameter["Value"]), (&json!("SecureString"), &json!("two")));
        assert_eq!((&parameter["Version"], &parameter["DataType"]), (&json!(2), &json!("text")));
        assert!(parameter["LastModifiedDate"].is_f64() && parameter["Selector"].is_null(), "{body}");
        let (_, first) = get(json!({ "Name": format!("{id}:1") })).await;
        let first = &first["Parameter"];
        assert_eq!((&first["Type"], &first["Value"]), (&json!("String"), &json!("one")));
        assert_eq!((&first["Version"], &first["Selector"]), (&json!(1), &json!(":1")));
        for version in ["0", "3", "label"] {
            let answer = get(json!({ "Name": format!("{id}:{version}") })).await;
            assert_eq!(code(answer), "ParameterVersionNotFound", "{id}:{version}");
        }
    }
    for id in ["plain", plain.as_str()] {
        let (_, body) = get(json!({ "Name": id, "WithDecryption": true })).await;
        assert_eq!((&body["Parameter"]["Name"], &body["Parameter"]["Value"]), (&json!("plain"), &json!("three")));
    }
    for id in ["token", "/plain", "/tidegate", "arn:aws:ssm:eu-west-1:000000000000:parameter/plain"] {
        assert_eq!(code(get(json!({ "Name": id })).await), "ParameterNotFound", "{id}");
    }
}

#[tokio::test]
async fn returns_a_secure_parameter_only_with_decryption() {
    let account = LocalAws::in_memory().expect("an account");
    let parameters = ParameterStore::add_to(&account);
    parameters.put("/token", ParameterValue::Secure("s3cret".to_owned())).expect("a parameter");
    for input in [json!({ "Name": "/token" }), json!({ "Name": "/token", "WithDecryption": false })] {
        let (status, body) = root(&account, PARAMETER, input).await;
        assert_eq!(status, 200);
        assert!(!body.to_string().contains("s3cret") && body["Parameter"]["Value"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn reads_only_with_permission() {
    let account = LocalAws::in_memory().expect("an account");
    let secrets = SecretsManager::add_to(&account);
    let parameters = ParameterStore::add_to(&account);
    let secret = secrets.put("s", "x").expect("a secret");
    let parameter = parameters.put("/p", "x").expect("a parameter");
    account.iam().create_user("reader", &[]).expect("a user");
    let reader = account.iam().create_access_key("reader").expect("a key").credentials();
    let allow = |action: &str, resource: &str| {
        let document = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": action, "Resource": resource },
        ] });
        account.iam().put_user_policy("reader", "only", &document.to_string()).expect("a policy");
    };
    let questions = [
        (SECRET, json!({ "SecretId": "s" }), "secretsmanager:GetSecretValue", secret.as_str()),
        (PARAMETER, json!({ "Name": "/p" }), "ssm:GetParameter", parameter.as_str()),
    ];
    for (target, input, action, arn) in questions {
        let other = format!("{arn}x");
        for (allowed, resource) in [("s3:*", "*"), (action, "arn:aws:s3:::s"), (action, other.as_str())] {
            allow(allowed, resource);
            let answer = ask(&account, &reader, target, input.clone()).await;
            let message = answer.1["message"].as_str().expect("a message").to_owned();
            assert_eq!(code(answer), "AccessDeniedException", "{allowed} {resource}");
            let expected = format!(
                "User: arn:aws:iam::000000000000:user/reader is not authorized to perform: {action} on resource: {arn} because \
                 no identity-based policy allows the {action} action"
            );
            assert_eq!(message, expected);
        }
        allow(action, arn);
        assert_eq!(ask(&account, &reader, target, input).await.0, 200, "{action} {arn}");
    }
    // A policy is written before the suffix is known.
    allow("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-??????");
    assert_eq!(ask(&account, &reader, SECRET, json!({ "SecretId": "s" })).await.0, 200);
    // A caller without permission does not learn what exists.
    let missing = ask(&account, &reader, SECRET, json!({ "SecretId": "other" })).await;
    assert_eq!(code(missing), "AccessDeniedException");
    assert_eq!(code(ask(&account, &reader, PARAMETER, json!({ "Name": "/other" })).await), "AccessDeniedException");
}

#[tokio::test]
async fn rejects_unknown_input() {
    let account = LocalAws::in_memory().expect("an account");
    let secrets = SecretsManager::add_to(&account);
    let _parameters = ParameterStore::add_to(&account);
    secrets.put("s", "x").expect("a secret");
    let known = root(&account, SECRET, json!({ "SecretId": "s", "Region": "x" })).await;
    assert_eq!(code(known), "SerializationException");
    assert_eq!(code(root(&account, SECRET, json!({})).await), "SerializationException");
    assert_eq!(code(root(&account, PARAMETER, json!({ "Name": 1 })).await), "SerializationException");
    let other = root(&account, "secretsmanager.PutSecretValue", json!({ "SecretId": "s" })).await;
    assert_eq!(code(other), "UnknownOperationException");
    assert_eq!(code(root(&account, "AmazonSSM.PutParameter", json!({})).await), "UnknownOperationException");
    let stranger = Credentials::new("AKIAAAAAAAAAAAAAAAAA", "secret", None, None, "test");
    let answer = ask(&account, &stranger, SECRET, json!({ "SecretId": "s" })).await;
    assert_eq!(code(answer), "UnrecognizedClientException");
    let own = account.root_credentials();
    let wrong = Credentials::new(own.access_key_id(), "secret", None, None, "test");
    assert_eq!(code(ask(&account, &wrong, SECRET, json!({ "SecretId": "s" })).await), "InvalidSignatureException");
}

#[test]
fn rejects_invalid_names_and_values() {
    let account = LocalAws::in_memory().expect("an account");
    let secrets = SecretsManager::add_to(&account);
    let parameters = ParameterStore::add_to(&account);
    for name in ["", "a b", "é", "a".repeat(513).as_str()] {
        assert!(matches!(secrets.put(name, "x"), Err(SecretsError::Name(_))), "{name}");
    }
    assert!(matches!(secrets.put("s", ""), Err(SecretsError::Value(_))));
    assert!(matches!(secrets.put("s", "x".repeat(65_537).as_str()), Err(SecretsError::Value(_))));
    for name in ["", "/", "a/b", "/a/", "//a", "a:1", "é", "a".repeat(1_012).as_str()] {
        assert!(matches!(parameters.put(name, "x"), Err(ParametersError::Name(_))), "{name}");
    }
    assert!(matches!(parameters.put("p", ""), Err(ParametersError::Value(_))));
    assert!(matches!(parameters.put("p", "x".repeat(4_097).as_str()), Err(ParametersError::Value(_))));
}
