//! CORS in response headers policies: what is accepted, and what viewers get. The rules are those of the CloudFront
//! Developer Guide, "Understand response headers policies".

use aws_sdk_cloudfront::types::{
    AllowedMethods, CachedMethods, Method, ResponseHeadersPolicyAccessControlAllowHeaders as AllowHeaders,
    ResponseHeadersPolicyAccessControlAllowMethods as AllowMethods,
    ResponseHeadersPolicyAccessControlAllowMethodsValues as MethodValue,
    ResponseHeadersPolicyAccessControlAllowOrigins as AllowOrigins,
    ResponseHeadersPolicyAccessControlExposeHeaders as ExposeHeaders, ResponseHeadersPolicyConfig,
    ResponseHeadersPolicyCorsConfig,
};
use axum::body::Body;
use http::Request;
use pretty_assertions::assert_eq;

use super::site::{Seen, Site};
use super::{refusal, refused, with_distribution};

/// The CORS section of a policy.
#[derive(Clone, Copy)]
struct Cors {
    origins: &'static [&'static str],
    headers: &'static [&'static str],
    methods: &'static [&'static str],
    expose: &'static [&'static str],
    credentials: bool,
    max_age: Option<i32>,
    overrides: bool,
}

/// Allows one origin, one header and one method.
const PLAIN: Cors = Cors {
    origins: &["https://example.com"],
    headers: &["x-a"],
    methods: &["GET"],
    expose: &[],
    credentials: false,
    max_age: None,
    overrides: true,
};

impl Cors {
    fn section(self) -> ResponseHeadersPolicyCorsConfig {
        let quantity = |list: &[&str]| i32::try_from(list.len()).expect("a small number");
        let texts = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let origins = AllowOrigins::builder().quantity(quantity(self.origins)).set_items(texts(self.origins));
        let headers = AllowHeaders::builder().quantity(quantity(self.headers)).set_items(texts(self.headers));
        let methods = self.methods.iter().map(|method| MethodValue::from(*method)).collect();
        let methods = AllowMethods::builder().quantity(quantity(self.methods)).set_items(Some(methods));
        let expose = ExposeHeaders::builder().quantity(quantity(self.expose)).set_items(texts(self.expose));
        ResponseHeadersPolicyCorsConfig::builder()
            .access_control_allow_origins(origins.build().expect("origins"))
            .access_control_allow_headers(headers.build().expect("headers"))
            .access_control_allow_methods(methods.build().expect("methods"))
            .access_control_expose_headers(expose.build().expect("headers"))
            .access_control_allow_credentials(self.credentials)
            .set_access_control_max_age_sec(self.max_age)
            .origin_override(self.overrides)
            .build()
            .expect("a section")
    }

    fn policy(self, name: &str) -> ResponseHeadersPolicyConfig {
        ResponseHeadersPolicyConfig::builder().name(name).cors_config(self.section()).build().expect("a policy")
    }
}

#[tokio::test]
async fn a_policy_with_cors_is_stored_as_it_was_sent() {
    let (_account, client) = with_distribution();
    let first = Cors { expose: &["x-b", "ETag"], max_age: Some(600), ..PLAIN }.policy("cors");
    let created = client.create_response_headers_policy().response_headers_policy_config(first.clone()).send().await;
    let created = created.expect("a policy");
    let id = created.response_headers_policy().expect("a policy").id().to_owned();
    let known = client.get_response_headers_policy_config().id(&id).send().await.expect("a policy");
    assert_eq!(known.response_headers_policy_config(), Some(&first));
    let second = Cors { origins: &["*"], methods: &["ALL"], headers: &["*"], ..PLAIN }.policy("cors");
    let request = client.update_response_headers_policy().id(&id).if_match(created.e_tag().expect("an ETag"));
    request.response_headers_policy_config(second.clone()).send().await.expect("updated");
    let list = client.list_response_headers_policies().send().await.expect("a list");
    let items = list.response_headers_policy_list().expect("a list").items();
    let listed = items.first().and_then(|item| item.response_headers_policy());
    assert_eq!(listed.and_then(|policy| policy.response_headers_policy_config()), Some(&second));
}

