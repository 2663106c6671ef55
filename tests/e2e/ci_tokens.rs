//! A complete CI job: what `tidegate policy ci` makes, assumed with tokens that a test provider signs and the emulator
//! verifies, and used to upload and to publish.

use aws_credential_types::Credentials;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sts::error::ProvideErrorMetadata as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tidegate_core::report::Outcome;
use tidegate_emulator::iam::ACCOUNT_ID;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{CiJobSpec, ensure_ci_job};
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{
    Grant, SessionTags, TrustedIdentity, TrustedJobs, caller, site as site_grant, trust, trust_ci_role, uploader,
    uploader_guard,
};
use tidegate_tests::World;
use tidegate_tests::source::STAGING;
use tidegate_tests::world::{configuration, site};

const ISSUER: &str = "token.actions.githubusercontent.com";

const SITE: &str = r#"
state = "s3://state/tidegate/"

[[site]]
name = "docs"
builds = "s3://staging/source/"
target = "s3://site/docs/"
role = "arn:aws:iam::000000000000:role/publisher"
cdn = [{ distribution = "E2EXAMPLE", origin-path = "/docs" }]
"#;

/// Keys made for this test alone.
fn key(bytes: &[u8]) -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(bytes).unwrap()
}

fn key_set(key: &RsaKeyPair) -> String {
    let public: PublicKeyComponents<Vec<u8>> = key.public().into();
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({ "keys": [{ "kty": "RSA", "kid": "one", "alg": "RS256", "n": number(&public.n), "e": number(&public.e) }] })
        .to_string()
}

fn token(key: &RsaKeyPair, header: &Value, claims: &Value) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", part(&signature))
}

/// The account with a CI job whose role has these permissions.
async fn account_with_job(name: &str, permissions: Vec<Grant>, publishes: bool) -> World {
    let world = World::new().await;
    world.account.s3().create_bucket("state").await.unwrap();
    let docs = site(SITE);
    let partition = Partition::default();
    let identity = TrustedIdentity::GitHub {
        repository: "acme@123/docs@456".parse().unwrap(),
        jobs: vec![TrustedJobs::Branch("main".to_owned())],
        workflow: None,
        issuer: None,
        audience: None,
    };
    let mut trusted = trust(&partition, ACCOUNT_ID, &identity).unwrap();
    name.clone_into(&mut trusted.name);
    let mut grants = vec![trusted];
    grants.extend(permissions);
    let publisher = docs.role.as_ref().filter(|_| publishes);
    let role = format!("arn:aws:iam::{ACCOUNT_ID}:role/{name}");
    grants.extend(publisher.map(|publisher| trust_ci_role(&partition, ACCOUNT_ID, &role, publisher)));
    let policy = site_grant(&docs, ACCOUNT_ID, &[]);
    let spec = CiJobSpec {
        identity: &identity,
        partition: &partition,
        account: ACCOUNT_ID,
        grants: &grants,
        publisher: publisher.map(|role| (role.role_name(), &policy)),
    };
    let provisioner = Provisioner::new(&world.publisher().connection);
    let changes = ensure_ci_job(spec, &provisioner.read_ci_job(spec).await.unwrap()).unwrap();
    provisioner.apply(&changes, |_| {}).await.unwrap();
    let found = provisioner.read_ci_job(spec).await.unwrap();
    assert_eq!(ensure_ci_job(spec, &found).unwrap(), [], "a second run changes nothing");
    world.account.iam().set_provider_keys(ISSUER, &key_set(&key(include_bytes!("keys/provider.pk8")))).unwrap();
    world
}

fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": "one" })
}

fn claims(world: &World, subject: &str) -> Value {
    let now = world.account.iam().clock().now().as_second();
    json!({
        "iss": format!("https://{ISSUER}"), "aud": "sts.amazonaws.com", "sub": subject,
        "iat": now - 10, "nbf": now - 10, "exp": now + 300,
    })
}

/// Assumes the role as a job does, without credentials.
async fn assume(world: &World, role: &str, token: String) -> Result<Credentials, String> {
    let config = configuration(world.account.http_client(), Credentials::new("none", "none", None, None, "test"), 1);
    let request = aws_sdk_sts::Client::new(&config)
        .assume_role_with_web_identity()
        .role_arn(format!("arn:aws:iam::{ACCOUNT_ID}:role/{role}"))
        .role_session_name("run")
        .web_identity_token(token);
    let output = request.send().await.map_err(|error| error.code().unwrap_or("no code").to_owned())?;
    assert_eq!(output.audience(), Some("sts.amazonaws.com"));
    let given = output.credentials().unwrap();
    let session = Some(given.session_token().to_owned());
    Ok(Credentials::new(given.access_key_id(), given.secret_access_key(), session, None, "test"))
}

const MAIN: &str = "repo:acme@123/docs@456:ref:refs/heads/main";

