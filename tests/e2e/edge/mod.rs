//! Sites behind the CloudFront function of Tidegate.

mod permissions;
mod releases;
mod visitors;

use std::collections::BTreeMap;

use tidegate_core::edge::KeyBatch;
use tidegate_core::location::Source;
use tidegate_core::report::Outcome;
use tidegate_publish::Connection;
use tidegate_publish::key_values::KeyValues;
use tidegate_tests::releases::*;
use tidegate_tests::world::{BUCKET, DISTRIBUTION, request, site};
use tidegate_tests::{Publish, SourceObject, Sources, World};

/// A site under `docs/` with an edge. `edge` are the lines of `[site.edge]`.
fn edge_configuration(keep: &str, edge: &str) -> String {
    format!(
        r#"state = "s3://{STATE}/tidegate/"

[[site]]
name = "docs"
target = "s3://{BUCKET}/docs/"
cdn = [{{ distribution = "{DISTRIBUTION}", origin-path = "/docs" }}]
keep = {keep}

[site.edge]
{edge}

[[site.sync]]
plugin = "mime"

[[site.policy]]
plugin = "guard"
settings = {{ max-delete-share = 1.0 }}
"#
    )
}

/// A publish of these files as a release.
async fn publish_edge(world: &World, configuration: &str, release: &str, files: Files<'_>) -> Publish {
    let directory = world.directory().join(release);
    let objects = files.iter().map(|(key, body)| SourceObject::text(key, body));
    let source = Sources::directory(objects).stage(&directory, &world.client()).await;
    let mut request = request(source);
    request.release = release.into();
    Publish { publisher: world.publisher(), site: site(configuration), request }
}

fn rollback_edge(world: &World, configuration: &str, id: &str) -> Publish {
    let mut request = request(Source::Release(id.parse().unwrap()));
    request.release = format!("back to {id}").into();
    Publish { publisher: world.publisher(), site: site(configuration), request }
}

/// Lets the last switch reach all edge locations: none of them serves an earlier release.
async fn age_switches(world: &World) {
    let mut pointer = pointer(&world.account).await;
    if let Some(edge) = &mut pointer.edge {
        edge.earlier.clear();
    }
    let put = world.client().put_object().bucket(STATE).key("tidegate/docs/current.json");
    put.body(serde_json::to_vec(&pointer).unwrap().into()).send().await.unwrap();
}

/// A key value store; its ARN.
async fn create_store(world: &World) -> String {
    let account = &world.account;
    let config = tidegate_tests::world::configuration(account.http_client(), account.root_credentials(), 1);
    let created = aws_sdk_cloudfront::Client::new(&config).create_key_value_store().name("docs").send().await.unwrap();
    created.key_value_store.unwrap().arn
}

/// Another program writes a key of its own.
async fn touch(world: &World, store: &str) {
    let account = &world.account;
    let config = tidegate_tests::world::configuration(account.http_client(), account.root_credentials(), 1);
    let values = KeyValues::new(&Connection::new(config, true), &store.to_owned().try_into().unwrap());
    let batch = KeyBatch { puts: vec![("other".to_owned(), "1".to_owned())], deletes: Vec::new() };
    values.update(&values.version().await.unwrap(), &batch).await.unwrap();
}

/// What is stored about the edge of a release.
async fn stored_edge(world: &World, id: u64) -> serde_json::Value {
    serde_json::from_slice(&stored(&world.account, &format!("releases/r{id:010}.edge.json")).await.unwrap()).unwrap()
}
