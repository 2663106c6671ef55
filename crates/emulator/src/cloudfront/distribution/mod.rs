//! Distributions: their records, and how they are created and updated. A distribution keeps the configuration that it
//! was sent, whether the preview can serve it or not.

mod settings;
mod shape;
mod validate;

use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use settings::{ErrorResponse, OriginAccess, S3Origin, ServedDistribution};

use super::access_control::OriginAccessControl;
use super::error::{CloudFrontError, RefusalCode};
use super::{ACCESS_CONTROLS, CloudFrontService, CloudFrontState, DISTRIBUTIONS, check_match, etag};
use crate::iam::arn;
use crate::random::identifier;
use crate::xml::XmlElement;

/// A distribution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Distribution {
    /// Its ID, such as `E2EXAMPLE`.
    pub id: String,
    /// Its configuration, with everything that was sent.
    #[serde(with = "document")]
    pub(super) config: XmlElement,
    /// The version of its configuration.
    pub(super) etag: String,
    /// When it was created.
    pub created: Timestamp,
    /// When it was updated last.
    pub(super) modified: Timestamp,
}

impl Distribution {
    /// The part of its configuration that the preview serves.
    #[must_use]
    pub fn served(&self) -> ServedDistribution {
        settings::served(&self.config)
    }

    /// Its domain, by which viewers reach it without an alias.
    #[must_use]
    pub fn domain_name(&self) -> String {
        format!("{}.cloudfront.net", self.id.to_ascii_lowercase())
    }

    /// Whether its requests for its default origin are signed with an origin access control.
    pub(crate) fn signs_requests(&self, cloudfront: &CloudFrontService) -> bool {
        settings::default_origin(&self.config)
            .and_then(|origin| origin.text_at(&["OriginAccessControlId"]))
            .is_some_and(|id| cloudfront.signs_requests(id))
    }

    /// The ARNs of the functions that its behaviors use.
    pub(super) fn function_arns(&self) -> impl Iterator<Item = &str> {
        settings::behaviors(&self.config)
            .flat_map(|behavior| behavior.items_at(&["FunctionAssociations"]))
            .filter_map(|association| association.text_at(&["FunctionARN"]))
    }

    /// The response headers policies that its behaviors use.
    pub(super) fn headers_policies(&self) -> impl Iterator<Item = &str> {
        settings::behaviors(&self.config).filter_map(|behavior| behavior.text_at(&["ResponseHeadersPolicyId"]))
    }

    /// The origin access controls that its origins use.
    pub(super) fn access_controls(&self) -> impl Iterator<Item = &str> {
        self.config.items_at(&["Origins"]).iter().filter_map(|origin| origin.text_at(&["OriginAccessControlId"]))
    }
}

impl CloudFrontService {
    /// Creates a distribution whose origin is the website endpoint of a bucket, and returns its ARN.
    ///
    /// # Errors
    /// The distribution exists, or its ID or the origin's path is invalid.
    #[expect(clippy::needless_pass_by_value, reason = "callers have no other use for the origin")]
    pub fn create_distribution(
        &self,
        id: &str,
        origin: S3Origin,
        default_root_object: Option<&str>,
    ) -> Result<String, CloudFrontError> {
        self.create(id, &origin, default_root_object, OriginAccess::Website)
    }

    /// Creates a distribution that reads a private bucket with an origin access control of its own, and returns its ARN.
    /// The bucket's policy must allow it.
    ///
    /// # Errors
    /// The distribution exists, or its ID or the origin's path is invalid.
    #[expect(clippy::needless_pass_by_value, reason = "callers have no other use for the origin")]
    pub fn create_private_distribution(
        &self,
        id: &str,
        origin: S3Origin,
        default_root_object: Option<&str>,
    ) -> Result<String, CloudFrontError> {
        self.create(id, &origin, default_root_object, OriginAccess::Control)
    }

    fn create(
        &self,
        id: &str,
        origin: &S3Origin,
        default_root_object: Option<&str>,
        access: OriginAccess,
    ) -> Result<String, CloudFrontError> {
        let well_formed = !id.is_empty() && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if !well_formed {
            let message =
                format!("invalid distribution ID `{id}`; use capital letters and digits, such as `E2EXAMPLE`");
            return Err(CloudFrontError::InvalidArgument(message));
        }
        if !origin.path.is_empty() && (!origin.path.starts_with('/') || origin.path.ends_with('/')) {
            let message =
                format!("invalid origin path `{}`; it must start with `/` and must not end with `/`", origin.path);
            return Err(CloudFrontError::InvalidArgument(message));
        }
        let mut state = self.lock();
        if state.distributions.contains_key(id) {
            return Err(CloudFrontError::DistributionAlreadyExists(id.to_owned()));
        }
        let control = self.own_access_control(&mut state, id, access)?;
        let config = settings::config(id, origin, default_root_object, access, control.as_deref());
        let now = self.iam.clock().now();
        let distribution =
            Distribution { id: id.to_owned(), config, etag: etag()?, created: now, modified: Timestamp::UNIX_EPOCH };
        self.store(DISTRIBUTIONS, id, &distribution)?;
        state.distributions.insert(id.to_owned(), distribution);
        Ok(arn::distribution(id))
    }

    /// Replaces the origin of a distribution by an endpoint of the same bucket with this access.
    ///
    /// # Errors
    /// The distribution does not exist, or its origin is not a bucket.
    pub fn set_origin_access(&self, id: &str, access: OriginAccess) -> Result<(), CloudFrontError> {
        let mut state = self.lock();
        let known = state.distributions.get(id).ok_or(CloudFrontError::NoSuchDistribution)?.clone();
        let served = known.served();
        if served.access == Some(access) {
            return Ok(());
        }
        if served.access.is_none() {
            let message = format!("the origin of the distribution `{id}` is not a bucket");
            return Err(CloudFrontError::InvalidArgument(message));
        }
        let control = self.own_access_control(&mut state, id, access)?;
        let mut config = known.config.clone();
        config.set(settings::origins(&served.origin, access, control.as_deref()));
        self.replace_config(&mut state, &known, config)
    }

