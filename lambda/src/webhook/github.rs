//! Payloads of GitHub's webhooks.
//!
//! Owns which fields are read and which events ask for nothing. Source: GitHub documentation, "Webhook events and payloads".

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tidegate_core::config::{GithubEvent, Repository};
use tidegate_core::sanitize::sanitize_name;
use tidegate_core::timestamp::Timestamp;

use super::event::{GitReference, WebhookEvent, WorkflowName, asks_to_skip};
use crate::github::{CommitId, FileOrigin};

/// Longest payload that GitHub sends, in bytes: 25 MB; longer ones are not sent at all. A function takes less, see
/// [`crate::trigger::FUNCTION_PAYLOAD_BYTES`]. Source: GitHub documentation, "Webhook events and payloads", payload cap.
pub const GITHUB_PAYLOAD_BYTES: usize = 25 * 1024 * 1024;

/// How long GitHub waits for an answer, in seconds; it never tries again by itself.
/// Source: GitHub documentation, "Best practices for using webhooks" and "Handling failed webhook deliveries".
pub const GITHUB_ANSWER_SECONDS: u64 = 10;

/// What a payload says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ParsedEvent {
    /// GitHub tries out a new webhook.
    Ping,
    /// Something that could publish.
    Announcement(Box<WebhookEvent>),
    /// Something that never does.
    Nothing(IgnoredEvent),
}

/// Why a payload asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IgnoredEvent {
    /// An event that no rule can name.
    #[error("the event `{0}` publishes nothing")]
    Event(String),
    /// A part of an event's life that is not the one that counts.
    #[error("a `{event}` publishes once it is `{counts}`, this one is `{action}`")]
    Action {
        /// The event.
        event: GithubEvent,
        /// The action that counts.
        counts: &'static str,
        /// This action.
        action: String,
    },
    /// A branch or tag that is gone.
    #[error("a deleted branch or tag publishes nothing")]
    Deleted,
    /// Neither a branch nor a tag.
    #[error("`{0}` is neither a branch nor a tag")]
    Reference(String),
    /// The commit says so.
    #[error("the commit asks to be skipped")]
    Skipped,
    /// The run did not end well.
    #[error("the workflow ended with `{0}`, only `success` publishes")]
    Conclusion(String),
    /// A release that nobody sees yet.
    #[error("a draft of a release publishes nothing")]
    Draft,
}

/// Why a payload cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload is not one of a `{event}`: {why}")]
pub struct PayloadError {
    event: GithubEvent,
    why: String,
}

#[derive(Deserialize)]
struct PushPayload {
    #[serde(rename = "ref")]
    reference: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    head_commit: Option<HeadCommit>,
    repository: NamedRepository,
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
    created_at: Option<String>,
    published_at: Option<String>,
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
    updated_at: String,
}

#[derive(Deserialize)]
struct DeploymentPayload {
    /// Servers up to 3.5 do not tell: there was one action only.
    action: Option<String>,
    deployment: GithubDeployment,
    workflow_run: Option<DeployingRun>,
    repository: NamedRepository,
}

#[derive(Deserialize)]
struct GithubDeployment {
    id: u64,
    sha: String,
    #[serde(rename = "ref")]
    reference: String,
    environment: String,
    created_at: String,
}

/// The run of a workflow that asked for a deployment.
#[derive(Deserialize)]
struct DeployingRun {
    event: String,
    /// Mostly not told at all, which is another thing than a repository that is gone.
    #[serde(default, deserialize_with = "parse_or_ignore")]
    head_repository: Option<Option<NamedRepository>>,
}

/// The repository that a payload says it is of, which decides whose secrets it is checked with. Nothing is known of the sender yet.
pub(super) fn repository(payload: &Value) -> Option<Repository> {
    let name = payload.pointer("/repository/full_name")?.as_str()?;
    Repository::try_from(name.to_owned()).ok()
}

/// The organization of a payload without a repository: the ping of a webhook that an organization has.
pub(super) fn organization(payload: &Value) -> Option<&str> {
    if payload.get("repository").is_some() {
        return None;
    }
    payload.pointer("/organization/login")?.as_str()
}

