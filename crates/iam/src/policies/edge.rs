//! Permissions of a person who installs, checks and removes the edge of a site. Publishing needs none of them.

use tidegate_core::config::{Site, StoreArn};
use tidegate_core::iam_name::{MAX_POLICY_NAME, fitted};

use super::Grant;
use crate::document::{PolicyDocument, Statement, distribution_arn, objects_arn};

/// The policy of `tidegate edge`; `None` if the site has no edge.
#[must_use]
pub fn edge(site: &Site, account: &str) -> Option<Grant> {
    let edge = site.edge.as_ref()?;
    let partition = site.partition();
    let arn = |kind: &str, name: &str| format!("arn:{partition}:cloudfront::{account}:{kind}/{name}");
    let function = arn("function", &edge.function(&site.name));
    // Ids of stores and policies are known only once they exist.
    let configured = edge.store.as_ref().map(StoreArn::as_str);
    let store = configured.map_or_else(|| arn("key-value-store", "*"), str::to_owned);
    let distributions = site.cdn.iter().map(|cdn| distribution_arn(&partition, account, cdn.distribution.as_str()));
    let all = ["*".to_owned()];
    let mut statements = vec![
        Statement::allow(
            [
                "cloudfront:CreateFunction",
                "cloudfront:CreateKeyValueStore",
                "cloudfront:CreateResponseHeadersPolicy",
                "cloudfront:ListKeyValueStores",
                "cloudfront:ListResponseHeadersPolicies",
            ],
            all,
        )
        .because(
            "CreateEdge",
            "to create and find the parts of the edge; these actions have no resource-level permissions",
        ),
        Statement::allow(
            [
                "cloudfront:DeleteFunction",
                "cloudfront:DescribeFunction",
                "cloudfront:GetFunction",
                "cloudfront:PublishFunction",
                "cloudfront:TestFunction",
                "cloudfront:UpdateFunction",
            ],
            [function],
        )
        .because("ManageFunction", "to test and publish the function, and to delete it"),
        Statement::allow(
            [
                "cloudfront:DeleteKeyValueStore",
                "cloudfront:DescribeKeyValueStore",
                "cloudfront-keyvaluestore:DescribeKeyValueStore",
                "cloudfront-keyvaluestore:GetKey",
                "cloudfront-keyvaluestore:ListKeys",
                "cloudfront-keyvaluestore:UpdateKeys",
            ],
            [store],
        )
        .because(
            "ManageStore",
            "to write the keys of the site, and to delete the store; `store` in `[site.edge]` limits it to one",
        ),
        Statement::allow(
            [
                "cloudfront:DeleteResponseHeadersPolicy",
                "cloudfront:GetResponseHeadersPolicy",
                "cloudfront:UpdateResponseHeadersPolicy",
            ],
            [arn("response-headers-policy", "*")],
        )
        .because("ManageHeaders", "to change and delete the response headers policy, whose id is known once it exists"),
        Statement::allow(
            [
                "cloudfront:CreateInvalidation",
                "cloudfront:GetDistribution",
                "cloudfront:GetDistributionConfig",
                "cloudfront:UpdateDistribution",
            ],
            distributions,
        )
        .because(
            "ManageDistribution",
            "to let the distributions of the site run the function, or no longer; this allows every change of them",
        ),
    ];
    if let Some(state) = &site.state {
        statements.push(Statement::list(&partition, state).because("ListState", "to find the releases of the site"));
        statements.push(
            Statement::allow(["s3:GetObject"], [objects_arn(&partition, state)])
                .because("ReadState", "to read which release is live, and its rules"),
        );
        if let Some(key) = &site.state_kms_key {
            let objects = (state.bucket.clone(), objects_arn(&partition, state));
            statements.push(
                Statement::key_of_objects(&partition, &["kms:Decrypt"], key, [objects])
                    .because("UseStateKey", "to read releases encrypted with KMS, and nothing else with that key"),
            );
        }
    }
    Some(Grant::policy(
        &fitted(&format!("tidegate-edge-{}", site.name), MAX_POLICY_NAME),
        "Lets a person install, check and remove the CloudFront function of a site",
        PolicyDocument::new(statements),
    ))
}
