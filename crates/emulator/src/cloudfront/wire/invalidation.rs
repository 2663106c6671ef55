//! Requests for invalidations.

use bytes::Bytes;
use http::{Method, Request};

use super::super::shape::DocumentShape::{List, Number, Structure, Text};
use super::super::shape::{self, DocumentShape, optional, required};
use super::super::{CloudFrontError, CloudFrontService, Invalidation, InvalidationBatch};
use super::{CloudFrontAnswer, CloudFrontFailure, PageQuery};
use crate::iam::clock::iso8601;
use crate::iam::{Caller, arn};
use crate::xml::XmlElement;

const BATCH: DocumentShape = Structure(&[
    required("Paths", &Structure(&[required("Quantity", &Number), optional("Items", &List("Path", &Text))])),
    required("CallerReference", &Text),
]);

impl CloudFrontService {
    /// Answers the requests below `distribution/ID/invalidation`.
    pub(super) fn answer_invalidation(
        &self,
        caller: &Caller,
        request: &Request<Bytes>,
        id: &str,
        path: &[&str],
    ) -> Result<Option<CloudFrontAnswer>, CloudFrontFailure> {
        let allow = |action: &str| self.allow(caller, action, &arn::distribution(id));
        Ok(Some(match (request.method(), path) {
            (&Method::POST, []) => {
                allow("cloudfront:CreateInvalidation")?;
                let batch = read_batch(request.body())?;
                let invalidation = self.create_invalidation(id, &batch)?;
                let location = format!("distribution/{id}/invalidation/{}", invalidation.id);
                CloudFrontAnswer::ok(invalidation_element(&invalidation)).created(&location)
            }
            (&Method::GET, []) => {
                allow("cloudfront:ListInvalidations")?;
                self.list_invalidations(id, request)?
            }
            (&Method::GET, [invalidation]) => {
                allow("cloudfront:GetInvalidation")?;
                CloudFrontAnswer::ok(invalidation_element(&self.poll_invalidation(id, invalidation)?))
            }
            _ => return Ok(None),
        }))
    }

    fn list_invalidations(
        &self,
        distribution: &str,
        request: &Request<Bytes>,
    ) -> Result<CloudFrontAnswer, CloudFrontError> {
        let page = PageQuery::read(request)?;
        let all = self.invalidations(distribution)?;
        let start = match page.marker() {
            None => 0,
            Some(marker) => match all.iter().position(|invalidation| invalidation.id == marker) {
                Some(at) => at + 1,
                None => {
                    let message = format!("the marker {marker} is not an invalidation of the distribution");
                    return Err(CloudFrontError::InvalidArgument(message));
                }
            },
        };
        let (items, next) = page.cut(all.iter().skip(start), |invalidation| invalidation.id.clone());
        let root = page.element("InvalidationList", items.len(), next.as_deref());
        let summaries = items.into_iter().map(|invalidation| {
            XmlElement::new("InvalidationSummary")
                .with(XmlElement::text("Id", &invalidation.id))
                .with(XmlElement::text("CreateTime", &iso8601(invalidation.created)))
                .with(XmlElement::text("Status", invalidation.status()))
        });
        Ok(CloudFrontAnswer::ok(root.with(XmlElement::new("Items").with_each(summaries))))
    }
}

fn read_batch(body: &[u8]) -> Result<InvalidationBatch, CloudFrontError> {
    let document = shape::read(body, "InvalidationBatch", &BATCH)?;
    let paths = document.items_at(&["Paths"]);
    Ok(InvalidationBatch {
        caller_reference: document.text_at(&["CallerReference"]).unwrap_or_default().to_owned(),
        quantity: i64::try_from(paths.len()).unwrap_or(i64::MAX),
        paths: paths.iter().map(|path| path.content().to_owned()).collect(),
    })
}

fn invalidation_element(invalidation: &Invalidation) -> XmlElement {
    let items = invalidation.paths.iter().map(|path| XmlElement::text("Path", path.as_str()));
    let paths = XmlElement::new("Paths")
        .with(XmlElement::text("Quantity", &invalidation.paths.len()))
        .with(XmlElement::new("Items").with_each(items));
    let batch = XmlElement::new("InvalidationBatch")
        .with(paths)
        .with(XmlElement::text("CallerReference", &invalidation.caller_reference));
    XmlElement::new("Invalidation")
        .with(XmlElement::text("Id", &invalidation.id))
        .with(XmlElement::text("Status", invalidation.status()))
        .with(XmlElement::text("CreateTime", &iso8601(invalidation.created)))
        .with(batch)
}
