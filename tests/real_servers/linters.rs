//! Generated policies checked by third-party linters and compared with those of s3-credentials, and IAM changes sent to moto.
//!
//! moto checks the form of IAM requests, but no permissions.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tidegate_core::config::{Config, FunctionConfig, Site};
use tidegate_emulator::LocalAws;
use tidegate_iam::document::{Partition, PolicyLimit};
use tidegate_iam::policies::{
    BucketAccess, BucketGrant, CiPublisher, Grant, S3Sync, SessionTags, UploadPlace, caller, lambda, site,
    state_machine, upload_grant, uploader,
};

use tidegate_tests::skipped::skipped;

use crate::server::Server;

const ACCOUNT: &str = "123456789012";

/// A program of the linters' environment; `None` where it is not installed.
pub(crate) fn linter(name: &str, test: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/linters/bin").join(name);
    if !path.exists() {
        skipped(test, "the linters are not installed; run `scripts/servers install linters`");
        return None;
    }
    Some(path)
}

fn bucket_grant(access: BucketAccess, prefix: &str) -> BucketGrant {
    BucketGrant {
        partition: Partition::default(),
        buckets: vec!["one-bucket".parse().unwrap()],
        prefix: prefix.parse().unwrap(),
        access,
        custom: None,
        statements: Vec::new(),
    }
}

fn grants() -> Vec<Grant> {
    let text = r#"
        state = "s3://acme-artifacts/tidegate/"
        state-kms-key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000002"
        [[site]]
        name = "docs"
        builds = "s3://acme-artifacts/builds/docs/"
        builds-kms-key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000001"
        target = "s3://docs.acme.com/v1/"
        role = "arn:aws:iam::123456789012:role/tidegate-docs"
        cdn = [{ distribution = "E2EXAMPLE", origin-path = "/v1" }]
        objects = { acl = "public-read", encryption = "aws:kms", kms-key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000000" }
        [[site.webhook]]
        provider = "github"
        repository = "acme/docs"
        branch = "main"
        secrets = ["secretsmanager:repo/github.com/acme/docs", "ssm:/tidegate/docs"]
    "#;
    let sites: Vec<Site> = Config::parse(text).unwrap().sites;
    let named: Vec<&Site> = sites.iter().collect();
    let sync = S3Sync {
        partition: Partition::default(),
        account: ACCOUNT.to_owned(),
        target: "s3://www.acme.com/site".parse().unwrap(),
        distributions: vec!["E1EXAMPLE".to_owned().try_into().unwrap()],
        delete: true,
        acl: true,
        find_distribution: true,
        configure_bucket: true,
    };
    let pipeline = |dev| CiPublisher {
        partition: Partition::default(),
        account: ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        bucket: "acme-dist".parse().unwrap(),
        prefix: "release".parse().unwrap(),
        dev_prefix: "*/feature/".to_owned(),
        codeartifact_domain: Some("acme".to_owned()),
        allow_delete: true,
        dev,
        path: "/ci/".to_owned(),
        name: "publisher".to_owned(),
    };
    let staging = "s3://acme-artifacts/builds".parse().unwrap();
    let mut all: Vec<Grant> = sites.iter().map(|one| site(one, ACCOUNT, &[])).collect();
    all.extend([
        caller(&named, ACCOUNT, SessionTags::Transitive),
        lambda(&named, ACCOUNT, "us-east-1", &FunctionConfig::default()),
        state_machine(&named, ACCOUNT, "us-east-1", &FunctionConfig::default()),
        uploader(&Partition::default(), &staging),
        upload_grant(
            &Partition::default(),
            &[
                UploadPlace::Builds(staging.clone()),
                UploadPlace::Staged("s3://acme-artifacts/staged/".parse().unwrap()),
                UploadPlace::Zip("s3://acme-artifacts/site.zip".parse().unwrap()),
            ],
            Some(&"arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-0000-0000-000000000001".parse().unwrap()),
        ),
        sync.grant(),
        pipeline(false).grant().unwrap(),
        pipeline(true).grant().unwrap(),
    ]);
    all
}

/// The findings of a linter, one line each.
pub(crate) fn findings(python: &Path, linter: &str, documents: &[(String, String)]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("real_servers/linters.py");
    let mut child =
        Command::new(python).arg(script).arg(linter).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), documents).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{linter} failed");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn documents() -> Vec<(String, String)> {
    let mut documents: Vec<(String, String)> =
        grants().into_iter().map(|grant| (grant.name, grant.document.compact().unwrap())).collect();
    for access in [BucketAccess::ReadOnly, BucketAccess::WriteOnly, BucketAccess::ReadWrite] {
        for prefix in ["", "docs"] {
            let grant = bucket_grant(access, prefix);
            documents.push((grant.user_name(), grant.text(PolicyLimit::User).unwrap()));
        }
    }
    documents
}

