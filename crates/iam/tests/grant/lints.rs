//! What is said of documents that others wrote.

use tidegate_iam::document::{LintedAs, PolicyLimit, Purpose, lacks, lint};

/// A statement, whose it is, and what is said of it: `!` for what is wrong, `~` for what is wide, and nothing for what is fine.
#[test]
fn each_rule_says_what_to_write_instead() {
    use LintedAs::{Bucket, Identity, Trust};
    let rows = [
        (r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#, Identity, ""),
        (r#""Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a/*""#, Identity, "~name the actions"),
        (r#""Effect":"Allow","NotAction":"s3:*","Resource":"arn:aws:s3:::a/*""#, Identity, "~all other actions"),
        (r#""Effect":"Allow","Action":"s3:GetObject","Resource":"*""#, Identity, "~every bucket"),
        (
            r#""Effect":"Allow","Action":"cloudfront:CreateInvalidation","Resource":"*""#,
            Identity,
            "~arn:aws:cloudfront::ACCOUNT:distribution/ID",
        ),
        (r#""Effect":"Deny","Action":"s3:*","Resource":"*""#, Identity, ""),
        (
            r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/docs*""#,
            Identity,
            "~end the prefix with `/`",
        ),
        (
            r#""Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a","Condition":{"StringLike":{"s3:prefix":"docs*"}}"#,
            Identity,
            "~end the prefix with `/`",
        ),
        (r#""Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a/*""#, Identity, "!about a bucket"),
        (r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a""#, Identity, "!about objects"),
        (
            r#""Effect":"Allow","Action":["s3:PutObject","s3:ListBucket"],"Resource":["arn:aws:s3:::a","arn:aws:s3:::a/*"]"#,
            Identity,
            "",
        ),
        (
            r#""Effect":"allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#,
            Identity,
            "!write `Allow` or `Deny`",
        ),
        (
            r#""Effect":"Allow","Action":"GetObject","Resource":"arn:aws:s3:::a/*""#,
            Identity,
            "!`GetObject` is no action",
        ),
        (
            r#""Effect":"Allow","Action":"s3:HeadObject","Resource":"arn:aws:s3:::a/*""#,
            Identity,
            "!write `s3:GetObject`",
        ),
        (
            r#""Effect":"Allow","Action":"s3:listobjectsv2","Resource":"arn:aws:s3:::a""#,
            Identity,
            "!write `s3:ListBucket`",
        ),
        (r#""Effect":"Allow","Action":[],"Resource":"arn:aws:s3:::a/*""#, Identity, "!it is empty"),
        (r#""Effect":"Allow","Action":"s3:GetObject","Resource":"a/*""#, Identity, "!is no ARN"),
        (r#""Effect":"Allow","Action":"s3:GetObject""#, Identity, "!write `Resource`"),
        (
            r#""Effect":"Allow","Action":"s3:GetObject","NotAction":"s3:PutObject","Resource":"arn:aws:s3:::a/*""#,
            Identity,
            "!exactly one of",
        ),
        (
            r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*","Principal":"*""#,
            Identity,
            "!only a bucket's policy",
        ),
        (
            r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*","Actions":"x""#,
            Identity,
            "!a statement has no `Actions`",
        ),
        (
            r#""Sid":"a-b","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#,
            Identity,
            "!letters and digits",
        ),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::123456789012:root"}"#,
            Trust,
            "",
        ),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}"#,
            Trust,
            "~anybody with an AWS account",
        ),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*""#,
            Trust,
            "!leave `Resource` out",
        ),
        (r#""Effect":"Allow","Action":"sts:AssumeRole""#, Trust, "!who may assume"),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:x"},"Condition":{"StringEquals":{"h:aud":"a"}}"#,
            Trust,
            "~condition on its `sub`",
        ),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:x"},"Condition":{"StringLike":{"h:sub":"repo:*"},"StringEquals":{"h:aud":"a"}}"#,
            Trust,
            "~anybody's",
        ),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:x"},"Condition":{"StringLike":{"h:sub":"repo:acme/*"}}"#,
            Trust,
            "~condition on its `aud`",
        ),
        (r#""Effect":"Allow","Action":"s3:GetObject","Principal":"*","Resource":"arn:aws:s3:::a/*""#, Bucket, ""),
        (r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#, Bucket, "!whom it is about"),
    ];
    for (statement, role, expected) in rows {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{{statement}}}]}}"#);
        let found = lint(&text, role, PolicyLimit::Managed);
        let told: Vec<String> =
            found.iter().map(|one| format!("{}{}", if one.wrong { '!' } else { '~' }, one.what)).collect();
        if expected.is_empty() {
            assert_eq!(told, Vec::<String>::new(), "{statement}");
        } else {
            let (mark, words) = expected.split_at(1);
            assert!(told.iter().any(|one| one.starts_with(mark) && one.contains(words)), "{statement}: {told:?}");
            assert!(found.iter().all(|one| one.place.is_empty() || one.place.starts_with("/Statement/0")));
        }
    }
}

#[test]
fn documents_that_are_none_are_told_as_that() {
    let said = |text: &str| lint(text, LintedAs::Identity, PolicyLimit::Managed).remove(0).what;
    assert!(said("{").contains("no JSON") && said("[]").contains("no JSON object"));
    assert!(said("{}").contains("2012-10-17"));
    assert!(said(r#"{"Version":"2012-10-18","Statement":[]}"#).contains("is no version"));
    assert!(said(r#"{"Version":"2012-10-17"}"#).contains("no statement"));
}

#[test]
fn white_space_counts_only_where_aws_counts_it() {
    let text = format!("{{{}\"Version\":\"2012-10-17\",\"Statement\":[]}}", " ".repeat(3_000));
    let long = |limit| lint(&text, LintedAs::Identity, limit).iter().any(|one| one.what.contains("characters"));
    assert!(long(PolicyLimit::Session) && !long(PolicyLimit::User) && !long(PolicyLimit::Role));
}

/// Taskcluster's recipe syncs with `--delete`, and its starter policy allows no delete.
#[test]
fn what_a_purpose_needs_and_a_document_lacks_is_told() {
    let recipe = |actions: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::myblog.com"]}},{{"Effect":"Allow","Action":[{actions}],"Resource":["arn:aws:s3:::myblog.com/*"]}}]}}"#
        )
    };
    let told = lacks(&recipe(r#""s3:PutObject","s3:PutObjectAcl""#), Purpose::Sync);
    assert!(told.len() == 1 && told[0].wrong && told[0].what.contains("`s3:DeleteObject`"), "{told:?}");
    assert_eq!(lacks(&recipe(r#""s3:PutObject""#), Purpose::Upload), []);
    for enough in [r#""s3:*""#, r#""*""#, r#""s3:PutObject","s3:Delete*""#, r#""S3:PUTOBJECT","s3:DeleteObjec?""#] {
        assert_eq!(lacks(&recipe(enough), Purpose::Sync), [], "{enough}");
    }
    assert_eq!(lacks(&recipe(r#""s3:PutObject""#), Purpose::Invalidate).len(), 1);
    let denied = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#;
    assert_eq!(lacks(denied, Purpose::Sync).len(), 3);
}
