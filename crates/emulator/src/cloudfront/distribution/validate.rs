//! What CloudFront checks before it accepts a distribution's configuration.
//!
//! Source: CloudFront API Reference, "UpdateDistribution", errors; CloudFront Developer Guide, "Required fields for
//! creating and updating distributions", "Restrictions on all edge functions" and "Generate custom error responses".

use std::collections::BTreeSet;

use super::super::CloudFrontState;
use super::super::error::{CloudFrontError, RefusalCode};
use super::refuse;
use super::settings::{BucketEndpoint, bucket_endpoint};
use crate::xml::XmlElement;

/// Elements that an update needs, though the shape does not.
const NEEDED: [&str; 10] = [
    "Aliases",
    "DefaultRootObject",
    "CacheBehaviors",
    "CustomErrorResponses",
    "Logging",
    "PriceClass",
    "ViewerCertificate",
    "Restrictions",
    "WebACLId",
    "HttpVersion",
];

/// The statuses of the origin that can have a custom error response.
const ERROR_CODES: [&str; 11] = ["400", "403", "404", "405", "414", "416", "500", "501", "502", "503", "504"];

pub(super) fn update(known: &XmlElement, config: &XmlElement) -> Result<(), CloudFrontError> {
    if let Some(missing) = NEEDED.into_iter().find(|name| config.at(&[name]).is_none()) {
        return refuse(RefusalCode::IllegalUpdate, format!("{missing} is missing for the resource."));
    }
    if config.text_at(&["CallerReference"]) != known.text_at(&["CallerReference"]) {
        return refuse(RefusalCode::IllegalUpdate, "CallerReference cannot be changed.");
    }
    let root = config.text_at(&["DefaultRootObject"]).unwrap_or_default();
    if root.starts_with('/') || root.len() > 255 {
        return refuse(
            RefusalCode::InvalidDefaultRootObject,
            "The default root object file name is too big or contains an invalid character.",
        );
    }
    Ok(())
}

pub(super) fn origins(state: &CloudFrontState, config: &XmlElement) -> Result<(), CloudFrontError> {
    let mut ids = BTreeSet::new();
    for origin in config.items_at(&["Origins"]) {
        let id = origin.text_at(&["Id"]).unwrap_or_default();
        if id.is_empty() || !ids.insert(id) {
            return refuse(RefusalCode::InvalidArgument, format!("The origin ID `{id}` is empty or not unique."));
        }
        let path = origin.text_at(&["OriginPath"]).unwrap_or_default();
        if !path.is_empty() && (!path.starts_with('/') || path.ends_with('/')) {
            let message = "The relative path must begin with a slash (/) and must not end with one.";
            return refuse(RefusalCode::InvalidRelativePath, message);
        }
        let endpoint = bucket_endpoint(origin.text_at(&["DomainName"]).unwrap_or_default());
        let is_rest = matches!(endpoint, Some((_, BucketEndpoint::Rest)));
        let s3 = origin.at(&["S3OriginConfig"]);
        if s3.is_some() == origin.at(&["CustomOriginConfig"]).is_some() {
            let message = format!("The origin `{id}` needs either S3OriginConfig or CustomOriginConfig.");
            return refuse(RefusalCode::InvalidArgument, message);
        }
        if s3.is_some() && !is_rest {
            let message = "The parameter Origin DomainName does not refer to a valid S3 bucket.";
            return refuse(RefusalCode::InvalidArgument, message);
        }
        let Some(control) = origin.text_at(&["OriginAccessControlId"]) else { continue };
        if !state.access_controls.contains_key(control) {
            return refuse(RefusalCode::InvalidOriginAccessControl, "The origin access control is not valid.");
        }
        if s3.and_then(|s3| s3.text_at(&["OriginAccessIdentity"])).is_some() {
            let message =
                "An origin cannot contain both an origin access control (OAC) and an origin access identity (OAI).";
            return refuse(RefusalCode::IllegalOriginAccessConfiguration, message);
        }
        if !is_rest {
            let message = "An origin access control is associated with an origin whose domain name is not supported.";
            return refuse(RefusalCode::InvalidDomainNameForOriginAccessControl, message);
        }
    }
    Ok(())
}

