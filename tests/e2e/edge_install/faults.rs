//! Requests that fail while an edge is installed or removed. Visitors are served all the time.

use aws_sdk_s3::primitives::ByteStream;
use axum::Router;
use axum::body::Body;
use http::Request;
use tidegate_emulator::preview;
use tower::ServiceExt as _;

use super::*;

/// Who may read the bucket: the distribution.
const READERS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::site/*","Condition":{"StringEquals":{"AWS:SourceArn":"arn:aws:cloudfront::000000000000:distribution/E2EXAMPLE"}}}]}"#;

/// The distribution as visitors see it.
pub(super) struct Visitors(Router);

impl Visitors {
    pub(super) async fn of(world: &World) -> Self {
        let client = world.client();
        for key in ["index.html", "404.html", "guide/index.html"] {
            let body = ByteStream::from_static(key.as_bytes());
            client.put_object().bucket("site").key(key).body(body).send().await.unwrap();
        }
        client.put_bucket_policy().bucket("site").policy(READERS).send().await.unwrap();
        Self(preview::router(world.account.cloudfront(), world.account.s3(), DISTRIBUTION).unwrap())
    }

    /// Status and text.
    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        let request = Request::builder().uri(path).header("host", "docs.example.com").body(Body::empty()).unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.0
    }

    /// Pages are there all the time, index documents of folders and the error page as long as the edge is installed.
    async fn assert_served(&self, world: &World) {
        let behavior = config(world).await.default_cache_behavior.unwrap();
        let is_installed = behavior.function_associations.is_some_and(|functions| functions.quantity() > 0);
        let statuses = (
            self.status("/").await,
            self.status("/guide/index.html").await,
            self.status("/guide/").await,
            self.status("/none").await,
        );
        let expected = if is_installed { (200, 200, 200, 404) } else { (200, 200, 403, 403) };
        assert_eq!(statuses, expected, "installed: {is_installed}");
    }
}

#[tokio::test]
async fn every_request_may_be_refused_once() {
    each_request(InjectedFault::Refuse).await;
}

#[tokio::test]
async fn every_response_may_be_lost_once() {
    each_request(InjectedFault::Lose).await;
}

#[tokio::test]
async fn every_request_may_fail_once() {
    each_request(InjectedFault::answer(503, "ServiceUnavailable")).await;
}

/// One request of an installation and of a removal fails or is lost: the function is complete wherever a distribution runs
/// it, and the same command completes the rest.
async fn each_request(fault: InjectedFault) {
    let mut number = 1;
    loop {
        let world = world().await;
        let visitors = Visitors::of(&world).await;
        visitors.assert_served(&world).await;
        let seen = Arc::new(AtomicUsize::new(0));
        let (counter, broken) = (Arc::clone(&seen), fault.clone());
        let faults =
            impatient(&world, move || (counter.fetch_add(1, Ordering::Relaxed) + 1 == number).then(|| broken.clone()));
        // Two tests of the function are as good as all of them here.
        let mut spec = spec_of(&docs());
        spec.probes.truncate(2);
        let (through, calm) = (installer_with(&world, spec.clone(), &faults), installer(&world, spec));
        if run_install(&through, InstallMode::Keep).await.is_err() {
            assert_safe(&world, &calm).await;
            visitors.assert_served(&world).await;
            let again = run_install(&through, InstallMode::Keep).await;
            again.unwrap_or_else(|error| panic!("{fault:?} at request {number}: {error}"));
        }
        assert_safe(&world, &calm).await;
        visitors.assert_served(&world).await;
        assert_eq!(wrong(&calm).await.len(), 1, "{fault:?} at request {number}");
        if run_remove(&through).await.is_err() {
            assert_safe(&world, &calm).await;
            visitors.assert_served(&world).await;
            run_remove(&through).await.unwrap_or_else(|error| panic!("{fault:?} at request {number}: {error}"));
        }
        visitors.assert_served(&world).await;
        let found = calm.read(StoreReading::Pointer).await.unwrap();
        assert!(found.store.is_none() && found.development.is_none() && found.headers_policy.is_none());
        let invalidations = world.account.cloudfront().invalidations(DISTRIBUTION).unwrap();
        assert!(!invalidations.is_empty(), "{fault:?} at request {number}");
        if seen.load(Ordering::Relaxed) < number {
            break;
        }
        number += 1;
    }
    assert!(number > 40, "{number} requests");
}
