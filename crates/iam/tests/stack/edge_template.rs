//! Templates of the edge of a site.

use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_core::edge::{OnFailure, function_code};
use tidegate_iam::edge_template::edge_template;
use tidegate_iam::stack::TemplateFormat;
use tidegate_publish::edge::EdgeSpec;

fn spec() -> EdgeSpec {
    let text = "state = \"s3://state/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://site/\"\n\
                cdn = [{ distribution = \"E2EXAMPLE\" }]\n[site.edge]\n";
    let site = Config::parse(text).unwrap().sites.remove(0);
    EdgeSpec::new(&site, function_code(&site.name, OnFailure::Open)).unwrap()
}

#[test]
fn both_templates_have_the_code_that_is_installed() {
    let spec = spec();
    let template: Value = serde_json::from_str(&edge_template(&spec, TemplateFormat::CloudFormation).unwrap()).unwrap();
    let function = &template["Resources"]["Function"]["Properties"];
    assert_eq!(
        (function["FunctionCode"].as_str(), &function["AutoPublish"]),
        (Some(spec.code.as_str()), &Value::Bool(true))
    );
    assert_eq!(function["Name"], "tidegate-docs");
    let distribution = &template["Metadata"]["Distribution"];
    assert_eq!(distribution["CustomErrorResponses"].as_array().unwrap().len(), 2);
    assert_eq!(distribution["DefaultCacheBehavior"]["FunctionAssociations"][1]["EventType"], "viewer-response");

    let file = edge_template(&spec, TemplateFormat::Terraform).unwrap();
    let heredoc = file.split("<<EOT\n").nth(1).unwrap().split("EOT\n").next().unwrap();
    assert!(spec.code.contains("${") && !heredoc.replace("$${", "").contains("${"), "templates are escaped");
    assert_eq!(heredoc.replace("$${", "${").replace("%%{", "%{"), spec.code);
    let comments: String = file.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    for expected in [
        "event_type   = \"viewer-request\"",
        "error_code            = 403",
        "response_page_path    = \"/404.html\"",
        // What `edge install` attaches stays.
        "ignore_changes = [default_cache_behavior[0].response_headers_policy_id]",
    ] {
        assert!(comments.contains(expected), "{file}");
    }
    assert!(!template.to_string().contains("HeadersPolicy"));
}

#[test]
fn a_response_headers_policy_is_a_resource_that_the_distribution_names() {
    let headers = [
        ("content-security-policy", "default-src 'self'; script-src \"x\" ${y}"),
        ("permissions-policy", "camera=()"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("x-xss-protection", "1; mode=block"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let spec = EdgeSpec { headers, ..spec() };
    let template: Value = serde_json::from_str(&edge_template(&spec, TemplateFormat::CloudFormation).unwrap()).unwrap();
    let config = &template["Resources"]["HeadersPolicy"]["Properties"]["ResponseHeadersPolicyConfig"];
    assert_eq!((&config["Name"], &config["Comment"]), (&"tidegate-docs".into(), &spec.comment().into()));
    assert_eq!(
        config["CustomHeadersConfig"]["Items"],
        json!([{ "Header": "permissions-policy", "Value": "camera=()", "Override": true }])
    );
    let security = &config["SecurityHeadersConfig"];
    assert_eq!(security["FrameOptions"], json!({ "FrameOption": "DENY", "Override": true }));
    assert_eq!(security["XSSProtection"], json!({ "Protection": true, "ModeBlock": true, "Override": true }));
    let hsts = &security["StrictTransportSecurity"];
    assert_eq!((&hsts["AccessControlMaxAgeSec"], &hsts["Preload"]), (&31_536_000.into(), &false.into()));
    let behavior = &template["Metadata"]["Distribution"]["DefaultCacheBehavior"];
    assert_eq!(behavior["ResponseHeadersPolicyId"], json!({ "Ref": "HeadersPolicy" }));

    let file = edge_template(&spec, TemplateFormat::Terraform).unwrap();
    for expected in [
        "resource \"aws_cloudfront_response_headers_policy\" \"edge\" {",
        "content_security_policy = \"default-src 'self'; script-src \\\"x\\\" $${y}\"",
        "access_control_max_age_sec = 31536000",
        "header   = \"permissions-policy\"",
        "ignore_changes = [custom_headers_config, security_headers_config]",
        "#     response_headers_policy_id = aws_cloudfront_response_headers_policy.edge.id",
    ] {
        assert!(file.contains(expected), "{expected}: {file}");
    }
}

#[test]
fn error_pages_are_optional() {
    let spec = EdgeSpec { error_page: None, ..spec() };
    for format in [TemplateFormat::CloudFormation, TemplateFormat::Terraform] {
        let template = edge_template(&spec, format).unwrap();
        assert!(!template.contains("404.html") && template.contains("viewer-request"), "{template}");
    }
}
