//! Who is believed: signatures over the bytes as they came.

use tidegate_lambda::trigger::{Delivery, HttpRequest, read};
use tidegate_lambda::webhook::{WebhookDecision, WebhookRefusal, candidates};

use crate::support::{
    SECRET, both, fixture, fixture_bytes, github_call, github_config, judge, now, outcome_of, refused, secrets,
    signature,
};

const RULE: &str = "branch = \"main\"";

fn call(headers: &[(&str, &str)], body: &[u8]) -> HttpRequest {
    let all = [&[("x-github-event", "push")], headers].concat();
    HttpRequest::new("POST", "/", all, body.to_vec())
}

/// Says what becomes of the pushed `main` under these headers.
fn verdict(headers: &[(&str, &str)]) -> String {
    outcome_of(&judge(&github_config(RULE), &call(headers, &fixture_bytes("github-push")), &both()))
}

#[test]
fn the_example_of_githubs_documentation_verifies() {
    // 18: as text and as base64.
    assert_eq!(
        signature(SECRET, b"Hello, World!"),
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    );
    for name in ["function-url", "function-url-base64"] {
        let Ok(Delivery::Call(hello)) = read(&fixture(name)) else { panic!() };
        let sent = hello.header("x-hub-signature-256").unwrap();
        assert_eq!(signature(SECRET, &hello.body), sent, "{name}");
        // It names no repository, so nobody believes it.
        assert_eq!(candidates(&hello, &github_config(RULE)).unwrap_err(), WebhookRefusal::Unauthentic);
    }
}

#[test]
fn the_bytes_are_signed_not_the_values() {
    // 17: the same value, written in other ways.
    let config = github_config(RULE);
    let plain = fixture_bytes("github-push");
    let text = String::from_utf8(plain.clone()).unwrap();
    let escaped = text.replace("Explain the new limits", "Explain the new limits \\u00e9");
    let spaced = format!("{text}   \n");
    let doubled = text.replacen("\"ref\":", "\"ref\": \"refs/heads/other\", \"ref\":", 1);
    let number = text.replace("551234567", "551234567.0");
    for body in [&text, &escaped, &spaced, &doubled, &number] {
        let told = outcome_of(&judge(&config, &github_call("push", body.as_bytes()), &both()));
        assert!(told.starts_with("publish docs 6113728f"), "{told}");
        if *body != text {
            let other = call(&[("x-hub-signature-256", &signature(SECRET, &plain))], body.as_bytes());
            assert_eq!(judge(&config, &other, &both()), WebhookDecision::Refused(WebhookRefusal::Unauthentic));
        }
    }
}

#[test]
fn either_of_two_secrets_signs_while_they_are_rotated() {
    // 19
    let body = fixture_bytes("github-push");
    for secret in [SECRET, "an older one"] {
        assert!(verdict(&[("x-hub-signature-256", &signature(secret, &body))]).starts_with("publish"), "{secret}");
    }
    assert_eq!(
        verdict(&[("x-hub-signature-256", &signature("another", &body))]),
        "401: no rule accepts this signature"
    );
    // One of them cannot be fetched: the other one serves, and nothing fits the absent one.
    let config = github_config(RULE);
    let some = secrets(&[("secretsmanager:new", SECRET)]);
    assert!(matches!(judge(&config, &github_call("push", &body), &some), WebhookDecision::Publish(_)));
    let older = call(&[("x-hub-signature-256", &signature("an older one", &body))], &body);
    assert_eq!(judge(&config, &older, &some), WebhookDecision::Refused(WebhookRefusal::Unauthentic));
    assert_eq!(
        judge(&config, &github_call("push", &body), &secrets(&[])),
        WebhookDecision::Refused(WebhookRefusal::Unauthentic)
    );
    let wanted = candidates(&github_call("push", &body), &config).unwrap().secrets().len();
    assert_eq!(wanted, 2);
}

