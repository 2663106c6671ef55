//! `TestFunction`: the result of a stage for an event, with its logs and errors.

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{FunctionStage, TestResult};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tidegate_emulator::LocalAws;
use tidegate_emulator::function::request_event;

use super::{client, function_config, refusal, refused};

const CODE: &str = "import cf from 'cloudfront';
    async function handler(event) {
        console.log('uri', event.request.uri);
        if (event.request.uri === '/throw') throw new Error('no');
        if (event.request.uri === '/bad') return { uri: 'x' };
        if (event.request.uri === '/moved') return { statusCode: 301, headers: { location: { value: await cf.kvs().get('to') } } };
        if (event.response) { event.response.headers['x-a'] = { value: '1' }; return event.response; }
        return event.request;
    }";

async fn test(client: &Client, stage: FunctionStage, event: &Value) -> TestResult {
    let etag = client.describe_function().name("f").stage(stage.clone()).send().await.expect("a function").e_tag;
    let request = client.test_function().name("f").stage(stage).if_match(etag.expect("an ETag"));
    let output = request.event_object(Blob::new(event.to_string())).send().await.expect("a result");
    output.test_result.expect("a result")
}

fn output(result: &TestResult) -> Value {
    serde_json::from_str(result.function_output().expect("an output")).expect("JSON")
}

#[tokio::test]
async fn runs_a_stage_for_an_event() {
    let account = LocalAws::in_memory().expect("an account");
    let client = client(&account, account.root_credentials());
    let created = client.create_key_value_store().name("docs").send().await.expect("a store");
    let arn = created.key_value_store().expect("a store").arn().to_owned();
    let create = client.create_function().name("f").function_config(function_config(&[&arn]));
    let function = create.function_code(Blob::new(CODE)).send().await.expect("a function");
    let event = |path: &str| request_event("example.com", path);

    let result = test(&client, FunctionStage::Development, &event("/a?b=1")).await;
    assert_eq!(result.function_execution_logs(), ["uri /a"]);
    assert_eq!(result.function_error_message(), Some(""));
    assert_eq!(output(&result), json!({ "request": event("/a?b=1")["request"] }));
    assert!(result.compute_utilization().expect("a number").parse::<u8>().expect("a number") <= 100);
    assert_eq!(result.function_summary().expect("a summary").name(), "f");

    let failed = test(&client, FunctionStage::Development, &event("/throw")).await;
    assert_eq!(failed.function_error_message(), Some("Error: no"));
    assert_eq!(failed.function_output(), Some(""));
    let invalid = test(&client, FunctionStage::Development, &event("/bad")).await;
    assert!(invalid.function_error_message().expect("a message").contains("invalid value"));
    let missing = test(&client, FunctionStage::Development, &event("/moved")).await;
    assert_eq!(missing.function_error_message(), Some("Error: KeyNotFound"));

    let keys = aws_sdk_cloudfrontkeyvaluestore::Config::builder()
        .behavior_version(aws_sdk_cloudfrontkeyvaluestore::config::BehaviorVersion::latest())
        .region(aws_sdk_cloudfrontkeyvaluestore::config::Region::new("us-east-1"))
        .http_client(account.http_client())
        .credentials_provider(account.root_credentials())
        .build();
    let keys = aws_sdk_cloudfrontkeyvaluestore::Client::from_conf(keys);
    let etag = keys.describe_key_value_store().kvs_arn(&arn).send().await.expect("a store").e_tag;
    keys.put_key().kvs_arn(&arn).key("to").value("/new").if_match(etag).send().await.expect("written");
    let moved = test(&client, FunctionStage::Development, &event("/moved")).await;
    let expected = json!({ "response": { "statusCode": 301, "headers": { "location": { "value": "/new" } } } });
    assert_eq!(output(&moved), expected, "the compiled function reads the present keys");

    let mut response = event("/a");
    response["response"] = json!({ "statusCode": 200, "headers": {}, "cookies": {} });
    let changed = test(&client, FunctionStage::Development, &response).await;
    assert_eq!(output(&changed)["response"]["headers"]["x-a"]["value"], "1");

    let request = |stage: FunctionStage, etag: &str, event: &str| {
        client.test_function().name("f").stage(stage).if_match(etag).event_object(Blob::new(event)).send()
    };
    let etag = function.e_tag().expect("an ETag");
    let text = event("/").to_string();
    let live = request(FunctionStage::Live, etag, &text).await;
    assert_eq!(refusal(live), refused(404, "NoSuchFunctionExists"), "not published");
    assert_eq!(refusal(request(FunctionStage::Development, "E0", &text).await), refused(412, "PreconditionFailed"));
    for wrong in ["", "{", "{}", r#"{"version":"2.0","request":{}}"#] {
        assert_eq!(refusal(request(FunctionStage::Development, etag, wrong).await), refused(400, "InvalidArgument"));
    }
}

#[tokio::test]
async fn code_that_the_runtime_cannot_run_fails_when_it_runs() {
    let account = LocalAws::in_memory().expect("an account");
    let client = client(&account, account.root_credentials());
    let create = client.create_function().name("f").function_config(function_config(&[]));
    let code = "function handler(event) {\n    return event?.request;\n}";
    create.function_code(Blob::new(code)).send().await.expect("a function that is accepted");
    let result = test(&client, FunctionStage::Development, &request_event("example.com", "/")).await;
    let expected = "SyntaxError: optional chaining (`?.`) not supported in line 2";
    assert_eq!(result.function_error_message(), Some(expected));
    assert_eq!(result.function_output(), Some(""));
}
