//! A saved plan is applied only if everything that it was made from is unchanged.

use sha2::{Digest, Sha256};
use tidegate_core::approval::Approval;
use tidegate_core::plan::Plan;
use tidegate_core::report::Outcome;
use tidegate_publish::publish::PublishError;
use tidegate_tests::world::{self, BUCKET};
use tidegate_tests::{Publish, SiteObject, SourceObject, Sources, World};

use crate::{plugin, site_with, texts};

const RULES: &str = r#"{ rules = [{ glob = "*.css", set = { cache-control = "max-age=60" } }] }"#;

fn configuration() -> String {
    site_with(&(plugin("sync", "mime", "{}") + &plugin("sync", "headers", RULES)))
}

fn source(index: &str) -> Sources {
    Sources::directory([SourceObject::text("index.html", index), SourceObject::text("kept.css", "a{}")])
}

/// A site on which `kept.css` is up to date, and a saved plan for the other objects.
async fn saved() -> (World, Publish, Plan) {
    let world = World::new().await;
    let publish = world.publish(&configuration(), &source("one")).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    world.seed(&texts(&[("stale.html", "x")])).await;
    world.stage(&source("two")).await;
    let plan = publish.plan().await.unwrap().plan;
    assert_eq!((plan.operations.len(), plan.totals.keep), (2, 1));
    let text = bytes(&plan);
    let read: Plan = serde_json::from_slice(&text).unwrap();
    assert_eq!(bytes(&read), text, "a plan is unchanged after writing and reading it");
    (world, publish, read)
}

fn bytes(plan: &Plan) -> Vec<u8> {
    let mut bytes = Vec::new();
    plan.write_to(&mut bytes).unwrap();
    bytes
}

/// The error with which a saved plan is rejected.
async fn refusal(publish: &Publish, plan: &Plan) -> String {
    let error = publish.publish_saved(plan, Approval::Policies).await.unwrap_err();
    assert!(matches!(error, PublishError::Drifted(_)), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("the plan no longer applies: "), "{text}");
    text
}

#[tokio::test]
async fn applies_a_plan_whose_inputs_are_unchanged() {
    let (world, publish, plan) = saved().await;
    let report = publish.publish_saved(&plan, Approval::Policies).await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(world.site().await.keys(), ["index.html", "kept.css"]);
    // Applying the plan changed its inputs.
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("the site's bucket at `s3://site/` has changed"), "{text}");
}

#[tokio::test]
async fn names_a_changed_source() {
    let (world, publish, plan) = saved().await;
    world.stage(&source("tow")).await;
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("the source `") && text.contains("` has changed"), "{text}");
}

#[tokio::test]
async fn names_an_object_changed_by_another_tool() {
    let (world, publish, plan) = saved().await;
    world.seed(&texts(&[("stale.html", "y")])).await;
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("the site's bucket at `s3://site/` has changed"), "{text}");
    assert!(text.contains("`stale.html` was planned as: delete, stale"), "{text}");
}

#[tokio::test]
async fn names_an_unchanged_object_deleted_by_another_tool() {
    let (world, publish, plan) = saved().await;
    world.client().delete_object().bucket(BUCKET).key("kept.css").send().await.unwrap();
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("the site's bucket at `s3://site/` has changed"), "{text}");
    assert!(text.contains("`kept.css` was not in the plan: create, new"), "{text}");
}

#[tokio::test]
async fn names_an_unchanged_object_with_changed_headers() {
    let (world, publish, plan) = saved().await;
    // The bytes and so the ETag are equal, so the listing does not show the change.
    let other = SiteObject { content_type: Some("text/css".to_owned()), ..SiteObject::text("kept.css", "a{}") };
    other.seed(&world.client(), BUCKET).await;
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("`kept.css` was not in the plan: headers, headers differ"), "{text}");
}

#[tokio::test]
async fn names_a_plugin_with_changed_settings() {
    let (_world, mut publish, plan) = saved().await;
    publish.site = world::site(&configuration().replace("max-age=60", "max-age=61"));
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("the settings of the plugin `headers` have changed"), "{text}");
}

#[tokio::test]
async fn accepts_settings_that_spell_out_the_defaults() {
    let (_world, mut publish, plan) = saved().await;
    // The plugin's default.
    publish.site = world::site(&configuration().replace("settings = {}", "settings = { sniff = true }"));
    publish.publish_saved(&plan, Approval::Policies).await.unwrap();
}

#[tokio::test]
async fn names_added_and_removed_plugins() {
    let (_world, mut publish, plan) = saved().await;
    publish.site = world::site(&site_with(&plugin("sync", "mime", "{}")));
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("the plugin `headers` is no longer configured"), "{text}");
    publish.site = world::site(&(configuration() + &plugin("sync", "exclude", "{}")));
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("a plugin was added"), "{text}");
}

