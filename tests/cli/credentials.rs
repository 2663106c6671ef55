//! `tidegate credentials`, `policy` and `group`: output formats, dry runs and errors. Secrets appear only on standard output.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;
use tidegate_tests::binary::{binary, cache};

use crate::{SITE, TestDirectory};

const CREATE: [&str; 4] = ["credentials", "create", "acme-bucket", "--create-bucket"];

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn prints_every_format_and_no_secret_on_standard_error() {
    let directory = TestDirectory::new(SITE);
    let create = |options: &[&str]| {
        let output = directory.run(&[&["-vv"], &CREATE[..], options].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let (json, stderr) = create(&[]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (json["UserName"].as_str(), json["Status"].as_str()),
        (Some("s3.read-write.acme-bucket"), Some("Active"))
    );
    assert!(!stderr.contains(json["SecretAccessKey"].as_str().unwrap()), "{stderr}");

    let (process, stderr) = create(&["--duration", "15m", "--format", "process"]);
    let process: Value = serde_json::from_str(&process).unwrap();
    assert_eq!(process["Version"], 1);
    for secret in ["SecretAccessKey", "SessionToken"] {
        assert!(!stderr.contains(process[secret].as_str().unwrap()), "{secret} in {stderr}");
    }
    let (ini, _) = create(&["--duration", "1h", "--format", "ini"]);
    assert_eq!(ini.lines().next(), Some("[default]"));
    assert!(ini.contains("aws_session_token="), "{ini}");
    let (env, _) = create(&["--duration", "1h", "--format", "env"]);
    let shell = Command::new("sh").arg("-c").arg(format!("{env}\nprintf %s \"$AWS_ACCESS_KEY_ID\"")).output().unwrap();
    assert!(text(&shell.stdout).starts_with("ASIA"), "{env}");
    let (stdout, stderr) = create(&["--duration", "1h", "--out", "keys.json"]);
    assert_eq!(stdout, "");
    let file = directory.path().join("keys.json");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(!stderr.contains(written["SecretAccessKey"].as_str().unwrap()), "{stderr}");
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777,
        0o600
    );
    let again = directory.run(&[&CREATE[..], &["--duration", "1h", "--out", "keys.json"]].concat());
    assert_eq!(again.status.code(), Some(2), "an existing file is never overwritten");
    let silent = directory.run(&[&CREATE[..], &["--duration", "15m", "--silent"]].concat());
    assert_eq!(text(&silent.stderr), "");
}

#[test]
fn a_dry_run_shows_documents_and_changes_nothing() {
    let directory = TestDirectory::new(SITE);
    let (code, report) = directory.json(&[&CREATE[..], &["--prefix", "docs", "--read-only", "--dry-run"]].concat());
    assert_eq!(code, 0);
    let changes: Vec<&str> =
        report["changes"].as_array().unwrap().iter().map(|change| change["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["create-bucket", "create-user", "put-user-policy", "create-access-key"]);
    assert!(report.to_string().contains("acme-bucket/docs/*"), "{report}");
    let (_, users) = directory.json(&["credentials", "list-users"]);
    assert_eq!(users["users"], Value::Array(Vec::new()));
    let missing = directory.run(&["credentials", "create", "acme-bucket"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("add `--create-bucket`"));
}

#[test]
fn reads_a_custom_policy_from_a_file_and_reports_mistakes() {
    let directory = TestDirectory::new(SITE);
    let custom = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject*"],"Resource":["arn:aws:s3:::$!BUCKET_NAME!$/*"]}]}"#;
    std::fs::write(directory.path().join("custom.json"), custom).unwrap();
    let printed = directory.run(&["credentials", "policy", "one-bucket", "two-bucket", "--policy", "custom.json"]);
    let printed = text(&printed.stdout);
    assert!(printed.contains("one-bucket/*") && printed.contains("two-bucket/*"), "{printed}");
    for (arguments, expected) in [
        (vec!["credentials", "policy", "one-bucket", "--policy", "{\"a\":1,}"], "trailing comma"),
        (vec!["credentials", "policy", "one-bucket", "--statement", "{}"], "invalid statement at `/Effect`: "),
        (
            vec!["credentials", "policy", "one-bucket", "--policy", "nowhere.json"],
            "cannot read the policy `nowhere.json`",
        ),
        (vec!["credentials", "create", "one-bucket", "--duration", "5m"], "15 minutes to 12 hours"),
        (vec!["policy", "s3-sync", "s3://one-bucket/", "--apply", "--user", "missing"], "no user named `missing`"),
        (vec!["policy", "s3-sync", "s3://one-bucket/", "--role", "ci"], "need `--apply` or `--remove`"),
        (vec!["policy", "uploader", "docs"], "has neither `builds` nor a `staged` place in S3"),
        (
            vec!["credentials", "create", "one-bucket", "--username", "a", "--username", "b", "--format", "env"],
            "hold the key of one user",
        ),
        (vec!["credentials", "delete-user", "missing"], "no user named `missing`"),
        (vec!["policy", "trust", "--github", "acme/*"], "invalid organization or repository of GitHub `acme/*`"),
        (vec!["group", "list", "missing"], "no group named `missing`"),
    ] {
        let output = directory.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn prints_applies_and_lints_policies() {
    let directory = TestDirectory::new(SITE);
    let printed = directory.run(&["policy", "site", "docs"]);
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(document["Version"], "2012-10-17");
    assert!(text(&printed.stderr).contains("WriteSite: to compare, write"), "{}", text(&printed.stderr));
    for (format, expected) in
        [("terraform", "data \"aws_iam_policy_document\""), ("cloudformation", "AWS::IAM::ManagedPolicy")]
    {
        let output = text(&directory.run(&["policy", "site", "docs", "--format", format]).stdout);
        assert!(output.contains(expected), "{output}");
    }
    let first = directory.run(&["policy", "site", "docs", "--apply", "--account", "000000000000"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let again = directory.run(&["policy", "site", "docs", "--apply", "--dry-run", "--account", "000000000000"]);
    assert_eq!(text(&again.stdout), "up to date\n");
    std::fs::write(directory.path().join("policy.json"), &printed.stdout).unwrap();
    assert_eq!(text(&directory.run(&["policy", "lint", "policy.json"]).stdout), "no findings\n");
    std::fs::write(
        directory.path().join("over-permissive.json"),
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
    )
    .unwrap();
    let with_needs = directory.run(&["policy", "lint", "policy.json", "--needs", "invalidate"]);
    assert_eq!(with_needs.status.code(), Some(0), "{}", text(&with_needs.stdout));
    let linted = directory.run(&["policy", "lint", "over-permissive.json"]);
    assert!(linted.status.success() && text(&linted.stdout).contains("name the actions"), "{}", text(&linted.stdout));
}

#[test]
fn creates_fills_and_deletes_groups() {
    let directory = TestDirectory::new(SITE);
    let run = |arguments: &[&str]| {
        let output = directory.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    run(&[&CREATE[..], &["--username", "lea"]].concat());
    let (_, stderr) = run(&["group", "create", "publishers", "s3://acme-bucket/", "--user", "lea"]);
    assert!(!stderr.contains("root"), "the caller in the emulator is always its root user: {stderr}");
    let (listed, _) = run(&["group", "list", "publishers"]);
    assert_eq!(listed, "user    lea\npolicy  s3-sync-acme-bucket\n");
    run(&["group", "remove", "publishers", "lea"]);
    run(&["group", "delete", "publishers"]);
    assert_eq!(run(&["group", "list"]).0, "");
}

/// Sends a request; returns the status and the body.
fn get(address: &str, path: &str, host: &str, token: Option<&str>) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let token = token.map(|token| format!("Authorization: {token}\r\n")).unwrap_or_default();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n{token}Connection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (status, response.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn the_local_server_serves_sessions_to_this_machine_only() {
    let directory = TestDirectory::new(SITE);
    assert!(directory.run(&CREATE).status.success());
    let mut child = Command::new(binary())
        .current_dir(directory.path())
        .env("XDG_CACHE_HOME", cache())
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "open sesame")
        .args(["--local", "aws", "credentials", "localserver", "acme-bucket", "--read-only", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    let (_, url) = line.split_once("http://").unwrap();
    let address = url.split('/').next().unwrap().to_owned();
    let token = Some("open sesame");
    let (status, first) = get(&address, "/", &address, token);
    assert_eq!(status, 200, "{first}");
    let value: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(value["Version"], 1);
    assert_eq!(get(&address, "/", &address, token).1, first, "the session is reused until it is about to expire");
    let (_, container) = get(&address, "/container", &address, token);
    assert_eq!(serde_json::from_str::<Value>(&container).unwrap()["Token"], value["SessionToken"]);
    // A page of another site whose name resolves to this machine (DNS rebinding), and requests without the token.
    assert_eq!(get(&address, "/", "evil.example.com", token).0, 421);
    assert_eq!(get(&address, "/", &address, None).0, 403);
    assert_eq!(get(&address, "/", &address, Some("other")).0, 403);
    child.kill().unwrap();
    child.wait().unwrap();
    let public = directory.run(&["credentials", "localserver", "acme-bucket", "--listen", "0.0.0.0:0"]);
    assert_eq!(public.status.code(), Some(2));
    assert!(text(&public.stderr).contains("is reachable from other machines"));
}

#[test]
fn the_local_server_creates_a_token_by_default() {
    let directory = TestDirectory::new(SITE);
    assert!(directory.run(&CREATE).status.success());
    let serve = |options: &[&str]| {
        let mut child = Command::new(binary())
            .current_dir(directory.path())
            .env("XDG_CACHE_HOME", cache())
            .env_remove("AWS_CONTAINER_AUTHORIZATION_TOKEN")
            .args(["--local", "aws", "credentials", "localserver", "acme-bucket", "--listen", "127.0.0.1:0"])
            .args(options)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        (child, lines)
    };
    let address = |line: &str| line.split_once("http://").unwrap().1.trim_end_matches('/').to_owned();

    let (mut child, mut lines) = serve(&[]);
    let process = lines.next().unwrap();
    let host = address(&process);
    lines.next().unwrap();
    let line = lines.next().unwrap();
    let token = line.strip_prefix("AWS_CONTAINER_AUTHORIZATION_TOKEN=").unwrap();
    assert_eq!(token.len(), 64, "{line}");
    assert!(process.contains(&format!("-H 'Authorization: {token}'")), "{process}");
    assert_eq!(get(&host, "/container", &host, Some(token)).0, 200);
    for other in [None, Some(""), Some("x"), token.get(1..), Some(&token.to_uppercase()), Some(&format!("{token}0"))] {
        assert_eq!(get(&host, "/container", &host, other).0, 403, "{other:?}");
    }
    // The printed command works as a `credential_process`.
    let command = process.strip_prefix("credential_process = ").unwrap();
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["Version"], 1);
    child.kill().unwrap();
    child.wait().unwrap();

    let (mut child, mut lines) = serve(&["--without-token"]);
    let host = address(&lines.next().unwrap());
    assert_eq!(get(&host, "/container", &host, None).0, 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn creates_several_users_at_once() {
    let directory = TestDirectory::new(SITE);
    let users = ["--username", "lea", "--username", "ci"];
    let (code, dry) = directory.json(&[&CREATE[..], &users, &["--dry-run"]].concat());
    let changes = dry["changes"].as_array().unwrap().iter().map(|change| change["change"].as_str().unwrap());
    let expected = ["create-user", "put-user-policy", "create-access-key"];
    assert_eq!((code, changes.collect::<Vec<_>>()), (0, [&["create-bucket"], &expected[..], &expected].concat()));
    let created = directory.run(&[&CREATE[..], &users].concat());
    assert_eq!(created.status.code(), Some(0), "{}", text(&created.stderr));
    let keys: Value = serde_json::from_slice(&created.stdout).unwrap();
    let names: Vec<&str> = keys.as_array().unwrap().iter().map(|key| key["UserName"].as_str().unwrap()).collect();
    assert_eq!(names, ["lea", "ci"]);
    assert_ne!(keys[0]["AccessKeyId"], keys[1]["AccessKeyId"]);
    let ini = directory.run(&[&CREATE[..], &["--username", "ada", "--username", "bo", "--format", "ini"]].concat());
    let ini = text(&ini.stdout);
    assert!(ini.starts_with("[ada]\n") && ini.contains("\n\n[bo]\n"), "{ini}");
}

#[test]
fn applies_attaches_and_removes_policies() {
    let directory = TestDirectory::new(
        "[[site]]\nname = \"docs\"\nbuilds = \"s3://acme-bucket/builds/docs/\"\nstaged = \"s3://acme-bucket/staged.zip\"\ntarget = \"s3://site/\"\n",
    );
    let run = |arguments: &[&str]| {
        let output = directory.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    run(&[&CREATE[..], &["--username", "ci"]].concat());
    run(&["group", "create", "editors", "s3://acme-bucket/"]);
    let (printed, _) = run(&["policy", "uploader", "docs"]);
    for resource in ["acme-bucket/builds/docs/*", "acme-bucket/staged.zip"] {
        assert!(printed.contains(resource), "{printed}");
    }
    assert!(!printed.contains("bucket-policy"), "{printed}");
    let (guarded, _) = run(&["policy", "uploader", "docs", "--create-only"]);
    assert!(guarded.contains("bucket-policy") && guarded.contains("DenyReplacingBuilds"), "{guarded}");
    let apply = ["policy", "uploader", "docs", "--create-only", "--apply", "--user", "ci", "--group", "editors"];
    let (_, log) = run(&apply);
    for change in ["create the policy", "to the user `ci`", "to the group `editors`", "set the policy of the bucket"] {
        assert!(log.contains(change), "{change}: {log}");
    }
    assert!(run(&apply).1.contains("up to date"));
    let remove = ["policy", "uploader", "docs", "--remove"];
    let (shown, _) = run(&[&remove[..], &["--dry-run"]].concat());
    assert!(shown.contains("would detach") && shown.contains("would delete the policy of the bucket"), "{shown}");
    let (_, log) = run(&[&remove[..], &["--user", "ci"]].concat());
    assert!(log.starts_with("detach arn:") && !log.contains("delete"), "{log}");
    let (_, log) = run(&remove);
    assert!(
        log.contains("from the group `editors`") && !log.contains("`ci`") && log.contains("delete the policy arn"),
        "{log}"
    );
    assert!(run(&remove).1.contains("up to date"));
    // A boundary for S3 only makes permissions for CloudFront ineffective.
    let (_, warned) =
        run(&["policy", "s3-sync", "s3://acme-bucket/", "--distribution", "E2EXAMPLE", "--apply", "--user", "ci"]);
    assert!(warned.contains("the permissions boundary of `ci` allows S3 only"), "{warned}");
    let (_, warned) =
        run(&["group", "create", "cdn", "s3://acme-bucket/", "--distribution", "E2EXAMPLE", "--user", "ci"]);
    assert!(warned.contains("the permissions boundary of `ci` allows S3 only"), "{warned}");
}

#[test]
fn a_website_address_is_that_of_the_region() {
    let directory = TestDirectory::new(SITE);
    for (bucket, options, address) in [
        ("one-bucket", &[][..], "http://one-bucket.s3-website-us-east-1.amazonaws.com/"),
        (
            "two-bucket",
            &["--bucket-region", "eu-central-1"],
            "http://two-bucket.s3-website.eu-central-1.amazonaws.com/",
        ),
    ] {
        let create = ["credentials", "create", bucket, "--create-bucket", "--website"];
        let output = directory.run(&[&create[..], options].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(address), "{}", text(&output.stderr));
    }
}
