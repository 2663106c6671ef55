//! Rules: which events they match, what they publish, and which rules a configuration may have.

use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_lambda::github::{FileOrigin, MAX_DESCRIPTION, RunState};
use tidegate_lambda::trigger::ArtifactRef;
use tidegate_lambda::webhook::WebhookDecision;

use crate::support::{both_secrets, decide, fixture, github_config, github_request, outcome, with};

#[test]
fn matches_events_by_rule() {
    let push = fixture("github-push");
    let tag = fixture("github-push-tag");
    let release = fixture("github-release");
    let run = fixture("github-workflow-run");
    let deployment = fixture("github-deployment-status");
    let on = |payload: &Value, branch: &str| with(payload.clone(), &[("/ref", json!(format!("refs/heads/{branch}")))]);
    let run_of = |branch: &str| with(run.clone(), &[("/workflow_run/head_branch", json!(branch))]);
    let preview = with(deployment.clone(), &[("/deployment/environment", json!("preview/7"))]);
    let by_commit = with(deployment.clone(), &[("/deployment/ref", json!("6113728f27ae82c7b1a177c8d03f9e96e0adf246"))]);
    let runs = "events = [\"workflow_run\"]\n";
    let deployments = "events = [\"deployment_status\"]\nenvironment = \"production\"\n";
    for (rule, event, payload, publishes) in [
        ("branch = \"main\"", "push", &push, true),
        ("branch = \"main\"", "push", &tag, false),
        ("branch = \"main\"", "release", &release, false),
        ("branch = \"release/*\"", "push", &on(&push, "release/1.2"), true),
        ("branch = \"release/*\"", "push", &on(&push, "release/1/2"), false),
        ("branch = \"release/*\"", "push", &on(&push, "main"), false),
        ("branch = \"Main\"", "push", &push, false),
        ("tag = \"v*\"", "push", &tag, true),
        ("tag = \"v*\"", "push", &push, false),
        ("tag = \"w*\"", "push", &tag, false),
        ("tag = \"v*\"\nevents = [\"release\"]", "release", &release, true),
        ("tag = \"w*\"\nevents = [\"release\"]", "release", &release, false),
        ("events = [\"release\"]", "release", &release, true),
        ("events = [\"release\"]", "push", &tag, false),
        ("branch = \"main\"\nevents = [\"push\", \"release\", \"workflow_run\"]", "release", &release, true),
        (&format!("{runs}branch = \"main\""), "workflow_run", &run, true),
        (&format!("{runs}branch = \"main\""), "push", &push, false),
        (&format!("{runs}branch = \"main\""), "workflow_run", &run_of("topic"), false),
        (&format!("{runs}tag = \"v*\""), "workflow_run", &run_of("v1"), true),
        (&format!("{runs}branch = \"main\"\nworkflow = \"site.yml\""), "workflow_run", &run, true),
        (&format!("{runs}branch = \"main\"\nworkflow = \"Build the site\""), "workflow_run", &run, true),
        (&format!("{runs}branch = \"main\"\nworkflow = \"lint.yml\""), "workflow_run", &run, false),
        (deployments, "deployment_status", &deployment, true),
        (deployments, "deployment_status", &preview, false),
        (deployments, "deployment_status", &by_commit, true),
        (&format!("{deployments}branch = \"main\""), "deployment_status", &deployment, true),
        (&format!("{deployments}branch = \"main\""), "deployment_status", &by_commit, false),
        (&format!("{deployments}branch = \"next\""), "deployment_status", &deployment, false),
        ("events = [\"deployment_status\"]\nenvironment = \"preview/*\"", "deployment_status", &preview, true),
    ] {
        let outcome = outcome(&github_config(rule), event, payload);
        assert_eq!(outcome.starts_with("publish"), publishes, "{rule} / {event}: {outcome}");
        assert!(publishes || outcome.starts_with("nothing: `docs`: "), "{outcome}");
    }
}

#[test]
fn ignores_the_branch_in_the_path_of_a_workflow() {
    let path = |path: &str| with(fixture("github-workflow-run"), &[("/workflow_run/path", json!(path))]);
    let config = github_config("events = [\"workflow_run\"]\nbranch = \"main\"\nworkflow = \"site.yml\"");
    assert!(
        outcome(&config, "workflow_run", &path(".github/workflows/site.yml@refs/heads/main")).starts_with("publish")
    );
    assert!(outcome(&config, "workflow_run", &path(".github/workflows/evil-site.yml")).starts_with("nothing"));
}

#[test]
fn compares_repositories_case_insensitively() {
    let config = github_config("branch = \"main\"");
    let of =
        |name: &str| outcome(&config, "push", &with(fixture("github-push"), &[("/repository/full_name", json!(name))]));
    assert!(of("Acme/DOCS").starts_with("publish"));
    for other in ["acme/docs2", "acme/doc", "evil/docs", "acme/docs/", "acme"] {
        assert!(of(other).starts_with("401"), "{other}");
    }
}

