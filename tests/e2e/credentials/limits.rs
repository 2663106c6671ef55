//! The limits of STS, found while planning: how long a session's policy may be, written and packed, which characters it may
//! hold, how long names are, and what happens when a session is about to end. Edge cases 72 to 74.

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

use super::{ROLE, wide_role};

/// A site whose target has a prefix of so many characters.
fn site_of(prefix: &str, more: &str) -> String {
    format!("[[site]]\nname = \"docs\"\ntarget = \"s3://site/{prefix}/\"\nrole = \"{ROLE}\"\n{more}")
}

fn sources() -> Sources {
    Sources::directory([SourceObject::text("index.html", "new")])
}

fn policies(world: &World) -> Vec<String> {
    let requests = world.recorder.requests();
    let bodies = requests.iter().filter(|request| request.text.contains("Action=AssumeRole"));
    bodies
        .map(|request| {
            let body = request.text.rsplit('\n').next().unwrap();
            url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "Policy").unwrap().1.into_owned()
        })
        .collect()
}

fn distributions() -> String {
    let cdn: Vec<String> = (10..20).map(|at| format!("{{ distribution = \"EXAMPLE{at}\" }}")).collect();
    format!("cdn = [{}]\n", cdn.join(", "))
}

/// A plan for a site and a staged source whose prefixes together have `length` characters. One letter over and over packs
/// well, so that only characters count.
async fn planned(length: usize) -> (World, Result<(), String>) {
    let world = World::new().await;
    wide_role(&world);
    let (target, staged) = ("a".repeat(701), "a".repeat(length - 701));
    let mut publish = world.publish(&site_of(&target, &distributions()), &sources()).await;
    let put = world.client().put_object().bucket("staging").key(format!("{staged}/index.html"));
    put.body(ByteStream::from_static(b"new")).send().await.unwrap();
    publish.request.source = format!("s3://staging/{staged}/").parse().unwrap();
    let planned = publish.plan().await.map(|_| ()).map_err(|error| error.to_string());
    (world, planned)
}

#[tokio::test]
async fn a_policy_of_2048_characters_is_taken_and_one_more_is_refused_while_planning() {
    // STS was shown the policy as a refusal, which is as much shorter as `Deny` is than `Allow`, once a statement.
    let shown = |world: &World| {
        let probe = policies(world).pop().unwrap();
        probe.chars().count() + probe.matches("\"Deny\"").count()
    };
    let (world, told) = planned(901).await;
    assert_eq!(told, Ok(()));
    let base = shown(&world);
    for wanted in [2_047, 2_048, 2_049] {
        let (world, told) = planned(901 + wanted - base).await;
        if wanted > 2_048 {
            let told = told.unwrap_err();
            assert!(told.contains("2049 characters") && told.contains("shorten the prefix"), "{told}");
            assert!(
                policies(&world).iter().all(|policy| !policy.contains("PutObject")),
                "it was asked for all the same"
            );
        } else {
            // Whether it packs well enough is for STS to say, which was asked.
            assert_eq!(shown(&world), wanted);
            assert!(
                told.as_ref().is_ok() || told.as_ref().is_err_and(|told| told.contains("PackedPolicy")),
                "{told:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_prefix_beyond_latin_1_is_refused_while_planning() {
    let world = World::new().await;
    wide_role(&world);
    for (prefix, fine) in [("caf\u{e9}", true), ("\u{434}\u{43e}\u{43a}\u{438}", false)] {
        let publish = world.publish(&site_of(prefix, ""), &sources()).await;
        let told = publish.plan().await.map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(told.is_ok(), fine, "{told:?}");
        if let Err(told) = told {
            assert!(told.contains("Latin-1") && told.contains("s3://site/"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_policy_that_packs_badly_is_refused_while_planning_by_a_session_that_can_do_nothing() {
    let world = World::new().await;
    wide_role(&world);
    let publish = world.publish(&site_of(&"a".repeat(701), &distributions()), &sources()).await;
    assert!(publish.plan().await.is_ok());
    let shown = policies(&world);
    let probe = shown.last().unwrap();
    assert!(probe.contains("\"Effect\":\"Deny\"") && !probe.contains("\"Effect\":\"Allow\""), "{probe}");
    assert!(probe.contains("s3:PutObject"), "{probe}");
    world.forget();
    // Where STS says that it is too much, the plan is refused, and what to shorten is said.
    world.trouble({
        let count = std::sync::atomic::AtomicUsize::new(0);
        move |call| {
            let second = call.operation == "AssumeRole" && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
            second.then(|| InjectedFault::answer(400, "PackedPolicyTooLarge"))
        }
    });
    let told = publish.plan().await.unwrap_err().to_string();
    assert!(told.contains("PackedPolicyTooLarge") && told.contains("`target`, `staged` and `state`"), "{told}");
    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
}

#[tokio::test]
async fn the_longest_name_of_a_site_makes_a_session_name_that_sts_takes() {
    let world = World::new().await;
    wide_role(&world);
    let name = "d".repeat(63);
    let configuration = site_of("docs", "").replace("name = \"docs\"", &format!("name = \"{name}\""));
    let mut publish = world.publish(&configuration, &sources()).await;
    publish.request.site = name;
    let report = publish.run().await;
    assert_eq!(report.outcome, Outcome::Live, "{report}");
}

/// Makes STS say of every session that it ends in `minutes`.
#[derive(Debug)]
struct Ending {
    minutes: i64,
    client: SharedHttpClient,
}

#[derive(Debug)]
struct EndingConnector {
    minutes: i64,
    connector: SharedHttpConnector,
}

impl HttpClient for Ending {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(EndingConnector { minutes: self.minutes, connector })
    }
}

impl HttpConnector for EndingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let minutes = self.minutes;
        let answer = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
            let bytes = ByteStream::new(body).collect().await.unwrap().to_vec();
            let text = String::from_utf8(bytes.clone()).unwrap_or_default();
            *answer.body_mut() = match text.split_once("<Expiration>") {
                None => SdkBody::from(bytes),
                Some((before, rest)) => {
                    let after = rest.split_once("</Expiration>").map(|(_, after)| after).unwrap();
                    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
                    let end = end.strftime("%Y-%m-%dT%H:%M:%SZ");
                    SdkBody::from(format!("{before}<Expiration>{end}</Expiration>{after}"))
                }
            };
            answer.headers_mut().remove("content-length");
            Ok(answer)
        })
    }
}

#[tokio::test]
async fn a_session_that_is_about_to_end_is_followed_by_another_before_it_does() {
    // Two minutes are less than the margin, half an hour is more.
    for (minutes, followed) in [(2, true), (30, false)] {
        let world = World::new().await;
        wide_role(&world);
        let files = (0..20).map(|at| SourceObject::text(&format!("{at}.html"), "x"));
        let mut publish = world.publish(&site_of("docs", ""), &Sources::directory(files)).await;
        let recorder = Recorder::default();
        let http = Ending { minutes, client: recorder.wrap(world.account.http_client()) };
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
        assert_eq!(writers.len() > 1, followed, "{writers:?}");
    }
}
