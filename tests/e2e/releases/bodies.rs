//! Archived bodies of a state.

use bytes::Bytes;

use super::*;

#[tokio::test]
async fn deletes_only_archived_bodies_that_were_not_replaced_since() {
    let world = world().await;
    let publish = publish_of(&world, "{ releases = 2, days = 0 }", "c1", &[("index.html", "one")]).await;
    let put = |name: &'static str, text: &'static str| {
        let request = world.client().put_object().bucket(STATE).key(format!("tidegate/docs/bodies/{name}"));
        async move { request.body(Bytes::from(text).into()).send().await.unwrap() }
    };
    put("a", "old").await;
    put("b", "old").await;
    let store = publish.publisher.state(&publish.site).unwrap();
    let listed = store.archived_bodies().await.unwrap();
    put("b", "new").await;
    store.delete_bodies(listed).await.unwrap();
    assert_eq!(state_files(&world.account, "bodies/"), BTreeSet::from(["b".to_owned()]));
}
