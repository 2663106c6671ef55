//! A local server for the part of GitHub's API that Tidegate uses, and a second one for the storage behind its signed
//! URLs.
//!
//! The API requires GitHub's headers and a token, and returns lists in pages. The storage accepts each signed URL once
//! and rejects requests with a token. Source: GitHub's OpenAPI description (`artifact`, `release-asset`, `status`,
//! `deployment-status`) and Azure Blob Storage.

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

/// The only valid token.
pub(super) const TOKEN: &str = "github_pat_11AAAAAAA0123456789_secret";

/// The secret part of signed URLs.
pub(super) const SIGNATURE: &str = "sig=Zm9yLW9uZS1kb3dubG9hZC1vbmx5";

/// The path of the repository in the API.
const REPOSITORY: &str = "/repos/acme/docs";

/// The contents and the record of both servers.
#[derive(Default)]
pub(super) struct GithubState {
    /// Artifacts by workflow run.
    pub(super) artifacts: BTreeMap<u64, Vec<Value>>,
    /// Assets by release.
    pub(super) assets: BTreeMap<u64, Vec<Value>>,
    /// The stored bodies by artifact or asset.
    pub(super) bodies: BTreeMap<u64, Vec<u8>>,
    /// Errors that the API returns for the next requests.
    pub(super) errors: VecDeque<(StatusCode, Vec<(&'static str, String)>)>,
    /// The number of bytes of each of the next downloads after which the connection breaks.
    pub(super) cuts: VecDeque<usize>,
    /// Whether downloads have no `Content-Length`.
    pub(super) without_length: bool,
    /// Whether signed URLs have already expired when they are created.
    pub(super) expired_urls: bool,
    /// Every request with the status of its response.
    pub(super) log: Vec<String>,
    /// The commit and deployment statuses that were created, with their paths.
    pub(super) statuses: Vec<(String, Value)>,
    signed: BTreeSet<u64>,
    signatures: u64,
    store: String,
}

/// The two running servers.
#[derive(Clone)]
pub(super) struct GithubServer {
    state: Arc<Mutex<GithubState>>,
    pub(super) api: String,
}

impl GithubServer {
    pub(super) async fn start() -> Self {
        let state: Arc<Mutex<GithubState>> = Arc::default();
        let (api, store) = (
            serve(Router::new().fallback(api).with_state(state.clone())).await,
            serve(Router::new().fallback(store).with_state(state.clone())).await,
        );
        let github = Self { state, api };
        github.state().store = store;
        github
    }

    pub(super) fn state(&self) -> MutexGuard<'_, GithubState> {
        lock(&self.state)
    }

    /// Adds an artifact to workflow run 7, with its size and digest.
    pub(super) fn artifact(&self, id: u64, name: &str, body: &[u8]) {
        let artifact = json!({
            "id": id, "node_id": "MDg6QXJ0aWZhY3Q=", "name": name, "size_in_bytes": body.len(),
            "url": format!("{}{REPOSITORY}/actions/artifacts/{id}", self.api),
            "archive_download_url": format!("{}{REPOSITORY}/actions/artifacts/{id}/zip", self.api),
            "expired": false, "created_at": "2026-11-22T10:00:00Z", "expires_at": "2027-02-20T10:00:00Z",
            "updated_at": "2026-11-22T10:00:00Z", "digest": digest(body),
            "workflow_run": { "id": 7, "repository_id": 1, "head_repository_id": 1, "head_branch": "main", "head_sha": super::COMMIT },
        });
        let mut state = self.state();
        state.artifacts.entry(7).or_default().push(artifact);
        state.bodies.insert(id, body.to_vec());
    }

    /// Adds an asset to release 9.
    pub(super) fn asset(&self, id: u64, name: &str, body: &[u8]) {
        let asset = json!({
            "url": format!("{}{REPOSITORY}/releases/assets/{id}", self.api), "id": id, "node_id": "MDEyOlJlbGVhc2U=",
            "name": name, "label": null, "state": "uploaded", "content_type": "application/zip", "size": body.len(),
            "digest": digest(body), "download_count": 0,
            "browser_download_url": format!("https://github.com/acme/docs/releases/download/v1/{name}"),
            "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z", "uploader": null,
        });
        let mut state = self.state();
        state.assets.entry(9).or_default().push(asset);
        state.bodies.insert(id, body.to_vec());
    }

    /// The state and the description of every created status, in order.
    pub(super) fn statuses(&self) -> Vec<(String, String)> {
        let text = |body: &Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
        self.state().statuses.iter().map(|(_, body)| (text(body, "state"), text(body, "description"))).collect()
    }

    /// The number of download requests.
    pub(super) fn downloads(&self) -> usize {
        self.state().log.iter().filter(|line| line.starts_with("store ")).count()
    }
}

fn lock(state: &Mutex<GithubState>) -> MutexGuard<'_, GithubState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
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
    json_response(status, &body)
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn api(
    State(state): State<Arc<Mutex<GithubState>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = lock(&state);
    let response = respond(&mut state, &method, &uri, &headers, &body);
    state.log.push(format!("api {method} {} {}", uri.path(), response.status().as_u16()));
    response
}

fn respond(state: &mut GithubState, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    if text(headers, "user-agent").is_empty() {
        return message(StatusCode::FORBIDDEN, "Request forbidden by administrative rules.");
    }
    if text(headers, "authorization") != format!("Bearer {TOKEN}") {
        return message(StatusCode::UNAUTHORIZED, "Bad credentials");
    }
    if text(headers, "x-github-api-version") != "2022-11-28" {
        return message(StatusCode::BAD_REQUEST, "The version is not supported.");
    }
    if let Some((status, extra)) = state.errors.pop_front() {
        let mut response = message(status, "API rate limit exceeded for user ID 1.");
        for (name, value) in extra {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        return response;
    }
    let parts: Vec<&str> = uri.path().strip_prefix(REPOSITORY).unwrap_or_default().split('/').skip(1).collect();
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    let accept = text(headers, "accept");
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["actions", "runs", run, "artifacts"]) => {
            let query = ListQuery::of(uri);
            let all = state.artifacts.get(&number(run)).cloned().unwrap_or_default();
            let named: Vec<Value> =
                all.into_iter().filter(|one| query.name.as_ref().is_none_or(|name| one["name"] == **name)).collect();
            let total = named.len();
            query.page(named, |page| json!({ "total_count": total, "artifacts": page }))
        }
        ("GET", ["releases", release, "assets"]) if *release != "assets" => {
            let all = state.assets.get(&number(release)).cloned().unwrap_or_default();
            ListQuery::of(uri).page(all, Value::Array)
        }
        ("GET", ["actions", "artifacts", id, "zip"]) => {
            let expired =
                state.artifacts.values().flatten().any(|one| one["id"] == number(id) && one["expired"] == true);
            if expired {
                message(StatusCode::GONE, "Artifact has expired")
            } else {
                state.redirect_to_signed_url(number(id))
            }
        }
        // Without this header, GitHub returns the asset's metadata.
        ("GET", ["releases", "assets", id]) if accept == "application/octet-stream" => {
            state.redirect_to_signed_url(number(id))
        }
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
            state.statuses.push((uri.path().to_owned(), sent.clone()));
            json_response(StatusCode::CREATED, &sent)
        }
        _ => message(StatusCode::NOT_FOUND, "Not Found"),
    }
}

