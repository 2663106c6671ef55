//! Kills the binary with SIGKILL at each of its requests, before AWS receives it and after AWS has answered it, then runs
//! it again. The site must be as after an undisturbed run, without leftovers, and with one invalidation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use tidegate_core::report::Outcome;
use tidegate_emulator::LocalAws;
use tidegate_tests::World;
use tidegate_tests::binary::{binary, cache};
use tidegate_tests::releases::*;
use tokio::net::TcpListener;

const KEEP: &str = "{ releases = 2, days = 0 }";
const ONE: Files<'_> = &[("index.html", "one"), ("a1.css", "1"), ("old.html", "o"), ("x.js", "x")];
const TWO: Files<'_> = &[("index.html", "two"), ("a2.css", "2"), ("x.js", "x")];
const THREE: Files<'_> = &[("index.html", "three"), ("a3.css", "3"), ("new.html", "n"), ("x.js", "y")];

/// When the process is killed.
#[derive(Clone, Copy)]
struct KillPoint {
    /// The number of the request, from 0.
    request: usize,
    /// Whether AWS executes the request first.
    executed: bool,
}

/// Middleware in front of the emulator that kills the process at a request.
#[derive(Clone, Default)]
struct Killer {
    requests: Arc<AtomicUsize>,
    child: Arc<Mutex<Option<Child>>>,
    /// `None` lets the process run to its end.
    at: Option<KillPoint>,
}

impl Killer {
    async fn kill(&self) {
        // The process may send its first request before `run` has stored the child.
        let mut child = loop {
            if let Some(child) = self.child.lock().unwrap().take() {
                break child;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        child.kill().unwrap();
        child.wait().unwrap();
    }

    async fn intercept(self, request: Request, next: Next) -> Response {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        match self.at {
            Some(at) if number == at.request => {
                let response =
                    if at.executed { next.run(request).await } else { StatusCode::SERVICE_UNAVAILABLE.into_response() };
                self.kill().await;
                response
            }
            // Concurrent requests of the killed process have no effect.
            Some(at) if number > at.request => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            _ => next.run(request).await,
        }
    }
}

/// Serves an account behind a killer; returns the URL.
async fn serve(account: &LocalAws, killer: &Killer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let killer = killer.clone();
    let router: Router = account
        .router()
        .layer(middleware::from_fn(move |request: Request, next: Next| killer.clone().intercept(request, next)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn command(directory: &Path, endpoint: &str, credentials: &Credentials) -> Command {
    let mut command = Command::new(binary());
    command
        .current_dir(directory)
        .env("XDG_CACHE_HOME", cache())
        .env("AWS_ACCESS_KEY_ID", credentials.access_key_id())
        .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .args(["--json", "--endpoint-url", endpoint, "publish", "docs", "--from", "c3/source", "--release", "c3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A world with two releases, where the third is ready to be published.
async fn world_with_two_releases() -> (World, PathBuf) {
    let world = world().await;
    for (name, files) in [("c1", ONE), ("c2", TWO)] {
        assert_eq!(publish_of(&world, KEEP, name, files).await.publish().await.unwrap().outcome, Outcome::Live);
    }
    publish_of(&world, KEEP, "c3", THREE).await;
    let directory = world.directory().to_owned();
    std::fs::write(directory.join("tidegate.toml"), configuration(KEEP)).unwrap();
    (world, directory)
}

/// How a process ended.
struct EndedProcess {
    /// `None` if it was killed.
    code: Option<i32>,
    output: String,
    /// How many requests it sent.
    requests: usize,
}

async fn run(world: &World, directory: &Path, at: Option<KillPoint>) -> EndedProcess {
    let killer = Killer { at, ..Killer::default() };
    let endpoint = serve(&world.account, &killer).await;
    let child = command(directory, &endpoint, &world.account.root_credentials()).spawn().unwrap();
    *killer.child.lock().unwrap() = Some(child);
    let waiting = killer.clone();
    let (code, output) = tokio::task::spawn_blocking(move || {
        loop {
            let mut slot = waiting.child.lock().unwrap();
            let Some(child) = slot.as_mut() else { return (None, String::new()) };
            if child.try_wait().unwrap().is_some() {
                let output = slot.take().unwrap().wait_with_output().unwrap();
                let text =
                    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
                return (output.status.code(), text);
            }
            drop(slot);
            std::thread::sleep(Duration::from_millis(5));
        }
    })
    .await
    .unwrap();
    EndedProcess { code, output, requests: killer.requests.load(Ordering::SeqCst) }
}

/// Kills a run, runs it again, and compares the result with that of an undisturbed run; returns whether it was killed.
async fn recovers(at: KillPoint, site: &BTreeMap<String, String>, paths: &BTreeSet<String>) -> bool {
    let (world, directory) = world_with_two_releases().await;
    let before = invalidated_paths(&world.account).len();
    let first = run(&world, &directory, Some(at)).await;
    expire_lease(&world).await;
    let case = format!("killed at request {}, executed: {}", at.request + 1, at.executed);
    let second = run(&world, &directory, None).await;
    assert_eq!(second.code, Some(0), "{case}: {}", second.output);
    assert_eq!(&visible(&world.account).await, site, "{case}");
    assert_tidy(&world.account).await;
    assert_eq!(
        invalidated_paths(&world.account).split_off(before),
        std::slice::from_ref(paths),
        "one invalidation: {case}"
    );
    first.code.is_none()
}

#[test]
fn the_next_run_completes_a_run_that_was_killed_at_any_request() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (world, directory) = world_with_two_releases().await;
        let EndedProcess { code, output, requests } = run(&world, &directory, None).await;
        assert_eq!(code, Some(0), "{output}");
        assert_tidy(&world.account).await;
        let (site, paths) = (visible(&world.account).await, invalidated_paths(&world.account).pop().unwrap());
        let points = (0..requests).flat_map(|request| [false, true].map(|executed| KillPoint { request, executed }));
        let (site, paths) = (&site, &paths);
        let killed: Vec<bool> =
            stream::iter(points).map(|at| recovers(at, site, paths)).buffer_unordered(6).collect().await;
        let count = killed.iter().filter(|killed| **killed).count();
        println!("killed {count} processes, over {requests} requests");
        assert!(requests > 20 && count + 4 >= killed.len(), "killed {count} of {}", killed.len());
    });
}
