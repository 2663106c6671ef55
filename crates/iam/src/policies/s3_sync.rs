//! Least-privilege permissions of tools that sync a directory to a bucket: middleman-s3_sync, s3cmd, `aws s3 sync`,
//! Taskcluster's recipe. Their own documents allow `s3:*`, or CloudFront actions on `*`.

use tidegate_core::config::DistributionId;
use tidegate_core::iam_name::{MAX_POLICY_NAME, fitted};
use tidegate_core::location::Location;

use super::{Grant, place_name};
use crate::document::{Partition, PolicyDocument, Statement, bucket_arn, distribution_arn, objects_arn};

/// What a tool syncs, and how.
#[derive(Debug, Clone)]
pub struct S3Sync {
    /// The AWS partition.
    pub partition: Partition,
    /// The account id, for ARNs of distributions.
    pub account: String,
    /// The site's location.
    pub target: Location,
    /// The site's distributions.
    pub distributions: Vec<DistributionId>,
    /// Whether the tool deletes objects that the source lacks.
    pub delete: bool,
    /// Whether it sets ACLs, as `--acl-public` does.
    pub acl: bool,
    /// Whether it looks up the distribution, as `s3cmd --cf-invalidate` does.
    pub find_distribution: bool,
    /// Whether it configures the bucket's website and versioning, which is an option of middleman-s3_sync.
    pub configure_bucket: bool,
}

impl S3Sync {
    /// The policy for a group or a user. Its name has the prefix, so that the policies of two prefixes differ.
    #[must_use]
    pub fn grant(&self) -> Grant {
        let (bucket, objects) =
            (bucket_arn(&self.partition, &self.target.bucket), objects_arn(&self.partition, &self.target));
        let mut settings = vec!["s3:GetBucketLocation", "s3:GetBucketWebsite"];
        if self.configure_bucket {
            settings.extend(["s3:PutBucketWebsite", "s3:PutBucketVersioning", "s3:GetBucketVersioning"]);
        }
        let mut write = vec!["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"];
        if self.delete {
            write.push("s3:DeleteObject");
        }
        if self.acl {
            write.extend(["s3:GetObjectAcl", "s3:PutObjectAcl"]);
        }
        let mut statements = vec![
            Statement::list(&self.partition, &self.target).because("ListSite", "to list the site"),
            Statement::allow(settings, [bucket])
                .because("BucketSettings", "to read the region and website of the bucket"),
            Statement::allow(write, [objects]).because("WriteSite", "to sync the site with the source"),
        ];
        if !self.distributions.is_empty() {
            let arns =
                self.distributions.iter().map(|id| distribution_arn(&self.partition, &self.account, id.as_str()));
            let actions = [
                "cloudfront:CreateInvalidation",
                "cloudfront:GetInvalidation",
                "cloudfront:ListInvalidations",
                "cloudfront:GetDistribution",
                "cloudfront:GetDistributionConfig",
            ];
            statements.push(
                Statement::allow(actions, arns)
                    .because("Invalidate", "to invalidate the caches of these distributions"),
            );
        }
        if self.find_distribution {
            let all = ["*".to_owned()];
            statements.push(Statement::allow(["cloudfront:ListDistributions"], all).because(
                "FindDistribution",
                "to find the distribution of a bucket; the action has no resource-level permissions",
            ));
        }
        Grant::policy(
            &fitted(&format!("s3-sync-{}", place_name(&self.target)), MAX_POLICY_NAME),
            "Lets a tool sync a directory to one prefix of a bucket",
            PolicyDocument::new(statements),
        )
    }
}
