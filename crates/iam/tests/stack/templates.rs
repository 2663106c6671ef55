//! Templates: reproducible, with the policies that `tidegate policy` prints.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate_core::config::{Config, QueueArn, Site};
use tidegate_iam::document::{DocumentKind, PolicyLimit, lint};
use tidegate_iam::policies::{Grant, GrantFormat, lambda, site, trust_people, with_queues};
use tidegate_iam::stack::{AccountRegion, Publishers, Stack, StackError};

use super::{ACCOUNT, REGION, cloudformation, config, deployed, of_kind, stack, template_stack, terraform};

/// The policies that `tidegate policy` prints for the function and for every site with a role.
fn grants(config: &Config) -> Vec<Grant> {
    let sites: Vec<&Site> = config.sites.iter().collect();
    let execution = lambda(&sites, ACCOUNT, REGION, config.function.name.as_str());
    let mut grants = vec![with_queues(execution, &config.function.queues)];
    grants.extend(config.sites.iter().filter(|one| one.role.is_some()).map(|one| site(one, ACCOUNT, &[])));
    grants
}

#[test]
fn templates_are_reproducible() {
    let (one, two) = (template_stack(&config()), template_stack(&config()));
    assert_eq!(terraform(&one), terraform(&two));
    assert_eq!(cloudformation(&one).to_string(), cloudformation(&two).to_string());
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&two).unwrap(), "as JSON");
}

#[test]
fn cloudformation_has_the_policies_of_the_policy_command() {
    let template = deployed(&cloudformation(&template_stack(&config())));
    let mut found: Vec<(String, Value)> = of_kind(&template, "AWS::IAM::Role")
        .iter()
        .flat_map(|(_, role)| role["Policies"].as_array().unwrap())
        .map(|policy| (policy["PolicyName"].as_str().unwrap().to_owned(), policy["PolicyDocument"].clone()))
        .collect();
    let mut printed: Vec<(String, Value)> = grants(&config())
        .into_iter()
        .map(|grant| (grant.name, serde_json::from_str(&grant.document.compact().unwrap()).unwrap()))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    printed.sort_by(|a, b| a.0.cmp(&b.0));
    pretty_assertions::assert_eq!(found, printed);
}

#[test]
fn terraform_has_the_policies_of_the_policy_command() {
    let template = terraform(&template_stack(&config()))
        .replace("${data.aws_caller_identity.current.account_id}", ACCOUNT)
        .replace("${data.aws_region.current.region}", REGION);
    assert!(!template.contains("${"), "{template}");
    let documents = |text: &str| -> BTreeSet<String> {
        let mut parts = text.split("data \"aws_iam_policy_document\" ").skip(1);
        parts
            .by_ref()
            .map(|part| part.split_once("{\n").unwrap().1.split_once("\n}\n").unwrap().0.to_owned())
            .filter(|body| !body.contains("principals {"))
            .collect()
    };
    let printed = GrantFormat::Terraform.write(&grants(&config())).unwrap();
    assert_eq!(documents(&printed).len(), 5);
    pretty_assertions::assert_eq!(documents(&template), documents(&printed));
}

#[test]
fn a_known_account_gives_the_roles_of_the_template() {
    let config = config();
    let known = stack(&config, &AccountRegion::known(ACCOUNT, REGION));
    let template = deployed(&cloudformation(&template_stack(&config)));
    for (_, role) in of_kind(&template, "AWS::IAM::Role") {
        let mut roles = std::iter::once(&known.execution_role).chain(&known.publishers);
        let expected = roles.find(|known| role["RoleName"] == known.name).unwrap();
        assert_eq!(role["AssumeRolePolicyDocument"], json!(expected.trust));
        assert_eq!(role["Policies"].as_array().unwrap().len(), expected.policies.len());
    }
}

