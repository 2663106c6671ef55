//! Rules: which announcements they cover, what they publish, and which rules a configuration may have.

use serde_json::{Value, json};
use tidegate_core::config::Config;
use tidegate_lambda::github::{FileOrigin, MAX_DESCRIPTION, RunState};
use tidegate_lambda::trigger::ArtifactRef;
use tidegate_lambda::webhook::WebhookDecision;

use crate::support::{both, fixture, github_call, github_config, judge, outcome, with};

#[test]
fn a_rule_covers_what_it_names_and_nothing_else() {
    let push = fixture("github-push");
    let tag = fixture("github-push-tag");
    let release = fixture("github-release");
    let run = fixture("github-workflow-run");
    let deployment = fixture("github-deployment");
    let on = |payload: &Value, branch: &str| with(payload.clone(), &[("/ref", json!(format!("refs/heads/{branch}")))]);
    let run_of = |branch: &str| with(run.clone(), &[("/workflow_run/head_branch", json!(branch))]);
    let preview = with(deployment.clone(), &[("/deployment/environment", json!("preview/7"))]);
    let by_commit = with(deployment.clone(), &[("/deployment/ref", json!("6113728f27ae82c7b1a177c8d03f9e96e0adf246"))]);
    let runs = "events = [\"workflow_run\"]\n";
    let deployments = "events = [\"deployment\"]\nenvironment = \"production\"\n";
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
        (deployments, "deployment", &deployment, true),
        (deployments, "deployment", &preview, false),
        (deployments, "deployment", &by_commit, true),
        (&format!("{deployments}branch = \"main\""), "deployment", &deployment, true),
        (&format!("{deployments}branch = \"main\""), "deployment", &by_commit, false),
        (&format!("{deployments}branch = \"next\""), "deployment", &deployment, false),
        ("events = [\"deployment\"]\nenvironment = \"preview/*\"", "deployment", &preview, true),
    ] {
        let told = outcome(&github_config(rule), event, payload);
        assert_eq!(told.starts_with("publish"), publishes, "{rule} / {event}: {told}");
        assert!(publishes || told.starts_with("nothing: `docs`: "), "{told}");
    }
}

#[test]
fn a_run_of_a_workflow_at_a_branch_is_known_by_its_file() {
    let path = |path: &str| with(fixture("github-workflow-run"), &[("/workflow_run/path", json!(path))]);
    let config = github_config("events = [\"workflow_run\"]\nbranch = \"main\"\nworkflow = \"site.yml\"");
    assert!(
        outcome(&config, "workflow_run", &path(".github/workflows/site.yml@refs/heads/main")).starts_with("publish")
    );
    assert!(outcome(&config, "workflow_run", &path(".github/workflows/evil-site.yml")).starts_with("nothing"));
}

#[test]
fn repositories_are_told_apart_whatever_the_case() {
    let config = github_config("branch = \"main\"");
    let of =
        |name: &str| outcome(&config, "push", &with(fixture("github-push"), &[("/repository/full_name", json!(name))]));
    assert!(of("Acme/DOCS").starts_with("publish"));
    for other in ["acme/docs2", "acme/doc", "evil/docs", "acme/docs/", "acme"] {
        assert!(of(other).starts_with("401"), "{other}");
    }
}

#[test]
fn each_way_to_publish_wants_its_own_place() {
    let wanted = |rule: &str, event: &str, name: &str| {
        let call = github_call(event, &serde_json::to_vec(&fixture(name)).unwrap());
        match judge(&github_config(rule), &call, &both()) {
            WebhookDecision::Publish(mut triggers) => triggers.remove(0).artifact,
            other => panic!("{other:?}"),
        }
    };
    let build = |wanted: &ArtifactRef| match wanted {
        ArtifactRef::Build(build) => build.archive().to_string(),
        other => panic!("{other:?}"),
    };
    let sha = "s3://acme-artifacts/builds/6113728f27ae82c7b1a177c8d03f9e96e0adf246.zip";
    assert_eq!(build(&wanted("branch = \"main\"", "push", "github-push")), sha);
    assert_eq!(build(&wanted("branch = \"main\"\npublish = \"commit\"", "push", "github-push")), sha);
    assert_eq!(build(&wanted("tag = \"*\"\npublish = \"commit\"", "push", "github-push-tag")), sha);
    assert_eq!(
        build(&wanted("tag = \"*\"\npublish = \"tag\"", "push", "github-push-tag")),
        "s3://acme-artifacts/builds/v1.2.0.zip"
    );
    assert!(matches!(wanted("branch = \"main\"\npublish = \"newest\"", "push", "github-push"), ArtifactRef::Newest(_)));
    match wanted("branch = \"main\"\npublish = \"staged\"", "push", "github-push") {
        ArtifactRef::Source { source, pin: None } => assert_eq!(source.to_string(), "s3://acme-artifacts/staged/"),
        other => panic!("{other:?}"),
    }
    let artifact = "publish = \"artifact\"\nartifact = \"site*\"\ntoken = \"secretsmanager:token\"";
    for (rule, event, name, of) in [
        ("events = [\"release\"]", "release", "github-release", FileOrigin::Release(17_372_790)),
        (
            "events = [\"workflow_run\"]\nbranch = \"main\"",
            "workflow_run",
            "github-workflow-run",
            FileOrigin::Run(7_891_011_121),
        ),
    ] {
        let ArtifactRef::GithubFile(provided) = wanted(&format!("{rule}\n{artifact}"), event, name) else { panic!() };
        assert_eq!((provided.origin, provided.access.api.as_str()), (of, "https://api.github.com"));
        assert!(provided.name.covers("site.zip") && !provided.name.covers("logs.zip"));
    }
}

