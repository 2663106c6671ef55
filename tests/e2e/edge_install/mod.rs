//! Installing, repairing and removing the edge of a site, in the emulator.

mod changed;
mod faults;
mod function;
mod refusals;
mod released;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types::{CustomErrorResponses, DistributionConfig, EventType, FunctionAssociations};
use tidegate_core::config::{Site, StoreArn, TrailingSlash};
use tidegate_core::edge::{EdgeKeys, KeyBatch, OnFailure, ReleaseEdge, function_code, pointer_key};
use tidegate_core::report::Outcome;
use tidegate_emulator::cloudfront::OriginAccess;
use tidegate_emulator::function::EdgeFunction;
use tidegate_emulator::iam::ACCOUNT_ID;
use tidegate_iam::policies;
use tidegate_publish::Connection;
use tidegate_publish::cloudfront::{DistributionEdit, SiteHeaders};
use tidegate_publish::edge::{
    EdgeAnswer, EdgeChange, EdgeError, EdgeInstaller, EdgeItemState, EdgeProbe, EdgeSpec, InstallMode, KeptSetting,
    ServedPages, StoreReading, check, install, probes, remove,
};
use tidegate_publish::key_values::KeyValues;
use tidegate_tests::fault::{AwsService, Faults, InjectedFault};
use tidegate_tests::world::{DISTRIBUTION, configuration, site};
use tidegate_tests::{SourceObject, Sources, World};

const NAME: &str = "tidegate-docs";

const CONFIGURATION: &str = "state = \"s3://state/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://site/\"\n\
                             cdn = [{ distribution = \"E2EXAMPLE\" }]\n[site.edge]\n";

/// An account with a private distribution.
async fn world() -> World {
    let world = World::new().await;
    world.account.cloudfront().set_origin_access(DISTRIBUTION, OriginAccess::Control).unwrap();
    world
}

fn docs() -> Site {
    site(CONFIGURATION)
}

fn spec_of(site: &Site) -> EdgeSpec {
    let mut spec = EdgeSpec::new(site, function_code(&site.name, OnFailure::Open)).unwrap();
    spec.keys = EdgeKeys::from([(pointer_key(&site.name), ReleaseEdge::default().pointer(0, "").unwrap())]);
    spec.headers = SiteHeaders::from([
        ("content-security-policy".to_owned(), "default-src 'self'".to_owned()),
        ("strict-transport-security".to_owned(), "max-age=31536000; includeSubDomains".to_owned()),
        ("x-content-type-options".to_owned(), "nosniff".to_owned()),
        ("x-powered-by".to_owned(), "Tidegate".to_owned()),
    ]);
    spec
}

fn connection(world: &World, faults: &Faults, credentials: Credentials) -> Connection {
    Connection::new(configuration(faults.wrap(world.account.http_client()), credentials, 1), true)
}

/// Changes of a distribution reach all edge locations as soon as their status is read.
fn impatient(world: &World, script: impl Fn() -> Option<InjectedFault> + Send + Sync + 'static) -> Faults {
    let clock = world.account.iam().clock().clone();
    Faults::new(move |call| {
        if call.operation == "GetDistribution" {
            clock.advance(Duration::from_secs(1));
        }
        script()
    })
}

fn installer_with(world: &World, spec: EdgeSpec, faults: &Faults) -> EdgeInstaller {
    let connection = connection(world, faults, world.account.root_credentials());
    EdgeInstaller::new(&connection, spec).with_interval(Duration::from_millis(1))
}

fn installer(world: &World, spec: EdgeSpec) -> EdgeInstaller {
    installer_with(world, spec, &impatient(world, || None))
}

fn client(world: &World) -> Client {
    Client::new(&configuration(world.account.http_client(), world.account.root_credentials(), 1))
}

async fn config(world: &World) -> DistributionConfig {
    let output = client(world).get_distribution_config().id(DISTRIBUTION).send().await.unwrap();
    output.distribution_config.unwrap()
}

/// Changes the configuration of the distribution, as another tool would.
async fn change(world: &World, change: impl FnOnce(&mut DistributionConfig)) {
    let client = client(world);
    let output = client.get_distribution_config().id(DISTRIBUTION).send().await.unwrap();
    let mut config = output.distribution_config.unwrap();
    change(&mut config);
    let request = client.update_distribution().id(DISTRIBUTION).set_if_match(output.e_tag);
    request.distribution_config(config).send().await.unwrap();
}

