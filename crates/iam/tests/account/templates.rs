//! Templates: the same bytes each time, the same policies as `tidegate policy` prints, and each resource as it should be.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate_core::config::{Config, Site};
use tidegate_iam::document::{LintedAs, PolicyLimit, lint};
use tidegate_iam::policies::{Grant, GrantFormat, lambda, site};
use tidegate_iam::stack::{AccountRegion, Publishers, Stack, StackError};

use super::{ACCOUNT, REGION, cloudformation, config, deployed, installed, of_kind, open, terraform};

/// What `tidegate policy` prints for the function and for every site with a role.
fn grants(config: &Config) -> Vec<Grant> {
    let sites: Vec<&Site> = config.sites.iter().collect();
    let mut grants = vec![lambda(&sites, ACCOUNT, REGION, config.function.name.as_str())];
    grants.extend(config.sites.iter().filter(|one| one.role.is_some()).map(|one| site(one, ACCOUNT, &[])));
    grants
}

#[test]
fn the_same_configuration_gives_the_same_bytes() {
    let (one, two) = (open(&config()), open(&config()));
    assert_eq!(terraform(&one), terraform(&two));
    assert_eq!(cloudformation(&one).to_string(), cloudformation(&two).to_string());
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&two).unwrap(), "the value can be printed");
}

