//! `tidegate install` and `tidegate uninstall` against ministack and moto, whose state the AWS SDK for Python reads.
//!
//! ministack creates, updates, rolls back and deletes stacks as CloudFormation documents it, with events and change sets; it
//! knows every type of resource of the template but `RecursiveLoop`. moto has change sets without details, no rollback, no outputs
//! after a change set, and no function URLs, alarms or retries in stacks. Both check the form of requests, and no permissions.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::{Capability, ChangeSetType};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, FunctionUrlAuthType, Runtime};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_iam::stack::DESCRIPTION;
use tidegate_tests::deployed::small_package;
use tidegate_tests::skipped::skipped;

use crate::server::Server;

const CONFIGURATION: &str = r#"
state = "s3://acme-artifacts/tidegate/"

[function]
name = "publisher"

[[site]]
name = "docs"
builds = "s3://acme-artifacts/builds/docs/"
target = "s3://docs.acme.com/"
role = "arn:aws:iam::ACCOUNT:role/publishers/tidegate-docs"
publish-on-upload = true

[[site.webhook]]
provider = "github"
repository = "acme/docs"
branch = "main"
secrets = ["secretsmanager:repo/github.com/acme/docs"]

[[site]]
name = "blog"
staged = "s3://acme-other/staged/blog/"
target = "s3://blog.acme.com/"
role = "arn:aws:iam::ACCOUNT:role/tidegate-blog"
"#;

const INSTALL: [&str; 4] = ["install", "--zip", "package.zip", "--yes"];

/// The account of a server.
const MINISTACK: &str = "000000000000";
const MOTO: &str = "123456789012";

struct Account {
    server: Server,
    id: &'static str,
    directory: TempDir,
}

impl Account {
    /// An account with resources that are not of the configuration; `None` where the server is not installed.
    fn open(server: &str, id: &'static str, test: &str) -> Option<Self> {
        match Server::start(server, |port| vec![port.to_string()]) {
            Ok(server) => {
                let account = Self { server, id, directory: TempDir::new().unwrap() };
                account.configure(CONFIGURATION);
                account.state(&["others"]);
                Some(account)
            }
            Err(reason) => {
                skipped(test, &reason);
                None
            }
        }
    }

    fn ministack(test: &str) -> Option<Self> {
        Self::open("ministack", MINISTACK, test)
    }

    /// Writes a configuration and its package.
    fn configure(&self, text: &str) {
        let text = text.replace("ACCOUNT", self.id);
        std::fs::write(self.directory.path().join("tidegate.toml"), &text).unwrap();
        std::fs::write(self.directory.path().join("package.zip"), small_package(&text)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.server.command(self.directory.path(), "test");
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The output of a successful command.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{text}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// The report of a successful command.
    fn report(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[&["--json"], arguments].concat())).unwrap()
    }

    /// The error of a command.
    fn error(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stdout)
        );
        text
    }

    /// The resources of the account. With `others`, creates resources that do not belong to the function first.
    fn state(&self, others: &[&str]) -> Value {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/moto/bin/python");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("real_servers/account.py");
        let output = Command::new(python).arg(script).arg(self.server.endpoint()).args(others).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn client(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.server.configuration("test", "test"))
    }
}

