//! Functions: their stages, versions and limits.

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{EventType, FunctionStage};
use pretty_assertions::assert_eq;
use tidegate_emulator::LocalAws;

use super::{
    ID, IDENTITY, client, config, function_config, published, refusal, refused, with_distribution, with_functions,
};

async fn code(client: &Client, stage: FunctionStage) -> String {
    let output = client.get_function().name("f").stage(stage).send().await.expect("a function");
    assert_eq!(output.content_type(), Some("application/octet-stream"));
    String::from_utf8(output.function_code.expect("code").into_inner()).expect("text")
}

#[tokio::test]
async fn a_function_has_a_development_and_a_live_stage() {
    let account = LocalAws::in_memory().expect("an account");
    let client = client(&account, account.root_credentials());
    let create = |code: &str| {
        client.create_function().name("f").function_config(function_config(&[])).function_code(Blob::new(code)).send()
    };
    let created = create(IDENTITY).await.expect("a function");
    let first = created.e_tag().expect("an ETag").to_owned();
    let summary = created.function_summary().expect("a summary");
    assert_eq!(summary.status(), Some("UNPUBLISHED"));
    let metadata = summary.function_metadata().expect("metadata");
    assert_eq!(metadata.function_arn(), "arn:aws:cloudfront::000000000000:function/f");
    assert_eq!(metadata.stage(), Some(&FunctionStage::Development));
    assert_eq!(refusal(create(IDENTITY).await), refused(409, "FunctionAlreadyExists"));
    let describe = |stage: FunctionStage| client.describe_function().name("f").stage(stage).send();
    assert_eq!(refusal(describe(FunctionStage::Live).await), refused(404, "NoSuchFunctionExists"));

    let published = client.publish_function().name("f").if_match(&first).send().await.expect("published");
    let summary = published.function_summary().expect("a summary");
    assert_eq!(summary.status(), Some("UNASSOCIATED"));
    assert_eq!(summary.function_metadata().expect("metadata").stage(), Some(&FunctionStage::Live));

    let update = |etag: &str, code: &str| {
        let request = client.update_function().name("f").if_match(etag).function_config(function_config(&[]));
        request.function_code(Blob::new(code)).send()
    };
    assert_eq!(refusal(update("E0", "x").await), refused(412, "PreconditionFailed"));
    let updated = update(&first, "function handler() {}").await.expect("updated");
    let second = updated.e_tag().expect("the ETag of an update").to_owned();
    assert_ne!(first, second);
    assert_eq!(code(&client, FunctionStage::Development).await, "function handler() {}");
    assert_eq!(code(&client, FunctionStage::Live).await, IDENTITY, "an update does not change what is live");
    let stale = client.publish_function().name("f").if_match(&first).send().await;
    assert_eq!(refusal(stale), refused(412, "PreconditionFailed"));
    client.publish_function().name("f").if_match(&second).send().await.expect("published");
    assert_eq!(code(&client, FunctionStage::Live).await, "function handler() {}");
    let live = describe(FunctionStage::Live).await.expect("a function");
    assert_ne!(live.e_tag(), Some(second.as_str()), "each stage has an ETag of its own");

    let list = |stage: Option<FunctionStage>| client.list_functions().set_stage(stage).send();
    for (stage, count) in [(None, 2), (Some(FunctionStage::Development), 1), (Some(FunctionStage::Live), 1)] {
        let output = list(stage).await.expect("a list");
        assert_eq!(output.function_list().expect("a list").items().len(), count);
    }
}

#[tokio::test]
async fn code_has_at_most_10240_bytes() {
    let account = LocalAws::in_memory().expect("an account");
    let client = client(&account, account.root_credentials());
    let code = |size: usize| Blob::new(format!("//{}", "é".repeat((size - 2) / 2)));
    let create = |size: usize| {
        client.create_function().name("f").function_config(function_config(&[])).function_code(code(size)).send()
    };
    assert_eq!(refusal(create(10_242).await), refused(413, "FunctionSizeLimitExceeded"));
    let created = create(10_240).await.expect("the largest code");
    let update = client.update_function().name("f").if_match(created.e_tag().expect("an ETag"));
    let update = update.function_config(function_config(&[])).function_code(code(10_242)).send().await;
    assert_eq!(refusal(update), refused(413, "FunctionSizeLimitExceeded"));
}

#[tokio::test]
async fn code_that_the_runtime_cannot_run_is_accepted() {
    let account = LocalAws::in_memory().expect("an account");
    let client = client(&account, account.root_credentials());
    published(&client, "f", "this is not ((( JavaScript").await;
}

#[tokio::test]
async fn a_function_in_use_is_not_deleted() {
    let (_account, client) = with_distribution();
    let arn = published(&client, "f", IDENTITY).await;
    let etag = client.describe_function().name("f").send().await.expect("a function").e_tag.expect("an ETag");
    let (known, version) = config(&client).await;
    let associated = with_functions(known.clone(), &[(EventType::ViewerRequest, &arn)]);
    let update = client.update_distribution().id(ID).if_match(version).distribution_config(associated);
    let updated = update.send().await.expect("updated");
    let live = client.describe_function().name("f").stage(FunctionStage::Live).send().await.expect("a function");
    assert_eq!(live.function_summary().expect("a summary").status(), Some("DEPLOYED"));
    let delete = || client.delete_function().name("f").if_match(&etag).send();
    assert_eq!(refusal(delete().await), refused(409, "FunctionInUse"));
    let update = client.update_distribution().id(ID).if_match(updated.e_tag().expect("an ETag"));
    update.distribution_config(known).send().await.expect("updated");
    delete().await.expect("deleted");
    assert_eq!(refusal(delete().await), refused(404, "NoSuchFunctionExists"));
}