#[tokio::test]
async fn sections_are_accepted_or_refused() {
    let (_account, client) = with_distribution();
    let ok = "OK";
    let invalid = "InvalidArgument";
    for (name, cors, code) in [
        ("plain", PLAIN, ok),
        ("several", Cors { origins: &["http://a.example", "b.example"], methods: &["GET", "PUT"], ..PLAIN }, ok),
        ("all", Cors { origins: &["*"], headers: &["*"], methods: &["ALL"], expose: &["*"], ..PLAIN }, ok),
        ("credentials", Cors { credentials: true, methods: &["ALL"], ..PLAIN }, ok),
        ("wildcard domain", Cors { origins: &["https://*.example.com"], credentials: true, ..PLAIN }, ok),
        ("port", Cors { origins: &["http://localhost:3000", "http://127.0.0.1:*"], ..PLAIN }, ok),
        ("wildcard in a header", Cors { headers: &["x-amz-*", "x-*-id"], ..PLAIN }, ok),
        ("longest time", Cors { max_age: Some(i32::MAX), ..PLAIN }, ok),
        ("no time", Cors { max_age: Some(0), ..PLAIN }, ok),
        ("no origin", Cors { origins: &[], ..PLAIN }, invalid),
        ("no header", Cors { headers: &[], ..PLAIN }, invalid),
        ("no method", Cors { methods: &[], ..PLAIN }, invalid),
        ("empty origin", Cors { origins: &[""], ..PLAIN }, invalid),
        ("origin with a path", Cors { origins: &["https://example.com/"], ..PLAIN }, invalid),
        ("wildcard TLD", Cors { origins: &["example.*"], ..PLAIN }, invalid),
        ("wildcard in the middle", Cors { origins: &["test.*.example.org"], ..PLAIN }, invalid),
        ("wildcard in a term", Cors { origins: &["exa*mple.org"], ..PLAIN }, invalid),
        ("two wildcards in a domain", Cors { origins: &["*.*.example.org"], ..PLAIN }, invalid),
        ("ALL as an origin", Cors { origins: &["ALL"], ..PLAIN }, invalid),
        ("two equal origins", Cors { origins: &["https://a.example", "https://A.example"], ..PLAIN }, invalid),
        ("name with a space", Cors { headers: &["x a"], ..PLAIN }, invalid),
        ("two wildcards", Cors { headers: &["x-*-*"], ..PLAIN }, invalid),
        ("two equal headers", Cors { headers: &["x-a", "X-A"], ..PLAIN }, invalid),
        ("wildcard in an exposed header", Cors { expose: &["x-*"], ..PLAIN }, invalid),
        ("exposed name with a colon", Cors { expose: &["x:a"], ..PLAIN }, invalid),
        ("unknown method", Cors { methods: &["PROPFIND"], ..PLAIN }, invalid),
        ("lower case", Cors { methods: &["get"], ..PLAIN }, invalid),
        ("ALL and another", Cors { methods: &["ALL", "GET"], ..PLAIN }, invalid),
        ("all origins with credentials", Cors { origins: &["*"], credentials: true, ..PLAIN }, invalid),
        ("all headers with credentials", Cors { headers: &["*"], credentials: true, ..PLAIN }, invalid),
        ("some headers with credentials", Cors { headers: &["x-*"], credentials: true, ..PLAIN }, invalid),
        ("negative time", Cors { max_age: Some(-1), ..PLAIN }, invalid),
    ] {
        let request = client.create_response_headers_policy().response_headers_policy_config(cors.policy("p"));
        match request.send().await {
            Ok(created) => {
                assert_eq!(code, ok, "{name} is accepted");
                let id = created.response_headers_policy().expect("a policy").id().to_owned();
                let request = client.delete_response_headers_policy().id(id);
                request.if_match(created.e_tag().expect("an ETag")).send().await.expect("deleted");
            }
            Err(error) => assert_eq!(refusal::<(), _>(Err(error)), refused(400, code), "{name}"),
        }
    }
    let mut policy = PLAIN.policy("p");
    if let Some(section) = &mut policy.cors_config
        && let Some(origins) = &mut section.access_control_allow_origins
    {
        origins.quantity = 2;
    }
    let request = client.create_response_headers_policy().response_headers_policy_config(policy);
    assert_eq!(refusal(request.send().await), refused(400, "InconsistentQuantities"));
    let policy = Cors { headers: &["*"], credentials: true, ..PLAIN }.policy("p");
    let request = client.create_response_headers_policy().response_headers_policy_config(policy);
    let error = request.send().await.expect_err("an error");
    let message = error.as_service_error().and_then(|error| error.meta().message()).unwrap_or_default();
    assert_eq!(message, "The parameter Access-Control-Allow-Headers cannot contain * when allowCredentials is true.");
}

