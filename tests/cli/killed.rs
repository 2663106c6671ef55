//! The binary, killed with SIGKILL at every one of its requests, before AWS sees it and after AWS has answered; then run
//! again. The site is what an undisturbed run makes of it, nothing is left over, and the CDN was told once.

use std::collections::BTreeSet;
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

/// Whom to kill, and when.
#[derive(Clone, Default)]
struct Executioner {
    requests: Arc<AtomicUsize>,
    victim: Arc<Mutex<Option<Child>>>,
    /// At which request, and whether AWS has answered it; nobody where absent.
    at: Option<(usize, bool)>,
}

impl Executioner {
    async fn kill(&self) {
        // The process may be faster than whoever started it.
        let mut victim = loop {
            if let Some(victim) = self.victim.lock().unwrap().take() {
                break victim;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        victim.kill().unwrap();
        victim.wait().unwrap();
    }

    async fn meet(self, request: Request, next: Next) -> Response {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        match self.at {
            Some((at, false)) if number == at => {
                self.kill().await;
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            Some((at, true)) if number == at => {
                let answer = next.run(request).await;
                self.kill().await;
                answer
            }
            // What the dead had on its way is not sent any more.
            Some((at, _)) if number > at => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            _ => next.run(request).await,
        }
    }
}

/// Serves an account, through an executioner, and answers where.
async fn serve(account: &LocalAws, executioner: &Executioner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let executioner = executioner.clone();
    let guarded: Router = account
        .router()
        .layer(middleware::from_fn(move |request: Request, next: Next| executioner.clone().meet(request, next)));
    tokio::spawn(async move { axum::serve(listener, guarded).await });
    format!("http://{address}")
}

fn command(place: &Path, endpoint: &str, credentials: &Credentials) -> Command {
    let mut command = Command::new(binary());
    command
        .current_dir(place)
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

/// A world with two releases, and the third about to be published.
async fn begin() -> (World, PathBuf) {
    let world = world().await;
    for (name, files) in [("c1", ONE), ("c2", TWO)] {
        assert_eq!(publish_of(&world, KEEP, name, files).await.publish().await.unwrap().outcome, Outcome::Live);
    }
    publish_of(&world, KEEP, "c3", THREE).await;
    let place = world.directory().to_owned();
    // Whoever dies holds the lease for a second.
    let mortal = configuration(KEEP).replacen("[[site]]", "[[site]]\nlease-seconds = 1", 1);
    std::fs::write(place.join("tidegate.toml"), mortal).unwrap();
    (world, place)
}

/// Runs the binary; how it ended, or nothing where it was killed.
async fn run(world: &World, place: &Path, at: Option<(usize, bool)>) -> (Option<i32>, String, usize) {
    let executioner = Executioner { at, ..Executioner::default() };
    let endpoint = serve(&world.account, &executioner).await;
    let child = command(place, &endpoint, &world.account.root_credentials()).spawn().unwrap();
    *executioner.victim.lock().unwrap() = Some(child);
    let waiting = executioner.clone();
    let (code, said) = tokio::task::spawn_blocking(move || {
        loop {
            let mut victim = waiting.victim.lock().unwrap();
            let Some(child) = victim.as_mut() else { return (None, String::new()) };
            if child.try_wait().unwrap().is_some() {
                let output = victim.take().unwrap().wait_with_output().unwrap();
                let said =
                    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
                return (output.status.code(), said);
            }
            drop(victim);
            std::thread::sleep(Duration::from_millis(5));
        }
    })
    .await
    .unwrap();
    (code, said, executioner.requests.load(Ordering::SeqCst))
}

async fn killed_at(
    at: usize,
    answered: bool,
    site: &std::collections::BTreeMap<String, String>,
    paths: &BTreeSet<String>,
) -> bool {
    let (world, place) = begin().await;
    let before = invalidated_paths(&world.account).len();
    let (code, ..) = run(&world, &place, Some((at, answered))).await;
    let case = format!("killed at request {}, answered: {answered}", at + 1);
    let (again, said, _) = run(&world, &place, None).await;
    assert_eq!(again, Some(0), "{case}: {said}");
    assert_eq!(&visible(&world.account).await, site, "{case}");
    assert_tidy(&world.account).await;
    assert_eq!(
        invalidated_paths(&world.account).split_off(before),
        std::slice::from_ref(paths),
        "the CDN is told once: {case}"
    );
    code.is_none()
}

#[test]
fn a_process_that_is_killed_anywhere_leaves_a_site_that_the_next_run_finishes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (world, place) = begin().await;
        let (code, said, requests) = run(&world, &place, None).await;
        assert_eq!(code, Some(0), "{said}");
        assert_tidy(&world.account).await;
        let (site, paths) = (visible(&world.account).await, invalidated_paths(&world.account).pop().unwrap());
        let cases = (0..requests).flat_map(|at| [(at, false), (at, true)]);
        let (site, paths) = (&site, &paths);
        let killed: Vec<bool> = stream::iter(cases)
            .map(|(at, answered)| killed_at(at, answered, site, paths))
            .buffer_unordered(6)
            .collect()
            .await;
        let count = killed.iter().filter(|killed| **killed).count();
        println!("{count} processes were killed, over {requests} requests");
        assert!(requests > 20 && count + 4 >= killed.len(), "{count} of {} were killed", killed.len());
    });
}
