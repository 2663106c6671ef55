//! `x-amz-expected-bucket-owner`: every S3 request carries it, and a bucket of another account is refused.

use tidegate_core::location::Bucket;
use tidegate_core::report::Outcome;
use tidegate_emulator::iam::ACCOUNT_ID;
use tidegate_iam::apply::Provisioner;
use tidegate_tests::recorder::SignedRequest;
use tidegate_tests::{SourceObject, Sources, World};

/// A site whose buckets have these owners: of the site, of builds and of the state.
fn configuration(owner: &str, builds: &str, state: &str) -> String {
    format!(
        "state = \"s3://state/\"\nstate-owner = \"{state}\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://site/\"\n\
         staged = \"s3://staging/source/\"\nowner = \"{owner}\"\nbuilds-owner = \"{builds}\"\n\
         keep = {{ releases = 2, days = 0 }}\n"
    )
}

fn has(request: &SignedRequest, header: &str) -> bool {
    request.text.to_lowercase().contains(header)
}

#[tokio::test]
async fn every_request_of_a_release_expects_the_owner_of_its_bucket() {
    let world = World::new().await;
    world.account.s3().create_bucket("state").await.unwrap();
    let text = configuration(ACCOUNT_ID, ACCOUNT_ID, ACCOUNT_ID);
    let files = |text: &str| {
        Sources::prefix([SourceObject::text("index.html", text), SourceObject::text(&format!("{text}.js"), text)])
    };
    for release in ["1", "2", "3"] {
        let mut publish = world.publish(&text, &files(release)).await;
        publish.request.release = release.into();
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "{report}");
    }
    let mut rollback = world.publish(&text, &files("3")).await;
    rollback.request.source = "release:r2".parse().unwrap();
    assert_eq!(rollback.run().await.outcome, Outcome::Live);
    let requests = world.recorder.requests();
    assert!(requests.len() > 50, "{}", requests.len());
    let (mut seen, mut copies) = (std::collections::BTreeSet::new(), 0);
    for request in &requests {
        assert!(has(request, "x-amz-expected-bucket-owner"), "{} {}", request.method, request.uri);
        let bucket = request.uri.split("://").last().unwrap().split('/').nth(1).unwrap();
        seen.insert(bucket.split('?').next().unwrap().to_owned());
        if has(request, "x-amz-copy-source") {
            copies += 1;
            assert!(has(request, "x-amz-source-expected-bucket-owner"), "{} {}", request.method, request.uri);
        }
    }
    assert!(copies > 5, "{copies}");
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), ["site", "staging", "state"]);
}

#[tokio::test]
async fn a_bucket_of_another_account_is_refused() {
    let other = "111111111111";
    for (owner, builds, state) in
        [(other, ACCOUNT_ID, ACCOUNT_ID), (ACCOUNT_ID, other, ACCOUNT_ID), (ACCOUNT_ID, ACCOUNT_ID, other)]
    {
        let world = World::new().await;
        world.account.s3().create_bucket("state").await.unwrap();
        let files = Sources::prefix([SourceObject::text("index.html", "new")]);
        let publish = world.publish(&configuration(owner, builds, state), &files).await;
        let error = publish.publish().await.unwrap_err().to_string();
        assert!(error.contains("AccessDenied"), "{error}");
        assert!(world.site().await.keys().is_empty());
    }
}

#[tokio::test]
async fn the_buckets_of_an_account_are_recognized() {
    let world = World::new().await;
    let buckets = ["site", "staging", "missing"].map(|name| Bucket::new(name).unwrap());
    let client = Provisioner::new(&world.publisher().connection).buckets().clone();
    for (account, owned) in [(ACCOUNT_ID, &["site", "staging"][..]), ("111111111111", &[])] {
        let account = account.to_owned().try_into().unwrap();
        let found = client.owned_by(&buckets.clone().into(), &account).await.unwrap();
        assert_eq!(found.iter().map(Bucket::as_str).collect::<Vec<_>>(), owned);
    }
}
