//! Lambda's functions: beside `tidegate-lambda`, which only invokes one, the only room that names their SDK.
//!
//! Owns the requests about one function. Never invokes it.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture as SdkArchitecture, DestinationConfig, FunctionCode, FunctionConfiguration, FunctionUrlAuthType,
    OnFailure, Runtime,
};
use serde_json::Value;
use tidegate_core::location::Bucket;
use tidegate_publish::Connection;
use tidegate_publish::aws_error::{AwsError, if_exists};

use super::PackageZip;
use crate::stack::TAG;
use crate::stack::install::{FoundFunction, FoundRetries, FunctionSettings, InstallStep, InvokePermission};

/// What a function is called by people.
const DESCRIPTION: &str = "Publishes static sites";

/// A client of Lambda.
#[derive(Debug, Clone)]
pub(super) struct Functions {
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

/// Names of statements, each with the bucket that it names as its source.
fn permissions(policy: &str) -> BTreeMap<String, Option<Bucket>> {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = document.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default();
    let named = statements.iter().filter_map(|statement| {
        let source = statement.pointer("/Condition/ArnLike/AWS:SourceArn").and_then(Value::as_str);
        let bucket = source.and_then(|arn| arn.rsplit(':').next()).and_then(|name| Bucket::new(name).ok());
        Some((statement.get("Sid")?.as_str()?.to_owned(), bucket))
    });
    named.collect()
}

impl Functions {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }

    pub(super) async fn read(&self, name: &str) -> Result<Option<FoundFunction>, AwsError> {
        let answer = self.client.get_function().function_name(name).send().await;
        let answer = if_exists(answer.map_err(|error| AwsError::new("GetFunction", name, &error)))?;
        let Some(mut answer) = answer else { return Ok(None) };
        let configuration = answer
            .configuration
            .take()
            .ok_or_else(|| AwsError::malformed("GetFunction", name, "the answer has no configuration"))?;
        let policy = self.client.get_policy().function_name(name).send().await;
        let policy = if_exists(policy.map_err(|error| AwsError::new("GetPolicy", name, &error)))?;
        let url = self.client.get_function_url_config().function_name(name).send().await;
        let url = if_exists(url.map_err(|error| AwsError::new("GetFunctionUrlConfig", name, &error)))?;
        Ok(Some(FoundFunction {
            owner: answer.tags.and_then(|mut tags| tags.remove(TAG)),
            settings: settings(&configuration),
            architecture: configuration.architectures().first().map(|one| one.as_str().to_owned()).unwrap_or_default(),
            code: configuration.code_sha256().unwrap_or_default().to_owned(),
            retries: self.retries(name).await?,
            url: url.is_some(),
            permissions: policy.and_then(|answer| answer.policy).map(|text| permissions(&text)).unwrap_or_default(),
        }))
    }

    async fn retries(&self, name: &str) -> Result<Option<FoundRetries>, AwsError> {
        let answer = self.client.get_function_event_invoke_config().function_name(name).send().await;
        let answer = if_exists(answer.map_err(|error| AwsError::new("GetFunctionEventInvokeConfig", name, &error)))?;
        let number = |number: Option<i32>| number.and_then(|number| u16::try_from(number).ok());
        Ok(answer.and_then(|answer| {
            let failure = answer.destination_config()?.on_failure()?;
            Some(FoundRetries {
                retries: number(answer.maximum_retry_attempts())?,
                event_age: number(answer.maximum_event_age_in_seconds())?,
                dead_letters: failure.destination()?.to_owned(),
            })
        }))
    }

    /// Takes one step that is about a function.
    pub(super) async fn apply(&self, step: &InstallStep, zip: Option<&PackageZip>) -> Result<(), AwsError> {
        let client = &self.client;
        let blob = |function: &str| {
            let missing = || AwsError::malformed("UpdateFunctionCode", function, "there is no package");
            zip.map(|zip| Blob::new(zip.bytes())).ok_or_else(missing)
        };
        match step {
            InstallStep::CreateFunction { function, settings, architecture, .. } => {
                let request = client
                    .create_function()
                    .function_name(function)
                    .description(DESCRIPTION)
                    .role(&settings.role)
                    .runtime(Runtime::from(settings.runtime.as_str()))
                    .handler(&settings.handler)
                    .memory_size(settings.memory.into())
                    .timeout(settings.timeout.into())
                    .architectures(SdkArchitecture::from(architecture.as_str()))
                    .tags(TAG, function)
                    .code(FunctionCode::builder().zip_file(blob(function)?).build());
                sent!("CreateFunction", function, request)
            }
            InstallStep::UpdateCode { function, architecture, .. } => {
                let request = client
                    .update_function_code()
                    .function_name(function)
                    .architectures(SdkArchitecture::from(architecture.as_str()))
                    .zip_file(blob(function)?);
                sent!("UpdateFunctionCode", function, request)
            }
            InstallStep::UpdateFunction { function, settings } => {
                let request = client
                    .update_function_configuration()
                    .function_name(function)
                    .role(&settings.role)
                    .runtime(Runtime::from(settings.runtime.as_str()))
                    .handler(&settings.handler)
                    .memory_size(settings.memory.into())
                    .timeout(settings.timeout.into());
                sent!("UpdateFunctionConfiguration", function, request)
            }
            InstallStep::DeleteFunction { function } => {
                sent!("DeleteFunction", function, client.delete_function().function_name(function))
            }
            InstallStep::SetRetries { function, retries } => {
                let failure = OnFailure::builder().destination(&retries.dead_letters).build();
                let request = client
                    .put_function_event_invoke_config()
                    .function_name(function)
                    .maximum_retry_attempts(retries.retries.into())
                    .maximum_event_age_in_seconds(retries.event_age.into())
                    .destination_config(DestinationConfig::builder().on_failure(failure).build());
                sent!("PutFunctionEventInvokeConfig", function, request)
            }
            InstallStep::CreateUrl { function } => {
                let request =
                    client.create_function_url_config().function_name(function).auth_type(FunctionUrlAuthType::None);
                sent!("CreateFunctionUrlConfig", function, request)
            }
            InstallStep::DeleteUrl { function } => {
                sent!("DeleteFunctionUrlConfig", function, client.delete_function_url_config().function_name(function))
            }
            InstallStep::Permit { function, permission } => self.permit(function, permission).await,
            InstallStep::Forbid { function, sid } => {
                sent!(
                    "RemovePermission",
                    function,
                    client.remove_permission().function_name(function).statement_id(sid)
                )
            }
            other => Err(AwsError::malformed("Invoke", other.to_string(), "this step is not about a function")),
        }
    }

    async fn permit(&self, function: &str, permission: &InvokePermission) -> Result<(), AwsError> {
        let request = self.client.add_permission().function_name(function).statement_id(permission.sid());
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
                .source_arn(format!("arn:{partition}:s3:::{bucket}"))
                .source_account(account),
        };
        sent!("AddPermission", function, request)
    }
}
