//! The state machine: its definition, its permissions, and configurations without one.

use serde_json::{Value, json};
use tidegate_core::config::{Config, FunctionEngine};
use tidegate_iam::document::{DocumentKind, PolicyLimit, lint};
use tidegate_iam::stack::{AccountRegion, Publishers, Stack};

use super::{ACCOUNT, REGION, cloudformation, config, deployed, of_kind, stack, template_stack, terraform};

const PHASES: [(&str, &str); 3] = [("archive", "Archive bodies"), ("assets", "Write assets"), ("pages", "Write pages")];

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:publisher";

/// A configuration with these settings of the function.
fn with_settings(settings: &str) -> Config {
    Config::parse(&super::CONFIGURATION.replace("memory = 512", settings)).unwrap()
}

/// The definition in a CloudFormation template.
fn definition(stack: &Stack) -> Value {
    let template = deployed(&cloudformation(stack));
    let machines = of_kind(&template, "AWS::StepFunctions::StateMachine");
    let [(_, machine)] = machines.as_slice() else { panic!("{machines:?}") };
    serde_json::from_str(machine["DefinitionString"].as_str().unwrap()).unwrap()
}

/// The states of a definition and of the processors of its maps, by name.
fn states(definition: &Value) -> Vec<(&str, &Value)> {
    let mut found = Vec::new();
    for (name, state) in definition["States"].as_object().unwrap() {
        found.push((name.as_str(), state));
        found.extend(state.get("ItemProcessor").into_iter().flat_map(states));
    }
    found
}

/// The states that can follow a state.
fn following(state: &Value) -> Vec<&str> {
    let lists = ["Choices", "Catch"].into_iter().filter_map(|name| state[name].as_array()).flatten();
    let next = lists.map(|rule| &rule["Next"]).chain([&state["Next"], &state["Default"]]);
    next.filter_map(Value::as_str).collect()
}

/// The state after a choice, for a state of the execution.
fn choose<'a>(choice: &'a Value, input: &Value) -> &'a str {
    let holds = |rule: &&Value| {
        let value = input.pointer(&rule["Variable"].as_str().unwrap().replace("$.", "/").replace('.', "/"));
        match rule.get("StringEquals") {
            Some(text) => value == Some(text),
            None => value.is_some() && rule["IsPresent"] == true,
        }
    };
    let rule = choice["Choices"].as_array().unwrap().iter().find(holds);
    rule.map_or(&choice["Default"], |rule| &rule["Next"]).as_str().unwrap()
}

#[test]
fn phases_are_in_order_and_those_without_shards_are_skipped() {
    let definition = definition(&template_stack(&config()));
    for with in 0..8_u8 {
        let present: Vec<_> = PHASES.iter().enumerate().filter(|(bit, _)| with & (1 << bit) != 0).collect();
        let lists: serde_json::Map<String, Value> =
            present.iter().map(|(_, (list, _))| ((*list).to_owned(), json!({ "bucket": "b", "key": "k" }))).collect();
        let input = json!({ "next": "write", "lists": lists });
        let (mut visited, mut at) = (Vec::new(), definition["StartAt"].as_str().unwrap());
        while at != "Commit, invalidate, prune" {
            let state = &definition["States"][at];
            at = if state["Type"] == "Choice" {
                choose(state, &input)
            } else {
                assert_eq!((&state["Type"], &state["ResultPath"]), (&json!("Map"), &Value::Null), "{at}");
                visited.push(at);
                state["Next"].as_str().unwrap()
            };
        }
        let maps: Vec<&str> = present.iter().map(|(_, (_, map))| *map).collect();
        assert_eq!(visited, maps);
    }
}

