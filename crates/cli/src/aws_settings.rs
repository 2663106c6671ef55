//! Credentials, profile, region and endpoint: those of the command line, otherwise those that the AWS SDK finds.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use directories::BaseDirs;
use tidegate_publish::Connection;
use tidegate_publish::aws_error::NO_CREDENTIALS;

use crate::arguments::CommonArguments;
use crate::error::CliError;

/// After this time, the search for credentials is reported: the metadata service of EC2 may not exist.
const NOTICE: Duration = Duration::from_secs(2);

/// Loads the settings, and makes sure that there are credentials.
pub(crate) async fn load(common: &CommonArguments) -> Result<SdkConfig, CliError> {
    let profile = profile(common)?;
    let mut loader = Connection::defaults();
    if let Some(url) = &common.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(region) = &common.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(name) = &profile {
        loader = loader.profile_name(name);
    }
    let mut config = loader.load().await;
    // The SDK prefers credentials of the environment to those of a profile, even to one that is named here.
    if common.profile.is_some()
        && let Some(name) = &profile
    {
        let mut provider = ProviderConfig::without_region().with_region(config.region().cloned());
        if let Some(client) = config.http_client() {
            provider = provider.with_http_client(client);
        }
        let provider = ProfileFileCredentialsProvider::builder().profile_name(name).configure(&provider).build();
        config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
    }
    let Some(provider) = config.credentials_provider() else { return Err(CliError::Usage(NO_CREDENTIALS.to_owned())) };
    let provider = Connection::remembered(provider);
    first_credentials(&provider).await.map_err(|error| credentials_error(&error, profile.as_deref()))?;
    Ok(config.into_builder().credentials_provider(provider).build())
}

async fn first_credentials(provider: &SharedCredentialsProvider) -> Result<Credentials, CredentialsError> {
    let mut loading = provider.provide_credentials();
    match tokio::time::timeout(NOTICE, &mut loading).await {
        Ok(result) => result,
        Err(_) => {
            errln!("looking for AWS credentials …");
            loading.await
        }
    }
}

fn credentials_error(error: &CredentialsError, profile: Option<&str>) -> CliError {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    CliError::Usage(match (profile, error) {
        (Some(name), CredentialsError::CredentialsNotLoaded(_)) => format!(
            "the profile `{0}` has no credentials; sign in with `aws login --profile {0}` or `aws sso login --profile {0}`, or use `--local DIR` to work without an account",
            name.escape_debug()
        ),
        (Some(name), _) => format!(
            "the profile `{0}` has no usable credentials: {cause}; sign in with `aws login --profile {0}` or `aws sso login --profile {0}`, or use `--local DIR` to work without an account",
            name.escape_debug()
        ),
        (None, CredentialsError::CredentialsNotLoaded(_)) => NO_CREDENTIALS.to_owned(),
        (None, _) => format!(
            "cannot load AWS credentials: {}; set `AWS_PROFILE`, or use `--local DIR`",
            cause.to_string().trim_end_matches('.')
        ),
    })
}

/// The profile that is named; it must exist. Keys in the environment take precedence over `AWS_PROFILE`.
fn profile(common: &CommonArguments) -> Result<Option<String>, CliError> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let of_environment = || variable("AWS_PROFILE").filter(|_| variable("AWS_ACCESS_KEY_ID").is_none());
    let Some(name) = common.profile.clone().or_else(of_environment) else { return Ok(None) };
    let home = |file: &str| BaseDirs::new().map(|dirs| dirs.home_dir().join(".aws").join(file));
    let files = [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
    let files = files.map(|(name, file)| variable(name).map(PathBuf::from).or_else(|| home(file)));
    let texts = files.iter().flatten().filter_map(|path| std::fs::read_to_string(path).ok());
    let names: BTreeSet<String> = texts.flat_map(|text| profile_names(&text)).collect();
    if names.contains(&name) {
        return Ok(Some(name));
    }
    let existing = match names.is_empty() {
        true => "create it with `aws login` or `aws configure sso`".to_owned(),
        false => {
            let names: Vec<String> = names.iter().map(|name| format!("`{}`", name.escape_debug())).collect();
            format!("existing: {}", names.join(", "))
        }
    };
    let message = format!("no AWS profile named `{}`; {existing}, or use `--local DIR`", name.escape_debug());
    Err(CliError::Usage(message))
}

/// The names in `[profile NAME]` of the configuration and in `[NAME]` of the credentials.
fn profile_names(text: &str) -> Vec<String> {
    let sections = text.lines().filter_map(|line| line.trim().strip_prefix('[')?.split(']').next());
    let names = sections.filter_map(|section| match section.trim().split_once(char::is_whitespace) {
        Some(("profile", name)) => Some(name.trim().trim_matches('"').to_owned()),
        Some(_) => None,
        None => Some(section.trim().to_owned()),
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_names_of_profiles() {
        let text = "[default]\nregion=x\n[profile acme]\nsso_session = s\n[sso-session s]\n # [no]\n[ old ]\n";
        assert_eq!(profile_names(text), ["default", "acme", "old"]);
    }
}
