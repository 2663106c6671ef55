//! Templates: reproducible, with the policies that `tidegate policy` prints.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate_core::config::{Config, QueueArn, Site};
use tidegate_iam::document::{DocumentKind, PolicyLimit, lint};
use tidegate_iam::policies::{Grant, GrantFormat, TrustedArn, lambda, site, state_machine, trust_people};
use tidegate_iam::stack::{AccountRegion, Publishers, Stack, StackError};

use super::{ACCOUNT, REGION, cloudformation, config, deployed, of_kind, stack, template_stack, terraform};

/// The policies that `tidegate policy` prints for the function and for every site with a role.
fn grants(config: &Config) -> Vec<Grant> {
    let sites: Vec<&Site> = config.sites.iter().collect();
    let mut grants = vec![
        lambda(&sites, ACCOUNT, REGION, &config.function),
        state_machine(&sites, ACCOUNT, REGION, &config.function),
    ];
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
        .replace("${data.aws_region.current.region}", REGION)
        .replace("${split(\":\", arn)[4]}", "");
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
    assert_eq!(documents(&printed).len(), 6);
    pretty_assertions::assert_eq!(documents(&template), documents(&printed));
}

#[test]
fn a_known_account_gives_the_roles_of_the_template() {
    let config = config();
    let known = stack(&config, &AccountRegion::known(ACCOUNT, REGION));
    let template = deployed(&cloudformation(&template_stack(&config)));
    for (_, role) in of_kind(&template, "AWS::IAM::Role") {
        let machine = known.state_machine.as_ref().map(|machine| &machine.role);
        let mut roles = std::iter::once(&known.execution_role).chain(machine).chain(&known.publishers);
        let expected = roles.find(|known| role["RoleName"] == known.name).unwrap();
        assert_eq!(role["AssumeRolePolicyDocument"], json!(expected.trust));
        assert_eq!(role["Policies"].as_array().unwrap().len(), expected.policies.len());
    }
}

#[test]
fn publisher_roles_trust_only_the_execution_role_and_can_be_shared() {
    let template = deployed(&cloudformation(&template_stack(&config())));
    let roles = of_kind(&template, "AWS::IAM::Role");
    assert_eq!(roles.len(), 5, "two of the function, one that two sites share, and two others");
    for (name, role) in roles {
        let trust = &role["AssumeRolePolicyDocument"];
        assert_eq!(lint(&trust.to_string(), DocumentKind::Trust, PolicyLimit::Trust), [], "{name}");
        assert_eq!(role["Tags"], json!([{ "Key": "tidegate", "Value": "publisher" }]));
        let statement = trust.pointer("/Statement/0").unwrap();
        if name == "ExecutionRole" {
            assert_eq!(statement["Principal"]["Service"], "lambda.amazonaws.com");
            continue;
        }
        if name == "StateMachineRole" {
            assert_eq!(statement["Principal"]["Service"], "states.amazonaws.com");
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
    assert_eq!(alarms.len(), 6);
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
    assert_eq!(of_kind(&cloudformation(&excluded), "AWS::IAM::Role").len(), 2);
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
    assert_eq!(of_kind(&template, "AWS::IAM::Role").len(), 6);
    assert_eq!(of_kind(&template, "AWS::Events::Rule").len(), 4);
    assert_eq!(of_kind(&template, "AWS::Lambda::Permission").len(), 4);
    let text = terraform(&stack);
    let heads: Vec<&str> =
        text.lines().filter(|line| line.starts_with("resource ") || line.starts_with("data ")).collect();
    let unique: BTreeSet<&str> = heads.iter().copied().collect();
    assert_eq!(heads.len(), unique.len(), "{heads:?}");
}

/// A template with these values of its parameters, as CloudFormation deploys it: statements with conditions, and references
/// to the parameters.
fn with_parameters(value: &Value, set: &[(&str, &[&str])]) -> Value {
    let list = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, arns)| json!(arns));
    match value {
        Value::Object(members) => {
            if let Some(name) = value.pointer("/Fn::If/0").and_then(Value::as_str) {
                let is_set = list(name.trim_start_matches("Has")).is_some();
                return with_parameters(&value["Fn::If"][if is_set { 1 } else { 2 }], set);
            }
            if let Some(arns) = value["Ref"].as_str().and_then(list) {
                return arns;
            }
            Value::Object(members.iter().map(|(name, value)| (name.clone(), with_parameters(value, set))).collect())
        }
        Value::Array(values) => {
            let values = values.iter().map(|value| with_parameters(value, set));
            Value::Array(values.filter(|value| value["Ref"] != "AWS::NoValue").collect())
        }
        other => other.clone(),
    }
}

