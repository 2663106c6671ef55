//! The client of Lambda for the function.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, DestinationConfig, FunctionCode, FunctionConfiguration, FunctionResponseType, FunctionUrlAuthType,
    OnFailure, RecursiveLoop, Runtime,
};
use serde_json::Value;
use tidegate_core::location::Bucket;
use tidegate_publish::Connection;
use tidegate_publish::aws_error::{AwsError, if_exists};

use crate::changes::{FunctionChange, FunctionSettings, InvokePermission, RetrySettings, TAG};
use crate::document::{bucket_arn, statements};
use crate::stack::install::{FoundFunction, FoundMapping};
use crate::stack::{FUNCTION_DESCRIPTION, PackageZip};

/// Lambda deletes the messages that the function does not report, and delivers the others again.
const REPORTS_FAILURES: FunctionResponseType = FunctionResponseType::ReportBatchItemFailures;

/// A client of Lambda.
#[derive(Debug, Clone)]
pub(crate) struct FunctionClient {
    client: Client,
}

fn settings(found: &FunctionConfiguration) -> FunctionSettings {
    let number = |number: Option<i32>| number.and_then(|number| u16::try_from(number).ok()).unwrap_or_default();
    FunctionSettings {
        role: found.role().unwrap_or_default().to_owned(),
        runtime: found.runtime().map(|runtime| runtime.as_str().to_owned()).unwrap_or_default(),
        handler: found.handler().unwrap_or_default().to_owned(),
        memory: number(found.memory_size()),
        timeout: number(found.timeout()),
    }
}

/// Statement ids of a resource policy, each with the bucket that is its source.
fn permissions(policy: &str) -> BTreeMap<String, Option<Bucket>> {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    let permissions = statements(&document).iter().filter_map(|statement| {
        let source = statement.pointer("/Condition/ArnLike/AWS:SourceArn").and_then(Value::as_str);
        let bucket = source.and_then(|arn| arn.rsplit(':').next()).and_then(|name| Bucket::new(name).ok());
        Some((statement.get("Sid")?.as_str()?.to_owned(), bucket))
    });
    permissions.collect()
}

impl FunctionClient {
    pub(crate) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    /// Whether a function, version or alias exists, by name or ARN.
    pub(crate) async fn exists(&self, function: &str) -> Result<bool, AwsError> {
        let request = self.client.get_function().function_name(function);
        Ok(if_exists(send!("GetFunction", function, request))?.is_some())
    }

    pub(crate) async fn read(&self, name: &str) -> Result<Option<FoundFunction>, AwsError> {
        let client = &self.client;
        let output = if_exists(send!("GetFunction", name, client.get_function().function_name(name)))?;
        let Some(output) = output else { return Ok(None) };
        let configuration = output
            .configuration
            .ok_or_else(|| AwsError::malformed("GetFunction", name, "the response has no configuration"))?;
        let policy = if_exists(send!("GetPolicy", name, client.get_policy().function_name(name)))?;
        let request = client.get_function_url_config().function_name(name);
        let url = if_exists(send!("GetFunctionUrlConfig", name, request))?;
        Ok(Some(FoundFunction {
            owner: output.tags.and_then(|mut tags| tags.remove(TAG)),
            settings: settings(&configuration),
            architecture: configuration.architectures().first().map(|one| one.as_str().to_owned()).unwrap_or_default(),
            code: configuration.code_sha256().unwrap_or_default().to_owned(),
            retries: self.retries(name).await?,
            recursion: self.recursion(name).await?,
            mappings: self.mappings(name).await?,
            url: url.is_some(),
            permissions: policy.and_then(|output| output.policy).map(|text| permissions(&text)).unwrap_or_default(),
        }))
    }

    async fn retries(&self, name: &str) -> Result<Option<RetrySettings>, AwsError> {
        let request = self.client.get_function_event_invoke_config().function_name(name);
        let output = if_exists(send!("GetFunctionEventInvokeConfig", name, request))?;
        let number = |number: Option<i32>| number.and_then(|number| u16::try_from(number).ok());
        Ok(output.and_then(|output| {
            Some(RetrySettings {
                retries: number(output.maximum_retry_attempts())?,
                event_age: number(output.maximum_event_age_in_seconds())?,
                dead_letters: output.destination_config()?.on_failure()?.destination()?.to_owned(),
            })
        }))
    }

    /// Whether the function may invoke itself again and again; `None` for a server without this setting.
    async fn recursion(&self, name: &str) -> Result<Option<bool>, AwsError> {
        let request = self.client.get_function_recursion_config().function_name(name);
        let output = if_exists(send!("GetFunctionRecursionConfig", name, request))?;
        Ok(output.map(|output| output.recursive_loop() == Some(&RecursiveLoop::Allow)))
    }

