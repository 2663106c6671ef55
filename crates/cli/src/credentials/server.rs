//! `tidegate credentials localserver`: temporary credentials for programs on this machine.
//!
//! `GET /` answers in the format of `credential_process`, `GET /container` in that of
//! `AWS_CONTAINER_CREDENTIALS_FULL_URI`. Every request needs a token, since other users of the machine can connect, too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use subtle::ConstantTimeEq as _;
use tidegate_iam::apply::{Provisioner, StepError};
use tidegate_iam::changes::{BucketSpec, Change, CredentialsKind, CredentialsSpec, create_credentials};
use tidegate_iam::credentials::{CredentialsFormat, IssuedCredentials};
use tokio::sync::Mutex;

use super::bucket_grant;
use super::create::CallerPrincipal;
use crate::arguments::ServerArguments;
use crate::context::container_token;
use crate::dev::listen;
use crate::error::CliError;

/// How long before their expiry credentials are renewed. The SDKs refresh five minutes before the expiry and must get new
/// ones then.
const RENEWAL_MARGIN: Duration = Duration::from_secs(360);

/// The credentials that are served until a time.
struct CurrentCredentials {
    issued: IssuedCredentials,
    until: Instant,
}

struct CredentialServer {
    account: Provisioner,
    /// The changes that issue credentials.
    changes: Vec<Change>,
    duration: Duration,
    /// What clients must send as `Authorization`; `None` with `--without-token`.
    token: Option<String>,
    port: u16,
    /// Locked while credentials are issued, so that concurrent requests get the same ones.
    current: Mutex<Option<CurrentCredentials>>,
}

pub(super) async fn serve(account: &Provisioner, arguments: &ServerArguments) -> Result<(), CliError> {
    if !arguments.listen.ip().is_loopback() {
        let address = arguments.listen;
        return Err(CliError::Usage(format!(
            "`{address}` is reachable from other machines; use a loopback address, 127.0.0.1 or [::1]"
        )));
    }
    let caller = account.sts().caller().await?;
    let principal = CallerPrincipal::read(account, &caller).await?;
    let spec = CredentialsSpec {
        grant: bucket_grant(&arguments.access, &principal.partition)?,
        kind: CredentialsKind::Temporary(arguments.duration),
        buckets: BucketSpec::default(),
        account: principal.account,
        caller: principal.principal,
    };
    let found = account.read_identity(&spec).await?;
    let mut changes = create_credentials(&spec, &found).map_err(CliError::usage)?;
    let (listener, address) = listen(arguments.listen, "--listen").await?;

    // The first credentials show whether this works at all. Later ones need no other change than the session.
    let issued = account.apply(&changes, |_| ()).await?;
    changes.retain(|change| matches!(change, Change::Credentials(_)));
    let duration = arguments.duration.duration();
    let current = issued.map(|issued| CurrentCredentials { issued, until: until(duration) });
    let configured = container_token();
    let token = match (&configured, arguments.without_token) {
        (Some(token), _) => Some(token.clone()),
        (None, true) => None,
        (None, false) => Some(new_token()?),
    };
    let server = Arc::new(CredentialServer {
        account: account.clone(),
        changes,
        duration,
        token: token.clone(),
        port: address.port(),
        current: Mutex::new(current),
    });
    // A token from the environment is known to the user, and is not shown.
    let shown = token.filter(|_| configured.is_none());
    match &shown {
        Some(token) => errln!("credential_process = curl -s -H 'Authorization: {token}' http://{address}/"),
        None => errln!("credential_process = curl -s http://{address}/"),
    }
    errln!("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://{address}/container");
    if let Some(token) = shown {
        errln!("AWS_CONTAINER_AUTHORIZATION_TOKEN={token}");
    }
    let router = Router::new()
        .route("/", get(|state, headers| respond(state, headers, CredentialsFormat::Process)))
        .route("/container", get(|state, headers| respond(state, headers, CredentialsFormat::Container)))
        .with_state(server);
    let stopped = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "cannot listen for interrupts");
            std::future::pending::<()>().await;
        }
    };
    let served = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
    served.map_err(|error| CliError::System(format!("the server on `{address}` failed: {error}")))
}

/// A new token: 256 random bits.
fn new_token() -> Result<String, CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| CliError::System(format!("cannot create a token: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn until(duration: Duration) -> Instant {
    Instant::now() + duration.saturating_sub(RENEWAL_MARGIN)
}

async fn respond(
    State(server): State<Arc<CredentialServer>>,
    headers: HeaderMap,
    format: CredentialsFormat,
) -> Response {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    // DNS rebinding: a page whose own name was bound to this machine sends that name as the host.
    let host = text(header::HOST).unwrap_or_default();
    let names = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{}", server.port));
    if !names.iter().any(|name| name == host) {
        return (StatusCode::MISDIRECTED_REQUEST, "use 127.0.0.1 or localhost\n").into_response();
    }
    let presented = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    // In constant time, so that the time of an answer does not depend on the token.
    if server.token.as_ref().is_some_and(|token| !bool::from(token.as_bytes().ct_eq(presented))) {
        return (StatusCode::FORBIDDEN, "missing or invalid `Authorization`\n").into_response();
    }
    match server.credentials().await {
        Ok(issued) => {
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (headers, issued.write(format)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot issue credentials");
            (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response()
        }
    }
}

impl CredentialServer {
    async fn credentials(&self) -> Result<IssuedCredentials, StepError> {
        let mut current = self.current.lock().await;
        if let Some(current) = current.as_ref().filter(|current| Instant::now() < current.until) {
            return Ok(current.issued.clone());
        }
        let until = until(self.duration);
        let issued = self.account.apply(&self.changes, |_| ()).await?;
        let issued = issued.ok_or_else(StepError::no_credentials)?;
        *current = Some(CurrentCredentials { issued: issued.clone(), until });
        Ok(issued)
    }
}
