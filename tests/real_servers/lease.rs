//! The lease on third-party servers with atomic conditional writes: concurrent processes publish one site, one after the
//! other. radosgw cannot be used (it refuses every put with `If-Match`), nor s3s-fs (its `If-None-Match` is not atomic).

use std::collections::BTreeSet;
use std::process::Stdio;

use aws_sdk_s3::Client;
use serde_json::Value;
use tempfile::TempDir;
use tidegate_core::lease::LeaseRecord;
use tidegate_core::release::ReleasePointer;

use tidegate_tests::skipped::skipped;

use crate::server::Server;

/// Concurrent processes.
const PROCESSES: usize = 8;

/// Rounds. In the first one there is no lease yet.
const ROUNDS: usize = 3;

const CONFIGURATION: &str = r#"state = "s3://state/tidegate/"

[[site]]
name = "docs"
target = "s3://site/"
lease-seconds = 10
keep = { releases = 50, days = 0 }

[[site.sync]]
plugin = "mime"
"#;

async fn text(client: &Client, bucket: &str, key: &str) -> String {
    let response = client.get_object().bucket(bucket).key(key).send().await.unwrap();
    String::from_utf8(response.body.collect().await.unwrap().to_vec()).unwrap()
}

/// Each process publishes its own page. Every report must be right.
async fn race(server: &str, test: &str) {
    let server = match Server::start(server, |port| vec![port.to_string()]) {
        Ok(server) => server,
        Err(reason) => return skipped(test, &reason),
    };
    let config = server.configuration("test", "test");
    let client = Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    for bucket in ["site", "state"] {
        client.create_bucket().bucket(bucket).send().await.unwrap();
    }
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("tidegate.toml"), CONFIGURATION).unwrap();
    let mut ids = BTreeSet::new();
    for round in 0..ROUNDS {
        let children: Vec<_> = (0..PROCESSES)
            .map(|number| {
                let source = directory.path().join(format!("{round}-{number}"));
                std::fs::create_dir_all(&source).unwrap();
                std::fs::write(source.join("index.html"), format!("{round}-{number}")).unwrap();
                server
                    .command(directory.path(), "test")
                    .args(["--json", "publish", "docs"])
                    .args(["--from", source.to_str().unwrap(), "--release", &format!("{round}-{number}")])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let mut reports: Vec<Value> = Vec::new();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(0), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
            reports.push(serde_json::from_str(&stdout).unwrap());
        }
        // Each run made its own release, and none was lost.
        let new: BTreeSet<String> = reports.iter().map(|report| report["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(new.len(), PROCESSES, "{new:?}");
        assert!(reports.iter().all(|report| report["outcome"] == "live"), "{reports:#?}");
        ids.extend(new);

        let pointer: ReleasePointer =
            serde_json::from_str(&text(&client, "state", "tidegate/docs/current.json").await).unwrap();
        let named: BTreeSet<String> = pointer.releases.iter().map(|entry| entry.id.to_string()).collect();
        assert_eq!(named, ids, "the pointer names every release");
        assert_eq!(pointer.fence, ids.len() as u64, "the lease was acquired once for each release");
        assert_eq!(text(&client, "site", "index.html").await, pointer.live().unwrap().release.as_str());
    }
    let lease: LeaseRecord = serde_json::from_str(&text(&client, "state", "tidegate/docs/lease.json").await).unwrap();
    assert_eq!(lease.holder, "", "the lease is released");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_processes_publish_one_after_the_other_to_ministack() {
    race("ministack", "concurrent_processes_publish_one_after_the_other_to_ministack").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_processes_publish_one_after_the_other_to_moto() {
    race("moto", "concurrent_processes_publish_one_after_the_other_to_moto").await;
}