#[test]
fn publisher_roles_trust_only_the_execution_role_and_can_be_shared() {
    let template = deployed(&cloudformation(&template_stack(&config())));
    let roles = of_kind(&template, "AWS::IAM::Role");
    assert_eq!(roles.len(), 4, "the execution role, one that two sites share, and two others");
    for (name, role) in roles {
        let trust = &role["AssumeRolePolicyDocument"];
        assert_eq!(lint(&trust.to_string(), DocumentKind::Trust, PolicyLimit::Trust), [], "{name}");
        assert_eq!(role["Tags"], json!([{ "Key": "tidegate-template", "Value": "publisher" }]));
        let statement = trust.pointer("/Statement/0").unwrap();
        if name == "ExecutionRole" {
            assert_eq!(statement["Principal"]["Service"], "lambda.amazonaws.com");
            continue;
        }
        let execution_role = format!("arn:aws:iam::{ACCOUNT}:role/publisher-execution");
        assert_eq!(statement["Condition"]["ArnEquals"]["aws:PrincipalArn"], execution_role);
    }
    let docs = &template["Resources"]["PublisherTidegateDocs"]["Properties"];
    assert_eq!((&docs["Path"], &docs["RoleName"]), (&json!("/publishers/"), &json!("tidegate-docs")));
    assert_eq!(docs["Policies"].as_array().unwrap().len(), 2);
}

#[test]
fn execution_role_names_the_resources_of_the_function() {
    let stack = stack(&config(), &AccountRegion::known(ACCOUNT, REGION));
    let policy = stack.execution_role.policies[0].document.compact().unwrap();
    for needed in [
        "arn:aws:sqs:eu-west-1:123456789012:publisher-dead-letters",
        "arn:aws:lambda:eu-west-1:123456789012:function:publisher",
        "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/publisher:*",
        "secret:repo/github.com/acme/hooked-??????",
        "parameter/tidegate/hooked",
        "arn:aws:iam::123456789012:role/publishers/tidegate-docs",
    ] {
        assert!(policy.contains(needed), "{needed}: {policy}");
    }
    assert_eq!(stack.dead_letters, "publisher-dead-letters");
    assert_eq!(stack.log_group, "/aws/lambda/publisher");
}

#[test]
fn settings_are_in_both_templates() {
    let stack = template_stack(&config());
    let template = cloudformation(&stack);
    let function = &template["Resources"]["Function"]["Properties"];
    assert_eq!(function["Runtime"], "provided.al2023");
    assert_eq!(function["Handler"], "bootstrap");
    assert_eq!(function["Architectures"], json!(["arm64"]));
    assert_eq!((&function["MemorySize"], &function["Timeout"]), (&json!(512), &json!(900)));
    assert_eq!(template["Resources"]["Retries"]["Properties"]["MaximumRetryAttempts"], 2);
    assert_eq!(template["Resources"]["Log"]["Properties"]["RetentionInDays"], 30);
    let alarms = of_kind(&template, "AWS::CloudWatch::Alarm");
    assert_eq!(alarms.len(), 4);
    assert!(alarms.iter().all(|(_, alarm)| alarm["AlarmActions"][0].as_str().unwrap().ends_with(":on-call")));
    let text = terraform(&stack);
    for line in [
        r#"architectures    = ["arm64"]"#,
        "memory_size      = 512",
        r#"default     = "tidegate-lambda-aarch64.zip""#,
        "source_code_hash = filebase64sha256(var.zip)",
        "maximum_event_age_in_seconds = 21600",
        "retention_in_days = 30",
    ] {
        assert!(text.contains(line), "{line}");
    }
}