/// A value with each list of one item as the item: IAM takes them for the same.
fn with_single_items(value: &Value) -> Value {
    match value {
        Value::Array(values) if values.len() == 1 => with_single_items(&values[0]),
        Value::Array(values) => values.iter().map(with_single_items).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), with_single_items(value))).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn parameters_let_people_and_accounts_assume_the_publisher_roles() {
    let stack = template_stack(&config());
    let template = cloudformation(&stack);
    let (person, robot) = ("arn:aws:iam::123456789012:role/people/editor", "arn:aws:iam::123456789012:user/robot");
    let (guest, home) = ("arn:aws:iam::210987654321:role/guest", "arn:aws:iam::210987654321:root");
    let own = "arn:aws:iam::123456789012:root";
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a [&'a str])]);
    let cases: [Case<'_>; 4] = [
        (&[], &[]),
        (&[person, robot], &[("TrustedPrincipals", &[person, robot])]),
        (&[person, guest], &[("TrustedPrincipals", &[person, guest]), ("TrustedPrincipalAccounts", &[own, home])]),
        (&[person, home], &[("TrustedPrincipals", &[person]), ("TrustedAccounts", &[home])]),
    ];
    for (people, parameters) in cases {
        let people: Vec<TrustedArn> = people.iter().map(|arn| arn.parse().unwrap()).collect();
        let expected = trust_people(&people).document.value().unwrap();
        let set = with_parameters(&template, parameters);
        let roles = of_kind(&set, "AWS::IAM::Role");
        assert_eq!(roles.len(), 5);
        for (name, role) in roles {
            let statements = role["AssumeRolePolicyDocument"]["Statement"].as_array().unwrap();
            let more = deployed(&Value::Array(statements[1..].to_vec()));
            let is_publisher = name.starts_with("Publisher");
            let people = if is_publisher { expected["Statement"].clone() } else { json!([]) };
            pretty_assertions::assert_eq!(with_single_items(&more), with_single_items(&people), "{name}");
        }
    }
    for name in ["TrustedPrincipals", "TrustedPrincipalAccounts", "TrustedAccounts"] {
        assert_eq!(template["Parameters"][name]["Default"], "");
    }
    let terraform = terraform(&stack);
    for variable in ["trusted_principals", "trusted_accounts"] {
        assert!(terraform.contains(&format!("variable \"{variable}\"")), "{terraform}");
    }
    assert_eq!(terraform.matches("dynamic \"statement\" {").count(), 6);
    // Without publisher roles, there is nothing to trust.
    let excluded = Stack::new(&config(), &AccountRegion::at_deployment(None), Publishers::Excluded).unwrap();
    assert!(!cloudformation(&excluded).to_string().contains("Trusted"));
    assert!(!super::terraform(&excluded).contains("trusted_"));
}

#[test]
fn outputs_name_what_others_need() {
    let stack = template_stack(&config());
    let outputs = cloudformation(&stack)["Outputs"].clone();
    let names: Vec<&String> = outputs.as_object().unwrap().keys().collect();
    let expected = [
        "DashboardUrl",
        "DeadLetterQueueUrl",
        "ExecutionRoleArn",
        "FunctionArn",
        "FunctionUrl",
        "LogGroupName",
        "PublisherTidegateBlogArn",
        "PublisherTidegateDocsArn",
        "PublisherTidegateHookedArn",
        "StateLocation",
        "StateMachineArn",
    ];
    assert_eq!(names, expected);
    assert_eq!(outputs["StateLocation"]["Value"], "s3://acme-artifacts/tidegate/");
    let url = "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/publisher";
    assert_eq!(deployed(&outputs["DashboardUrl"]["Value"]), url);
    let terraform = terraform(&stack);
    for name in [
        "function_url",
        "execution_role_arn",
        "state_machine_arn",
        "publisher_role_arns",
        "dashboard_url",
        "state_location",
    ] {
        assert!(terraform.contains(&format!("output \"{name}\" {{")), "{name}");
    }
}

/// The dashboard of a stack.
fn dashboard(stack: &Stack) -> Value {
    let template = deployed(&cloudformation(stack));
    let dashboards = of_kind(&template, "AWS::CloudWatch::Dashboard");
    let [(_, dashboard)] = dashboards.as_slice() else { panic!("{dashboards:?}") };
    assert_eq!(dashboard["DashboardName"], stack.function.name.as_str());
    serde_json::from_str(dashboard["DashboardBody"].as_str().unwrap()).unwrap()
}

#[test]
fn the_dashboard_has_every_site_and_does_not_overlap() {
    let stack = template_stack(&config());
    let body = dashboard(&stack);
    let widgets = body["widgets"].as_array().unwrap();
    let area = |widget: &Value| {
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| widget[name].as_u64().unwrap());
        assert!(x + width <= 24, "{widget}");
        (x..x + width).flat_map(move |x| (y..y + height).map(move |y| (x, y)))
    };
    let mut taken = BTreeSet::new();
    for place in widgets.iter().flat_map(area) {
        assert!(taken.insert(place), "two widgets at {place:?}");
    }
    for site in &stack.sites {
        let line = |metric: &Value| metric[0] == "Tidegate" && metric[3] == site.as_str();
        let graphs = widgets.iter().filter(|widget| {
            widget.pointer("/properties/metrics").and_then(Value::as_array).is_some_and(|all| all.iter().any(line))
        });
        assert_eq!(graphs.count(), 7, "{site}");
    }
    let alarms = widgets[0].pointer("/properties/alarms").and_then(Value::as_array).unwrap();
    assert_eq!(alarms[0], "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:publisher-errors");
    assert_eq!(alarms.len(), stack.alarms.len());
    assert!(terraform(&stack).contains("resource \"aws_cloudwatch_dashboard\" \"dashboard\" {"));
}

