//! Conditions compared with the tables of the IAM User Guide.

use super::*;

fn holds(operator: &str, values: &[&str], context: &ConditionContext) -> bool {
    let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
    PolicyCondition::parse(operator, "s3:prefix", &values, true).expect("a condition").holds(context)
}

fn with(values: &[&str]) -> ConditionContext {
    values.iter().fold(ConditionContext::default(), |context, value| context.with("S3:Prefix", *value))
}

/// Rows: operator, values of the policy, values of the request (none: the key is missing), whether the condition holds.
#[test]
fn operators_follow_the_guide() {
    let rows: &[(&str, &[&str], &[&str], bool)] = &[
        ("StringEquals", &["docs/"], &["docs/"], true),
        ("StringEquals", &["docs/"], &["Docs/"], false),
        ("StringEquals", &["docs/*"], &["docs/a"], false),
        ("StringEquals", &["a", "b"], &["b"], true),
        ("StringEquals", &["a"], &[], false),
        ("StringEqualsIfExists", &["a"], &[], true),
        ("StringEqualsIfExists", &["a"], &["b"], false),
        ("StringNotEquals", &["a"], &["b"], true),
        ("StringNotEquals", &["a", "b"], &["b"], false),
        ("StringNotEquals", &["a"], &[], true),
        ("StringNotEquals", &["a"], &["b", "a"], false),
        ("StringEqualsIgnoreCase", &["DOCS/"], &["docs/"], true),
        ("StringNotEqualsIgnoreCase", &["DOCS/"], &["docs/"], false),
        ("StringLike", &["docs/*"], &["docs/a"], true),
        ("StringLike", &["docs/*"], &["docs2/a"], false),
        ("StringLike", &["docs/?"], &["docs/ab"], false),
        ("StringLike", &["docs/${*}"], &["docs/*"], true),
        ("StringLike", &["docs/${*}"], &["docs/a"], false),
        ("StringNotLike", &["docs/*"], &["docs/a"], false),
        ("StringNotLike", &["docs/*"], &["other"], true),
        ("Bool", &["true"], &["TRUE"], true),
        ("Bool", &["true"], &["false"], false),
        ("Bool", &["false"], &[], false),
        ("BoolIfExists", &["false"], &[], true),
        ("Null", &["true"], &[], true),
        ("Null", &["true"], &["x"], false),
        ("Null", &["false"], &["x"], true),
        ("NumericEquals", &["10"], &["10.0"], true),
        ("NumericNotEquals", &["10"], &["11"], true),
        ("NumericNotEquals", &["10"], &["ten"], false),
        ("NumericLessThan", &["10"], &["10"], false),
        ("NumericLessThanEquals", &["10"], &["10"], true),
        ("NumericGreaterThan", &["10"], &["9"], false),
        ("NumericGreaterThanEquals", &["10"], &["10"], true),
        ("DateLessThan", &["2030-01-01T00:00:00Z"], &["2029-12-31T23:59:59Z"], true),
        ("DateGreaterThan", &["2030-01-01"], &["1893456001"], true),
        ("DateEquals", &["2030-01-01"], &["soon"], false),
        ("ArnLike", &["arn:aws:iam::*:role/site-*"], &["arn:aws:iam::000000000000:role/site-docs"], true),
        ("ArnEquals", &["arn:aws:iam::*:role/*"], &["arn:aws:iam::000000000000:user/lea"], false),
        ("ArnNotLike", &["arn:aws:iam::*:role/*"], &["arn:aws:iam::000000000000:user/lea"], true),
        ("ForAllValues:StringEquals", &["a", "b"], &["a", "b"], true),
        ("ForAllValues:StringEquals", &["a", "b"], &["a", "c"], false),
        ("ForAllValues:StringEquals", &["a"], &[], true),
        ("ForAnyValue:StringEquals", &["a", "b"], &["c", "b"], true),
        ("ForAnyValue:StringEquals", &["a"], &[], false),
        ("ForAllValues:StringNotEquals", &["a"], &["b", "a"], false),
        ("ForAnyValue:StringNotEquals", &["a"], &["b", "a"], true),
        ("ForAnyValue:StringLikeIfExists", &["a*"], &[], true),
    ];
    for (operator, values, request, expected) in rows {
        assert_eq!(holds(operator, values, &with(request)), *expected, "{operator} {values:?} of {request:?}");
    }
}

#[test]
fn rejects_invalid_conditions() {
    let parse = |operator: &str, key: &str, values: &[&str]| {
        let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
        PolicyCondition::parse(operator, key, &values, true).expect_err("an error").to_string()
    };
    assert_eq!(parse("StringMatches", "aws:x", &["a"]), "unknown condition operator `StringMatches`");
    assert_eq!(parse("ForSome:StringLike", "aws:x", &["a"]), "unknown condition operator `ForSome:StringLike`");
    assert_eq!(parse("NumericLike", "aws:x", &["1"]), "unknown condition operator `NumericLike`");
    assert_eq!(parse("stringequals", "aws:x", &["a"]), "unknown condition operator `stringequals`");
    assert!(parse("IpAddress", "aws:SourceIp", &["10.0.0.0/8"]).contains("the emulator does not support"));
    assert!(parse("NullIfExists", "aws:x", &["true"]).contains("takes no modifier"));
    assert!(parse("StringLike", "prefix", &["a"]).contains("prefaced by a vendor"));
    assert!(parse("StringLike", "aws:x", &[]).contains("has no value"));
    assert!(parse("Bool", "aws:x", &["yes"]).contains("`true` or `false`"));
    assert!(parse("NumericEquals", "aws:x", &["NaN"]).contains("a number"));
    assert!(parse("DateEquals", "aws:x", &["soon"]).contains("a date"));
    assert!(parse("StringLike", "aws:x", &["${aws:x"]).contains("unclosed policy variable"));
}

#[test]
fn substitutes_policy_variables_in_values() {
    let context = with(&["home/lea/x"]).with("aws:username", "lea");
    assert!(holds("StringLike", &["home/${aws:username}/*"], &context));
    let values = ["home/${aws:username}/*".to_owned()];
    let old = PolicyCondition::parse("StringLike", "s3:prefix", &values, false).expect("a condition");
    assert!(!old.holds(&context), "documents of 2008 have no variables");
}
