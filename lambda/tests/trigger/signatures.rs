//! Signatures of webhooks, over the unchanged bytes of the body.

use tidegate_lambda::trigger::{HttpRequest, InvocationEvent, read};
use tidegate_lambda::webhook::{WebhookDecision, WebhookRefusal, candidates};

use crate::support::{
    SECRET, both_secrets, decide, fixture, fixture_bytes, github_config, github_request, now, outcome_of, refused,
    secrets, signature,
};

const RULE: &str = "branch = \"main\"";

fn request(headers: &[(&str, &str)], body: &[u8]) -> HttpRequest {
    let all = [&[("x-github-event", "push")], headers].concat();
    HttpRequest::new("POST", "/", all, body.to_vec())
}

/// The decision about a push to `main` with these headers.
fn outcome_with(headers: &[(&str, &str)]) -> String {
    outcome_of(&decide(&github_config(RULE), &request(headers, &fixture_bytes("github-push")), &both_secrets()))
}

#[test]
fn verifies_the_example_of_githubs_documentation() {
    // As text and as base64.
    assert_eq!(
        signature(SECRET, b"Hello, World!"),
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    );
    for name in ["function-url", "function-url-base64"] {
        let Ok(InvocationEvent::Http(hello)) = read(&fixture(name)) else { panic!() };
        let sent = hello.header("x-hub-signature-256").unwrap();
        assert_eq!(signature(SECRET, &hello.body), sent, "{name}");
        // It names no repository, so no rule applies.
        assert_eq!(candidates(&hello, &github_config(RULE)).unwrap_err(), WebhookRefusal::Unauthentic);
    }
}

#[test]
fn verifies_bytes_not_values() {
    // The same value, written in other ways.
    let config = github_config(RULE);
    let plain = fixture_bytes("github-push");
    let text = String::from_utf8(plain.clone()).unwrap();
    let escaped = text.replace("Explain the new limits", "Explain the new limits \\u00e9");
    let spaced = format!("{text}   \n");
    let doubled = text.replacen("\"ref\":", "\"ref\": \"refs/heads/other\", \"ref\":", 1);
    let number = text.replace("551234567", "551234567.0");
    for body in [&text, &escaped, &spaced, &doubled, &number] {
        let outcome = outcome_of(&decide(&config, &github_request("push", body.as_bytes()), &both_secrets()));
        assert!(outcome.starts_with("publish docs 6113728f"), "{outcome}");
        if *body != text {
            let other = request(&[("x-hub-signature-256", &signature(SECRET, &plain))], body.as_bytes());
            assert_eq!(decide(&config, &other, &both_secrets()), WebhookDecision::Refused(WebhookRefusal::Unauthentic));
        }
    }
}

#[test]
fn accepts_each_secret_of_a_rule() {
    let body = fixture_bytes("github-push");
    for secret in [SECRET, "an older one"] {
        assert!(outcome_with(&[("x-hub-signature-256", &signature(secret, &body))]).starts_with("publish"), "{secret}");
    }
    assert_eq!(
        outcome_with(&[("x-hub-signature-256", &signature("another", &body))]),
        "401: no rule accepts this signature"
    );
    // With one secret missing, the other one still verifies, and nothing matches the missing one.
    let config = github_config(RULE);
    let some = secrets(&[("secretsmanager:new", SECRET)]);
    assert!(matches!(decide(&config, &github_request("push", &body), &some), WebhookDecision::Publish(_)));
    let older = request(&[("x-hub-signature-256", &signature("an older one", &body))], &body);
    assert_eq!(decide(&config, &older, &some), WebhookDecision::Refused(WebhookRefusal::Unauthentic));
    assert_eq!(
        decide(&config, &github_request("push", &body), &secrets(&[])),
        WebhookDecision::Refused(WebhookRefusal::Unauthentic)
    );
    let count = candidates(&github_request("push", &body), &config).unwrap().secrets().len();
    assert_eq!(count, 2);
}