#[test]
fn every_next_step_has_a_state_and_every_state_is_reached() {
    let definition = definition(&template_stack(&config()));
    let start = &definition["States"][definition["StartAt"].as_str().unwrap()];
    for (next, state) in [
        ("plan", "Plan"),
        ("wait", "Wait"),
        ("write", "Any bodies to archive"),
        ("finish", "Commit, invalidate, prune"),
        ("done", "Published"),
        ("failed", "Failed"),
        ("unknown", "Failed"),
    ] {
        assert_eq!(choose(start, &json!({ "next": next })), state);
    }
    let names = definition["States"].as_object().unwrap();
    for name in names.keys().filter(|name| *name != "Next step") {
        let reached = names.iter().any(|(from, state)| from != name && following(state).contains(&name.as_str()));
        assert!(reached, "{name}");
    }
    let all = states(&definition);
    for (name, state) in &all {
        assert!(following(state).iter().all(|next| names.contains_key(*next)), "{name}: {state}");
        assert_eq!(all.iter().filter(|(other, _)| other == name).count(), 1, "Step Functions asks for unique names");
    }
    assert_eq!(definition["States"]["Wait"]["SecondsPath"], "$.seconds");
    assert_eq!(definition["TimeoutSeconds"], 86_400);
}

#[test]
fn tasks_invoke_the_function_and_are_repeated_only_after_throttling() {
    let definition = definition(&template_stack(&config()));
    let tasks: Vec<_> = states(&definition).into_iter().filter(|(_, state)| state["Type"] == "Task").collect();
    assert_eq!(tasks.len(), 6);
    for (name, task) in tasks {
        let [retry] = task["Retry"].as_array().unwrap().as_slice() else { panic!("{name}: {task}") };
        assert_eq!(retry["ErrorEquals"], json!(["Lambda.TooManyRequestsException", "Throttled"]), "{name}");
        assert_eq!(task["Resource"], "arn:aws:states:::lambda:invoke");
        assert_eq!(task["Parameters"]["FunctionName"], FUNCTION);
        let call = &task["Parameters"]["Payload"]["tidegate-task"];
        let is_shard = call["step"] == "write";
        let expected = if is_shard {
            json!({ "step": "write", "shard.$": "$.shard", "work.$": "$.work" })
        } else {
            json!({ "step": call["step"], "execution.$": "$$.Execution.Id", "state.$": "$" })
        };
        assert_eq!(*call, expected, "{name}");
        // A shard that fails ends its execution, and the map catches that.
        assert_eq!(task["Catch"].is_null(), is_shard, "{name}");
    }
    for (name, state) in states(&definition).iter().filter(|(_, state)| !state["Catch"].is_null()) {
        let caught = if *name == "Give up" { "Failed" } else { "Give up" };
        assert_eq!((&state["Catch"][0]["Next"], state["Catch"].as_array().unwrap().len()), (&json!(caught), 1));
        assert_eq!(state["Catch"][0]["ErrorEquals"], json!(["States.ALL"]), "{name}");
    }
}

#[test]
fn maps_read_their_shards_and_have_the_configured_workers() {
    let definition = definition(&template_stack(&with_settings("workers = 40")));
    for (list, map) in PHASES {
        let map = &definition["States"][map];
        assert_eq!(map["MaxConcurrency"], 40);
        assert!(map.get("ToleratedFailurePercentage").is_none() && map.get("ToleratedFailureCount").is_none());
        let parameters =
            json!({ "Bucket.$": format!("$.lists.{list}.bucket"), "Key.$": format!("$.lists.{list}.key") });
        assert_eq!(map["ItemReader"]["Parameters"], parameters);
        assert_eq!(
            map["ItemProcessor"]["ProcessorConfig"],
            json!({ "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" })
        );
    }
}