async fn run_install(installer: &EdgeInstaller, mode: InstallMode) -> Result<Vec<EdgeChange>, EdgeError> {
    let keys = if mode == InstallMode::Keep { StoreReading::Pointer } else { StoreReading::All };
    let plan = install(installer.spec(), &installer.read(keys).await?, mode)?;
    installer.apply(&plan.changes, "test", |_| {}).await?;
    Ok(plan.changes)
}

async fn run_remove(installer: &EdgeInstaller) -> Result<Vec<EdgeChange>, EdgeError> {
    let changes = remove(installer.spec(), &installer.read(StoreReading::Pointer).await?)?;
    installer.apply(&changes, "test", |_| {}).await?;
    Ok(changes)
}

fn sentences(changes: &[EdgeChange]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

/// The items of a check that are not right.
async fn wrong(installer: &EdgeInstaller) -> Vec<String> {
    let items = check(installer.spec(), &installer.read(StoreReading::Pointer).await.unwrap());
    let wrong = items.into_iter().filter(|item| item.state != EdgeItemState::Right);
    wrong.map(|item| format!("{}: {}", item.item, item.message)).collect()
}

/// A function that a distribution runs is published, and its store has the pointer.
async fn assert_safe(world: &World, installer: &EdgeInstaller) {
    let found = installer.read(StoreReading::Pointer).await.unwrap();
    let config = config(world).await;
    let functions = config.default_cache_behavior.unwrap().function_associations.unwrap();
    if functions.quantity() > 0 {
        let live = found.live.unwrap();
        assert_eq!(live.function.code, installer.spec().code);
        assert_eq!(live.function.store, found.store.map(|store| store.arn));
        assert_eq!(found.pointer.as_ref(), installer.spec().keys.get("docs"));
    }
}

#[tokio::test]
async fn an_edge_is_installed_checked_and_removed() {
    let world = world().await;
    let before = config(&world).await;
    let installer = installer(&world, spec_of(&docs()));
    assert!(matches!(run_install(&installer, InstallMode::Replace).await, Err(EdgeError::NotInstalled(_))));
    let changes = run_install(&installer, InstallMode::Keep).await.unwrap();
    let tests = installer.spec().probes.len();
    assert_eq!(
        sentences(&changes),
        [
            "create the key value store `tidegate-docs`".to_owned(),
            "write 1 key to the key value store `tidegate-docs`".to_owned(),
            "create the response headers policy `tidegate-docs`: `content-security-policy`, `strict-transport-security`, `x-content-type-options`, `x-powered-by`".to_owned(),
            "create the function `tidegate-docs`".to_owned(),
            format!("test the function `tidegate-docs` with {tests} requests"),
            "publish the function `tidegate-docs`".to_owned(),
            "change the distribution `E2EXAMPLE`: run the function at viewer-request; run the function at viewer-response; show `/404.html` with 404 instead of 403; show `/404.html` with 404 instead of 404; add the headers of the policy".to_owned(),
        ]
    );
    assert!(run_install(&installer, InstallMode::Keep).await.unwrap().is_empty());
    assert!(run_install(&installer, InstallMode::Replace).await.unwrap().is_empty());
    // The line of the configuration is missing.
    let hints = wrong(&installer).await;
    assert!(hints.len() == 1 && hints[0].contains("set `store = \"arn:aws:cloudfront::"), "{hints:?}");
    let mut spec = spec_of(&docs());
    spec.store = Some(installer.read(StoreReading::Pointer).await.unwrap().store.unwrap().arn.try_into().unwrap());
    let configured = self::installer(&world, spec);
    assert!(wrong(&configured).await.is_empty(), "{:?}", wrong(&configured).await);

    let mut serves_releases = spec_of(&docs());
    serves_releases.served = ServedPages::OfRelease;
    let refused = run_remove(&self::installer(&world, serves_releases)).await.unwrap_err().to_string();
    assert!(refused.contains("`releases = \"in-place\"`"), "{refused}");

    let changes = run_remove(&installer).await.unwrap();
    assert_eq!(
        sentences(&changes),
        [
            "change the distribution `E2EXAMPLE`: run no function at viewer-request; run no function at viewer-response; show no page instead of 403; show no page instead of 404; add no headers",
            "invalidate `/*` of the distribution `E2EXAMPLE`",
            "delete the function `tidegate-docs`",
            "delete the key value store `tidegate-docs`",
            "delete the response headers policy `tidegate-docs`",
        ]
    );
    assert!(run_remove(&installer).await.unwrap().is_empty());
    let after = config(&world).await;
    assert_eq!(without_empty_lists(after), without_empty_lists(before));
}

/// CloudFront returns empty lists that were sent.
fn without_empty_lists(mut config: DistributionConfig) -> DistributionConfig {
    config.custom_error_responses = config.custom_error_responses.filter(|pages| pages.quantity() > 0);
    if let Some(behavior) = &mut config.default_cache_behavior {
        behavior.function_associations = behavior.function_associations.take().filter(|all| all.quantity() > 0);
    }
    config
}

#[tokio::test]
async fn error_pages_and_headers_are_optional() {
    let world = world().await;
    let mut spec = spec_of(&docs());
    (spec.error_page, spec.headers) = (None, SiteHeaders::new());
    let installer = installer(&world, spec);
    let changes = run_install(&installer, InstallMode::Keep).await.unwrap();
    let EdgeChange::UpdateDistribution { edits, .. } = changes.last().unwrap() else { panic!("{changes:?}") };
    assert!(edits.iter().all(|edit| matches!(edit, DistributionEdit::Associate { .. })), "{edits:?}");
    // With headers, and then without any again.
    let with_headers = self::installer(&world, spec_of(&docs()));
    run_install(&with_headers, InstallMode::Keep).await.unwrap();
    assert!(config(&world).await.default_cache_behavior.unwrap().response_headers_policy_id.is_some());
    let changes = sentences(&run_install(&installer, InstallMode::Keep).await.unwrap());
    assert_eq!(
        changes,
        ["change the distribution `E2EXAMPLE`: add no headers", "delete the response headers policy `tidegate-docs`"]
    );
    // An existing pointer stays: it says which release is live.
    let mut moved = spec_of(&docs());
    moved.headers = SiteHeaders::new();
    moved.keys.insert("docs".to_owned(), "{\"v\":1,\"n\":9}".to_owned());
    assert!(run_install(&self::installer(&world, moved), InstallMode::Keep).await.unwrap().is_empty());
}

/// The policy of `tidegate policy edge` allows an installation, a repair and a removal, and every action of it is needed.
#[tokio::test]
async fn the_policy_suffices_and_has_nothing_spare() {
    let grant = policies::edge(&docs(), ACCOUNT_ID).unwrap();
    let whole: serde_json::Value = serde_json::from_str(&grant.document.compact().unwrap()).unwrap();
    let actions: BTreeSet<String> = grant
        .document
        .statements()
        .iter()
        .flat_map(|one| one.actions())
        .map(|action| action.to_string())
        .filter(|action| action.starts_with("cloudfront"))
        .collect();
    for missing in std::iter::once(None).chain(actions.iter().map(Some)) {
        let world = world().await;
        let mut document = whole.clone();
        for statement in document["Statement"].as_array_mut().unwrap() {
            if let Some(list) = statement["Action"].as_array_mut() {
                list.retain(|action| missing.is_none_or(|missing| action != missing));
            }
        }
        world.account.iam().create_user("lea", &[("edge", &document.to_string())]).unwrap();
        let credentials = world.account.iam().create_access_key("lea").unwrap().credentials();
        let connection = connection(&world, &impatient(&world, || None), credentials);
        let with = |spec: EdgeSpec| EdgeInstaller::new(&connection, spec).with_interval(Duration::from_millis(1));
        let result = async {
            let installer = with(spec_of(&docs()));
            run_install(&installer, InstallMode::Keep).await?;
            let mut changed = spec_of(&docs());
            changed.code.push_str("// changed\n");
            changed.headers.insert("x-powered-by".to_owned(), "others".to_owned());
            run_install(&with(changed), InstallMode::Replace).await?;
            run_remove(&installer).await
        };
        match (result.await, missing) {
            (Ok(_), None) => {}
            (Err(EdgeError::Aws(error)), Some(_)) if error.is_denied() => {}
            (other, missing) => panic!("without {missing:?}: {other:?}"),
        }
    }
}