/// Reads a payload whose sender is known.
pub(super) fn read(event: &str, payload: &Value) -> Result<ParsedEvent, PayloadError> {
    match event {
        "ping" => Ok(ParsedEvent::Ping),
        "push" => push(payload).map_err(|why| PayloadError { event: GithubEvent::Push, why }),
        "release" => release(payload).map_err(|why| PayloadError { event: GithubEvent::Release, why }),
        "workflow_run" => run(payload).map_err(|why| PayloadError { event: GithubEvent::WorkflowRun, why }),
        "deployment" => deployment(payload).map_err(|why| PayloadError { event: GithubEvent::Deployment, why }),
        other => Ok(ParsedEvent::Nothing(IgnoredEvent::Event(sanitize_name(other)))),
    }
}

fn push(payload: &Value) -> Result<ParsedEvent, String> {
    let push = PushPayload::deserialize(payload).map_err(parse)?;
    let Some(after) = commit_or_none(&push.after)? else { return Ok(ParsedEvent::Nothing(IgnoredEvent::Deleted)) };
    if push.deleted {
        return Ok(ParsedEvent::Nothing(IgnoredEvent::Deleted));
    }
    let Some(reference) = GitReference::full(&push.reference) else {
        return Ok(ParsedEvent::Nothing(IgnoredEvent::Reference(sanitize_name(&push.reference))));
    };
    let head = push.head_commit.ok_or("it has no `head_commit`")?;
    if head.message.as_deref().is_some_and(asks_to_skip) {
        return Ok(ParsedEvent::Nothing(IgnoredEvent::Skipped));
    }
    Ok(announced(WebhookEvent {
        event: GithubEvent::Push,
        repository: named(push.repository)?,
        reference,
        // What was pushed under an annotated tag is the tag's own object; the commit is the head.
        commit: commit_or_none(&head.id)?.or(Some(after)),
        time: time(&head.timestamp)?,
        fork: false,
        pull_request: false,
        environment: None,
        workflow: None,
        deployment: None,
        origin: None,
    }))
}

fn release(payload: &Value) -> Result<ParsedEvent, String> {
    let ReleasePayload { action, release, repository } = ReleasePayload::deserialize(payload).map_err(parse)?;
    if action != "published" {
        return Ok(quiet(GithubEvent::Release, "published", &action));
    }
    if release.draft {
        return Ok(ParsedEvent::Nothing(IgnoredEvent::Draft));
    }
    let at = release.published_at.or(release.created_at).ok_or("it has no `published_at`")?;
    Ok(announced(WebhookEvent {
        event: GithubEvent::Release,
        repository: named(repository)?,
        reference: GitReference::Tag(release.tag_name),
        commit: None,
        time: time(&at)?,
        fork: false,
        pull_request: false,
        environment: None,
        workflow: None,
        deployment: None,
        origin: Some(FileOrigin::Release(release.id)),
    }))
}

