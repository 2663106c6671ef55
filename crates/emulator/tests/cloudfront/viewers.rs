//! What viewers get from a distribution with the REST endpoint of a private bucket, functions, custom error responses and
//! a response headers policy. The rules are those of the CloudFront Developer Guide.

use aws_sdk_cloudfront::types::{
    ResponseHeadersPolicyConfig, ResponseHeadersPolicyCustomHeader, ResponseHeadersPolicyCustomHeadersConfig,
};
use axum::body::Body;
use http::Request;
use pretty_assertions::assert_eq;
use tidegate_emulator::s3::StoredHeaders;

use super::ID;
use super::site::{LIST, READ, Site};

#[tokio::test]
async fn the_policy_of_the_bucket_decides_what_is_read() {
    let site = Site::new("/live").await;
    site.put("live/a.html", "a").await;
    site.put("other.html", "secret").await;
    assert_eq!(site.get("/a.html").await.body, "a");
    let clock = site.account.iam().clock().clone();
    for (name, distribution, grants, existing, missing) in [
        ("read", ID, vec![READ], 200, 403),
        ("read and list", ID, vec![READ, LIST], 200, 404),
        ("nothing", ID, vec![("s3:PutObject", READ.1)], 403, 403),
        ("another key", ID, vec![(READ.0, "arn:aws:s3:::site/live/b*")], 403, 403),
        ("another distribution", "E0OTHER", vec![READ, LIST], 403, 403),
    ] {
        site.allow(distribution, &grants).await;
        clock.advance(std::time::Duration::from_secs(100_000));
        site.invalidate(name, "/*");
        assert_eq!(site.get("/a.html").await.status, existing, "{name}");
        let gone = site.get("/none.html").await;
        assert_eq!((gone.status, gone.header("content-type")), (missing, "application/xml"), "{name}");
    }
    site.allow(ID, &[READ]).await;
    site.invalidate("all", "/*");
    assert_eq!(site.get("/other.html").await.status, 403, "outside the path of the origin");
    assert_eq!(site.get("/../other.html").await.status, 403);
}