#[tokio::test]
async fn rejects_plugins_in_another_order() {
    let (_world, mut publish, plan) = saved().await;
    publish.site = world::site(&site_with(&(plugin("sync", "headers", RULES) + &plugin("sync", "mime", "{}"))));
    refusal(&publish, &plan).await;
}

#[tokio::test]
async fn names_a_plugin_file_with_another_component() {
    let world = World::new().await;
    let path = world.directory().join("plugin.wasm");
    let configured = |component: &str| {
        let bytes = tidegate_bundled_plugins::find(component).unwrap().bytes;
        std::fs::write(&path, bytes).unwrap();
        let digest = hex::encode(Sha256::digest(bytes));
        let path = path.display();
        site_with(&format!("\n[[site.sync]]\nplugin = \"{path}\"\nsha256 = \"{digest}\"\n"))
    };
    let mut publish = world.publish(&configured("exclude"), &source("one")).await;
    let plan = publish.plan().await.unwrap().plan;
    publish.site = world::site(&configured("mime"));
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("is another component"), "{text}");
}

#[tokio::test]
async fn names_a_changed_target() {
    let (_world, mut publish, plan) = saved().await;
    publish.site = world::site(&configuration().replace("s3://site/", "s3://site/docs/"));
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("the configuration of the site `docs` has changed"), "{text}");
}

#[tokio::test]
async fn names_changed_object_settings() {
    let (_world, mut publish, plan) = saved().await;
    publish.site.objects.storage_class = Some("STANDARD_IA".to_owned());
    let text = refusal(&publish, &plan).await;
    assert!(text.contains("the configuration of the site `docs` has changed"), "{text}");
}

#[tokio::test]
async fn rejects_a_plan_of_another_format() {
    let (_world, publish, mut plan) = saved().await;
    plan.format += 1;
    let error = publish.publish_saved(&plan, Approval::Policies).await.unwrap_err();
    assert_eq!(error.to_string(), "the plan has format 3, but this version of Tidegate reads 2; make a new one");
}

#[tokio::test]
async fn limits_the_number_of_reported_differences() {
    let (world, publish, plan) = saved().await;
    let many: Vec<SourceObject> = (0..40).map(|n| SourceObject::text(&format!("new-{n:02}.html"), "x")).collect();
    world.stage(&Sources::directory(many)).await;
    let text = refusal(&publish, &plan).await;
    // The remedy, and ten differences before the number of the rest.
    assert_eq!(text.matches("; ").count(), 11, "{text}");
    assert!(text.ends_with("; and 33 more; make a new one"), "{text}");
}

#[tokio::test]
async fn equal_inputs_give_equal_plans() {
    let world = World::new().await;
    // More than one page of a listing, and more than one batch of a plugin.
    let files = |from: u32, seed: &'static str| {
        (from..from + 1_050).map(move |n| SourceObject::text(&format!("d{}/{n}.html", n % 7), &format!("{seed}{n}")))
    };
    let publish = world.publish(&configuration(), &Sources::directory(files(0, "a"))).await;
    assert_eq!(publish.run().await.outcome, Outcome::Live);
    world.stage(&Sources::directory(files(500, "b"))).await;
    let first = publish.plan().await.unwrap().plan;
    let second = publish.plan().await.unwrap().plan;
    assert_eq!((first.totals.create, first.totals.update, first.totals.delete), (500, 550, 500));
    assert!(first.operations.is_sorted_by(|a, b| a.key < b.key), "operations are sorted by key");
    assert_eq!(bytes(&first), bytes(&second));
    assert_eq!(first.digest().unwrap(), second.digest().unwrap());
    assert_eq!(first.digest().unwrap(), tidegate_core::identity::sha256(&bytes(&first)));
}

#[tokio::test]
async fn a_person_can_approve_a_held_plan_but_not_a_denied_one() {
    let world = World::new().await;
    world.seed(&texts(&[("index.html", "old")])).await;
    let guard = |settings: &str| site_with(&plugin("policy", "guard", settings));
    let mut publish = world.publish(&guard("{ max-changes = 0 }"), &source("new")).await;
    let before = world.site().await;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Held, "{report}");
    assert_eq!(world.site().await, before);

    let plan = publish.plan().await.unwrap().plan;
    let report = publish.publish_saved(&plan, Approval::Person).await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");

    world.stage(&source("newer")).await;
    publish.site = world::site(&guard("{ max-object-bytes = 1 }"));
    let before = world.site().await;
    let planned = publish.plan().await.unwrap();
    let report = publish.publisher.apply(planned, &publish.request, &publish.site, Approval::Person).await;
    assert_eq!(report.outcome, Outcome::Denied, "{report}");
    assert_eq!(world.site().await, before);
}
