//! The linter of trust policies: a table of documents, each with what is found about it.
//!
//! The kinds are those of public collections: roles that any repository can assume (Datadog Security Labs, "IAM role can be
//! assumed by any GitHub Action"; Tinder, "Identifying vulnerabilities in GitHub Actions and AWS OIDC configurations";
//! Rezonate), the checks of IAM Access Analyzer, parliament and cloudsplaining, and AWS's own examples.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::needless_pass_by_value,
    reason = "a failure here is a failed test"
)]

use serde_json::{Value, json};
use tidegate_iam::document::{DocumentKind, PolicyLimit, lint};

/// Findings as text: `!` is an error, `~` a warning, `-` a note.
fn findings(document: &Value) -> Vec<String> {
    lint(&document.to_string(), DocumentKind::Trust, PolicyLimit::Trust)
        .iter()
        .map(|one| {
            format!(
                "{}{}",
                if one.error {
                    '!'
                } else if one.note {
                    '-'
                } else {
                    '~'
                },
                one.message
            )
        })
        .collect()
}

fn document(statement: &Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

/// Checks the findings: the expected ones in any order, and no others. `-` notes are only checked where expected.
fn check(statement: &Value, expected: &[&str]) {
    let found = findings(&document(statement));
    for one in expected {
        let (mark, text) = one.split_at(1);
        let has = found.iter().any(|found| found.starts_with(mark) && found.contains(text));
        assert!(has, "{one} is not among {found:#?}\n{statement:#}");
    }
    let is_expected =
        |found: &&String| expected.iter().any(|one| found.starts_with(&one[..1]) && found.contains(&one[1..]));
    let others: Vec<_> = found.iter().filter(|found| !is_expected(found) && !found.starts_with('-')).collect();
    assert!(others.is_empty(), "unexpected: {others:#?}\n{statement:#}");
}

const GITHUB: &str = "token.actions.githubusercontent.com";

fn federated(host: &str, condition: Value) -> Value {
    json!({
        "Effect": "Allow",
        "Principal": { "Federated": format!("arn:aws:iam::123456789012:oidc-provider/{host}") },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    })
}

/// A statement for GitHub with the right audience and this subject.
fn github(operator: &str, subjects: Value) -> Value {
    let mut condition = json!({ "StringEquals": { format!("{GITHUB}:aud"): "sts.amazonaws.com" } });
    condition[operator][format!("{GITHUB}:sub")] = subjects;
    federated(GITHUB, condition)
}

/// A statement for another provider with an audience and this subject.
fn other(host: &str, operator: &str, subjects: Value) -> Value {
    let mut condition = json!({ "StringEquals": { format!("{host}:aud"): "audience" } });
    condition[operator][format!("{host}:sub")] = subjects;
    federated(host, condition)
}

#[test]
fn subjects_of_github_name_the_repository() {
    let rows: [(&str, Value, &[&str]); 37] = [
        ("StringEquals", json!("repo:acme@123/site@456:ref:refs/heads/main"), &[]),
        ("StringLike", json!("repo:acme@123/site@456:*"), &[]),
        ("StringLike", json!("repo:acme@123/site@456:ref:refs/heads/release/*"), &[]),
        ("StringLike", json!("repo:acme@123/site@456:ref:refs/tags/v*"), &[]),
        ("StringEquals", json!("repo:acme@123/site@456:pull_request"), &[]),
        ("StringEquals", json!("repo:acme@123/site@456:environment:Production%3AV1"), &[]),
        ("StringLike", json!("repo:acme@123/*"), &[]),
        ("StringLike", json!("repo:acme@123/*:ref:refs/heads/main"), &[]),
        ("StringEquals", json!(["repo:acme@1/a@2:pull_request", "repo:acme@1/b@3:pull_request"]), &[]),
        ("StringEquals", json!(["repo:acme/site:pull_request", "repo:acme@1/site@3:pull_request"]), &[]),
        (
            "StringLike",
            json!(["repo:acme/site:*", "repo:acme@*/site@*:*"]),
            &["-also after another account registers them"],
        ),
        ("StringLike", json!("repo:acme@*/site@456:ref:refs/heads/main"), &["-write the ids"]),
        ("StringEquals", json!("job_workflow_ref:acme/ci/.github/workflows/publish.yml@refs/heads/main"), &[]),
        ("StringLike", json!("repo:acme@1/site@2:environment:prod:job_workflow_ref:acme/ci/.github/workflows/*"), &[]),
        ("StringEquals", json!("repository_owner:acme:repository_visibility:private"), &[]),
        ("StringEquals", json!("repository_id:456"), &[]),
        // Names can be registered again, and new repositories have another form.
        ("StringEquals", json!("repo:acme/site:ref:refs/heads/main"), &["~since 2026-07-15"]),
        ("StringLike", json!("repo:acme/*"), &["~since 2026-07-15"]),
        // Everyone.
        ("StringLike", json!("*"), &["~accepts every value", "~add a condition on its `sub`"]),
        ("StringLike", json!("repo:*"), &["~matches every organization"]),
        ("StringLike", json!("repo:*/*:ref:refs/heads/main"), &["~matches every organization"]),
        ("StringLike", json!("repo:*/site:*"), &["~matches every organization"]),
        ("StringLike", json!("repo:*:ref:refs/heads/main"), &["~matches every organization"]),
        ("StringLike", json!("rep*"), &["~matches every organization"]),
        ("StringLike", json!("*:acme/site:*"), &["~matches every organization"]),
        ("StringLike", json!(["repo:acme@1/site@2:*", "repo:?*"]), &["~matches every organization"]),
        // Open ends.
        ("StringLike", json!("repo:acme*"), &["~`acme*` also matches every organization"]),
        ("StringLike", json!("repo:acme*/site:*"), &["~which others can register"]),
        ("StringLike", json!("repo:acm?/site:*"), &["~which others can register"]),
        ("StringLike", json!("repo:acme/site*"), &["~`site*` also matches every other repository"]),
        ("StringLike", json!("repo:acme@1/site*:ref:refs/heads/main"), &["~end the name before the wildcard"]),
        ("StringLike", json!("repository_owner:acme*"), &["~which others can register"]),
        // Claims that every organization can have.
        ("StringEquals", json!("environment:production"), &["~does not name the organization"]),
        ("StringLike", json!("ref:refs/heads/main:*"), &["~does not name the organization"]),
        // Patterns that are none, and subjects that no token has.
        ("StringEquals", json!("repo:acme@1/site@2:*"), &["!write `StringLike`"]),
        ("StringEquals", json!("repo:acme@1/site@2"), &["~no token has the subject"]),
        ("StringEquals", json!("repo:acme"), &["~no token has the subject"]),
    ];
    for (operator, subjects, expected) in rows {
        check(&github(operator, subjects), expected);
    }
}

#[test]
fn subjects_of_other_providers_name_the_project() {
    let circle = "oidc.circleci.com/org/aaaa-1111";
    let bitbucket = "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc";
    let eks = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF";
    let rows: [(&str, &str, &str, &[&str]); 29] = [
        ("gitlab.com", "StringEquals", "project_path:acme/site:ref_type:branch:ref:main", &[]),
        ("gitlab.com", "StringLike", "project_path:acme/*:ref_type:branch:ref:main", &[]),
        ("gitlab.com", "StringLike", "project_path:acme/group/*:ref_type:branch:ref:main", &[]),
        ("gitlab.com", "StringLike", "project_path:*", &["~matches every group"]),
        ("gitlab.com", "StringLike", "project_path:acme*", &["~`acme*` also matches every group"]),
        ("gitlab.com", "StringLike", "project_path:acme/site*", &["~also matches every other project"]),
        ("gitlab.com", "StringLike", "project_path:acme/group/si*:ref_type:*", &["~also matches every other project"]),
        ("gitlab.com", "StringEquals", "project_path:acme/site", &["~no token has the subject"]),
        ("gitlab.com", "StringEquals", "repo:acme/site:ref:refs/heads/main", &["~does not name the group"]),
        ("git.example.com", "StringLike", "project_path:acme*", &["~which others can register"]),
        ("agent.buildkite.com", "StringLike", "organization:acme:pipeline:site:ref:refs/heads/main:*", &[]),
        ("agent.buildkite.com", "StringLike", "organization:acme:*", &[]),
        ("agent.buildkite.com", "StringLike", "organization:*", &["~matches every organization"]),
        ("agent.buildkite.com", "StringLike", "organization:acme*", &["~which others can register"]),
        ("agent.buildkite.com", "StringLike", "organization:acme:pipeline:site*", &["~every other pipeline"]),
        ("app.terraform.io", "StringLike", "organization:acme:project:web:workspace:site:run_phase:*", &[]),
        ("app.terraform.io", "StringLike", "organization:acme:project:*:workspace:site:run_phase:*", &[]),
        ("app.terraform.io", "StringLike", "organization:acme*:project:web:*", &["~which others can register"]),
        ("app.terraform.io", "StringLike", "organization:*:workspace:site:*", &["~matches every organization"]),
        (circle, "StringLike", "org/aaaa-1111/project/bbbb-2222/user/*", &[]),
        (circle, "StringLike", "org/*/project/bbbb-2222/user/*", &["~matches every organization"]),
        (bitbucket, "StringLike", "{bbbb-2222}:*", &[]),
        (bitbucket, "StringLike", "*:{cccc-3333}", &["~matches every repository"]),
        (eks, "StringEquals", "system:serviceaccount:web:publisher", &[]),
        (eks, "StringLike", "system:serviceaccount:*:publisher", &["~matches every namespace"]),
        (eks, "StringLike", "system:serviceaccount:web*:publisher", &["~also matches every namespace"]),
        ("oidc.vercel.com/acme", "StringLike", "owner:acme:project:*:environment:production", &[]),
        ("id.example.com", "StringLike", "team/site*", &["~end the name before the wildcard"]),
        ("id.example.com", "StringLike", "team/site/*", &[]),
    ];
    for (host, operator, subject, expected) in rows {
        check(&other(host, operator, json!(subject)), expected);
    }
}

#[test]
fn conditions_require_audience_and_subject() {
    let (aud, sub) = (format!("{GITHUB}:aud"), format!("{GITHUB}:sub"));
    let good = "repo:acme@1/site@2:pull_request";
    let with_aud = |rest: Value| {
        let mut condition = json!({ "StringEquals": { &aud: "sts.amazonaws.com" } });
        for (operator, keys) in rest.as_object().unwrap() {
            for (key, value) in keys.as_object().unwrap() {
                condition[operator][key] = value.clone();
            }
        }
        federated(GITHUB, condition)
    };
    let mut without_condition = federated(GITHUB, json!({}));
    without_condition.as_object_mut().unwrap().remove("Condition");
    let rows: [(Value, &[&str]); 19] = [
        (without_condition, &["!add a condition on its `sub`", "~add a condition on `aud`"]),
        (with_aud(json!({})), &["!IAM refuses the document without it"]),
        (federated(GITHUB, json!({ "StringEquals": { &sub: good } })), &["~add a condition on `aud`"]),
        (
            federated(GITHUB, json!({ "StringEquals": { &sub: good }, "StringLike": { &aud: "*" } })),
            &["~`*` accepts every value", "~add a condition on `aud`"],
        ),
        (
            federated(GITHUB, json!({ "ForAllValues:StringEquals": { &sub: good, &aud: "sts.amazonaws.com" } })),
            &["~also holds if the key is missing", "~also holds for requests without", "~on its `sub`", "~on `aud`"],
        ),
        (
            with_aud(json!({ "ForAllValues:StringLike": { &sub: "repo:acme@1/site@2:*" } })),
            &["~also holds if the key is missing", "~also holds for requests without", "~on its `sub`"],
        ),
        (with_aud(json!({ "ForAnyValue:StringEquals": { &sub: good } })), &[]),
        (with_aud(json!({ "StringEqualsIfExists": { &sub: good } })), &["~`IfExists`", "~on its `sub`"]),
        (with_aud(json!({ "StringNotEquals": { &sub: "repo:evil/x:y" } })), &["~every other value", "~on its `sub`"]),
        (
            with_aud(
                json!({ "StringNotEquals": { &sub: "repo:acme@1/site@2:pull_request" }, "StringLike": { &sub: "repo:acme@1/site@2:*" } }),
            ),
            &[],
        ),
        (with_aud(json!({ "Null": { &sub: "false" } })), &["~on its `sub`"]),
        (with_aud(json!({ "StringEqual": { &sub: good } })), &["!is not a condition operator", "!on its `sub`"]),
        (with_aud(json!({ "StringEquals": { "sub": good } })), &["!is not a condition key", "!on its `sub`"]),
        (
            with_aud(
                json!({ "StringEquals": { "gitlab.com:sub": "project_path:acme/site:ref_type:branch:ref:main" } }),
            ),
            &["!so the condition is never met", "!on its `sub`"],
        ),
        (
            with_aud(json!({ "StringEquals": { format!("https://{GITHUB}:sub"): good } })),
            &["!so the condition is never met", "!on its `sub`"],
        ),
        (with_aud(json!({ "StringEquals": { &sub: [] } })), &["!without a value"]),
        (with_aud(json!({ "StringEquals": { sub.to_uppercase(): good } })), &[]),
        (
            federated("oidc.example.com", json!({ "StringEquals": { "oidc.example.com:aud": "a" } })),
            &["~add a condition on its `sub`"],
        ),
        (
            federated(
                "oidc.vercel.com",
                json!({ "StringEquals": { "oidc.vercel.com:sub": "owner:a:project:b:environment:c" } }),
            ),
            &["!add a condition on `aud`"],
        ),
    ];
    for (statement, expected) in rows {
        check(&statement, expected);
    }
}

#[test]
fn principals_exist_and_actions_fit_them() {
    let allow =
        |principal: Value, action: Value| json!({ "Effect": "Allow", "Principal": principal, "Action": action });
    let when = |principal: Value, condition: Value| json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition });
    let role = || json!({ "AWS": "arn:aws:iam::123456789012:role/ci" });
    let assume = || json!("sts:AssumeRole");
    let saml = || json!({ "Federated": "arn:aws:iam::123456789012:saml-provider/okta" });
    let rows: [(Value, &[&str]); 44] = [
        (allow(role(), assume()), &[]),
        (
            allow(json!({ "AWS": ["123456789012", "arn:aws:iam::123456789012:user/ci/lea"] }), assume()),
            &["-sts:ExternalId"],
        ),
        (allow(json!({ "AWS": "arn:aws:sts::123456789012:assumed-role/ci/run" }), assume()), &[]),
        (allow(json!({ "AWS": "arn:aws-cn:iam::123456789012:root" }), assume()), &["-trusts every user and role"]),
        (when(json!({ "AWS": "123456789012" }), json!({ "StringEquals": { "sts:ExternalId": "x1" } })), &[]),
        (
            when(
                json!({ "AWS": "123456789012" }),
                json!({ "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam::123456789012:role/ci" } }),
            ),
            &[],
        ),
        (
            when(json!({ "AWS": "123456789012" }), json!({ "StringLike": { "sts:ExternalId": "x*" } })),
            &["~can be guessed"],
        ),
        (allow(json!({ "Service": "lambda.amazonaws.com" }), assume()), &[]),
        (
            allow(
                json!({ "Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"] }),
                json!(["sts:AssumeRole", "sts:TagSession"]),
            ),
            &[],
        ),
        (allow(json!({ "Service": "ec2.amazonaws.com.cn" }), json!("STS:assumerole")), &[]),
        (
            json!({ "Effect": "Allow", "Principal": saml(), "Action": "sts:AssumeRoleWithSAML", "Condition": { "StringEquals": { "SAML:aud": "https://signin.aws.amazon.com/saml" } } }),
            &[],
        ),
        (
            json!({ "Effect": "Allow", "Principal": { "Federated": "cognito-identity.amazonaws.com" }, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": { "StringEquals": { "cognito-identity.amazonaws.com:aud": "eu-west-1:1" } } }),
            &[],
        ),
        // Everyone.
        (allow(json!("*"), assume()), &["~every AWS account"]),
        (allow(json!({ "AWS": "*" }), assume()), &["~every AWS account"]),
        (allow(json!({ "AWS": ["*", "123456789012"] }), assume()), &["~every AWS account"]),
        (when(json!("*"), json!({ "Bool": { "aws:SecureTransport": "true" } })), &["~which do not say who"]),
        (when(json!("*"), json!({ "StringLike": { "aws:PrincipalOrgID": "*" } })), &["~which do not say who"]),
        (
            when(json!("*"), json!({ "StringEqualsIfExists": { "aws:PrincipalOrgID": "o-1" } })),
            &["~which do not say who"],
        ),
        (when(json!("*"), json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } })), &[]),
        (when(json!({ "AWS": "*" }), json!({ "StringEquals": { "AWS:principalorgid": "o-1" } })), &[]),
        (json!({ "Effect": "Allow", "NotPrincipal": role(), "Action": "sts:AssumeRole" }), &["~everyone except"]),
        (
            json!({ "Effect": "Allow", "Principal": role(), "NotPrincipal": role(), "Action": "sts:AssumeRole" }),
            &["!exactly one of", "~everyone except"],
        ),
        (
            json!({ "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": { "StringNotEquals": { "aws:PrincipalOrgID": "o-1" } } }),
            &[],
        ),
        (json!({ "Effect": "Allow", "Action": "sts:AssumeRole" }), &["!write `Principal`"]),
        // No principals.
        (allow(json!({ "AWS": "arn:aws:iam::123456789012:role/*" }), assume()), &["!principals have no wildcards"]),
        (allow(json!({ "AWS": "arn:aws:iam::*:root" }), assume()), &["!principals have no wildcards"]),
        (allow(json!({ "AWS": "arn:aws:iam::123456789012:group/dev" }), assume()), &["!a group is no principal"]),
        (allow(json!({ "AWS": "arn:aws:iam::123456789012:instance-profile/x" }), assume()), &["!name its role"]),
        (allow(json!({ "AWS": "12345678901" }), assume()), &["!12 digits"]),
        (allow(json!({ "AWS": "AROAIOSFODNN7EXAMPLE" }), assume()), &["!deleted user or role"]),
        (allow(json!({ "AWS": "lambda.amazonaws.com" }), assume()), &["!of the kind `Service`"]),
        (
            allow(json!({ "AWS": "arn:aws:iam::123456789012:oidc-provider/gitlab.com" }), assume()),
            &["!of the kind `Federated`"],
        ),
        (allow(json!({ "Service": "lambda" }), assume()), &["!is no service"]),
        (allow(json!({ "Service": "*" }), assume()), &["!is no service"]),
        (allow(json!({ "Aws": "123456789012" }), assume()), &["!is no kind of principal"]),
        (allow(json!({ "CanonicalUser": "79a5" }), assume()), &["!is for bucket policies"]),
        (allow(json!("123456789012"), assume()), &["!write `{\"AWS\": …}`"]),
        (allow(json!({ "Federated": GITHUB }), json!("sts:AssumeRoleWithWebIdentity")), &["!is no identity provider"]),
        (
            allow(
                json!({ "Federated": format!("arn:aws:iam::123456789012:oidc-provider/https://{GITHUB}") }),
                json!("sts:AssumeRoleWithWebIdentity"),
            ),
            &["!is no identity provider", "~its `sub`", "~`aud`"],
        ),
        // Actions that do not fit.
        (allow(role(), json!("sts:AssumeRoleWithWebIdentity")), &["!has no effect"]),
        (allow(saml(), json!("sts:AssumeRole")), &["!assumes a role by `sts:AssumeRoleWithSAML`", "~`SAML:aud`"]),
        (allow(role(), json!("s3:GetObject")), &["!is not of STS"]),
        (allow(role(), json!("sts:*")), &["~every way to assume the role"]),
        (json!({ "Effect": "Allow", "Principal": role(), "NotAction": "iam:*" }), &["~all other ways"]),
    ];
    for (statement, expected) in rows {
        check(&statement, expected);
    }
    let wrong_action = {
        let mut statement = github("StringEquals", json!("repo:acme@1/site@2:pull_request"));
        statement["Action"] = json!("sts:AssumeRole");
        statement
    };
    check(&wrong_action, &["!an OpenID Connect provider assumes a role by `sts:AssumeRoleWithWebIdentity`"]);
}