#[tokio::test]
async fn a_distribution_without_access_control_reads_what_is_public() {
    use tidegate_emulator::cloudfront::OriginAccess;
    use tidegate_emulator::s3::PublicAccessBlock;
    let site = Site::new("").await;
    site.put("a.html", "a").await;
    site.account.cloudfront().set_origin_access(ID, OriginAccess::Anonymous).expect("set");
    assert_eq!(site.get("/a.html").await.status, 403, "it does not sign");
    let public = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::site/*"}]}"#;
    let open = PublicAccessBlock {
        block_public_acls: false,
        ignore_public_acls: false,
        block_public_policy: false,
        restrict_public_buckets: false,
    };
    site.account.s3().set_public_access_block("site", open).await.expect("set");
    site.account.s3().set_policy("site", Some(public.to_owned())).await.expect("a policy");
    site.invalidate("all", "/*");
    assert_eq!(site.get("/a.html").await.body, "a");
    site.account.cloudfront().set_origin_access(ID, OriginAccess::Website).expect("set");
    site.put("guide/index.html", "guide").await;
    assert_eq!(site.get("/guide/").await.body, "guide");
    site.account.cloudfront().set_origin_access(ID, OriginAccess::Control).expect("set");
    site.allow(ID, &[READ]).await;
    site.invalidate("again", "/*");
    assert_eq!(site.get("/guide/").await.status, 403);
    assert_eq!(site.get("/a.html").await.status, 200);
}

#[tokio::test]
async fn only_the_root_has_an_index_document() {
    let site = Site::new("").await;
    site.put("index.html", "home").await;
    site.put("guide/index.html", "guide").await;
    for (path, status) in
        [("/", 200), ("/index.html", 200), ("/guide/index.html", 200), ("/guide/", 403), ("/guide", 403)]
    {
        assert_eq!(site.get(path).await.status, status, "{path}");
    }
    let redirect = StoredHeaders { website_redirect: Some("/new".to_owned()), ..StoredHeaders::default() };
    site.account.s3().put("site", "old", "body", redirect).await.expect("put");
    let old = site.get("/old").await;
    assert_eq!((old.status, old.body.as_str()), (200, "body"), "the REST endpoint does not redirect");

    site.allow(ID, &[READ, LIST]).await;
    site.update(|config| config.default_root_object = Some(String::new())).await;
    site.invalidate("root", "/");
    let root = site.get("/").await;
    assert!(root.status == 200 && root.body.contains("<Key>guide/index.html</Key>"), "it lists the bucket");
}

#[tokio::test]
async fn a_plus_in_a_path_is_a_space() {
    let site = Site::new("").await;
    site.put("c++.html", "plus").await;
    site.put("a b.html", "space").await;
    for (path, status, body) in [
        ("/c%2B%2B.html", 200, "plus"),
        ("/c++.html", 403, ""),
        ("/a+b.html", 200, "space"),
        ("/a%20b.html", 200, "space"),
    ] {
        let seen = site.get(path).await;
        assert_eq!(seen.status, status, "{path}");
        assert!(seen.body.contains(body), "{path}");
    }
    assert_eq!(site.get("/%FF").await.status, 400);
    assert_eq!(site.get(&format!("/{}", "a".repeat(1_025))).await.status, 400);
}

const INDEX: &str = "function handler(event) {
    var request = event.request;
    if (request.uri.endsWith('/')) request.uri += 'index.html';
    if (request.uri === '/old') return { statusCode: 301, headers: { location: { value: '/new?' + Object.keys(request.querystring).length } }, body: 'moved' };
    if (request.uri === '/throw') throw new Error('no');
    if (request.uri === '/bad') request.uri = 'x';
    return request;
}";

#[tokio::test]
async fn the_cache_key_is_the_path_that_the_function_returns() {
    let site = Site::new("").await;
    site.put("index.html", "home").await;
    site.put("guide/index.html", "v1").await;
    site.functions(INDEX, "").await;
    assert_eq!(site.get("/").await.body, "home", "whether the function sees the root or its object");
    let first = site.get("/guide/").await;
    assert_eq!((first.body.as_str(), first.source()), ("v1", "Miss"));
    let same = site.get("/guide/index.html").await;
    assert_eq!((same.body.as_str(), same.source()), ("v1", "Hit"), "the same copy");
    site.put("guide/index.html", "v2").await;
    site.invalidate("viewer", "/guide/");
    assert_eq!(site.get("/guide/").await.body, "v1", "the path that the viewer sent is not the key of the cache");
    site.invalidate("rewritten", "/guide/index.html");
    assert_eq!(site.get("/guide/").await.body, "v2");
}

#[tokio::test]
async fn a_function_answers_at_once() {
    let site = Site::new("").await;
    site.functions(
        INDEX,
        "function handler(event) { event.response.headers['x-late'] = { value: '1' }; return event.response; }",
    )
    .await;
    let moved = site.get("/old?a=1&b=2").await;
    assert_eq!((moved.status, moved.header("location"), moved.body.as_str()), (301, "/new?2", "moved"));
    assert_eq!((moved.source(), moved.header("x-late")), ("FunctionGeneratedResponse", ""), "not the other function");
    assert_eq!(moved.header("content-length"), "5");
    let head =
        site.send(Request::head("/old").header("host", "example.com").body(Body::empty()).expect("a request")).await;
    assert_eq!((head.status, head.body.as_str()), (301, ""));
}

#[tokio::test]
async fn a_function_that_fails_is_a_5xx() {
    let site = Site::new("").await;
    site.put("throw", "the page").await;
    site.functions(INDEX, "").await;
    let thrown = site.get("/throw").await;
    assert_eq!((thrown.status, thrown.source()), (503, "FunctionExecutionError"));
    assert_eq!(thrown.body, "FunctionExecutionError: Error: no\n");
    let invalid = site.get("/bad").await;
    assert_eq!((invalid.status, invalid.source()), (502, "FunctionValidationError"));
    site.republish("request", "function handler(event) { return event?.request; }").await;
    assert_eq!(site.get("/throw").await.status, 503, "syntax that the real runtime does not have");
    site.republish("request", super::IDENTITY).await;
    assert_eq!(site.get("/throw").await.body, "the page", "what is published is used at once");
}

#[tokio::test]
async fn the_response_function_sees_what_the_request_function_changed() {
    let site = Site::new("").await;
    site.put("a.html", "page").await;
    let request = "function handler(event) { event.request.headers['x-mark'] = { value: event.request.uri }; event.request.uri = '/a.html'; return event.request; }";
    let response = "function handler(event) {
            var response = event.response;
            response.headers['x-seen'] = { value: event.request.uri + ' ' + (event.request.headers['x-mark'] || {}).value };
            response.headers['set-by'] = { value: 'a', multiValue: [{ value: 'a' }, { value: 'b' }] };
            response.cookies.id = { value: '1', attributes: 'Secure' };
            delete response.headers['content-type'];
            if (event.request.querystring.status) response.statusCode = 404;
            if (event.request.querystring.body) response.body = 'replaced';
            return response;
        }";
    site.functions(request, response).await;
    for source in ["Miss", "Hit"] {
        let seen = site.get("/from").await;
        assert_eq!((seen.status, seen.body.as_str(), seen.source()), (200, "page", source));
        assert_eq!(seen.header("x-seen"), "/a.html /from");
        assert_eq!(seen.header("content-type"), "", "removed");
        assert_eq!(seen.header("set-cookie"), "id=1; Secure");
        let several: Vec<_> = seen.headers.get_all("set-by").iter().collect();
        assert_eq!(several, ["a", "b"]);
        assert_eq!(seen.header("content-length"), "4");
    }
    let changed = site.get("/from?status=1").await;
    assert_eq!((changed.status, changed.body.as_str()), (404, "page"));
    assert_eq!(site.get("/from?body=1").await.body, "replaced");
    let known = site.get_with("/from", "if-none-match", site.get("/from").await.header("etag")).await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
}

const MARK: &str =
    "function handler(event) { event.response.headers['x-mark'] = { value: '1' }; return event.response; }";

#[tokio::test]
async fn the_response_function_is_not_called_for_errors_of_the_origin() {
    let site = Site::new("").await;
    site.put("404.html", "not found").await;
    site.functions("", MARK).await;
    assert_eq!(site.get("/404.html").await.header("x-mark"), "1");
    let plain = site.get("/none").await;
    assert_eq!((plain.status, plain.header("x-mark")), (403, ""));
    site.error_pages(&[(403, "/404.html", "200", 10)]).await;
    site.invalidate("all", "/*");
    for _ in 0..2 {
        let replaced = site.get("/none").await;
        assert_eq!((replaced.status, replaced.body.as_str()), (200, "not found"));
        assert_eq!(replaced.header("x-mark"), "", "the status of the origin counts");
    }
}

#[tokio::test]
async fn an_error_page_is_fetched_without_functions_and_cached_for_its_time() {
    let site = Site::new("").await;
    site.put("404.html", "v1").await;
    site.functions(
        "function handler(event) { event.request.uri = '/.r/1' + event.request.uri; return event.request; }",
        "",
    )
    .await;
    site.error_pages(&[(403, "/404.html", "404", 60), (404, "/404.html", "404", 60)]).await;
    let first = site.get("/none").await;
    assert_eq!((first.status, first.body.as_str(), first.source()), (404, "v1", "Error"));
    assert_eq!(first.header("content-type"), "text/html");

    site.put(".r/1/none", "here").await;
    let clock = site.account.iam().clock().clone();
    clock.advance(std::time::Duration::from_secs(50));
    assert_eq!(site.get("/none").await.status, 404, "cached for 60 seconds");
    clock.advance(std::time::Duration::from_secs(11));
    assert_eq!(site.get("/none").await.body, "here");

    site.put("404.html", "v2").await;
    assert_eq!(site.get("/other").await.body, "v1", "the page has a copy of its own");
    site.invalidate("page", "/404.html");
    assert_eq!(site.get("/another").await.body, "v2");
    site.delete("404.html").await;
    site.invalidate("gone", "/404.html");
    assert_eq!(site.get("/third").await.status, 403, "the origin's answer for the page");
}

#[tokio::test]
async fn the_headers_policy_applies_to_every_response() {
    let site = Site::new("").await;
    site.put("a.html", "a").await;
    site.functions(INDEX, "").await;
    let header = |name: &str, overrides: bool| {
        let header = ResponseHeadersPolicyCustomHeader::builder().header(name).value("policy").r#override(overrides);
        header.build().expect("a header")
    };
    let custom = ResponseHeadersPolicyCustomHeadersConfig::builder()
        .quantity(3)
        .items(header("x-policy", true))
        .items(header("content-type", false))
        .items(header("cache-control", true))
        .build()
        .expect("headers");
    let policy =
        ResponseHeadersPolicyConfig::builder().name("p").custom_headers_config(custom).build().expect("a policy");
    assert_eq!(site.get("/a.html").await.header("x-policy"), "");
    site.attach(policy).await;
    for (path, source) in [
        ("/a.html", "Hit"),
        ("/none", "Miss"),
        ("/old", "FunctionGeneratedResponse"),
        ("/throw", "FunctionExecutionError"),
    ] {
        let seen = site.get(path).await;
        assert_eq!((seen.header("x-policy"), seen.source()), ("policy", source), "{path}");
    }
    let page = site.get("/a.html").await;
    assert_eq!((page.header("content-type"), page.header("cache-control")), ("text/html", "policy"));
}

#[tokio::test]
async fn what_the_preview_cannot_serve_is_an_error() {
    let site = Site::new("").await;
    site.put("a.html", "a").await;
    site.update(|config| config.enabled = false).await;
    let seen = site.get("/a.html").await;
    let expected = "the preview does not support `Enabled` of the distribution's configuration\n";
    assert_eq!((seen.status, seen.body.as_str()), (502, expected));
}
