//! Runs that limit the caller's own temporary credentials to the plan by `GetScopedCredentials`: when they do, what they
//! do where STS refuses, and what the report says. The permissions themselves are proved in `proof`.

use aws_credential_types::Credentials;
use tidegate_core::config::CredentialMode;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_emulator::s3::ObjectEncryption;
use tidegate_publish::publish::PublishError;
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::world::BUCKET;
use tidegate_tests::{Publish, SourceObject, Sources, World, calls};

use super::ROLE;
use crate::{site_with, texts};

/// A policy that allows everything that a run could need.
pub(super) const ALL_WITH_SCOPE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","cloudfront:*","kms:*","sts:GetScopedCredentials"],"Resource":"*"}]}"#;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;

/// Temporary credentials of a role with this policy, as a CI job or a function has them.
pub(super) async fn session_credentials(world: &World, policy: &str) -> Credentials {
    role_session(world, "deployer", policy).await
}

/// Temporary credentials of a new role with this name and policy.
pub(crate) async fn role_session(world: &World, name: &str, policy: &str) -> Credentials {
    let role = world.account.iam().create_role(name, TRUST, &[("all", policy)]).unwrap();
    let http = world.account.http_client();
    let config = tidegate_tests::world::configuration(http, world.account.root_credentials(), 1);
    let assumed = aws_sdk_sts::Client::new(&config).assume_role().role_arn(role).role_session_name("ci").send().await;
    let given = assumed.unwrap().credentials.unwrap();
    let expires = given.expiration.try_into().ok();
    Credentials::new(given.access_key_id, given.secret_access_key, Some(given.session_token), expires, "ci")
}

/// The policies of all `GetScopedCredentials` requests.
pub(crate) fn policies(world: &World) -> Vec<String> {
    parameters(world, "Policy")
}

