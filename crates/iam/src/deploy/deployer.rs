//! Creating, executing and discarding change sets, and deleting a stack.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tidegate_core::arn::Partition;
use tidegate_core::kms_key::KmsKey;
use tidegate_core::location::{Location, Prefix};
use tidegate_publish::s3::PutCondition;
use tidegate_publish::{AwsError, Connection, S3};

use super::changes::{ResourceAction, ResourceDifference, StackChanges};
use super::error::DeployError;
use super::evaluate::Evaluator;
use super::event::StackEvent;
use super::follow::PollDelay;
use super::package::PackagePlace;
use super::policy_difference::policy_differences;
use super::property_difference::changed_values;
use super::stack_state::{DeployedStack, StackPhase, stack_name};
use crate::client::{ChangeSetSpec, ChangeSetState, StackClient, TemplateSource, says_up_to_date};
use crate::policies::TrustedArn;
use crate::stack::{PackageZip, trust_parameters};

/// Largest template in a request, in bytes. A larger one is read from S3. Source: AWS CloudFormation user guide, "Understand
/// CloudFormation quotas".
const MAX_BODY: usize = 51_200;

/// Bytes of one part of an upload.
const PART: usize = 8 << 20;

/// Properties that are shown as policies.
const POLICY_PROPERTIES: [&str; 2] = ["Policies", "AssumeRolePolicyDocument"];

/// Changes the stack of a function.
#[derive(Debug, Clone)]
pub struct StackDeployer {
    pub(super) client: StackClient,
    s3: S3,
    pub(super) name: String,
    service_role: Option<String>,
    /// What S3 is called, if it is not AWS.
    endpoint: Option<String>,
    region: String,
}

/// What a stack should be.
#[derive(Debug)]
pub struct DeployRequest<'a> {
    /// The template.
    pub template: &'a str,
    /// The deployment package.
    pub package: &'a PackageZip,
    /// Where it is uploaded to.
    pub place: &'a PackagePlace,
    /// Who may assume the publisher roles; `None` for those that the stack has.
    pub trusted: Option<&'a [TrustedArn]>,
    /// The account of the stack.
    pub account: &'a str,
}

/// A change set, with what it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedChanges {
    /// Whether the stack is new.
    pub is_new: bool,
    /// What it changes.
    pub changes: StackChanges,
    /// ARN of the change set.
    id: String,
    /// ARN of the stack.
    stack: String,
}

impl DeployedStack {
    /// A stack that CloudFormation no longer knows.
    pub(super) fn deleted(name: &str, id: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: id.to_owned(),
            status: "DELETE_COMPLETE".to_owned(),
            reason: None,
            template: Value::Null,
            parameters: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }
}

impl DeployRequest<'_> {
    /// The values of the template's parameters; `None` for the value that the stack has.
    fn parameters(&self, template: &Value, current: Option<&DeployedStack>) -> Vec<(String, Option<String>)> {
        let mut given = BTreeMap::from([
            ("CodeBucket", self.place.location().bucket.to_string()),
            ("CodeKey", self.place.key(self.package)),
            // A key that is a digest needs no version.
            ("CodeVersion", String::new()),
        ]);
        given.extend(self.trusted.into_iter().flat_map(|people| trust_parameters(people, self.account)));
        let names = template.get("Parameters").and_then(Value::as_object).into_iter().flat_map(|all| all.keys());
        let is_known = |name: &str| current.is_some_and(|stack| stack.parameters.contains_key(name));
        names
            .filter_map(|name| match given.remove(name.as_str()) {
                Some(value) => Some((name.clone(), Some(value))),
                None => is_known(name).then(|| (name.clone(), None)),
            })
            .collect()
    }
}

impl StackDeployer {
    /// A deployer of the stack with this name; by default, that of the function.
    #[must_use]
    pub fn new(connection: &Connection, function: &str, name: Option<&str>, service_role: Option<&str>) -> Self {
        Self {
            client: StackClient::new(connection),
            s3: S3::new(connection),
            name: name.map_or_else(|| stack_name(function), str::to_owned),
            service_role: service_role.map(str::to_owned),
            endpoint: connection.config().endpoint_url().map(str::to_owned),
            region: connection.region(),
        }
    }

    /// With the KMS key that uploads are encrypted with.
    #[must_use]
    pub fn with_upload_key(self, key: Option<KmsKey>) -> Self {
        Self { s3: self.s3.with_document_key(key), ..self }
    }

