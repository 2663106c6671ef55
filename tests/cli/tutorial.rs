//! The tutorial from an empty account, with the AWS CLI: its own commands and configuration, against the emulator.

use std::path::Path;
use std::process::{Command, Output};

use axum::body::Body;
use http::Request;
use tidegate_emulator::{LocalAws, preview};
use tidegate_tests::binary::binary;
use tidegate_tests::skipped::skipped;
use tower::ServiceExt as _;

use crate::first_hour::Project;

const TUTORIAL: &str = include_str!("../../docs/from-an-empty-account.md");

/// The commands of the console blocks in a section.
fn commands(section: &str) -> String {
    let text = TUTORIAL.split("\n## ").find(|text| text.starts_with(section)).unwrap();
    let mut commands = String::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let mut in_command = false;
        for line in block.lines() {
            // A command goes on in the lines below it, except for the output of `tidegate`.
            in_command = line.starts_with("$ ") || in_command && !line.starts_with('…') && !line.starts_with("store =");
            if in_command {
                commands.push_str(line.strip_prefix("$ ").unwrap_or(line));
                commands.push('\n');
            }
        }
    }
    commands
}

/// Runs commands in a shell where `aws` is the AWS CLI against an endpoint, and `tidegate` runs against `aws/`.
async fn shell(project: &Project, aws: &Path, endpoint: &str, script: String) -> Output {
    let mut command = Command::new("bash");
    // With an endpoint of one's own, the AWS CLI does not know that CloudFront is in us-east-1. Version 1, which a Python
    // package can install, reads `AWS_DEFAULT_REGION` only.
    let functions = format!(
        "aws() {{ case $1 in cloudfront) set -- \"$@\" --region us-east-1;; esac; '{}' \"$@\"; }}\n\
         tidegate() {{ '{}' --local aws \"$@\"; }}\n",
        aws.display(),
        binary().display()
    );
    command.args(["-euc", &(functions + &script)]).current_dir(project.path(".")).env_clear();
    command.env("HOME", project.path(".")).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("XDG_CACHE_HOME", tidegate_tests::binary::cache()).env("AWS_MAX_ATTEMPTS", "1");
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_DEFAULT_REGION", "eu-central-1");
    let key = std::fs::read_to_string(project.path("key")).unwrap();
    let (id, secret) = key.split_once(' ').unwrap();
    command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tutorial_leads_from_an_empty_account_to_a_site_with_an_edge() {
    let aws = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/awscli/bin/aws");
    if !aws.exists() {
        let reason = "the AWS CLI is not installed; run `scripts/servers install awscli`";
        return skipped("the_tutorial_leads_from_an_empty_account_to_a_site_with_an_edge", reason);
    }
    let project = Project::new("");
    project.build(
        "public",
        &[
            ("index.html", "home"),
            ("guide/index.html", "guide"),
            ("404.html", "lost"),
            ("_redirects", "/old /guide/ 302\n"),
        ],
    );
    let setup = commands("1. Create two buckets and a distribution");
    let preamble = TUTORIAL.split("\n## ").next().unwrap();
    let variables: String =
        preamble.lines().filter_map(|line| line.strip_prefix("$ ")).map(|line| format!("{line}\n")).collect();
    assert!(variables.contains("account=$(aws sts") && setup.contains("create-distribution"), "{variables}{setup}");

    // Step 1, with the AWS CLI.
    let account = LocalAws::open(&project.path("aws")).unwrap();
    let root = account.root_credentials();
    std::fs::write(project.path("key"), format!("{} {}", root.access_key_id(), root.secret_access_key())).unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = account.clone();
    let server = tokio::spawn(async move { served.serve(listener, async { drop(stopped.await) }).await });
    let print = "printf 'account=%s site=%s artifacts=%s distribution=%s\\n' $account $site $artifacts $distribution > variables";
    text(&shell(&project, &aws, &endpoint, format!("{variables}{setup}{print}")).await);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    drop(account);

    // Step 2: the configuration, the edge, and a publish.
    let step = commands("2. Write the configuration");
    let (before, install) = step.split_once("tidegate edge install docs").unwrap();
    assert!(before.contains("tidegate check") && install.trim().is_empty(), "{step}");
    let before = before.replace("tidegate --local aws", "tidegate");
    let known = "source variables\n";
    text(&shell(&project, &aws, &endpoint, format!("{known}{before}")).await);
    let installed = text(&shell(&project, &aws, &endpoint, "tidegate edge install docs --yes".to_owned()).await);
    let store = installed.lines().last().unwrap();
    assert!(store.starts_with("store = \"arn:aws:cloudfront::"), "{installed}");
    let configuration = std::fs::read_to_string(project.path("tidegate.toml")).unwrap();
    assert!(configuration.contains("[site.edge]\n"), "{configuration}");
    let with_store = configuration.replace("[site.edge]\n", &format!("[site.edge]\n{store}\n"));
    std::fs::write(project.path("tidegate.toml"), with_store).unwrap();
    text(
        &shell(
            &project,
            &aws,
            &endpoint,
            "tidegate publish docs --from public/ && tidegate edge check docs".to_owned(),
        )
        .await,
    );

    // What visitors get.
    let account = LocalAws::open(&project.path("aws")).unwrap();
    let variables = std::fs::read_to_string(project.path("variables")).unwrap();
    let distribution = variables.trim().rsplit('=').next().unwrap();
    let router = preview::router(account.cloudfront(), account.s3(), distribution).unwrap();
    for (path, status, body) in [
        ("/", 200, "home"),
        ("/guide/", 200, "guide"),
        ("/old", 302, ""),
        ("/none", 404, "lost"),
        ("/.r/now", 200, "r2\n"),
    ] {
        let request = Request::builder().uri(path).header("host", "docs.example.com").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), body, "{path}");
    }
}

/// What the emulator lacks of CloudFront is refused with the name of what is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_emulator_lacks_is_refused_by_name() {
    let aws = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/awscli/bin/aws");
    if !aws.exists() {
        let reason = "the AWS CLI is not installed; run `scripts/servers install awscli`";
        return skipped("what_the_emulator_lacks_is_refused_by_name", reason);
    }
    let project = Project::new("");
    let account = LocalAws::in_memory().unwrap();
    let root = account.root_credentials();
    std::fs::write(project.path("key"), format!("{} {}", root.access_key_id(), root.secret_access_key())).unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { account.serve(listener, std::future::pending()).await });
    for (command, missing) in [
        ("list-public-keys", "the emulator does not support GET /2020-05-31/public-key"),
        (
            "create-function --name f --function-config Comment=,Runtime=cloudfront-js-1.0 --function-code fileb://key",
            "the emulator runs functions of cloudfront-js-2.0 only",
        ),
        ("list-cache-policies", "the emulator does not support GET /2020-05-31/cache-policy"),
    ] {
        let output = shell(&project, &aws, &endpoint, format!("aws cloudfront {command}")).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(missing), "{command}: {stderr}");
    }
}
