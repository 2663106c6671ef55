//! Response headers policies and their limits.

use aws_sdk_cloudfront::types::{
    ResponseHeadersPolicyConfig, ResponseHeadersPolicyContentSecurityPolicy, ResponseHeadersPolicyCustomHeader,
    ResponseHeadersPolicyCustomHeadersConfig, ResponseHeadersPolicyRemoveHeader,
    ResponseHeadersPolicyRemoveHeadersConfig, ResponseHeadersPolicySecurityHeadersConfig,
    ResponseHeadersPolicyXssProtection,
};
use pretty_assertions::assert_eq;

use super::{ID, config, refusal, refused, with_distribution};

fn policy(name: &str, custom: &[(&str, &str)], csp: Option<&str>, removed: &[&str]) -> ResponseHeadersPolicyConfig {
    let quantity = |count: usize| i32::try_from(count).expect("a small number");
    let headers = custom.iter().map(|(name, value)| {
        ResponseHeadersPolicyCustomHeader::builder()
            .header(*name)
            .value(*value)
            .r#override(true)
            .build()
            .expect("a header")
    });
    let custom = ResponseHeadersPolicyCustomHeadersConfig::builder()
        .quantity(quantity(custom.len()))
        .set_items(Some(headers.collect()))
        .build()
        .expect("headers");
    let headers = removed
        .iter()
        .map(|name| ResponseHeadersPolicyRemoveHeader::builder().header(*name).build().expect("a header"));
    let removed = ResponseHeadersPolicyRemoveHeadersConfig::builder()
        .quantity(quantity(removed.len()))
        .set_items(Some(headers.collect()))
        .build()
        .expect("headers");
    let csp = csp.map(|csp| {
        let csp = ResponseHeadersPolicyContentSecurityPolicy::builder().content_security_policy(csp).r#override(true);
        ResponseHeadersPolicySecurityHeadersConfig::builder()
            .content_security_policy(csp.build().expect("a policy"))
            .build()
    });
    ResponseHeadersPolicyConfig::builder()
        .name(name)
        .custom_headers_config(custom)
        .remove_headers_config(removed)
        .set_security_headers_config(csp)
        .build()
        .expect("a policy")
}

fn with_comment(comment: &str) -> ResponseHeadersPolicyConfig {
    let mut config = policy("comment", &[], None, &[]);
    config.comment = Some(comment.to_owned());
    config
}

fn with_xss(block: bool, report: Option<&str>) -> ResponseHeadersPolicyConfig {
    let xss = ResponseHeadersPolicyXssProtection::builder().r#override(true).protection(true).mode_block(block);
    let xss = xss.set_report_uri(report.map(str::to_owned)).build().expect("a header");
    let security = ResponseHeadersPolicySecurityHeadersConfig::builder().xss_protection(xss).build();
    let mut config = policy("xss", &[], None, &[]);
    config.security_headers_config = Some(security);
    config
}

#[tokio::test]
async fn a_policy_is_created_updated_used_and_deleted() {
    let (_account, client) = with_distribution();
    let create = |config| client.create_response_headers_policy().response_headers_policy_config(config).send();
    let first = policy("docs", &[("x-a", "1")], Some("default-src 'self'"), &["server"]);
    let created = create(first.clone()).await.expect("a policy");
    let id = created.response_headers_policy().expect("a policy").id().to_owned();
    assert_eq!(refusal(create(first.clone()).await), refused(409, "ResponseHeadersPolicyAlreadyExists"));
    let known = client.get_response_headers_policy_config().id(&id).send().await.expect("a policy");
    assert_eq!(known.response_headers_policy_config(), Some(&first));

    let second = policy("docs", &[("x-a", "2")], None, &[]);
    let update = |etag: &str| {
        let request = client.update_response_headers_policy().id(&id).if_match(etag);
        request.response_headers_policy_config(second.clone()).send()
    };
    assert_eq!(refusal(update("E0").await), refused(412, "PreconditionFailed"));
    let updated = update(created.e_tag().expect("an ETag")).await.expect("updated");
    let known = client.get_response_headers_policy().id(&id).send().await.expect("a policy");
    let stored = known.response_headers_policy().expect("a policy").response_headers_policy_config();
    assert_eq!(stored, Some(&second));
    let list = client.list_response_headers_policies().send().await.expect("a list");
    assert_eq!(list.response_headers_policy_list().expect("a list").items().len(), 1);

    let (mut used, version) = config(&client).await;
    let unused = used.clone();
    used.default_cache_behavior.as_mut().expect("a behavior").response_headers_policy_id = Some(id.clone());
    let attach = |config, etag: String| client.update_distribution().id(ID).if_match(etag).distribution_config(config);
    let attached = attach(used, version).send().await.expect("updated");
    let etag = updated.e_tag().expect("an ETag");
    let delete = || client.delete_response_headers_policy().id(&id).if_match(etag).send();
    assert_eq!(refusal(delete().await), refused(409, "ResponseHeadersPolicyInUse"));
    attach(unused, attached.e_tag.expect("an ETag")).send().await.expect("updated");
    delete().await.expect("deleted");
    let missing = client.get_response_headers_policy().id(&id).send().await;
    assert_eq!(refusal(missing), refused(404, "NoSuchResponseHeadersPolicy"));
}