    /// The name of the stack.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates a change set; `None` if the stack is up to date.
    ///
    /// # Errors
    /// [`DeployError`]. Nothing was changed then.
    pub async fn prepare(
        &self,
        request: &DeployRequest<'_>,
        current: Option<&DeployedStack>,
    ) -> Result<Option<PreparedChanges>, DeployError> {
        if let Some(stack) = current
            && let StackPhase::Broken(remedy) = stack.phase()
        {
            return Err(DeployError::Broken { name: stack.name.clone(), status: stack.status.clone(), remedy });
        }
        let existing = current.filter(|stack| stack.phase() == StackPhase::Ready);
        let template: Value = serde_json::from_str(request.template).unwrap_or_default();
        let parameters = request.parameters(&template, existing);
        let uploaded = self.upload_template(request).await?;
        let template_source = match &uploaded {
            Some(key) => TemplateSource::Url(self.url(request.place, key)),
            None => TemplateSource::Body(request.template),
        };
        let spec = ChangeSetSpec {
            stack: &self.name,
            is_new: existing.is_none(),
            template: template_source,
            parameters: &parameters,
            service_role: self.service_role.as_deref(),
        };
        let created = self.create_change_set(&spec, current.is_some()).await;
        if let Some(key) = uploaded {
            self.s3.delete_keys(&request.place.location().bucket, &[key]).await?;
        }
        let id = match created {
            // Some servers say it here.
            Err(error) if says_up_to_date(&error.why) => return Ok(None),
            other => other?,
        };
        let state = match self.wait_for_change_set(&id).await {
            Ok(state) if state.is_complete => state,
            other => {
                self.discard_change_set().await?;
                let state = other?;
                if state.is_up_to_date() {
                    return Ok(None);
                }
                return Err(DeployError::ChangeSet { name: self.name.clone(), reason: state.reason });
            }
        };
        let stack = self.client.stack(&self.name).await?.ok_or_else(|| DeployError::Replaced(self.name.clone()))?.id;
        let changes = self.changes(request, &template, &parameters, existing, state);
        Ok(Some(PreparedChanges { is_new: existing.is_none(), changes, id, stack }))
    }

    /// Creates a change set, instead of one that an earlier run has left.
    async fn create_change_set(&self, spec: &ChangeSetSpec<'_>, exists: bool) -> Result<String, AwsError> {
        if exists {
            self.client.delete_change_set(&self.name).await?;
        }
        match self.client.create_change_set(spec).await {
            // The response to the first request was lost.
            Err(error) if error.code.as_deref() == Some("AlreadyExistsException") => {
                self.client.delete_change_set(&self.name).await?;
                self.client.create_change_set(spec).await
            }
            other => other,
        }
    }

    async fn wait_for_change_set(&self, id: &str) -> Result<ChangeSetState, AwsError> {
        let mut delay = PollDelay::new();
        loop {
            let state = self.client.change_set(&self.name, id).await?;
            if state.is_complete || state.has_failed {
                return Ok(state);
            }
            delay.wait().await;
        }
    }

    /// Uploads a template that is too large for a request, and returns its key.
    async fn upload_template(&self, request: &DeployRequest<'_>) -> Result<Option<String>, AwsError> {
        if request.template.len() <= MAX_BODY {
            return Ok(None);
        }
        let key = request.place.template_key(&hex::encode(Sha256::digest(request.template)));
        let body = Bytes::from(request.template.to_owned());
        self.s3.put_document(&request.place.location().bucket, &key, body, PutCondition::Always).await?;
        Ok(Some(key))
    }

    /// The address of an object for CloudFormation.
    fn url(&self, place: &PackagePlace, key: &str) -> String {
        let bucket = &place.location().bucket;
        match &self.endpoint {
            Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
            None => {
                let suffix = Partition::of_region(&self.region).dns_suffix();
                format!("https://s3.{}.{suffix}/{bucket}/{key}", self.region)
            }
        }
    }

