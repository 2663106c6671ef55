//! Limits of STS sessions, checked while planning: the length, packed size and characters of a session policy, the
//! length of session names, and sessions that are about to expire.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use tidegate_core::report::Outcome;
use tidegate_publish::Connection;
use tidegate_publish::progress::NoProgress;
use tidegate_publish::publish::Publisher;
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::plugins::plugin_loader;
use tidegate_tests::recorder::Recorder;
use tidegate_tests::{SourceObject, Sources, World, calls};

use super::{ROLE, create_unrestricted_role};

/// A site with a role, whose target has this prefix.
fn site_at(prefix: &str, more: &str) -> String {
    format!("[[site]]\nname = \"docs\"\ntarget = \"s3://site/{prefix}/\"\nrole = \"{ROLE}\"\n{more}")
}

fn sources() -> Sources {
    Sources::directory([SourceObject::text("index.html", "new")])
}

/// The session policies of all `AssumeRole` requests.
fn policies(world: &World) -> Vec<String> {
    let requests = world.recorder.requests();
    requests
        .iter()
        .filter(|request| request.text.contains("Action=AssumeRole"))
        .map(|request| {
            let body = request.text.rsplit('\n').next().unwrap();
            url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "Policy").unwrap().1.into_owned()
        })
        .collect()
}

/// Ten distributions, which make the policy long.
fn distributions() -> String {
    let cdn: Vec<String> = (10..20).map(|at| format!("{{ distribution = \"EXAMPLE{at}\" }}")).collect();
    format!("cdn = [{}]\n", cdn.join(", "))
}

/// Plans a publish in which the prefixes of site and staged source together have `length` characters. Repeated letters
/// compress well, so the packed size stays small.
async fn plan_with_prefixes(length: usize) -> (World, Result<(), String>) {
    let world = World::new().await;
    create_unrestricted_role(&world);
    let (target, staged) = ("a".repeat(701), "a".repeat(length - 701));
    let mut publish = world.publish(&site_at(&target, &distributions()), &sources()).await;
    let put = world.client().put_object().bucket("staging").key(format!("{staged}/index.html"));
    put.body(ByteStream::from_static(b"new")).send().await.unwrap();
    publish.request.source = format!("s3://staging/{staged}/").parse().unwrap();
    let planned = publish.plan().await.map(|_| ()).map_err(|error| error.to_string());
    (world, planned)
}

#[tokio::test]
async fn accepts_a_session_policy_of_2048_characters_and_rejects_2049() {
    // STS measured the policy with `Deny`, which is one character shorter than `Allow` in each statement.
    let policy_length = |world: &World| {
        let measured = policies(world).pop().unwrap();
        measured.chars().count() + measured.matches("\"Deny\"").count()
    };
    let (world, result) = plan_with_prefixes(901).await;
    assert_eq!(result, Ok(()));
    let base = policy_length(&world);
    for length in [2_047, 2_048, 2_049] {
        let (world, result) = plan_with_prefixes(901 + length - base).await;
        if length > 2_048 {
            let error = result.unwrap_err();
            assert!(error.contains("2049 characters") && error.contains("shorten the prefix"), "{error}");
            assert!(
                policies(&world).iter().all(|policy| !policy.contains("PutObject")),
                "STS was asked although the policy is too long"
            );
        } else {
            // Only STS knows whether the packed size is small enough.
            assert_eq!(policy_length(&world), length);
            assert!(
                result.as_ref().is_ok() || result.as_ref().is_err_and(|error| error.contains("PackedPolicy")),
                "{result:?}"
            );
        }
    }
}

#[tokio::test]
async fn rejects_a_prefix_outside_of_latin_1_while_planning() {
    let world = World::new().await;
    create_unrestricted_role(&world);
    for (prefix, valid) in [("caf\u{e9}", true), ("\u{434}\u{43e}\u{43a}\u{438}", false)] {
        let publish = world.publish(&site_at(prefix, ""), &sources()).await;
        let result = publish.plan().await.map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(result.is_ok(), valid, "{result:?}");
        if let Err(error) = result {
            assert!(error.contains("Latin-1") && error.contains("s3://site/"), "{error}");
        }
    }
}

