//! What tools that make a bucket equal to a directory need: middleman-s3_sync, s3cmd, `aws s3 sync`, Taskcluster's recipe.
//!
//! Owns the least for each thing that they do. Their own documents allow `s3:*`, or CloudFront's actions on `*`.

use tidegate_core::config::DistributionId;
use tidegate_core::location::Location;

use super::Grant;
use crate::document::{Partition, PolicyDocument, Statement, bucket_arn, distribution_arn, objects_arn};

/// Who syncs what.
#[derive(Debug, Clone)]
pub struct S3Sync {
    /// The partition of AWS.
    pub partition: Partition,
    /// The account, which ARNs of distributions name.
    pub account: String,
    /// Where the site is.
    pub target: Location,
    /// Distributions that show it.
    pub distributions: Vec<DistributionId>,
    /// Whether the tool removes what the source lacks.
    pub delete: bool,
    /// Whether it sets ACLs, as `--acl-public` does.
    pub acl: bool,
    /// Whether it looks for the distribution by itself, as `s3cmd --cf-invalidate` does: there is no narrower way.
    pub find_distribution: bool,
    /// Whether it sets the bucket's website and versioning, as middleman-s3_sync does where it is told to.
    pub configure_bucket: bool,
}

impl S3Sync {
    /// The policy, for a group or a user.
    #[must_use]
    pub fn grant(&self) -> Grant {
        let (bucket, objects) =
            (bucket_arn(&self.partition, &self.target.bucket), objects_arn(&self.partition, &self.target));
        let mut about = vec!["s3:GetBucketLocation", "s3:GetBucketWebsite"];
        if self.configure_bucket {
            about.extend(["s3:PutBucketWebsite", "s3:PutBucketVersioning", "s3:GetBucketVersioning"]);
        }
        let mut write = vec!["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"];
        if self.delete {
            write.push("s3:DeleteObject");
        }
        if self.acl {
            write.extend(["s3:GetObjectAcl", "s3:PutObjectAcl"]);
        }
        let mut statements = vec![
            Statement::list(&self.partition, &self.target).because("ListSite", "to see what the site holds"),
            Statement::allow(about, [bucket]).because("AboutTheBucket", "to learn its region and its index document"),
            Statement::allow(write, [objects]).because("WriteSite", "to make the site equal to the source"),
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
                    .because("Invalidate", "to clear the caches of these distributions alone"),
            );
        }
        if self.find_distribution {
            let all = ["*".to_owned()];
            statements.push(Statement::allow(["cloudfront:ListDistributions"], all).because(
                "FindDistribution",
                "to find the distribution of a bucket by looking at all, for which AWS knows no narrower resource",
            ));
        }
        Grant::policy(
            &format!("s3-sync-{}", self.target.bucket),
            "What a tool needs that makes one prefix of a bucket equal to a directory",
            PolicyDocument::new(statements),
        )
    }
}