#[test]
fn both_templates_have_the_state_machine() {
    let stack = template_stack(&config());
    let template = deployed(&cloudformation(&stack));
    let machine = &template["Resources"]["StateMachine"]["Properties"];
    assert_eq!(
        (&machine["StateMachineName"], &machine["StateMachineType"]),
        (&json!("publisher-publish"), &json!("STANDARD"))
    );
    assert_eq!(machine["RoleArn"], json!({ "Fn::GetAtt": ["StateMachineRole", "Arn"] }));
    assert_eq!(machine["Tags"], json!([{ "Key": "tidegate", "Value": "publisher" }]));
    let alarms = of_kind(&template, "AWS::CloudWatch::Alarm");
    let of_machine: Vec<&Value> = alarms
        .iter()
        .filter(|(_, alarm)| alarm["Namespace"] == "AWS/States")
        .map(|(_, alarm)| &alarm["MetricName"])
        .collect();
    assert_eq!(of_machine, ["ExecutionsFailed", "ExecutionsTimedOut"]);
    let text = terraform(&stack);
    for line in [
        r#"resource "aws_sfn_state_machine" "publish" {"#,
        r#"name       = "publisher-publish""#,
        "role_arn   = aws_iam_role.state_machine.arn",
        "definition = jsonencode({",
        r#"Default = "Failed""#,
        r#""Commit, invalidate, prune" = {"#,
        "MaxConcurrency = 8",
        r#""execution.$" = "$$.Execution.Id""#,
        "dimensions          = { StateMachineArn = aws_sfn_state_machine.publish.arn }",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(text.matches("FunctionName = aws_lambda_function.tidegate.arn\n").count(), 6);
}

#[test]
fn roles_allow_what_the_state_machine_does() {
    let key = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000002";
    let text = super::CONFIGURATION.replace("\n[function]", &format!("\nstate-kms-key = \"{key}\"\n[function]"));
    let stack = stack(&Config::parse(&text).unwrap(), &AccountRegion::known(ACCOUNT, REGION));
    let role = &stack.state_machine.as_ref().unwrap().role;
    assert_eq!(role.name, "publisher-state-machine");
    let trust = role.trust.compact().unwrap();
    assert_eq!(lint(&trust, DocumentKind::Trust, PolicyLimit::Trust), []);
    let trust: Value = serde_json::from_str(&trust).unwrap();
    let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:publisher-publish";
    let conditions = json!({
        "StringEquals": { "aws:SourceAccount": ACCOUNT },
        "ArnLike": { "aws:SourceArn": [machine, format!("{machine}/*")] },
    });
    assert_eq!(trust["Statement"][0]["Condition"], conditions);
    let statements = |document: &tidegate_iam::document::PolicyDocument| -> Vec<(String, Value)> {
        let document = document.value().unwrap();
        let all = document["Statement"].as_array().unwrap().clone();
        all.into_iter()
            .map(|one| (one["Sid"].as_str().unwrap_or_default().to_owned(), one["Resource"].clone()))
            .collect()
    };
    let executions = "arn:aws:states:eu-west-1:123456789012:execution:publisher-publish";
    let expected = [
        ("InvokeFunction", json!(FUNCTION)),
        ("StartMapRuns", json!(machine)),
        ("FollowMapRuns", json!([format!("{executions}:*"), format!("{executions}/*")])),
        ("ReadShardLists", json!("arn:aws:s3:::acme-artifacts/tidegate/*.shards/*.json")),
        ("UseStateKey", json!(key)),
    ];
    assert_eq!(statements(&role.policies[0].document), expected.map(|(sid, on)| (sid.to_owned(), on)));
    let function = statements(&stack.execution_role.policies[0].document);
    assert!(function.contains(&("StartExecutions".to_owned(), json!(machine))), "{function:?}");
    assert!(function.contains(&("DescribeExecutions".to_owned(), json!(format!("{executions}:*")))), "{function:?}");
}

#[test]
fn the_role_has_the_boundary_also_with_an_existing_execution_role() {
    let boundary = "arn:aws:iam::123456789012:policy/apps";
    let settings = format!("permissions-boundary = \"{boundary}\"\nrole = \"arn:aws:iam::123456789012:role/own\"");
    let stack =
        Stack::new(&with_settings(&settings), &AccountRegion::at_deployment(None), Publishers::Excluded).unwrap();
    let template = cloudformation(&stack);
    let roles = of_kind(&template, "AWS::IAM::Role");
    let [("StateMachineRole", role)] = roles.as_slice() else { panic!("{roles:?}") };
    assert_eq!(role["PermissionsBoundary"], boundary);
}

#[test]
fn the_engine_lambda_has_no_state_machine() {
    for engine in ["auto", "step-functions"] {
        let config = with_settings(&format!("engine = \"{engine}\""));
        assert_ne!(config.function.engine, FunctionEngine::Lambda);
        assert!(template_stack(&config).state_machine.is_some());
    }
    let stack = template_stack(&with_settings("engine = \"lambda\""));
    for text in [cloudformation(&stack).to_string(), terraform(&stack), serde_json::to_string(&stack).unwrap()] {
        for part in ["states:", "AWS/States", "StateMachine", "state_machine", "sfn", "publisher-publish"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }
}
