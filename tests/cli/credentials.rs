//! `credentials`, `policy` and `group` as people type them: what is printed is what its readers take, and no secret is anywhere
//! else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;
use tidegate_tests::binary::{binary, cache};

use crate::{Place, SITE};

const CREATE: [&str; 4] = ["credentials", "create", "acme-bucket", "--create-bucket"];

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn each_format_is_what_its_readers_take_and_secrets_are_nowhere_else() {
    let place = Place::new(SITE);
    let created = |more: &[&str]| {
        let output = place.run(&[&["-vv"], &CREATE[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let (json, said) = created(&[]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (json["UserName"].as_str(), json["Status"].as_str()),
        (Some("s3.read-write.acme-bucket"), Some("Active"))
    );
    assert!(!said.contains(json["SecretAccessKey"].as_str().unwrap()), "{said}");

    let (process, said) = created(&["--duration", "15m", "--format", "process"]);
    let process: Value = serde_json::from_str(&process).unwrap();
    assert_eq!(process["Version"], 1);
    for secret in ["SecretAccessKey", "SessionToken"] {
        assert!(!said.contains(process[secret].as_str().unwrap()), "{secret} in {said}");
    }
    let (ini, _) = created(&["--duration", "1h", "--format", "ini"]);
    assert_eq!(ini.lines().next(), Some("[default]"));
    assert!(ini.contains("aws_session_token="), "{ini}");
    let (env, _) = created(&["--duration", "1h", "--format", "env"]);
    let shell = Command::new("sh").arg("-c").arg(format!("{env}\nprintf %s \"$AWS_ACCESS_KEY_ID\"")).output().unwrap();
    assert!(text(&shell.stdout).starts_with("ASIA"), "{env}");
    let (nothing, said) = created(&["--duration", "1h", "--out", "keys.json"]);
    assert_eq!(nothing, "");
    let file = place.0.path().join("keys.json");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(!said.contains(kept["SecretAccessKey"].as_str().unwrap()), "{said}");
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777,
        0o600
    );
    let again = place.run(&[&CREATE[..], &["--duration", "1h", "--out", "keys.json"]].concat());
    assert_eq!(again.status.code(), Some(2), "a file that is there is never overwritten");
    let silent = place.run(&[&CREATE[..], &["--duration", "15m", "--silent"]].concat());
    assert_eq!(text(&silent.stderr), "");
}

#[test]
fn a_dry_run_shows_documents_and_changes_nothing() {
    let place = Place::new(SITE);
    let (code, told) = place.json(&[&CREATE[..], &["--prefix", "docs", "--read-only", "--dry-run"]].concat());
    assert_eq!(code, 0);
    let changes: Vec<&str> =
        told["changes"].as_array().unwrap().iter().map(|change| change["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["create-bucket", "create-user", "put-user-policy", "create-access-key"]);
    assert!(told.to_string().contains("acme-bucket/docs/*"), "{told}");
    let (_, users) = place.json(&["credentials", "list-users"]);
    assert_eq!(users["users"], Value::Array(Vec::new()));
    let missing = place.run(&["credentials", "create", "acme-bucket"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("add `--create-bucket`"));
}

#[test]
fn a_policy_of_ones_own_comes_from_a_file_and_mistakes_are_named() {
    let place = Place::new(SITE);
    let own = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject*"],"Resource":["arn:aws:s3:::$!BUCKET_NAME!$/*"]}]}"#;
    std::fs::write(place.0.path().join("own.json"), own).unwrap();
    let printed = place.run(&["credentials", "policy", "one-bucket", "two-bucket", "--policy", "own.json"]);
    let printed = text(&printed.stdout);
    assert!(printed.contains("one-bucket/*") && printed.contains("two-bucket/*"), "{printed}");
    for (arguments, expected) in [
        (vec!["credentials", "policy", "one-bucket", "--policy", "{\"a\":1,}"], "trailing comma"),
        (vec!["credentials", "policy", "one-bucket", "--statement", "{}"], "the statement is wrong"),
        (vec!["credentials", "policy", "one-bucket", "--policy", "nowhere.json"], "`nowhere.json` cannot be read"),
        (vec!["credentials", "create", "one-bucket", "--duration", "5m"], "15 minutes to 12 hours"),
        (vec!["credentials", "delete-user", "nobody"], "there is no user `nobody`"),
        (vec!["policy", "trust", "--github", "acme/*"], "is no organisation"),
        (vec!["group", "list", "nobody"], "there is no group `nobody`"),
    ] {
        let output = place.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn policies_are_printed_made_and_linted() {
    let place = Place::new(SITE);
    let printed = place.run(&["policy", "site", "docs"]);
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(document["Version"], "2012-10-17");
    assert!(text(&printed.stderr).contains("WriteSite: to compare, write"), "{}", text(&printed.stderr));
    for (format, expected) in
        [("terraform", "data \"aws_iam_policy_document\""), ("cloudformation", "AWS::IAM::ManagedPolicy")]
    {
        let output = text(&place.run(&["policy", "site", "docs", "--format", format]).stdout);
        assert!(output.contains(expected), "{output}");
    }
    let first = place.run(&["policy", "site", "docs", "--apply", "--account", "000000000000"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let again = place.run(&["policy", "site", "docs", "--apply", "--dry-run", "--account", "000000000000"]);
    assert_eq!(text(&again.stdout), "nothing to do\n");
    std::fs::write(place.0.path().join("policy.json"), &printed.stdout).unwrap();
    assert_eq!(text(&place.run(&["policy", "lint", "policy.json"]).stdout), "nothing to say against it\n");
    std::fs::write(
        place.0.path().join("wide.json"),
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
    )
    .unwrap();
    let lacking = place.run(&["policy", "lint", "policy.json", "--needs", "invalidate"]);
    assert_eq!(lacking.status.code(), Some(0), "{}", text(&lacking.stdout));
    let wide = place.run(&["policy", "lint", "wide.json"]);
    assert!(wide.status.success() && text(&wide.stdout).contains("name the actions"), "{}", text(&wide.stdout));
}

#[test]
fn groups_are_made_filled_and_removed() {
    let place = Place::new(SITE);
    let run = |arguments: &[&str]| {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    run(&[&CREATE[..], &["--username", "lea"]].concat());
    let (_, said) = run(&["group", "create", "publishers", "s3://acme-bucket/", "--user", "lea"]);
    assert!(said.contains("root keys"), "whoever works with root keys is told: {said}");
    let (listed, _) = run(&["group", "list", "publishers"]);
    assert_eq!(listed, "user    lea\npolicy  s3-sync-acme-bucket\n");
    run(&["group", "remove", "publishers", "lea"]);
    run(&["group", "delete", "publishers"]);
    assert_eq!(run(&["group", "list"]).0, "");
}

/// One request; the status and the body.
fn ask(address: &str, path: &str, host: &str, token: Option<&str>) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let token = token.map(|token| format!("Authorization: {token}\r\n")).unwrap_or_default();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n{token}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn the_local_server_hands_out_sessions_to_this_machine_alone() {
    let place = Place::new(SITE);
    assert!(place.run(&CREATE).status.success());
    let mut child = Command::new(binary())
        .current_dir(place.0.path())
        .env("XDG_CACHE_HOME", cache())
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "open sesame")
        .args(["--local", "aws", "credentials", "localserver", "acme-bucket", "--read-only", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    said.read_line(&mut line).unwrap();
    let address = line.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let token = Some("open sesame");
    let (status, first) = ask(&address, "/", &address, token);
    assert_eq!(status, 200, "{first}");
    let value: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(value["Version"], 1);
    assert_eq!(ask(&address, "/", &address, token).1, first, "the same session while it has time left");
    let (_, container) = ask(&address, "/container", &address, token);
    assert_eq!(serde_json::from_str::<Value>(&container).unwrap()["Token"], value["SessionToken"]);
    // A page of another site whose name was bound to this machine, and whoever lacks the token.
    assert_eq!(ask(&address, "/", "evil.example.com", token).0, 421);
    assert_eq!(ask(&address, "/", &address, None).0, 403);
    assert_eq!(ask(&address, "/", &address, Some("other")).0, 403);
    child.kill().unwrap();
    child.wait().unwrap();
    let elsewhere = place.run(&["credentials", "localserver", "acme-bucket", "--listen", "0.0.0.0:0"]);
    assert_eq!(elsewhere.status.code(), Some(2));
    assert!(text(&elsewhere.stderr).contains("can be reached by others"));
}
