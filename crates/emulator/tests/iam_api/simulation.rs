//! Simulation: the decisions that real requests would get, and the missing context keys.

use aws_sdk_iam::operation::simulate_principal_policy::builders::SimulatePrincipalPolicyFluentBuilder;
use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType as Decision,
};
use pretty_assertions::assert_eq;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const LEA: &str = "arn:aws:iam::000000000000:user/lea";

fn entry(key: &str, value: &str) -> ContextEntry {
    let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
    entry.context_key_type(ContextKeyTypeEnum::String).build()
}

async fn results(request: SimulatePrincipalPolicyFluentBuilder) -> Vec<EvaluationResult> {
    request.send().await.expect("a simulation").evaluation_results().to_vec()
}

/// The decisions on one action, by resource.
fn decisions(result: &EvaluationResult) -> Vec<(&str, Decision)> {
    let specific = result.resource_specific_results().iter();
    specific.map(|result| (result.eval_resource_name(), result.eval_resource_decision().clone())).collect()
}

#[tokio::test]
async fn returns_one_result_per_action_and_resource() {
    let (_account, root) = account_with_root();
    root.create_user().user_name("lea").send().await.expect("a user");
    let document = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "s3:*Object", "Resource": "arn:aws:s3:::site/*" },
        { "Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::site/private/*" },
    ] });
    let put = root.put_user_policy().user_name("lea").policy_name("p").policy_document(document.to_string());
    put.send().await.expect("a policy");
    let request = root.simulate_principal_policy().policy_source_arn(LEA);
    let resources = ["arn:aws:s3:::site/a", "arn:aws:s3:::site/private/a", "arn:aws:s3:::other/a"];
    let both = request
        .clone()
        .action_names("s3:PutObject")
        .action_names("s3:GetObject")
        .set_resource_arns(Some(resources.map(str::to_owned).to_vec()));
    let both = results(both).await;
    assert_eq!(
        both.iter().map(EvaluationResult::eval_action_name).collect::<Vec<_>>(),
        ["s3:PutObject", "s3:GetObject"]
    );
    let [a, private, other] = resources;
    let expected = [(a, Decision::Allowed), (private, Decision::ExplicitDeny), (other, Decision::ImplicitDeny)];
    assert_eq!(decisions(&both[0]), expected);
    assert_eq!(both[0].eval_decision(), &Decision::ExplicitDeny, "the strictest");
    let expected = [(a, Decision::Allowed), (private, Decision::Allowed), (other, Decision::ImplicitDeny)];
    assert_eq!(decisions(&both[1]), expected);
    assert_eq!(both[1].eval_decision(), &Decision::ImplicitDeny, "the strictest");

    // Without resources, only a statement on all resources allows the action.
    let none = results(request.clone().action_names("s3:GetObject")).await;
    assert_eq!(decisions(&none[0]), [("*", Decision::ImplicitDeny)]);
    let additional = request.clone().action_names("s3:GetObject").policy_input_list(ALLOW_ALL);
    assert_eq!(results(additional).await[0].eval_decision(), &Decision::Allowed);

    let first = request.action_names("s3:PutObject").action_names("s3:GetObject").max_items(1);
    let page = first.clone().send().await.expect("a page");
    assert_eq!((page.evaluation_results().len(), page.is_truncated()), (1, true));
    let rest = first.set_marker(page.marker().map(str::to_owned)).send().await.expect("a page");
    assert_eq!(rest.evaluation_results()[0].eval_action_name(), "s3:GetObject");
    assert!(!rest.is_truncated());
}

#[tokio::test]
async fn a_boundary_of_the_call_replaces_that_of_the_identity() {
    let (_account, root) = account_with_root();
    let read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let role = root.create_role().role_name("r").path("/ci/").assume_role_policy_document(TRUST_ACCOUNT);
    role.permissions_boundary(read_only).send().await.expect("a role");
    root.put_role_policy().role_name("r").policy_name("p").policy_document(ALLOW_ALL).send().await.expect("a policy");
    let request = root.simulate_principal_policy().policy_source_arn("arn:aws:iam::000000000000:role/ci/r");
    let request = request.action_names("s3:PutObject").resource_arns("arn:aws:s3:::site/a");
    let within = |result: &EvaluationResult| {
        result.permissions_boundary_decision_detail().map(|detail| detail.allowed_by_permissions_boundary())
    };
    let own = results(request.clone()).await;
    assert_eq!((own[0].eval_decision(), within(&own[0])), (&Decision::ImplicitDeny, Some(false)));
    let other = results(request.permissions_boundary_policy_input_list(MAY_PUT)).await;
    assert_eq!((other[0].eval_decision(), within(&other[0])), (&Decision::Allowed, Some(true)));
}

#[tokio::test]
async fn reports_missing_context_values() {
    let (_account, root) = account_with_root();
    root.create_user().user_name("lea").send().await.expect("a user");
    let document = json!({ "Version": "2012-10-17", "Statement": [
        {
            "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::site",
            "Condition": { "StringLike": { "s3:prefix": "${aws:username}/*" }, "Null": { "s3:delimiter": "true" } },
        },
        {
            "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::site/*",
            "Condition": { "StringEquals": { "s3:x-amz-acl": "private" } },
        },
    ] });
    let put = root.put_user_policy().user_name("lea").policy_name("p").policy_document(document.to_string());
    put.send().await.expect("a policy");
    let request = root.simulate_principal_policy().policy_source_arn(LEA).action_names("s3:ListBucket");
    let request = request.resource_arns("arn:aws:s3:::site");
    let none = results(request.clone()).await;
    assert_eq!(none[0].eval_decision(), &Decision::ImplicitDeny);
    assert_eq!(none[0].missing_context_values(), ["aws:username", "s3:prefix"]);
    assert_eq!(none[0].resource_specific_results()[0].missing_context_values(), ["aws:username", "s3:prefix"]);
    let some = request.context_entries(entry("S3:Prefix", "lea/docs"));
    let one = results(some.clone()).await;
    assert_eq!(one[0].missing_context_values(), ["aws:username"]);
    let all = results(some.clone().context_entries(entry("aws:username", "lea"))).await;
    assert_eq!((all[0].eval_decision(), all[0].missing_context_values().len()), (&Decision::Allowed, 0));
    let other = results(some.context_entries(entry("aws:username", "max"))).await;
    assert_eq!(other[0].eval_decision(), &Decision::ImplicitDeny);
}