    /// Sets the header that a distribution reads cache tags from (its `CacheTagConfig`). `None` removes it.
    ///
    /// # Errors
    /// The distribution does not exist.
    pub fn set_cache_tags(&self, id: &str, header: Option<&str>) -> Result<(), CloudFrontError> {
        let mut state = self.lock();
        let known = state.distributions.get(id).ok_or(CloudFrontError::NoSuchDistribution)?.clone();
        let header = header.map(str::to_ascii_lowercase);
        if known.served().cache_tags == header {
            return Ok(());
        }
        let mut config = known.config.clone();
        config.remove("CacheTagConfig");
        if let Some(header) = header {
            let name = XmlElement::text("HeaderName", &header);
            config.set(XmlElement::new("CacheTagConfig").with(name));
        }
        self.replace_config(&mut state, &known, config)
    }

    /// All distributions, ordered by ID.
    #[must_use]
    pub fn distributions(&self) -> Vec<Distribution> {
        self.lock().distributions.values().cloned().collect()
    }

    /// A distribution.
    ///
    /// # Errors
    /// The distribution does not exist.
    pub fn distribution(&self, id: &str) -> Result<Distribution, CloudFrontError> {
        self.lock().distributions.get(id).cloned().ok_or(CloudFrontError::NoSuchDistribution)
    }

    /// Whether the last update of a distribution has reached all edges. The emulator serves it at once.
    pub(super) fn is_deployed(&self, distribution: &Distribution) -> bool {
        let deployed = distribution.modified.checked_add(super::DEPLOYMENT);
        deployed.is_ok_and(|deployed| deployed <= self.iam.clock().now())
    }

    /// `CreateDistribution`. What is not sent gets the default of AWS. The same request again is the same distribution.
    pub(super) fn create_sent_distribution(&self, body: &[u8]) -> Result<Distribution, CloudFrontError> {
        let sent = super::shape::read(body, "DistributionConfig", &shape::DISTRIBUTION)?;
        let config = settings::completed(sent);
        let mut state = self.lock();
        let reference = config.text_at(&["CallerReference"]);
        if let Some(known) =
            state.distributions.values().find(|one| one.config.text_at(&["CallerReference"]) == reference)
        {
            if known.config.to_document() == config.to_document() {
                return Ok(known.clone());
            }
            let message = "The caller reference that you are using to create a distribution is associated with another \
                           distribution.";
            return refuse(RefusalCode::DistributionAlreadyExists, message);
        }
        validate::update(&config, &config)?;
        self.check(&state, &config)?;
        let (id, now) = (identifier("E", 13).map_err(super::storage)?, self.iam.clock().now());
        let distribution = Distribution { id, config, etag: etag()?, created: now, modified: now };
        self.store(DISTRIBUTIONS, &distribution.id, &distribution)?;
        state.distributions.insert(distribution.id.clone(), distribution.clone());
        Ok(distribution)
    }

    fn check(&self, state: &CloudFrontState, config: &XmlElement) -> Result<(), CloudFrontError> {
        validate::origins(state, config)?;
        validate::error_responses(config)?;
        settings::behaviors(config).try_for_each(|behavior| validate::behavior(state, config, behavior))
    }

    /// `UpdateDistribution`.
    pub(super) fn update_distribution(
        &self,
        id: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Distribution, CloudFrontError> {
        let config = super::shape::read(body, "DistributionConfig", &shape::DISTRIBUTION)?;
        let mut state = self.lock();
        let known = state.distributions.get(id).ok_or(CloudFrontError::NoSuchDistribution)?.clone();
        check_match(headers, &known.etag)?;
        validate::update(&known.config, &config)?;
        self.check(&state, &config)?;
        self.replace_config(&mut state, &known, config)?;
        state.distributions.get(id).cloned().ok_or(CloudFrontError::NoSuchDistribution)
    }

    fn replace_config(
        &self,
        state: &mut CloudFrontState,
        known: &Distribution,
        config: XmlElement,
    ) -> Result<(), CloudFrontError> {
        let modified = self.iam.clock().now();
        let updated = Distribution { config, etag: etag()?, modified, ..known.clone() };
        self.store(DISTRIBUTIONS, &updated.id, &updated)?;
        state.distributions.insert(updated.id.clone(), updated);
        Ok(())
    }

    /// The origin access control that a distribution gets with this access; created if it does not exist.
    fn own_access_control(
        &self,
        state: &mut CloudFrontState,
        distribution: &str,
        access: OriginAccess,
    ) -> Result<Option<String>, CloudFrontError> {
        if access != OriginAccess::Control {
            return Ok(None);
        }
        if let Some(known) = state.access_controls.values().find(|control| control.name() == distribution) {
            return Ok(Some(known.id.clone()));
        }
        let control = OriginAccessControl::for_bucket(distribution)?;
        self.store(ACCESS_CONTROLS, &control.id, &control)?;
        let id = control.id.clone();
        state.access_controls.insert(id.clone(), control);
        Ok(Some(id))
    }
}

/// A refusal with a message.
fn refuse<T>(code: RefusalCode, message: impl Into<String>) -> Result<T, CloudFrontError> {
    Err(CloudFrontError::refused(code, message))
}

/// Stores a configuration as XML.
pub(super) mod document {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::xml::XmlElement;

    pub(in super::super) fn serialize<S: Serializer>(element: &XmlElement, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&element.to_document())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<XmlElement, D::Error> {
        XmlElement::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