#[test]
fn each_publish_mode_has_its_artifact() {
    let artifact = |rule: &str, event: &str, name: &str| {
        let request = github_request(event, &serde_json::to_vec(&fixture(name)).unwrap());
        match decide(&github_config(rule), &request, &both_secrets()) {
            WebhookDecision::Publish(mut triggers) => triggers.remove(0).artifact,
            other => panic!("{other:?}"),
        }
    };
    let build = |artifact: &ArtifactRef| match artifact {
        ArtifactRef::Build(build) => build.archive().to_string(),
        other => panic!("{other:?}"),
    };
    let sha = "s3://acme-artifacts/builds/6113728f27ae82c7b1a177c8d03f9e96e0adf246.zip";
    assert_eq!(build(&artifact("branch = \"main\"", "push", "github-push")), sha);
    assert_eq!(build(&artifact("branch = \"main\"\npublish = \"commit\"", "push", "github-push")), sha);
    assert_eq!(build(&artifact("tag = \"*\"\npublish = \"commit\"", "push", "github-push-tag")), sha);
    assert_eq!(
        build(&artifact("tag = \"*\"\npublish = \"tag\"", "push", "github-push-tag")),
        "s3://acme-artifacts/builds/v1.2.0.zip"
    );
    assert!(matches!(
        artifact("branch = \"main\"\npublish = \"newest\"", "push", "github-push"),
        ArtifactRef::Newest(_)
    ));
    match artifact("branch = \"main\"\npublish = \"staged\"", "push", "github-push") {
        ArtifactRef::Source { source, pin: None } => assert_eq!(source.to_string(), "s3://acme-artifacts/staged/"),
        other => panic!("{other:?}"),
    }
    let fields = "publish = \"artifact\"\nartifact = \"site*\"\ntoken = \"secretsmanager:token\"";
    for (rule, event, name, origin) in [
        ("events = [\"release\"]", "release", "github-release", FileOrigin::Release(17_372_790)),
        (
            "events = [\"workflow_run\"]\nbranch = \"main\"\nworkflow = \"site.yml\"",
            "workflow_run",
            "github-workflow-run",
            FileOrigin::Run(7_891_011_121),
        ),
    ] {
        let ArtifactRef::GithubFile(file) = artifact(&format!("{rule}\n{fields}"), event, name) else { panic!() };
        assert_eq!((file.origin, file.access.api.as_str()), (origin, "https://api.github.com"));
        assert!(file.name.covers("site.zip") && !file.name.covers("logs.zip"));
    }
}