#[tokio::test]
async fn a_job_with_a_signed_token_publishes() {
    let world = account_with_job("docs-ci", vec![caller(&[&site(SITE)], ACCOUNT_ID, SessionTags::None)], true).await;
    let put = world.client().put_object().bucket(STAGING).key("source/one/index.html");
    put.body(ByteStream::from_static(b"1")).send().await.unwrap();
    let provider = key(include_bytes!("keys/provider.pk8"));
    let credentials = assume(&world, "docs-ci", token(&provider, &header(), &claims(&world, MAIN))).await.unwrap();
    let publisher = world.publisher_with(credentials, 1);
    let request = tidegate_tests::world::request(format!("s3://{STAGING}/source/one/").parse().unwrap());
    let publish = tidegate_tests::Publish { publisher, site: site(SITE), request };
    let report = publish.publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_eq!(world.site().await.keys(), ["docs/index.html"]);
}

#[tokio::test]
async fn a_job_with_a_signed_token_uploads_builds_and_replaces_none() {
    let (partition, builds) = (Partition::default(), "s3://staging/source/".parse().unwrap());
    let grants = vec![uploader(&partition, &builds), uploader_guard(&partition, &builds)];
    let world = account_with_job("docs-upload", grants, false).await;
    let provider = key(include_bytes!("keys/provider.pk8"));
    let credentials = assume(&world, "docs-upload", token(&provider, &header(), &claims(&world, MAIN))).await.unwrap();
    let config = configuration(world.account.http_client(), credentials, 1);
    let client =
        aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    // As the workflow file: `aws s3api put-object … --if-none-match '*'`.
    let put = |bucket: &str, key: &str| {
        client.put_object().bucket(bucket).key(key).if_none_match("*").body(ByteStream::from_static(b"zip")).send()
    };
    put(STAGING, "source/c0ffee.zip").await.unwrap();
    assert_eq!(put(STAGING, "source/c0ffee.zip").await.unwrap_err().code(), Some("PreconditionFailed"));
    assert_eq!(put("site", "docs/index.html").await.unwrap_err().code(), Some("AccessDenied"));
    assert_eq!(put(STAGING, "elsewhere.zip").await.unwrap_err().code(), Some("AccessDenied"));
}

#[tokio::test]
async fn other_tokens_are_refused() {
    let world = account_with_job("docs-ci", vec![caller(&[&site(SITE)], ACCOUNT_ID, SessionTags::None)], true).await;
    let provider = key(include_bytes!("keys/provider.pk8"));
    let forger = key(include_bytes!("keys/forger.pk8"));
    let with = |name: &str, value: Value| {
        let mut claims = claims(&world, MAIN);
        claims[name] = value;
        claims
    };
    let now = world.account.iam().clock().now().as_second();
    let good = claims(&world, MAIN);
    let signed = token(&provider, &header(), &good);
    let unsigned = format!("{}.", token(&provider, &json!({ "alg": "none" }), &good).rsplit_once('.').unwrap().0);
    let spliced = {
        let other = token(&provider, &header(), &with("sub", json!("repo:evil@1/x@2:pull_request")));
        format!("{}.{}", signed.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1)
    };
    let of = |claims: &Value| token(&provider, &header(), claims);
    for (what, token, expected) in [
        ("another branch", of(&with("sub", json!("repo:acme@123/docs@456:ref:refs/heads/dev"))), "AccessDenied"),
        ("a pull request", of(&with("sub", json!("repo:acme@123/docs@456:pull_request"))), "AccessDenied"),
        (
            "a later owner of the name",
            of(&with("sub", json!("repo:acme@9/docs@8:ref:refs/heads/main"))),
            "AccessDenied",
        ),
        ("the form without ids", of(&with("sub", json!("repo:acme/docs:ref:refs/heads/main"))), "AccessDenied"),
        ("another audience", of(&with("aud", json!("https://github.com/acme"))), "InvalidIdentityToken"),
        (
            "another issuer",
            of(&with("iss", json!("https://token.actions.githubusercontent.com/evil"))),
            "InvalidIdentityToken",
        ),
        ("an old token", of(&with("exp", json!(now - 1))), "ExpiredTokenException"),
        ("another key", token(&forger, &header(), &good), "InvalidIdentityToken"),
        ("no signature", unsigned, "InvalidIdentityToken"),
        (
            "a symmetric algorithm",
            token(&provider, &json!({ "alg": "HS256", "kid": "one" }), &good),
            "InvalidIdentityToken",
        ),
        ("the signature of another token", spliced, "InvalidIdentityToken"),
        ("no token", "a.b.c".to_owned(), "InvalidIdentityToken"),
    ] {
        assert_eq!(assume(&world, "docs-ci", token).await.unwrap_err(), expected, "{what}");
    }
    assert_eq!(assume(&world, "missing", signed.clone()).await.unwrap_err(), "AccessDenied");
    assert!(assume(&world, "docs-ci", signed).await.is_ok());
}
