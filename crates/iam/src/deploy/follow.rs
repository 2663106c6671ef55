//! Following a stack operation: its events, until its status says that it has ended.

use std::time::Duration;

use tidegate_publish::AwsError;

use super::deployer::StackDeployer;
use super::error::DeployError;
use super::event::{StackEvent, first_failure};
use super::stack_state::{DeployedStack, StackPhase};

/// The time between two looks at an operation, first and longest. CloudFormation needs seconds for most resources.
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(4);

/// Looks without an event after which a status counts as that of the operation.
const MOST_SILENT: usize = 20;

/// Looks for the deletion that follows a creation that failed.
const MOST_UNTIL_DELETION: usize = 10;

/// Delays that grow.
pub(super) struct PollDelay(Duration);

impl PollDelay {
    pub(super) fn new() -> Self {
        Self(FIRST_DELAY)
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 3 / 2).min(LONGEST_DELAY);
    }
}

impl StackDeployer {
    /// The id of the newest event of a stack.
    pub(super) async fn newest_event(&self, stack: &str) -> Result<Option<String>, AwsError> {
        Ok(self.client.events(stack, None).await?.events.into_iter().next().map(|event| event.id))
    }

    /// Events after the one with this id, the oldest first.
    pub(super) async fn events_since(&self, stack: &str, last: Option<&str>) -> Result<Vec<StackEvent>, AwsError> {
        let (mut events, mut next) = (Vec::new(), None);
        loop {
            let page = self.client.events(stack, next).await?;
            for event in page.events {
                if Some(event.id.as_str()) == last {
                    events.reverse();
                    return Ok(events);
                }
                events.push(event);
            }
            next = page.next;
            if next.is_none() {
                events.reverse();
                return Ok(events);
            }
        }
    }

    /// Waits until an operation that began after the event `last` has ended, and returns the stack. An operation that did not
    /// succeed is an error, with the first failure as its reason.
    pub(super) async fn follow(
        &self,
        stack: &str,
        last: Option<String>,
        observe: &mut dyn FnMut(&StackEvent),
    ) -> Result<DeployedStack, DeployError> {
        let failed = |cause: AwsError| DeployError::Unfollowed { cause };
        let (mut delay, mut last, mut seen) = (PollDelay::new(), last, Vec::new());
        let (mut silent, mut until_deletion) = (0, 0);
        loop {
            // The status first: events that come after the last status would be lost otherwise.
            let found = self.client.stack(stack).await.map_err(failed)?;
            let events = self.events_since(stack, last.as_deref()).await.map_err(failed)?;
            events.iter().for_each(&mut *observe);
            last = events.last().map(|event| event.id.clone()).or(last);
            silent = if events.is_empty() { silent + 1 } else { 0 };
            seen.extend(events);
            let found = found.unwrap_or_else(|| DeployedStack::deleted(&self.name, stack));
            let has_ended = match found.phase() {
                StackPhase::Deleted => true,
                StackPhase::Busy => false,
                // CloudFormation deletes a stack whose creation failed.
                StackPhase::Broken(_) if matches!(found.status.as_str(), "CREATE_FAILED" | "ROLLBACK_COMPLETE") => {
                    until_deletion += 1;
                    until_deletion > MOST_UNTIL_DELETION
                }
                StackPhase::Review | StackPhase::Ready | StackPhase::Broken(_) => {
                    !seen.is_empty() || silent > MOST_SILENT
                }
            };
            if has_ended {
                return if found.has_succeeded() { Ok(found) } else { Err(failure(found, &seen)) };
            }
            delay.wait().await;
        }
    }

    /// The stack, after an operation that is running has ended. Calls `on_wait` with its status before it waits.
    ///
    /// # Errors
    /// [`DeployError`], also for a stack of others.
    pub async fn current(&self, mut on_wait: impl FnMut(&str)) -> Result<Option<DeployedStack>, DeployError> {
        let mut delay = PollDelay::new();
        let mut is_waiting = false;
        loop {
            let found = self.client.stack(&self.name).await?.filter(|stack| stack.phase() != StackPhase::Deleted);
            let Some(mut stack) = found else { return Ok(None) };
            if stack.phase() != StackPhase::Review {
                stack.template = self.client.template(&stack.id).await?;
            }
            if !stack.is_ours() {
                return Err(DeployError::Foreign(self.name.clone()));
            }
            if stack.phase() != StackPhase::Busy {
                return Ok(Some(stack));
            }
            if !is_waiting {
                is_waiting = true;
                on_wait(&stack.status);
            }
            delay.wait().await;
        }
    }
}

fn failure(stack: DeployedStack, events: &[StackEvent]) -> DeployError {
    let reason = first_failure(events).or(stack.reason).unwrap_or_else(|| "CloudFormation gave no reason".to_owned());
    DeployError::Failed { name: stack.name, status: stack.status, reason }
}