#[test]
fn refuses_malformed_signatures_with_a_reason() {
    let right = signature(SECRET, &fixture_bytes("github-push"));
    let digits = right.strip_prefix("sha256=").unwrap();
    let upper = format!("sha256={}", digits.to_ascii_uppercase());
    assert!(outcome_with(&[("x-hub-signature-256", &upper)]).starts_with("publish"));
    assert_eq!(outcome_with(&[]), "401: the webhook has no `x-hub-signature-256`; set a secret at the sender");
    let sha1 = "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709";
    assert!(outcome_with(&[("x-hub-signature", sha1)]).contains("SHA-1"));
    let wrong = "401: invalid signature; send `sha256=` with 64 hexadecimal digits";
    for text in [
        "",
        sha1,
        digits,
        "sha256=",
        &right.chars().take(70).collect::<String>(),
        &right.chars().take(69).collect::<String>(),
        &format!("{right}0"),
        &format!("{right}00"),
        &format!("sha256={}", "g".repeat(64)),
        &format!("SHA256={digits}"),
        &format!("{right},{right}"),
    ] {
        assert_eq!(outcome_with(&[("x-hub-signature-256", text), ("x-hub-signature", sha1)]), wrong, "{text}");
    }
}

#[test]
fn refusals_reveal_nothing_to_strangers() {
    // A repository without a rule, one with a rule and a wrong signature, no repository, no JSON: all get the same
    // answer.
    let config = github_config(RULE);
    let body = String::from_utf8(fixture_bytes("github-push")).unwrap();
    let unknown = body.replace("acme/docs", "acme/secret-project");
    let answers: Vec<String> =
        [body.as_str(), &unknown, "{}", "[]", "no JSON", "", "{\"repository\":{\"full_name\":7}}"]
            .iter()
            .map(|body| {
                let signed =
                    request(&[("x-hub-signature-256", &signature("guessed", body.as_bytes()))], body.as_bytes());
                outcome_of(&decide(&config, &signed, &both_secrets()))
            })
            .collect();
    assert!(answers.iter().all(|answer| answer == "401: no rule accepts this signature"), "{answers:?}");
}

#[test]
fn a_rule_accepts_its_own_secrets_only() {
    let config = crate::support::config(
        "builds = \"s3://acme-artifacts/builds/\"\n\
         [[site.webhook]]\nprovider = \"github\"\nrepository = \"acme/docs\"\nbranch = \"main\"\nsecrets = [\"ssm:/docs\"]\n\
         [[site]]\nname = \"other\"\ntarget = \"s3://other/\"\nbuilds = \"s3://acme-artifacts/builds/\"\n\
         [[site.webhook]]\nprovider = \"github\"\nrepository = \"acme/docs\"\nbranch = \"main\"\nsecrets = [\"ssm:/other\"]\n",
    );
    let known = secrets(&[("ssm:/docs", SECRET), ("ssm:/other", "another")]);
    let outcome = outcome_of(&decide(&config, &github_request("push", &fixture_bytes("github-push")), &known));
    assert_eq!(outcome, "publish docs 6113728f27ae82c7b1a177c8d03f9e96e0adf246");
    let known = secrets(&[("ssm:/docs", SECRET), ("ssm:/other", SECRET)]);
    let outcome = outcome_of(&decide(&config, &github_request("push", &fixture_bytes("github-push")), &known));
    assert_eq!(outcome.matches("6113728f").count(), 2);
}

#[test]
fn refuses_requests_that_are_not_webhooks() {
    let config = github_config(RULE);
    let answer = |method: &str, headers: &[(&str, &str)], body: Vec<u8>| {
        refused(&candidates(&HttpRequest::new(method, "/", headers.to_vec(), body), &config).unwrap_err())
    };
    assert_eq!(answer("GET", &[], Vec::new()), "405: the method must be POST");
    assert!(answer("POST", &[], Vec::new()).starts_with("400: not a webhook"));
    let form = [("x-github-event", "push"), ("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    assert!(answer("POST", &form, Vec::new()).starts_with("415: "));
    assert!(answer("POST", &[("x-github-event", "push")], vec![b' '; 6 * 1024 * 1024 + 1]).starts_with("413: "));
}

#[test]
fn debug_output_hides_secrets_and_bodies() {
    let config = github_config(RULE);
    let request = github_request("push", &fixture_bytes("github-push"));
    let candidates = candidates(&request, &config).unwrap();
    let decision = candidates.authorize(&request, &both_secrets(), now());
    let printed = format!("{request:?} {candidates:?} {decision:?} {:?} {config:?}", both_secrets());
    let WebhookDecision::Publish(triggers) = &decision else { panic!() };
    let json = serde_json::to_string(triggers).unwrap();
    for secret in [SECRET, "an older one", "Explain the new limits", request.header("x-hub-signature-256").unwrap()] {
        assert!(!printed.contains(secret) && !json.contains(secret), "{secret}");
    }
}
