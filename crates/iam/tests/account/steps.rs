//! Steps of an installation, from what is there.

use std::collections::BTreeMap;

use tidegate_core::config::Config;
use tidegate_core::location::Bucket;
use tidegate_iam::stack::install::{
    FoundFunction, FoundLog, FoundQueue, FoundRetries, FoundRole, FoundStack, InstallError, InstallStep, InstallSteps,
    NotificationEntry, install, uninstall,
};
use tidegate_iam::stack::{AccountRegion, Stack};

use super::{ACCOUNT, REGION, config, installed};

const CODE: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

fn wanted() -> Stack {
    installed(&config(), &AccountRegion::known(ACCOUNT, REGION))
}

/// An account with the buckets and nothing else.
fn empty(wanted: &Stack) -> FoundStack {
    let buckets = wanted.uploads.iter().map(|upload| (upload.bucket.clone(), Vec::new()));
    FoundStack { notifications: buckets.collect(), ..FoundStack::default() }
}

fn steps(wanted: &Stack, found: &FoundStack) -> InstallSteps {
    install(wanted, found, CODE).unwrap()
}

fn told(steps: &[InstallStep]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

/// What is there once steps were taken.
fn after(mut found: FoundStack, steps: &[InstallStep]) -> FoundStack {
    for step in steps.iter().cloned() {
        match step {
            InstallStep::CreateRole { role, trust, owner, .. } => {
                let owner = Some(owner);
                assert!(found.roles.insert(role, FoundRole { owner, trust, policies: BTreeMap::new() }).is_none());
            }
            InstallStep::SetTrust { role, trust } => found.roles.get_mut(&role).unwrap().trust = trust,
            InstallStep::PutRolePolicy { role, name, policy } => {
                found.roles.get_mut(&role).unwrap().policies.insert(name, policy);
            }
            InstallStep::DeleteRolePolicy { role, name } => {
                found.roles.get_mut(&role).unwrap().policies.remove(&name).unwrap();
            }
            InstallStep::DeleteRole { role } => assert!(found.roles.remove(&role).unwrap().policies.is_empty()),
            InstallStep::CreateQueue { owner, queue } => {
                let url = format!("https://queues/{queue}");
                found.queue = Some(FoundQueue { owner: Some(owner), url, retention: Some(1_209_600), encrypted: true });
            }
            InstallStep::SetQueue { .. } => {
                let queue = found.queue.as_mut().unwrap();
                (queue.retention, queue.encrypted) = (Some(1_209_600), true);
            }
            InstallStep::DeleteQueue { .. } => found.queue = None,
            InstallStep::CreateLogGroup { owner, .. } => found.log = Some(FoundLog { owner: Some(owner), days: None }),
            InstallStep::SetRetention { days, .. } => found.log.as_mut().unwrap().days = Some(days),
            InstallStep::DeleteLogGroup { .. } => found.log = None,
            InstallStep::CreateFunction { function, settings, architecture, code } => {
                found.function = Some(FoundFunction {
                    owner: Some(function),
                    settings,
                    architecture: architecture.as_str().to_owned(),
                    code,
                    retries: None,
                    url: false,
                    permissions: BTreeMap::new(),
                });
            }
            InstallStep::DeleteFunction { .. } => found.function = None,
            InstallStep::SetNotifications { bucket, function, entries } => {
                let list = found.notifications.get_mut(&bucket).unwrap();
                list.retain(|entry| !(entry.id.starts_with("tidegate-") && entry.target == function));
                list.extend(entries);
            }
            of_function => {
                let function = found.function.as_mut().unwrap();
                match of_function {
                    InstallStep::UpdateCode { architecture, code, .. } => {
                        (function.architecture, function.code) = (architecture.as_str().to_owned(), code);
                    }
                    InstallStep::UpdateFunction { settings, .. } => function.settings = settings,
                    InstallStep::SetRetries { retries, .. } => function.retries = Some(retries),
                    InstallStep::CreateUrl { .. } => function.url = true,
                    InstallStep::DeleteUrl { .. } => function.url = false,
                    InstallStep::Permit { permission, .. } => {
                        let bucket = match &permission {
                            tidegate_iam::stack::install::InvokePermission::Bucket { bucket, .. } => {
                                Some(bucket.clone())
                            }
                            _ => None,
                        };
                        assert!(function.permissions.insert(permission.sid(), bucket).is_none());
                    }
                    InstallStep::Forbid { sid, .. } => assert!(function.permissions.remove(&sid).is_some()),
                    other => panic!("{other}"),
                }
            }
        }
    }
    found
}

#[test]
fn an_empty_account_needs_everything_and_then_nothing() {
    let wanted = wanted();
    let first = steps(&wanted, &empty(&wanted));
    assert_eq!(
        told(&first.steps),
        [
            "create the role `/publisher-execution`",
            "set the policy `publisher-execution` of the role `publisher-execution`",
            "create the role `/publishers/tidegate-docs`",
            "set the policy `tidegate-site-docs` of the role `tidegate-docs`",
            "set the policy `tidegate-site-mirror` of the role `tidegate-docs`",
            "create the role `/tidegate-blog`",
            "set the policy `tidegate-site-blog` of the role `tidegate-blog`",
            "create the role `/tidegate-hooked`",
            "set the policy `tidegate-site-hooked` of the role `tidegate-hooked`",
            "create the queue `publisher-dead-letters`",
            "create the log group `/aws/lambda/publisher`",
            "keep the log `/aws/lambda/publisher` for 30 days",
            "create the function `publisher` for arm64",
            "try failed events of `publisher` 2 times within 21600 s, then keep them",
            "create the URL of the function `publisher`",
            "let everybody call the URL of `publisher`",
            "let everybody who calls its URL invoke `publisher`",
            "let the bucket `acme-artifacts` invoke `publisher`",
            "have the bucket `acme-artifacts` tell the function of `staged/our+blog.zip…our+blog.zip`, `builds/docs/….zip`, `builds/docs/….ZIP`, `builds/docs/…/.ready`",
            "let the bucket `acme-other` invoke `publisher`",
            "have the bucket `acme-other` tell the function of `staged/shop/.ready….ready`",
        ]
    );
    let found = after(empty(&wanted), &first.steps);
    assert_eq!(steps(&wanted, &found), InstallSteps::default(), "a second time changes nothing");
    let back = uninstall(&wanted, &found);
    assert_eq!(after(found, &back), empty(&wanted));
    assert_eq!(uninstall(&wanted, &empty(&wanted)), []);
}

#[test]
fn whatever_half_an_installation_is_the_rest_follows() {
    let wanted = wanted();
    let all = steps(&wanted, &empty(&wanted)).steps;
    for half in 0..all.len() {
        let found = after(empty(&wanted), &all[..half]);
        let rest = steps(&wanted, &found).steps;
        assert_eq!(rest, all[half..], "after {half} steps");
        assert_eq!(after(found.clone(), &uninstall(&wanted, &found)), empty(&wanted), "and it can be taken back");
    }
}

#[test]
fn only_what_changed_is_changed() {
    let wanted = wanted();
    let found = after(empty(&wanted), &steps(&wanted, &empty(&wanted)).steps);
    let with = |from: &str, to: &str| {
        let text = super::CONFIGURATION.replace(from, to);
        assert_ne!(text, super::CONFIGURATION, "{from}");
        let changed = installed(&Config::parse(&text).unwrap(), &AccountRegion::known(ACCOUNT, REGION));
        told(&steps(&changed, &found).steps)
    };
    assert_eq!(with("memory = 512", "memory = 513"), ["set up the function `publisher`: 513 MB, 900 s"]);
    assert_eq!(
        with("memory = 512", "memory = 512\nlog-retention = 90\nretries = 0"),
        [
            "keep the log `/aws/lambda/publisher` for 90 days",
            "try failed events of `publisher` 0 times within 21600 s, then keep them"
        ]
    );
    assert_eq!(with("architecture = \"arm64\"", ""), ["give the function `publisher` the package for x86_64"]);
    assert_eq!(
        with(
            "target = \"s3://mirror.acme.com/\"",
            "target = \"s3://mirror.acme.com/\"\ndelete = false\npublish-on-upload = false"
        ),
        Vec::<String>::new(),
        "another site is published by the same upload"
    );
    assert_eq!(
        with("staged = \"s3://acme-other/staged/shop/\"", "staged = \"shop\""),
        [
            "set the policy `publisher-execution` of the role `publisher-execution`",
            "have the bucket `acme-other` tell the function nothing more",
            "remove the permission `tidegate-bucket-acme-other` of `publisher`",
        ]
    );
    let code = install(&wanted, &found, "another").unwrap().steps;
    assert_eq!(told(&code), ["give the function `publisher` the package for arm64"]);
    let mut queue = found.clone();
    queue.queue.as_mut().unwrap().encrypted = false;
    assert_eq!(told(&steps(&wanted, &queue).steps).len(), 1);
}

#[test]
fn a_role_that_no_site_names_any_more_goes_and_one_of_somebody_else_stays() {
    let wanted = wanted();
    let mut found = after(empty(&wanted), &steps(&wanted, &empty(&wanted)).steps);
    let role = |owner: Option<&str>| FoundRole {
        owner: owner.map(str::to_owned),
        trust: "{}".to_owned(),
        policies: BTreeMap::from([("tidegate-site-gone".to_owned(), "{}".to_owned())]),
    };
    found.roles.insert("gone".to_owned(), role(Some("publisher")));
    found.roles.insert("by-hand".to_owned(), role(None));
    found.roles.insert("of-another".to_owned(), role(Some("another")));
    assert_eq!(
        told(&steps(&wanted, &found).steps),
        ["delete the policy `tidegate-site-gone` of the role `gone`", "delete the role `gone`"]
    );
    let back = after(found.clone(), &uninstall(&wanted, &found));
    assert_eq!(back.roles.keys().collect::<Vec<_>>(), ["by-hand", "of-another"]);
}

#[test]
fn whom_else_a_role_trusts_stays() {
    let wanted = wanted();
    let mut found = after(empty(&wanted), &steps(&wanted, &empty(&wanted)).steps);
    let job = r#"{"Version":"2012-10-17","Statement":{"Sid":"Ci","Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::123456789012:role/ci"}}}"#;
    found.roles.get_mut("tidegate-blog").unwrap().trust = job.to_owned();
    let steps_now = steps(&wanted, &found);
    assert_eq!(told(&steps_now.steps), ["set whom the role `tidegate-blog` trusts"]);
    let trust = steps_now.steps[0].document().unwrap();
    assert!(trust.contains("role/ci") && trust.contains("TrustTheFunction"), "{trust}");
    let found = after(found, &steps_now.steps);
    assert_eq!(steps(&wanted, &found), InstallSteps::default());
}

#[test]
fn what_somebody_else_made_is_refused_by_its_name_or_kept() {
    let wanted = wanted();
    let made = after(empty(&wanted), &steps(&wanted, &empty(&wanted)).steps);
    let refused = |change: fn(&mut FoundStack)| {
        let mut found = made.clone();
        change(&mut found);
        assert_eq!(
            uninstall(&wanted, &found).len() + 1,
            uninstall(&wanted, &made).len() - usize::from(found.function != made.function)
        );
        install(&wanted, &found, CODE).unwrap_err().to_string()
    };
    assert!(refused(|found| found.queue.as_mut().unwrap().owner = None).contains("the queue `publisher-dead-letters`"));
    assert!(
        refused(|found| found.log.as_mut().unwrap().owner = None).contains("the log group `/aws/lambda/publisher`")
    );
    assert!(
        refused(|found| found.function.as_mut().unwrap().owner = Some("x".to_owned()))
            .contains("the function `publisher`")
    );

    let mut found = empty(&wanted);
    let theirs = FoundRole { owner: None, trust: "{}".to_owned(), policies: BTreeMap::new() };
    found.roles.insert("tidegate-blog".to_owned(), theirs.clone());
    let some = steps(&wanted, &found);
    assert_eq!(some.kept, ["tidegate-blog"]);
    assert!(told(&some.steps).iter().all(|step| !step.contains("tidegate-blog")));
    found.roles.insert("publisher-execution".to_owned(), theirs);
    assert!(matches!(install(&wanted, &found, CODE), Err(InstallError::Theirs { what: "role", .. })));
}

#[test]
fn notifications_of_others_stay_or_are_named() {
    let wanted = wanted();
    let bucket: Bucket = "acme-artifacts".parse().unwrap();
    let with = |prefix: &str, suffix: &str, event: &str, id: &str| {
        let mut found = empty(&wanted);
        let entry = NotificationEntry {
            id: id.to_owned(),
            target: "arn:aws:sns:eu-west-1:123456789012:theirs".to_owned(),
            events: vec![event.to_owned()],
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        };
        found.notifications.insert(bucket.clone(), vec![entry.clone()]);
        install(&wanted, &found, CODE).map(|steps| (after(found, &steps.steps), entry))
    };
    for (prefix, suffix, event) in [
        ("", "", "s3:ObjectCreated:*"),
        ("builds/", "", "s3:ObjectCreated:Put"),
        ("builds/docs/x/", "", "s3:ObjectCreated:*"),
        ("", "p", "s3:ObjectCreated:*"),
        ("builds/docs/", "/x/.ready", "s3:ObjectCreated:CompleteMultipartUpload"),
    ] {
        let refused = with(prefix, suffix, event, "tidegate-of-mine").unwrap_err().to_string();
        assert!(refused.contains("`tidegate-of-mine`") && refused.contains("sns"), "{prefix} {suffix}: {refused}");
    }
    for (prefix, suffix, event) in [
        ("", "", "s3:ObjectRemoved:*"),
        ("logs/", "", "s3:ObjectCreated:*"),
        ("builds/docs2/", "", "s3:ObjectCreated:*"),
        ("builds/docs/", ".txt", "s3:ObjectCreated:*"),
    ] {
        let (found, entry) = with(prefix, suffix, event, "tidegate-look-alike").unwrap();
        assert!(found.notifications[&bucket].contains(&entry), "it stays as it was");
        let back = after(found.clone(), &uninstall(&wanted, &found));
        assert_eq!(back.notifications[&bucket], [entry]);
    }
    let mut found = empty(&wanted);
    found.notifications.remove(&bucket);
    assert_eq!(install(&wanted, &found, CODE), Err(InstallError::NoBucket(bucket)));
}

#[test]
fn failed_events_end_in_the_queue_of_the_same_account() {
    let wanted = wanted();
    let found = after(empty(&wanted), &steps(&wanted, &empty(&wanted)).steps);
    let dead_letters = "arn:aws:sqs:eu-west-1:123456789012:publisher-dead-letters".to_owned();
    assert_eq!(found.function.unwrap().retries, Some(FoundRetries { retries: 2, event_age: 21_600, dead_letters }));
}
