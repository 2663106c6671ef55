//! The AWS CLI with the credentials of `tidegate policy uploader`, against the emulator, which enforces the policy: what
//! the documentation says to type works, and nothing else does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use tidegate_emulator::LocalAws;
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{Grant, UploadPlace, upload_grant, uploader, uploader_guard};
use tidegate_tests::skipped::skipped;

/// The bucket of the builds.
const BUCKET: &str = "acme-artifacts";

/// More than the 8 MB from which the AWS CLI uploads in parts.
const LARGE: usize = 9 * 1024 * 1024;

fn program(test: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/awscli/bin/aws");
    if !path.exists() {
        skipped(test, "the AWS CLI is not installed; run `scripts/servers install awscli`");
        return None;
    }
    Some(path)
}

/// A bucket, and the AWS CLI with the credentials of a user that has one policy.
struct Uploader {
    account: LocalAws,
    directory: TempDir,
    program: PathBuf,
    endpoint: String,
    key: tidegate_emulator::iam::AccessKey,
}

impl Uploader {
    async fn new(program: PathBuf, grant: &Grant) -> Self {
        let account = LocalAws::in_memory().unwrap();
        account.s3().create_bucket(BUCKET).await.unwrap();
        account.iam().create_user("ci", &[("grant", &grant.document.compact().unwrap())]).unwrap();
        let key = account.iam().create_access_key("ci").unwrap();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let served = account.clone();
        tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
        let directory = TempDir::new().unwrap();
        let public = directory.path().join("public");
        std::fs::create_dir_all(public.join("a folder")).unwrap();
        for name in ["index.html", "a folder/page.html"] {
            std::fs::write(public.join(name), name).unwrap();
        }
        std::fs::write(public.join("large.bin"), vec![7; LARGE]).unwrap();
        std::fs::write(directory.path().join("site.zip"), vec![8; LARGE]).unwrap();
        Self { account, directory, program, endpoint, key }
    }

    /// Runs a command line as the documentation has it.
    async fn run(&self, line: &str) -> Output {
        let mut command = Command::new("sh");
        let line = line.replacen("aws ", &format!("'{}' ", self.program.display()), 1);
        command
            .args(["-ec", &line])
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_ACCESS_KEY_ID", &self.key.id)
            .env("AWS_SECRET_ACCESS_KEY", &self.key.secret);
        // The emulator answers in this process meanwhile.
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn works(&self, line: &str) {
        let output = self.run(line).await;
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    async fn is_denied(&self, line: &str) {
        let output = self.run(line).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains("AccessDenied"), "{line}: {stderr}");
    }

    async fn keys(&self) -> Vec<String> {
        let root = self.account.root_credentials();
        let config = tidegate_tests::world::configuration(self.account.http_client(), root, 1);
        let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let listed = aws_sdk_s3::Client::from_conf(config).list_objects_v2().bucket(BUCKET).send().await.unwrap();
        listed.contents().iter().filter_map(|object| object.key.clone()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_cli_uploads_builds_with_the_uploader_s_policy() {
    let Some(program) = program("the_aws_cli_uploads_builds_with_the_uploader_s_policy") else { return };
    let builds = format!("s3://{BUCKET}/builds/docs/").parse().unwrap();
    let uploader = Uploader::new(program, &uploader(&Partition::default(), &builds)).await;
    // As in docs/triggers.md; the second time, the objects exist.
    for _ in 0..2 {
        uploader.works(&format!("aws s3 cp site.zip s3://{BUCKET}/builds/docs/c0ffee.zip")).await;
        uploader.works(&format!("aws s3 sync public/ s3://{BUCKET}/builds/docs/c0ffee/")).await;
        uploader.works(&format!("aws s3 cp --recursive public/ s3://{BUCKET}/builds/docs/cafe/")).await;
        uploader.works(&format!("aws s3api put-object --bucket {BUCKET} --key builds/docs/c0ffee/.ready")).await;
    }
    let folder = ["a folder/page.html", "index.html", "large.bin"];
    let mut expected: Vec<String> = folder.map(|name| format!("builds/docs/c0ffee/{name}")).into();
    expected.extend(folder.map(|name| format!("builds/docs/cafe/{name}")));
    expected.extend(["builds/docs/c0ffee.zip".to_owned(), "builds/docs/c0ffee/.ready".to_owned()]);
    expected.sort();
    assert_eq!(uploader.keys().await, expected);
    for line in [
        format!("aws s3 cp site.zip s3://{BUCKET}/builds/docs2/c0ffee.zip"),
        format!("aws s3 cp site.zip s3://{BUCKET}/c0ffee.zip"),
        format!("aws s3 sync public/ s3://{BUCKET}/builds/"),
        format!("aws s3 rm s3://{BUCKET}/builds/docs/c0ffee.zip"),
        format!("aws s3api get-object --bucket {BUCKET} --key builds/docs/c0ffee.zip stolen"),
        format!("aws s3 ls s3://{BUCKET}/"),
    ] {
        uploader.is_denied(&line).await;
    }
    assert_eq!(uploader.keys().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_cli_replaces_a_staged_build_with_the_uploader_s_policy() {
    let Some(program) = program("the_aws_cli_replaces_a_staged_build_with_the_uploader_s_policy") else { return };
    let places = [
        UploadPlace::Staged(format!("s3://{BUCKET}/staged/").parse().unwrap()),
        UploadPlace::Zip(format!("s3://{BUCKET}/site.zip").parse().unwrap()),
    ];
    let uploader = Uploader::new(program, &upload_grant(&Partition::default(), &places, None)).await;
    let sync = format!("aws s3 sync public/ s3://{BUCKET}/staged/ --delete");
    let ready = format!("aws s3api put-object --bucket {BUCKET} --key staged/.ready");
    uploader.works(&sync).await;
    uploader.works(&ready).await;
    // The next build: one file is changed, one is gone.
    std::fs::write(uploader.directory.path().join("public/index.html"), "another length").unwrap();
    std::fs::remove_file(uploader.directory.path().join("public/large.bin")).unwrap();
    uploader.works(&sync).await;
    uploader.works(&ready).await;
    assert_eq!(uploader.keys().await, ["staged/.ready", "staged/a folder/page.html", "staged/index.html"]);
    for _ in 0..2 {
        uploader.works(&format!("aws s3 cp site.zip s3://{BUCKET}/site.zip")).await;
    }
    uploader.is_denied(&format!("aws s3 rm s3://{BUCKET}/site.zip")).await;
    uploader.is_denied(&format!("aws s3 sync public/ s3://{BUCKET}/staged2/")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_create_only_the_aws_cli_adds_builds_and_replaces_none() {
    let Some(program) = program("with_create_only_the_aws_cli_adds_builds_and_replaces_none") else { return };
    let builds = format!("s3://{BUCKET}/builds/docs/").parse().unwrap();
    let uploader = Uploader::new(program, &uploader(&Partition::default(), &builds)).await;
    let guard = uploader_guard(&Partition::default(), &builds).document.compact().unwrap();
    uploader.account.s3().set_policy(BUCKET, Some(guard)).await.unwrap();
    let put = format!(
        "aws s3api put-object --bucket {BUCKET} --key builds/docs/c0ffee.zip --body site.zip --if-none-match '*'"
    );
    uploader.works(&put).await;
    let again = uploader.run(&put).await;
    let stderr = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && stderr.contains("PreconditionFailed"), "{stderr}");
    uploader.is_denied(&format!("aws s3 cp site.zip s3://{BUCKET}/builds/docs/c0ffee.zip")).await;
    assert_eq!(uploader.keys().await, ["builds/docs/c0ffee.zip"]);
}
