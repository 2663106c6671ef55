//! Faults at every request of an installation against ministack, and running it again.
//!
//! ministack answers as CloudFormation does when a change set is executed twice or no longer exists. Its client tokens do not
//! make requests idempotent, so a lost response is the harder case here than at AWS.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_credential_types::Credentials;
use tidegate_core::architecture::Architecture;
use tidegate_core::config::Config;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{BucketChange, Change};
use tidegate_iam::deploy::{DeployRequest, PackagePlace, StackDeployer};
use tidegate_iam::stack::{AccountRegion, PackageZip, Publishers, Stack, TemplateFormat};
use tidegate_publish::Connection;
use tidegate_tests::deployed::small_package;
use tidegate_tests::fault::{Faults, InjectedFault};
use tidegate_tests::skipped::skipped;
use tidegate_tests::world;

use crate::server::Server;

const ACCOUNT: &str = "000000000000";

const CONFIGURATION: &str = r#"
state = "s3://acme-artifacts/tidegate/"
[[site]]
name = "docs"
builds = "s3://acme-artifacts/builds/docs/"
target = "s3://docs/"
role = "arn:aws:iam::000000000000:role/tidegate-docs"
"#;

/// What a run of the installation needs.
struct Installation {
    server: Server,
    stack: Stack,
    template: String,
    package: PackageZip,
    place: PackagePlace,
}

impl Installation {
    fn connection(&self, faults: &Faults, attempts: u32) -> Connection {
        let credentials = Credentials::new("test", "test", None, None, "test");
        let config = world::configuration(faults.wrap(Connection::https()), credentials, attempts);
        Connection::new(config.to_builder().endpoint_url(self.server.endpoint()).build(), true)
    }

    /// What `tidegate install --yes` does.
    async fn install(&self, connection: &Connection) -> Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let provisioner = Provisioner::new(connection);
        let deployer = StackDeployer::new(connection, "tidegate", None, None);
        let bucket = self.stack.uploads.first().unwrap().bucket.clone();
        let sends_events = provisioner.buckets().sends_events(&bucket).await.map_err(|error| text(&error))?;
        let request = DeployRequest {
            template: &self.template,
            package: &self.package,
            place: &self.place,
            trusted: None,
            account: ACCOUNT,
        };
        let current = deployer.current(|_| ()).await.map_err(|error| text(&error))?;
        if let Some(prepared) = deployer.prepare(&request, current.as_ref()).await.map_err(|error| text(&error))? {
            deployer.upload_package(&self.package, &self.place).await.map_err(|error| text(&error))?;
            deployer.execute(&prepared, |_| ()).await.map_err(|error| text(&error))?;
        }
        if sends_events != Some(true) {
            let change = Change::Bucket(BucketChange::EnableEventBridge { bucket });
            provisioner.apply(&[change], |_| ()).await.map_err(|error| text(&error))?;
        }
        Ok(())
    }

    /// What `tidegate uninstall --yes` does.
    async fn uninstall(&self, connection: &Connection) -> Result<(), String> {
        let deployer = StackDeployer::new(connection, "tidegate", None, None);
        let current = deployer.current(|_| ()).await.map_err(|error| error.to_string())?;
        let Some(stack) = current else { return Ok(()) };
        deployer.delete(&stack, |_| ()).await.map_err(|error| error.to_string())
    }
}

/// A fault at one request, or at this request and at every later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Once,
    FromThenOn,
}

