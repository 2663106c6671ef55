//! The first hour with the program: missing credentials, wrong paths, rollbacks, waiting and Ctrl-C.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tidegate_emulator::LocalAws;
use tidegate_emulator::s3::StoredHeaders;
use tidegate_tests::binary::{binary, cache};
use tokio::net::TcpListener;
use tokio::sync::Notify;

pub(crate) const RELEASES: &str = "state = \"s3://docs-state/\"\n\n[[site]]\nname = \"docs\"\nstaged = \"public\"\ntarget = \"s3://docs-site/\"\n\n[[site.sync]]\nplugin = \"mime\"\n";

/// A directory with a configuration and a build.
pub(crate) struct Project(TempDir);

impl Project {
    pub(crate) fn new(configuration: &str) -> Self {
        let project = Self(TempDir::new().unwrap());
        std::fs::write(project.path("tidegate.toml"), configuration).unwrap();
        project.build("public", &[("index.html", "<p>one")]);
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces a directory, as a build does.
    pub(crate) fn build(&self, name: &str, files: &[(&str, &str)]) {
        let directory = self.path(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        for (file, text) in files {
            let path = directory.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    /// A command without any settings of AWS.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.current_dir(self.0.path()).args(arguments).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("HOME", self.0.path()).env("XDG_CACHE_HOME", cache()).env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::new(self.command(arguments).output().unwrap())
    }

    fn local(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["--local", "aws"], arguments].concat())
    }

    fn account(&self) -> LocalAws {
        LocalAws::open(&self.path("aws")).unwrap()
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Asserts that the command ended with one line on standard error.
    pub(crate) fn assert_error(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(parts.iter().all(|part| self.stderr.contains(part)), "{parts:?} in {self:?}");
        for debug in ["dispatch failure", "SdkError", "Some(", "\\n", "provider was not enabled"] {
            assert!(!self.stderr.contains(debug), "{self:?}");
        }
    }
}

#[test]
fn missing_credentials_are_one_sentence_with_a_remedy() {
    let project = Project::new(RELEASES);
    let ended = project.run(&["plan", "docs"]);
    ended.assert_error(2, &["no AWS credentials", "`AWS_PROFILE`", "`aws sso login`", "`--local DIR`"]);
    let json = project.run(&["--json", "plan", "docs"]);
    let error: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &error["kind"]), (Some(2), &Value::from("configuration")));
}

#[test]
fn names_the_profile_that_does_not_exist() {
    let project = Project::new(RELEASES);
    std::fs::create_dir(project.path(".aws")).unwrap();
    std::fs::write(project.path(".aws/config"), "[profile acme]\nregion = eu-west-1\n").unwrap();
    let parts = ["no AWS profile named `nope`", "`acme`"];
    project.run(&["plan", "docs", "--profile", "nope"]).assert_error(2, &parts);
    let ended = Ended::new(project.command(&["plan", "docs"]).env("AWS_PROFILE", "nope").output().unwrap());
    ended.assert_error(2, &parts);
    // It exists, and has no credentials.
    project.run(&["plan", "docs", "--profile", "acme"]).assert_error(2, &["`acme`", "`aws sso login --profile acme`"]);
}

