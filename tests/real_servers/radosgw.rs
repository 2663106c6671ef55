//! Publishing to Ceph's object gateway, a third-party S3 server that enforces policies.
//!
//! It is reliable for the permissions of roles and sessions (actions, resources, `s3:prefix`, source and destination of a
//! copy), for signatures, and for objects after puts, copies and deletes. It ignores the conditions of copies and deletes, and
//! has no CloudFront. For `DeleteObjects`, version 16 requires `s3:DeleteObject` on the bucket, AWS on each object. Pages of a
//! listing may have fewer than 1,000 keys.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use tempfile::TempDir;
use tidegate_core::config::Site;
use tidegate_core::plan::Plan;
use tidegate_core::report::Outcome;
use tidegate_iam::document::{PolicyDocument, SessionScope};
use tidegate_publish::progress::NoProgress;
use tidegate_publish::publish::Publisher;
use tidegate_publish::{Connection, Sts};
use tidegate_tests::plugins::plugin_loader;
use tidegate_tests::world;

use crate::releases::{PLUGINS, assert_release, objects, publish, publish_both, stage, write_release};
use tidegate_tests::skipped::skipped;

use crate::server::{Server, free_port};

/// A tenant, which has the place of the account in ARNs.
const ACCOUNT: &str = "000000000000";

