//! The sessions of the pages about triggers and webhooks, with the sample events that they use.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_emulator::LocalAws;
use tidegate_tests::binary::{binary, cache};
use tidegate_tests::events::zip;

use super::TestDirectory;

/// The sessions of a page: `console` blocks in which the program runs in the emulator.
fn sessions(page: &str) -> String {
    let text = std::fs::read_to_string(Path::new("../docs").join(page)).unwrap();
    let blocks = text.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.starts_with("$ tidegate --local")).map(|block| format!("```\n{block}```\n")).collect()
}

/// The sample events in a directory of their own, with a site.
fn sample_events(directory: &Path) {
    std::fs::create_dir(directory).unwrap();
    for entry in std::fs::read_dir("../examples/events").unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), directory.join(entry.file_name())).unwrap();
    }
    std::fs::write(directory.join("site.zip"), zip(&[("index.html", "<p>hi"), ("style.css", "a{}")])).unwrap();
    std::fs::write(directory.join("index.html"), "<p>hello").unwrap();
}

#[test]
fn sessions_of_pages_are_what_the_program_prints() {
    for (page, commands) in [("triggers.md", 6), ("webhooks.md", 6)] {
        let directory = TempDir::new().unwrap();
        let session = sessions(page);
        assert_eq!(session.matches("$ tidegate").count(), commands, "{page}");
        std::fs::write(directory.path().join("page.trycmd"), session).unwrap();
        sample_events(&directory.path().join("page.in"));
        let cases = trycmd::TestCases::new();
        cases
            .register_bin("tidegate", binary().to_owned())
            .env("XDG_CACHE_HOME", cache().to_string_lossy())
            .env("NO_COLOR", "")
            .case(directory.path().join("page.trycmd"));
        cases.run();
    }
}

#[test]
fn every_sample_event_is_on_a_page() {
    let pages = sessions("triggers.md") + &sessions("webhooks.md");
    for entry in std::fs::read_dir("../examples/events").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".json") || pages.contains(&format!("invoke {name}")), "{name}");
    }
}

#[test]
fn github_is_not_asked_with_local() {
    let directory = TempDir::new().unwrap();
    let events = directory.path().join("events");
    sample_events(&events);
    // A port that refuses connections in place of GitHub: any request would be reported.
    let configuration = std::fs::read_to_string(events.join("tidegate.toml")).unwrap();
    let token = "token      = ";
    let elsewhere = format!("api-url    = \"http://127.0.0.1:9\"\nstatus     = \"commit\"\n{token}");
    let of_runs = configuration.replacen(token, &elsewhere, 1);
    std::fs::write(events.join("tidegate.toml"), of_runs).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.current_dir(&events).env("XDG_CACHE_HOME", cache()).env("NO_COLOR", "1");
        command.args(["--local", "aws", "invoke", "github-workflow-run.json", "--github", "workflow_run"]);
        let output = command.args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, stdout, stderr) = run(&[]);
    assert_eq!(code, Some(2), "{stdout}{stderr}");
    assert!(stdout.contains("GitHub is not asked with `--local`: ") && stdout.contains("`--put github:"), "{stdout}");
    let (code, stdout, stderr) = run(&["--put", "github:site=site.zip"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("docs r1: live"), "{stdout}");
}

/// The commands in the `sh` blocks of a page, without comments.
fn commands(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new("../docs").join(page)).unwrap();
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.strip_prefix("tidegate "));
    lines.map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect()
}

/// A site whose role, jobs, builds and buckets are those of the page.
const CREDENTIALS: &str = r#"
    [[site]]
    name = "docs"
    builds = "s3://acme-artifacts/builds/docs/"
    target = "s3://acme-docs/"
    role = "arn:aws:iam::000000000000:role/tidegate-docs"
"#;

/// Every command of the page about credentials succeeds in the emulator, in the order of the page, and is applied: the
/// identities and buckets that it names exist before.
#[tokio::test]
async fn commands_of_the_page_about_credentials_succeed() {
    let directory = TestDirectory::new(CREDENTIALS);
    let account = LocalAws::open(&directory.path().join("aws")).unwrap();
    for bucket in ["acme-artifacts", "acme-docs", "my-bucket", "www.example.com"] {
        account.s3().create_bucket(bucket).await.unwrap();
    }
    for user in ["lea", "ada", "ci"] {
        account.iam().create_user(user, &[]).unwrap();
    }
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}"#;
    for role in ["docs-ci", "tidegate-docs"] {
        account.iam().create_role(role, trust, &[]).unwrap();
    }
    drop(account);
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:ListBucket","s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":["arn:aws:s3:::acme-docs","arn:aws:s3:::acme-docs/*"]}]}"#;
    for file in ["policy.json", "old-policy.json"] {
        std::fs::write(directory.path().join(file), policy).unwrap();
    }
    let run = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').filter(|word| !word.is_empty()).collect();
        let output = directory.run(&arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout) + &text(&output.stderr)
    };
    run("group create editors s3://www.example.com/");
    let commands = commands("credentials.md");
    assert!(commands.len() >= 15, "{commands:?}");
    for command in &commands {
        match command.as_str() {
            // Needs a profile of an account.
            "publish docs --profile acme" => {}
            "check --aws" => drop(run("policy site docs --apply --role tidegate-docs") + &run(command)),
            command => drop(run(command)),
        }
    }
}

/// The script of the page about Taskcluster reads a secret of Taskcluster's form, and prints what `credential_process` is
/// to print.
#[test]
fn the_secret_of_a_ci_task_is_read_as_the_page_says() {
    let page = std::fs::read_to_string("../docs/migrating-from/taskcluster.md").unwrap();
    let script = page.split("```sh\n").find(|block| block.contains("curl")).unwrap().split("```").next().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let run = |status: &'static str, body: &'static str| {
        let here = format!("http://{}/", server.local_addr().unwrap());
        let script = script.replace("http://taskcluster/", &here);
        let listener = server.try_clone().unwrap();
        let answer = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        (output, answer.join().unwrap())
    };
    let secret = r#"{"secret": {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "k/\"e$y"}, "expires": "2030-01-01"}"#;
    let (output, request) = run("200 OK", secret);
    assert!(request.starts_with("GET /secrets/v1/secret/repo:github.com/myblog/myblog.com HTTP/1.1"), "{request}");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, json!({ "Version": 1, "AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "k/\"e$y" }));
    // A task without the scope.
    let (denied, _) = run("403 Forbidden", r#"{"code": "InsufficientScopes"}"#);
    assert!(!denied.status.success() && denied.stdout.is_empty(), "{denied:?}");
}
