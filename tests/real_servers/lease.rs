//! The lease on servers that others wrote, and whose conditional writes are atomic: many processes at once want to publish
//! one site, and one after the other does. radosgw is not among them (its `If-Match` refuses every put), nor is s3s-fs (its
//! `If-None-Match` is not atomic).

use std::collections::BTreeSet;
use std::process::Stdio;

use aws_sdk_s3::Client;
use serde_json::Value;
use tempfile::TempDir;
use tidegate_core::lease::LeaseRecord;
use tidegate_core::release::ReleasePointer;

use crate::server::{Server, skipped};

/// Processes at once.
const PROCESSES: usize = 8;

/// Rounds: the first one takes a lease that nobody had.
const ROUNDS: usize = 3;

const CONFIGURATION: &str = r#"state = "s3://state/tidegate/"

[[site]]
name = "docs"
target = "s3://site/"
lease-seconds = 5
keep = { releases = 50, days = 0 }

[[site.sync]]
plugin = "mime"
"#;

async fn text(client: &Client, bucket: &str, key: &str) -> String {
    let answer = client.get_object().bucket(bucket).key(key).send().await.unwrap();
    String::from_utf8(answer.body.collect().await.unwrap().to_vec()).unwrap()
}

/// Everybody publishes a page of their own; everybody must be told the truth.
async fn race(name: &str, test: &str) {
    let server = match Server::start(name, |port| vec![port.to_string()]) {
        Ok(server) => server,
        Err(why) => return skipped(test, &why),
    };
    let config = server.configuration("test", "test");
    let client = Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    for bucket in ["site", "state"] {
        client.create_bucket().bucket(bucket).send().await.unwrap();
    }
    let place = TempDir::new().unwrap();
    std::fs::write(place.path().join("tidegate.toml"), CONFIGURATION).unwrap();
    let mut ids = BTreeSet::new();
    for round in 0..ROUNDS {
        let children: Vec<_> = (0..PROCESSES)
            .map(|number| {
                let source = place.path().join(format!("{round}-{number}"));
                std::fs::create_dir_all(&source).unwrap();
                std::fs::write(source.join("index.html"), format!("{round}-{number}")).unwrap();
                server
                    .command(place.path(), "test")
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
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
            reports.push(serde_json::from_str(&said).unwrap());
        }
        // Exactly one winner every time: no two runs made one release, and none was lost.
        let made: BTreeSet<String> = reports.iter().map(|report| report["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(made.len(), PROCESSES, "{made:?}");
        assert!(reports.iter().all(|report| report["outcome"] == "live"), "{reports:#?}");
        ids.extend(made);

        let pointer: ReleasePointer =
            serde_json::from_str(&text(&client, "state", "tidegate/docs/current.json").await).unwrap();
        let named: BTreeSet<String> = pointer.releases.iter().map(|past| past.id.to_string()).collect();
        assert_eq!(named, ids, "the pointer names every release");
        assert_eq!(pointer.fence, ids.len() as u64, "the lease was taken once for each");
        assert_eq!(text(&client, "site", "index.html").await, pointer.live().unwrap().release);
    }
    let lease: LeaseRecord = serde_json::from_str(&text(&client, "state", "tidegate/docs/lease.json").await).unwrap();
    assert_eq!(lease.holder, "", "nobody holds it any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_at_a_time_publishes_to_ministack() {
    race("ministack", "one_process_at_a_time_publishes_to_ministack").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_at_a_time_publishes_to_moto() {
    race("moto", "one_process_at_a_time_publishes_to_moto").await;
}