#[test]
fn every_policy_in_cloudformation_is_the_one_that_is_printed() {
    let template = deployed(&cloudformation(&open(&config())));
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
fn every_policy_in_terraform_is_the_one_that_is_printed() {
    let template = terraform(&open(&config()))
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
fn an_account_that_is_known_gives_what_a_template_gives_there() {
    let config = config();
    let known = installed(&config, &AccountRegion::known(ACCOUNT, REGION));
    let open = deployed(&cloudformation(&open(&config)));
    for (_, role) in of_kind(&open, "AWS::IAM::Role") {
        let same = std::iter::once(&known.execution_role)
            .chain(&known.publishers)
            .find(|known| role["RoleName"] == known.name);
        let same = same.unwrap();
        assert_eq!(role["AssumeRolePolicyDocument"], json!(same.trust));
        assert_eq!(role["Policies"].as_array().unwrap().len(), same.policies.len());
    }
}

#[test]
fn roles_trust_the_function_alone_and_sites_that_share_one_share_it() {
    let template = deployed(&cloudformation(&open(&config())));
    let roles = of_kind(&template, "AWS::IAM::Role");
    assert_eq!(roles.len(), 4, "the execution role, one that two sites share, and two more");
    for (name, role) in roles {
        let trust = &role["AssumeRolePolicyDocument"];
        assert_eq!(lint(&trust.to_string(), LintedAs::Trust, PolicyLimit::Trust), [], "{name}");
        assert_eq!(role["Tags"], json!([{ "Key": "tidegate-template", "Value": "publisher" }]));
        let who = trust.pointer("/Statement/0").unwrap();
        if name == "ExecutionRole" {
            assert_eq!(who["Principal"]["Service"], "lambda.amazonaws.com");
            continue;
        }
        let standing = format!("arn:aws:iam::{ACCOUNT}:role/publisher-execution");
        assert_eq!(who["Condition"]["ArnEquals"]["aws:PrincipalArn"], standing);
    }
    let docs = &template["Resources"]["PublisherTidegateDocs"]["Properties"];
    assert_eq!((&docs["Path"], &docs["RoleName"]), (&json!("/publishers/"), &json!("tidegate-docs")));
    assert_eq!(docs["Policies"].as_array().unwrap().len(), 2);
}

#[test]
fn the_function_may_do_what_it_is_made_to_do() {
    let installation = installed(&config(), &AccountRegion::known(ACCOUNT, REGION));
    let policy = installation.execution_role.policies[0].document.compact().unwrap();
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
    assert_eq!(installation.dead_letters, "publisher-dead-letters");
    assert_eq!(installation.log_group, "/aws/lambda/publisher");
}

#[test]
fn settings_are_where_each_tool_wants_them() {
    let installation = open(&config());
    let template = cloudformation(&installation);
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
    let text = terraform(&installation);
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
fn a_url_is_there_for_webhooks_and_for_nothing_else() {
    let template = cloudformation(&open(&config()));
    assert_eq!(template["Resources"]["Url"]["Properties"]["AuthType"], "NONE");
    let permissions = of_kind(&template, "AWS::Lambda::Permission");
    let open_to_all: Vec<_> =
        permissions.iter().filter(|(_, one)| one["Principal"] == "*").map(|(_, one)| (*one).clone()).collect();
    assert_eq!(open_to_all.len(), 2);
    assert_eq!(open_to_all[0]["FunctionUrlAuthType"], "NONE");
    assert_eq!(open_to_all[1]["InvokedViaFunctionUrl"], true);
    let text = terraform(&open(&config()));
    assert!(text.contains("invoked_via_function_url = true") && text.contains("function_url_auth_type = \"NONE\""));

    let mut silent = config();
    silent.sites.iter_mut().for_each(|site| site.webhooks.clear());
    let installation = open(&silent);
    let template = cloudformation(&installation).to_string();
    assert!(!template.contains("AWS::Lambda::Url") && !template.contains("\"*\",\"FunctionUrl"), "{template}");
    assert!(!terraform(&installation).contains("function_url"));
}

#[test]
fn roles_that_somebody_made_are_left_out() {
    let kept = Stack::new(&config(), &AccountRegion::open(None), Publishers::Kept).unwrap();
    assert_eq!(of_kind(&cloudformation(&kept), "AWS::IAM::Role").len(), 1);
    assert!(!terraform(&kept).contains("publisher_"));
}

#[test]
fn roles_of_other_accounts_are_told_and_not_made() {
    let text = super::CONFIGURATION.replace("123456789012:role/tidegate-blog", "210987654321:role/tidegate-blog");
    let config = Config::parse(&text).unwrap();
    let refused = Stack::new(&config, &AccountRegion::open(None), Publishers::Made).unwrap_err();
    assert!(refused.to_string().contains("123456789012, 210987654321, say with `--account`"), "{refused}");
    let home = installed(&config, &AccountRegion::open(Some(ACCOUNT)));
    let elsewhere: Vec<_> = home.elsewhere.iter().map(|(site, role)| (site.as_str(), role.account())).collect();
    assert_eq!(elsewhere, [("blog", "210987654321")]);
    assert!(home.publishers.iter().all(|role| role.name != "tidegate-blog"));
    let assumed = home.execution_role.policies[0].document.compact().unwrap();
    assert!(assumed.contains("arn:aws:iam::210987654321:role/tidegate-blog"), "it is assumed all the same");
}

#[test]
fn a_role_that_iam_would_refuse_is_refused_here() {
    let mut text = "state = \"s3://acme-artifacts/tidegate/\"\n".to_owned();
    for at in 0..80 {
        text += &format!(
            "[[site]]\nname = \"s{at}\"\nbuilds = \"s3://acme-artifacts/builds/{at}/\"\ntarget = \"s3://s-{at}/\"\n"
        );
    }
    let config = Config::parse(&text).unwrap();
    match Stack::new(&config, &AccountRegion::open(None), Publishers::Made) {
        Err(StackError::TooLong { role, length, most }) => {
            assert_eq!((role.as_str(), most), ("tidegate-execution", 10_240));
            assert!(length > most);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_that_meet_in_a_template_stay_apart() {
    let site = |name: &str| {
        format!(
            "[[site]]\nname = \"{name}\"\nbuilds = \"s3://acme-artifacts/{name}/\"\ntarget = \"s3://{name}-site/\"\nrole = \"arn:aws:iam::{ACCOUNT}:role/r@{name}\"\n"
        )
    };
    let names = ["a-b", "a--b", "a-b-", "9"];
    let config = Config::parse(&names.map(site).concat()).unwrap();
    let installation = open(&config);
    let template = cloudformation(&installation);
    assert_eq!(of_kind(&template, "AWS::IAM::Role").len(), 5);
    assert_eq!(of_kind(&template, "AWS::Events::Rule").len(), 4);
    assert_eq!(of_kind(&template, "AWS::Lambda::Permission").len(), 4);
    let text = terraform(&installation);
    let heads: Vec<&str> =
        text.lines().filter(|line| line.starts_with("resource ") || line.starts_with("data ")).collect();
    let apart: BTreeSet<&str> = heads.iter().copied().collect();
    assert_eq!(heads.len(), apart.len(), "{heads:?}");
}
