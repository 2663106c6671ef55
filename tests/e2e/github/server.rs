//! The part of GitHub's API that Tidegate speaks, on this machine: two hosts, one that knows tokens and one that wants none.
//!
//! Owns GitHub's conditions: who asks with which headers, how lists are cut into pages, that a signed address serves once, and
//! that the store refuses whoever sends it a token. Forms and statuses are those of GitHub's OpenAPI description
//! (`artifact`, `release-asset`, `status`, `deployment-status`) and of Azure's blob storage.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

/// The token that GitHub knows.
pub(super) const TOKEN: &str = "github_pat_11AAAAAAA0123456789_secret";

/// What part of a signed address nobody else may see.
pub(super) const SIGNATURE: &str = "sig=Zm9yLW9uZS1kb3dubG9hZC1vbmx5";

/// Where artifacts and assets are.
const REPOSITORY: &str = "/repos/acme/docs";

/// What is known, and what happened.
#[derive(Default)]
pub(super) struct Known {
    /// Artifacts by the run that they are of.
    pub(super) artifacts: BTreeMap<u64, Vec<Value>>,
    /// Assets by their release.
    pub(super) assets: BTreeMap<u64, Vec<Value>>,
    /// What the store holds, by artifact or asset.
    pub(super) bodies: BTreeMap<u64, Vec<u8>>,
    /// Answers of the API that come before any other.
    pub(super) troubles: VecDeque<(StatusCode, Vec<(&'static str, String)>)>,
    /// How many bytes the store sends of the next bodies before the connection ends.
    pub(super) cuts: VecDeque<usize>,
    /// Whether the store says how long a body is.
    pub(super) unmeasured: bool,
    /// Whether signed addresses are too old before they are asked.
    pub(super) stale: bool,
    /// Every request that was answered, with its status.
    pub(super) log: Vec<String>,
    /// The statuses that were set, by path.
    pub(super) statuses: Vec<(String, Value)>,
    signed: BTreeSet<u64>,
    signatures: u64,
    store: String,
}

/// GitHub.
#[derive(Clone)]
pub(super) struct Github {
    known: Arc<Mutex<Known>>,
    pub(super) api: String,
}

impl Github {
    pub(super) async fn start() -> Self {
        let known: Arc<Mutex<Known>> = Arc::default();
        let (api, store) = (
            serve(Router::new().fallback(api).with_state(known.clone())).await,
            serve(Router::new().fallback(store).with_state(known.clone())).await,
        );
        let github = Self { known, api };
        github.known().store = store;
        github
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// The run 7 has this artifact, whole and measured.
    pub(super) fn artifact(&self, id: u64, name: &str, body: &[u8]) {
        let artifact = json!({
            "id": id, "node_id": "MDg6QXJ0aWZhY3Q=", "name": name, "size_in_bytes": body.len(),
            "url": format!("{}{REPOSITORY}/actions/artifacts/{id}", self.api),
            "archive_download_url": format!("{}{REPOSITORY}/actions/artifacts/{id}/zip", self.api),
            "expired": false, "created_at": "2026-11-22T10:00:00Z", "expires_at": "2027-02-20T10:00:00Z",
            "updated_at": "2026-11-22T10:00:00Z", "digest": digest(body),
            "workflow_run": { "id": 7, "repository_id": 1, "head_repository_id": 1, "head_branch": "main", "head_sha": super::COMMIT },
        });
        let mut known = self.known();
        known.artifacts.entry(7).or_default().push(artifact);
        known.bodies.insert(id, body.to_vec());
    }

    /// The release 9 has this asset.
    pub(super) fn asset(&self, id: u64, name: &str, body: &[u8]) {
        let asset = json!({
            "url": format!("{}{REPOSITORY}/releases/assets/{id}", self.api), "id": id, "node_id": "MDEyOlJlbGVhc2U=",
            "name": name, "label": null, "state": "uploaded", "content_type": "application/zip", "size": body.len(),
            "digest": digest(body), "download_count": 0,
            "browser_download_url": format!("https://github.com/acme/docs/releases/download/v1/{name}"),
            "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z", "uploader": null,
        });
        let mut known = self.known();
        known.assets.entry(9).or_default().push(asset);
        known.bodies.insert(id, body.to_vec());
    }

    /// The state and the description of every status, in order.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        let text = |body: &Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
        self.known().statuses.iter().map(|(_, body)| (text(body, "state"), text(body, "description"))).collect()
    }

    /// How often the store was asked.
    pub(super) fn downloads(&self) -> usize {
        self.known().log.iter().filter(|line| line.starts_with("store ")).count()
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn digest(body: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(body)))
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(tokio::spawn(async move { axum::serve(listener, router).await }));
    format!("http://{address}")
}

fn message(status: StatusCode, text: &str) -> Response {
    let body =
        json!({ "message": text, "documentation_url": "https://docs.github.com/rest", "status": status.as_str() });
    said(status, &body)
}

fn said(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn api(
    State(known): State<Arc<Mutex<Known>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut known = lock(&known);
    let answer = answer(&mut known, &method, &uri, &headers, &body);
    known.log.push(format!("api {method} {} {}", uri.path(), answer.status().as_u16()));
    answer
}

fn answer(known: &mut Known, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    if text(headers, "user-agent").is_empty() {
        return message(StatusCode::FORBIDDEN, "Request forbidden by administrative rules.");
    }
    if text(headers, "authorization") != format!("Bearer {TOKEN}") {
        return message(StatusCode::UNAUTHORIZED, "Bad credentials");
    }
    if text(headers, "x-github-api-version") != "2022-11-28" {
        return message(StatusCode::BAD_REQUEST, "The version is not supported.");
    }
    if let Some((status, extra)) = known.troubles.pop_front() {
        let mut answer = message(status, "API rate limit exceeded for user ID 1.");
        for (name, value) in extra {
            answer.headers_mut().insert(name, value.parse().unwrap());
        }
        return answer;
    }
    let parts: Vec<&str> = uri.path().strip_prefix(REPOSITORY).unwrap_or_default().split('/').skip(1).collect();
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    let accept = text(headers, "accept");
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["actions", "runs", run, "artifacts"]) => {
            let query = Query::of(uri);
            let all = known.artifacts.get(&number(run)).cloned().unwrap_or_default();
            let named: Vec<Value> =
                all.into_iter().filter(|one| query.name.as_ref().is_none_or(|name| one["name"] == **name)).collect();
            let total = named.len();
            query.page(named, |page| json!({ "total_count": total, "artifacts": page }))
        }
        ("GET", ["releases", release, "assets"]) if *release != "assets" => {
            let all = known.assets.get(&number(release)).cloned().unwrap_or_default();
            Query::of(uri).page(all, Value::Array)
        }
        ("GET", ["actions", "artifacts", id, "zip"]) => {
            let expired =
                known.artifacts.values().flatten().any(|one| one["id"] == number(id) && one["expired"] == true);
            if expired { message(StatusCode::GONE, "Artifact has expired") } else { known.signed(number(id)) }
        }
        // Without this header it is the asset's description that GitHub answers.
        ("GET", ["releases", "assets", id]) if accept == "application/octet-stream" => known.signed(number(id)),
        ("POST", ["statuses", _]) | ("POST", ["deployments", _, "statuses"]) => {
            let sent: Value = serde_json::from_slice(body).unwrap();
            let states: &[&str] = if parts.first() == Some(&"statuses") {
                &["error", "failure", "pending", "success"]
            } else {
                &["error", "failure", "inactive", "in_progress", "queued", "pending", "success"]
            };
            let long = sent["description"].as_str().is_some_and(|text| text.chars().count() > 140);
            if long || !sent["state"].as_str().is_some_and(|state| states.contains(&state)) {
                return message(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
            }
            known.statuses.push((uri.path().to_owned(), sent.clone()));
            said(StatusCode::CREATED, &sent)
        }
        _ => message(StatusCode::NOT_FOUND, "Not Found"),
    }
}

impl Known {
    /// Leads to the store.
    fn signed(&mut self, id: u64) -> Response {
        if !self.bodies.contains_key(&id) {
            return message(StatusCode::NOT_FOUND, "Not Found");
        }
        self.signatures += 1;
        if !self.stale {
            self.signed.insert(self.signatures);
        }
        let to = format!(
            "{}/artifacts/{id}.zip?se=2026-11-22T10%3A01%3A00Z&number={}&{SIGNATURE}",
            self.store, self.signatures
        );
        (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
    }
}

/// How a list is asked for.
struct Query {
    base: String,
    name: Option<String>,
    per_page: usize,
    page: usize,
}

impl Query {
    fn of(uri: &Uri) -> Self {
        let pairs: BTreeMap<String, String> =
            url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let number = |name: &str, default: usize| pairs.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        Self {
            base: uri.path().to_owned(),
            name: pairs.get("name").cloned(),
            per_page: number("per_page", 30).clamp(1, 100),
            page: number("page", 1),
        }
    }

    fn page(&self, all: Vec<Value>, form: impl FnOnce(Vec<Value>) -> Value) -> Response {
        let start = self.per_page * (self.page - 1);
        let more = all.len() > start + self.per_page;
        let page: Vec<Value> = all.into_iter().skip(start).take(self.per_page).collect();
        let mut answer = said(StatusCode::OK, &form(page));
        if more {
            let link = format!("<https://elsewhere.example{}?page={}>; rel=\"next\"", self.base, self.page + 1);
            answer.headers_mut().insert(header::LINK, link.parse().unwrap());
        }
        answer
    }
}

async fn store(State(known): State<Arc<Mutex<Known>>>, uri: Uri, headers: HeaderMap) -> Response {
    let mut known = lock(&known);
    let answer = blob(&mut known, &uri, &headers);
    known.log.push(format!("store {} {}", uri.path(), answer.status().as_u16()));
    answer
}

fn blob(known: &mut Known, uri: &Uri, headers: &HeaderMap) -> Response {
    let refused = |status: StatusCode, code: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>Signed: {uri}</Message></Error>");
        (status, [("x-ms-error-code", code.to_owned())], body).into_response()
    };
    if headers.contains_key("authorization") || headers.contains_key("x-github-api-version") {
        return refused(StatusCode::BAD_REQUEST, "InvalidAuthenticationInfo");
    }
    let pairs: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let signature = pairs.get("number").and_then(|number| number.parse().ok()).unwrap_or_default();
    // Signed addresses last for a minute or so; these last for one request.
    if !known.signed.remove(&signature) || !uri.query().unwrap_or_default().contains(SIGNATURE) {
        return refused(StatusCode::FORBIDDEN, "AuthenticationFailed");
    }
    let id = uri.path().trim_start_matches("/artifacts/").trim_end_matches(".zip").parse().unwrap_or_default();
    let Some(body) = known.bodies.get(&id).cloned() else { return refused(StatusCode::NOT_FOUND, "BlobNotFound") };
    let length = body.len();
    let cut = known.cuts.pop_front();
    let mut pieces: Vec<Result<Bytes, std::io::Error>> =
        body.chunks(64 * 1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    if let Some(cut) = cut {
        pieces = vec![Ok(Bytes::copy_from_slice(&body[..cut])), Err(std::io::Error::other("cut"))];
    }
    let mut answer = Body::from_stream(futures::stream::iter(pieces)).into_response();
    if !known.unmeasured {
        answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    answer
}
