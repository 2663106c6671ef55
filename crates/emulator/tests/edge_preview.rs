//! The preview as a visitor sees it, without sockets: what is cached, for how long, and what an invalidation clears.
//! The rules of the cache are CloudFront's; those of pages and redirects are the S3 website endpoint's.

#![expect(clippy::expect_used, reason = "clippy treats test helpers without a test attribute as product code")]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use pretty_assertions::assert_eq;
use tidegate_emulator::LocalAws;
use tidegate_emulator::cloudfront::{InvalidationBatch, InvalidationDelay, S3Origin};
use tidegate_emulator::preview;
use tidegate_emulator::s3::{StoredHeaders, WriteCondition};
use tower::ServiceExt as _;

const ID: &str = "E2EXAMPLE";

struct Site {
    account: LocalAws,
    router: Router,
}

/// A visitor's response.
struct VisitorResponse {
    status: u16,
    body: String,
    response: Response<()>,
}

impl VisitorResponse {
    fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map(|value| value.to_str().expect("text")).unwrap_or_default()
    }

    /// `Hit`, `Miss` or `RefreshHit`.
    fn cache(&self) -> &str {
        self.header("x-cache").strip_suffix(" from tidegate").expect("an x-cache header")
    }
}

impl Site {
    async fn new(origin_path: &str) -> Self {
        let account = LocalAws::in_memory().expect("an account");
        account.s3().create_bucket("site").await.expect("a bucket");
        let origin = S3Origin { bucket: "site".to_owned(), path: origin_path.to_owned() };
        account.cloudfront().create_distribution(ID, origin, Some("index.html")).expect("a distribution");
        account.cloudfront().set_completion(InvalidationDelay::AfterPolls(0));
        let router = preview::router(account.cloudfront(), account.s3(), ID).expect("a router");
        Self { account, router }
    }

    async fn put(&self, key: &str, body: &'static str) {
        self.put_with(
            key,
            body,
            StoredHeaders { content_type: Some("text/html".to_owned()), ..StoredHeaders::default() },
        )
        .await;
    }

    async fn put_with(&self, key: &str, body: &'static str, headers: StoredHeaders) {
        self.account.s3().put("site", key, body, headers).await.expect("put");
    }

    async fn delete(&self, key: &str) {
        self.account.s3().delete("site", key, WriteCondition::default()).await.expect("deleted");
    }

    async fn send(&self, request: Request<Body>) -> VisitorResponse {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let status = parts.status.as_u16();
        VisitorResponse {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
            response: Response::from_parts(parts, ()),
        }
    }

