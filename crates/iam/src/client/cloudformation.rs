//! The client of CloudFormation.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{
    Capability, Change, ChangeAction, ChangeSetStatus, ChangeSetType, OnStackFailure, Parameter, Replacement,
    ResourceAttribute, ResourceChange, Stack as StackDescription, TemplateStage,
};
use serde_json::Value;
use tidegate_publish::{AwsError, Connection};

use crate::deploy::{ChangedProperty, DeployedStack, EventPage, ResourceAction, ResourceDifference, StackEvent};

/// The name of the change sets of `tidegate install`.
const CHANGE_SET: &str = "tidegate-install";

/// A client of CloudFormation.
#[derive(Debug, Clone)]
pub(crate) struct StackClient {
    client: Client,
}

/// A change set to create.
#[derive(Debug)]
pub(crate) struct ChangeSetSpec<'a> {
    pub(crate) stack: &'a str,
    pub(crate) is_new: bool,
    pub(crate) template: TemplateSource<'a>,
    /// Values of parameters; `None` for the value that the stack has.
    pub(crate) parameters: &'a [(String, Option<String>)],
    pub(crate) service_role: Option<&'a str>,
}

/// Where CloudFormation reads a template from.
#[derive(Debug)]
pub(crate) enum TemplateSource<'a> {
    Body(&'a str),
    Url(String),
}

/// A change set.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeSetState {
    pub(crate) is_complete: bool,
    pub(crate) has_failed: bool,
    pub(crate) reason: String,
    pub(crate) changes: Vec<ResourceDifference>,
}

impl ChangeSetState {
    /// Whether it failed because the stack is up to date. CloudFormation has no code for that.
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.has_failed && says_up_to_date(&self.reason)
    }
}

/// Whether a reason says that the stack is up to date.
pub(crate) fn says_up_to_date(reason: &str) -> bool {
    ["didn't contain changes", "No updates are to be performed"].iter().any(|text| reason.contains(text))
}

/// Whether an error is that the stack does not exist. CloudFormation has no code for that.
fn is_absent(error: &AwsError) -> bool {
    error.code.as_deref() == Some("ValidationError") && error.why.contains("does not exist")
}

fn deployed(found: StackDescription) -> DeployedStack {
    let text = |text: Option<String>| text.unwrap_or_default();
    let parameters = found.parameters.unwrap_or_default().into_iter();
    let outputs = found.outputs.unwrap_or_default().into_iter();
    DeployedStack {
        name: text(found.stack_name),
        id: text(found.stack_id),
        status: found.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        reason: found.stack_status_reason.filter(|reason| !reason.is_empty()),
        template: Value::Null,
        parameters: parameters.map(|one| (text(one.parameter_key), text(one.parameter_value))).collect(),
        outputs: outputs.map(|one| (text(one.output_key), text(one.output_value))).collect(),
    }
}

fn action(change: &ResourceChange) -> ResourceAction {
    match (change.action(), change.replacement()) {
        (Some(ChangeAction::Add), _) => ResourceAction::Add,
        (Some(ChangeAction::Remove), _) => ResourceAction::Remove,
        (Some(ChangeAction::Modify), Some(Replacement::True)) => ResourceAction::Replace,
        (Some(ChangeAction::Modify), Some(Replacement::Conditional)) => ResourceAction::MayReplace,
        (Some(ChangeAction::Modify), _) => ResourceAction::Modify,
        _ => ResourceAction::Other,
    }
}

fn difference(change: &Change) -> Option<ResourceDifference> {
    let change = change.resource_change()?;
    let mut properties: Vec<ChangedProperty> = Vec::new();
    for target in change.details().iter().filter_map(|detail| detail.target()) {
        let name = match (target.attribute(), target.name()) {
            (Some(ResourceAttribute::Properties) | None, Some(name)) => name.to_owned(),
            (Some(attribute), _) => attribute.as_str().to_owned(),
            (None, None) => continue,
        };
        if !properties.iter().any(|known| known.name == name) {
            properties.push(ChangedProperty { name, before: None, after: None });
        }
    }
    Some(ResourceDifference {
        action: action(change),
        resource: change.logical_resource_id().unwrap_or_default().to_owned(),
        kind: change.resource_type().unwrap_or_default().to_owned(),
        physical_id: change.physical_resource_id().map(str::to_owned),
        properties,
    })
}

