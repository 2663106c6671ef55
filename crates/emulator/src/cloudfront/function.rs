//! CloudFront functions: their two stages, how they are updated, published and deleted. `crate::function` runs them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{CloudFrontError, RefusalCode};
use super::shape::DocumentShape::{List, Number, OneOf, Structure, Text};
use super::shape::{self, DocumentShape, optional, required};
use super::tags::{ResourceTags, TAGS};
use super::wire::{CloudFrontAnswer, CloudFrontFailure, PageQuery};
use super::{CloudFrontService, CloudFrontState, FUNCTIONS, check_match, check_name, etag};
use crate::function::MAX_CODE;
use crate::iam::clock::iso8601;
use crate::iam::{Caller, arn};
use crate::xml::XmlElement;

/// Most functions of an account. Source: as above.
const MAX_FUNCTIONS: usize = 100;
/// The only runtime that the emulator runs.
const RUNTIME: &str = "cloudfront-js-2.0";

const CONFIG: DocumentShape = Structure(&[
    required("Comment", &Text),
    required("Runtime", &OneOf(&["cloudfront-js-1.0", RUNTIME])),
    optional(
        "KeyValueStoreAssociations",
        &Structure(&[
            required("Quantity", &Number),
            optional("Items", &List("KeyValueStoreAssociation", &Structure(&[required("KeyValueStoreARN", &Text)]))),
        ]),
    ),
]);
const CREATE: DocumentShape = Structure(&[
    required("Name", &Text),
    required("FunctionConfig", &CONFIG),
    required("FunctionCode", &Text),
    optional("Tags", &TAGS),
]);
const UPDATE: DocumentShape = Structure(&[required("FunctionConfig", &CONFIG), required("FunctionCode", &Text)]);

/// A stage of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FunctionStage {
    Development,
    Live,
}

impl FunctionStage {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, CloudFrontError> {
        match text {
            None | Some("DEVELOPMENT") => Ok(Self::Development),
            Some("LIVE") => Ok(Self::Live),
            Some(other) => {
                let message = format!("The stage must be DEVELOPMENT or LIVE, but is `{other}`.");
                Err(CloudFrontError::refused(RefusalCode::InvalidArgument, message))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Development => "DEVELOPMENT",
            Self::Live => "LIVE",
        }
    }
}

/// The code and the configuration of one stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FunctionVersion {
    #[serde(with = "super::distribution::document")]
    config: XmlElement,
    #[serde(with = "code")]
    pub(super) code: Vec<u8>,
    pub(super) etag: String,
    modified: Timestamp,
}

impl FunctionVersion {
    /// The ARN of its key value store.
    pub(super) fn store_arn(&self) -> Option<&str> {
        self.config.items_at(&["KeyValueStoreAssociations"]).first()?.text_at(&["KeyValueStoreARN"])
    }
}

/// A function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CloudFrontFunction {
    pub(super) name: String,
    created: Timestamp,
    pub(super) development: FunctionVersion,
    pub(super) live: Option<FunctionVersion>,
    #[serde(default)]
    pub(super) tags: ResourceTags,
}

impl CloudFrontFunction {
    pub(super) fn arn(&self) -> String {
        arn::function(&self.name)
    }

    pub(super) fn uses_store(&self, arn: &str) -> bool {
        [Some(&self.development), self.live.as_ref()].into_iter().flatten().any(|stage| stage.store_arn() == Some(arn))
    }

    pub(super) fn version(&self, stage: FunctionStage) -> Result<&FunctionVersion, CloudFrontError> {
        match stage {
            FunctionStage::Development => Ok(&self.development),
            FunctionStage::Live => self.live.as_ref().ok_or_else(missing),
        }
    }

    /// `FunctionSummary` of a stage.
    pub(super) fn summary(&self, state: &CloudFrontState, stage: FunctionStage) -> Result<XmlElement, CloudFrontError> {
        let version = self.version(stage)?;
        let arn = self.arn();
        let status = match self.live {
            None => "UNPUBLISHED",
            Some(_) if is_associated(state, &arn) => "DEPLOYED",
            Some(_) => "UNASSOCIATED",
        };
        let metadata = XmlElement::new("FunctionMetadata")
            .with(XmlElement::text("FunctionARN", &arn))
            .with(XmlElement::text("Stage", stage.name()))
            .with(XmlElement::text("CreatedTime", &iso8601(self.created)))
            .with(XmlElement::text("LastModifiedTime", &iso8601(version.modified)));
        Ok(XmlElement::new("FunctionSummary")
            .with(XmlElement::text("Name", &self.name))
            .with(XmlElement::text("Status", status))
            .with(version.config.clone())
            .with(metadata))
    }

