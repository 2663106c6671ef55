//! `tidegate policy trust`: printed, applied to a role that exists, and with the OIDC provider that it needs.

use serde_json::Value;

use super::TestDirectory;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const TRUST: [&str; 6] = ["policy", "trust", "--account", "000000000000", "--name", "docs-ci"];

fn run(directory: &TestDirectory, more: &[&str]) -> (String, String) {
    let output = directory.run(&[&TRUST[..], more].concat());
    assert_eq!(output.status.code(), Some(0), "{more:?}: {}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn applies_trust_to_roles_that_exist_and_shows_the_difference() {
    let directory = TestDirectory::new("");
    let (_, created) = run(&directory, &["--github", "acme", "--apply"]);
    assert_eq!(
        created.lines().take(2).collect::<Vec<_>>(),
        [
            "create the OIDC provider https://token.actions.githubusercontent.com for the audience `sts.amazonaws.com`",
            "create the role `/docs-ci`",
        ]
    );
    assert!(created.contains("# without ids, only the names are trusted"), "{created}");

    // A role that trusts a whole organization is narrowed to a branch of one repository.
    let narrow = ["--github", "acme@123/docs@456", "--branch", "main", "--apply"];
    let (planned, _) = run(&directory, &[&narrow[..], &["--dry-run"]].concat());
    let lines: Vec<&str> = planned.lines().take(3).collect();
    assert_eq!(lines[0], "would set the trust policy of the role `docs-ci`");
    assert!(lines[1].starts_with("  - {") && lines[1].contains("repo:acme/*"), "{planned}");
    assert!(
        lines[2].starts_with("  + {") && lines[2].contains("repo:acme@123/docs@456:ref:refs/heads/main"),
        "{planned}"
    );
    let (_, applied) = run(&directory, &narrow);
    assert!(applied.contains("  - {") && applied.contains("  + {"), "{applied}");
    assert_eq!(run(&directory, &[&narrow[..], &["--dry-run"]].concat()).0, "up to date\n");

    // Another provider is added beside it, and each keeps what the other trusts.
    let gitlab = ["--gitlab", "acme/docs", "--branch", "main", "--apply"];
    let (_, added) = run(&directory, &gitlab);
    assert!(
        added.starts_with("create the OIDC provider https://gitlab.com for the audience `https://gitlab.com`\n"),
        "{added}"
    );
    assert!(!added.contains("  - {"), "{added}");
    let json = directory.run(&["--json", "credentials", "list-roles", "--details"]);
    let roles: Value = serde_json::from_slice(&json.stdout).unwrap_or_default();
    let shown = roles.to_string();
    assert!(shown.contains("repo:acme@123/docs@456") && shown.contains("project_path:acme/docs"), "{shown}");

    // An audience that the provider lacks.
    let audience = ["--github", "acme@123/docs@456", "--branch", "main", "--audience", "tidegate", "--apply"];
    let (_, changed) = run(&directory, &audience);
    assert!(
        changed.starts_with("add the audience `tidegate` to arn:aws:iam::000000000000:oidc-provider/"),
        "{changed}"
    );
}

#[test]
fn selects_jobs_and_lints_what_it_prints() {
    let directory = TestDirectory::new("");
    let printed = run(
        &directory,
        &["--github", "acme@1/docs@2", "--branch", "main", "--branch", "release/*", "--tag", "v*", "--pull-requests"],
    )
    .0;
    for subject in ["ref:refs/heads/main", "ref:refs/heads/release/*", "ref:refs/tags/v*", "pull_request"] {
        assert!(printed.contains(&format!("\"repo:acme@1/docs@2:{subject}\"")), "{printed}");
    }
    std::fs::write(directory.path().join("trust.json"), &printed).unwrap();
    let linted = directory.run(&["policy", "lint", "trust.json", "--role", "trust"]);
    assert_eq!(text(&linted.stdout), "no findings\n");
    let environment = run(&directory, &["--github", "acme@1/docs@2", "--environment", "Production:V1"]).0;
    assert!(environment.contains("repo:acme@1/docs@2:environment:Production%3AV1"), "{environment}");
    std::fs::write(directory.path().join("open.json"), printed.replace("acme@1/docs@2:ref", "acme*:ref")).unwrap();
    let open = directory.run(&["policy", "lint", "open.json", "--role", "trust"]);
    assert!(text(&open.stdout).contains("warning  /Statement/0/Condition/StringLike/"), "{}", text(&open.stdout));
    for wrong in [["--gitlab", "acme/docs", "--environment", "x"], ["--github", "acme/docs", "--branch", "a b"]] {
        let output = directory.run(&[&TRUST[..], &wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

const CI_SITE: &str = r#"
state = "s3://acme-artifacts/tidegate/"

[[site]]
name = "docs"
builds = "s3://acme-artifacts/builds/docs/"
target = "s3://docs-site/"
role = "arn:aws:iam::000000000000:role/tidegate-docs"
"#;

/// One command makes the role, its trust, its permissions, the publisher role's trust and the workflow file.
#[test]
fn makes_a_complete_ci_job() {
    let directory = TestDirectory::new(CI_SITE);
    let ci = |more: &[&str]| {
        let output = directory.run(&[&["--region", "eu-central-1", "policy", "ci", "docs"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{more:?}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let github = ["--github", "acme@1/docs@2"];
    let (workflow, hints) = ci(&github);
    for expected in [
        "    branches: [\"main\"]\n",
        "  id-token: write",
        "          role-to-assume: arn:aws:iam::000000000000:role/docs-ci\n          aws-region: eu-central-1\n",
        "          tidegate publish docs --from public/ --release \"$GITHUB_SHA\" --commit-time \"$(git log -1 --format=%ct)\"\n",
    ] {
        assert!(workflow.contains(expected), "{workflow}");
    }
    assert!(hints.contains(".github/workflows/publish.yml") && hints.contains("add `--apply`"), "{hints}");
    let documents: Value = serde_json::from_str(&ci(&[&github[..], &["--format", "json"]].concat()).0).unwrap();
    assert!(documents["trust"].to_string().contains("repo:acme@1/docs@2:ref:refs/heads/main"), "{documents:#}");
    assert!(documents["policy"].to_string().contains("role/tidegate-docs"), "{documents:#}");

    let bucket = directory.run(&["policy", "ci", "docs", "--github", "acme/docs"]);
    assert!(text(&bucket.stderr).contains("name it with `--region`"), "{}", text(&bucket.stderr));

    let (applied_workflow, changes) = ci(&[&github[..], &["--apply"]].concat());
    assert_eq!(applied_workflow, workflow);
    assert_eq!(
        changes.lines().take(5).collect::<Vec<_>>(),
        [
            "create the OIDC provider https://token.actions.githubusercontent.com for the audience `sts.amazonaws.com`",
            "create the role `/docs-ci`",
            "set the policy `docs-ci-publish` of the role `docs-ci`",
            "create the role `/tidegate-docs`",
            "set the policy `tidegate-site-docs` of the role `tidegate-docs`",
        ]
    );
    assert_eq!(ci(&[&github[..], &["--apply", "--dry-run"]].concat()).0, "up to date\n");

    // A second job: the publisher role trusts both.
    let gitlab = ["--gitlab", "acme/docs", "--branch", "release/*", "--tag", "v1", "--name", "docs-gitlab"];
    let (pipeline, changes) = ci(&[&gitlab[..], &["--apply"]].concat());
    assert!(changes.contains("set the trust policy of the role `tidegate-docs`\n  + {"), "{changes}");
    assert!(!changes.contains("  - {"), "{changes}");
    assert!(pipeline.contains(r#"    - if: "$CI_COMMIT_BRANCH =~ /^release\\/.*$/""#), "{pipeline}");
    assert!(pipeline.contains(r#"    - if: "$CI_COMMIT_TAG == \"v1\"""#), "{pipeline}");

    // Uploads go to `builds`, and can replace none.
    let bucket = directory.run(&["credentials", "create", "acme-artifacts", "--create-bucket"]);
    assert_eq!(bucket.status.code(), Some(0), "{}", text(&bucket.stderr));
    let upload = ["--github", "acme@1/docs@2", "--upload", "--name", "docs-upload"];
    let (uploads, _) = ci(&upload);
    let put = "aws s3api put-object --bucket acme-artifacts --key builds/docs/\"$GITHUB_SHA.zip\" --body site.zip --if-none-match '*'";
    assert!(uploads.contains(put) && !uploads.contains("tidegate publish"), "{uploads}");
    let (planned, _) = ci(&[&upload[..], &["--apply", "--dry-run"]].concat());
    assert!(planned.contains("would set the policy of the bucket `acme-artifacts`"), "{planned}");
    assert!(planned.contains("\"arn:aws:s3:::acme-artifacts/builds/docs/*\""), "{planned}");
}
