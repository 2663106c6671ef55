//! Response headers policies of CloudFront: headers that a distribution adds to every response, also to errors.

use aws_sdk_cloudfront::error::BuildError;
use aws_sdk_cloudfront::types::{
    FrameOptionsList, ReferrerPolicyList, ResponseHeadersPolicyConfig, ResponseHeadersPolicyContentSecurityPolicy,
    ResponseHeadersPolicyContentTypeOptions, ResponseHeadersPolicyCustomHeader,
    ResponseHeadersPolicyCustomHeadersConfig, ResponseHeadersPolicyFrameOptions, ResponseHeadersPolicyReferrerPolicy,
    ResponseHeadersPolicySecurityHeadersConfig, ResponseHeadersPolicyStrictTransportSecurity,
    ResponseHeadersPolicyType, ResponseHeadersPolicyXssProtection,
};

use super::CloudFront;
use crate::aws_error::AwsError;

/// Headers by their names in lower case, sorted.
pub type SiteHeaders = std::collections::BTreeMap<String, String>;

/// A response headers policy.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundHeadersPolicy {
    /// Its id.
    pub id: String,
    /// Its comment.
    pub comment: String,
    config: ResponseHeadersPolicyConfig,
}

impl FoundHeadersPolicy {
    /// Whether it adds these headers and does nothing else.
    #[must_use]
    pub fn has(&self, headers: &SiteHeaders) -> bool {
        let Ok(wanted) = headers_policy_config(&self.config.name, &self.comment, headers) else { return false };
        let custom = |config: &ResponseHeadersPolicyConfig| {
            let headers = config.custom_headers_config().map(|headers| headers.items()).unwrap_or_default();
            let mut headers: Vec<_> =
                headers.iter().map(|one| (one.header.to_lowercase(), one.value.clone())).collect();
            headers.sort();
            headers
        };
        let no_security = ResponseHeadersPolicySecurityHeadersConfig::builder().build();
        let security = |config: &ResponseHeadersPolicyConfig| {
            config.security_headers_config.clone().unwrap_or_else(|| no_security.clone())
        };
        let removes = self.config.remove_headers_config().is_some_and(|removed| removed.quantity() > 0);
        custom(&self.config) == custom(&wanted)
            && security(&self.config) == security(&wanted)
            && self.config.cors_config.is_none()
            && !removes
    }
}

/// The number of `max-age` in the value of `strict-transport-security`.
fn max_age(value: &str) -> i32 {
    let parts = value.split(';').map(str::trim);
    parts
        .filter_map(|part| part.strip_prefix("max-age="))
        .find_map(|age| age.trim_matches('"').parse().ok())
        .unwrap_or(0)
}

