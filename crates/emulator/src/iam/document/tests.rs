//! Valid documents, and the errors of invalid ones.

use super::*;

fn effects(statement: &str, action: &str, resource: &str, context: &ConditionContext) -> Vec<StatementEffect> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
    IdentityPolicy::parse(&text).expect("a policy").effects(action, resource, context).collect()
}

#[test]
fn accepts_single_and_several_statements_and_values() {
    let context = ConditionContext::default();
    let one = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}"#;
    let many = r#"[{"Sid":"A","Effect":"Allow","Action":["s3:Get*"],"Resource":["arn:aws:s3:::a/*","arn:aws:s3:::b/*"]},
                   {"Sid":"B","Effect":"Deny","NotAction":"s3:List*","NotResource":"arn:aws:s3:::a/*"}]"#;
    assert_eq!(effects(one, "S3:getobject", "arn:aws:s3:::a/x", &context), [StatementEffect::Allow]);
    assert_eq!(effects(one, "s3:GetObject", "arn:aws:s3:::A/x", &context), []);
    assert_eq!(effects(many, "s3:GetObject", "arn:aws:s3:::a/x", &context), [StatementEffect::Allow]);
    assert_eq!(
        effects(many, "s3:GetObject", "arn:aws:s3:::b/x", &context),
        [StatementEffect::Allow, StatementEffect::Deny]
    );
    assert_eq!(effects(many, "s3:ListBucket", "arn:aws:s3:::b", &context), []);
}

#[test]
fn requires_all_conditions_of_a_statement() {
    let statement = r#"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*",
        "Condition":{"StringLike":{"s3:prefix":["docs/*","docs"]},"NumericLessThanEquals":{"s3:max-keys":1000},"Bool":{"aws:SecureTransport":true}}}"#;
    let context = |prefix: &str, keys: &str| {
        ConditionContext::default()
            .with("s3:prefix", prefix)
            .with("s3:max-keys", keys)
            .with("aws:SecureTransport", "true")
    };
    let action = "s3:ListBucket";
    assert_eq!(effects(statement, action, "arn:aws:s3:::a", &context("docs/x", "1000")), [StatementEffect::Allow]);
    assert_eq!(effects(statement, action, "arn:aws:s3:::a", &context("docs2/x", "1000")), []);
    assert_eq!(effects(statement, action, "arn:aws:s3:::a", &context("docs/x", "1001")), []);
}

#[test]
fn supports_variables_only_in_documents_of_2012() {
    let context = ConditionContext::default().with("aws:username", "lea");
    let statement = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*"}"#;
    for (version, expected) in [(r#""Version":"2012-10-17","#, 1), (r#""Version":"2008-10-17","#, 0), ("", 0)] {
        let policy = IdentityPolicy::parse(&format!(r#"{{{version}"Statement":{statement}}}"#)).expect("a policy");
        assert_eq!(policy.effects("s3:GetObject", "arn:aws:s3:::home/lea/x", &context).count(), expected);
    }
}

/// Rows: a document, and a part of its error message.
#[test]
fn rejects_invalid_documents() {
    let base = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"*""#;
    let rows = [
        ("{".to_owned(), "syntax errors in policy"),
        ("{}".to_owned(), "missing field `Statement`"),
        (r#"{"Statement":[]}"#.to_owned(), "no statement"),
        (format!(r#"{{"Version":"2012-10-18","Statement":{{{base}}}}}"#), "unknown policy version"),
        (format!(r#"{{"version":"2012-10-17","Statement":{{{base}}}}}"#), "unknown field `version`"),
        (format!(r#"{{"Statement":{{{base},"Resources":"*"}}}}"#), "unknown field `Resources`"),
        (format!(r#"{{"Statement":{{{base},"Effect":"Deny"}}}}"#), "duplicate field `Effect`"),
        (format!(r#"{{"Statement":{{{base},"NotPrincipal":"*"}}}}"#), "unknown field `NotPrincipal`"),
        (format!(r#"{{"Statement":{{{base},"Principal":"*"}}}}"#), "prohibited field `Principal`"),
        (format!(r#"{{"Statement":{{{base},"Sid":"a b"}}}}"#), "must be alpha-numeric"),
        (format!(r#"{{"Statement":[{{{base},"Sid":"a"}},{{{base},"Sid":"a"}}]}}"#), "must be unique"),
        (format!(r#"{{"Statement":{{{base},"NotAction":"s3:*"}}}}"#), "exactly one of `Action` and `NotAction`"),
        (format!(r#"{{"Statement":{{{base},"NotResource":"*"}}}}"#), "exactly one of `Resource`"),
        (
            format!(r#"{{"Statement":{{{base},"Condition":{{"IpAddress":{{"aws:SourceIp":"10.0.0.0/8"}}}}}}}}"#),
            "does not support",
        ),
        (
            format!(
                r#"{{"Statement":{{{base},"Condition":{{"StringLike":{{"s3:prefix":"a"}},"StringLike":{{"s3:prefix":"b"}}}}}}}}"#
            ),
            "`StringLike` occurs twice",
        ),
        (r#"{"Statement":{"Effect":"allow","Action":"s3:*","Resource":"*"}}"#.to_owned(), "invalid effect"),
        (r#"{"Statement":{"Effect":"Allow","Action":"GetObject","Resource":"*"}}"#.to_owned(), "prefaced by a vendor"),
        (r#"{"Statement":{"Effect":"Allow","Action":[],"Resource":"*"}}"#.to_owned(), "`Action` is empty"),
        (r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"site/*"}}"#.to_owned(), "ARN format"),
        (r#"{"Statement":{"Effect":"Allow","Action":"s3:*"}}"#.to_owned(), "exactly one of `Resource`"),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${a"}}"#
                .to_owned(),
            "unclosed policy variable",
        ),
    ];
    for (document, expected) in rows {
        let message = IdentityPolicy::parse(&document).expect_err(&document).to_string();
        assert!(message.contains(expected), "{document} says `{message}`, not `{expected}`");
    }
}

#[test]
fn trust_policies_need_principals_and_actions_of_sts() {
    let parse = |statement: &str| TrustPolicy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#));
    let root = r#"{"AWS":"arn:aws:iam::000000000000:root"}"#;
    let policy =
        parse(&format!(r#"{{"Effect":"Allow","Principal":{root},"Action":"sts:AssumeRole"}}"#)).expect("a policy");
    let arns = ["arn:aws:iam::000000000000:root".to_owned()];
    assert_eq!(policy.effects("sts:AssumeRole", &arns, &ConditionContext::default()).count(), 1);
    assert_eq!(policy.effects("sts:TagSession", &arns, &ConditionContext::default()).count(), 0);
    for (statement, expected) in [
        (format!(r#"{{"Effect":"Allow","Principal":{root},"Action":"s3:GetObject"}}"#), "only specify STS actions"),
        (format!(r#"{{"Effect":"Allow","Principal":{root},"Action":"*"}}"#), "only specify STS actions"),
        (
            format!(r#"{{"Effect":"Allow","Principal":{root},"Action":"sts:AssumeRole","Resource":"*"}}"#),
            "prohibited field `Resource`",
        ),
        (r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#.to_owned(), "exactly one of `Principal`"),
    ] {
        let message = parse(&statement).expect_err(&statement).to_string();
        assert!(message.contains(expected), "{statement} says `{message}`, not `{expected}`");
    }
}
