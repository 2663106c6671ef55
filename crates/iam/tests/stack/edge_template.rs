//! Templates of the edge of a site.

use serde_json::Value;
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
    for expected in
        ["event_type   = \"viewer-request\"", "error_code            = 403", "response_page_path    = \"/404.html\""]
    {
        assert!(comments.contains(expected), "{file}");
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