/// Adds a header to the security headers; returns whether it is one.
fn set_security(
    security: &mut ResponseHeadersPolicySecurityHeadersConfig,
    name: &str,
    value: &str,
) -> Result<bool, BuildError> {
    let lower = value.trim().to_ascii_lowercase();
    match name {
        "content-security-policy" => {
            let header = ResponseHeadersPolicyContentSecurityPolicy::builder();
            let header = header.r#override(true).content_security_policy(value);
            security.content_security_policy = Some(header.build()?);
        }
        "strict-transport-security" => {
            let header = ResponseHeadersPolicyStrictTransportSecurity::builder();
            let header = header.r#override(true).access_control_max_age_sec(max_age(&lower));
            let header = header.include_subdomains(lower.contains("includesubdomains"));
            security.strict_transport_security = Some(header.preload(lower.contains("preload")).build()?);
        }
        "x-content-type-options" => {
            let header = ResponseHeadersPolicyContentTypeOptions::builder();
            security.content_type_options = Some(header.r#override(true).build()?);
        }
        "x-frame-options" => {
            let option = FrameOptionsList::from(lower.to_ascii_uppercase().as_str());
            let header = ResponseHeadersPolicyFrameOptions::builder().r#override(true).frame_option(option);
            security.frame_options = Some(header.build()?);
        }
        "referrer-policy" => {
            let policy = ReferrerPolicyList::from(lower.as_str());
            let header = ResponseHeadersPolicyReferrerPolicy::builder().r#override(true).referrer_policy(policy);
            security.referrer_policy = Some(header.build()?);
        }
        "x-xss-protection" => {
            let protects = lower.starts_with('1');
            let header = ResponseHeadersPolicyXssProtection::builder().r#override(true).protection(protects);
            let header = if protects { header.mode_block(lower.contains("block")) } else { header };
            security.xss_protection = Some(header.build()?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The configuration of a policy with these headers.
///
/// # Errors
/// Never, unless the SDK requires more.
pub fn headers_policy_config(
    name: &str,
    comment: &str,
    headers: &SiteHeaders,
) -> Result<ResponseHeadersPolicyConfig, BuildError> {
    let mut security = ResponseHeadersPolicySecurityHeadersConfig::builder().build();
    let (mut custom, mut has_security) = (Vec::new(), false);
    for (header, value) in headers {
        if set_security(&mut security, header, value)? {
            has_security = true;
            continue;
        }
        let built = ResponseHeadersPolicyCustomHeader::builder().header(header).value(value).r#override(true);
        custom.push(built.build()?);
    }
    let mut config = ResponseHeadersPolicyConfig::builder().name(name).comment(comment);
    if !custom.is_empty() {
        let quantity = i32::try_from(custom.len()).unwrap_or(i32::MAX);
        let custom = ResponseHeadersPolicyCustomHeadersConfig::builder().quantity(quantity).set_items(Some(custom));
        config = config.custom_headers_config(custom.build()?);
    }
    if has_security {
        config = config.security_headers_config(security);
    }
    config.build()
}

impl CloudFront {
    /// The policy of the account with this name.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn headers_policy(&self, name: &str) -> Result<Option<FoundHeadersPolicy>, AwsError> {
        let mut marker = None;
        loop {
            let request = self.client.list_response_headers_policies().set_marker(marker);
            let request = request.r#type(ResponseHeadersPolicyType::Custom);
            let list = send!("ListResponseHeadersPolicies", name, request)?.response_headers_policy_list;
            let Some(list) = list else { return Ok(None) };
            for policy in list.items.unwrap_or_default().into_iter().filter_map(|item| item.response_headers_policy) {
                let Some(config) = policy.response_headers_policy_config.filter(|config| config.name == name) else {
                    continue;
                };
                let comment = config.comment.clone().unwrap_or_default();
                return Ok(Some(FoundHeadersPolicy { id: policy.id, comment, config }));
            }
            marker = list.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(None);
            }
        }
    }

    async fn headers_policy_etag(&self, id: &str) -> Result<String, AwsError> {
        let request = self.client.get_response_headers_policy().id(id);
        Ok(send!("GetResponseHeadersPolicy", id, request)?.e_tag.unwrap_or_default())
    }

    /// Creates a policy that adds these headers.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn create_headers_policy(
        &self,
        name: &str,
        comment: &str,
        headers: &SiteHeaders,
    ) -> Result<(), AwsError> {
        let call = "CreateResponseHeadersPolicy";
        let config = headers_policy_config(name, comment, headers)
            .map_err(|error| AwsError::malformed(call, name, error.to_string()))?;
        let request = self.client.create_response_headers_policy().response_headers_policy_config(config);
        send!("CreateResponseHeadersPolicy", name, request).map(drop)
    }

    /// Makes a policy add these headers and do nothing else.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn update_headers_policy(
        &self,
        found: &FoundHeadersPolicy,
        headers: &SiteHeaders,
    ) -> Result<(), AwsError> {
        let (call, name) = ("UpdateResponseHeadersPolicy", found.config.name.as_str());
        let config = headers_policy_config(name, &found.comment, headers)
            .map_err(|error| AwsError::malformed(call, name, error.to_string()))?;
        let etag = self.headers_policy_etag(&found.id).await?;
        let request = self.client.update_response_headers_policy().id(&found.id).if_match(etag);
        send!("UpdateResponseHeadersPolicy", name, request.response_headers_policy_config(config)).map(drop)
    }

    /// Deletes a policy.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn delete_headers_policy(&self, found: &FoundHeadersPolicy) -> Result<(), AwsError> {
        let etag = self.headers_policy_etag(&found.id).await?;
        let request = self.client.delete_response_headers_policy().id(&found.id).if_match(etag);
        send!("DeleteResponseHeadersPolicy", found.config.name.as_str(), request).map(drop)
    }
}