impl GithubState {
    /// Redirects to a new signed URL.
    fn redirect_to_signed_url(&mut self, id: u64) -> Response {
        if !self.bodies.contains_key(&id) {
            return message(StatusCode::NOT_FOUND, "Not Found");
        }
        self.signatures += 1;
        if !self.expired_urls {
            self.signed.insert(self.signatures);
        }
        let to = format!(
            "{}/artifacts/{id}.zip?se=2026-11-22T10%3A01%3A00Z&number={}&{SIGNATURE}",
            self.store, self.signatures
        );
        (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
    }
}

/// The query of a list request.
struct ListQuery {
    base: String,
    name: Option<String>,
    per_page: usize,
    page: usize,
}

impl ListQuery {
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
        let mut response = json_response(StatusCode::OK, &form(page));
        if more {
            let link = format!("<https://elsewhere.example{}?page={}>; rel=\"next\"", self.base, self.page + 1);
            response.headers_mut().insert(header::LINK, link.parse().unwrap());
        }
        response
    }
}

async fn store(State(state): State<Arc<Mutex<GithubState>>>, uri: Uri, headers: HeaderMap) -> Response {
    let mut state = lock(&state);
    let response = blob(&mut state, &uri, &headers);
    state.log.push(format!("store {} {}", uri.path(), response.status().as_u16()));
    response
}

fn blob(state: &mut GithubState, uri: &Uri, headers: &HeaderMap) -> Response {
    let error = |status: StatusCode, code: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>Signed: {uri}</Message></Error>");
        (status, [("x-ms-error-code", code.to_owned())], body).into_response()
    };
    if headers.contains_key("authorization") || headers.contains_key("x-github-api-version") {
        return error(StatusCode::BAD_REQUEST, "InvalidAuthenticationInfo");
    }
    let pairs: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let signature = pairs.get("number").and_then(|number| number.parse().ok()).unwrap_or_default();
    // GitHub's signed URLs are valid for about a minute; these are valid for one request.
    if !state.signed.remove(&signature) || !uri.query().unwrap_or_default().contains(SIGNATURE) {
        return error(StatusCode::FORBIDDEN, "AuthenticationFailed");
    }
    let id = uri.path().trim_start_matches("/artifacts/").trim_end_matches(".zip").parse().unwrap_or_default();
    let Some(body) = state.bodies.get(&id).cloned() else { return error(StatusCode::NOT_FOUND, "BlobNotFound") };
    let length = body.len();
    let cut = state.cuts.pop_front();
    let mut pieces: Vec<Result<Bytes, std::io::Error>> =
        body.chunks(64 * 1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    if let Some(cut) = cut {
        pieces = vec![Ok(Bytes::copy_from_slice(&body[..cut])), Err(std::io::Error::other("cut"))];
    }
    let mut response = Body::from_stream(futures::stream::iter(pieces)).into_response();
    if !state.without_length {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response
}
