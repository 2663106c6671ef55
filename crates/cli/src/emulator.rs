//! `--local DIR`: the stand-in of AWS, with everything that a configuration takes for granted.
//!
//! Owns what is made there: buckets, the role with the permissions that a publisher's role has, distributions. The only
//! room that knows the stand-in, but for `dev`.

use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use tidegate_core::config::{MetadataName, RoleArn, Site};
use tidegate_core::location::Source;
use tidegate_emulator::LocalAws;
use tidegate_emulator::cloudfront::{CloudFrontError, S3Origin};
use tidegate_emulator::iam::{ACCOUNT_ID, IamError};
use tidegate_iam::policies::{self, Grant, trust_account};
use tidegate_publish::Connection;

use crate::error::CliError;

/// An open stand-in.
pub(crate) struct LocalAccount {
    pub(crate) account: LocalAws,
}

impl LocalAccount {
    pub(crate) fn open(directory: &Path) -> Result<Self, CliError> {
        LocalAws::open(directory).map(|account| Self { account }).map_err(|error| CliError::System(error.to_string()))
    }

    pub(crate) fn connection(&self) -> Connection {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .http_client(self.account.http_client())
            .credentials_provider(SharedCredentialsProvider::new(self.account.root_credentials()))
            .build();
        Connection::new(config, true)
    }

    /// Makes what a site needs, where it is missing, and returns the site with the stand-in's account in its role.
    pub(crate) async fn prepare(&self, site: &Site, source: Option<&Source>) -> Result<Site, CliError> {
        let mut site = site.clone();
        self.bucket(site.target.bucket.as_str()).await?;
        for source in [source, site.staged.as_ref()].into_iter().flatten() {
            match source {
                Source::Prefix(place) => self.bucket(place.bucket.as_str()).await?,
                Source::Object(object) => self.bucket(object.bucket.as_str()).await?,
                Source::Directory(_) | Source::Archive(_) | Source::Release(_) => {}
            }
        }
        for place in [&site.builds, &site.state].into_iter().flatten() {
            self.bucket(place.bucket.as_str()).await?;
        }
        for cdn in &site.cdn {
            let path = String::from(cdn.origin_path.clone());
            let origin = S3Origin { bucket: site.target.bucket.to_string(), path };
            let made =
                self.account.cloudfront().create_distribution(cdn.distribution.as_str(), origin, Some("index.html"));
            match made {
                Ok(_) | Err(CloudFrontError::DistributionAlreadyExists(_)) => {}
                Err(error) => return Err(CliError::System(error.to_string())),
            }
            let header = cdn.cache_tags.as_ref().map(MetadataName::header);
            let set = self.account.cloudfront().set_cache_tags(cdn.distribution.as_str(), header.as_deref());
            set.map_err(|error| CliError::System(error.to_string()))?;
        }
        if let Some(role) = site.role.take() {
            site.role = Some(self.role(&role, &site, source)?);
        }
        Ok(site)
    }

    pub(crate) async fn bucket(&self, name: &str) -> Result<(), CliError> {
        if self.account.s3().bucket(name).is_ok() {
            return Ok(());
        }
        let made = self.account.s3().create_bucket(name).await;
        made.map_err(|error| CliError::System(format!("the bucket `{name}` could not be made: {error}")))
    }

    /// The role of a site, which may do what publishing that site can need and nothing beside it.
    fn role(&self, role: &RoleArn, site: &Site, source: Option<&Source>) -> Result<RoleArn, CliError> {
        let written = |grant: Grant| grant.document.compact().map_err(|error| CliError::System(error.to_string()));
        let trust = written(trust_account(&format!("arn:aws:iam::{ACCOUNT_ID}:root")))?;
        let document = written(policies::site(site, ACCOUNT_ID, &source.into_iter().collect::<Vec<_>>()))?;
        let name = role.role_name();
        let iam = self.account.iam();
        match iam.create_role(name, &trust, &[("tidegate", document.as_str())]) {
            Ok(_) => {}
            Err(IamError::EntityAlreadyExists { .. }) => {
                iam.put_role_policy(name, "tidegate", &document)
                    .map_err(|error| CliError::System(error.to_string()))?;
            }
            Err(error) => return Err(CliError::System(error.to_string())),
        }
        RoleArn::try_from(format!("arn:aws:iam::{ACCOUNT_ID}:role/{name}"))
            .map_err(|error| CliError::System(error.to_string()))
    }
}