    async fn mappings(&self, name: &str) -> Result<BTreeMap<String, FoundMapping>, AwsError> {
        let (mut mappings, mut marker) = (BTreeMap::new(), None);
        loop {
            let request = self.client.list_event_source_mappings().function_name(name).set_marker(marker);
            let page = send!("ListEventSourceMappings", name, request)?;
            for mapping in page.event_source_mappings() {
                let Some((queue, uuid)) = mapping.event_source_arn().zip(mapping.uuid()) else { continue };
                if queue.split(':').nth(2) == Some("sqs") {
                    let reports_failures = mapping.function_response_types().contains(&REPORTS_FAILURES);
                    mappings.insert(queue.to_owned(), FoundMapping { uuid: uuid.to_owned(), reports_failures });
                }
            }
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(mappings);
            }
        }
    }

    pub(crate) async fn change(&self, change: &FunctionChange, package: Option<&PackageZip>) -> Result<(), AwsError> {
        let client = &self.client;
        let code = |function: &str| {
            let missing = || AwsError::malformed("UpdateFunctionCode", function, "no deployment package was given");
            package.map(|package| Blob::new(package.bytes())).ok_or_else(missing)
        };
        match change {
            FunctionChange::CreateFunction { function, settings, architecture, .. } => {
                let request = client
                    .create_function()
                    .function_name(function)
                    .description(FUNCTION_DESCRIPTION)
                    .role(&settings.role)
                    .runtime(Runtime::from(settings.runtime.as_str()))
                    .handler(&settings.handler)
                    .memory_size(settings.memory.into())
                    .timeout(settings.timeout.into())
                    .architectures(Architecture::from(architecture.as_str()))
                    .tags(TAG, function)
                    .code(FunctionCode::builder().zip_file(code(function)?).build());
                send!("CreateFunction", function, request).map(drop)
            }
            FunctionChange::UpdateCode { function, architecture, .. } => {
                let request = client
                    .update_function_code()
                    .function_name(function)
                    .architectures(Architecture::from(architecture.as_str()))
                    .zip_file(code(function)?);
                send!("UpdateFunctionCode", function, request).map(drop)
            }
            FunctionChange::UpdateFunction { function, settings } => {
                let request = client
                    .update_function_configuration()
                    .function_name(function)
                    .role(&settings.role)
                    .runtime(Runtime::from(settings.runtime.as_str()))
                    .handler(&settings.handler)
                    .memory_size(settings.memory.into())
                    .timeout(settings.timeout.into());
                send!("UpdateFunctionConfiguration", function, request).map(drop)
            }
            FunctionChange::SetRetries { function, retries } => {
                let failure = OnFailure::builder().destination(&retries.dead_letters).build();
                let request = client
                    .put_function_event_invoke_config()
                    .function_name(function)
                    .maximum_retry_attempts(retries.retries.into())
                    .maximum_event_age_in_seconds(retries.event_age.into())
                    .destination_config(DestinationConfig::builder().on_failure(failure).build());
                send!("PutFunctionEventInvokeConfig", function, request).map(drop)
            }
            FunctionChange::AllowRecursion { function } => {
                let request = client.put_function_recursion_config().function_name(function);
                let sent = send!("PutFunctionRecursionConfig", function, request.recursive_loop(RecursiveLoop::Allow));
                // The function exists, so a server that finds nothing does not know the setting.
                if_exists(sent).map(drop)
            }
            FunctionChange::CreateMapping { function, queue } => {
                let request = client.create_event_source_mapping().function_name(function).event_source_arn(queue);
                let request = request.function_response_types(REPORTS_FAILURES);
                send!("CreateEventSourceMapping", queue, request).map(drop)
            }
            FunctionChange::UpdateMapping { queue, uuid, .. } => {
                let request = client.update_event_source_mapping().uuid(uuid);
                let request = request.function_response_types(REPORTS_FAILURES);
                send!("UpdateEventSourceMapping", queue, request).map(drop)
            }
            FunctionChange::DeleteMapping { queue, uuid, .. } => {
                send!("DeleteEventSourceMapping", queue, client.delete_event_source_mapping().uuid(uuid)).map(drop)
            }
            FunctionChange::CreateUrl { function } => {
                let request = client.create_function_url_config().function_name(function);
                send!("CreateFunctionUrlConfig", function, request.auth_type(FunctionUrlAuthType::None)).map(drop)
            }
            FunctionChange::DeleteUrl { function } => {
                let request = client.delete_function_url_config().function_name(function);
                send!("DeleteFunctionUrlConfig", function, request).map(drop)
            }
            FunctionChange::AddPermission { function, permission } => {
                let request = client.add_permission().function_name(function).statement_id(permission.sid());
                let request = match permission {
                    InvokePermission::UrlCalled => request
                        .action("lambda:InvokeFunctionUrl")
                        .principal("*")
                        .function_url_auth_type(FunctionUrlAuthType::None),
                    InvokePermission::UrlInvoked => {
                        request.action("lambda:InvokeFunction").principal("*").invoked_via_function_url(true)
                    }
                    InvokePermission::Bucket { bucket, account, partition } => request
                        .action("lambda:InvokeFunction")
                        .principal("s3.amazonaws.com")
                        .source_arn(bucket_arn(partition, bucket))
                        .source_account(account),
                };
                send!("AddPermission", function, request).map(drop)
            }
            FunctionChange::RemovePermission { function, sid } => {
                let request = client.remove_permission().function_name(function).statement_id(sid);
                send!("RemovePermission", function, request).map(drop)
            }
            FunctionChange::DeleteFunction { function } => {
                send!("DeleteFunction", function, client.delete_function().function_name(function)).map(drop)
            }
        }
    }
}