#[test]
fn queues_and_recursion_are_in_both_templates() {
    let mut config = config();
    let queue = "arn:aws:sqs:eu-west-1:123456789012:builds.fifo";
    config.function.queues = vec![QueueArn::try_from(queue.to_owned()).unwrap()];
    let stack = template_stack(&config);
    let template = cloudformation(&stack);
    assert_eq!(template["Resources"]["Function"]["Properties"]["RecursiveLoop"], "Allow");
    let mappings = of_kind(&template, "AWS::Lambda::EventSourceMapping");
    let [(_, mapping)] = mappings.as_slice() else { panic!("{mappings:?}") };
    assert_eq!(mapping["EventSourceArn"], queue);
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    let text = terraform(&stack);
    for line in [
        r#"resource "aws_lambda_function_recursion_config" "recursion" {"#,
        r#"recursive_loop = "Allow""#,
        "# The visibility timeout of the queue must be 5400 seconds or more",
        r#"event_source_arn        = "arn:aws:sqs:eu-west-1:123456789012:builds.fifo""#,
        r#"function_response_types = ["ReportBatchItemFailures"]"#,
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // The same statement as `tidegate policy lambda` prints.
    let known = super::stack(&config, &AccountRegion::known(ACCOUNT, REGION));
    let role = known.execution_role.policies[0].document.compact().unwrap();
    assert_eq!(role, grants(&config)[0].document.compact().unwrap());
    let actions = r#"["sqs:ReceiveMessage","sqs:DeleteMessage","sqs:GetQueueAttributes"]"#;
    let document: Value = serde_json::from_str(&role).unwrap();
    let statement =
        document["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == "ReceiveMessages").unwrap();
    assert_eq!(statement["Action"], serde_json::from_str::<Value>(actions).unwrap());
    assert!(statement["Resource"] == queue || statement["Resource"] == json!([queue]), "{statement}");
    assert!(!terraform(&template_stack(&super::config())).contains("aws_lambda_event_source_mapping"));
}

#[test]
fn the_function_has_a_url_only_for_webhooks() {
    let template = cloudformation(&template_stack(&config()));
    assert_eq!(template["Resources"]["Url"]["Properties"]["AuthType"], "NONE");
    let permissions = of_kind(&template, "AWS::Lambda::Permission");
    let public: Vec<_> =
        permissions.iter().filter(|(_, one)| one["Principal"] == "*").map(|(_, one)| (*one).clone()).collect();
    assert_eq!(public.len(), 2);
    assert_eq!(public[0]["FunctionUrlAuthType"], "NONE");
    assert_eq!(public[1]["InvokedViaFunctionUrl"], true);
    let text = terraform(&template_stack(&config()));
    assert!(text.contains("invoked_via_function_url = true") && text.contains("function_url_auth_type = \"NONE\""));

    let mut without_webhooks = config();
    without_webhooks.sites.iter_mut().for_each(|site| site.webhooks.clear());
    let stack = template_stack(&without_webhooks);
    let template = cloudformation(&stack).to_string();
    assert!(!template.contains("AWS::Lambda::Url") && !template.contains("\"*\",\"FunctionUrl"), "{template}");
    assert!(!terraform(&stack).contains("function_url"));
}

#[test]
fn publisher_roles_can_be_excluded() {
    let excluded = Stack::new(&config(), &AccountRegion::at_deployment(None), Publishers::Excluded).unwrap();
    assert_eq!(of_kind(&cloudformation(&excluded), "AWS::IAM::Role").len(), 1);
    assert!(!terraform(&excluded).contains("publisher_"));
}

#[test]
fn roles_of_other_accounts_are_reported_and_not_created() {
    let text = super::CONFIGURATION.replace("123456789012:role/tidegate-blog", "210987654321:role/tidegate-blog");
    let config = Config::parse(&text).unwrap();
    let refused = Stack::new(&config, &AccountRegion::at_deployment(None), Publishers::Included).unwrap_err();
    assert!(
        refused.to_string().contains("(123456789012, 210987654321): name the function's account with `--account`"),
        "{refused}"
    );
    let stack = stack(&config, &AccountRegion::at_deployment(Some(ACCOUNT)));
    let foreign = stack.foreign_roles.iter().map(|foreign| (foreign.site.as_str(), foreign.role.account()));
    assert_eq!(foreign.collect::<Vec<_>>(), [("blog", "210987654321")]);
    assert!(stack.publishers.iter().all(|role| role.name != "tidegate-blog"));
    let assumed = stack.execution_role.policies[0].document.compact().unwrap();
    assert!(assumed.contains("arn:aws:iam::210987654321:role/tidegate-blog"), "the function assumes it");
}

#[test]
fn a_role_with_too_long_policies_is_refused() {
    let mut text = "state = \"s3://acme-artifacts/tidegate/\"\n".to_owned();
    for at in 0..80 {
        text += &format!(
            "[[site]]\nname = \"s{at}\"\nbuilds = \"s3://acme-artifacts/builds/{at}/\"\ntarget = \"s3://s-{at}/\"\n"
        );
    }
    let config = Config::parse(&text).unwrap();
    match Stack::new(&config, &AccountRegion::at_deployment(None), Publishers::Included) {
        Err(StackError::TooLong { role, length, most }) => {
            assert_eq!((role.as_str(), most), ("tidegate-execution", 10_240));
            assert!(length > most);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_in_templates_are_unique() {
    let site = |name: &str| {
        format!(
            "[[site]]\nname = \"{name}\"\nbuilds = \"s3://acme-artifacts/{name}/\"\ntarget = \"s3://{name}-site/\"\nrole = \"arn:aws:iam::{ACCOUNT}:role/r@{name}\"\n"
        )
    };
    let names = ["a-b", "a--b", "a-b-", "9"];
    let config = Config::parse(&names.map(site).concat()).unwrap();
    let stack = template_stack(&config);
    let template = cloudformation(&stack);
    assert_eq!(of_kind(&template, "AWS::IAM::Role").len(), 5);
    assert_eq!(of_kind(&template, "AWS::Events::Rule").len(), 4);
    assert_eq!(of_kind(&template, "AWS::Lambda::Permission").len(), 4);
    let text = terraform(&stack);
    let heads: Vec<&str> =
        text.lines().filter(|line| line.starts_with("resource ") || line.starts_with("data ")).collect();
    let unique: BTreeSet<&str> = heads.iter().copied().collect();
    assert_eq!(heads.len(), unique.len(), "{heads:?}");
}

#[test]
fn a_parameter_lets_people_assume_the_publisher_roles() {
    let stack = template_stack(&config());
    let template = cloudformation(&stack);
    assert_eq!(template["Parameters"]["TrustedPrincipals"]["Default"], "");
    let person = "arn:aws:iam::123456789012:role/people/editor";
    let expected = trust_people(&[person.parse().unwrap()]).document.value().unwrap();
    let mut count = 0;
    for (name, role) in of_kind(&template, "AWS::IAM::Role") {
        let statements = role["AssumeRolePolicyDocument"]["Statement"].as_array().unwrap();
        let conditional: Vec<&Value> = statements.iter().filter(|one| super::is_for_people(one)).collect();
        if name == "ExecutionRole" {
            assert_eq!(conditional.len(), 0, "people do not assume the execution role");
            continue;
        }
        let text = conditional[0]["Fn::If"][1].to_string();
        let set: Value =
            serde_json::from_str(&text.replace(r#"{"Ref":"TrustedPrincipals"}"#, &format!("\"{person}\""))).unwrap();
        assert_eq!(deployed(&set), expected["Statement"][0], "{name}");
        count += 1;
    }
    assert_eq!(count, 3);
    let terraform = terraform(&stack);
    assert!(terraform.contains("variable \"trusted_principals\""), "{terraform}");
    assert_eq!(terraform.matches("dynamic \"statement\" {").count(), 3);
    // Without publisher roles, there is nothing to trust.
    let excluded = Stack::new(&config(), &AccountRegion::at_deployment(None), Publishers::Excluded).unwrap();
    assert!(!cloudformation(&excluded).to_string().contains("TrustedPrincipals"));
    assert!(!super::terraform(&excluded).contains("trusted_principals"));
}

#[test]
fn templates_have_the_boundary_and_the_existing_execution_role() {
    let (boundary, role) = ("arn:aws:iam::123456789012:policy/apps", "arn:aws:iam::123456789012:role/lambda-publisher");
    let settings = format!("memory = 512\npermissions-boundary = \"{boundary}\"\nrole = \"{role}\"");
    let config = Config::parse(&super::CONFIGURATION.replace("memory = 512", &settings)).unwrap();
    let stack = template_stack(&config);
    let template = deployed(&cloudformation(&stack));
    let roles = of_kind(&template, "AWS::IAM::Role");
    assert_eq!(roles.len(), 3, "the publisher roles");
    assert!(roles.iter().all(|(_, one)| one["PermissionsBoundary"] == boundary));
    assert_eq!(of_kind(&template, "AWS::Lambda::Function")[0].1["Role"], role);
    assert!(template["Resources"]["ExecutionRole"].is_null(), "{template}");
    let text = terraform(&stack);
    assert_eq!(text.matches("permissions_boundary").count(), 3);
    assert!(text.contains(role) && !text.contains("aws_iam_role.execution"), "{text}");
}