/// Faults at the request with this number. Signed requests of the SDK's retries count, too.
fn faults_at(number: u64, reach: Reach, fault: InjectedFault) -> (Faults, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let faults = Faults::new(move |_| {
        let at = counted.fetch_add(1, Ordering::Relaxed) + 1;
        let is_hit = at == number || (reach == Reach::FromThenOn && at > number);
        is_hit.then(|| fault.clone())
    });
    (faults, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_command_completes_an_installation_after_any_fault_in_ministack() {
    let test = "the_same_command_completes_an_installation_after_any_fault_in_ministack";
    let server = match Server::start("ministack", |port| vec![port.to_string()]) {
        Ok(server) => server,
        Err(reason) => return skipped(test, &reason),
    };
    let config = Config::parse(CONFIGURATION).unwrap();
    let stack = Stack::new(&config, &AccountRegion::at_deployment(Some(ACCOUNT)), Publishers::Included).unwrap();
    let architecture = Architecture::of_this_machine().unwrap();
    let installation = Installation {
        template: TemplateFormat::CloudFormation.write(&stack).unwrap(),
        package: PackageZip::new(small_package(CONFIGURATION), CONFIGURATION, architecture).unwrap(),
        place: PackagePlace::new(None, &config).unwrap().unwrap(),
        stack,
        server,
    };
    let configuration = installation.server.configuration("test", "test");
    let s3 = aws_sdk_s3::config::Builder::from(&configuration).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    s3.create_bucket().bucket("acme-artifacts").send().await.unwrap();
    let client = aws_sdk_cloudformation::Client::new(&configuration);
    let plain = installation.connection(&Faults::none(), 3);
    let kinds = [
        InjectedFault::Refuse,
        InjectedFault::Lose,
        InjectedFault::answer(503, "ServiceUnavailable"),
        InjectedFault::answer(403, "AccessDenied"),
    ];
    let (mut cases, mut failed) = (0, 0);
    for reach in [Reach::Once, Reach::FromThenOn] {
        for fault in &kinds {
            for number in 1_u64.. {
                let (faults, count) = faults_at(number, reach, fault.clone());
                // A fault that hits once is retried, except where the answer is final. Later ones end the command.
                let attempts = if reach == Reach::Once { 3 } else { 1 };
                let result = installation.install(&installation.connection(&faults, attempts)).await;
                if count.load(Ordering::Relaxed) < number {
                    result.unwrap();
                    break;
                }
                cases += 1;
                failed += u32::from(result.is_err());
                let is_final = matches!(fault, InjectedFault::Answer { status: 403, .. });
                if reach == Reach::Once && !is_final {
                    result.unwrap_or_else(|error| panic!("{fault:?} at {number}: {error}"));
                }
                installation
                    .install(&plain)
                    .await
                    .unwrap_or_else(|error| panic!("again after {fault:?} at {number}: {error}"));
                let found = client.describe_stacks().stack_name("tidegate").send().await.unwrap();
                let status = found.stacks()[0].stack_status().unwrap().as_str();
                assert_eq!(status, "CREATE_COMPLETE", "{fault:?} at {number}");
                let deployed = client.get_template().stack_name("tidegate").send().await.unwrap();
                assert_eq!(deployed.template_body(), Some(installation.template.as_str()));
                let sets = client.list_change_sets().stack_name("tidegate").send().await.unwrap();
                let available = sets
                    .summaries()
                    .iter()
                    .filter(|set| set.execution_status().is_some_and(|status| status.as_str() == "AVAILABLE"));
                assert_eq!(available.count(), 0, "{fault:?} at {number}");
                let events = s3.get_bucket_notification_configuration().bucket("acme-artifacts").send().await.unwrap();
                assert!(events.event_bridge_configuration().is_some(), "{fault:?} at {number}");
                // The same for deleting the stack.
                let (faults, _) = faults_at(number, reach, fault.clone());
                let _ = installation.uninstall(&installation.connection(&faults, attempts)).await;
                installation.uninstall(&plain).await.unwrap();
                assert!(client.describe_stacks().stack_name("tidegate").send().await.is_err());
                let none = aws_sdk_s3::types::NotificationConfiguration::builder().build();
                let request = s3.put_bucket_notification_configuration().bucket("acme-artifacts");
                request.notification_configuration(none).send().await.unwrap();
            }
        }
    }
    println!("{cases} faults, {failed} of which ended the command");
    assert!(cases > 80 && failed > 40, "{cases} faults, {failed} of which ended the command");
}