    fn answer(&self, state: &CloudFrontState, stage: FunctionStage) -> Result<CloudFrontAnswer, CloudFrontError> {
        Ok(CloudFrontAnswer::ok(self.summary(state, stage)?).with_etag(&self.version(stage)?.etag))
    }
}

fn is_associated(state: &CloudFrontState, arn: &str) -> bool {
    state.distributions.values().any(|distribution| distribution.function_arns().any(|used| used == arn))
}

impl CloudFrontService {
    /// Answers the requests below `function`.
    pub(super) fn answer_function(
        &self,
        caller: &Caller,
        request: &Request<Bytes>,
        path: &[&str],
    ) -> Result<Option<CloudFrontAnswer>, CloudFrontFailure> {
        let allow = |action: &str, name: &str| self.allow(caller, action, &arn::function(name));
        let query = PageQuery::read(request)?;
        Ok(Some(match (request.method(), path) {
            (&Method::POST, []) => {
                self.allow(caller, "cloudfront:CreateFunction", "*")?;
                self.create_function(caller, request.body())?
            }
            (&Method::GET, []) => {
                self.allow(caller, "cloudfront:ListFunctions", "*")?;
                self.list_functions(&query)?
            }
            (&Method::GET, [name]) => {
                allow("cloudfront:GetFunction", name)?;
                let stage = FunctionStage::parse(query.value("Stage"))?;
                let function = self.function(name)?;
                let version = function.version(stage)?;
                CloudFrontAnswer::code(version.code.clone()).with_etag(&version.etag)
            }
            (&Method::GET, [name, "describe"]) => {
                allow("cloudfront:DescribeFunction", name)?;
                let stage = FunctionStage::parse(query.value("Stage"))?;
                let function = self.function(name)?;
                function.answer(&self.lock(), stage)?
            }
            (&Method::PUT, [name]) => {
                allow("cloudfront:UpdateFunction", name)?;
                self.update_function(name, request)?
            }
            (&Method::POST, [name, "publish"]) => {
                allow("cloudfront:PublishFunction", name)?;
                self.publish_function(name, request.headers())?
            }
            (&Method::POST, [name, "test"]) => {
                allow("cloudfront:TestFunction", name)?;
                self.test_function(name, request)?
            }
            (&Method::DELETE, [name]) => {
                allow("cloudfront:DeleteFunction", name)?;
                self.delete_function(name, request.headers())?;
                CloudFrontAnswer::deleted()
            }
            _ => return Ok(None),
        }))
    }

    pub(super) fn function(&self, name: &str) -> Result<CloudFrontFunction, CloudFrontError> {
        self.lock().functions.get(name).cloned().ok_or_else(missing)
    }

    fn create_function(&self, caller: &Caller, body: &[u8]) -> Result<CloudFrontAnswer, CloudFrontFailure> {
        let document = shape::read(body, "CreateFunctionRequest", &CREATE)?;
        let name = document.text_at(&["Name"]).unwrap_or_default();
        check_name(name)?;
        let tags = self.new_tags(caller, &document, &arn::function(name))?;
        let mut state = self.lock();
        if state.functions.contains_key(name) {
            let message = format!("A function with the same name already exists in this account: {name}.");
            return Err(CloudFrontError::refused(RefusalCode::FunctionAlreadyExists, message).into());
        }
        if state.functions.len() >= MAX_FUNCTIONS {
            let message = format!("An account has at most {MAX_FUNCTIONS} functions.");
            return Err(CloudFrontError::refused(RefusalCode::TooManyFunctions, message).into());
        }
        let development = self.new_version(&state, &document)?;
        let created = development.modified;
        let function = CloudFrontFunction { name: name.to_owned(), created, development, live: None, tags };
        self.put_function(&mut state, function.clone())?;
        Ok(function.answer(&state, FunctionStage::Development)?.created(&format!("function/{name}")))
    }

    fn update_function(&self, name: &str, request: &Request<Bytes>) -> Result<CloudFrontAnswer, CloudFrontError> {
        let document = shape::read(request.body(), "UpdateFunctionRequest", &UPDATE)?;
        let mut state = self.lock();
        let known = state.functions.get(name).ok_or_else(missing)?.clone();
        check_match(request.headers(), &known.development.etag)?;
        let function = CloudFrontFunction { development: self.new_version(&state, &document)?, ..known };
        self.put_function(&mut state, function.clone())?;
        let answer = CloudFrontAnswer::ok(function.summary(&state, FunctionStage::Development)?);
        // The service spells this header so, in this answer alone. Source: the service model of its API.
        Ok(answer.with_header(HeaderName::from_static("ettag"), &function.development.etag))
    }