#[test]
fn reports_the_configured_status() {
    let status = |rule: &str, event: &str, name: &str| {
        let rule = format!("{rule}\npublish = \"staged\"\ntoken = \"secretsmanager:token\"");
        let request = github_request(event, &serde_json::to_vec(&fixture(name)).unwrap());
        match decide(&github_config(&rule), &request, &both_secrets()) {
            WebhookDecision::Publish(mut triggers) => triggers.remove(0).status.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let site = "docs".to_owned().try_into().unwrap();
    let commit =
        status("branch = \"main\"\nstatus = \"commit\"\nsite-url = \"https://docs.acme.com/\"", "push", "github-push");
    let post = commit.post(&site, RunState::Pending, "a\r\n\u{1b}[31mb");
    assert_eq!(post.path, "/repos/acme/docs/statuses/6113728f27ae82c7b1a177c8d03f9e96e0adf246");
    let expected = json!({
        "state": "pending", "context": "tidegate/docs", "description": "a\\r\\n\\u{1b}[31mb",
        "target_url": "https://docs.acme.com/",
    });
    assert_eq!(post.body, expected);
    let long = commit.post(&site, RunState::Failure, &"é".repeat(500));
    assert!(long.body["description"].as_str().unwrap().chars().count() <= MAX_DESCRIPTION);
    let rule = "events = [\"deployment_status\"]\nenvironment = \"**\"\nstatus = \"deployment\"\nsite-url = \"https://docs.acme.com/\"";
    let deployment = status(rule, "deployment_status", "github-deployment-status");
    let post = deployment.post(&site, RunState::Pending, "x");
    assert!(post.path.starts_with("/repos/acme/docs/deployments/") && post.path.ends_with("/statuses"), "{post:?}");
    assert_eq!(post.body, json!({ "state": "in_progress", "description": "x" }));
    let ended = deployment.post(&site, RunState::Success, "x").body;
    assert_eq!(ended["environment_url"], "https://docs.acme.com/");
}

#[test]
fn refuses_invalid_build_names() {
    for name in ["release/1", "..", "a*b", "a\nb"] {
        let payload = with(fixture("github-release"), &[("/release/tag_name", json!(name))]);
        let outcome = outcome(&github_config("events = [\"release\"]\ntag = \"**\""), "release", &payload);
        assert!(outcome.starts_with("nothing: `docs`: ") && !outcome.contains('\n'), "{outcome}");
    }
    let outcome =
        outcome(&github_config("branch = \"main\"\ntag = \"v*\"\npublish = \"tag\""), "push", &fixture("github-push"));
    assert!(outcome.contains("the rule publishes tags"), "{outcome}");
}

#[test]
fn two_rules_of_a_site_publish_it_once() {
    let rule = "branch = \"main\"\npublish = \"newest\"\n[[site.webhook]]\nprovider = \"github\"\nrepository = \"acme/docs\"\n\
                branch = \"main\"\nsecrets = [\"secretsmanager:new\"]";
    assert_eq!(outcome(&github_config(rule), "push", &fixture("github-push")).matches("docs").count(), 1);
}

#[test]
fn reports_mistakes_in_rules() {
    let parse = |rule: &str| {
        let text = format!(
            "state = \"s3://state/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\nbuilds = \"s3://acme/b/\"\n[[site.webhook]]\n{rule}"
        );
        Config::parse(&text).map(|_| ()).map_err(|error| error.to_string())
    };
    let github = |rule: &str| {
        parse(&format!("provider = \"github\"\nrepository = \"acme/docs\"\nsecrets = [\"ssm:/s\"]\n{rule}"))
    };
    for (rule, part) in [
        ("", "`branch` or `tag`"),
        ("branch = \"main\"\ncolour = \"red\"", "colour"),
        ("branch = \"a{b\"", "glob"),
        ("branch = \"main\"\nevents = []", "empty `events`"),
        ("branch = \"main\"\nevents = [\"star\"]", "star"),
        ("branch = \"main\"\nevents = [\"release\"]", "`branch` has no effect: a release belongs to a tag"),
        ("events = [\"workflow_run\"]", "`branch` or `tag`"),
        ("events = [\"deployment_status\"]", "`environment`"),
        ("branch = \"main\"\nenvironment = \"production\"", "`events` has no `deployment_status`"),
        ("branch = \"main\"\nworkflow = \"site.yml\"", "`events` has no `workflow_run`"),
        ("branch = \"main\"\nforks = true", "`events` has no `workflow_run` and no `deployment_status`"),
        ("branch = \"main\"\nevents = [\"deployment\"]", "deployment_status"),
        ("branch = \"main\"\nrun-events = [\"push\"]", "`events` has no `workflow_run` and no `deployment_status`"),
        (
            "branch = \"main\"\nevents = [\"workflow_run\"]\nrun-events = [\"pull_request_target\"]",
            "use `pull-requests = true`",
        ),
        ("branch = \"main\"\nevents = [\"workflow_run\"]\nrun-events = []", "invalid event"),
        ("branch = \"main\"\nevents = [\"workflow_run\"]\nrun-events = [\"Push\"]", "invalid event `Push`"),
        ("branch = \"main\"\npre-releases = true", "`events` has no `release`"),
        ("branch = \"gh-readonly-queue/**\"", "the branches of a merge queue"),
        (
            "branch = \"main\"\nevents = [\"workflow_run\"]\npublish = \"artifact\"\nartifact = \"site\"\ntoken = \"ssm:/t\"",
            "needs `workflow`: any workflow with an artifact of this name would publish",
        ),
        ("branch = \"main\"\nartifact = \"site\"", "`artifact` has no effect: it needs `publish = \"artifact\"`"),
        ("branch = \"main\"\ntoken = \"ssm:/t\"", "has no effect: it needs `publish = \"artifact\"` or `status`"),
        (
            "branch = \"main\"\napi-url = \"https://ghe.acme.com/api/v3\"",
            "has no effect: it needs `publish = \"artifact\"` or `status`",
        ),
        ("branch = \"main\"\nsite-url = \"https://docs.acme.com/\"", "`site-url` has no effect: it needs `status`"),
        ("branch = \"main\"\nstatus = \"commit\"", "needs `token`"),
        ("branch = \"main\"\nstatus = \"tag\"\ntoken = \"ssm:/t\"", "tag"),
        ("branch = \"main\"\nstatus = \"commit\"\ntoken = \"ssm:/t\"\nsite-url = \"javascript:x\"", "invalid page URL"),
        (
            "branch = \"main\"\nstatus = \"deployment\"\ntoken = \"ssm:/t\"",
            "works with `deployment_status` events only",
        ),
        ("events = [\"release\"]\nstatus = \"commit\"\ntoken = \"ssm:/t\"", "they have no commit"),
        ("branch = \"main\"\npublish = \"artifact\"", "works with `release` and `workflow_run` events only"),
        ("events = [\"release\"]\npublish = \"artifact\"", "needs `artifact`"),
        ("events = [\"release\"]\npublish = \"artifact\"\nartifact = \"*.zip\"", "needs `token`"),
        ("events = [\"release\"]\npublish = \"commit\"", "they have no commit; use `publish = \"tag\"`"),
        ("branch = \"main\"\npublish = \"staged\"", "needs the site's `staged` in S3"),
        (
            "events = [\"release\"]\npublish = \"artifact\"\nartifact = \"*.zip\"\ntoken = \"ssm:/t\"\napi-url = \"http://ghe.acme.com\"",
            "invalid API URL",
        ),
        (
            "events = [\"release\"]\npublish = \"artifact\"\nartifact = \"*.zip\"\ntoken = \"ssm:/t\"\napi-url = \"https://u@ghe.acme.com\"",
            "invalid API URL",
        ),
    ] {
        let error = github(rule).unwrap_err();
        assert!(error.contains(part), "{rule}: {error}");
    }
    assert!(github("branch = \"main\"").is_ok());
    assert!(
        github("events = [\"release\"]\npublish = \"artifact\"\nartifact = \"*.zip\"\ntoken = \"ssm:/t\"\napi-url = \"https://ghe.acme.com/api/v3/\"")
            .is_ok()
    );
    for (rule, part) in [
        ("provider = \"gitlab\"\nsecrets = [\"ssm:/s\"]", "gitlab"),
        ("provider = \"github\"\nrepository = \"acme/docs\"\nbranch = \"main\"", "`secrets`"),
        ("provider = \"github\"\nsecrets = [\"ssm:/s\"]\nbranch = \"main\"", "`repository`"),
        ("provider = \"github\"\nrepository = \"docs\"\nsecrets = [\"ssm:/s\"]", "`owner/name`"),
        ("provider = \"generic\"\nsecrets = []", "1 to 5 secrets, not 0"),
        ("provider = \"generic\"\nsecrets = [\"hunter2\"]", "never the secret itself"),
        (
            "provider = \"generic\"\nsecrets = [\"secretsmanager:repo:github.com/acme/docs\"]",
            "repo/github.com/acme/docs",
        ),
        (
            "provider = \"generic\"\nsecrets = [\"ssm:/s\"]\nbranch = \"main\"",
            "`branch` has no effect: the body of a generic webhook names the source",
        ),
    ] {
        let error = parse(rule).unwrap_err();
        assert!(error.contains(part), "{rule}: {error}");
    }
    let six =
        "provider = \"generic\"\nsecrets = [\"ssm:/1\", \"ssm:/2\", \"ssm:/3\", \"ssm:/4\", \"ssm:/5\", \"ssm:/6\"]";
    assert!(parse(six).unwrap_err().contains("1 to 5 secrets, not 6"));
}

#[test]
fn a_webhook_needs_a_source() {
    let parse = |site: &str, rule: &str| {
        Config::parse(&format!("state = \"s3://state/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\n{site}\n[[site.webhook]]\nsecrets = [\"ssm:/s\"]\n{rule}"))
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let github = "provider = \"github\"\nrepository = \"acme/docs\"\nbranch = \"main\"";
    assert!(parse("staged = \"s3://acme/s/\"", github).unwrap_err().contains("`publish = \"staged\"`"));
    assert!(parse("staged = \"s3://acme/s/\"", &format!("{github}\npublish = \"staged\"")).is_ok());
    assert!(parse("staged = \"public\"", &format!("{github}\npublish = \"staged\"")).is_err());
    assert!(parse("", &format!("{github}\npublish = \"newest\"")).unwrap_err().contains("`builds`"));
    assert!(
        parse("", "provider = \"generic\"")
            .unwrap_err()
            .contains("a generic webhook needs the site's `builds`, or its `staged` in S3")
    );
    assert!(parse("staged = \"s3://acme/s.zip\"", "provider = \"generic\"").is_ok());
    // Without a state, a replayed delivery would publish an old build.
    let text = "[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\nbuilds = \"s3://acme/b/\"\n[[site.webhook]]\nsecrets = [\"ssm:/s\"]\n";
    for rule in [github, "provider = \"generic\""] {
        let error = Config::parse(&format!("{text}{rule}")).unwrap_err().to_string();
        assert!(error.contains("a webhook needs the configuration's `state`"), "{error}");
    }
    let artifact = "provider = \"github\"\nrepository = \"acme/docs\"\nevents = [\"release\"]\npublish = \"artifact\"\n\
                    artifact = \"*.zip\"\ntoken = \"ssm:/t\"";
    assert!(parse("", artifact).is_ok());
}