pub(super) fn error_responses(config: &XmlElement) -> Result<(), CloudFrontError> {
    let mut codes = BTreeSet::new();
    for response in config.items_at(&["CustomErrorResponses"]) {
        let code = response.text_at(&["ErrorCode"]).unwrap_or_default().trim();
        if !ERROR_CODES.contains(&code) || !codes.insert(code) {
            let message = format!("The error code `{code}` is invalid, or has two custom error responses.");
            return refuse(RefusalCode::InvalidErrorCode, message);
        }
        let ttl = response.text_at(&["ErrorCachingMinTTL"]).unwrap_or_default();
        if ttl.trim().starts_with('-') {
            return refuse(RefusalCode::InvalidArgument, "ErrorCachingMinTTL must not be negative.");
        }
        match (response.text_at(&["ResponsePagePath"]), response.text_at(&["ResponseCode"])) {
            (None, None) => {}
            (Some(path), Some(status)) => {
                if !path.starts_with('/') {
                    return refuse(RefusalCode::InvalidArgument, "ResponsePagePath must begin with a slash (/).");
                }
                if status != "200" && !ERROR_CODES.contains(&status) {
                    return refuse(
                        RefusalCode::InvalidResponseCode,
                        format!("The response code `{status}` is invalid."),
                    );
                }
            }
            _ => {
                let message = "A custom error response needs both ResponsePagePath and ResponseCode, or neither.";
                return refuse(RefusalCode::InvalidResponseCode, message);
            }
        }
    }
    Ok(())
}

pub(super) fn behavior(
    state: &CloudFrontState,
    config: &XmlElement,
    behavior: &XmlElement,
) -> Result<(), CloudFrontError> {
    let target = behavior.text_at(&["TargetOriginId"]);
    let ids = ["Origins", "OriginGroups"].into_iter().flat_map(|list| config.items_at(&[list]));
    if target.is_none() || !ids.into_iter().any(|origin| origin.text_at(&["Id"]) == target) {
        return refuse(RefusalCode::NoSuchOrigin, "One or more of your origins or origin groups do not exist.");
    }
    if let Some(policy) = behavior.text_at(&["ResponseHeadersPolicyId"])
        && !state.headers_policies.contains_key(policy)
    {
        return refuse(RefusalCode::NoSuchResponseHeadersPolicy, "The response headers policy does not exist.");
    }
    let mut events = BTreeSet::new();
    for association in behavior.items_at(&["FunctionAssociations"]) {
        let event = association.text_at(&["EventType"]).unwrap_or_default();
        let arn = association.text_at(&["FunctionARN"]).unwrap_or_default();
        if !event.starts_with("viewer-") {
            let message = format!("CloudFront Functions cannot be associated with the event type {event}.");
            return refuse(RefusalCode::InvalidFunctionAssociation, message);
        }
        if !events.insert(event) {
            let message = format!("The event type {event} has more than one function.");
            return refuse(RefusalCode::InvalidFunctionAssociation, message);
        }
        if !state.functions.values().any(|function| function.arn() == arn && function.live.is_some()) {
            let message = format!("The function {arn} does not exist, or is not published to the LIVE stage.");
            return refuse(RefusalCode::InvalidFunctionAssociation, message);
        }
    }
    let lambdas = behavior.items_at(&["LambdaFunctionAssociations"]);
    let is_at_viewer =
        |lambda: &XmlElement| lambda.text_at(&["EventType"]).is_some_and(|event| event.starts_with("viewer-"));
    if !events.is_empty() && lambdas.iter().any(is_at_viewer) {
        let message = "CloudFront Functions and Lambda@Edge cannot be combined in viewer events of a cache behavior.";
        return refuse(RefusalCode::InvalidFunctionAssociation, message);
    }
    Ok(())
}