fn statement() -> impl Strategy<Value = Value> {
    let action = prop::sample::select(vec!["s3:*", "s3:PutObject", "s3:Get*", "s3:List*", "s3:DeleteObject", "*"]);
    let resource = prop::sample::select(vec![
        "*",
        "arn:aws:s3:::site/*",
        "arn:aws:s3:::site/docs/*",
        "arn:aws:s3:::site",
        "arn:aws:s3:::si?e/other/*",
    ]);
    // Allow is twice as likely, so that many requests reach the later steps of the evaluation.
    let effect = prop::sample::select(vec!["Allow", "Allow", "Deny"]);
    let names = (prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let condition = prop::sample::select(vec![
        json!({}),
        json!({}),
        json!({ "StringLike": { "s3:prefix": "docs/*" } }),
        json!({ "StringNotEquals": { "s3:prefix": "docs/" } }),
        json!({ "Null": { "s3:prefix": "true" } }),
        json!({ "StringEqualsIfExists": { "s3:prefix": ["docs/", "other/"] } }),
    ]);
    (action, resource, effect, names, condition).prop_map(
        |(action, resource, effect, (no_action, no_resource), condition)| {
            let (actions, resources) =
                (if no_action { "NotAction" } else { "Action" }, if no_resource { "NotResource" } else { "Resource" });
            json!({ "Effect": effect, (actions): action, (resources): resource, "Condition": condition })
        },
    )
}

fn policy() -> impl Strategy<Value = String> {
    prop::collection::vec(statement(), 1..4)
        .prop_map(|statements| json!({ "Version": "2012-10-17", "Statement": statements }).to_string())
}

/// The decision on a real request.
fn outcome<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E, HttpResponse>>) -> Decision {
    match result {
        Ok(_) => Decision::Allowed,
        Err(error) => {
            assert_eq!(error.code(), Some("AccessDenied"), "{:?}", error.message());
            let explicit = error.message().unwrap_or_default().contains("with an explicit deny");
            if explicit { Decision::ExplicitDeny } else { Decision::ImplicitDeny }
        }
    }
}

/// Simulates and then tries the actions of a user with an own policy, a policy of its group, and a boundary.
async fn compare(own: String, of_group: String, boundary: Option<String>) -> Vec<(String, Decision, Decision)> {
    let (account, root) = account_with_root();
    account.s3().create_bucket("site").await.expect("a bucket");
    root.create_user().user_name("lea").send().await.expect("a user");
    root.create_group().group_name("g").send().await.expect("a group");
    root.add_user_to_group().group_name("g").user_name("lea").send().await.expect("in it");
    root.put_user_policy().user_name("lea").policy_name("p").policy_document(own).send().await.expect("a policy");
    root.put_group_policy().group_name("g").policy_name("p").policy_document(of_group).send().await.expect("a policy");
    if let Some(document) = boundary {
        let made = root.create_policy().policy_name("b").policy_document(document).send().await.expect("a policy");
        let arn = made.policy().and_then(|policy| policy.arn()).expect("an ARN").to_owned();
        root.put_user_permissions_boundary().user_name("lea").permissions_boundary(arn).send().await.expect("bounded");
    }
    let seed = s3(&account, account.root_credentials());
    let client = s3(&account, key_of(&root, "lea").await);
    let mut compared = Vec::new();
    for directory in ["docs", "other"] {
        let key = format!("{directory}/a");
        seed.put_object().bucket("site").key(&key).body(b"x".to_vec().into()).send().await.expect("an object");
        let prefix = format!("{directory}/");
        let outcomes = [
            ("s3:ListBucket", outcome(client.list_objects_v2().bucket("site").prefix(&prefix).send().await)),
            ("s3:GetObject", outcome(client.get_object().bucket("site").key(&key).send().await)),
            (
                "s3:PutObject",
                outcome(client.put_object().bucket("site").key(&key).body(b"y".to_vec().into()).send().await),
            ),
            ("s3:DeleteObject", outcome(client.delete_object().bucket("site").key(&key).send().await)),
        ];
        for (action, outcome) in outcomes {
            let request = root.simulate_principal_policy().policy_source_arn(LEA).action_names(action);
            let request = match action {
                "s3:ListBucket" => {
                    request.resource_arns("arn:aws:s3:::site").context_entries(entry("s3:prefix", &prefix))
                }
                _ => request.resource_arns(format!("arn:aws:s3:::site/{key}")),
            };
            let simulated = results(request).await.first().expect("a result").eval_decision().clone();
            compared.push((format!("{action} {key}"), simulated, outcome));
        }
    }
    compared
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// For any policies, the simulation predicts the decisions of the store.
    #[test]
    fn simulation_agrees_with_enforcement(
        own in policy(), of_group in policy(), boundary in prop::option::weighted(0.4, policy()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for (label, simulated, actual) in runtime.block_on(compare(own, of_group, boundary)) {
            prop_assert_eq!(simulated, actual, "{}", label);
        }
    }
}
