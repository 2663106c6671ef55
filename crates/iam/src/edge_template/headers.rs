//! The response headers policy of an edge, as a resource of a template.
//!
//! The policy that is installed is the source of both formats, so a value that a policy cannot have is not in a template.

use serde_json::{Map, Value, json};
use tidegate_publish::cloudfront::headers_policy_config;
use tidegate_publish::edge::EdgeSpec;

use crate::document::PolicyDocumentError;
use crate::document::terraform::{HclBody, quoted};

/// A setting of a security header: its name in CloudFormation, its name in Terraform, and its value.
type HeaderSetting = (&'static str, &'static str, Value);

/// The headers of the policy.
#[derive(Debug, Default)]
pub(super) struct PolicyHeaders {
    custom: Vec<(String, String)>,
    /// Security headers, by their names in CloudFormation and Terraform.
    security: Vec<(&'static str, &'static str, Vec<HeaderSetting>)>,
}

impl PolicyHeaders {
    /// Those of an edge; `None` if it has no policy.
    pub(super) fn of(spec: &EdgeSpec) -> Result<Option<Self>, PolicyDocumentError> {
        if spec.headers.is_empty() {
            return Ok(None);
        }
        let config = headers_policy_config(&spec.name, &spec.comment(), &spec.headers)
            .map_err(|error| PolicyDocumentError::Json(error.to_string()))?;
        let mut headers = Self::default();
        let custom = config.custom_headers_config().map(|custom| custom.items()).unwrap_or_default();
        headers.custom = custom.iter().map(|one| (one.header.clone(), one.value.clone())).collect();
        let Some(security) = config.security_headers_config() else { return Ok(Some(headers)) };
        let mut add = |names: (&'static str, &'static str), mut settings: Vec<HeaderSetting>| {
            settings.push(("Override", "override", json!(true)));
            headers.security.push((names.0, names.1, settings));
        };
        if let Some(csp) = security.content_security_policy() {
            let names = ("ContentSecurityPolicy", "content_security_policy");
            add(names, vec![(names.0, names.1, json!(csp.content_security_policy()))]);
        }
        if security.content_type_options().is_some() {
            add(("ContentTypeOptions", "content_type_options"), Vec::new());
        }
        if let Some(frame) = security.frame_options() {
            let option = json!(frame.frame_option().as_str());
            add(("FrameOptions", "frame_options"), vec![("FrameOption", "frame_option", option)]);
        }
        if let Some(referrer) = security.referrer_policy() {
            let names = ("ReferrerPolicy", "referrer_policy");
            add(names, vec![(names.0, names.1, json!(referrer.referrer_policy().as_str()))]);
        }
        if let Some(hsts) = security.strict_transport_security() {
            let settings = vec![
                ("AccessControlMaxAgeSec", "access_control_max_age_sec", json!(hsts.access_control_max_age_sec())),
                ("IncludeSubdomains", "include_subdomains", json!(hsts.include_subdomains().unwrap_or_default())),
                ("Preload", "preload", json!(hsts.preload().unwrap_or_default())),
            ];
            add(("StrictTransportSecurity", "strict_transport_security"), settings);
        }
        if let Some(xss) = security.xss_protection() {
            let mut settings = vec![("Protection", "protection", json!(xss.protection()))];
            settings.extend(xss.mode_block().map(|block| ("ModeBlock", "mode_block", json!(block))));
            add(("XSSProtection", "xss_protection"), settings);
        }
        Ok(Some(headers))
    }

    /// The resource of CloudFormation.
    pub(super) fn cloudformation(&self, spec: &EdgeSpec) -> Value {
        let mut config = Map::new();
        config.insert("Name".to_owned(), json!(spec.name));
        config.insert("Comment".to_owned(), json!(spec.comment()));
        if !self.custom.is_empty() {
            let item = |(name, value): &(String, String)| json!({ "Header": name, "Value": value, "Override": true });
            let items: Vec<Value> = self.custom.iter().map(item).collect();
            config.insert("CustomHeadersConfig".to_owned(), json!({ "Items": items }));
        }
        let of = |settings: &[HeaderSetting]| -> Map<String, Value> {
            settings.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())).collect()
        };
        let security: Map<String, Value> =
            self.security.iter().map(|(name, _, settings)| ((*name).to_owned(), Value::Object(of(settings)))).collect();
        if !security.is_empty() {
            config.insert("SecurityHeadersConfig".to_owned(), Value::Object(security));
        }
        json!({
            "Type": "AWS::CloudFront::ResponseHeadersPolicy",
            "Properties": { "ResponseHeadersPolicyConfig": config },
        })
    }

    /// The resource of Terraform, which leaves the headers to `tidegate edge repair` once it exists.
    pub(super) fn terraform(&self, spec: &EdgeSpec) -> HclBody {
        let mut policy = HclBody::default();
        policy.line("name", &quoted(&spec.name));
        policy.line("comment", &quoted(&spec.comment()));
        if !self.custom.is_empty() {
            let mut custom = HclBody::default();
            for (name, value) in &self.custom {
                let mut item = HclBody::default();
                item.line("header", &quoted(name));
                item.line("value", &quoted(value));
                item.line("override", "true");
                custom.block("items", item);
            }
            policy.block("custom_headers_config", custom);
        }
        if !self.security.is_empty() {
            let mut security = HclBody::default();
            for (_, name, settings) in &self.security {
                let mut header = HclBody::default();
                for (_, name, value) in settings {
                    header.line(name, &value.as_str().map_or_else(|| value.to_string(), quoted));
                }
                security.block(name, header);
            }
            policy.block("security_headers_config", security);
        }
        let mut lifecycle = HclBody::default();
        lifecycle.comment("The headers follow the live release: `tidegate edge repair` writes them.");
        lifecycle.line("ignore_changes", "[custom_headers_config, security_headers_config]");
        policy.block("lifecycle", lifecycle);
        policy
    }
}
