//! Reads the payloads of GitHub's webhooks: the fields that are used, and the events that never publish.
//!
//! Source: GitHub documentation, "Webhook events and payloads".

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tidegate_core::config::{GithubEvent, Repository};
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::{Timestamp, TimestampError};
use tidegate_core::webhook_delivery::DeliveryDigest;

use super::event::{GitReference, WebhookEvent, WorkflowName, asks_to_skip};
use crate::github::{CommitId, FileOrigin};

/// A payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ParsedPayload {
    /// GitHub's test of a new webhook.
    Ping,
    /// An event that may publish.
    Event(Box<WebhookEvent>),
    /// An event that never publishes.
    Ignored(IgnoredEvent),
}

/// Why an event never publishes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IgnoredEvent {
    /// No rule can name the event.
    #[error("the event `{0}` does not publish")]
    Event(String),
    /// Another action of the event publishes.
    #[error("the event `{event}` publishes when its action is {publishing}, and this action is `{action}`")]
    Action {
        /// The event.
        event: GithubEvent,
        /// The actions that publish.
        publishing: &'static str,
        /// The action in the payload.
        action: String,
    },
    /// The branch or tag was deleted.
    #[error("the branch or tag was deleted")]
    Deleted,
    /// The reference is neither a branch nor a tag.
    #[error("`{0}` is neither a branch nor a tag")]
    Reference(String),
    /// The run has no branch.
    #[error("the workflow run has no branch")]
    NoBranch,
    /// The commit message skips publishing.
    #[error("the commit message asks to skip it")]
    Skipped,
    /// The workflow run did not succeed.
    #[error("the workflow run ended with `{0}`, and only `success` publishes")]
    Conclusion(String),
    /// The release is a draft.
    #[error("the release is a draft")]
    Draft,
    /// The deployment waits, failed or ended.
    #[error("the deployment is `{0}`, and only `in_progress` and `success` publish")]
    DeploymentState(String),
    /// No workflow deploys, so that no protection rule of the environment applied.
    #[error("no workflow deploys: a deployment that was made with the API needs no approval, so it does not publish")]
    NoWorkflow,
    /// The job that deploys did not start: it waits for approval.
    #[error("the job that deploys is `{0}`: it has not started, and may wait for approval")]
    JobWaits(String),
}

/// Why a payload cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid payload of the event `{event}`: {reason}")]
pub struct PayloadError {
    event: GithubEvent,
    reason: String,
}

#[derive(Deserialize)]
struct PushPayload {
    #[serde(rename = "ref")]
    reference: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    head_commit: Option<HeadCommit>,
    repository: Option<PushedRepository>,
}

/// The repository in the payload of a push.
#[derive(Deserialize)]
struct PushedRepository {
    /// The time of the push in seconds since the Unix epoch. Other events have it as text.
    pushed_at: Option<u64>,
}

#[derive(Deserialize)]
struct HeadCommit {
    id: String,
    message: Option<String>,
    timestamp: String,
}

#[derive(Deserialize)]
struct NamedRepository {
    full_name: String,
}

#[derive(Deserialize)]
struct ReleasePayload {
    action: String,
    release: GithubRelease,
    repository: NamedRepository,
}