/// The CORS headers of a response.
fn cors_headers(seen: &Seen) -> Vec<(String, String)> {
    let cors = seen.headers.iter().filter(|(name, _)| name.as_str().starts_with("access-control-"));
    let mut headers: Vec<_> =
        cors.map(|(name, value)| (name.as_str().to_owned(), value.to_str().expect("text").to_owned())).collect();
    headers.sort();
    headers
}

/// Sends a request for the page with these headers.
async fn send(site: &Site, method: &str, headers: &[(&str, &str)]) -> Seen {
    let mut request = Request::builder().method(method).uri("/a.html").header("host", "example.com");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.send(request.body(Body::empty()).expect("a request")).await
}

async fn allow_options(site: &Site) {
    site.update(|config| {
        if let Some(behavior) = &mut config.default_cache_behavior {
            let methods = || vec![Method::Get, Method::Head];
            let cached = CachedMethods::builder().quantity(2).set_items(Some(methods())).build().expect("methods");
            let mut allowed = methods();
            allowed.push(Method::Options);
            let allowed = AllowedMethods::builder().quantity(3).set_items(Some(allowed)).cached_methods(cached);
            behavior.allowed_methods = Some(allowed.build().expect("methods"));
        }
    })
    .await;
}

const ORIGIN: (&str, &str) = ("origin", "https://example.com");
const REQUEST_METHOD: (&str, &str) = ("access-control-request-method", "PUT");

/// Answers every OPTIONS request, as a bucket without CORS rules cannot.
const PREFLIGHT: &str = "function handler(event) {
    if (event.request.method === 'OPTIONS') return { statusCode: 204, statusDescription: 'No Content' };
    return event.request;
}";

/// Rows: the policy, the method, the headers of the request, and the CORS headers of the response.
#[tokio::test]
async fn viewers_get_the_headers_that_their_request_asks_for() {
    type Headers = &'static [(&'static str, &'static str)];
    let full = Cors {
        origins: &["https://example.com", "https://*.example.org"],
        methods: &["ALL"],
        expose: &["ETag", "x-b"],
        credentials: true,
        max_age: Some(600),
        ..PLAIN
    };
    let any = Cors { origins: &["*"], headers: &["*"], methods: &["GET", "OPTIONS"], ..PLAIN };
    let simple: Headers = &[
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-origin", "https://example.com"),
        ("access-control-expose-headers", "ETag, x-b"),
    ];
    let rows: [(&str, Cors, &str, Headers, Headers); 13] = [
        ("without an origin", full, "GET", &[], &[]),
        ("with the origin", full, "GET", &[ORIGIN], simple),
        ("HEAD", full, "HEAD", &[ORIGIN], simple),
        ("with another origin", full, "GET", &[("origin", "https://example.net")], &[]),
        ("with another scheme", full, "GET", &[("origin", "http://example.com")], &[]),
        ("with the opaque origin", full, "GET", &[("origin", "null")], &[]),
        (
            "with a subdomain",
            full,
            "GET",
            &[("origin", "https://a.example.org")],
            &[
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-origin", "https://a.example.org"),
                ("access-control-expose-headers", "ETag, x-b"),
            ],
        ),
        (
            "preflight",
            full,
            "OPTIONS",
            &[ORIGIN, REQUEST_METHOD],
            &[
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-headers", "x-a"),
                ("access-control-allow-methods", "GET, DELETE, HEAD, OPTIONS, PATCH, POST, PUT"),
                ("access-control-allow-origin", "https://example.com"),
                ("access-control-expose-headers", "ETag, x-b"),
                ("access-control-max-age", "600"),
            ],
        ),
        ("OPTIONS without a requested method", full, "OPTIONS", &[ORIGIN], simple),
        ("preflight of another origin", full, "OPTIONS", &[("origin", "https://example.net"), REQUEST_METHOD], &[]),
        ("any origin", any, "GET", &[("origin", "null")], &[("access-control-allow-origin", "*")]),
        ("any origin without an origin", any, "GET", &[], &[]),
        (
            "preflight of any origin",
            any,
            "OPTIONS",
            &[ORIGIN, REQUEST_METHOD, ("access-control-request-headers", "x-z")],
            &[
                ("access-control-allow-headers", "*"),
                ("access-control-allow-methods", "GET, OPTIONS"),
                ("access-control-allow-origin", "*"),
            ],
        ),
    ];
    let site = Site::new("").await;
    site.put("a.html", "a").await;
    site.functions(PREFLIGHT, "").await;
    allow_options(&site).await;
    for (number, (name, cors, method, headers, expected)) in rows.into_iter().enumerate() {
        site.attach(cors.policy(&format!("p{number}"))).await;
        let seen = send(&site, method, headers).await;
        assert_eq!(seen.status, if method == "OPTIONS" { 204 } else { 200 }, "{name}");
        let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(cors_headers(&seen), expected, "{name}");
        assert_eq!(seen.header("vary"), "", "{name}");
    }
    let missing = site.get_with("/none", "origin", "null").await;
    assert_eq!((missing.status, missing.header("access-control-allow-origin")), (403, "*"), "errors, too");
}

