//! The trust policies of CI jobs: which subjects they accept, judged by a matcher of patterns that is written here.

#![expect(clippy::indexing_slicing, clippy::string_slice, reason = "a failure here is a failed test")]

use serde_json::Value;
use tidegate_iam::document::{DocumentKind, Partition, PolicyLimit, lint};
use tidegate_iam::policies::{TrustedIdentity, TrustedJobs, trust};

use super::ACCOUNT;

pub(super) fn github(repository: &str, jobs: &[TrustedJobs]) -> TrustedIdentity {
    TrustedIdentity::GitHub {
        repository: repository.parse().unwrap(),
        jobs: jobs.to_vec(),
        workflow: None,
        issuer: None,
        audience: None,
    }
}

fn gitlab(project: &str, jobs: &[TrustedJobs]) -> TrustedIdentity {
    TrustedIdentity::GitLab {
        project: project.to_owned(),
        jobs: jobs.to_vec(),
        host: "gitlab.com".to_owned(),
        audience: None,
    }
}

fn branch(name: &str) -> TrustedJobs {
    TrustedJobs::Branch(name.to_owned())
}

fn environment(name: &str) -> TrustedJobs {
    TrustedJobs::Environment(name.to_owned())
}

fn condition(identity: &TrustedIdentity) -> Value {
    let grant = trust(&Partition::default(), ACCOUNT, identity).unwrap();
    let text = grant.document.compact().unwrap();
    let mut concerns = lint(&text, DocumentKind::Trust, PolicyLimit::Trust);
    concerns.retain(|one| !one.note);
    assert_eq!(concerns, [], "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    value["Statement"][0]["Condition"].clone()
}

fn values(condition: &Value, operator: &str, key: &str) -> Vec<String> {
    match &condition[operator][key] {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Whether `pattern` matches, where `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))),
    }
}

/// Whether a token with this subject is accepted. The two operators on one key would both have to hold.
fn accepts(identity: &TrustedIdentity, subject: &str) -> bool {
    let condition = condition(identity);
    let key = format!("{}:sub", identity.issuer());
    let (exact, patterns) = (values(&condition, "StringEquals", &key), values(&condition, "StringLike", &key));
    assert!(exact.is_empty() != patterns.is_empty(), "{condition}");
    exact.iter().any(|one| one == subject) || patterns.iter().any(|pattern| matches(pattern, subject))
}

#[test]
fn both_forms_of_githubs_subjects_are_trusted_and_ids_pin_them() {
    let named = github("acme/docs", &[branch("main")]);
    let pinned = github("acme@123/docs@456", &[branch("main")]);
    for (subject, by_name, by_id) in [
        ("repo:acme/docs:ref:refs/heads/main", true, false),
        ("repo:acme@123/docs@456:ref:refs/heads/main", true, true),
        // A later owner of the name, and the repository that was created again.
        ("repo:acme@999/docs@456:ref:refs/heads/main", true, false),
        ("repo:acme@123/docs@457:ref:refs/heads/main", true, false),
        ("repo:acme@123/docs@456:ref:refs/heads/main2", false, false),
        ("repo:acme@123/docs@456:ref:refs/tags/main", false, false),
        ("repo:acme@123/docs@456:pull_request", false, false),
        ("repo:acme2@123/docs@456:ref:refs/heads/main", false, false),
        ("repo:acme2/docs:ref:refs/heads/main", false, false),
        ("repo:acme@123/docs2@456:ref:refs/heads/main", false, false),
        ("repo:acme@1234/docs@456:ref:refs/heads/main", true, false),
        ("repo:evil@1/acme@2:ref:refs/heads/main", false, false),
        ("repo:acme@123/other@789:ref:refs/heads/main", false, false),
        ("repo:acme@123/other@789:environment:docs@456%3Aref%3Arefs/heads/main", false, false),
    ] {
        assert_eq!((accepts(&named, subject), accepts(&pinned, subject)), (by_name, by_id), "{subject}");
    }
    // Without ids, names are said to be trusted, and the command that shows the ids is printed.
    assert!(named.notes()[0].contains("gh api repos/acme/docs"), "{:?}", named.notes());
    assert_eq!(pinned.notes(), [] as [String; 0]);
    let enterprise_server = TrustedIdentity::GitHub {
        repository: "acme/docs".parse().unwrap(),
        jobs: vec![branch("main")],
        workflow: None,
        issuer: Some("github.example.com/_services/token".to_owned()),
        audience: None,
    };
    assert!(accepts(&enterprise_server, "repo:acme/docs:ref:refs/heads/main"));
    assert!(!accepts(&enterprise_server, "repo:acme@1/docs@2:ref:refs/heads/main"), "it has no immutable subjects");
}

#[test]
fn jobs_are_selected_by_branch_tag_pull_request_environment_and_workflow() {
    let any = github("acme@1/docs@2", &[]);
    let several =
        github("acme@1/docs@2", &[branch("release/*"), TrustedJobs::Tag("v*".to_owned()), TrustedJobs::PullRequests]);
    let in_environment = github("acme@1/docs@2", &[environment("Production:V1"), environment("staging site")]);
    let organization = github("acme@1", &[branch("main")]);
    let workflow = TrustedIdentity::GitHub {
        repository: "acme@1/docs@2".parse().unwrap(),
        jobs: vec![branch("main")],
        workflow: Some("acme/ci/.github/workflows/publish.yml@refs/heads/main".to_owned()),
        issuer: None,
        audience: None,
    };
    for (identity, end, expected) in [
        (&any, "pull_request", true),
        (&any, "environment:x", true),
        (&several, "ref:refs/heads/release/1", true),
        (&several, "ref:refs/heads/release", false),
        (&several, "ref:refs/heads/release2", false),
        (&several, "ref:refs/tags/v1.2", true),
        (&several, "ref:refs/tags/x", false),
        (&several, "pull_request", true),
        (&several, "environment:production", false),
        (&in_environment, "environment:Production%3AV1", true),
        (&in_environment, "environment:Production:V1", false),
        (&in_environment, "environment:staging site", true),
        (&organization, "ref:refs/heads/main", true),
        (&organization, "ref:refs/heads/dev", false),
        (&workflow, "ref:refs/heads/main:job_workflow_ref:acme/ci/.github/workflows/publish.yml@refs/heads/main", true),
        (&workflow, "ref:refs/heads/main:job_workflow_ref:acme/ci/.github/workflows/publish.yml@refs/heads/x", false),
        (&workflow, "ref:refs/heads/main", false),
    ] {
        assert_eq!(accepts(identity, &format!("repo:acme@1/docs@2:{end}")), expected, "{end}");
    }
    assert!(workflow.notes()[0].contains("include_claim_keys[]=job_workflow_ref"), "{:?}", workflow.notes());
    assert!(in_environment.notes()[0].contains("deployment rules"), "{:?}", in_environment.notes());
    let gitlab_jobs = gitlab("acme/docs", &[branch("main"), TrustedJobs::Tag("v*".to_owned())]);
    for (subject, expected) in [
        ("project_path:acme/docs:ref_type:branch:ref:main", true),
        ("project_path:acme/docs:ref_type:tag:ref:v1", true),
        ("project_path:acme/docs:ref_type:branch:ref:dev", false),
        ("project_path:acme/docs2:ref_type:branch:ref:main", false),
    ] {
        assert_eq!(accepts(&gitlab_jobs, subject), expected, "{subject}");
    }
    assert!(accepts(&gitlab("acme/*", &[]), "project_path:acme/group/docs:ref_type:branch:ref:x"));
    assert_eq!(values(&condition(&gitlab_jobs), "StringEquals", "gitlab.com:aud"), ["https://gitlab.com"]);
    assert_eq!(
        values(&condition(&any), "StringEquals", "token.actions.githubusercontent.com:aud"),
        ["sts.amazonaws.com"]
    );
}

#[test]
fn names_that_would_trust_others_are_refused() {
    use tidegate_iam::policies::GitHubRepository;
    for wrong in [
        "",
        "*",
        "acme/*",
        "acme*",
        "/docs",
        "acme/",
        "acme/a/b",
        "acme@/docs",
        "acme@x/docs@1",
        "acme@*/docs@*",
        "a b/c",
    ] {
        assert!(wrong.parse::<GitHubRepository>().is_err(), "{wrong}");
    }
    let refused = |identity: TrustedIdentity| trust(&Partition::default(), ACCOUNT, &identity).unwrap_err().to_string();
    for name in ["", "a b", "a:ref:refs/heads/main", "a?", "${aws:username}", "/a", "a..b", "a\u{202e}b"] {
        assert!(refused(github("acme/docs", &[branch(name)])).contains("invalid branch"), "{name}");
        assert!(refused(gitlab("acme/docs", &[branch(name)])).contains("invalid branch"), "{name}");
    }
    for name in ["", "*", "a?", "${x}", "\u{65e5}"] {
        assert!(refused(github("acme/docs", &[environment(name)])).contains("invalid environment"), "{name}");
    }
    for name in ["*", "acme*", "", "/acme", "acme//docs", "acme/*/docs"] {
        assert!(refused(gitlab(name, &[])).contains("invalid project"), "{name}");
    }
    assert!(refused(github("acme/docs", &[branch("main"), environment("x")])).contains("does not name its branch"));
    assert!(refused(gitlab("acme/docs", &[environment("x")])).contains("`--branch` or `--tag`"));
    for workflow in
        ["publish.yml", "acme/ci/.github/workflows/x.yml", "acme/ci/x.yml@main", "*/ci/x.yml@refs/heads/main"]
    {
        let identity = TrustedIdentity::GitHub {
            repository: "acme/docs".parse().unwrap(),
            jobs: Vec::new(),
            workflow: Some(workflow.to_owned()),
            issuer: None,
            audience: None,
        };
        assert!(refused(identity).contains("invalid workflow"), "{workflow}");
    }
}