/// A document with an invalid action, which both linters must report.
fn invalid() -> Vec<(String, String)> {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:HeadObject","Resource":"arn:aws:s3:::a/*"}}"#;
    vec![("invalid".to_owned(), text.to_owned())]
}

#[test]
fn parliament_has_no_findings() {
    let Some(python) = linter("python", "parliament_has_no_findings") else { return };
    assert_eq!(findings(&python, "parliament", &documents()), Vec::<String>::new());
    assert_ne!(findings(&python, "parliament", &invalid()), Vec::<String>::new());
}

#[test]
fn iam_policy_validator_has_no_findings() {
    let Some(python) = linter("python", "iam_policy_validator_has_no_findings") else { return };
    assert_eq!(findings(&python, "validator", &documents()), Vec::<String>::new());
    assert_ne!(findings(&python, "validator", &invalid()), Vec::<String>::new());
}

/// Whether the emulator allows each request to a user with this document.
fn allows(document: &str, requests: &[(&str, String, Option<&str>)]) -> Vec<bool> {
    let account = LocalAws::in_memory().unwrap();
    account.iam().create_user("holder", &[("policy", document)]).unwrap();
    let key = account.iam().create_access_key("holder").unwrap();
    let results = requests.iter().map(|(action, resource, prefix)| {
        let context: Vec<(&str, &str)> = prefix.map(|prefix| ("s3:prefix", prefix)).into_iter().collect();
        account
            .iam()
            .authorize(&key.id, &tidegate_emulator::iam::AccessRequest { action, resource, context: &context })
            .is_ok()
    });
    results.collect()
}

#[test]
fn policies_allow_the_same_requests_as_those_of_s3_credentials() {
    let Some(tool) = linter("s3-credentials", "policies_allow_the_same_requests_as_those_of_s3_credentials") else {
        return;
    };
    let objects = ["docs/a", "docs/b/c", "docs2/a", "docs", "a"].map(|key| format!("arn:aws:s3:::one-bucket/{key}"));
    let elsewhere =
        ["arn:aws:s3:::other-bucket/docs/a", "arn:aws:s3:::one-bucket2/docs/a", "arn:aws:s3:::other-bucket"];
    let mut requests: Vec<(&str, String, Option<&str>)> = Vec::new();
    for action in [
        "s3:GetObject",
        "s3:GetObjectAcl",
        "s3:GetObjectTagging",
        "s3:GetObjectRetention",
        "s3:GetObjectLegalHold",
        "s3:PutObject",
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:AbortMultipartUpload",
        "s3:GetObjectVersion",
    ] {
        requests.extend(objects.iter().map(|object| (action, object.clone(), None)));
        requests.extend(elsewhere.iter().map(|object| (action, (*object).to_owned(), None)));
    }
    for action in
        ["s3:ListBucket", "s3:GetBucketLocation", "s3:PutBucketPolicy", "s3:DeleteBucket", "s3:ListAllMyBuckets"]
    {
        for bucket in ["arn:aws:s3:::one-bucket", "arn:aws:s3:::other-bucket", "*"] {
            requests.extend(
                [None, Some("docs/"), Some("docs/b"), Some("docs2/"), Some("")]
                    .map(|prefix| (action, bucket.to_owned(), prefix)),
            );
        }
    }
    for (access, option) in [
        (BucketAccess::ReadOnly, "--read-only"),
        (BucketAccess::WriteOnly, "--write-only"),
        (BucketAccess::ReadWrite, ""),
    ] {
        for prefix in ["", "docs/"] {
            let mut command = Command::new(&tool);
            command.args(["policy", "one-bucket"]);
            if !option.is_empty() {
                command.arg(option);
            }
            if !prefix.is_empty() {
                command.args(["--prefix", prefix]);
            }
            let output: Output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let theirs = allows(&String::from_utf8(output.stdout).unwrap(), &requests);
            let ours = allows(&bucket_grant(access, prefix).text(PolicyLimit::User).unwrap(), &requests);
            for ((request, theirs), ours) in requests.iter().zip(theirs).zip(ours) {
                // The only intended difference: write access includes aborting multipart uploads.
                let is_intended =
                    request.0 == "s3:AbortMultipartUpload" && ours && !theirs && access != BucketAccess::ReadOnly;
                assert!(
                    ours == theirs || is_intended,
                    "{access:?} `{prefix}` {request:?}: theirs {theirs}, ours {ours}"
                );
            }
        }
    }
}

#[test]
fn identities_are_created_and_deleted_in_moto() {
    let server = match Server::start("moto", |port| vec![port.to_string()]) {
        Ok(server) => server,
        Err(reason) => return skipped("identities_are_created_and_deleted_in_moto", &reason),
    };
    let directory = TempDir::new().unwrap();
    let run = |arguments: &[&str]| {
        let output = server.command(directory.path(), "test").arg("--json").args(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let key = run(&["credentials", "create", "acme-bucket", "-c", "--prefix", "docs", "--username", "lea"]);
    assert_eq!(key["UserName"], "lea");
    let session = run(&["credentials", "create", "acme-bucket", "--duration", "15m"]);
    assert!(session["SessionToken"].is_string(), "{session}");
    run(&["group", "create", "publishers", "s3://acme-bucket/", "--user", "lea"]);
    assert_eq!(run(&["group", "list", "publishers"])["users"], serde_json::json!(["lea"]));
    let names = |report: &Value| -> Vec<String> {
        let changes = report["changes"].as_array().unwrap().iter();
        changes.map(|change| change["change"].as_str().unwrap().to_owned()).collect()
    };
    let apply = ["policy", "s3-sync", "s3://acme-bucket/", "--apply", "--user", "lea", "--group", "publishers"];
    assert_eq!(names(&run(&apply)), ["create-policy", "attach-user-policy", "attach-group-policy"]);
    let again = run(&[&apply[..], &["--dry-run"]].concat());
    assert_eq!(again["changes"], serde_json::json!([]), "the second run changes nothing");
    let updated = run(&["policy", "s3-sync", "s3://acme-bucket/x/", "--apply", "--name", "s3-sync-acme-bucket"]);
    assert_eq!(updated["changes"][0]["change"], "update-policy", "{updated}");
    let remove = ["policy", "s3-sync", "s3://acme-bucket/", "--remove"];
    assert_eq!(names(&run(&[&remove[..], &["--user", "lea"]].concat())), ["detach-user-policy"]);
    assert_eq!(names(&run(&remove)), ["detach-group-policy", "delete-policy-version", "delete-policy"]);
    assert_eq!(names(&run(&remove)), Vec::<String>::new(), "the second run changes nothing");
    let guard = ["policy", "uploader", "s3://acme-bucket/builds/"];
    assert_eq!(
        names(&run(&[&guard[..], &["--create-only", "--apply"]].concat())),
        ["create-policy", "set-bucket-policy"]
    );
    assert_eq!(names(&run(&[&guard[..], &["--remove"]].concat())), ["delete-policy", "delete-bucket-policy"]);
    run(&["credentials", "delete-user", "lea"]);
    run(&["group", "delete", "publishers"]);
    assert_eq!(run(&["credentials", "list-users"])["users"], serde_json::json!([]));
}