fn radosgw_admin(home: &Path, arguments: &[&str]) {
    let output = Command::new("radosgw-admin")
        .args(["-n", "client.rgw.a", "-c"])
        .arg(home.join("ceph.conf"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Asserts that the credentials for a plan work below the target only.
async fn assert_credentials_are_scoped(server: &Server, connection: &Connection, plan: &Plan, site: &Site) {
    let role = site.role.as_ref().unwrap();
    let policy =
        PolicyDocument::writing(&role.partition(), plan, SessionScope::default()).session(&site.target).unwrap();
    let credentials = Sts::new(connection).assume_for(role, "stolen", &policy, Duration::from_secs(900)).await.unwrap();
    let config = server
        .configuration("", "")
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let s3 = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .build();
    let client = aws_sdk_s3::Client::from_conf(s3);
    let put = |bucket: &str, key: &str| {
        client.put_object().bucket(bucket).key(key).body(aws_sdk_s3::primitives::ByteStream::from_static(b"x")).send()
    };
    let assert_denied = |status: Option<u16>| assert_eq!(status, Some(403), "{policy}");
    for (bucket, key) in [("site", "role2/x"), ("site", "rol"), ("site", "role"), ("site", "own/x"), ("staging", "x")] {
        assert_denied(put(bucket, key).await.unwrap_err().raw_response().map(|response| response.status().as_u16()));
        let delete = client.delete_object().bucket(bucket).key(key).send().await;
        assert_denied(delete.unwrap_err().raw_response().map(|response| response.status().as_u16()));
    }
    // These keys exist: radosgw answers 404 for a missing key, even without permission to list.
    for key in ["own/index.html", "staged/index.html"] {
        let get = client.get_object().bucket("site").key(key).send().await;
        assert_denied(get.unwrap_err().raw_response().map(|response| response.status().as_u16()));
    }
    let list = client.list_objects_v2().bucket("site").prefix("own/").send().await;
    assert_denied(list.unwrap_err().raw_response().map(|response| response.status().as_u16()));
    // Below the target, the operations of the plan are allowed.
    put("site", "role/scratch").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishes_a_site_to_radosgw_with_scoped_credentials() {
    let directory = TempDir::new().unwrap();
    let mut home = directory.path().to_owned();
    let server = match Server::start("radosgw", |port| {
        let monitor = free_port();
        home = directory.path().join(format!("ceph-{monitor}"));
        vec![home.to_string_lossy().into_owned(), port.to_string(), monitor.to_string()]
    }) {
        Ok(server) => server,
        Err(reason) => return skipped("publishes_a_site_to_radosgw_with_scoped_credentials", &reason),
    };
    let (key, secret) = ("TESTKEY0000000000001", "testsecrettestsecrettestsecrettestsecret");
    let tenant = format!("--tenant={ACCOUNT}");
    radosgw_admin(
        &home,
        &[
            "user",
            "create",
            &tenant,
            "--uid=publisher",
            "--display-name=publisher",
            "--access-key",
            key,
            "--secret-key",
            secret,
            "--caps=roles=*",
        ],
    );
    let config = server.configuration(key, secret);
    let s3 = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .build();
    let client = aws_sdk_s3::Client::from_conf(s3);
    for bucket in ["site", "staging"] {
        client.create_bucket().bucket(bucket).send().await.unwrap();
    }

    // With the caller's own credentials, which have full access.
    let own = world::site(&format!("[[site]]\nname = \"docs\"\ntarget = \"s3://site/own/\"\n{PLUGINS}"));
    let publisher = Publisher::new(Connection::new(config, true), plugin_loader(), Arc::new(NoProgress));
    publish_both(&publisher, &own, &client, directory.path()).await;

    // From a staged prefix.
    let staged = world::site(&format!("[[site]]\nname = \"docs\"\ntarget = \"s3://site/staged/\"\n{PLUGINS}"));
    let source = stage(&client, "staging", 1).await;
    let (plan, report) = publish(&publisher, &staged, &source).await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(plan.totals.bytes_to_write, 0);
    let unconditional: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(unconditional, ["unconditional-copies"], "this server ignores conditions of copies");
    assert_release(&objects(&client, &staged.target).await, 1);
    let (plan, report) = publish(&publisher, &staged, &source).await;
    assert_eq!(report.outcome, Outcome::Unchanged, "{:#?}", plan.operations);

    // With a role that has full access, restricted by the session policies for planning and writing.
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":["arn:aws:iam::{ACCOUNT}:user/publisher"]}},"Action":["sts:AssumeRole"]}}]}}"#
    );
    let all =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}"#;
    radosgw_admin(&home, &["role", "create", &tenant, "--role-name=publisher", "--assume-role-policy-doc", &trust]);
    radosgw_admin(
        &home,
        &["role-policy", "put", &tenant, "--role-name=publisher", "--policy-name=all", "--policy-doc", all],
    );
    let mut role = world::site(&format!(
        "[[site]]\nname = \"docs\"\ntarget = \"s3://site/role/\"\nrole = \"arn:aws:iam::{ACCOUNT}:role/publisher\"\n{PLUGINS}"
    ));
    role.delete = false;
    for release in [1, 2] {
        let source = write_release(directory.path(), release);
        let (plan, report) = publish(&publisher, &role, &source).await;
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        assert_credentials_are_scoped(&server, &publisher.connection, &plan, &role).await;
        client.delete_object().bucket("site").key("role/scratch").send().await.unwrap();
        let (plan, report) = publish(&publisher, &role, &source).await;
        assert_eq!(report.outcome, Outcome::Unchanged, "{:#?}", plan.operations);
    }
    // Deletes, which this server denies (see above), are reported by key, and nothing else is changed.
    role.delete = true;
    let (plan, report) = publish(&publisher, &role, &write_release(directory.path(), 2)).await;
    assert_eq!((plan.totals.delete, plan.operations.len()), (2, 2));
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    let failed: Vec<&str> = report.done.failures.iter().map(|failed| failed.key.as_str()).collect();
    assert_eq!(failed, ["gone.html", "img/before.bin"]);
    assert!(report.done.failures.iter().all(|failed| failed.why.contains("AccessDenied")), "{report}");
    let mut remaining = objects(&client, &role.target).await;
    assert!(remaining.remove("gone.html").is_some() && remaining.remove("img/before.bin").is_some());
    assert_release(&remaining, 2);

    // The other prefixes are unchanged.
    assert_release(&objects(&client, &own.target).await, 2);
    assert_release(&objects(&client, &staged.target).await, 1);
}