/// The function of the viewer response stands for an origin that sends CORS headers.
#[tokio::test]
async fn an_origin_with_cors_headers_is_overridden_or_kept() {
    let site = Site::new("").await;
    site.put("a.html", "a").await;
    let origin = "function handler(event) {
        event.response.headers['access-control-allow-origin'] = { value: 'https://from.origin' };
        event.response.headers['access-control-max-age'] = { value: '1' };
        return event.response;
    }";
    site.functions("", origin).await;
    let cors = Cors { expose: &["x-b"], ..PLAIN };
    let kept = [("access-control-allow-origin", "https://from.origin"), ("access-control-max-age", "1")];
    let overridden = [
        ("access-control-allow-origin", "https://example.com"),
        ("access-control-expose-headers", "x-b"),
        ("access-control-max-age", "1"),
    ];
    for (name, overrides, headers, expected) in [
        ("overridden", true, &[ORIGIN][..], &overridden[..]),
        ("not a CORS request", true, &[], &kept[..]),
        ("kept", false, &[ORIGIN], &kept[..]),
        ("kept without an origin", false, &[], &kept[..]),
    ] {
        site.attach(Cors { overrides, ..cors }.policy(name)).await;
        let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(cors_headers(&send(&site, "GET", headers).await), expected, "{name}");
    }
    let other = site.get_with("/none", "origin", "https://example.com").await;
    assert_eq!(other.header("access-control-allow-origin"), "https://example.com", "not overridden, but missing");
}

#[tokio::test]
async fn a_preflight_needs_a_behavior_that_allows_it_and_an_origin_that_answers() {
    let site = Site::new("").await;
    site.put("a.html", "a").await;
    site.put("404.html", "no").await;
    site.attach(PLAIN.policy("p")).await;
    let preflight = || send(&site, "OPTIONS", &[ORIGIN, REQUEST_METHOD]);
    let refused = preflight().await;
    assert_eq!((refused.status, refused.source()), (403, "Error"));
    assert!(refused.body.contains("not configured to allow the HTTP request method"), "{}", refused.body);
    allow_options(&site).await;
    let forwarded = preflight().await;
    assert_eq!((forwarded.status, forwarded.source()), (400, "Miss"), "the bucket gets no Origin header");
    assert_eq!(forwarded.header("access-control-allow-origin"), "https://example.com");
    site.error_pages(&[(400, "/404.html", "404", 10)]).await;
    let replaced = preflight().await;
    assert_eq!((replaced.status, replaced.body.as_str()), (404, "no"));
    site.functions(PREFLIGHT, "").await;
    assert_eq!(preflight().await.status, 204, "a function can answer");
    let put = send(&site, "PUT", &[ORIGIN]).await;
    assert_eq!(put.status, 403);
}