#[tokio::test]
async fn limits_are_enforced() {
    let (_account, client) = with_distribution();
    let create = |config| client.create_response_headers_policy().response_headers_policy_config(config).send();
    let (long, longest) = ("v".repeat(1_784), "v".repeat(1_783));
    let names: Vec<String> = (0..11).map(|number| format!("x-{number}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let removed: Vec<&str> = names.iter().map(String::as_str).collect();
    let large: Vec<(&str, &str)> = names.iter().take(6).map(|name| (name.as_str(), longest.as_str())).collect();
    for (name, config, code) in [
        ("eleven headers", policy("a", &headers, None, &[]), "TooManyCustomHeadersInResponseHeadersPolicy"),
        ("eleven removed", policy("a", &[], None, &removed), "TooManyRemoveHeadersInResponseHeadersPolicy"),
        ("a long policy", policy("a", &[], Some(&long), &[]), "TooLongCSPInResponseHeadersPolicy"),
        ("a long value", policy("a", &[("x-a", &long)], None, &[]), "InvalidArgument"),
        ("more than 10,240 bytes", policy("a", &large, None, &[]), "InvalidArgument"),
        ("a reserved header", policy("a", &[("Via", "x")], None, &[]), "InvalidArgument"),
        ("a security header", policy("a", &[("X-Frame-Options", "DENY")], None, &[]), "InvalidArgument"),
        ("the same header twice", policy("a", &[("x-a", "1"), ("X-A", "2")], None, &[]), "InvalidArgument"),
        ("an invalid name", policy("a", &[("x a", "1")], None, &[]), "InvalidArgument"),
        ("an invalid value", policy("a", &[("x-a", "1\n2")], None, &[]), "InvalidArgument"),
        ("an empty name", policy("", &[], None, &[]), "InvalidArgument"),
        ("a long comment", with_comment(&"c".repeat(129)), "InvalidArgument"),
        ("a header that cannot be removed", policy("a", &[], None, &["X-Cache"]), "InvalidArgument"),
        ("both block and report", with_xss(true, Some("https://example.com/report")), "InvalidArgument"),
    ] {
        assert_eq!(refusal(create(config).await), refused(400, code), "{name}");
    }
    let most = headers.get(..10).expect("ten headers");
    create(policy("most", most, Some(&longest), &[])).await.expect("the limits themselves");
    let valid = [
        policy("removed and added", &[("x-a", "1")], None, &["X-A"]),
        policy("a header without a value", &[("x-a", "")], None, &[]),
        with_comment(&"c".repeat(128)),
        with_xss(false, Some("https://example.com/report")),
    ];
    for (number, mut config) in valid.into_iter().enumerate() {
        config.name = format!("valid{number}");
        create(config).await.expect("a policy");
    }
    for number in 5..20 {
        create(policy(&format!("p{number}"), &[], None, &[])).await.expect("a policy");
    }
    let more = refusal(create(policy("one too many", &[], None, &[])).await);
    assert_eq!(more, refused(400, "TooManyResponseHeadersPolicies"));
}
