//! The permission that each operation needs, and on which resource. Source: Service Authorization Reference, "Actions,
//! resources, and condition keys for Amazon CloudFront".

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::Credentials;
use aws_sdk_cloudfront::primitives::Blob;
use pretty_assertions::assert_eq;
use tidegate_emulator::LocalAws;

use super::{ID, IDENTITY, client, config, function_config, refusal, with_distribution};

/// A user with permission for one action on one resource.
fn user(account: &LocalAws, name: &str, action: &str, resource: &str) -> Credentials {
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}]}}"#
    );
    account.iam().create_user(name, &[("p", policy.as_str())]).expect("a user");
    let key = account.iam().create_access_key(name).expect("a key");
    Credentials::new(key.id, key.secret, None, None, "test")
}

/// Calls an operation by its name; returns its status and code.
async fn call(client: &Client, operation: &str, etag: &str) -> (u16, String) {
    match operation {
        "CreateKeyValueStore" => refusal(client.create_key_value_store().name("new").send().await),
        "ListKeyValueStores" => refusal(client.list_key_value_stores().send().await),
        "DescribeKeyValueStore" => refusal(client.describe_key_value_store().name("docs").send().await),
        "UpdateKeyValueStore" => {
            refusal(client.update_key_value_store().name("docs").comment("").if_match(etag).send().await)
        }
        "DeleteKeyValueStore" => refusal(client.delete_key_value_store().name("docs").if_match(etag).send().await),
        "CreateFunction" => {
            let request = client.create_function().name("new").function_config(function_config(&[]));
            refusal(request.function_code(Blob::new(IDENTITY)).send().await)
        }
        "ListFunctions" => refusal(client.list_functions().send().await),
        "DescribeFunction" => refusal(client.describe_function().name("f").send().await),
        "GetFunction" => refusal(client.get_function().name("f").send().await),
        "UpdateFunction" => {
            let request = client.update_function().name("f").if_match(etag).function_config(function_config(&[]));
            refusal(request.function_code(Blob::new(IDENTITY)).send().await)
        }
        "PublishFunction" => refusal(client.publish_function().name("f").if_match(etag).send().await),
        "TestFunction" => {
            let request = client.test_function().name("f").if_match(etag).event_object(Blob::new("{}"));
            refusal(request.send().await)
        }
        "DeleteFunction" => refusal(client.delete_function().name("f").if_match(etag).send().await),
        "GetDistribution" => refusal(client.get_distribution().id(ID).send().await),
        "GetDistributionConfig" => refusal(client.get_distribution_config().id(ID).send().await),
        "GetResponseHeadersPolicy" => refusal(client.get_response_headers_policy().id("p").send().await),
        "DeleteResponseHeadersPolicy" => {
            refusal(client.delete_response_headers_policy().id("p").if_match(etag).send().await)
        }
        "ListResponseHeadersPolicies" => refusal(client.list_response_headers_policies().send().await),
        "GetOriginAccessControl" => refusal(client.get_origin_access_control().id("o").send().await),
        "ListOriginAccessControls" => refusal(client.list_origin_access_controls().send().await),
        "DeleteOriginAccessControl" => {
            refusal(client.delete_origin_access_control().id("o").if_match(etag).send().await)
        }
        other => (0, format!("no such operation: {other}")),
    }
}

#[tokio::test]
async fn each_operation_needs_its_own_permission_on_its_resource() {
    let (account, root) = with_distribution();
    let store = root.create_key_value_store().name("docs").send().await.expect("a store");
    let store = store.key_value_store().expect("a store").arn().to_owned();
    let request = root.create_function().name("f").function_config(function_config(&[]));
    request.function_code(Blob::new(IDENTITY)).send().await.expect("a function");
    let arn = |resource: &str| format!("arn:aws:cloudfront::000000000000:{resource}");
    let operations = [
        ("CreateKeyValueStore", "*".to_owned()),
        ("ListKeyValueStores", "*".to_owned()),
        ("DescribeKeyValueStore", store.clone()),
        ("UpdateKeyValueStore", store.clone()),
        ("DeleteKeyValueStore", store),
        ("CreateFunction", "*".to_owned()),
        ("ListFunctions", "*".to_owned()),
        ("DescribeFunction", arn("function/f")),
        ("GetFunction", arn("function/f")),
        ("UpdateFunction", arn("function/f")),
        ("PublishFunction", arn("function/f")),
        ("TestFunction", arn("function/f")),
        ("DeleteFunction", arn("function/f")),
        ("GetDistribution", arn("distribution/E2EXAMPLE")),
        ("GetDistributionConfig", arn("distribution/E2EXAMPLE")),
        ("GetResponseHeadersPolicy", arn("response-headers-policy/p")),
        ("DeleteResponseHeadersPolicy", arn("response-headers-policy/p")),
        ("ListResponseHeadersPolicies", "*".to_owned()),
        ("GetOriginAccessControl", arn("origin-access-control/o")),
        ("ListOriginAccessControls", "*".to_owned()),
        ("DeleteOriginAccessControl", arn("origin-access-control/o")),
    ];
    for (operation, resource) in &operations {
        let action = format!("cloudfront:{operation}");
        let allowed = client(&account, user(&account, &format!("{operation}-allowed"), &action, resource));
        let (status, code) = call(&allowed, operation, "E0").await;
        assert_ne!(status, 403, "{operation} with {action} on {resource}: {code}");
        for (other, own) in &operations {
            if other != operation && resource == own {
                let (status, code) = call(&allowed, other, "E0").await;
                assert_eq!((status, code.as_str()), (403, "AccessDenied"), "{other} with {action}");
            }
        }
        if resource != "*" {
            let elsewhere = format!("{resource}x");
            let denied = client(&account, user(&account, &format!("{operation}-elsewhere"), &action, &elsewhere));
            let (status, _) = call(&denied, operation, "E0").await;
            assert_eq!(status, 403, "{operation} on {elsewhere}");
        }
    }
}

#[tokio::test]
async fn only_the_permission_to_update_it_changes_a_distribution() {
    let (account, root) = with_distribution();
    let (known, version) = config(&root).await;
    let resource = "arn:aws:cloudfront::000000000000:distribution/E2EXAMPLE";
    for (action, status) in [("cloudfront:UpdateDistribution", 200), ("cloudfront:Get*", 403)] {
        let client = client(&account, user(&account, &format!("user-{status}"), action, resource));
        let update = client.update_distribution().id(ID).if_match(&version).distribution_config(known.clone());
        assert_eq!(refusal(update.send().await).0, status, "{action}");
    }
}
