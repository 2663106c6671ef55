//! `tidegate credentials localserver`: sessions for programs of this machine, each with time left.
//!
//! Owns when a session is followed by the next one. `GET /` answers what `credential_process` prints, `GET /container` what
//! `AWS_CONTAINER_CREDENTIALS_FULL_URI` is asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tidegate_iam::apply::{ProvisionError, Provisioner};
use tidegate_iam::changes::{BucketSpec, CredentialsKind, CredentialsSpec, IamChange, plan_changes};
use tidegate_iam::credentials::{CredentialsFormat, IssuedCredentials};
use tokio::sync::Mutex;

use super::grant;
use crate::arguments::ServerArguments;
use crate::context::container_token;
use crate::error::{CliError, ExitStatus};

/// How long before its end a session is not handed out any more. The SDKs ask again five minutes before the end; who asks
/// then must get another one.
const MARGIN: Duration = Duration::from_secs(360);

/// The session that is handed out, and until when.
struct CurrentCredentials {
    issued: IssuedCredentials,
    until: Instant,
}

struct CredentialServer {
    account: Provisioner,
    changes: Vec<IamChange>,
    duration: Duration,
    token: Option<String>,
    port: u16,
    /// Held while a session is made: all who ask meanwhile get the same one.
    current: Mutex<Option<CurrentCredentials>>,
}

pub(super) async fn serve(account: &Provisioner, wanted: &ServerArguments) -> Result<ExitStatus, CliError> {
    if !wanted.listen.ip().is_loopback() {
        let address = wanted.listen;
        return Err(CliError::Usage(format!("`{address}` can be reached by others, listen on 127.0.0.1 or [::1]")));
    }
    let caller = account.sts().caller().await?;
    let asked = CredentialsSpec {
        grant: grant(&wanted.what)?,
        kind: CredentialsKind::Temporary(wanted.duration),
        buckets: BucketSpec::default(),
        account: caller.account,
    };
    let found = account.read_identity(&asked).await?;
    let mut changes = plan_changes(&asked, &found).map_err(|error| CliError::Usage(error.to_string()))?;
    let listener = tokio::net::TcpListener::bind(wanted.listen).await;
    let cannot = |error: std::io::Error| CliError::System(format!("cannot listen on `{}`: {error}", wanted.listen));
    let listener = listener.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;

    // The first session tells whether there will be any; what it needed is not needed again.
    let issued = account.apply(&changes, |_| ()).await?;
    changes.retain(|change| matches!(change, IamChange::AssumeRole { .. }));
    let duration = wanted.duration.duration();
    let current = issued.map(|issued| CurrentCredentials { issued, until: until(duration) });
    let server = Arc::new(CredentialServer {
        account: account.clone(),
        changes,
        duration,
        token: container_token(),
        port: address.port(),
        current: Mutex::new(current),
    });
    anstream::eprintln!("http://{address}/ for `credential_process = curl -s http://{address}/`");
    anstream::eprintln!("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://{address}/container");
    let router = Router::new()
        .route("/", get(|state, headers| answer(state, headers, CredentialsFormat::Process)))
        .route("/container", get(|state, headers| answer(state, headers, CredentialsFormat::Container)))
        .with_state(server);
    let stopped = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "the server does not hear when it is to stop");
            std::future::pending::<()>().await;
        }
    };
    axum::serve(listener, router).with_graceful_shutdown(stopped).await.map_err(cannot)?;
    Ok(ExitStatus::Done)
}

fn until(duration: Duration) -> Instant {
    Instant::now() + duration.saturating_sub(MARGIN)
}

async fn answer(State(server): State<Arc<CredentialServer>>, headers: HeaderMap, form: CredentialsFormat) -> Response {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    // A page of another site that a name was bound anew for names itself here.
    let host = text(header::HOST).unwrap_or_default();
    let known = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{}", server.port));
    if !known.iter().any(|name| name == host) {
        return (StatusCode::MISDIRECTED_REQUEST, "ask by 127.0.0.1 or localhost\n").into_response();
    }
    if server.token.as_deref().is_some_and(|token| text(header::AUTHORIZATION) != Some(token)) {
        return (StatusCode::FORBIDDEN, "the token in `Authorization` is missing or another one\n").into_response();
    }
    match server.session().await {
        Ok(issued) => {
            let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (kind, issued.write(form)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "no session could be had");
            (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response()
        }
    }
}

impl CredentialServer {
    async fn session(&self) -> Result<IssuedCredentials, ProvisionError> {
        let mut current = self.current.lock().await;
        if let Some(fresh) = current.as_ref().filter(|current| Instant::now() < current.until) {
            return Ok(fresh.issued.clone());
        }
        let until = until(self.duration);
        let issued = self.account.apply(&self.changes, |_| ()).await?;
        let issued = issued.ok_or_else(ProvisionError::nothing)?;
        *current = Some(CurrentCredentials { issued: issued.clone(), until });
        Ok(issued)
    }
}