/// What the resources of a report are changed to, by logical id.
fn actions(report: &Value) -> BTreeSet<(String, String)> {
    let changes = report["changes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changes.map(|change| (text(&change["resource"]), text(&change["action"]))).collect()
}

/// The configuration without its webhook.
fn without_webhook() -> String {
    let start = CONFIGURATION.find("\n[[site.webhook]]").unwrap();
    let end = CONFIGURATION.find("\n[[site]]\nname = \"blog\"").unwrap();
    let mut configuration = CONFIGURATION.to_owned();
    configuration.replace_range(start..end, "");
    configuration
}

/// A state without what a user keeps after `uninstall`: packages, and buckets that send events.
fn without_kept(mut state: Value) -> Value {
    for configuration in state.get_mut("notifications").and_then(Value::as_object_mut).unwrap().values_mut() {
        configuration.as_object_mut().unwrap().remove("EventBridgeConfiguration");
    }
    for keys in state.get_mut("objects").and_then(Value::as_object_mut).unwrap().values_mut() {
        keys.as_array_mut().unwrap().retain(|key| !key.as_str().unwrap().contains("/_lambda/"));
    }
    state
}

#[test]
fn installs_updates_and_uninstalls_in_ministack() {
    let Some(account) = Account::ministack("installs_updates_and_uninstalls_in_ministack") else { return };
    let before = account.state(&[]);

    // Neither a dry run nor a refusal leaves anything behind: no change set, no stack, no package.
    let shown = account.report(&["install", "--zip", "package.zip", "--dry-run"]);
    assert_eq!(account.state(&[]), before, "a dry run changes nothing");
    let without_yes = account.error(2, &["install", "--zip", "package.zip"]);
    assert!(without_yes.contains("`--yes`"), "{without_yes}");
    assert_eq!(account.state(&[]), before, "without a terminal, `--yes` is needed");
    let text = account.text(&["install", "--zip", "package.zip", "--dry-run"]);
    for line in [
        "the stack `publisher` in the account 000000000000, us-east-1, which is new:",
        "  add Function (AWS::Lambda::Function)",
        "  trust policy of the role `tidegate-blog`:",
        "    + {\"Action\":\"s3:ListBucket\",\"Effect\":\"Allow\",\"Resource\":\"arn:aws:s3:::blog.acme.com\",\"Sid\":\"ListSite\"}",
        "  send the events of the bucket `acme-other` to EventBridge",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }

    // The installation makes the changes of the dry run.
    let installed = account.report(&INSTALL);
    for part in ["changes", "policies", "buckets"] {
        assert_eq!(installed[part], shown[part]);
    }
    assert!(installed["outputs"]["FunctionUrl"].as_str().unwrap().starts_with("https://"), "{installed}");
    assert_eq!(installed["outputs"]["StateLocation"], "s3://acme-artifacts/tidegate/");
    let created = account.state(&[]);
    assert_eq!(created["stacks"], json!({ "publisher": "CREATE_COMPLETE" }));
    assert_eq!(created["change-sets"], json!([]));
    let function = &created["functions"]["publisher"];
    assert_eq!(function["configuration"]["Runtime"], "provided.al2023");
    assert_eq!(function["url"]["AuthType"], "NONE");
    let failure = function["retries"].pointer("/DestinationConfig/OnFailure/Destination").unwrap();
    assert_eq!(failure, "arn:aws:sqs:us-east-1:000000000000:publisher-dead-letters");
    assert_eq!(created["logs"]["/aws/lambda/publisher"], 30);
    assert_eq!(created["queues"]["publisher-dead-letters"]["attributes"]["MessageRetentionPeriod"], "1209600");
    let alarms = ["dead-letters", "dropped", "errors", "executions-failed", "executions-timed-out", "throttles"];
    assert_eq!(created["alarms"], json!(alarms.map(|alarm| format!("publisher-{alarm}"))));
    let machine = &created["state-machines"]["publisher-publish"];
    assert_eq!(machine["type"], "STANDARD");
    assert_eq!(machine["role"], "arn:aws:iam::000000000000:role/publisher-state-machine");
    assert_eq!(machine["tags"][0], json!({ "key": "tidegate", "value": "publisher" }));
    let function = machine.pointer("/definition/States/Plan/Parameters/FunctionName").unwrap();
    assert_eq!(function, "arn:aws:lambda:us-east-1:000000000000:function:publisher");
    let machine = "arn:aws:states:us-east-1:000000000000:stateMachine:publisher-publish";
    assert_eq!(installed["outputs"]["StateMachineArn"], machine);
    assert_eq!(created["dashboards"], json!(["publisher"]));
    assert_eq!(created["rules"], json!(["publisher-blog-staged", "publisher-docs-builds"]));
    assert_eq!(created["roles"]["theirs"], before["roles"]["theirs"]);
    assert_eq!(created["roles"]["tidegate-docs"]["role"]["Path"], "/publishers/");
    // The buckets send their events, and have the notifications of others.
    for bucket in ["acme-artifacts", "acme-other"] {
        let notifications = &created["notifications"][bucket];
        assert_eq!(notifications["EventBridgeConfiguration"], json!({}), "{notifications}");
        assert_eq!(without_kept(created.clone())["notifications"][bucket], before["notifications"][bucket]);
    }

    // A second run changes nothing, and uploads nothing.
    let again = account.report(&INSTALL);
    assert_eq!((&again["changes"], &again["buckets"]), (&json!([]), &json!([])));
    assert!(account.text(&INSTALL).contains("up to date"));
    assert_eq!(account.state(&[]), created);

    // People may publish, too, and stay when the option is not repeated.
    let (lea, guest) = ("arn:aws:iam::000000000000:user/lea", "arn:aws:iam::210987654321:root");
    let trusting = [&INSTALL[..], &["--trust", lea, "--trust", guest]].concat();
    let report = account.report(&trusting);
    let trust: Vec<&Value> = report["policies"].as_array().unwrap().iter().map(|policy| &policy["policy"]).collect();
    assert_eq!(trust, [&Value::Null; 2], "the trust policies of two roles change: {report}");
    assert_eq!(account.report(&trusting)["changes"], json!([]));
    assert_eq!(account.report(&INSTALL)["changes"], json!([]), "without the option, people stay trusted");
    let trust = account.state(&[])["roles"]["tidegate-docs"]["role"]["AssumeRolePolicyDocument"].to_string();
    assert!(trust.contains(lea) && trust.contains(guest) && trust.contains("TrustExecutionRole"), "{trust}");

    // Other memory and retention, one site less, no webhook: only the differences are changed.
    let (kept, _) = CONFIGURATION.split_once("\n[[site]]\nname = \"blog\"").unwrap();
    let (kept, _) = kept.split_once("\n[[site.webhook]]").unwrap();
    account.configure(
        &kept.replace("name = \"publisher\"", "name = \"publisher\"\nmemory = 256\nlog-retention = 90\nworkers = 20"),
    );
    let report = account.report(&[&INSTALL[..], &["--dry-run"]].concat());
    let function = report["changes"].as_array().unwrap().iter().find(|one| one["resource"] == "Function").unwrap();
    let memory = json!({ "name": "MemorySize", "before": "1024", "after": "256" });
    assert!(function["properties"].as_array().unwrap().contains(&memory), "{function}");
    let machine = report["changes"].as_array().unwrap().iter().find(|one| one["resource"] == "StateMachine").unwrap();
    let workers = "DefinitionString.States.Write pages.MaxConcurrency";
    let workers = json!({ "name": workers, "before": "8", "after": "20" });
    assert!(machine["properties"].as_array().unwrap().contains(&workers), "{machine}");
    let found = actions(&account.report(&INSTALL));
    for removed in ["PublisherTidegateBlog", "UploadsBlogStaged", "Url", "UrlCalled", "UrlInvoked"] {
        assert!(found.contains(&(removed.to_owned(), "remove".to_owned())), "{removed}: {found:?}");
    }
    assert!(!found.iter().any(|(_, action)| action == "add" || action == "replace"), "{found:?}");
    let changed = account.state(&[]);
    assert_eq!(changed["functions"]["publisher"]["configuration"]["MemorySize"], 256);
    assert_eq!(changed["functions"]["publisher"]["url"], Value::Null);
    assert_eq!(changed["logs"]["/aws/lambda/publisher"], 90);
    let machine = &changed["state-machines"]["publisher-publish"];
    assert_eq!(machine.pointer("/definition/States/Write pages/MaxConcurrency"), Some(&json!(20)));
    assert!(changed["roles"]["tidegate-blog"].is_null() && !changed["roles"]["theirs"].is_null());
    assert_eq!(account.report(&INSTALL)["changes"], json!([]));

    // Uninstalling leaves what was there before, and what it says that is kept.
    let shown = account.report(&["uninstall", "--dry-run"]);
    assert_eq!(account.state(&[]), changed);
    assert!(shown["kept"].to_string().contains("the bucket `acme-artifacts` still sends its events"), "{shown}");
    let removed = account.report(&["uninstall", "--yes"]);
    assert_eq!(removed["changes"], shown["changes"]);
    assert_eq!(without_kept(account.state(&[])), before);
    assert_eq!(account.report(&["uninstall", "--yes"])["changes"], json!([]));
    assert!(account.text(&["uninstall", "--yes"]).contains("not installed"));
}

/// moto knows no function URLs, alarms or retries in stacks, and does not return whether a bucket sends events to EventBridge.
/// So this configuration has no webhook and no uploads that publish, and these are not checked.
#[test]
fn installs_updates_and_uninstalls_in_moto() {
    let Some(account) = Account::open("moto", MOTO, "installs_updates_and_uninstalls_in_moto") else { return };
    let before = account.state(&[]);
    let configuration = without_webhook().replace("staged = \"s3://acme-other/staged/blog/\"\n", "");
    let configuration = configuration.replace("publish-on-upload = true", "publish-on-upload = false");
    account.configure(&configuration);
    account.report(&["install", "--zip", "package.zip", "--dry-run"]);
    assert_eq!(account.state(&[]), before, "a dry run changes nothing");
    let report = account.report(&INSTALL);
    assert!(actions(&report).contains(&("Function".to_owned(), "add".to_owned())), "{report}");
    let created = account.state(&[]);
    assert_eq!(created["stacks"], json!({ "publisher": "CREATE_COMPLETE" }));
    assert_eq!(created["functions"]["publisher"]["configuration"]["Runtime"], "provided.al2023");
    assert_eq!(created["dashboards"], json!(["publisher"]));
    assert_eq!(created["state-machines"]["publisher-publish"]["definition"]["StartAt"], "Next step");
    assert_eq!(created["notifications"], before["notifications"]);
    assert_eq!(account.report(&INSTALL)["changes"], json!([]), "a second run changes nothing");
    assert_eq!(account.state(&[]), created);
    account.configure(&configuration.replace("name = \"publisher\"", "name = \"publisher\"\nmemory = 256"));
    assert!(actions(&account.report(&INSTALL)).contains(&("Function".to_owned(), "modify".to_owned())));
    assert_eq!(account.state(&[])["functions"]["publisher"]["configuration"]["MemorySize"], 256);
    account.report(&["uninstall", "--yes"]);
    let after = account.state(&[]);
    for kind in ["stacks", "functions", "state-machines", "roles", "queues", "rules", "dashboards", "logs"] {
        assert_eq!(after[kind], before[kind], "{kind}");
    }
}

#[tokio::test]
async fn a_failed_change_is_rolled_back_in_ministack() {
    let Some(account) = Account::ministack("a_failed_change_is_rolled_back_in_ministack") else { return };
    let functions = aws_sdk_lambda::Client::new(&account.server.configuration("test", "test"));
    let create_url = async || {
        let request = functions.create_function_url_config().function_name("publisher");
        request.auth_type(FunctionUrlAuthType::None).send().await.unwrap();
    };
    // A resource that the stack would create exists: CloudFormation deletes what it has created.
    let code = FunctionCode::builder().zip_file(Blob::new(small_package(""))).build();
    let function = functions.create_function().function_name("publisher").code(code).handler("bootstrap");
    let role = "arn:aws:iam::000000000000:role/theirs";
    function.runtime(Runtime::from("provided.al2023")).role(role).send().await.unwrap();
    create_url().await;
    let before = account.state(&[]);
    let failed = account.error(3, &INSTALL);
    assert!(failed.contains("is in DELETE_COMPLETE: Url (AWS::Lambda::Url): "), "{failed}");
    assert!(failed.contains("CloudFormation deleted what it had created"), "{failed}");
    let after = account.state(&[]);
    for kind in ["stacks", "change-sets", "roles", "queues", "rules", "alarms", "dashboards", "notifications"] {
        assert_eq!(after[kind], before[kind], "{kind}");
    }
    let _ = functions.delete_function_url_config().function_name("publisher").send().await;
    // The same for an update: the stack is as before.
    account.configure(&without_webhook());
    account.report(&INSTALL);
    create_url().await;
    let installed = account.state(&[]);
    account.configure(&CONFIGURATION.replace("name = \"publisher\"", "name = \"publisher\"\nlog-retention = 90"));
    let failed = account.error(3, &INSTALL);
    assert!(failed.contains("is in UPDATE_ROLLBACK_COMPLETE: Url (AWS::Lambda::Url): "), "{failed}");
    assert!(failed.contains("CloudFormation restored the stack"), "{failed}");
    let rolled_back = account.state(&[]);
    for kind in ["roles", "rules", "alarms", "logs", "notifications"] {
        assert_eq!(rolled_back[kind], installed[kind], "{kind}");
    }
    functions.delete_function_url_config().function_name("publisher").send().await.unwrap();
    account.report(&INSTALL);
    assert_eq!(account.state(&[])["logs"]["/aws/lambda/publisher"], 90);
    assert_eq!(account.report(&INSTALL)["changes"], json!([]));
}

#[tokio::test]
async fn every_status_of_the_stack_has_a_way_out_in_ministack() {
    let Some(account) = Account::ministack("every_status_of_the_stack_has_a_way_out_in_ministack") else { return };
    let client = account.client();
    let create = async |name: &str, template: Value| {
        let request = client.create_stack().stack_name(name).template_body(template.to_string());
        request.capabilities(Capability::CapabilityNamedIam).send().await.unwrap();
    };
    let status = async |name: &str| {
        let found = client.describe_stacks().stack_name(name).send().await.unwrap();
        found.stacks()[0].stack_status().unwrap().as_str().to_owned()
    };
    let wait_for = async |name: &str, wanted: &str| {
        for _ in 0..100 {
            if status(name).await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the stack is in {}, not in {wanted}", status(name).await);
    };
    // A stack of Tidegate that waits for a signal that never comes, and then fails.
    let waiting = |seconds: &str| {
        json!({
            "Description": DESCRIPTION,
            "Resources": {
                "Handle": { "Type": "AWS::CloudFormation::WaitConditionHandle" },
                "Wait": {
                    "Type": "AWS::CloudFormation::WaitCondition",
                    "Properties": { "Handle": { "Ref": "Handle" }, "Timeout": seconds, "Count": 1 },
                },
            },
        })
    };

    // A stack of others is neither changed nor deleted.
    let topic = json!({ "Description": "A shop", "Resources": { "Orders": { "Type": "AWS::SQS::Queue" } } });
    create("publisher", topic).await;
    wait_for("publisher", "CREATE_COMPLETE").await;
    let before = account.state(&[]);
    for arguments in [&INSTALL[..], &["uninstall", "--yes"]] {
        let refused = account.error(2, arguments);
        assert!(refused.contains("the stack `publisher` has no template of `tidegate template`"), "{refused}");
    }
    assert_eq!(account.state(&[]), before);
    client.delete_stack().stack_name("publisher").send().await.unwrap();

    // ROLLBACK_COMPLETE: deleted with `uninstall`.
    create("publisher", waiting("1")).await;
    wait_for("publisher", "ROLLBACK_COMPLETE").await;
    let refused = account.error(3, &INSTALL);
    assert!(refused.contains("is in ROLLBACK_COMPLETE") && refused.contains("`tidegate uninstall`"), "{refused}");
    account.report(&["uninstall", "--yes"]);

    // An operation that is running: followed until it has ended.
    create("publisher", waiting("3")).await;
    let waited = account.error(3, &INSTALL);
    assert!(waited.contains("the stack `publisher` is in CREATE_IN_PROGRESS; waiting …"), "{waited}");
    assert!(waited.contains("is in ROLLBACK_COMPLETE"), "{waited}");
    account.report(&["uninstall", "--yes"]);

    // REVIEW_IN_PROGRESS: a change set that was never executed, here one of others, which a dry run keeps.
    let queue = json!({ "Resources": { "Orders": { "Type": "AWS::SQS::Queue" } } }).to_string();
    let request = client.create_change_set().stack_name("publisher").change_set_name("theirs").template_body(queue);
    request.change_set_type(ChangeSetType::Create).send().await.unwrap();
    account.report(&["install", "--zip", "package.zip", "--dry-run"]);
    assert_eq!(status("publisher").await, "REVIEW_IN_PROGRESS");
    assert_eq!(account.state(&[])["change-sets"], json!(["theirs"]));
    account.report(&INSTALL);
    assert_eq!(status("publisher").await, "CREATE_COMPLETE");

    // Termination protection is named.
    let protect = client.update_termination_protection().stack_name("publisher");
    protect.clone().enable_termination_protection(true).send().await.unwrap();
    let refused = account.error(3, &["uninstall", "--yes"]);
    assert!(refused.contains("has termination protection"), "{refused}");
    protect.enable_termination_protection(false).send().await.unwrap();

    // Another name.
    account.report(&["uninstall", "--yes"]);
    account.report(&[&INSTALL[..], &["--stack-name", "other"]].concat());
    assert_eq!(account.state(&[])["stacks"], json!({ "other": "CREATE_COMPLETE" }));
    account.report(&["uninstall", "--yes", "--stack-name", "other"]);
    assert_eq!(account.state(&[])["stacks"], json!({}));
}

/// A template that is too large for a request is read from S3, and the object is deleted.
#[tokio::test]
async fn a_large_template_is_installed_in_ministack() {
    let Some(account) = Account::ministack("a_large_template_is_installed_in_ministack") else { return };
    let mut configuration = "state = \"s3://acme-artifacts/tidegate/\"\n[function]\nname = \"many_sites\"\n".to_owned();
    for at in 0..24 {
        configuration += &format!(
            "[[site]]\nname = \"site-{at}\"\nbuilds = \"s3://acme-artifacts/{at}/\"\ntarget = \"s3://www-{at}/\"\nrole = \"arn:aws:iam::ACCOUNT:role/site-{at}\"\n"
        );
    }
    account.configure(&configuration);
    let template = account.text(&["template", "--format", "cloudformation"]);
    assert!(template.len() > 51_200, "{} bytes", template.len());
    account.report(&INSTALL);
    let state = account.state(&[]);
    assert_eq!(state["stacks"], json!({ "many-sites": "CREATE_COMPLETE" }));
    let packages: Vec<&str> = state["objects"]["acme-artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|key| key.contains("_lambda/"))
        .collect();
    assert!(packages.len() == 1 && packages[0].ends_with(".zip"), "{packages:?}");
    // What is installed is what `tidegate template` prints.
    let deployed = account.client().get_template().stack_name("many-sites").send().await.unwrap();
    assert_eq!(deployed.template_body(), Some(template.as_str()));
    assert_eq!(account.report(&INSTALL)["changes"], json!([]));
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_changed_in_ministack() {
    let Some(account) = Account::ministack("what_cannot_work_is_refused_before_anything_is_changed_in_ministack")
    else {
        return;
    };
    let before = account.state(&[]);
    let refused = |configuration: &str, arguments: &[&str]| {
        account.configure(configuration);
        let error = account.error(2, arguments);
        assert_eq!(account.state(&[]), before, "nothing was changed");
        error
    };
    let missing = refused(&CONFIGURATION.replace("acme-other", "acme-nowhere"), &INSTALL);
    assert!(missing.contains("the bucket `acme-nowhere` does not exist"), "{missing}");
    // Webhooks need a state.
    let stateless = without_webhook().replace("state = \"s3://acme-artifacts/tidegate/\"\n", "");
    let homeless = refused(&stateless, &INSTALL);
    assert!(homeless.contains("`--upload-to s3://BUCKET/PREFIX/`"), "{homeless}");
    // The package was made from another configuration.
    account.configure(CONFIGURATION);
    std::fs::write(account.directory.path().join("tidegate.toml"), stateless.replace("ACCOUNT", MINISTACK)).unwrap();
    let other = account.error(2, &[&INSTALL[..], &["--upload-to", "s3://acme-other/packages/"]].concat());
    assert!(other.contains("made from another configuration"), "{other}");
    assert_eq!(account.state(&[]), before);
    // With a place for the package, no state is needed.
    account.configure(&stateless);
    account.report(&[&INSTALL[..], &["--upload-to", "s3://acme-other/packages/"]].concat());
    let keys = account.state(&[])["objects"]["acme-other"].to_string();
    assert!(keys.contains("packages/") && keys.contains(".zip"), "{keys}");
}

/// An installation that is killed at any time is completed by the same command.
#[test]
fn an_installation_that_is_killed_is_completed_in_ministack() {
    let Some(account) = Account::ministack("an_installation_that_is_killed_is_completed_in_ministack") else { return };
    let start = Instant::now();
    account.report(&INSTALL);
    let (duration, installed) = (start.elapsed(), account.state(&[]));
    account.report(&["uninstall", "--yes"]);
    let moments = 12_u32;
    for moment in 1..=moments {
        let mut child = account.command(&INSTALL).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(duration * moment / moments);
        child.kill().unwrap();
        child.wait().unwrap();
        account.report(&INSTALL);
        assert_eq!(account.state(&[])["stacks"], installed["stacks"], "killed at {moment} of {moments}");
        assert_eq!(account.report(&INSTALL)["changes"], json!([]));
        account.report(&["uninstall", "--yes"]);
        assert_eq!(account.state(&[])["stacks"], json!({}));
    }
}