impl StackClient {
    pub(crate) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    /// A stack by its name or ARN. A deleted stack has its ARN only.
    pub(crate) async fn stack(&self, stack: &str) -> Result<Option<DeployedStack>, AwsError> {
        match send!("DescribeStacks", stack, self.client.describe_stacks().stack_name(stack)) {
            Ok(output) => Ok(output.stacks.and_then(|mut stacks| stacks.pop()).map(deployed)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The template of a stack, in its original form; empty if it is not JSON.
    pub(crate) async fn template(&self, stack: &str) -> Result<Value, AwsError> {
        let request = self.client.get_template().stack_name(stack).template_stage(TemplateStage::Original);
        let text = send!("GetTemplate", stack, request)?.template_body.unwrap_or_default();
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Creates a change set and returns its ARN.
    pub(crate) async fn create_change_set(&self, spec: &ChangeSetSpec<'_>) -> Result<String, AwsError> {
        let call = "CreateChangeSet";
        let parameters = spec.parameters.iter().map(|(name, value)| match value {
            Some(value) => Parameter::builder().parameter_key(name).parameter_value(value).build(),
            None => Parameter::builder().parameter_key(name).use_previous_value(true).build(),
        });
        let (kind, on_failure) = match spec.is_new {
            // A stack that failed to be created cannot be updated, only deleted.
            true => (ChangeSetType::Create, OnStackFailure::Delete),
            false => (ChangeSetType::Update, OnStackFailure::Rollback),
        };
        let request = self
            .client
            .create_change_set()
            .stack_name(spec.stack)
            .change_set_name(CHANGE_SET)
            .change_set_type(kind)
            .on_stack_failure(on_failure)
            .set_parameters(Some(parameters.collect()))
            .capabilities(Capability::CapabilityNamedIam)
            .set_role_arn(spec.service_role.map(str::to_owned));
        let request = match &spec.template {
            TemplateSource::Body(body) => request.template_body(*body),
            TemplateSource::Url(url) => request.template_url(url),
        };
        let output = send!("CreateChangeSet", spec.stack, request)?;
        output.id.ok_or_else(|| AwsError::malformed(call, spec.stack, "the response has no id"))
    }

    /// A change set with all of its changes.
    pub(crate) async fn change_set(&self, stack: &str, id: &str) -> Result<ChangeSetState, AwsError> {
        let (mut state, mut token) = (ChangeSetState::default(), None);
        loop {
            let request = self.client.describe_change_set().stack_name(stack).change_set_name(id).set_next_token(token);
            let page = send!("DescribeChangeSet", stack, request)?;
            state.changes.extend(page.changes().iter().filter_map(difference));
            state.is_complete = page.status() == Some(&ChangeSetStatus::CreateComplete);
            state.has_failed = page.status() == Some(&ChangeSetStatus::Failed);
            state.reason = page.status_reason().unwrap_or_default().to_owned();
            token = page.next_token;
            if token.is_none() {
                return Ok(state);
            }
        }
    }

    /// Deletes a change set of `tidegate install`, if the stack with this name has one.
    pub(crate) async fn delete_change_set(&self, stack: &str) -> Result<(), AwsError> {
        if !self.change_sets(stack).await?.iter().any(|name| name == CHANGE_SET) {
            return Ok(());
        }
        let request = self.client.delete_change_set().stack_name(stack).change_set_name(CHANGE_SET);
        match send!("DeleteChangeSet", stack, request) {
            Err(error) if error.code.as_deref() == Some("ChangeSetNotFound") || is_absent(&error) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Whether the stack with this name has change sets of others.
    pub(crate) async fn has_other_change_sets(&self, stack: &str) -> Result<bool, AwsError> {
        Ok(self.change_sets(stack).await?.iter().any(|name| name != CHANGE_SET))
    }

    /// The names of a stack's change sets.
    async fn change_sets(&self, stack: &str) -> Result<Vec<String>, AwsError> {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let request = self.client.list_change_sets().stack_name(stack).set_next_token(token);
            let page = send!("ListChangeSets", stack, request)?;
            let of_stack = page.summaries().iter().filter(|summary| summary.stack_name() == Some(stack));
            names.extend(of_stack.filter_map(|summary| summary.change_set_name()).map(str::to_owned));
            token = page.next_token;
            if token.is_none() {
                return Ok(names);
            }
        }
    }

    /// Executes a change set, by its ARN. `token` makes a repeated request the same request.
    pub(crate) async fn execute_change_set(&self, stack: &str, id: &str, token: &str) -> Result<(), AwsError> {
        let request =
            self.client.execute_change_set().stack_name(stack).change_set_name(id).client_request_token(token);
        send!("ExecuteChangeSet", stack, request).map(drop)
    }

    /// Starts to delete a stack, by its ARN.
    pub(crate) async fn delete_stack(&self, stack: &str, role: Option<&str>) -> Result<(), AwsError> {
        let request = self.client.delete_stack().stack_name(stack).set_role_arn(role.map(str::to_owned));
        send!("DeleteStack", stack, request).map(drop)
    }

    /// A page of events, the newest first. No events of a stack that does not exist.
    pub(crate) async fn events(&self, stack: &str, next: Option<String>) -> Result<EventPage, AwsError> {
        let request = self.client.describe_stack_events().stack_name(stack).set_next_token(next);
        let output = match send!("DescribeStackEvents", stack, request) {
            Ok(output) => output,
            Err(error) if is_absent(&error) => return Ok(EventPage::default()),
            Err(error) => return Err(error),
        };
        let text = |text: Option<String>| text.unwrap_or_default();
        let events = output.stack_events.unwrap_or_default().into_iter().map(|event| StackEvent {
            id: text(event.event_id),
            resource: text(event.logical_resource_id),
            kind: text(event.resource_type),
            status: event.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            reason: event.resource_status_reason.filter(|reason| !reason.is_empty()),
        });
        Ok(EventPage { events: events.collect(), next: output.next_token })
    }

    /// The resources of a stack as changes that remove them.
    pub(crate) async fn removals(&self, stack: &str) -> Result<Vec<ResourceDifference>, AwsError> {
        let mut pages = self.client.list_stack_resources().stack_name(stack).into_paginator().items().send();
        let mut removals = Vec::new();
        let mut next =
            async || pages.try_next().await.map_err(|error| AwsError::new("ListStackResources", stack, &error));
        while let Some(found) = next().await? {
            let is_gone = found.resource_status().is_some_and(|status| status.as_str() == "DELETE_COMPLETE");
            if !is_gone {
                removals.push(ResourceDifference {
                    action: ResourceAction::Remove,
                    resource: found.logical_resource_id.unwrap_or_default(),
                    kind: found.resource_type.unwrap_or_default(),
                    physical_id: found.physical_resource_id,
                    properties: Vec::new(),
                });
            }
        }
        Ok(removals)
    }
}
