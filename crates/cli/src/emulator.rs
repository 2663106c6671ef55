//! `--local DIR`: the local AWS emulator, with the buckets, roles and distributions of the configuration. As in the
//! tutorial, buckets are private, and distributions read them with an origin access control.

use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::json;
use tidegate_core::config::{MetadataName, RoleArn, Site};
use tidegate_core::location::Source;
use tidegate_emulator::LocalAws;
use tidegate_emulator::cloudfront::{CloudFrontError, OriginAccess, S3Origin};
use tidegate_emulator::iam::{ACCOUNT_ID, IamError};
use tidegate_iam::policies::{self, Grant, trust_account};
use tidegate_publish::Connection;

use crate::error::CliError;

/// The statement of a bucket policy that allows its distributions to read it.
const READERS: &str = "TidegateDistributions";

/// The open emulator.
pub(crate) struct LocalAccount {
    pub(crate) account: LocalAws,
}

impl LocalAccount {
    pub(crate) fn open(directory: &Path) -> Result<Self, CliError> {
        Ok(Self { account: LocalAws::open(directory).map_err(CliError::system)? })
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

    /// Creates what a site needs and is missing; returns the site with a role in the emulator's account.
    pub(crate) async fn prepare(&self, site: &Site, source: Option<&Source>) -> Result<Site, CliError> {
        let mut site = site.clone();
        self.create_bucket(site.target.bucket.as_str()).await?;
        for source in [source, site.staged.as_ref()].into_iter().flatten() {
            match source {
                Source::Prefix(location) => self.create_bucket(location.bucket.as_str()).await?,
                Source::Object(object) => self.create_bucket(object.bucket.as_str()).await?,
                Source::Directory(_) | Source::Archive(_) | Source::Release(_) => {}
            }
        }
        for location in [&site.builds, &site.state].into_iter().flatten() {
            self.create_bucket(location.bucket.as_str()).await?;
        }
        self.create_distributions(&site)?;
        self.allow_distributions(site.target.bucket.as_str()).await?;
        if let Some(role) = site.role.take() {
            site.role = Some(self.create_role(&role, &site, source)?);
        }
        Ok(site)
    }

    pub(crate) async fn create_bucket(&self, name: &str) -> Result<(), CliError> {
        if self.account.s3().bucket(name).is_ok() {
            return Ok(());
        }
        let created = self.account.s3().create_bucket(name).await;
        created.map_err(|error| CliError::System(format!("cannot create the bucket `{name}`: {error}")))
    }

    fn create_distributions(&self, site: &Site) -> Result<(), CliError> {
        let cloudfront = self.account.cloudfront();
        for cdn in &site.cdn {
            let id = cdn.distribution.as_str();
            let origin = S3Origin { bucket: site.target.bucket.to_string(), path: cdn.origin_path.clone().into() };
            match cloudfront.create_private_distribution(id, origin, Some("index.html")) {
                Ok(_) | Err(CloudFrontError::DistributionAlreadyExists(_)) => {}
                Err(error) => return Err(CliError::system(error)),
            }
            let header = cdn.cache_tags.as_ref().map(MetadataName::header);
            cloudfront.set_cache_tags(id, header.as_deref()).map_err(CliError::system)?;
        }
        Ok(())
    }

    /// Sets how the distributions of a site read its bucket.
    pub(crate) fn set_origin_access(&self, site: &Site, access: OriginAccess) -> Result<(), CliError> {
        let cloudfront = self.account.cloudfront();
        site.cdn.iter().try_for_each(|cdn| {
            cloudfront.set_origin_access(cdn.distribution.as_str(), access).map_err(CliError::system)
        })
    }

    /// Allows the distributions of a bucket to read it, unless the bucket has a policy of someone else.
    async fn allow_distributions(&self, bucket: &str) -> Result<(), CliError> {
        let known = self.account.s3().bucket(bucket).map_err(CliError::system)?.policy;
        if known.as_ref().is_some_and(|policy| !policy.contains(READERS)) {
            return Ok(());
        }
        let distributions = self.account.cloudfront().distributions();
        let readers = distributions.iter().filter(|distribution| distribution.served().origin.bucket == bucket);
        let arns: Vec<String> =
            readers.map(|reader| format!("arn:aws:cloudfront::{ACCOUNT_ID}:distribution/{}", reader.id)).collect();
        if arns.is_empty() {
            return Ok(());
        }
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Sid": READERS,
            "Effect": "Allow",
            "Principal": { "Service": "cloudfront.amazonaws.com" },
            "Action": "s3:GetObject",
            "Resource": format!("arn:aws:s3:::{bucket}/*"),
            "Condition": { "StringEquals": { "AWS:SourceArn": arns } },
        }] });
        let policy = policy.to_string();
        if known.as_ref() == Some(&policy) {
            return Ok(());
        }
        self.account.s3().set_policy(bucket, Some(policy)).await.map_err(CliError::system)
    }

    /// Creates or updates the role of a site, with the least-privilege policy for publishing it.
    fn create_role(&self, role: &RoleArn, site: &Site, source: Option<&Source>) -> Result<RoleArn, CliError> {
        let document = |grant: Grant| grant.document.compact().map_err(CliError::system);
        let trust = document(trust_account(&format!("arn:aws:iam::{ACCOUNT_ID}:root")))?;
        let policy = document(policies::site(site, ACCOUNT_ID, source.as_slice()))?;
        let name = role.role_name();
        let iam = self.account.iam();
        match iam.create_role(name, &trust, &[("tidegate", policy.as_str())]) {
            Ok(_) => {}
            Err(IamError::EntityAlreadyExists { .. }) => {
                iam.put_role_policy(name, "tidegate", &policy).map_err(CliError::system)?;
            }
            Err(error) => return Err(CliError::system(error)),
        }
        RoleArn::try_from(format!("arn:aws:iam::{ACCOUNT_ID}:role/{name}")).map_err(CliError::system)
    }
}