fn run(payload: &Value) -> Result<ParsedEvent, String> {
    let WorkflowRunPayload { action, workflow_run: run, repository } =
        WorkflowRunPayload::deserialize(payload).map_err(parse)?;
    if action != "completed" {
        return Ok(quiet(GithubEvent::WorkflowRun, "completed", &action));
    }
    match run.conclusion.as_deref() {
        Some("success") => {}
        other => return Ok(ParsedEvent::Nothing(IgnoredEvent::Conclusion(sanitize_name(other.unwrap_or("nothing"))))),
    }
    let repository = named(repository)?;
    let pull_request = is_pull_request(&run.event);
    let message = run.head_commit.as_ref().and_then(|commit| commit.message.as_deref());
    // GitHub heeds the words for pushes and pull requests only: whoever starts a run by hand wants it.
    if (run.event == "push" || pull_request) && message.is_some_and(asks_to_skip) {
        return Ok(ParsedEvent::Nothing(IgnoredEvent::Skipped));
    }
    let Some(branch) = run.head_branch else {
        return Ok(ParsedEvent::Nothing(IgnoredEvent::Reference("nothing".to_owned())));
    };
    // A run of `.github/workflows/site.yml` on a branch may be told with `@BRANCH` behind it.
    let path = run.path.unwrap_or_default();
    let path = path.split('@').next().unwrap_or_default();
    Ok(announced(WebhookEvent {
        event: GithubEvent::WorkflowRun,
        fork: is_fork(&repository, run.head_repository.as_ref()),
        repository,
        reference: GitReference::Either(branch),
        commit: commit_or_none(&run.head_sha)?,
        time: time(run.head_commit.as_ref().map_or(&run.updated_at, |commit| &commit.timestamp))?,
        pull_request,
        environment: None,
        workflow: Some(WorkflowName {
            name: run.name.unwrap_or_default(),
            file: path.rsplit('/').next().unwrap_or_default().to_owned(),
        }),
        deployment: None,
        origin: Some(FileOrigin::Run(run.id)),
    }))
}

fn deployment(payload: &Value) -> Result<ParsedEvent, String> {
    let DeploymentPayload { action, deployment, workflow_run, repository } =
        DeploymentPayload::deserialize(payload).map_err(parse)?;
    // The event's name is not signed, and a status repeats its deployment.
    if payload.get("deployment_status").is_some() {
        return Err("it is one of a `deployment_status`".to_owned());
    }
    if let Some(action) = action.filter(|action| action != "created") {
        return Ok(quiet(GithubEvent::Deployment, "created", &action));
    }
    let repository = named(repository)?;
    let reference = deployment.reference;
    let by_run = workflow_run.as_ref();
    Ok(announced(WebhookEvent {
        event: GithubEvent::Deployment,
        // Where nobody tells, a run for a pull request may be one of a fork.
        fork: by_run.is_some_and(|run| match &run.head_repository {
            Some(head) => is_fork(&repository, head.as_ref()),
            None => is_pull_request(&run.event),
        }),
        pull_request: by_run.is_some_and(|run| is_pull_request(&run.event)) || reference.starts_with("refs/pull/"),
        repository,
        reference: GitReference::full(&reference).unwrap_or(GitReference::Either(reference)),
        commit: commit_or_none(&deployment.sha)?,
        time: time(&deployment.created_at)?,
        environment: Some(deployment.environment),
        workflow: None,
        deployment: Some(deployment.id),
        origin: None,
    }))
}

fn announced(announcement: WebhookEvent) -> ParsedEvent {
    ParsedEvent::Announcement(Box::new(announcement))
}

fn quiet(event: GithubEvent, counts: &'static str, action: &str) -> ParsedEvent {
    ParsedEvent::Nothing(IgnoredEvent::Action { event, counts, action: sanitize_name(action) })
}

/// Whether a run's code is of another repository. A repository that is gone by now was one.
fn is_fork(repository: &Repository, head: Option<&NamedRepository>) -> bool {
    !head.is_some_and(|head| head.full_name.eq_ignore_ascii_case(repository.as_str()))
}

/// A field that is there, also where it is `null`.
fn parse_or_ignore<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<NamedRepository>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// `pull_request`, `pull_request_target`, and what else begins so.
fn is_pull_request(event: &str) -> bool {
    event.starts_with("pull_request")
}

/// A commit; nothing for the zeros that stand for none.
fn commit_or_none(text: &str) -> Result<Option<CommitId>, String> {
    let zeros = !text.is_empty() && text.bytes().all(|byte| byte == b'0');
    match CommitId::new(text) {
        None if !zeros => Err(format!("`{}` is no commit", sanitize_name(text))),
        commit => Ok(commit),
    }
}

fn named(repository: NamedRepository) -> Result<Repository, String> {
    Repository::try_from(repository.full_name).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error: tidegate_core::timestamp::TimestampError| error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` wants")]
fn parse(error: serde_json::Error) -> String {
    sanitize_name(&error.to_string())
}