    async fn get(&self, path: &str) -> VisitorResponse {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    async fn get_with(&self, path: &str, name: &str, value: &str) -> VisitorResponse {
        self.send(Request::get(path).header(name, value).body(Body::empty()).expect("a request")).await
    }

    /// Starts an invalidation, and completes it if `complete`.
    fn invalidate(&self, reference: &str, paths: &[&str], complete: bool) {
        let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
        let quantity = i64::try_from(paths.len()).expect("a small number");
        let batch = InvalidationBatch { caller_reference: reference.to_owned(), quantity, paths };
        let started = self.account.cloudfront().create_invalidation(ID, &batch).expect("an invalidation");
        if complete {
            let polled = self.account.cloudfront().poll_invalidation(ID, &started.id).expect("an invalidation");
            assert!(!polled.in_progress());
        }
    }
}

#[tokio::test]
async fn a_missing_invalidation_shows() {
    let site = Site::new("").await;
    site.put("index.html", "v1").await;
    let first = site.get("/").await;
    assert_eq!((first.status, first.body.as_str(), first.cache()), (200, "v1", "Miss"));
    assert_eq!(first.header("content-type"), "text/html");

    site.put("index.html", "v2").await;
    let stale = site.get("/").await;
    assert_eq!((stale.body.as_str(), stale.cache()), ("v1", "Hit"), "the visitor still sees the old page");

    site.invalidate("wrong", &["/other"], true);
    assert_eq!(site.get("/").await.body, "v1", "another path clears nothing");
    site.invalidate("pending", &["/"], false);
    assert_eq!(site.get("/").await.body, "v1", "an invalidation in progress clears nothing");
    site.invalidate("done", &["/*"], true);
    let fresh = site.get("/").await;
    assert_eq!((fresh.body.as_str(), fresh.cache()), ("v2", "Miss"));
    assert_eq!(site.get("/").await.cache(), "Hit", "an invalidation clears once");
}

#[tokio::test]
async fn a_cache_tag_clears_answers_that_carried_it() {
    let site = Site::new("").await;
    site.account.cloudfront().set_cache_tags(ID, Some("x-amz-meta-cache-tag")).expect("set");
    let tagged = |tags: &str| StoredHeaders {
        metadata: std::iter::once(("cache-tag".to_owned(), tags.to_owned())).collect(),
        ..StoredHeaders::default()
    };
    for (body, tags) in [("v1", "News, x"), ("v2", "y")] {
        site.put_with("a.html", body, tagged(tags)).await;
        site.put_with("b.html", body, tagged("y")).await;
        assert_eq!(site.get("/a.html").await.body, "v1", "the cached copy stays");
        assert_eq!(site.get("/b.html").await.body, "v1");
    }
    site.invalidate("new", &["#new"], true);
    assert_eq!(site.get("/a.html").await.cache(), "Hit", "a prefix of a tag does not match");
    // The copy keeps the tags of its answer, not those that the object has now.
    site.invalidate("news", &["#NEWS"], true);
    assert_eq!(site.get("/a.html").await.body, "v2");
    assert_eq!(site.get("/b.html").await.body, "v1");
    site.invalidate("y", &["#y"], true);
    assert_eq!(site.get("/b.html").await.body, "v2");
}

#[tokio::test]
async fn caches_each_path_of_a_page_separately() {
    let site = Site::new("").await;
    site.put("dev/index.html", "v1").await;
    assert_eq!(site.get("/dev").await.status, 302);
    assert_eq!(site.get("/dev/").await.body, "v1");
    assert_eq!(site.get("/dev/index.html").await.body, "v1");
    site.put("dev/index.html", "v2").await;
    site.invalidate("file", &["/dev/index.html"], true);
    assert_eq!(site.get("/dev/index.html").await.body, "v2");
    assert_eq!(site.get("/dev/").await.body, "v1", "its other path was not invalidated");
    site.invalidate("folder", &["/dev/"], true);
    assert_eq!(site.get("/dev/").await.body, "v2");
}

#[tokio::test]
async fn caches_deleted_pages_and_redirects() {
    let site = Site::new("").await;
    site.put("a.html", "a").await;
    let redirect =
        |target: &str| StoredHeaders { website_redirect: Some(target.to_owned()), ..StoredHeaders::default() };
    site.put_with("old", "", redirect("/a.html")).await;
    assert_eq!(site.get("/a.html").await.status, 200);
    let moved = site.get("/old").await;
    assert_eq!((moved.status, moved.header("location")), (301, "/a.html"));
    site.delete("a.html").await;
    site.put_with("old", "", redirect("https://example.com/b")).await;
    assert_eq!(site.get("/a.html").await.body, "a");
    assert_eq!(site.get("/old").await.header("location"), "/a.html");
    site.invalidate("both", &["/a.html", "/old"], true);
    assert_eq!(site.get("/a.html").await.status, 404);
    assert_eq!(site.get("/old").await.header("location"), "https://example.com/b");
}

#[tokio::test]
async fn caches_a_copy_for_as_long_as_its_headers_say() {
    let site = Site::new("").await;
    let cached = |value: &str| StoredHeaders { cache_control: Some(value.to_owned()), ..StoredHeaders::default() };
    let clock = site.account.iam().clock().clone();
    site.put_with("minute", "v1", cached("max-age=60")).await;
    site.put("day", "v1").await;
    for path in ["/minute", "/day"] {
        assert_eq!(site.get(path).await.cache(), "Miss");
    }
    clock.advance(Duration::from_secs(30));
    let cached_answer = site.get("/minute").await;
    assert_eq!(cached_answer.cache(), "Hit");
    let age: u64 = cached_answer.header("age").parse().expect("a number");
    assert!((30..60).contains(&age), "{age}");

    clock.advance(Duration::from_secs(40));
    let same = site.get("/minute").await;
    assert_eq!((same.cache(), same.body.as_str()), ("RefreshHit", "v1"), "the origin reports no change");
    assert_eq!(same.header("age"), "");
    clock.advance(Duration::from_secs(70));
    site.put_with("minute", "v2", cached("max-age=60")).await;
    let changed = site.get("/minute").await;
    assert_eq!((changed.cache(), changed.body.as_str()), ("Miss", "v2"));

    site.put("day", "v2").await;
    clock.advance(Duration::from_secs(23 * 3_600));
    assert_eq!(site.get("/day").await.body, "v1", "within 24 hours");
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(site.get("/day").await.body, "v2");

    for value in ["no-store", "no-cache", "private, max-age=60"] {
        site.put_with("never", "v1", cached(value)).await;
        assert_eq!(site.get("/never").await.cache(), "Miss", "{value}");
        site.put_with("never", "v2", cached(value)).await;
        let again = site.get("/never").await;
        assert_eq!((again.cache(), again.body.as_str()), ("Miss", "v2"), "{value}");
    }
    site.put_with("zero", "v1", cached("max-age=0")).await;
    assert_eq!(site.get("/zero").await.cache(), "Miss");
    assert_eq!(site.get("/zero").await.cache(), "RefreshHit");
    site.put_with("zero", "v2", cached("max-age=0")).await;
    assert_eq!(site.get("/zero").await.body, "v2");
}

#[tokio::test]
async fn caches_missing_pages_for_ten_seconds() {
    let site = Site::new("").await;
    assert_eq!(site.get("/new").await.status, 404);
    site.put("new", "here").await;
    assert_eq!(site.get("/new").await.status, 404);
    site.account.iam().clock().advance(Duration::from_secs(11));
    assert_eq!(site.get("/new").await.body, "here");

    site.put("404.html", "not here").await;
    let missing = site.get("/gone").await;
    assert_eq!((missing.status, missing.body.as_str()), (404, "not here"));
    assert_eq!(missing.header("content-type"), "text/html");
}

#[tokio::test]
async fn serves_the_index_document_of_a_folder() {
    let site = Site::new("/live/1").await;
    site.put("live/1/index.html", "home").await;
    site.put("live/1/a/index.html", "a").await;
    site.put("live/1/a b/é.html", "odd").await;
    site.put("live/1/c++.html", "c++").await;
    site.put("live/10/index.html", "another release").await;
    for (path, status, body) in [
        ("/", 200, "home"),
        ("/index.html", 200, "home"),
        ("/a/", 200, "a"),
        ("/a%20b/%C3%A9.html", 200, "odd"),
        ("/a+b/%C3%A9.html", 200, "odd"),
        ("/c%2B%2B.html", 200, "c++"),
        ("/c++.html", 404, "<!doctype html><title>404 Not Found</title><h1>404 Not Found</h1>\n"),
        ("/a?x=1", 302, ""),
        ("/b/", 404, "<!doctype html><title>404 Not Found</title><h1>404 Not Found</h1>\n"),
    ] {
        let response = site.get(path).await;
        assert_eq!((response.status, response.body.as_str()), (status, body), "{path}");
    }
    assert_eq!(site.get("/a").await.header("location"), "/a/");
    assert_eq!(site.get("/%FF").await.status, 404, "keys are UTF-8");
    assert_eq!(site.get(&format!("/{}", "a".repeat(2_000))).await.status, 404, "longer than any key");
}

#[tokio::test]
async fn sends_the_headers_of_the_object() {
    let site = Site::new("").await;
    let headers = StoredHeaders {
        content_type: Some("text/css; charset=utf-8".to_owned()),
        cache_control: Some("public, max-age=31536000, immutable".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        content_language: Some("de".to_owned()),
        content_disposition: Some("inline".to_owned()),
        metadata: [("release".to_owned(), "7".to_owned())].into(),
        ..StoredHeaders::default()
    };
    site.put_with("a.css", "0123456789", headers).await;
    let response = site.get("/a.css").await;
    for (name, value) in [
        ("content-type", "text/css; charset=utf-8"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("content-encoding", "gzip"),
        ("content-language", "de"),
        ("content-disposition", "inline"),
        ("x-amz-meta-release", "7"),
        ("content-length", "10"),
        ("etag", "\"781e5e245d69b566979b86e28d23f2c7\""),
    ] {
        assert_eq!(response.header(name), value, "{name}");
    }
    assert!(response.header("last-modified").ends_with(" GMT"));

    let head = site.send(Request::head("/a.css").body(Body::empty()).expect("a request")).await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (200, "", "10"));
    let known = site.get_with("/a.css", "if-none-match", response.header("etag")).await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    assert_eq!(known.header("etag"), response.header("etag"));
    let part = site.get_with("/a.css", "range", "bytes=2-4").await;
    assert_eq!((part.status, part.body.as_str()), (206, "234"));
    assert_eq!(part.header("content-range"), "bytes 2-4/10");
    let beyond = site.get_with("/a.css", "range", "bytes=10-").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */10"));
    let post = site.send(Request::post("/a.css").body(Body::empty()).expect("a request")).await;
    assert_eq!((post.status, post.cache()), (403, "Error"), "the behavior does not allow it");
}

#[tokio::test]
async fn reads_objects_too_large_to_cache_from_the_bucket_every_time() {
    let site = Site::new("").await;
    let body: Vec<u8> = (0..(16 << 20) + 1).map(|number: u32| number.to_le_bytes()[0]).collect();
    let length = body.len();
    site.account.s3().put("site", "film", body, StoredHeaders::default()).await.expect("put");
    for _ in 0..2 {
        let response = site.router.clone().oneshot(Request::get("/film").body(Body::empty()).expect("a request")).await;
        let response = response.expect("an answer");
        assert_eq!(response.headers()["x-cache"], "Miss from tidegate");
        assert_eq!(response.into_body().collect().await.expect("a body").to_bytes().len(), length);
    }
    let part = site.get_with("/film", "range", &format!("bytes={}-", length - 2)).await;
    assert_eq!((part.status, part.header("content-length")), (206, "2"));
    assert_eq!(part.body.len(), "\u{fffd}\u{0}".len());
}

#[tokio::test]
async fn answers_bad_gateway_without_the_bucket() {
    let account = LocalAws::in_memory().expect("an account");
    let origin = S3Origin { bucket: "missing".to_owned(), path: String::new() };
    account.cloudfront().create_distribution(ID, origin, None).expect("a distribution");
    let router = preview::router(account.cloudfront(), account.s3(), ID).expect("a router");
    let response = router.oneshot(Request::get("/").body(Body::empty()).expect("a request")).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(preview::router(account.cloudfront(), account.s3(), "E0NONE").is_err());
}
