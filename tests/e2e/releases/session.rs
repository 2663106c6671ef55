//! Releases of a site with a role: the session policy of each plan is sufficient, including for copies to and from the
//! state.

use tidegate_core::report::Outcome;
use tidegate_emulator::s3::ObjectEncryption;
use tidegate_tests::world::site;

use super::*;

const KEEP: &str = "{ releases = 2, days = 0 }";
const ROLE: &str = "arn:aws:iam::000000000000:role/publisher";
const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/0a1b2c3d";

/// A role that allows everything, so that only the session policy can deny a request.
fn create_unrestricted_role(world: &World) {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;
    let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","cloudfront:*","kms:*"],"Resource":"*"}]}"#;
    assert_eq!(world.account.iam().create_role("publisher", trust, &[("all", all)]).unwrap(), ROLE);
}

/// The same publish with the role, and with `more` in the configuration of the site.
fn with_role(mut publish: Publish, more: &str) -> Publish {
    let role = format!("role = \"{ROLE}\"\n{more}\n\n[[site.sync]]");
    publish.site = site(&configuration(KEEP).replacen("[[site.sync]]", &role, 1));
    publish
}

const ONE: Files<'_> = &[("index.html", "one"), ("a1.css", "1"), ("old.html", "o"), ("x.js", "x")];
const TWO: Files<'_> = &[("index.html", "two"), ("a2.css", "2"), ("x.js", "y")];

/// Publishes two releases and rolls back to the first.
async fn publish_and_roll_back(more: &str, encrypted: bool) {
    let world = world().await;
    create_unrestricted_role(&world);
    if encrypted {
        for bucket in [BUCKET, STATE] {
            let default = ObjectEncryption {
                algorithm: "aws:kms".to_owned(),
                kms_key: Some(KEY.to_owned()),
                bucket_key: Some(true),
            };
            world.account.s3().set_encryption(bucket, default).await.unwrap();
        }
    }
    for (name, files) in [("c1", ONE), ("c2", TWO)] {
        let report = with_role(publish_of(&world, KEEP, name, files).await, more).publish().await.unwrap();
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        assert_tidy(&world.account).await;
        let again = with_role(publish_of(&world, KEEP, name, files).await, more).publish().await.unwrap();
        assert_eq!(again.outcome, Outcome::Unchanged, "{again}");
    }
    let report = with_role(rollback_to(&world, KEEP, "r1"), more).publish().await.unwrap();
    assert_eq!(report.outcome, Outcome::Live, "{report}");
    assert_tidy(&world.account).await;
    assert_eq!(visible(&world.account).await.get("index.html").map(String::as_str), Some("one"));
    assert_eq!(visible(&world.account).await.get("old.html").map(String::as_str), Some("o"));
}

#[tokio::test]
async fn the_session_policy_suffices_to_publish_and_roll_back() {
    publish_and_roll_back("", false).await;
}

#[tokio::test]
async fn the_session_policy_suffices_with_kms_encryption() {
    publish_and_roll_back("objects = { encryption = \"aws:kms\" }", true).await;
    publish_and_roll_back(&format!("objects = {{ encryption = \"aws:kms\", kms-key = \"{KEY}\" }}"), true).await;
}
