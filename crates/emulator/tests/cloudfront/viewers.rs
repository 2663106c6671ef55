//! What viewers get from a distribution with the REST endpoint of a private bucket, functions, custom error responses and
//! a response headers policy. The rules are those of the CloudFront Developer Guide.

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{
    CustomErrorResponse, CustomErrorResponses, DistributionConfig, EventType, ResponseHeadersPolicyConfig,
    ResponseHeadersPolicyCustomHeader, ResponseHeadersPolicyCustomHeadersConfig,
};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use pretty_assertions::assert_eq;
use tidegate_emulator::LocalAws;
use tidegate_emulator::cloudfront::{InvalidationBatch, InvalidationDelay, S3Origin};
use tidegate_emulator::preview;
use tidegate_emulator::s3::{StoredHeaders, WriteCondition};
use tower::ServiceExt as _;

use super::{ID, config, function_config, published, with_functions};

struct Site {
    account: LocalAws,
    client: Client,
    router: Router,
}

/// A viewer's response.
#[derive(Debug)]
struct Seen {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn source(&self) -> &str {
        self.header("x-cache").trim_end_matches(" from tidegate")
    }
}

/// A bucket policy that allows CloudFront these actions on these resources for a distribution.
fn policy(distribution: &str, grants: &[(&str, &str)]) -> String {
    let statements: Vec<String> = grants
        .iter()
        .map(|(action, resource)| {
            format!(
                r#"{{"Effect":"Allow","Principal":{{"Service":"cloudfront.amazonaws.com"}},"Action":"{action}","Resource":"{resource}","Condition":{{"StringEquals":{{"AWS:SourceArn":"arn:aws:cloudfront::000000000000:distribution/{distribution}"}}}}}}"#
            )
        })
        .collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

const READ: (&str, &str) = ("s3:GetObject", "arn:aws:s3:::site/*");
const LIST: (&str, &str) = ("s3:ListBucket", "arn:aws:s3:::site");

impl Site {
    /// A site whose bucket the distribution may read.
    async fn new(origin_path: &str) -> Self {
        let account = LocalAws::in_memory().expect("an account");
        account.s3().create_bucket("site").await.expect("a bucket");
        let origin = S3Origin { bucket: "site".to_owned(), path: origin_path.to_owned() };
        account.cloudfront().create_private_distribution(ID, origin, Some("index.html")).expect("a distribution");
        account.cloudfront().set_completion(InvalidationDelay::AfterPolls(0));
        let client = super::client(&account, account.root_credentials());
        let router = preview::router(account.cloudfront(), account.s3(), ID).expect("a router");
        let site = Self { account, client, router };
        site.allow(ID, &[READ]).await;
        site
    }

    async fn allow(&self, distribution: &str, grants: &[(&str, &str)]) {
        self.account.s3().set_policy("site", Some(policy(distribution, grants))).await.expect("a policy");
    }

    async fn put(&self, key: &str, body: &str) {
        let headers = StoredHeaders { content_type: Some("text/html".to_owned()), ..StoredHeaders::default() };
        self.account.s3().put("site", key, body.to_owned(), headers).await.expect("put");
    }

    async fn delete(&self, key: &str) {
        self.account.s3().delete("site", key, WriteCondition::default()).await.expect("deleted");
    }

    async fn send(&self, request: Request<Body>) -> Seen {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Seen { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Seen {
        self.send(Request::get(path).header("host", "example.com").body(Body::empty()).expect("a request")).await
    }

    async fn get_with(&self, path: &str, name: &str, value: &str) -> Seen {
        let request = Request::get(path).header("host", "example.com").header(name, value);
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    async fn update(&self, change: impl FnOnce(&mut DistributionConfig)) {
        let (mut known, version) = config(&self.client).await;
        change(&mut known);
        let update = self.client.update_distribution().id(ID).if_match(version).distribution_config(known);
        update.send().await.expect("updated");
    }

    /// Publishes functions and associates them; an empty text means none.
    async fn functions(&self, request: &str, response: &str) {
        let mut associations = Vec::new();
        for (event, name, code) in
            [(EventType::ViewerRequest, "request", request), (EventType::ViewerResponse, "response", response)]
        {
            if !code.is_empty() {
                associations.push((event, published(&self.client, name, code).await));
            }
        }
        let associations: Vec<_> = associations.iter().map(|(event, arn)| (event.clone(), arn.as_str())).collect();
        self.update(|config| *config = with_functions(config.clone(), &associations)).await;
    }

    async fn republish(&self, name: &str, code: &str) {
        let etag = self.client.describe_function().name(name).send().await.expect("a function").e_tag;
        let update = self.client.update_function().name(name).if_match(etag.expect("an ETag"));
        let updated = update.function_config(function_config(&[])).function_code(Blob::new(code)).send().await;
        let etag = updated.expect("updated").e_tag.expect("an ETag");
        self.client.publish_function().name(name).if_match(etag).send().await.expect("published");
    }

    async fn error_pages(&self, pages: &[(i32, &str, &str, i64)]) {
        let items = pages.iter().map(|(code, page, status, seconds)| {
            CustomErrorResponse::builder()
                .error_code(*code)
                .response_page_path(*page)
                .response_code(*status)
                .error_caching_min_ttl(*seconds)
                .build()
                .expect("a response")
        });
        let quantity = i32::try_from(pages.len()).expect("a small number");
        let responses = CustomErrorResponses::builder().quantity(quantity).set_items(Some(items.collect()));
        let responses = responses.build().expect("responses");
        self.update(|config| config.custom_error_responses = Some(responses)).await;
    }

    fn invalidate(&self, reference: &str, path: &str) {
        let batch =
            InvalidationBatch { caller_reference: reference.to_owned(), quantity: 1, paths: vec![path.to_owned()] };
        let started = self.account.cloudfront().create_invalidation(ID, &batch).expect("an invalidation");
        assert!(!self.account.cloudfront().poll_invalidation(ID, &started.id).expect("polled").in_progress());
    }
}

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
    let created = site.client.create_response_headers_policy().response_headers_policy_config(policy).send().await;
    let id = created.expect("a policy").response_headers_policy.expect("a policy").id;
    assert_eq!(site.get("/a.html").await.header("x-policy"), "");
    site.update(|config| {
        if let Some(behavior) = &mut config.default_cache_behavior {
            behavior.response_headers_policy_id = Some(id);
        }
    })
    .await;
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
