//! Documents of the state that are larger than what is read whole. Plans and manifests are streamed; others are not
//! written if they could not be read.

use tidegate_core::key::StoredKey;
use tidegate_core::plan::{Action, ChangeReason, HeaderDifference, Operation, Plan};
use tidegate_core::report::Outcome;
use tidegate_publish::StateError;

use super::*;

const KEEP: &str = "{ releases = 5, days = 0 }";
const ONE: Files<'_> = &[("index.html", "one"), ("a.css", "1")];
const TWO: Files<'_> = &[("index.html", "two"), ("a.css", "2")];

/// Bytes of the largest document that is read whole (64 MiB).
const DOCUMENT: usize = 64 * 1024 * 1024;

/// A plan with many long operations, whose text cannot be compressed much.
fn large(mut plan: Plan) -> Plan {
    let mut random = fastrand::Rng::with_seed(7);
    let text: String = std::iter::repeat_with(|| random.alphanumeric()).take(1024 * 1024).collect();
    let mut value = || {
        let start = random.usize(..text.len() - 2_000);
        text.get(start..start + 2_000).map(str::to_owned)
    };
    plan.operations.extend((0..5_500).map(|number| {
        let mut difference =
            |header: usize| HeaderDifference { name: format!("x-{header}"), has: value(), wants: value() };
        let action = Action::Headers {
            headers: tidegate_core::headers::ObjectHeaders::default(),
            size: 1,
            etag: tidegate_core::identity::ETag::new("e"),
            identity: tidegate_core::identity::PackedIdentity::default(),
            attributes: Box::default(),
            differences: (0..4).map(&mut difference).collect(),
        };
        Operation { key: StoredKey::new(&format!("z{number:05}")), reason: ChangeReason::HeadersDiffer, action }
    }));
    plan
}

/// A world with one release, and the publish of the next one.
async fn set_up() -> (World, Publish) {
    let world = world().await;
    assert_eq!(publish_of(&world, KEEP, "c1", ONE).await.publish().await.unwrap().outcome, Outcome::Live);
    let publish = publish_of(&world, KEEP, "c2", TWO).await;
    (world, publish)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn continues_after_a_run_whose_plan_is_larger_than_what_is_read_whole() {
    let (world, publish) = set_up().await;
    let store = publish.publisher.state(&publish.site).unwrap();
    let plan = large(publish.plan().await.unwrap().plan);
    let id = "r2".parse().unwrap();
    store.put_plan(id, &plan).await.unwrap();
    let size = stored(&world.account, &format!("releases/{}.plan.gz", id.stem())).await.unwrap().len();
    assert!(size > DOCUMENT, "only {size} bytes");
    drop(plan);
    let status = publish.publisher.status(&publish.site).await.unwrap();
    assert_eq!(status.unfinished, [id]);
    assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
    assert_tidy(&world.account).await;
    let paths = invalidated_paths(&world.account).pop().unwrap();
    assert!(paths.iter().any(|path| path.starts_with("/z") || path == "/*"), "{paths:?}");
    assert_eq!(visible(&world.account).await, texts_of(TWO));
}

#[tokio::test]
async fn names_a_truncated_plan() {
    let (world, publish) = set_up().await;
    let store = publish.publisher.state(&publish.site).unwrap();
    let id = "r2".parse().unwrap();
    store.put_plan(id, &publish.plan().await.unwrap().plan).await.unwrap();
    let name = format!("releases/{}.plan.gz", id.stem());
    let mut bytes = stored(&world.account, &name).await.unwrap();
    bytes.truncate(bytes.len() / 2);
    let put = world.client().put_object().bucket(STATE).key(format!("tidegate/docs/{name}"));
    put.body(bytes.into()).send().await.unwrap();
    let error = publish.publish().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot read the plan of the release `r2`: it is truncated: the last line is missing; restore an earlier version \
         of this object, or delete it: what that run wrote then counts as changed outside Tidegate"
    );
}

#[tokio::test]
async fn stores_no_document_that_it_could_not_read() {
    let (world, publish) = set_up().await;
    let mut record = publish.publisher.release(&publish.site, "r1".parse().unwrap()).await.unwrap();
    record.id = "r2".parse().unwrap();
    record.judgements = "x".repeat(DOCUMENT).into();
    let store = publish.publisher.state(&publish.site).unwrap();
    let error = store.put_release(&record, true).await.unwrap_err();
    assert!(matches!(error, StateError::TooLarge { .. }), "{error}");
    assert_eq!(stored(&world.account, &format!("releases/{}.json", record.id.stem())).await, None);
}

#[tokio::test]
async fn refuses_a_release_name_that_is_too_long() {
    let (world, mut publish) = set_up().await;
    publish.request.release = "x".repeat(2_049).into();
    let expected = "the name of the release has 2049 bytes; use at most 2048";
    assert_eq!(publish.publish().await.unwrap_err().to_string(), expected);
    assert_eq!(publish.plan().await.unwrap_err().to_string(), expected);
    assert_eq!(visible(&world.account).await, texts_of(ONE));
}
