//! The linter of policy documents.

use tidegate_iam::document::{DocumentKind, PolicyLimit, Purpose, lint, missing_actions};

/// A statement, its kind of policy, and the finding: `!` for an error, `~` for a warning, empty for none.
#[test]
fn each_rule_names_the_correction() {
    use DocumentKind::{Bucket, Identity, Trust};
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
        (
            r#""Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a/*""#,
            Identity,
            "!applies to a bucket",
        ),
        (r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a""#, Identity, "!applies to objects"),
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
            "!`GetObject` is not an action",
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
        (r#""Effect":"Allow","Action":"s3:GetObject","Resource":"a/*""#, Identity, "!is not an ARN"),
        (r#""Effect":"Allow","Action":"s3:GetObject""#, Identity, "!write `Resource`"),
        (
            r#""Effect":"Allow","Action":"s3:GetObject","NotAction":"s3:PutObject","Resource":"arn:aws:s3:::a/*""#,
            Identity,
            "!exactly one of",
        ),
        (
            r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*","Principal":"*""#,
            Identity,
            "!only bucket policies",
        ),
        (
            r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*","Actions":"x""#,
            Identity,
            "!unknown member `Actions`",
        ),
        (
            r#""Sid":"a-b","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#,
            Identity,
            "!letters and digits",
        ),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::123456789012:role/ci"}"#,
            Trust,
            "",
        ),
        // Patterns of bucket names match objects too: over-permissive, and right.
        (
            r#""Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::*""#,
            Identity,
            "~is every bucket and every object",
        ),
        (
            r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::acme-*""#,
            Identity,
            "~matches other buckets too",
        ),
        (
            r#""Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"arn:aws:s3:::acme*""#,
            Identity,
            "~matches other buckets too",
        ),
        (
            r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::*/*""#,
            Identity,
            "~of other buckets too",
        ),
        (
            r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::docs-*/v1/*""#,
            Identity,
            "~of other buckets too",
        ),
        (r#""Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"arn:aws:s3:::*""#, Identity, ""),
        (r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a?b""#, Identity, "!applies to objects"),
        (
            r#""Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:aws:s3:::a/*","arn:aws:s3:eu-west-1:123456789012:accesspoint/x"]"#,
            Identity,
            "",
        ),
        (r#""Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:${Partition}:s3:::a""#, Identity, ""),
        // Upper and lower case are the same in actions and keys.
        (r#""Effect":"Allow","Action":"S3:getobject","Resource":"arn:aws:s3:::a""#, Identity, "!applies to objects"),
        (
            r#""Effect":"Allow","Action":"S3:LISTBUCKET","Resource":"arn:aws:s3:::a/*""#,
            Identity,
            "!applies to a bucket",
        ),
        (r#""Effect":"Allow","Action":"S3:GetObject","Resource":"*""#, Identity, "~every bucket"),
        (r#""Effect":"Allow","Action":"CloudFront:createinvalidation","Resource":"*""#, Identity, "~distribution/ID"),
        (
            r#""Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a","Condition":{"StringLike":{"S3:Prefix":"docs*"}}"#,
            Identity,
            "~end the prefix with `/`",
        ),
        (
            r#""Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a","Condition":{"StringEquals":{"s3:prefix":["a"],"S3:prefix":["b"]}}"#,
            Identity,
            "!with other capital letters",
        ),
        (
            r#""Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a","Condition":{"stringlike":{"s3:prefix":"docs/*"}}"#,
            Identity,
            "",
        ),
        // Statement ids are restricted by IAM, not by S3.
        (
            r#""Sid":"S3PolicyStmt-DO_NOT-MODIFY.1 x","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/*""#,
            Bucket,
            "",
        ),
        // Conditions.
        (
            r#""Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a","Condition":{"StringEquals":{"s3:prefix":"docs/*"}}"#,
            Identity,
            "!write `StringLike`",
        ),
        (
            r#""Effect":"Deny","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a","Condition":{"StringNotEquals":{"s3:prefix":"docs/*"}}"#,
            Identity,
            "!write `StringNotLike`",
        ),
        (
            r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/*","Condition":{"StringEquals":{"s3:x-amz-acl":"${*}"}}"#,
            Identity,
            "",
        ),
        (
            r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/*","Condition":{"StringEquals":[]}"#,
            Identity,
            "!an operator must be an object",
        ),
        (
            r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/*","Condition":{"NullIfExists":{"s3:x":"true"}}"#,
            Identity,
            "!takes no modifier",
        ),
        (
            r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/*","Condition":{"ForAllValues:StringLike":{"aws:PrincipalOrgPaths":"o-1/*"}}"#,
            Identity,
            "~also holds for requests without",
        ),
        (
            r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}"#,
            Identity,
            "",
        ),
        (
            r#""Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"},"NumericLessThanEquals":{"s3:max-keys":"10"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:SecureTransport":"true"}}"#,
            Identity,
            "",
        ),
        (
            r#""Effect":"Allow","NotPrincipal":{"AWS":"123456789012"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#,
            Bucket,
            "~name the principals in `Principal`",
        ),
        (r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}"#, Trust, "~every AWS account"),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*""#,
            Trust,
            "!leave `Resource` out",
        ),
        (r#""Effect":"Allow","Action":"sts:AssumeRole""#, Trust, "!write `Principal`"),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/h"},"Condition":{"StringEquals":{"h:aud":"a"}}"#,
            Trust,
            "~condition on its `sub`",
        ),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/h"},"Condition":{"StringLike":{"h:sub":"repo:*"},"StringEquals":{"h:aud":"a"}}"#,
            Trust,
            "~matches every",
        ),
        (
            r#""Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/h"},"Condition":{"StringLike":{"h:sub":"repo:acme/*"}}"#,
            Trust,
            "~condition on `aud`",
        ),
        (r#""Effect":"Allow","Action":"s3:GetObject","Principal":"*","Resource":"arn:aws:s3:::a/*""#, Bucket, ""),
        (r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#, Bucket, "!write `Principal`"),
    ];
    for (statement, role, expected) in rows {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{{statement}}}]}}"#);
        let found = lint(&text, role, PolicyLimit::Managed);
        let messages: Vec<String> = found
            .iter()
            .map(|finding| format!("{}{}", if finding.error { '!' } else { '~' }, finding.message))
            .collect();
        if expected.is_empty() {
            assert_eq!(messages, Vec::<String>::new(), "{statement}");
        } else {
            let (mark, text) = expected.split_at(1);
            let is_expected = |message: &String| message.starts_with(mark) && message.contains(text);
            assert!(messages.iter().any(is_expected), "{statement}: {messages:?}");
            assert!(found.iter().all(|one| one.pointer.is_empty() || one.pointer.starts_with("/Statement/0")));
        }
    }
}

#[test]
fn invalid_documents_are_reported() {
    let first = |text: &str| lint(text, DocumentKind::Identity, PolicyLimit::Managed).remove(0).message;
    assert!(first("{").contains("not JSON") && first("[]").contains("not a JSON object"));
    assert!(first("{}").contains("2012-10-17"));
    assert!(first(r#"{"Version":"2012-10-18","Statement":[]}"#).contains("is not a version"));
    assert!(first(r#"{"Version":"2012-10-17"}"#).contains("no statement"));
}

#[test]
fn duplicate_members_are_found_and_a_byte_order_mark_is_skipped() {
    let statement = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*""#;
    let found = |text: &str| -> Vec<(String, String)> {
        let findings = lint(text, DocumentKind::Identity, PolicyLimit::Managed);
        findings.into_iter().filter(|one| one.error).map(|one| (one.pointer, one.message)).collect()
    };
    let twice = |pointer: &str, name: &str| {
        (pointer.to_owned(), format!("`{name}` occurs twice, and only one of them counts: merge them"))
    };
    let document = |statement: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{statement}}}]}}"#);
    assert_eq!(found(&document(&format!(r#"{statement},"Action":"s3:PutObject""#))), [twice("/Statement/0", "Action")]);
    let conditions = r#""Condition":{"StringLike":{"s3:a/b":"x","s3:a/b":"y"},"StringLike":{"s3:c":"z"}}"#;
    assert_eq!(
        found(&document(&format!("{statement},{conditions}"))),
        [twice("/Statement/0/Condition/StringLike", "s3:a/b"), twice("/Statement/0/Condition", "StringLike")]
    );
    let two = format!(r#"{{"Version":"2012-10-17","Statement":[],"Statement":[{{{statement}}}]}}"#);
    assert_eq!(found(&two), [twice("", "Statement")]);
    let marked = format!("\u{feff}{}", document(statement));
    assert_eq!(lint(&marked, DocumentKind::Identity, PolicyLimit::Managed), []);
    assert_eq!(missing_actions(&marked, Purpose::Upload).len(), 2);
    // Keys and values of different objects may be equal.
    assert_eq!(found(&document(&format!(r#"{statement},"Sid":"Action""#))), []);
}

#[test]
fn white_space_counts_only_towards_limits_of_sts_and_s3() {
    let text = format!("{{{}\"Version\":\"2012-10-17\",\"Statement\":[]}}", " ".repeat(3_000));
    let long =
        |limit| lint(&text, DocumentKind::Identity, limit).iter().any(|finding| finding.message.contains("characters"));
    assert!(long(PolicyLimit::Session) && !long(PolicyLimit::User) && !long(PolicyLimit::Role));
}

/// Taskcluster's recipe syncs with `--delete`, but its policy does not allow `s3:DeleteObject`.
#[test]
fn missing_actions_of_a_purpose_are_reported() {
    let recipe = |actions: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::myblog.com"]}},{{"Effect":"Allow","Action":[{actions}],"Resource":["arn:aws:s3:::myblog.com/*"]}}]}}"#
        )
    };
    let found = missing_actions(&recipe(r#""s3:PutObject","s3:PutObjectAcl""#), Purpose::Sync);
    assert!(found.len() == 1 && found[0].error && found[0].message.contains("`s3:DeleteObject`"), "{found:?}");
    assert_eq!(missing_actions(&recipe(r#""s3:PutObject""#), Purpose::Upload), []);
    for actions in [r#""s3:*""#, r#""*""#, r#""s3:PutObject","s3:Delete*""#, r#""S3:PUTOBJECT","s3:DeleteObjec?""#] {
        assert_eq!(missing_actions(&recipe(actions), Purpose::Sync), [], "{actions}");
    }
    assert_eq!(missing_actions(&recipe(r#""s3:PutObject""#), Purpose::Invalidate).len(), 1);
    let denied = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#;
    assert_eq!(missing_actions(denied, Purpose::Sync).len(), 3);
}