fn parameters(world: &World, name: &str) -> Vec<String> {
    let requests = world.recorder.requests();
    let scoping = requests.iter().filter(|request| request.text.contains("Action=GetScopedCredentials"));
    let value = |body: &str| {
        url::form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    scoping.filter_map(|request| value(request.text.rsplit('\n').next().unwrap())).collect()
}

/// A world, and a publish with the credentials of a role that has this policy.
async fn with_session(more: &str, policy: &str) -> (World, Publish) {
    let world = World::new().await;
    super::create_unrestricted_role(&world);
    let caller = session_credentials(&world, policy).await;
    let sources = Sources::directory([SourceObject::text("index.html", "new")]);
    let mut publish = world.publish(&site_with(more), &sources).await;
    publish.publisher = world.publisher_with(caller, 1);
    world.seed(&texts(&[("index.html", "old")])).await;
    (world, publish)
}

fn mode(report: &PublishReport) -> CredentialMode {
    report.credentials.as_ref().unwrap().mode
}

fn warning(report: &PublishReport) -> Option<&str> {
    let mut found = report.findings.iter().filter(|finding| finding.code == "unscoped-credentials");
    found.next().map(|finding| finding.message.as_str())
}

#[tokio::test]
async fn temporary_credentials_are_limited_to_the_plan_without_a_role() {
    let (world, publish) = with_session("", ALL_WITH_SCOPE).await;
    let report = publish.run().await;
    assert_eq!((report.outcome, mode(&report), warning(&report)), (Outcome::Live, CredentialMode::Scoped, None));
    assert!(report.to_string().contains("credentials: the caller's, limited to this plan: they are temporary"));
    assert_eq!(calls::count(&world.faults.calls(), "AssumeRole"), 0);
    let policies = policies(&world);
    let [planning, writing] = policies.as_slice() else { panic!("{policies:?}") };
    assert!(planning.contains("s3:ListBucket") && !planning.contains("PutObject"), "{planning}");
    assert!(writing.contains("s3:PutObject") && !writing.contains("ListBucket"), "{writing}");
    let descriptions = parameters(&world, "ScopedSessionDescription");
    assert_eq!(descriptions.first().unwrap(), "tidegate: plan docs");
    assert!(descriptions.last().unwrap().starts_with("tidegate: publish docs, plan "), "{descriptions:?}");
    assert!(descriptions.last().unwrap().ends_with(report.plan.as_deref().unwrap()));
    // The caller's session lasts for an hour, so no duration beyond it is asked for.
    assert_eq!(parameters(&world, "DurationSeconds"), Vec::<String>::new());
    // The caller's own credentials do nothing but ask for scoped ones.
    let caller = publish.publisher.connection.is_temporary().await;
    assert_eq!(caller, Some(true));
    let own: Vec<_> =
        world.recorder.requests().into_iter().filter(|one| one.text.contains("GetScopedCredentials")).collect();
    let own_key = &own.first().unwrap().access_key;
    assert!(world.recorder.requests().iter().all(|one| one.access_key != *own_key || one.text.contains("Action=")));
}

#[tokio::test]
async fn long_term_credentials_and_explicit_settings_are_used_as_they_are() {
    let world = World::new().await;
    super::create_unrestricted_role(&world);
    let sources = Sources::directory([SourceObject::text("index.html", "new")]);
    let publish = world.publish(&site_with(""), &sources).await;
    let report = publish.run().await;
    assert_eq!((report.outcome, mode(&report)), (Outcome::Live, CredentialMode::Caller));
    assert_eq!(calls::count(&world.faults.calls(), "GetScopedCredentials"), 0);
    for (more, expected) in [
        ("credentials = \"caller\"\n".to_owned(), CredentialMode::Caller),
        (format!("role = \"{ROLE}\"\n"), CredentialMode::Role),
        (format!("role = \"{ROLE}\"\ncredentials = \"role\"\n"), CredentialMode::Role),
        (format!("role = \"{ROLE}\"\ncredentials = \"caller\"\n"), CredentialMode::Caller),
        (format!("role = \"{ROLE}\"\ncredentials = \"scoped\"\n"), CredentialMode::Scoped),
    ] {
        let (_world, publish) =
            with_session(&more, &ALL_WITH_SCOPE.replace("\"sts:", "\"sts:AssumeRole\",\"sts:")).await;
        let report = publish.run().await;
        assert_eq!((report.outcome, mode(&report)), (Outcome::Live, expected), "{more}{report}");
    }
}

/// A server that does not know the call, a caller who may not make it, and a session that already has three layers.
#[tokio::test]
async fn a_refusal_falls_back_with_a_warning_and_never_beyond_what_is_configured() {
    let role = format!("role = \"{ROLE}\"\ncredentials = \"scoped\"\n");
    for (status, code) in [(400, "InvalidAction"), (403, "AccessDenied"), (501, "NotImplemented"), (404, "")] {
        for (more, expected) in [
            ("", Some(CredentialMode::Caller)),
            (role.as_str(), Some(CredentialMode::Role)),
            ("credentials = \"scoped\"\n", None),
        ] {
            let policy = ALL_WITH_SCOPE.replace("\"sts:", "\"sts:AssumeRole\",\"sts:");
            let (world, publish) = with_session(more, &policy).await;
            world.inject_faults(move |call| {
                (call.operation == "GetScopedCredentials").then(|| InjectedFault::answer(status, code))
            });
            match (publish.publish().await, expected) {
                (Ok(report), Some(expected)) => {
                    assert_eq!((report.outcome, mode(&report)), (Outcome::Live, expected), "{code} {report}");
                    let warning = warning(&report).unwrap();
                    assert!(warning.contains("sts:GetScopedCredentials"), "{warning}");
                }
                (Err(error @ PublishError::Unscoped(_)), None) => {
                    assert!(error.to_string().contains("`credentials = \"caller\"`"), "{error}");
                    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
                }
                (other, _) => panic!("{code} with {more}: {other:?}"),
            }
        }
    }
}

/// A policy that is too long for a session was no limit for the caller's own credentials.
#[tokio::test]
async fn a_plan_whose_policy_is_too_long_is_written_with_the_callers_credentials() {
    let cdn: Vec<String> = (10..60).map(|at| format!("{{ distribution = \"EXAMPLE{at}\" }}")).collect();
    let (world, publish) = with_session(&format!("cdn = [{}]\n", cdn.join(", ")), ALL_WITH_SCOPE).await;
    let report = publish.run().await;
    assert_eq!(mode(&report), CredentialMode::Caller);
    assert!(warning(&report).unwrap().contains("2048"), "{report}");
    assert_eq!(policies(&world).len(), 1, "only planning was limited");
    assert_eq!(report.done.written, 1);
    let (_world, publish) =
        with_session(&format!("credentials = \"scoped\"\ncdn = [{}]\n", cdn.join(", ")), ALL_WITH_SCOPE).await;
    assert!(matches!(publish.publish().await, Err(PublishError::Unscoped(_))));
}

/// The configuration cannot name the default key of a bucket, and the caller's own credentials can use it.
#[tokio::test]
async fn scoped_credentials_write_a_bucket_that_encrypts_with_kms() {
    let (world, publish) = with_session("", ALL_WITH_SCOPE).await;
    let key = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d".to_owned();
    let encryption = ObjectEncryption { algorithm: "aws:kms".to_owned(), kms_key: Some(key), bucket_key: Some(true) };
    world.account.s3().set_encryption(BUCKET, encryption).await.unwrap();
    let report = publish.run().await;
    assert_eq!((report.outcome, mode(&report)), (Outcome::Live, CredentialMode::Scoped), "{report}");
    publish.assert_converged().await;
}

/// A user's key is exchanged for a session first, if scoped credentials were asked for.
#[tokio::test]
async fn the_key_of_a_user_is_scoped_on_request() {
    let (world, mut publish) = with_session("credentials = \"scoped\"\n", ALL_WITH_SCOPE).await;
    world.account.iam().create_user("lea", &[("all", ALL_WITH_SCOPE)]).unwrap();
    let key = world.account.iam().create_access_key("lea").unwrap().credentials();
    publish.publisher = world.publisher_with(key, 1);
    let report = publish.run().await;
    assert_eq!((report.outcome, mode(&report)), (Outcome::Live, CredentialMode::Scoped), "{report}");
    assert_eq!(calls::count(&world.faults.calls(), "GetSessionToken"), 1);
    // Root's credentials can neither be scoped nor exchanged.
    publish.publisher = world.publisher();
    assert!(matches!(publish.publish().await, Err(PublishError::Unscoped(_))));
}