#[tokio::test]
async fn measures_the_packed_policy_while_planning_with_a_session_without_permissions() {
    let world = World::new().await;
    create_unrestricted_role(&world);
    let publish = world.publish(&site_at(&"a".repeat(701), &distributions()), &sources()).await;
    assert!(publish.plan().await.is_ok());
    let policies = policies(&world);
    let measured = policies.last().unwrap();
    assert!(measured.contains("\"Effect\":\"Deny\"") && !measured.contains("\"Effect\":\"Allow\""), "{measured}");
    assert!(measured.contains("s3:PutObject"), "{measured}");
    world.clear_requests();
    // If STS reports that the policy is too large, planning fails and names what to shorten.
    world.inject_faults({
        let count = std::sync::atomic::AtomicUsize::new(0);
        move |call| {
            let second = call.operation == "AssumeRole" && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
            second.then(|| InjectedFault::answer(400, "PackedPolicyTooLarge"))
        }
    });
    let error = publish.plan().await.unwrap_err().to_string();
    assert!(error.contains("PackedPolicyTooLarge") && error.contains("`target`, `staged` and `state`"), "{error}");
    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
}

#[tokio::test]
async fn the_longest_site_name_gives_a_valid_session_name() {
    let world = World::new().await;
    create_unrestricted_role(&world);
    let name = "d".repeat(63);
    let configuration = site_at("docs", "").replace("name = \"docs\"", &format!("name = \"{name}\""));
    let mut publish = world.publish(&configuration, &sources()).await;
    publish.request.site = name;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
}

/// Rewrites the expiration of every session in STS responses to `minutes` from now.
#[derive(Debug)]
struct ShortSessionClient {
    minutes: i64,
    client: SharedHttpClient,
}

#[derive(Debug)]
struct ShortSessionConnector {
    minutes: i64,
    connector: SharedHttpConnector,
}

impl HttpClient for ShortSessionClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(ShortSessionConnector { minutes: self.minutes, connector })
    }
}

impl HttpConnector for ShortSessionConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let minutes = self.minutes;
        let response = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let mut response = response.await?;
            let body = std::mem::replace(response.body_mut(), SdkBody::empty());
            let bytes = ByteStream::new(body).collect().await.unwrap().to_vec();
            let text = String::from_utf8(bytes.clone()).unwrap_or_default();
            *response.body_mut() = match text.split_once("<Expiration>") {
                None => SdkBody::from(bytes),
                Some((before, rest)) => {
                    let after = rest.split_once("</Expiration>").map(|(_, after)| after).unwrap();
                    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
                    let end = end.strftime("%Y-%m-%dT%H:%M:%SZ");
                    SdkBody::from(format!("{before}<Expiration>{end}</Expiration>{after}"))
                }
            };
            response.headers_mut().remove("content-length");
            Ok(response)
        })
    }
}

#[tokio::test]
async fn starts_another_session_before_the_current_one_expires() {
    // Two minutes are less than the margin before expiration, 30 minutes are more.
    for (minutes, renewed) in [(2, true), (30, false)] {
        let world = World::new().await;
        create_unrestricted_role(&world);
        let files = (0..20).map(|at| SourceObject::text(&format!("{at}.html"), "x"));
        let mut publish = world.publish(&site_at("docs", ""), &Sources::directory(files)).await;
        let recorder = Recorder::default();
        let http = ShortSessionClient { minutes, client: recorder.wrap(world.account.http_client()) };
        let http = SharedHttpClient::new(http);
        let config = tidegate_tests::world::configuration(http, world.account.root_credentials(), 1);
        publish.publisher = Publisher::new(Connection::new(config, true), plugin_loader(), Arc::new(NoProgress));
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        let writers: BTreeSet<String> = recorder
            .requests()
            .into_iter()
            .filter(|request| request.method == "PUT")
            .map(|request| request.access_key)
            .collect();
        assert_eq!(writers.len() > 1, renewed, "{writers:?}");
    }
}
