//! Ceph's object gateway, an S3 of other authors that enforces policies.
//!
//! To be trusted for permissions of roles and sessions (actions, resources, `s3:prefix`, source and destination of a copy),
//! for signatures, and for what an object is after puts, copies and deletes. Not for conditional copies and deletes, which it
//! ignores, nor for CloudFront, which it lacks, nor for `DeleteObjects` under a policy: version 16 asks for `s3:DeleteObject`
//! on the bucket, AWS on each object. Its pages of a listing may hold fewer than 1,000 keys.

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

use crate::released::{PLUGINS, assert_release, both_releases, held, lay, publish, stage};
use crate::server::{Server, free_port, skipped};

/// A tenant stands for an account: its name is where an ARN names one.
const ACCOUNT: &str = "000000000000";

fn admin(home: &Path, arguments: &[&str]) {
    let output = Command::new("radosgw-admin")
        .args(["-n", "client.rgw.a", "-c"])
        .arg(home.join("ceph.conf"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The credentials of a plan, in other hands: they work on the site, and nowhere else.
async fn refused_elsewhere(server: &Server, connection: &Connection, plan: &Plan, site: &Site) {
    let role = site.role.as_ref().unwrap();
    let policy =
        PolicyDocument::writing(&role.partition(), plan, SessionScope::default()).session(&site.target).unwrap();
    let made = Sts::new(connection).assume_for(role, "stolen", &policy, Duration::from_secs(900)).await.unwrap();
    let config =
        server.configuration("", "").to_builder().credentials_provider(SharedCredentialsProvider::new(made)).build();
    let s3 = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .build();
    let client = aws_sdk_s3::Client::from_conf(s3);
    let put = |bucket: &str, key: &str| {
        client.put_object().bucket(bucket).key(key).body(aws_sdk_s3::primitives::ByteStream::from_static(b"x")).send()
    };
    let status = |status: Option<u16>| assert_eq!(status, Some(403), "{policy}");
    for (bucket, key) in [("site", "role2/x"), ("site", "rol"), ("site", "role"), ("site", "own/x"), ("staging", "x")] {
        status(put(bucket, key).await.unwrap_err().raw_response().map(|answer| answer.status().as_u16()));
        let delete = client.delete_object().bucket(bucket).key(key).send().await;
        status(delete.unwrap_err().raw_response().map(|answer| answer.status().as_u16()));
    }
    // This server says of a key that is not there that it is not, whoever asks; so what is read is there.
    for key in ["own/index.html", "staged/index.html"] {
        let get = client.get_object().bucket("site").key(key).send().await;
        status(get.unwrap_err().raw_response().map(|answer| answer.status().as_u16()));
    }
    let list = client.list_objects_v2().bucket("site").prefix("own/").send().await;
    status(list.unwrap_err().raw_response().map(|answer| answer.status().as_u16()));
    // Within the site they do what the plan does.
    put("site", "role/scratch").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_is_published_to_radosgw() {
    let place = TempDir::new().unwrap();
    let mut home = place.path().to_owned();
    let server = match Server::start("radosgw", |port| {
        let monitor = free_port();
        home = place.path().join(format!("ceph-{monitor}"));
        vec![home.to_string_lossy().into_owned(), port.to_string(), monitor.to_string()]
    }) {
        Ok(server) => server,
        Err(why) => return skipped("a_site_is_published_to_radosgw", &why),
    };
    let (key, secret) = ("TESTKEY0000000000001", "testsecrettestsecrettestsecrettestsecret");
    let tenant = format!("--tenant={ACCOUNT}");
    admin(
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

    // With the caller's own credentials: every operation, on the whole bucket.
    let own = world::site(&format!("[[site]]\nname = \"docs\"\ntarget = \"s3://site/own/\"\n{PLUGINS}"));
    let publisher = Publisher::new(Connection::new(config, true), plugin_loader(), Arc::new(NoProgress));
    both_releases(&publisher, &own, &client, ("site", "own/"), place.path()).await;

    // Copied from a staged prefix.
    let staged = world::site(&format!("[[site]]\nname = \"docs\"\ntarget = \"s3://site/staged/\"\n{PLUGINS}"));
    let source = stage(&client, "staging", 1).await;
    let (plan, report) = publish(&publisher, &staged, &source).await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(plan.totals.bytes_to_write, 0);
    assert_release(&held(&client, "site", "staged/").await, 1);
    let (plan, report) = publish(&publisher, &staged, &source).await;
    assert_eq!(report.outcome, Outcome::Unchanged, "{:#?}", plan.operations);

    // Through a role that may do everything, narrowed by the sessions of planning and writing.
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":["arn:aws:iam::{ACCOUNT}:user/publisher"]}},"Action":["sts:AssumeRole"]}}]}}"#
    );
    let all =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}"#;
    admin(&home, &["role", "create", &tenant, "--role-name=publisher", "--assume-role-policy-doc", &trust]);
    admin(&home, &["role-policy", "put", &tenant, "--role-name=publisher", "--policy-name=all", "--policy-doc", all]);
    let mut role = world::site(&format!(
        "[[site]]\nname = \"docs\"\ntarget = \"s3://site/role/\"\nrole = \"arn:aws:iam::{ACCOUNT}:role/publisher\"\n{PLUGINS}"
    ));
    role.delete = false;
    for release in [1, 2] {
        let source = lay(place.path(), release);
        let (plan, report) = publish(&publisher, &role, &source).await;
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        refused_elsewhere(&server, &publisher.connection, &plan, &role).await;
        client.delete_object().bucket("site").key("role/scratch").send().await.unwrap();
        let (plan, report) = publish(&publisher, &role, &source).await;
        assert_eq!(report.outcome, Outcome::Unchanged, "{:#?}", plan.operations);
    }
    // What this server refuses is told by key, and nothing else happens.
    role.delete = true;
    let (plan, report) = publish(&publisher, &role, &lay(place.path(), 2)).await;
    assert_eq!((plan.totals.delete, plan.operations.len()), (2, 2));
    assert_eq!(report.outcome, Outcome::Failed, "{report}");
    let failed: Vec<&str> = report.done.failures.iter().map(|failed| failed.key.as_str()).collect();
    assert_eq!(failed, ["gone.html", "img/before.bin"]);
    assert!(report.done.failures.iter().all(|failed| failed.why.contains("AccessDenied")), "{report}");
    let mut left = held(&client, "site", "role/").await;
    assert!(left.remove("gone.html").is_some() && left.remove("img/before.bin").is_some());
    assert_release(&left, 2);

    // Nobody touched the others.
    assert_release(&held(&client, "site", "own/").await, 2);
    assert_release(&held(&client, "site", "staged/").await, 1);
}
