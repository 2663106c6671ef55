//! `tidegate install` and `tidegate uninstall` before moto, which keeps functions, roles, queues, logs and notifications as AWS does,
//! and looked at by AWS's own SDK for Python.
//!
//! moto is to be trusted for the form of requests and for what is kept. Not for permissions, nor for how long AWS takes until what
//! was made is known everywhere, nor for architectures, which it never changes.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::server::{Server, skipped};

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

struct Place {
    server: Server,
    directory: TempDir,
}

impl Place {
    /// A package of this configuration: the head of this very program is the head of a program of this machine.
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

    /// The steps that a command takes, which succeeds.
    fn steps(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.run(&[&["--json"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let name = |step: &Value| step["step"].as_str().unwrap().to_owned();
        told.get("steps").and_then(Value::as_array).unwrap().iter().map(name).collect()
    }

    fn install(&self) -> Vec<String> {
        self.steps(&["install", "--zip", "package.zip", "--yes"])
    }

    /// What is there, and with `others` what is there of others as well.
    fn state(&self, others: &[&str]) -> Value {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/moto/bin/python");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("real_servers/account.py");
        let output = Command::new(python).arg(script).arg(self.server.endpoint()).args(others).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn place(test: &str) -> Option<Place> {
    match Server::start("moto", |port| vec![port.to_string()]) {
        Ok(server) => {
            let place = Place { server, directory: TempDir::new().unwrap() };
            place.configure(CONFIGURATION);
            Some(place)
        }
        Err(why) => {
            skipped(test, &why);
            None
        }
    }
}

/// Ids of the notifications of a bucket that are for a function.
fn notified(state: &Value, bucket: &str) -> Vec<String> {
    let all = state.pointer(&format!("/notifications/{bucket}/LambdaFunctionConfigurations")).and_then(Value::as_array);
    all.into_iter().flatten().map(|one| one["Id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_installation_is_made_once_brought_up_to_date_and_taken_back_in_moto() {
    let Some(place) = place("an_installation_is_made_once_brought_up_to_date_and_taken_back_in_moto") else { return };
    let before = place.state(&["others"]);

    // Shown, and not done.
    let shown = place.steps(&["install", "--zip", "package.zip", "--dry-run"]);
    assert_eq!(place.state(&[]), before, "a dry run changes nothing");
    let unasked = place.run(&["install", "--zip", "package.zip"]);
    assert_eq!(unasked.status.code(), Some(2), "nobody can be asked, so nothing is done");
    assert_eq!(place.state(&[]), before);

    // Done, as it was shown.
    assert_eq!(place.install(), shown);
    let made = place.state(&[]);
    assert_eq!(made["functions"]["publisher"]["configuration"]["Runtime"], "provided.al2023");
    assert_eq!(made["functions"]["publisher"]["tags"]["tidegate"], "publisher");
    assert_eq!(made["functions"]["publisher"]["url"]["AuthType"], "NONE");
    let failure = made["functions"]["publisher"]["retries"].pointer("/DestinationConfig/OnFailure/Destination");
    assert_eq!(failure.unwrap(), "arn:aws:sqs:us-east-1:123456789012:publisher-dead-letters");
    assert_eq!(made["logs"]["/aws/lambda/publisher"], 30);
    assert_eq!(made["queues"]["publisher-dead-letters"]["attributes"]["MessageRetentionPeriod"], "1209600");
    let roles: Vec<&String> = made["roles"].as_object().unwrap().keys().collect();
    assert_eq!(roles, ["publisher-execution", "theirs", "tidegate-blog", "tidegate-docs"]);
    assert_eq!(made["roles"]["theirs"], before["roles"]["theirs"], "a role of somebody else is left as it is");
    assert_eq!(made["roles"]["tidegate-docs"]["role"]["Path"], "/publishers/");
    let ids = [
        "tidegate-look-alike",
        "tidegate-publisher-docs-builds-0",
        "tidegate-publisher-docs-builds-1",
        "tidegate-publisher-docs-builds-2",
    ];
    assert_eq!(notified(&made, "acme-artifacts"), ids);
    assert_eq!(notified(&made, "acme-other"), ["tidegate-publisher-blog-staged-0"]);
    let queues = "/notifications/acme-artifacts/QueueConfigurations";
    assert_eq!(made.pointer(queues), before.pointer(queues), "entries of others stay as they are");

    // Again: nothing.
    assert_eq!(place.install(), Vec::<String>::new());
    let said = place.run(&["install", "--zip", "package.zip", "--yes"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("nothing to do"));
    assert_eq!(place.state(&[]), made);

    // Another memory, another retention, a site less, no webhook: what has changed, and nothing else.
    let (kept, _) = CONFIGURATION.split_once("\n[[site]]\nname = \"blog\"").unwrap();
    let (kept, _) = kept.split_once("\n[[site.webhook]]").unwrap();
    place.configure(&kept.replace("name = \"publisher\"", "name = \"publisher\"\nmemory = 256\nlog-retention = 90"));
    assert_eq!(
        place.install(),
        [
            "put-role-policy",
            "set-retention",
            "update-code",
            "update-function",
            "forbid",
            "forbid",
            "delete-url",
            "set-notifications",
            "forbid",
            "delete-role-policy",
            "delete-role",
        ]
    );
    let changed = place.state(&[]);
    assert_eq!(changed["functions"]["publisher"]["configuration"]["MemorySize"], 256);
    assert_eq!(changed["functions"]["publisher"]["url"], Value::Null);
    assert_eq!(changed["logs"]["/aws/lambda/publisher"], 90);
    assert!(changed["roles"]["tidegate-blog"].is_null() && !changed["roles"]["theirs"].is_null());
    assert_eq!(notified(&changed, "acme-artifacts"), ids);
    assert_eq!(notified(&changed, "acme-other"), Vec::<String>::new());
    assert_eq!(place.install(), Vec::<String>::new());

    // Back: what was there before, and nothing else.
    let shown = place.steps(&["uninstall", "--dry-run"]);
    assert_eq!(place.state(&[]), changed);
    assert_eq!(place.steps(&["uninstall", "--yes"]), shown);
    assert_eq!(place.state(&[]), before);
    assert_eq!(place.steps(&["uninstall", "--yes"]), Vec::<String>::new());
}

#[test]
fn what_belongs_to_others_is_never_taken_over_in_moto() {
    let Some(place) = place("what_belongs_to_others_is_never_taken_over_in_moto") else { return };
    let before = place.state(&["others"]);
    let refused = |configuration: &str| {
        place.configure(configuration);
        let output = place.run(&["install", "--zip", "package.zip", "--yes"]);
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(place.state(&[]), before, "nothing was done");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // Somebody else is told of the same objects.
    let met = refused(&CONFIGURATION.replace("s3://acme-artifacts/builds/docs/", "s3://acme-artifacts/logs/"));
    assert!(met.contains("`theirs-1`") && met.contains("arn:aws:sqs:us-east-1:123456789012:others"), "{met}");
    // The bucket is not there.
    let nowhere = refused(&CONFIGURATION.replace("acme-other", "acme-nowhere"));
    assert!(nowhere.contains("`acme-nowhere`"), "{nowhere}");
    // The package is of another configuration.
    place.configure(CONFIGURATION);
    let other = CONFIGURATION.replace("publish-on-upload = true\n", "");
    std::fs::write(place.directory.path().join("tidegate.toml"), other).unwrap();
    let output = place.run(&["install", "--zip", "package.zip", "--yes"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("made from another configuration"));
    assert_eq!(place.state(&[]), before);
}
