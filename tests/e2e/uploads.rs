//! Multipart uploads: parts are sent while the next ones are read.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use tidegate_publish::AwsError;
use tidegate_publish::state::StateStore;
use tidegate_tests::World;
use tidegate_tests::releases::{STATE, publish_of, world};

async fn set_up() -> (World, StateStore) {
    let world = world().await;
    let publish = publish_of(&world, "{ releases = 2, days = 0 }", "c1", &[("index.html", "one")]).await;
    let store = publish.publisher.state(&publish.site).unwrap();
    (world, store)
}

/// Bytes of one part of a stream.
const PART: usize = 8 * 1024 * 1024;

/// The stream has more bytes only after S3 has received the part before.
#[tokio::test]
async fn sends_parts_while_the_next_ones_are_read() {
    let (world, store) = set_up().await;
    world.clear_requests();
    let faults = world.faults.clone();
    let received = move || faults.calls().iter().filter(|call| call.operation == "UploadPart").count();
    let bytes = futures::stream::unfold(0, move |number| {
        let received = received.clone();
        async move {
            while number > 1 && received() < number - 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            (number < 3).then(|| (Ok::<_, AwsError>(Bytes::from(vec![b'x'; PART])), number + 1))
        }
    });
    let stored = store.put_fetched("large.zip", Box::pin(bytes.boxed()));
    tokio::time::timeout(Duration::from_secs(300), stored).await.unwrap().unwrap();
    let file = store.fetched("large.zip").unwrap();
    assert_eq!(world.account.s3().get(STATE, file.key.as_str()).unwrap().info.size, 3 * PART as u64);
}