#[test]
fn signatures_in_a_wrong_form_are_refused_with_a_reason() {
    // 19
    let right = signature(SECRET, &fixture_bytes("github-push"));
    let digits = right.strip_prefix("sha256=").unwrap();
    let upper = format!("sha256={}", digits.to_ascii_uppercase());
    assert!(verdict(&[("x-hub-signature-256", &upper)]).starts_with("publish"));
    assert_eq!(verdict(&[]), "401: the webhook has no `x-hub-signature-256`, give it a secret");
    let sha1 = "sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709";
    assert!(verdict(&[("x-hub-signature", sha1)]).contains("SHA-1"));
    let wrong = "401: the signature is not `sha256=` with 64 hexadecimal digits";
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
        assert_eq!(verdict(&[("x-hub-signature-256", text), ("x-hub-signature", sha1)]), wrong, "{text}");
    }
}

#[test]
fn a_stranger_learns_nothing_from_a_refusal() {
    // A repository without a rule, one with a rule and a wrong signature, no repository, no JSON: all the same.
    let config = github_config(RULE);
    let body = String::from_utf8(fixture_bytes("github-push")).unwrap();
    let unknown = body.replace("acme/docs", "acme/secret-project");
    let answers: Vec<String> =
        [body.as_str(), &unknown, "{}", "[]", "no JSON", "", "{\"repository\":{\"full_name\":7}}"]
            .iter()
            .map(|body| {
                let call = call(&[("x-hub-signature-256", &signature("guessed", body.as_bytes()))], body.as_bytes());
                outcome_of(&judge(&config, &call, &both()))
            })
            .collect();
    assert!(answers.iter().all(|answer| answer == "401: no rule accepts this signature"), "{answers:?}");
}

#[test]
fn a_rule_obeys_its_own_secrets_only() {
    let config = crate::support::config(
        "builds = \"s3://acme-artifacts/builds/\"\n\
         [[site.webhook]]\nprovider = \"github\"\nrepository = \"acme/docs\"\nbranch = \"main\"\nsecrets = [\"ssm:/docs\"]\n\
         [[site]]\nname = \"other\"\ntarget = \"s3://other/\"\nbuilds = \"s3://acme-artifacts/builds/\"\n\
         [[site.webhook]]\nprovider = \"github\"\nrepository = \"acme/docs\"\nbranch = \"main\"\nsecrets = [\"ssm:/other\"]\n",
    );
    let known = secrets(&[("ssm:/docs", SECRET), ("ssm:/other", "another")]);
    let told = outcome_of(&judge(&config, &github_call("push", &fixture_bytes("github-push")), &known));
    assert_eq!(told, "publish docs 6113728f27ae82c7b1a177c8d03f9e96e0adf246");
    let known = secrets(&[("ssm:/docs", SECRET), ("ssm:/other", SECRET)]);
    let told = outcome_of(&judge(&config, &github_call("push", &fixture_bytes("github-push")), &known));
    assert_eq!(told.matches("6113728f").count(), 2);
}

#[test]
fn what_is_no_webhook_is_told_so() {
    let config = github_config(RULE);
    let answer = |method: &str, headers: &[(&str, &str)], body: Vec<u8>| {
        refused(&candidates(&HttpRequest::new(method, "/", headers.to_vec(), body), &config).unwrap_err())
    };
    assert_eq!(answer("GET", &[], Vec::new()), "405: webhooks are sent with POST");
    assert!(answer("POST", &[], Vec::new()).starts_with("400: this is no webhook"));
    let form = [("x-github-event", "push"), ("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    assert!(answer("POST", &form, Vec::new()).starts_with("415: "));
    assert!(answer("POST", &[("x-github-event", "push")], vec![b' '; 6 * 1024 * 1024 + 1]).starts_with("413: "));
}

#[test]
fn secrets_and_bodies_are_in_no_output() {
    // 106
    let config = github_config(RULE);
    let call = github_call("push", &fixture_bytes("github-push"));
    let candidates = candidates(&call, &config).unwrap();
    let verdict = candidates.authorize(&call, &both(), now());
    let printed = format!("{call:?} {candidates:?} {verdict:?} {:?} {config:?}", both());
    let WebhookDecision::Publish(triggers) = &verdict else { panic!() };
    let json = serde_json::to_string(triggers).unwrap();
    for secret in [SECRET, "an older one", "Explain the new limits", call.header("x-hub-signature-256").unwrap()] {
        assert!(!printed.contains(secret) && !json.contains(secret), "{secret}");
    }
}
