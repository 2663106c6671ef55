//! A site as viewers see it, for tests.

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::primitives::Blob;
use aws_sdk_cloudfront::types::{
    CustomErrorResponse, CustomErrorResponses, DistributionConfig, EventType, ResponseHeadersPolicyConfig,
};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use tidegate_emulator::LocalAws;
use tidegate_emulator::cloudfront::{InvalidationBatch, InvalidationDelay, S3Origin};
use tidegate_emulator::preview;
use tidegate_emulator::s3::{StoredHeaders, WriteCondition};
use tower::ServiceExt as _;

use super::{ID, config, function_config, published, with_functions};

/// A private bucket behind a distribution, and the edge that serves it.
pub(super) struct Site {
    pub(super) account: LocalAws,
    pub(super) client: Client,
    router: Router,
}

/// A viewer's response.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub(super) fn source(&self) -> &str {
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

pub(super) const READ: (&str, &str) = ("s3:GetObject", "arn:aws:s3:::site/*");
pub(super) const LIST: (&str, &str) = ("s3:ListBucket", "arn:aws:s3:::site");

impl Site {
    /// A site whose bucket the distribution may read.
    pub(super) async fn new(origin_path: &str) -> Self {
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

    pub(super) async fn allow(&self, distribution: &str, grants: &[(&str, &str)]) {
        self.account.s3().set_policy("site", Some(policy(distribution, grants))).await.expect("a policy");
    }

    pub(super) async fn put(&self, key: &str, body: &str) {
        let headers = StoredHeaders { content_type: Some("text/html".to_owned()), ..StoredHeaders::default() };
        self.account.s3().put("site", key, body.to_owned(), headers).await.expect("put");
    }

    pub(super) async fn delete(&self, key: &str) {
        self.account.s3().delete("site", key, WriteCondition::default()).await.expect("deleted");
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Seen {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Seen { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(super) async fn get(&self, path: &str) -> Seen {
        self.send(Request::get(path).header("host", "example.com").body(Body::empty()).expect("a request")).await
    }

    pub(super) async fn get_with(&self, path: &str, name: &str, value: &str) -> Seen {
        let request = Request::get(path).header("host", "example.com").header(name, value);
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Attaches a response headers policy.
    pub(super) async fn attach(&self, policy: ResponseHeadersPolicyConfig) {
        let request = self.client.create_response_headers_policy().response_headers_policy_config(policy);
        let id = request.send().await.expect("a policy").response_headers_policy.expect("a policy").id;
        self.update(|config| {
            if let Some(behavior) = &mut config.default_cache_behavior {
                behavior.response_headers_policy_id = Some(id);
            }
        })
        .await;
    }

    pub(super) async fn update(&self, change: impl FnOnce(&mut DistributionConfig)) {
        let (mut known, version) = config(&self.client).await;
        change(&mut known);
        let update = self.client.update_distribution().id(ID).if_match(version).distribution_config(known);
        update.send().await.expect("updated");
    }

    /// Publishes functions and associates them; an empty text means none.
    pub(super) async fn functions(&self, request: &str, response: &str) {
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

    pub(super) async fn republish(&self, name: &str, code: &str) {
        let etag = self.client.describe_function().name(name).send().await.expect("a function").e_tag;
        let update = self.client.update_function().name(name).if_match(etag.expect("an ETag"));
        let updated = update.function_config(function_config(&[])).function_code(Blob::new(code)).send().await;
        let etag = updated.expect("updated").e_tag.expect("an ETag");
        self.client.publish_function().name(name).if_match(etag).send().await.expect("published");
    }

    pub(super) async fn error_pages(&self, pages: &[(i32, &str, &str, i64)]) {
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

    pub(super) fn invalidate(&self, reference: &str, path: &str) {
        let batch =
            InvalidationBatch { caller_reference: reference.to_owned(), quantity: 1, paths: vec![path.to_owned()] };
        let started = self.account.cloudfront().create_invalidation(ID, &batch).expect("an invalidation");
        assert!(!self.account.cloudfront().poll_invalidation(ID, &started.id).expect("polled").in_progress());
    }
}
