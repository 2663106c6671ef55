//! `tidegate install` and `tidegate uninstall` against moto, whose state the AWS SDK for Python reads.
//!
//! moto checks the form of requests and stores resources as AWS does. It checks no permissions, has no propagation delays, and
//! never changes the architecture of a function.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

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
role = "arn:aws:iam::123456789012:role/publishers/tidegate-docs"
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
role = "arn:aws:iam::123456789012:role/tidegate-blog"

[[site]]
name = "old"
target = "s3://old.acme.com/"
role = "arn:aws:iam::123456789012:role/theirs"
"#;

struct Account {
    server: Server,
    directory: TempDir,
}

impl Account {
    /// Writes a configuration and its package. The package needs the header of a program of this machine, so it has that of this
    /// test.
    fn configure(&self, text: &str) {
        std::fs::write(self.directory.path().join("tidegate.toml"), text).unwrap();
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let file = std::fs::File::create(self.directory.path().join("package.zip")).unwrap();
        let mut zip = ZipWriter::new(file);
        for (name, bytes) in [("bootstrap", program.get(..4096).unwrap()), ("tidegate.toml", text.as_bytes())] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.server.command(self.directory.path(), "test").args(arguments).output().unwrap()
    }

    /// The changes of a successful command.
    fn changes(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.run(&[&["--json"], arguments].concat());
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}{stdout}");
        let report: Value = serde_json::from_str(&stdout).unwrap();
        let name = |change: &Value| change["change"].as_str().unwrap().to_owned();
        report.get("changes").and_then(Value::as_array).unwrap().iter().map(name).collect()
    }

    fn install(&self) -> Vec<String> {
        self.changes(&["install", "--zip", "package.zip", "--yes"])
    }

    /// The resources of the account. With `others`, creates resources that do not belong to the function first.
    fn state(&self, others: &[&str]) -> Value {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/moto/bin/python");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("real_servers/account.py");
        let output = Command::new(python).arg(script).arg(self.server.endpoint()).args(others).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// An account with resources of the configuration; `None` where moto is not installed.
fn account(test: &str) -> Option<Account> {
    match Server::start("moto", |port| vec![port.to_string()]) {
        Ok(server) => {
            let account = Account { server, directory: TempDir::new().unwrap() };
            account.configure(CONFIGURATION);
            Some(account)
        }
        Err(reason) => {
            skipped(test, &reason);
            None
        }
    }
}

/// Ids of the notifications of a bucket for functions.
fn notification_ids(state: &Value, bucket: &str) -> Vec<String> {
    let found =
        state.pointer(&format!("/notifications/{bucket}/LambdaFunctionConfigurations")).and_then(Value::as_array);
    found.into_iter().flatten().map(|one| one["Id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn installs_updates_and_uninstalls_in_moto() {
    let Some(account) = account("installs_updates_and_uninstalls_in_moto") else { return };
    let before = account.state(&["others"]);

    // A dry run.
    let shown = account.changes(&["install", "--zip", "package.zip", "--dry-run"]);
    assert_eq!(account.state(&[]), before, "a dry run changes nothing");
    let without_yes = account.run(&["install", "--zip", "package.zip"]);
    assert_eq!(without_yes.status.code(), Some(2), "without a terminal, `--yes` is needed");
    assert_eq!(account.state(&[]), before);

    // The installation makes the changes of the dry run.
    assert_eq!(account.install(), shown);
    let created = account.state(&[]);
    assert_eq!(created["functions"]["publisher"]["configuration"]["Runtime"], "provided.al2023");
    assert_eq!(created["functions"]["publisher"]["tags"]["tidegate"], "publisher");
    assert_eq!(created["functions"]["publisher"]["url"]["AuthType"], "NONE");
    let failure = created["functions"]["publisher"]["retries"].pointer("/DestinationConfig/OnFailure/Destination");
    assert_eq!(failure.unwrap(), "arn:aws:sqs:us-east-1:123456789012:publisher-dead-letters");
    assert_eq!(created["logs"]["/aws/lambda/publisher"], 30);
    assert_eq!(created["queues"]["publisher-dead-letters"]["attributes"]["MessageRetentionPeriod"], "1209600");
    let roles: Vec<&String> = created["roles"].as_object().unwrap().keys().collect();
    assert_eq!(roles, ["publisher-execution", "theirs", "tidegate-blog", "tidegate-docs"]);
    assert_eq!(created["roles"]["theirs"], before["roles"]["theirs"], "a role without the tag is unchanged");
    assert_eq!(created["roles"]["tidegate-docs"]["role"]["Path"], "/publishers/");
    let ids = [
        "tidegate-look-alike",
        "tidegate-publisher-docs-builds-0",
        "tidegate-publisher-docs-builds-1",
        "tidegate-publisher-docs-builds-2",
    ];
    assert_eq!(notification_ids(&created, "acme-artifacts"), ids);
    assert_eq!(notification_ids(&created, "acme-other"), ["tidegate-publisher-blog-staged-0"]);
    let queues = "/notifications/acme-artifacts/QueueConfigurations";
    assert_eq!(created.pointer(queues), before.pointer(queues), "other notifications are unchanged");

    // A second run changes nothing.
    assert_eq!(account.install(), Vec::<String>::new());
    let output = account.run(&["install", "--zip", "package.zip", "--yes"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("up to date"));
    assert_eq!(account.state(&[]), created);

    // A person may publish, too.
    let lea = "arn:aws:iam::123456789012:user/lea";
    let trusting = ["install", "--zip", "package.zip", "--yes", "--trust", lea];
    assert_eq!(account.changes(&trusting), ["set-trust", "set-trust"]);
    assert_eq!(account.changes(&trusting), Vec::<String>::new());
    assert_eq!(account.install(), Vec::<String>::new(), "without the option, the person stays trusted");
    let trust = account.state(&[])["roles"]["tidegate-docs"]["role"]["AssumeRolePolicyDocument"].to_string();
    assert!(trust.contains(lea) && trust.contains("TrustExecutionRole"), "{trust}");

    // Other memory and retention, one site less, no webhook: only the differences are changed.
    let (kept, _) = CONFIGURATION.split_once("\n[[site]]\nname = \"blog\"").unwrap();
    let (kept, _) = kept.split_once("\n[[site.webhook]]").unwrap();
    account.configure(&kept.replace("name = \"publisher\"", "name = \"publisher\"\nmemory = 256\nlog-retention = 90"));
    assert_eq!(
        account.install(),
        [
            "put-role-policy",
            "set-retention",
            "update-code",
            "update-function",
            "remove-permission",
            "remove-permission",
            "delete-url",
            "set-notifications",
            "remove-permission",
            "delete-role-policy",
            "delete-role",
        ]
    );
    let changed = account.state(&[]);
    assert_eq!(changed["functions"]["publisher"]["configuration"]["MemorySize"], 256);
    assert_eq!(changed["functions"]["publisher"]["url"], Value::Null);
    assert_eq!(changed["logs"]["/aws/lambda/publisher"], 90);
    assert!(changed["roles"]["tidegate-blog"].is_null() && !changed["roles"]["theirs"].is_null());
    assert_eq!(notification_ids(&changed, "acme-artifacts"), ids);
    assert_eq!(notification_ids(&changed, "acme-other"), Vec::<String>::new());
    assert_eq!(account.install(), Vec::<String>::new());

    // Uninstalling leaves what was there before.
    let shown = account.changes(&["uninstall", "--dry-run"]);
    assert_eq!(account.state(&[]), changed);
    assert_eq!(account.changes(&["uninstall", "--yes"]), shown);
    assert_eq!(account.state(&[]), before);
    assert_eq!(account.changes(&["uninstall", "--yes"]), Vec::<String>::new());
}

#[test]
fn conflicts_are_refused_in_moto() {
    let Some(account) = account("conflicts_are_refused_in_moto") else { return };
    let before = account.state(&["others"]);
    let refused = |configuration: &str| {
        account.configure(configuration);
        let output = account.run(&["install", "--zip", "package.zip", "--yes"]);
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(account.state(&[]), before, "nothing was changed");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // Another notification is for the same objects.
    let overlap = refused(&CONFIGURATION.replace("s3://acme-artifacts/builds/docs/", "s3://acme-artifacts/logs/"));
    assert!(overlap.contains("`theirs-1`"), "{overlap}");
    assert!(overlap.contains("arn:aws:sqs:us-east-1:123456789012:others"), "{overlap}");
    // A bucket does not exist.
    let missing = refused(&CONFIGURATION.replace("acme-other", "acme-nowhere"));
    assert!(missing.contains("`acme-nowhere`"), "{missing}");
    // The target of another notification is gone.
    let before = account.state(&["queue-is-gone"]);
    account.configure(CONFIGURATION);
    let output = account.run(&["install", "--zip", "package.zip", "--yes"]);
    let gone = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{gone}");
    assert!(gone.contains("arn:aws:sqs:us-east-1:123456789012:others") && gone.contains("`theirs-1`"), "{gone}");
    assert_eq!(account.state(&[]), before);
    // The package was made from another configuration.
    account.configure(CONFIGURATION);
    let other = CONFIGURATION.replace("publish-on-upload = true\n", "");
    std::fs::write(account.directory.path().join("tidegate.toml"), other).unwrap();
    let output = account.run(&["install", "--zip", "package.zip", "--yes"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("made from another configuration"));
    assert_eq!(account.state(&[]), before);
}

#[test]
fn a_topic_that_is_gone_is_named_in_moto() {
    let Some(account) = account("a_topic_that_is_gone_is_named_in_moto") else { return };
    account.state(&["others"]);
    let before = account.state(&["topic-is-gone"]);
    let output = account.run(&["install", "--zip", "package.zip", "--yes"]);
    let gone = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{gone}");
    assert!(gone.contains("arn:aws:sns:us-east-1:123456789012:others") && gone.contains("`theirs-3`"), "{gone}");
    assert_eq!(account.state(&[]), before);
}

#[test]
fn a_queue_starts_the_function_in_moto() {
    let Some(account) = account("a_queue_starts_the_function_in_moto") else { return };
    account.state(&["others"]);
    let queue = "arn:aws:sqs:us-east-1:123456789012:others";
    let name = "name = \"publisher\"\n";
    let with_queue = |queue: &str| CONFIGURATION.replace(name, &format!("{name}queues = [\"{queue}\"]\n"));
    account.configure(&with_queue("arn:aws:sqs:us-east-1:123456789012:absent"));
    let missing = account.run(&["install", "--zip", "package.zip", "--yes"]);
    let stderr = String::from_utf8_lossy(&missing.stderr);
    assert!(stderr.contains("the queue `arn:aws:sqs:us-east-1:123456789012:absent` does not exist"), "{stderr}");
    account.configure(&with_queue(queue));
    let changes = account.install();
    assert!(changes.contains(&"set-visibility".to_owned()), "{changes:?}");
    assert!(changes.contains(&"create-mapping".to_owned()), "{changes:?}");
    let state = account.state(&[]);
    assert_eq!(state["queues"]["others"]["attributes"]["VisibilityTimeout"], "5400");
    let mapping = &state["functions"]["publisher"]["mappings"][0];
    assert_eq!(mapping["EventSourceArn"], queue);
    assert_eq!(mapping["FunctionResponseTypes"], serde_json::json!(["ReportBatchItemFailures"]));
    assert_eq!(account.install(), [] as [&str; 0], "a second run changes nothing");
    account.configure(CONFIGURATION);
    assert!(account.install().contains(&"delete-mapping".to_owned()));
    assert_eq!(account.state(&[])["functions"]["publisher"]["mappings"], serde_json::json!([]));
}
