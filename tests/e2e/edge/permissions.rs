//! Credentials that are limited to the plan of a site with an edge.

use tidegate_core::config::CredentialMode;
use tidegate_core::policy_document::STORE_ACTIONS;

use super::releases::KEEP;
use super::*;
use crate::credentials::scoped::{policies, role_session};

/// Everything that a run could need, and scoping.
const ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","cloudfront:*","cloudfront-keyvaluestore:*","sts:GetScopedCredentials"],"Resource":"*"}]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_credentials_of_a_plan_switch_the_store_of_the_site_alone() {
    let world = world().await;
    let store = create_store(&world).await;
    let configuration = edge_configuration(KEEP, &format!("releases = \"atomic\"\nstore = \"{store}\""));
    let caller = role_session(&world, "deployer", ALL).await;
    for n in 1..=2 {
        let text = format!("home {n}");
        let mut publish = publish_edge(&world, &configuration, &format!("c{n}"), &[("index.html", &text)]).await;
        publish.publisher = world.publisher_with(caller.clone(), 1);
        let report = publish.publish().await.unwrap();
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        assert_eq!(report.credentials.as_ref().unwrap().mode, CredentialMode::Scoped);
    }
    let policies = policies(&world);
    let writing: Vec<_> = policies.iter().filter(|policy| policy.contains("PutObject")).collect();
    assert!(writing.iter().all(|policy| policy.contains(&store)), "{writing:?}");
    assert!(!policies.iter().any(|policy| policy.contains("UpdateDistribution") || policy.contains("UpdateFunction")));
    let planning: Vec<_> = policies.iter().filter(|policy| !policy.contains("PutObject")).collect();
    assert!(!planning.is_empty() && planning.iter().all(|policy| !policy.contains("keyvaluestore")), "{planning:?}");
    // Without one of the actions, the switch fails and the release is pending.
    for action in STORE_ACTIONS {
        let others: Vec<String> =
            STORE_ACTIONS.iter().filter(|other| **other != action).map(|other| format!("\"{other}\"")).collect();
        let without = ALL.replace("\"cloudfront-keyvaluestore:*\"", &others.join(","));
        let name = format!("without-{}", action.rsplit(':').next().unwrap());
        let credentials = role_session(&world, &name, &without).await;
        let text = format!("home {action}");
        let release = action.replace(':', "-");
        // Another program moves the store, so that the pointer is read.
        touch(&world, &store).await;
        let mut publish = publish_edge(&world, &configuration, &release, &[("index.html", &text)]).await;
        publish.publisher = world.publisher_with(credentials, 1);
        let report = publish.publish().await.unwrap();
        assert_eq!(report.outcome, Outcome::LiveSwitchPending, "{action}: {report}");
        assert!(report.to_string().contains("AccessDenied"), "{report}");
    }
}