    /// The changes of a change set, with the values and policies that differ between the templates.
    fn changes(
        &self,
        request: &DeployRequest<'_>,
        template: &Value,
        parameters: &[(String, Option<String>)],
        existing: Option<&DeployedStack>,
        state: ChangeSetState,
    ) -> StackChanges {
        let old_template = existing.map(|stack| stack.template.clone()).unwrap_or_default();
        let old_values = existing.map(|stack| stack.parameters.clone()).unwrap_or_default();
        let new_values = parameters
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.clone().or_else(|| old_values.get(name).cloned())?)));
        let new_values: BTreeMap<String, String> = new_values.collect();
        let evaluator =
            |template, parameters| Evaluator { template, parameters, account: request.account, region: &self.region };
        let (old, new) = (evaluator(&old_template, &old_values), evaluator(template, &new_values));
        let resources = state.changes.into_iter().map(|change| with_values(change, &old, &new)).collect();
        StackChanges { resources, policies: policy_differences(&old, &new) }
    }

    /// Deletes a change set that is not executed, and the stack if it has nothing else.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn discard_change_set(&self) -> Result<(), AwsError> {
        let Some(stack) = self.client.stack(&self.name).await? else { return Ok(()) };
        self.client.delete_change_set(&self.name).await?;
        if stack.phase() == StackPhase::Review && !self.client.has_other_change_sets(&self.name).await? {
            self.client.delete_stack(&stack.id, None).await?;
        }
        Ok(())
    }

    /// Uploads the package, unless it is there.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn upload_package(&self, package: &PackageZip, place: &PackagePlace) -> Result<(), AwsError> {
        let key = place.key(package);
        let bucket = &place.location().bucket;
        match self.s3.head_if_exists(bucket, &key).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            // A missing object looks like this to a caller that may not list the bucket.
            Err(error) if error.is_denied() => {}
            Err(error) => return Err(error),
        }
        let bytes = package.bytes().clone();
        let starts = (0..bytes.len()).step_by(PART);
        let parts: Vec<Result<Bytes, AwsError>> =
            starts.map(|start| Ok(bytes.slice(start..bytes.len().min(start + PART)))).collect();
        let root = Location { bucket: bucket.clone(), prefix: Prefix::default() };
        match self.s3.put_stream(&root, &key, stream::iter(parts), PutCondition::IfAbsent).await {
            // The key is a digest: what is there is this package.
            Err(error) if error.is_condition_failed() => Ok(()),
            other => other,
        }
    }

    /// Executes a change set, follows it to its end, and returns the stack.
    ///
    /// # Errors
    /// [`DeployError`]. CloudFormation has rolled back a change that failed.
    pub async fn execute(
        &self,
        prepared: &PreparedChanges,
        mut observe: impl FnMut(&StackEvent),
    ) -> Result<DeployedStack, DeployError> {
        let stack = &prepared.stack;
        let last = self.newest_event(stack).await?;
        // The change set's own id makes the token unique.
        let token = format!("tidegate-{}", prepared.id.rsplit('/').next().unwrap_or_default());
        if let Err(error) = self.client.execute_change_set(stack, &prepared.id, &token).await {
            // The response may have been lost: then CloudFormation refuses the second request.
            let has_begun = self.events_since(stack, last.as_deref()).await.is_ok_and(|events| !events.is_empty());
            if !has_begun {
                let is_replaced = matches!(error.code.as_deref(), Some("ChangeSetNotFound" | "InvalidChangeSetStatus"));
                return Err(if is_replaced { DeployError::Replaced(self.name.clone()) } else { error.into() });
            }
        }
        self.follow(stack, last, &mut observe).await
    }

    /// The resources of a stack, as changes that remove them.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn removals(&self, stack: &DeployedStack) -> Result<Vec<ResourceDifference>, AwsError> {
        self.client.removals(&stack.id).await
    }

    /// Deletes a stack and follows the deletion to its end.
    ///
    /// # Errors
    /// [`DeployError`].
    pub async fn delete(&self, stack: &DeployedStack, mut observe: impl FnMut(&StackEvent)) -> Result<(), DeployError> {
        let last = self.newest_event(&stack.id).await?;
        match self.client.delete_stack(&stack.id, self.service_role.as_deref()).await {
            Err(error) if error.why.contains("TerminationProtection") => {
                return Err(DeployError::Protected(self.name.clone()));
            }
            other => other?,
        }
        match self.follow(&stack.id, last, &mut observe).await {
            Err(DeployError::Failed { status, .. }) if status == "DELETE_COMPLETE" => Ok(()),
            other => other.map(drop),
        }
    }
}

/// A change with the values of its properties.
fn with_values(change: ResourceDifference, old: &Evaluator<'_>, new: &Evaluator<'_>) -> ResourceDifference {
    if !matches!(change.action, ResourceAction::Modify | ResourceAction::Replace | ResourceAction::MayReplace) {
        return change;
    }
    let value = |evaluator: &Evaluator<'_>, property: &str| {
        let resource = evaluator.template.get("Resources")?.get(&change.resource)?;
        evaluator.value(resource.get("Properties")?.get(property)?)
    };
    let properties = change.properties.iter().flat_map(|property| {
        if POLICY_PROPERTIES.contains(&property.name.as_str()) {
            return vec![property.clone()];
        }
        changed_values(&property.name, value(old, &property.name).as_ref(), value(new, &property.name).as_ref())
    });
    ResourceDifference { properties: properties.collect(), ..change }
}
