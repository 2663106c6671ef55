//! Changes to the configuration of a distribution. What a change does not name stays.

use aws_sdk_cloudfront::error::BuildError;
use aws_sdk_cloudfront::types::{
    CustomErrorResponse, CustomErrorResponses, DistributionConfig, EventType, FunctionAssociation, FunctionAssociations,
};
use serde::Serialize;

/// An event at which a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViewerEvent {
    /// A visitor's request, before the cache.
    #[serde(rename = "viewer-request")]
    Request,
    /// The response to it.
    #[serde(rename = "viewer-response")]
    Response,
}

/// What a distribution shows instead of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// The path of the page; the origin's own response where absent.
    pub page: Option<String>,
    /// The status that visitors get; that of the origin where absent.
    pub status: Option<String>,
    /// How long CloudFront keeps it, in seconds.
    pub seconds: Option<i64>,
}

/// One change to a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "edit", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum DistributionEdit {
    /// Run a function at an event of the default behavior.
    Associate {
        /// The event.
        event: ViewerEvent,
        /// The function's ARN.
        function: String,
    },
    /// Run no function at an event of the default behavior.
    Dissociate {
        /// The event.
        event: ViewerEvent,
    },
    /// Show a page instead of an error.
    SetErrorPage {
        /// The status of the origin, which visitors do not see.
        error: i32,
        /// The path of the page.
        page: String,
    },
    /// Show the error.
    RemoveErrorPage {
        /// The status.
        error: i32,
    },
    /// Add the headers of a response headers policy in the default behavior; the id is known once it exists.
    SetHeadersPolicy {
        /// Its id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Add no headers in the default behavior.
    RemoveHeadersPolicy,
    /// Answer `/` with an object.
    SetRootObject {
        /// Its key.
        object: String,
    },
}

/// The status of error pages.
const NOT_FOUND: &str = "404";

/// How long CloudFront keeps an error page, in seconds: a page that is published is seen soon after.
const ERROR_SECONDS: i64 = 10;

impl ViewerEvent {
    /// Both events.
    pub const ALL: [Self; 2] = [Self::Request, Self::Response];

    /// Its name in CloudFront.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "viewer-request",
            Self::Response => "viewer-response",
        }
    }
}

impl ErrorPage {
    /// The page for a path that the site does not have.
    #[must_use]
    pub fn not_found(page: &str) -> Self {
        Self { page: Some(page.to_owned()), status: Some(NOT_FOUND.to_owned()), seconds: Some(ERROR_SECONDS) }
    }
}

fn quantity(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// The configuration with the changes.
pub(super) fn edited(
    mut config: DistributionConfig,
    edits: &[DistributionEdit],
) -> Result<DistributionConfig, BuildError> {
    let mut pages = config.custom_error_responses.take().and_then(|pages| pages.items).unwrap_or_default();
    let mut functions = Vec::new();
    let mut policy = None;
    if let Some(behavior) = &mut config.default_cache_behavior {
        functions = behavior.function_associations.take().and_then(|functions| functions.items).unwrap_or_default();
        policy = behavior.response_headers_policy_id.take();
    }
    for edit in edits {
        match edit {
            DistributionEdit::Associate { event, function } => {
                let event = EventType::from(event.as_str());
                functions.retain(|other| *other.event_type() != event);
                functions.push(FunctionAssociation::builder().event_type(event).function_arn(function).build()?);
            }
            DistributionEdit::Dissociate { event } => {
                functions.retain(|other| other.event_type().as_str() != event.as_str());
            }
            DistributionEdit::SetErrorPage { error, page } => {
                pages.retain(|other| other.error_code() != *error);
                let built = CustomErrorResponse::builder().error_code(*error).response_page_path(page);
                pages.push(built.response_code(NOT_FOUND).error_caching_min_ttl(ERROR_SECONDS).build()?);
            }
            DistributionEdit::RemoveErrorPage { error } => pages.retain(|other| other.error_code() != *error),
            DistributionEdit::SetHeadersPolicy { id } => policy.clone_from(id),
            DistributionEdit::RemoveHeadersPolicy => policy = None,
            DistributionEdit::SetRootObject { object } => config.default_root_object = Some(object.clone()),
        }
    }
    let built = CustomErrorResponses::builder().quantity(quantity(pages.len())).set_items(Some(pages));
    config.custom_error_responses = Some(built.build()?);
    if let Some(behavior) = &mut config.default_cache_behavior {
        let built = FunctionAssociations::builder().quantity(quantity(functions.len())).set_items(Some(functions));
        behavior.function_associations = Some(built.build()?);
        behavior.response_headers_policy_id = policy;
    }
    Ok(config)
}