/// Every metric of the dashboard in the namespace of the function is one that the documentation of the log lists.
#[test]
fn the_dashboard_shows_documented_metrics() {
    let page = include_str!("../../../../docs/monitoring.md");
    let body = dashboard(&template_stack(&config()));
    let metrics = body["widgets"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|widget| widget.pointer("/properties/metrics").and_then(Value::as_array));
    let names: BTreeSet<String> = metrics
        .flatten()
        .filter(|metric| metric[0] == "Tidegate")
        .map(|metric| metric[1].as_str().unwrap().to_owned())
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn templates_have_the_boundary_and_the_existing_execution_role() {
    let (boundary, role) = ("arn:aws:iam::123456789012:policy/apps", "arn:aws:iam::123456789012:role/lambda-publisher");
    let settings = format!("memory = 512\npermissions-boundary = \"{boundary}\"\nrole = \"{role}\"");
    let config = Config::parse(&super::CONFIGURATION.replace("memory = 512", &settings)).unwrap();
    let stack = template_stack(&config);
    let template = deployed(&cloudformation(&stack));
    let roles = of_kind(&template, "AWS::IAM::Role");
    assert_eq!(roles.len(), 4, "the publisher roles, and that of the state machine");
    assert!(roles.iter().all(|(_, one)| one["PermissionsBoundary"] == boundary));
    assert_eq!(of_kind(&template, "AWS::Lambda::Function")[0].1["Role"], role);
    assert!(template["Resources"]["ExecutionRole"].is_null(), "{template}");
    let text = terraform(&stack);
    assert_eq!(text.matches("permissions_boundary").count(), 4);
    assert!(text.contains(role) && !text.contains("aws_iam_role.execution"), "{text}");
}
