//! Assuming a role: trust, the caller's permission, and the parameters.

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn assuming_a_role_needs_trust_and_the_callers_own_permission() {
    let trust = |principal: &str, effect: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{"AWS":"000000000000"}},"Action":"sts:AssumeRole"}},
            {{"Effect":"{effect}","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
        )
    };
    let account = LocalAws::in_memory().expect("an account");
    let iam = account.iam();
    let may_one = MAY_ASSUME.replace("\"*\"", "\"arn:aws:iam::000000000000:role/one\"");
    iam.create_user("lea", &[("assume", MAY_ASSUME)]).expect("a user");
    iam.create_user("max", &[("assume", &may_one)]).expect("a user");
    iam.create_user("eve", &[]).expect("a user");
    let other = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}}"#;
    let service = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    let only_lea = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/lea"},"Action":"sts:AssumeRole"}}"#;
    for (name, document) in [
        ("one", TRUST_ACCOUNT.to_owned()),
        ("two", only_lea.to_owned()),
        ("foreign", other.to_owned()),
        ("service", service.to_owned()),
        ("not-lea", trust(r#"{"AWS":"arn:aws:iam::000000000000:user/lea"}"#, "Deny")),
    ] {
        iam.create_role(name, &document, &[]).expect(name);
    }
    for (user, role, expected) in [
        ("lea", "one", true),
        ("lea", "two", true),
        ("lea", "foreign", false),
        ("lea", "service", false),
        ("lea", "not-lea", false),
        ("lea", "missing", false),
        ("max", "one", true),
        ("max", "two", false),
        ("eve", "one", false),
    ] {
        let client = sts(&account, iam.create_access_key(user).expect("a key").credentials());
        let arn = format!("arn:aws:iam::000000000000:role/{role}");
        let result = client.assume_role().role_arn(&arn).role_session_name("run").send().await;
        if expected {
            assert!(
                result.is_ok(),
                "{user} {role}: {:?}",
                result.err().and_then(|error| error.message().map(str::to_owned))
            );
        } else {
            let (code, message) = failure(result);
            assert_eq!(code, "AccessDenied", "{user} {role}");
            let text = format!(
                "User: arn:aws:iam::000000000000:user/{user} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            );
            assert!(message.starts_with(&text), "{message}");
        }
    }
}

#[tokio::test]
async fn trust_can_require_an_external_id() {
    let (account, user) = account_with_role();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole",
        "Condition":{"StringEquals":{"sts:ExternalId":"blue"},"StringLike":{"sts:RoleSessionName":"run-*"}}}}"#;
    let arn = account.iam().create_role("asks", trust, &[]).expect("a role");
    let request = || user.assume_role().role_arn(&arn).role_session_name("run-1");
    assert!(request().external_id("blue").send().await.is_ok());
    assert_eq!(failure(request().external_id("red").send().await).0, "AccessDenied");
    assert_eq!(failure(request().send().await).0, "AccessDenied");
    assert_eq!(failure(request().role_session_name("other").external_id("blue").send().await).0, "AccessDenied");
}

/// Rows: session name, seconds, session policy, and the code and part of the message if the request is rejected.
#[tokio::test]
async fn checks_parameters_by_the_api_reference() {
    let (_account, user) = account_with_role();
    let padded = |length: usize| format!("{ONLY_DOCS}{}", " ".repeat(length - ONLY_DOCS.len()));
    let random = |length: usize| {
        let keys: Vec<String> = (0..length)
            .map(|number| format!("arn:aws:s3:::site/{:016x}/*", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        ONLY_DOCS.replace("\"arn:aws:s3:::site/docs/*\"", &serde_json::to_string(&keys).expect("JSON"))
    };
    let ok: Option<(&str, &str)> = None;
    let rejected = |code, message| Some((code, message));
    let invalid = |message| Some(("ValidationError", message));
    for (name, seconds, policy, expected) in [
        ("ab".to_owned(), 900, None, ok),
        ("a".repeat(64), 3_600, None, ok),
        (
            "a".to_owned(),
            900,
            None,
            invalid(
                "'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
            ),
        ),
        ("a".repeat(65), 900, None, invalid("Member must have length less than or equal to 64")),
        ("run/1".to_owned(), 900, None, invalid(r"Member must satisfy regular expression pattern: [\w+=,.@-]*")),
        ("run é".to_owned(), 900, None, invalid("regular expression")),
        ("run".to_owned(), 899, None, invalid("Member must have value greater than or equal to 900")),
        ("run".to_owned(), 43_201, None, invalid("Member must have value less than or equal to 43200")),
        ("run".to_owned(), 3_601, None, invalid("exceeds the MaxSessionDuration set for this role")),
        ("run".to_owned(), 900, Some(padded(2_047)), ok),
        ("run".to_owned(), 900, Some(padded(2_048)), ok),
        (
            "run".to_owned(),
            900,
            Some(padded(2_049)),
            invalid("'policy' failed to satisfy constraint: Member must have length less than or equal to 2048"),
        ),
        ("run".to_owned(), 900, Some(ONLY_DOCS.replace("docs", "é")), ok),
        ("run".to_owned(), 900, Some(ONLY_DOCS.replace("docs", "日")), invalid(r"[\u0009\u000A\u000D\u0020-\u00FF]+")),
        ("run".to_owned(), 900, Some("{".to_owned()), rejected("MalformedPolicyDocument", "syntax errors in policy")),
        (
            "run".to_owned(),
            900,
            Some(ONLY_DOCS.replace("Allow", "Permit")),
            rejected("MalformedPolicyDocument", "invalid effect"),
        ),
        ("run".to_owned(), 900, Some(random(20)), ok),
        ("run".to_owned(), 900, Some(random(46)), rejected("PackedPolicyTooLarge", "% of allotted space")),
    ] {
        assert!(policy.as_ref().is_none_or(|policy| {
            expected.is_some_and(|(code, _)| code == "ValidationError") || policy.chars().count() <= 2_048
        }));
        let label = format!("{name} {seconds} {:?}", policy.as_ref().map(String::len));
        let request =
            user.assume_role().role_arn(ROLE).role_session_name(name).duration_seconds(seconds).set_policy(policy);
        match (request.send().await, expected) {
            (Ok(_), None) => {}
            (result, Some((code, message))) => {
                let (own_code, own_message) = failure(result);
                assert_eq!(own_code, code, "{label}: {own_message}");
                assert!(own_message.contains(message), "{label}: {own_message}");
            }
            (Err(error), None) => panic!("{label}: {:?} {:?}", error.code(), error.message()),
        }
    }
}

#[tokio::test]
async fn a_chained_session_lasts_at_most_one_hour() {
    let (account, user) = account_with_role();
    iam(&account).update_role().role_name("publisher").max_session_duration(43_200).send().await.expect("a duration");
    let first = user.assume_role().role_arn(ROLE).role_session_name("first").duration_seconds(43_200).send().await;
    let chained = sts(&account, credentials(&first.expect("a session")));
    let request = |seconds| chained.assume_role().role_arn(ROLE).role_session_name("second").duration_seconds(seconds);
    assert!(request(3_600).send().await.is_ok());
    let (code, message) = failure(request(3_601).send().await);
    assert_eq!(code, "ValidationError");
    assert!(message.contains("exceeds the 1 hour session limit for roles assumed by role chaining"), "{message}");
}