#[derive(Deserialize)]
struct GithubRelease {
    id: u64,
    tag_name: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    prerelease: bool,
    created_at: Option<String>,
    published_at: Option<String>,
    /// Absent in payloads of older GitHub Enterprise Servers.
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct WorkflowRunPayload {
    action: String,
    workflow_run: WorkflowRun,
    repository: NamedRepository,
}

#[derive(Deserialize)]
struct WorkflowRun {
    id: u64,
    name: Option<String>,
    path: Option<String>,
    head_branch: Option<String>,
    head_sha: String,
    head_commit: Option<HeadCommit>,
    head_repository: Option<NamedRepository>,
    event: String,
    conclusion: Option<String>,
    /// The start of the latest attempt.
    run_started_at: Option<String>,
    updated_at: String,
}

#[derive(Deserialize)]
struct DeploymentStatusPayload {
    deployment: GithubDeployment,
    deployment_status: DeploymentStatus,
    workflow_run: Option<DeployingRun>,
    /// The job of the workflow that deploys.
    check_run: Option<DeployingJob>,
    repository: NamedRepository,
}

#[derive(Deserialize)]
struct GithubDeployment {
    id: u64,
    sha: String,
    #[serde(rename = "ref")]
    reference: String,
    environment: String,
}

#[derive(Deserialize)]
struct DeploymentStatus {
    state: String,
    created_at: String,
}

/// The workflow run that made a deployment.
#[derive(Deserialize)]
struct DeployingRun {
    event: String,
    status: Option<String>,
    /// Usually absent. `null` is different: the repository was deleted.
    #[serde(default, deserialize_with = "present")]
    head_repository: Option<Option<NamedRepository>>,
}

#[derive(Default, Deserialize)]
struct DeployingJob {
    status: Option<String>,
    started_at: Option<String>,
}

/// Reads a verified payload.
pub(super) fn read(event: &str, payload: &Value) -> Result<ParsedPayload, PayloadError> {
    match event {
        "ping" => Ok(ParsedPayload::Ping),
        "push" => push(payload).map_err(|reason| PayloadError { event: GithubEvent::Push, reason }),
        "release" => release(payload).map_err(|reason| PayloadError { event: GithubEvent::Release, reason }),
        "workflow_run" => {
            workflow_run(payload).map_err(|reason| PayloadError { event: GithubEvent::WorkflowRun, reason })
        }
        "deployment_status" => {
            deployment_status(payload).map_err(|reason| PayloadError { event: GithubEvent::DeploymentStatus, reason })
        }
        other => Ok(ParsedPayload::Ignored(IgnoredEvent::Event(sanitize_name(other)))),
    }
}

fn push(payload: &Value) -> Result<ParsedPayload, String> {
    let push = PushPayload::deserialize(payload).map_err(form)?;
    let Some(after) = commit_or_none(&push.after)? else { return Ok(ParsedPayload::Ignored(IgnoredEvent::Deleted)) };
    if push.deleted {
        return Ok(ParsedPayload::Ignored(IgnoredEvent::Deleted));
    }
    let Some(reference) = GitReference::from_full(&push.reference) else {
        return Ok(ParsedPayload::Ignored(IgnoredEvent::Reference(sanitize_name(&push.reference))));
    };
    let head = push.head_commit.ok_or("it has no `head_commit`")?;
    if head.message.as_deref().is_some_and(asks_to_skip) {
        return Ok(ParsedPayload::Ignored(IgnoredEvent::Skipped));
    }
    // The commit may have the date of its author, so that a rebase would be older than what it replaces.
    let time = match push.repository.and_then(|repository| repository.pushed_at) {
        Some(seconds) => Timestamp::from_milliseconds(seconds.saturating_mul(1000)),
        None => time(&head.timestamp)?,
    };
    Ok(parsed(WebhookEvent {
        reference,
        // For an annotated tag, `after` is the tag object, and the commit is the head.
        commit: commit_or_none(&head.id)?.or(Some(after)),
        ..event(GithubEvent::Push, time)
    }))
}

/// A release is announced as `published` and `released`; a pre-release as `published` and `prereleased`; and a pre-release
/// that becomes a release as `released`.
fn release(payload: &Value) -> Result<ParsedPayload, String> {
    let ReleasePayload { action, release, repository } = ReleasePayload::deserialize(payload).map_err(form)?;
    if !matches!(action.as_str(), "published" | "released" | "prereleased") {
        return Ok(other_action(GithubEvent::Release, "`published`, `released` or `prereleased`", &action));
    }
    if release.draft {
        return Ok(ParsedPayload::Ignored(IgnoredEvent::Draft));
    }
    let repository = parse_repository(repository)?;
    let published_at = release.published_at.or(release.created_at).ok_or("it has no `published_at`")?;
    let published = time(&published_at)?;
    // A pre-release keeps the time of its publication when it becomes a release.
    let changed = release.updated_at.filter(|_| action == "released").map(|at| time(&at)).transpose()?;
    let subject = format!("release {}/{}/{}/{published_at}", lower_case(&repository), release.id, release.prerelease);
    Ok(parsed(WebhookEvent {
        reference: GitReference::Tag(release.tag_name),
        subject: Some(DeliveryDigest::of_subject(&subject)),
        pre_release: release.prerelease,
        origin: Some(FileOrigin::Release(release.id)),
        ..event(GithubEvent::Release, changed.map_or(published, |changed| changed.max(published)))
    }))
}

fn workflow_run(payload: &Value) -> Result<ParsedPayload, String> {
    let WorkflowRunPayload { action, workflow_run: run, repository } =
        WorkflowRunPayload::deserialize(payload).map_err(form)?;
    if action != "completed" {
        return Ok(other_action(GithubEvent::WorkflowRun, "`completed`", &action));
    }
    match run.conclusion.as_deref() {
        Some("success") => {}
        other => return Ok(ParsedPayload::Ignored(IgnoredEvent::Conclusion(sanitize_name(other.unwrap_or("null"))))),
    }
    let repository = parse_repository(repository)?;
    let pull_request = is_pull_request(&run.event);
    let message = run.head_commit.as_ref().and_then(|commit| commit.message.as_deref());
    // GitHub applies the markers to pushes and pull requests only. A run that was started manually is wanted.
    if (run.event == "push" || pull_request) && message.is_some_and(asks_to_skip) {
        return Ok(ParsedPayload::Ignored(IgnoredEvent::Skipped));
    }
    let Some(branch) = run.head_branch else {
        return Ok(ParsedPayload::Ignored(IgnoredEvent::NoBranch));
    };
    // The path may end with `@` and the branch, as in `.github/workflows/site.yml@refs/heads/main`.
    let path = run.path.unwrap_or_default();
    let path = path.split('@').next().unwrap_or_default();
    // A later run of the same commit is newer: a scheduled build, a dispatch, or another attempt.
    let time = time(run.run_started_at.as_ref().unwrap_or(&run.updated_at))?;
    Ok(parsed(WebhookEvent {
        fork: is_fork(&repository, run.head_repository.as_ref()),
        reference: GitReference::BranchOrTag(branch),
        commit: commit_or_none(&run.head_sha)?,
        pull_request,
        run_event: Some(run.event),
        workflow: Some(WorkflowName {
            name: run.name.unwrap_or_default(),
            file: path.rsplit('/').next().unwrap_or_default().to_owned(),
        }),
        origin: Some(FileOrigin::Run(run.id)),
        ..event(GithubEvent::WorkflowRun, time)
    }))
}

/// A deployment that goes on. GitHub makes a deployment when its job is queued, and reports `in_progress` when the job
/// starts, which is after the approval of a protected environment.
fn deployment_status(payload: &Value) -> Result<ParsedPayload, String> {
    let DeploymentStatusPayload { deployment, deployment_status: status, workflow_run, check_run, repository } =
        DeploymentStatusPayload::deserialize(payload).map_err(form)?;
    if !matches!(status.state.as_str(), "in_progress" | "success") {
        return Ok(ParsedPayload::Ignored(IgnoredEvent::DeploymentState(sanitize_name(&status.state))));
    }
    // Everyone with write access can make deployments and statuses with the API, for which no protection rule applies.
    let Some(run) = workflow_run else { return Ok(ParsedPayload::Ignored(IgnoredEvent::NoWorkflow)) };
    let job = check_run.unwrap_or_default();
    if let Some(waiting) =
        job.status.or(run.status).filter(|status| !matches!(status.as_str(), "in_progress" | "completed"))
    {
        return Ok(ParsedPayload::Ignored(IgnoredEvent::JobWaits(sanitize_name(&waiting))));
    }
    let repository = parse_repository(repository)?;
    let (reference, state) = (deployment.reference, status.state);
    // A status can be added to an old deployment at any time, and must not bring it back.
    let time = time(&job.started_at.unwrap_or(status.created_at))?;
    // A job may upload its build after it has started, so both states publish.
    let subject = format!("deployment {}/{}/{state}", lower_case(&repository), deployment.id);
    Ok(parsed(WebhookEvent {
        // Without a head repository, a run for a pull request may be from a fork.
        fork: match &run.head_repository {
            Some(head) => is_fork(&repository, head.as_ref()),
            None => is_pull_request(&run.event),
        },
        pull_request: is_pull_request(&run.event) || reference.starts_with("refs/pull/"),
        reference: GitReference::from_full(&reference).unwrap_or(GitReference::BranchOrTag(reference)),
        commit: commit_or_none(&deployment.sha)?,
        subject: Some(DeliveryDigest::of_subject(&subject)),
        run_event: Some(run.event),
        environment: Some(deployment.environment),
        deployment: Some(deployment.id),
        ..event(GithubEvent::DeploymentStatus, time)
    }))
}

/// An event about nothing yet, to be completed.
fn event(event: GithubEvent, time: Timestamp) -> WebhookEvent {
    WebhookEvent {
        event,
        reference: GitReference::BranchOrTag(String::new()),
        commit: None,
        time,
        subject: None,
        fork: false,
        pull_request: false,
        run_event: None,
        pre_release: false,
        environment: None,
        workflow: None,
        deployment: None,
        origin: None,
    }
}

fn lower_case(repository: &Repository) -> String {
    repository.as_str().to_ascii_lowercase()
}

fn parsed(event: WebhookEvent) -> ParsedPayload {
    ParsedPayload::Event(Box::new(event))
}

fn other_action(event: GithubEvent, publishing: &'static str, action: &str) -> ParsedPayload {
    ParsedPayload::Ignored(IgnoredEvent::Action { event, publishing, action: sanitize_name(action) })
}

/// Whether a run has the code of another repository. A deleted repository counts as another one.
fn is_fork(repository: &Repository, head: Option<&NamedRepository>) -> bool {
    !head.is_some_and(|head| head.full_name.eq_ignore_ascii_case(repository.as_str()))
}

/// Reads a field that is present, even if it is `null`.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<NamedRepository>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Matches `pull_request`, `pull_request_target`, and every other event with this prefix.
fn is_pull_request(event: &str) -> bool {
    event.starts_with("pull_request")
}

/// Parses a commit; the all-zero id means "no commit".
fn commit_or_none(text: &str) -> Result<Option<CommitId>, String> {
    let zeros = !text.is_empty() && text.bytes().all(|byte| byte == b'0');
    match CommitId::new(text) {
        None if !zeros => Err(format!("`{}` is not the id of a commit", sanitize_name(text))),
        commit => Ok(commit),
    }
}

fn parse_repository(repository: NamedRepository) -> Result<Repository, String> {
    Repository::try_from(repository.full_name).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error: TimestampError| error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` needs")]
fn form(error: serde_json::Error) -> String {
    sanitize_name(&error.to_string())
}
