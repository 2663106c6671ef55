//! Requests for distributions.

use bytes::Bytes;
use http::{Method, Request};

use super::super::{CloudFrontService, Distribution};
use super::{CloudFrontAnswer, CloudFrontFailure, PageQuery};
use crate::iam::clock::iso8601;
use crate::iam::{Caller, arn};
use crate::xml::XmlElement;

/// Elements of a configuration that a list shows.
const SUMMARY: [&str; 14] = [
    "Aliases",
    "Origins",
    "OriginGroups",
    "DefaultCacheBehavior",
    "CacheBehaviors",
    "CustomErrorResponses",
    "Comment",
    "PriceClass",
    "Enabled",
    "ViewerCertificate",
    "Restrictions",
    "WebACLId",
    "HttpVersion",
    "IsIPV6Enabled",
];

impl CloudFrontService {
    /// Answers the requests below `distribution`, except for invalidations.
    pub(super) fn answer_distribution(
        &self,
        caller: &Caller,
        request: &Request<Bytes>,
        path: &[&str],
    ) -> Result<Option<CloudFrontAnswer>, CloudFrontFailure> {
        let allow = |action: &str, id: &str| self.allow(caller, action, &arn::distribution(id));
        Ok(Some(match (request.method(), path) {
            (&Method::GET, []) => {
                self.allow(caller, "cloudfront:ListDistributions", "*")?;
                let all = self.distributions();
                let items = all.iter().map(|distribution| (distribution.id.as_str(), self.summary(distribution)));
                CloudFrontAnswer::ok(PageQuery::read(request)?.list("DistributionList", items))
            }
            (&Method::POST, []) => {
                self.allow(caller, "cloudfront:CreateDistribution", &arn::distribution("*"))?;
                let distribution = self.create_sent_distribution(request.body())?;
                let created = format!("distribution/{}", distribution.id);
                CloudFrontAnswer::ok(self.element(&distribution)).with_etag(&distribution.etag).created(&created)
            }
            (&Method::GET, [id]) => {
                allow("cloudfront:GetDistribution", id)?;
                let distribution = self.distribution(id)?;
                CloudFrontAnswer::ok(self.element(&distribution)).with_etag(&distribution.etag)
            }
            (&Method::GET, [id, "config"]) => {
                allow("cloudfront:GetDistributionConfig", id)?;
                let distribution = self.distribution(id)?;
                CloudFrontAnswer::ok(distribution.config).with_etag(&distribution.etag)
            }
            (&Method::PUT, [id, "config"]) => {
                allow("cloudfront:UpdateDistribution", id)?;
                let distribution = self.update_distribution(id, request.headers(), request.body())?;
                CloudFrontAnswer::ok(self.element(&distribution)).with_etag(&distribution.etag)
            }
            _ => return Ok(None),
        }))
    }

    fn identity(&self, distribution: &Distribution) -> [XmlElement; 5] {
        let status = if self.is_deployed(distribution) { "Deployed" } else { "InProgress" };
        [
            XmlElement::text("Id", &distribution.id),
            XmlElement::text("ARN", &arn::distribution(&distribution.id)),
            XmlElement::text("Status", status),
            XmlElement::text("LastModifiedTime", &iso8601(distribution.modified.max(distribution.created))),
            XmlElement::text("DomainName", &distribution.domain_name()),
        ]
    }

    fn summary(&self, distribution: &Distribution) -> XmlElement {
        let shown = SUMMARY.iter().filter_map(|name| distribution.config.at(&[name]).cloned());
        XmlElement::new("DistributionSummary")
            .with_each(self.identity(distribution))
            .with_each(shown)
            .with(XmlElement::text("Staging", &false))
    }

    fn element(&self, distribution: &Distribution) -> XmlElement {
        XmlElement::new("Distribution")
            .with_each(self.identity(distribution))
            .with(XmlElement::text("InProgressInvalidationBatches", &0))
            .with(distribution.config.clone())
    }
}
