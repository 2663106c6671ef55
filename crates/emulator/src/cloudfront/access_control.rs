//! Origin access controls: how a distribution signs its requests to a bucket.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use serde::{Deserialize, Serialize};

use super::error::{CloudFrontError, RefusalCode};
use super::shape::DocumentShape::{OneOf, Structure, Text};
use super::shape::{self, DocumentShape, optional, required};
use super::wire::{CloudFrontAnswer, CloudFrontFailure, PageQuery};
use super::{ACCESS_CONTROLS, CloudFrontService, check_match, etag};
use crate::iam::{Caller, arn};
use crate::random::identifier;
use crate::xml::XmlElement;

const CONFIG: DocumentShape = Structure(&[
    required("Name", &Text),
    optional("Description", &Text),
    required("SigningProtocol", &OneOf(&["sigv4"])),
    required("SigningBehavior", &OneOf(&["never", "always", "no-override"])),
    required("OriginAccessControlOriginType", &OneOf(&["s3", "mediastore", "mediapackagev2", "lambda"])),
]);

/// An origin access control.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OriginAccessControl {
    pub(super) id: String,
    etag: String,
    #[serde(with = "super::distribution::document")]
    config: XmlElement,
}

impl OriginAccessControl {
    /// A new one for a bucket.
    pub(super) fn for_bucket(name: &str) -> Result<Self, CloudFrontError> {
        let config = XmlElement::new("OriginAccessControlConfig")
            .with(XmlElement::text("Name", name))
            .with(XmlElement::text("SigningProtocol", "sigv4"))
            .with(XmlElement::text("SigningBehavior", "always"))
            .with(XmlElement::text("OriginAccessControlOriginType", "s3"));
        Self::new(config)
    }

    fn new(config: XmlElement) -> Result<Self, CloudFrontError> {
        let id = identifier("E", 13).map_err(|error| CloudFrontError::Storage(error.to_string()))?;
        Ok(Self { id, etag: etag()?, config })
    }

    pub(super) fn name(&self) -> &str {
        self.config.text_at(&["Name"]).unwrap_or_default()
    }

    /// Whether requests to S3 are signed with it.
    pub(super) fn signs(&self) -> bool {
        self.config.text_at(&["SigningBehavior"]) != Some("never")
            && self.config.text_at(&["OriginAccessControlOriginType"]) == Some("s3")
    }

    fn element(&self) -> XmlElement {
        XmlElement::new("OriginAccessControl").with(XmlElement::text("Id", &self.id)).with(self.config.clone())
    }

    fn answer(&self) -> CloudFrontAnswer {
        CloudFrontAnswer::ok(self.element()).with_etag(&self.etag)
    }
}

impl CloudFrontService {
    /// Answers the requests below `origin-access-control`.
    pub(super) fn answer_access_control(
        &self,
        caller: &Caller,
        request: &Request<Bytes>,
        path: &[&str],
    ) -> Result<Option<CloudFrontAnswer>, CloudFrontFailure> {
        let allow = |action: &str, id: &str| self.allow(caller, action, &arn::access_control(id));
        Ok(Some(match (request.method(), path) {
            (&Method::POST, []) => {
                self.allow(caller, "cloudfront:CreateOriginAccessControl", "*")?;
                self.create_access_control(request.body())?
            }
            (&Method::GET, []) => {
                self.allow(caller, "cloudfront:ListOriginAccessControls", "*")?;
                let state = self.lock();
                let items = state.access_controls.iter().map(|(id, control)| {
                    let summary = ["Name", "Description", "SigningProtocol", "SigningBehavior"];
                    let summary = summary
                        .into_iter()
                        .chain(["OriginAccessControlOriginType"])
                        .map(|name| XmlElement::text(name, control.config.text_at(&[name]).unwrap_or_default()));
                    let element = XmlElement::new("OriginAccessControlSummary")
                        .with(XmlElement::text("Id", id))
                        .with_each(summary);
                    (id.as_str(), element)
                });
                CloudFrontAnswer::ok(PageQuery::read(request)?.list("OriginAccessControlList", items))
            }
            (&Method::GET, [id]) => {
                allow("cloudfront:GetOriginAccessControl", id)?;
                self.lock().access_controls.get(*id).ok_or_else(missing)?.answer()
            }
            (&Method::GET, [id, "config"]) => {
                allow("cloudfront:GetOriginAccessControlConfig", id)?;
                let control = self.lock().access_controls.get(*id).cloned().ok_or_else(missing)?;
                CloudFrontAnswer::ok(control.config).with_etag(&control.etag)
            }
            (&Method::DELETE, [id]) => {
                allow("cloudfront:DeleteOriginAccessControl", id)?;
                self.delete_access_control(id, request.headers())?;
                CloudFrontAnswer::deleted()
            }
            _ => return Ok(None),
        }))
    }

    /// Whether a distribution signs its requests with this origin access control.
    pub(crate) fn signs_requests(&self, id: &str) -> bool {
        self.lock().access_controls.get(id).is_some_and(OriginAccessControl::signs)
    }

    fn create_access_control(&self, body: &[u8]) -> Result<CloudFrontAnswer, CloudFrontError> {
        let config = shape::read(body, "OriginAccessControlConfig", &CONFIG)?;
        let control = OriginAccessControl::new(config)?;
        let name = control.name();
        if name.is_empty() || name.chars().count() > 64 {
            let message = "The name of an origin access control must have 1 to 64 characters.";
            return Err(CloudFrontError::refused(RefusalCode::InvalidArgument, message));
        }
        let mut state = self.lock();
        if state.access_controls.values().any(|known| known.name() == name) {
            let message = format!("An origin access control with the name {name} already exists.");
            return Err(CloudFrontError::refused(RefusalCode::OriginAccessControlAlreadyExists, message));
        }
        self.store(ACCESS_CONTROLS, &control.id, &control)?;
        let answer = control.answer().created(&format!("origin-access-control/{}", control.id));
        state.access_controls.insert(control.id.clone(), control);
        Ok(answer)
    }

    fn delete_access_control(&self, id: &str, headers: &HeaderMap) -> Result<(), CloudFrontError> {
        let mut state = self.lock();
        let control = state.access_controls.get(id).ok_or_else(missing)?;
        check_match(headers, &control.etag)?;
        if state.distributions.values().any(|distribution| distribution.access_controls().any(|used| used == id)) {
            let message = "Cannot delete the origin access control because it's in use by one or more distributions.";
            return Err(CloudFrontError::refused(RefusalCode::OriginAccessControlInUse, message));
        }
        self.remove(ACCESS_CONTROLS, id)?;
        state.access_controls.remove(id);
        Ok(())
    }
}

fn missing() -> CloudFrontError {
    CloudFrontError::refused(RefusalCode::NoSuchOriginAccessControl, "The origin access control does not exist.")
}