#[test]
fn a_rule_says_what_is_told_at_github() {
    let wish = |rule: &str, event: &str, name: &str| {
        let rule = format!("{rule}\npublish = \"staged\"\ntoken = \"secretsmanager:token\"");
        let call = github_call(event, &serde_json::to_vec(&fixture(name)).unwrap());
        match judge(&github_config(&rule), &call, &both()) {
            WebhookDecision::Publish(mut triggers) => triggers.remove(0).status.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let site = "docs".to_owned().try_into().unwrap();
    let commit =
        wish("branch = \"main\"\nstatus = \"commit\"\nsite-url = \"https://docs.acme.com/\"", "push", "github-push");
    let note = commit.note(&site, RunState::Pending, "a\r\n\u{1b}[31mb");
    assert_eq!(note.path, "/repos/acme/docs/statuses/6113728f27ae82c7b1a177c8d03f9e96e0adf246");
    let told = json!({
        "state": "pending", "context": "tidegate/docs", "description": "a\\r\\n\\u{1b}[31mb",
        "target_url": "https://docs.acme.com/",
    });
    assert_eq!(note.body, told);
    let long = commit.note(&site, RunState::Failure, &"é".repeat(500));
    assert!(long.body["description"].as_str().unwrap().chars().count() <= MAX_DESCRIPTION);
    let rule = "events = [\"deployment\"]\nenvironment = \"**\"\nstatus = \"deployment\"\nsite-url = \"https://docs.acme.com/\"";
    let deployment = wish(rule, "deployment", "github-deployment");
    let note = deployment.note(&site, RunState::Pending, "x");
    assert!(note.path.starts_with("/repos/acme/docs/deployments/") && note.path.ends_with("/statuses"), "{note:?}");
    assert_eq!(note.body, json!({ "state": "in_progress", "description": "x" }));
    let ended = deployment.note(&site, RunState::Success, "x").body;
    assert_eq!(ended["environment_url"], "https://docs.acme.com/");
}

#[test]
fn a_name_that_cannot_be_a_build_publishes_nothing() {
    for name in ["release/1", "..", "a*b", "a\nb"] {
        let payload = with(fixture("github-release"), &[("/release/tag_name", json!(name))]);
        let told = outcome(&github_config("events = [\"release\"]\ntag = \"**\""), "release", &payload);
        assert!(told.starts_with("nothing: `docs`: ") && !told.contains('\n'), "{told}");
    }
    let told =
        outcome(&github_config("branch = \"main\"\ntag = \"v*\"\npublish = \"tag\""), "push", &fixture("github-push"));
    assert!(told.contains("the rule publishes tags"), "{told}");
}

#[test]
fn two_rules_of_one_site_publish_it_once() {
    let rule = "branch = \"main\"\npublish = \"newest\"\n[[site.webhook]]\nprovider = \"github\"\nrepository = \"acme/docs\"\n\
                branch = \"main\"\nsecrets = [\"secretsmanager:new\"]";
    assert_eq!(outcome(&github_config(rule), "push", &fixture("github-push")).matches("docs").count(), 1);
}

#[test]
fn mistakes_in_rules_are_named() {
    let told = |rule: &str| {
        let text = format!(
            "state = \"s3://state/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\nbuilds = \"s3://acme/b/\"\n[[site.webhook]]\n{rule}"
        );
        Config::parse(&text).map(|_| ()).map_err(|error| error.to_string())
    };
    let github = |rule: &str| {
        told(&format!("provider = \"github\"\nrepository = \"acme/docs\"\nsecrets = [\"ssm:/s\"]\n{rule}"))
    };
    for (rule, part) in [
        ("", "`branch` or `tag`"),
        ("branch = \"main\"\ncolour = \"red\"", "colour"),
        ("branch = \"a{b\"", "glob"),
        ("branch = \"main\"\nevents = []", "`events` is empty"),
        ("branch = \"main\"\nevents = [\"star\"]", "star"),
        ("branch = \"main\"\nevents = [\"release\"]", "a release is of a tag"),
        ("events = [\"workflow_run\"]", "`branch` or `tag`"),
        ("events = [\"deployment\"]", "`environment`"),
        ("branch = \"main\"\nenvironment = \"production\"", "no `deployment`"),
        ("branch = \"main\"\nworkflow = \"site.yml\"", "no `workflow_run`"),
        ("branch = \"main\"\nforks = true", "only runs of workflows"),
        ("branch = \"main\"\nartifact = \"site\"", "goes with `publish = \"artifact\"`"),
        ("branch = \"main\"\ntoken = \"ssm:/t\"", "goes with `publish = \"artifact\"` or `status`"),
        (
            "branch = \"main\"\napi-url = \"https://ghe.acme.com/api/v3\"",
            "goes with `publish = \"artifact\"` or `status`",
        ),
        ("branch = \"main\"\nsite-url = \"https://docs.acme.com/\"", "goes with `status`"),
        ("branch = \"main\"\nstatus = \"commit\"", "needs `token`"),
        ("branch = \"main\"\nstatus = \"tag\"\ntoken = \"ssm:/t\"", "tag"),
        (
            "branch = \"main\"\nstatus = \"commit\"\ntoken = \"ssm:/t\"\nsite-url = \"javascript:x\"",
            "address of a page",
        ),
        ("branch = \"main\"\nstatus = \"deployment\"\ntoken = \"ssm:/t\"", "`deployment` only"),
        ("events = [\"release\"]\nstatus = \"commit\"\ntoken = \"ssm:/t\"", "names no commit"),
        ("branch = \"main\"\npublish = \"artifact\"", "`release` and `workflow_run` only"),
        ("events = [\"release\"]\npublish = \"artifact\"", "needs `artifact`"),
        ("events = [\"release\"]\npublish = \"artifact\"\nartifact = \"*.zip\"", "needs `token`"),
        ("events = [\"release\"]\npublish = \"commit\"", "names a tag only"),
        ("branch = \"main\"\npublish = \"staged\"", "the site's `staged` in S3"),
        (
            "events = [\"release\"]\npublish = \"artifact\"\nartifact = \"*.zip\"\ntoken = \"ssm:/t\"\napi-url = \"http://ghe.acme.com\"",
            "address of an API",
        ),
        (
            "events = [\"release\"]\npublish = \"artifact\"\nartifact = \"*.zip\"\ntoken = \"ssm:/t\"\napi-url = \"https://u@ghe.acme.com\"",
            "address of an API",
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
        ("provider = \"generic\"\nsecrets = []", "0 secrets"),
        ("provider = \"generic\"\nsecrets = [\"hunter2\"]", "never the secret itself"),
        (
            "provider = \"generic\"\nsecrets = [\"secretsmanager:repo:github.com/acme/docs\"]",
            "repo/github.com/acme/docs",
        ),
        ("provider = \"generic\"\nsecrets = [\"ssm:/s\"]\nbranch = \"main\"", "`branch` means nothing here"),
    ] {
        let error = told(rule).unwrap_err();
        assert!(error.contains(part), "{rule}: {error}");
    }
    let six =
        "provider = \"generic\"\nsecrets = [\"ssm:/1\", \"ssm:/2\", \"ssm:/3\", \"ssm:/4\", \"ssm:/5\", \"ssm:/6\"]";
    assert!(told(six).unwrap_err().contains("list 1 to 5"));
}

#[test]
fn a_webhook_needs_something_to_publish() {
    let told = |site: &str, rule: &str| {
        Config::parse(&format!("[[site]]\nname = \"docs\"\ntarget = \"s3://docs/\"\n{site}\n[[site.webhook]]\nsecrets = [\"ssm:/s\"]\n{rule}"))
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let github = "provider = \"github\"\nrepository = \"acme/docs\"\nbranch = \"main\"";
    assert!(told("staged = \"s3://acme/s/\"", github).unwrap_err().contains("write `publish = \"staged\"`"));
    assert!(told("staged = \"s3://acme/s/\"", &format!("{github}\npublish = \"staged\"")).is_ok());
    assert!(told("staged = \"public\"", &format!("{github}\npublish = \"staged\"")).is_err());
    assert!(told("", &format!("{github}\npublish = \"newest\"")).unwrap_err().contains("`builds`"));
    assert!(told("", "provider = \"generic\"").unwrap_err().contains("`builds` or `staged`"));
    assert!(told("staged = \"s3://acme/s.zip\"", "provider = \"generic\"").is_ok());
    let artifact = "provider = \"github\"\nrepository = \"acme/docs\"\nevents = [\"release\"]\npublish = \"artifact\"\n\
                    artifact = \"*.zip\"\ntoken = \"ssm:/t\"";
    assert!(told("", artifact).unwrap_err().contains("needs the configuration's `state`"));
}

#[test]
fn the_examples_of_the_documentation_are_configurations() {
    let mut count = 0;
    for page in ["triggers.md", "webhooks.md", "configuration.md"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        for example in text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            let site = "state = \"s3://acme-artifacts/.tidegate/\"\n[[site]]\nname = \"docs\"\ntarget = \"s3://docs.acme.com/\"\nstaged = \"s3://acme-artifacts/staged/\"\n";
            let whole = if example.contains("[[site]]") { example.to_owned() } else { format!("{site}{example}") };
            Config::parse(&whole).unwrap_or_else(|error| panic!("{page}: {error}\n{whole}"));
            count += 1;
        }
    }
    assert!(count >= 5, "{count}");
}