    fn publish_function(&self, name: &str, headers: &HeaderMap) -> Result<CloudFrontAnswer, CloudFrontError> {
        let mut state = self.lock();
        let known = state.functions.get(name).ok_or_else(missing)?.clone();
        check_match(headers, &known.development.etag)?;
        let live = FunctionVersion { etag: etag()?, modified: self.iam.clock().now(), ..known.development.clone() };
        let function = CloudFrontFunction { live: Some(live), ..known };
        self.put_function(&mut state, function.clone())?;
        Ok(CloudFrontAnswer::ok(function.summary(&state, FunctionStage::Live)?))
    }

    fn delete_function(&self, name: &str, headers: &HeaderMap) -> Result<(), CloudFrontError> {
        let mut state = self.lock();
        let known = state.functions.get(name).ok_or_else(missing)?;
        check_match(headers, &known.development.etag)?;
        if is_associated(&state, &known.arn()) {
            let message = "Cannot delete function, it is in use by one or more distributions.";
            return Err(CloudFrontError::refused(RefusalCode::FunctionInUse, message));
        }
        self.remove(FUNCTIONS, name)?;
        state.functions.remove(name);
        Ok(())
    }

    fn put_function(&self, state: &mut CloudFrontState, function: CloudFrontFunction) -> Result<(), CloudFrontError> {
        self.store(FUNCTIONS, &function.name, &function)?;
        state.functions.insert(function.name.clone(), function);
        Ok(())
    }

    /// Checks the configuration and the code of a request. The code itself is not checked: CloudFront accepts code that
    /// its runtime cannot run.
    fn new_version(&self, state: &CloudFrontState, document: &XmlElement) -> Result<FunctionVersion, CloudFrontError> {
        let refuse = |code: RefusalCode, message: String| Err(CloudFrontError::refused(code, message));
        let config = document.at(&["FunctionConfig"]).cloned().unwrap_or_else(|| XmlElement::new("FunctionConfig"));
        if config.text_at(&["Runtime"]) != Some(RUNTIME) {
            let message = format!("the emulator runs functions of {RUNTIME} only");
            return refuse(RefusalCode::NotImplemented, message);
        }
        let stores = config.items_at(&["KeyValueStoreAssociations"]);
        if stores.len() > 1 {
            let message = "A function can be associated with one key value store only.".to_owned();
            return refuse(RefusalCode::InvalidArgument, message);
        }
        for store in stores {
            let arn = store.text_at(&["KeyValueStoreARN"]).unwrap_or_default();
            if !state.stores.values().any(|known| known.arn() == arn) {
                let message = format!("The key value store {arn} does not exist.");
                return refuse(RefusalCode::InvalidArgument, message);
            }
        }
        let encoded = document.text_at(&["FunctionCode"]).unwrap_or_default();
        let Ok(code) = STANDARD.decode(encoded.trim()) else {
            return refuse(RefusalCode::InvalidArgument, "The function code is not valid base64.".to_owned());
        };
        if code.is_empty() {
            return refuse(RefusalCode::InvalidArgument, "The function code is empty.".to_owned());
        }
        if code.len() > MAX_CODE {
            let message = format!("The function code has more than {MAX_CODE} bytes.");
            return refuse(RefusalCode::FunctionSizeLimitExceeded, message);
        }
        Ok(FunctionVersion { config, code, etag: etag()?, modified: self.iam.clock().now() })
    }

    /// All stages of all functions, or one stage of them.
    fn list_functions(&self, query: &PageQuery) -> Result<CloudFrontAnswer, CloudFrontError> {
        let only = query.value("Stage").map(|stage| FunctionStage::parse(Some(stage))).transpose()?;
        let state = self.lock();
        let mut items = Vec::new();
        for function in state.functions.values() {
            for stage in [FunctionStage::Development, FunctionStage::Live] {
                let exists = stage == FunctionStage::Development || function.live.is_some();
                if exists && only.is_none_or(|only| only == stage) {
                    items.push((format!("{}/{}", function.name, stage.name()), function.summary(&state, stage)?));
                }
            }
        }
        let items = items.iter().map(|(id, element)| (id.as_str(), element.clone()));
        Ok(CloudFrontAnswer::ok(query.short_list("FunctionList", items)))
    }
}

pub(super) fn missing() -> CloudFrontError {
    CloudFrontError::refused(RefusalCode::NoSuchFunctionExists, "The specified function does not exist.")
}

/// Stores code as base64.
mod code {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(code: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(code))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
