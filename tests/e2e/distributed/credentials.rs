//! The credentials of a worker: what its shard needs, in the folder of its keys, and nothing else.

use aws_credential_types::Credentials;
use tidegate_tests::releases::STATE;

use super::*;
use crate::credentials::{ROLE, create_unrestricted_role};

/// The session policies that roles were assumed with, in order.
fn policies(world: &World) -> Vec<String> {
    let requests = world.recorder.requests();
    let assumed = requests.iter().filter(|request| request.text.contains("Action=AssumeRole"));
    let policy = |text: &str| {
        let body = text.rsplit('\n').next().unwrap().to_owned();
        url::form_urlencoded::parse(body.as_bytes())
            .find(|(name, _)| name == "Policy")
            .map(|(_, value)| value.into_owned())
    };
    assumed.filter_map(|request| policy(&request.text)).collect()
}

/// A client with a session of the role that has this policy.
async fn client(world: &World, policy: &str) -> aws_sdk_s3::Client {
    let config = tidegate_tests::world::configuration(world.account.http_client(), world.account.root_credentials(), 1);
    let sts = aws_sdk_sts::Client::new(&config);
    let assumed = sts.assume_role().role_arn(ROLE).role_session_name("worker").policy(policy).send().await.unwrap();
    let given = assumed.credentials.unwrap();
    let session =
        Credentials::new(given.access_key_id, given.secret_access_key, Some(given.session_token), None, "test");
    let config = tidegate_tests::world::configuration(world.account.http_client(), session, 1);
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build())
}

async fn with_role(kind: SourceKind) -> (World, Publish) {
    let (world, mut publish) = set_up(kind).await;
    create_unrestricted_role(&world);
    let with_role = second_configuration().replace("keep =", &format!("role = \"{ROLE}\"\nkeep ="));
    publish.site = site(&with_role);
    (world, publish)
}

#[tokio::test]
async fn a_worker_can_do_what_its_shard_says_and_nothing_else() {
    for kind in [SourceKind::Prefix, SourceKind::StagedZip] {
        let (world, publish) = with_role(kind).await;
        let run = started(&publish).await;
        let mut folders = BTreeSet::new();
        for phase in ShardPhase::ALL {
            for task in run.tasks(phase) {
                world.clear_requests();
                assert!(execute(&publish, &task).await.unwrap().is_done());
                let policies = policies(&world);
                let [policy] = policies.as_slice() else { panic!("{policies:?}") };
                assert!(!policy.contains("cloudfront") && !policy.contains("Delete"), "{policy}");
                let shard = run.shards.iter().find(|shard| shard.number == task.shard).unwrap();
                let folder = shard.first.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
                let within = |folder: &&str| shard.last.as_str().starts_with(&format!("{folder}/"));
                let folder = Some(folder).filter(within).unwrap_or_default();
                folders.insert(folder.to_owned());
                let worker = client(&world, policy).await;
                let put = async |bucket: &str, key: &str| {
                    worker.put_object().bucket(bucket).key(key).body(b"x".to_vec().into()).send().await.is_ok()
                };
                // Outside of the site, the state, and the source.
                assert!(!put(BUCKET, "x").await && !put(BUCKET, "other/x").await, "{policy}");
                assert!(
                    !put(STATE, "tidegate/docs/current.json").await && !put("staging", "build/x").await,
                    "{policy}"
                );
                if !folder.is_empty() {
                    assert!(!put(BUCKET, "docs/x.html").await && !put(BUCKET, "docs/other/x").await, "{policy}");
                }
                let archives = put(STATE, "tidegate/docs/bodies/x").await;
                assert_eq!(archives, phase == ShardPhase::Archive, "{policy}");
                let key = format!("docs/{}", shard.first.as_str());
                let deleted = worker.delete_object().bucket(BUCKET).key(&key).send().await;
                assert!(deleted.is_err(), "{policy}");
                assert!(worker.list_objects_v2().bucket(BUCKET).send().await.is_err(), "{policy}");
                if archives {
                    world.client().delete_object().bucket(STATE).key("tidegate/docs/bodies/x").send().await.unwrap();
                }
            }
        }
        assert!(folders.len() > 2, "{folders:?}");
        let report = finish(&world, &publish).await.unwrap();
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        assert_tidy(&world.account).await;
    }
}

#[tokio::test]
async fn a_worker_limits_its_own_temporary_credentials_to_its_shard() {
    let (world, mut publish) = set_up(SourceKind::Prefix).await;
    let caller = crate::credentials::scoped::role_session(&world, "deployer", ALL_WITH_SCOPE).await;
    publish.publisher = world.publisher_with(caller, 1);
    publish.publisher.shard_operations = 2;
    let run = started(&publish).await;
    world.clear_requests();
    execute_all(&publish, &run, &mut fastrand::Rng::with_seed(1)).await;
    let policies = crate::credentials::scoped::policies(&world);
    assert!(!policies.is_empty());
    assert!(policies.iter().any(|policy| policy.contains("arn:aws:s3:::site/docs/a/*")), "{policies:?}");
    assert!(policies.iter().all(|policy| !policy.contains("cloudfront") && !policy.contains("Delete")), "{policies:?}");
    assert_eq!(finish(&world, &publish).await.unwrap().outcome, Outcome::Live);
    assert_tidy(&world.account).await;
}

/// A policy that allows everything that a run could need.
const ALL_WITH_SCOPE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","cloudfront:*","sts:GetScopedCredentials"],"Resource":"*"}]}"#;