/// Answers every request with 403, and returns the first one.
fn first_request(listener: &std::net::TcpListener) -> String {
    let (mut connection, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    let mut bytes = [0; 4_096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match connection.read(&mut bytes).unwrap() {
            0 => break,
            count => request.extend_from_slice(&bytes[..count]),
        }
    }
    connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    String::from_utf8_lossy(&request).into_owned()
}

/// `aws login` stores a session in a cache that the profile names.
#[test]
fn a_profile_of_aws_login_signs_requests() {
    let project = Project::new(RELEASES);
    let session = "arn:aws:iam::123456789012:user/lea";
    std::fs::create_dir_all(project.path(".aws/login/cache")).unwrap();
    let profile = format!("[profile acme]\nregion = eu-west-1\nlogin_session = {session}\n");
    std::fs::write(project.path(".aws/config"), profile).unwrap();
    let token = json!({
        "accessToken": {
            "accessKeyId": "ASIAIOSFODNN7EXAMPLE", "secretAccessKey": "secret", "sessionToken": "token-of-lea",
            "accountId": "123456789012", "expiresAt": "2999-01-01T00:00:00Z",
        },
        "tokenType": "aws_sigv4", "refreshToken": "r", "idToken": "i",
        "clientId": "arn:aws:signin:::devtools/same-device", "dpopKey": "not used before the session ends",
    });
    let name = format!("{}.json", hex::encode(Sha256::digest(session)));
    std::fs::write(project.path(".aws/login/cache").join(name), token.to_string()).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let request = std::thread::spawn(move || {
        let first = first_request(&listener);
        std::thread::spawn(move || {
            loop {
                first_request(&listener);
            }
        });
        first
    });
    let ended = project.run(&["plan", "docs", "--profile", "acme", "--endpoint-url", &endpoint]);
    assert_ne!(ended.code, Some(0));
    let request = request.join().unwrap().to_lowercase();
    assert!(request.contains("credential=asiaiosfodnn7example/"), "{request}{ended:?}");
    assert!(request.contains("x-amz-security-token: token-of-lea"), "{request}");
}

#[test]
fn refuses_endpoints_without_a_scheme() {
    let ended = Project::new(RELEASES).run(&["--endpoint-url", "localhost:9000", "plan", "docs"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("`http://127.0.0.1:9000`"), "{ended:?}");
}

#[test]
fn a_source_that_does_not_exist_is_a_usage_error() {
    let project = Project::new(RELEASES);
    for source in ["nowhere", "nowhere.zip", "tidegate.toml"] {
        let ended = project.local(&["plan", "docs", "--from", source]);
        ended.assert_error(2, &[source]);
    }
}

#[test]
fn says_where_state_belongs() {
    let project =
        Project::new("[[site]]\nname = \"docs\"\ntarget = \"s3://docs-site/\"\nstate = \"s3://docs-state/\"\n");
    let ended = project.run(&["check"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("above the first `[[site]]`"), "{ended:?}");
}

#[test]
fn help_lists_global_options_apart() {
    let ended = Project::new(RELEASES).run(&["publish", "--help"]);
    let (own, global) = ended.stdout.split_once("Global options:").unwrap();
    assert!(own.contains("--lock-timeout") && !own.contains("--endpoint-url"), "{own}");
    assert!(
        ["--endpoint-url", "--profile", "--region", "--local"].iter().all(|name| global.contains(name)),
        "{global}"
    );
}

#[test]
fn guard_names_the_flags_of_sync() {
    let project = Project::new("");
    project.build("empty", &[]);
    let sync = |source: &str, flags: &[&str]| {
        project.local(&[&["sync", source, "s3://docs-site/", "--delete"], flags].concat())
    };
    let ended = sync("empty", &[]);
    assert!(ended.code == Some(1) && ended.stdout.contains("use `--allow-empty`"), "{ended:?}");
    project.build("three", &[("a.txt", "a"), ("b.txt", "b"), ("c.txt", "c")]);
    assert_eq!(sync("three", &[]).code, Some(0));
    let ended = sync("public", &["--max-deletes", "2"]);
    assert!(ended.code == Some(1) && ended.stdout.contains("`--max-deletes COUNT`"), "{ended:?}");
    assert!(!ended.stdout.contains("[/"), "settings are not named: {ended:?}");
    assert_eq!(sync("public", &["--max-deletes", "3"]).code, Some(0));
}

#[test]
fn sync_applies_settings_to_existing_objects() {
    let project = Project::new("");
    let sync = |flags: &[&str]| project.local(&[&["sync", "public", "s3://docs-site/"], flags].concat());
    assert_eq!(sync(&[]).code, Some(0));
    let ended = sync(&["--storage-class", "STANDARD_IA", "--sse", "AES256"]);
    assert!(ended.code == Some(0) && ended.stdout.contains("0 written, 1 headers updated"), "{ended:?}");
    let again = sync(&["--storage-class", "STANDARD_IA", "--sse", "AES256"]);
    assert!(again.code == Some(0) && again.stdout.contains("up to date"), "{again:?}");
    // The emulator has no ACLs of objects, so success is not claimed.
    let unknown = sync(&["--acl", "private"]);
    assert!(unknown.code == Some(3) && unknown.stderr.contains("GetObjectAcl"), "{unknown:?}");
}

/// Publishes `one`, `two` and `three` as r1, r2 and r3.
fn three_releases(configuration: &str) -> Project {
    let project = Project::new(configuration);
    for name in ["one", "two", "three"] {
        project.build("public", &[("index.html", name), (&format!("{name}.css"), "a{}")]);
        let ended = project.local(&["publish", "docs", "--release", name]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    project
}

#[test]
fn a_second_rollback_returns_and_says_so() {
    let project = three_releases(RELEASES);
    let first = project.local(&["rollback", "docs"]);
    assert!(first.stdout.contains("rollback from r3 (`three`) to r2 (`two`)\n"), "{first:?}");
    let second = project.local(&["rollback", "docs"]);
    let returned = "rollback from r4 (`two`) to r3 (`three`), which was live before the last rollback";
    assert!(second.stdout.contains(returned) && second.stdout.contains("name a release"), "{second:?}");
    let releases = project.local(&["releases", "docs"]);
    assert!(releases.stdout.lines().next().unwrap().contains("TIME (UTC)"), "{releases:?}");
    assert_eq!(releases.stdout.lines().filter(|line| line.trim_start().starts_with('r')).count(), 5, "{releases:?}");
}

#[test]
fn explains_objects_of_earlier_releases() {
    let project = three_releases(RELEASES);
    let asset = project.local(&["explain", "docs", "one.css"]);
    assert!(asset.code == Some(0) && asset.stdout.contains("kept on the site for releases up to r1"), "{asset:?}");
}

#[test]
fn a_held_rollback_says_how_to_approve_it() {
    let guard = "\n[[site.policy]]\nplugin = \"guard\"\nsettings = { max-changes = 2 }\n";
    let project = three_releases(&format!("{RELEASES}{guard}"));
    std::fs::write(project.path("tidegate.toml"), format!("{RELEASES}{}", guard.replace('2', "0"))).unwrap();
    let held = project.local(&["rollback", "docs", "r1"]);
    let command = "tidegate rollback docs --plan plan.json --approve";
    assert!(held.code == Some(1) && held.stdout.contains(command), "{held:?}");
    let saved = project.local(&["rollback", "docs", "r1", "--out", "plan.json"]);
    assert!(saved.code == Some(1) && saved.stdout.contains(command), "{saved:?}");
    assert_eq!(project.local(&["rollback", "docs", "--plan", "plan.json"]).code, Some(1));
    let approved = project.local(&["rollback", "docs", "--plan", "plan.json", "--approve"]);
    assert!(approved.code == Some(0) && approved.stdout.contains("docs r4: live"), "{approved:?}");
}

#[test]
fn waiting_is_reported_without_a_terminal() {
    let project = Project::new(RELEASES);
    assert_eq!(project.local(&["publish", "docs"]).code, Some(0));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let account = project.account();
    let lease = r#"{"format":2,"fence":9,"holder":"x","release":"other","seconds":60,"renewals":4}"#;
    let put = account.s3().put("docs-state", "docs/lease.json", lease, StoredHeaders::default());
    runtime.block_on(put).unwrap();
    drop(account);
    let ended = project.local(&["publish", "docs", "--lock-timeout", "2"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    for part in ["waiting for the publish of `other`, which started at ", " UTC; taking over in ", "giving up in "] {
        assert!(ended.stderr.contains(part), "{part} in {ended:?}");
    }
}

pub(crate) fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Serves an account; a `PUT` of `index.html` never ends, once `reached` is notified.
async fn serve_until_index(account: &LocalAws, reached: Arc<Notify>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router: Router = account.router().layer(middleware::from_fn(move |request: Request, next: Next| {
        let reached = Arc::clone(&reached);
        async move {
            if request.method() == "PUT" && request.uri().path().ends_with("docs-site/index.html") {
                reached.notify_one();
                std::future::pending::<()>().await;
            }
            next.run(request).await
        }
    }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[test]
fn interrupted_publishes_release_the_lease() {
    for signal in ["-INT", "-TERM"] {
        let project = Project::new(RELEASES);
        project.build("public", &[("index.html", "<p>one"), ("style.css", "a{}")]);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let account = project.account();
            for bucket in ["docs-site", "docs-state"] {
                account.s3().create_bucket(bucket).await.unwrap();
            }
            let reached = Arc::new(Notify::new());
            let endpoint = serve_until_index(&account, Arc::clone(&reached)).await;
            let credentials = account.root_credentials();
            let child = project
                .command(&["--endpoint-url", &endpoint, "--region", "us-east-1", "publish", "docs"])
                .env("AWS_ACCESS_KEY_ID", credentials.access_key_id())
                .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            reached.notified().await;
            send(signal, &child);
            let ended = tokio::task::spawn_blocking(|| Ended::new(child.wait_with_output().unwrap())).await.unwrap();
            ended.assert_error(130, &["interrupted after 1 of 2 operations; run the same command again to finish"]);
        });
        drop(runtime);
        let begun = Instant::now();
        let ended = project.local(&["publish", "docs"]);
        assert!(ended.code == Some(0) && !ended.stderr.contains("waiting"), "{ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}

#[test]
fn explains_what_the_listing_left_out() {
    let project = Project::new(&format!("{RELEASES}\n[[site.sync]]\nplugin = \"exclude\"\n"));
    project
        .build("public", &[("index.html", "<p>"), (".git/config", "1"), (".git/objects/a", "1"), ("a.html~", "<p>")]);
    std::os::unix::fs::symlink("gone", project.path("public/.#index.html")).unwrap();
    let planned = project.local(&["plan", "docs"]);
    for line in [
        "  2 files excluded by plugins\n",
        "  1 folder excluded by plugins, and not read\n",
        "    `.git/`: matches `.git`, a default\n",
    ] {
        assert!(planned.stdout.contains(line), "{planned:?}");
    }
    for (key, effect) in [
        (".git/config", "excluded with the folder `.git/`"),
        (".git/never-there", "excluded with the folder `.git/`"),
        (".git/", "excluded with the folder `.git/`"),
        (".#index.html", "excluded"),
    ] {
        let explained = project.local(&["explain", "docs", key]);
        let expected = format!("{key}: excluded; plan: none\n  `exclude`: matches `");
        assert!(explained.code == Some(0) && explained.stdout.starts_with(&expected), "{explained:?}");
        assert!(explained.stdout.ends_with(&format!("a default [/defaults]\n    {effect}\n")), "{explained:?}");
    }
    std::fs::write(project.path("public/Icon\r"), "").unwrap();
    let explained = project.local(&["explain", "docs", "Icon\r"]);
    assert!(
        explained.stdout.starts_with("Icon\\r: excluded; plan: none\n  `exclude`: matches `Icon\\r`"),
        "{explained:?}"
    );
    std::fs::remove_file(project.path("public/Icon\r")).unwrap();
    let published = project.local(&["publish", "docs"]);
    assert!(published.stdout.contains("`.git/` was not read: excluded by `exclude`: matches `.git`"), "{published:?}");
    let report: Value = serde_json::from_str(&project.local(&["--json", "publish", "docs"]).stdout).unwrap();
    assert_eq!(report["excluded-folders"][0]["path"], ".git/");
    assert_eq!((&report["totals"]["excluded"], &report["totals"]["excluded-folders"]), (&3.into(), &1.into()));
}
