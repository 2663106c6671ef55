//! The changes of an installation.

use std::collections::BTreeMap;

use tidegate_core::config::{Config, QueueArn};
use tidegate_core::location::Bucket;
use tidegate_iam::changes::{
    BucketChange, Change, FunctionChange, InvokePermission, LogGroupChange, NotificationEntry, QueueChange,
    RetrySettings, RoleChange,
};
use tidegate_iam::stack::install::{
    FoundEventQueue, FoundFunction, FoundLogGroup, FoundMapping, FoundQueue, FoundRole, FoundStack, InstallChanges,
    InstallError, install, uninstall,
};
use tidegate_iam::stack::{AccountRegion, Stack};

use super::{ACCOUNT, REGION, config, stack as stack_of};

const CODE: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

fn stack() -> Stack {
    stack_of(&config(), &AccountRegion::known(ACCOUNT, REGION))
}

/// An account with the buckets and nothing else.
fn empty(stack: &Stack) -> FoundStack {
    let buckets = stack.uploads.iter().map(|upload| (upload.bucket.clone(), Vec::new()));
    FoundStack { notifications: buckets.collect(), ..FoundStack::default() }
}

fn changes(stack: &Stack, found: &FoundStack) -> InstallChanges {
    install(stack, found, CODE).unwrap()
}

fn sentences(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

/// An account with the whole stack.
fn installed(stack: &Stack) -> FoundStack {
    after(empty(stack), &changes(stack, &empty(stack)).changes)
}

/// The account after these changes.
fn after(mut found: FoundStack, changes: &[Change]) -> FoundStack {
    for change in changes.iter().cloned() {
        match change {
            Change::Role(change) => change_role(&mut found, change),
            Change::Queue(QueueChange::CreateQueue { owner, queue }) => {
                let url = format!("https://queues/{queue}");
                found.queue = Some(FoundQueue { owner: Some(owner), url, retention: Some(1_209_600), encrypted: true });
            }
            Change::Queue(QueueChange::SetQueue { .. }) => {
                let queue = found.queue.as_mut().unwrap();
                (queue.retention, queue.encrypted) = (Some(1_209_600), true);
            }
            Change::Queue(QueueChange::DeleteQueue { .. }) => found.queue = None,
            Change::Queue(QueueChange::SetVisibility { url, seconds, .. }) => {
                let queue = found.event_queues.values_mut().find(|queue| queue.url == url).unwrap();
                queue.visibility = seconds;
            }
            Change::LogGroup(LogGroupChange::CreateLogGroup { owner, .. }) => {
                found.log_group = Some(FoundLogGroup { owner: Some(owner), days: None });
            }
            Change::LogGroup(LogGroupChange::SetRetention { days, .. }) => {
                found.log_group.as_mut().unwrap().days = Some(days);
            }
            Change::LogGroup(LogGroupChange::DeleteLogGroup { .. }) => found.log_group = None,
            Change::Bucket(BucketChange::SetNotifications { bucket, function, entries }) => {
                let list = found.notifications.get_mut(&bucket).unwrap();
                list.retain(|entry| !(entry.id.starts_with("tidegate-") && entry.target == function));
                list.extend(entries);
            }
            Change::Function(change) => change_function(&mut found, change),
            other => panic!("{other}"),
        }
    }
    found
}

fn change_role(found: &mut FoundStack, change: RoleChange) {
    let roles = &mut found.roles;
    match change {
        RoleChange::CreateRole { role, trust, owner, boundary, .. } => {
            let created = FoundRole { owner, trust, boundary, policies: BTreeMap::new() };
            assert!(roles.insert(role, created).is_none());
        }
        RoleChange::SetBoundary { role, boundary } => roles.get_mut(&role).unwrap().boundary = Some(boundary),
        RoleChange::SetTrust { role, trust, .. } => roles.get_mut(&role).unwrap().trust = trust,
        RoleChange::PutRolePolicy { role, name, policy } => {
            roles.get_mut(&role).unwrap().policies.insert(name, policy);
        }
        RoleChange::DeleteRolePolicy { role, name } => {
            roles.get_mut(&role).unwrap().policies.remove(&name).unwrap();
        }
        RoleChange::DeleteRole { role } => assert!(roles.remove(&role).unwrap().policies.is_empty()),
        RoleChange::AttachRolePolicy { .. } | RoleChange::DetachRolePolicy { .. } => panic!("{}", Change::Role(change)),
    }
}

fn change_function(found: &mut FoundStack, change: FunctionChange) {
    let current = found.function.as_mut();
    match change {
        FunctionChange::CreateFunction { function, settings, architecture, code } => {
            found.function = Some(FoundFunction {
                owner: Some(function),
                settings,
                architecture: architecture.as_str().to_owned(),
                code,
                retries: None,
                recursion: Some(false),
                mappings: BTreeMap::new(),
                url: false,
                permissions: BTreeMap::new(),
            });
        }
        FunctionChange::DeleteFunction { .. } => found.function = None,
        FunctionChange::UpdateCode { architecture, code, .. } => {
            let current = current.unwrap();
            (current.architecture, current.code) = (architecture.as_str().to_owned(), code);
        }
        FunctionChange::UpdateFunction { settings, .. } => current.unwrap().settings = settings,
        FunctionChange::SetRetries { retries, .. } => current.unwrap().retries = Some(retries),
        FunctionChange::AllowRecursion { .. } => current.unwrap().recursion = Some(true),
        FunctionChange::CreateMapping { queue, .. } => {
            let mapping = FoundMapping { uuid: format!("uuid of {queue}"), reports_failures: true };
            assert!(current.unwrap().mappings.insert(queue, mapping).is_none());
        }
        FunctionChange::UpdateMapping { queue, uuid, .. } => {
            let mapping = current.unwrap().mappings.get_mut(&queue).unwrap();
            assert_eq!(mapping.uuid, uuid);
            mapping.reports_failures = true;
        }
        FunctionChange::DeleteMapping { queue, uuid, .. } => {
            assert_eq!(current.unwrap().mappings.remove(&queue).unwrap().uuid, uuid);
        }
        FunctionChange::CreateUrl { .. } => current.unwrap().url = true,
        FunctionChange::DeleteUrl { .. } => current.unwrap().url = false,
        FunctionChange::AddPermission { permission, .. } => {
            let bucket = match &permission {
                InvokePermission::Bucket { bucket, .. } => Some(bucket.clone()),
                _ => None,
            };
            assert!(current.unwrap().permissions.insert(permission.sid(), bucket).is_none());
        }
        FunctionChange::RemovePermission { sid, .. } => {
            assert!(current.unwrap().permissions.remove(&sid).is_some());
        }
    }
}

#[test]
fn an_empty_account_needs_everything_and_a_second_run_nothing() {
    let stack = stack();
    let first = changes(&stack, &empty(&stack));
    assert_eq!(
        sentences(&first.changes),
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
            "set the retention of the log group `/aws/lambda/publisher` to 30 days",
            "create the function `publisher` for arm64",
            "set the retries of the function `publisher`: 2 retries within 21600 s",
            "allow the function `publisher` to continue its runs",
            "create the URL of the function `publisher`",
            "allow public requests to the URL of the function `publisher`",
            "allow requests to its URL to invoke the function `publisher`",
            "allow the bucket `acme-artifacts` to invoke the function `publisher`",
            "notify the function of uploads to the bucket `acme-artifacts`: `staged/our+blog.zip…our+blog.zip`, `builds/docs/….zip`, `builds/docs/….ZIP`, `builds/docs/…/.ready`",
            "allow the bucket `acme-other` to invoke the function `publisher`",
            "notify the function of uploads to the bucket `acme-other`: `staged/shop/.ready….ready`",
        ]
    );
    let found = installed(&stack);
    assert_eq!(changes(&stack, &found), InstallChanges::default(), "a second run changes nothing");
    let removed = uninstall(&stack, &found);
    assert_eq!(after(found, &removed), empty(&stack));
    assert_eq!(uninstall(&stack, &empty(&stack)), []);
}

#[test]
fn an_interrupted_installation_continues_or_is_removed() {
    let stack = stack();
    let all = changes(&stack, &empty(&stack)).changes;
    for done in 0..all.len() {
        let found = after(empty(&stack), &all[..done]);
        assert_eq!(changes(&stack, &found).changes, all[done..], "after {done} changes");
        assert_eq!(after(found.clone(), &uninstall(&stack, &found)), empty(&stack), "after {done} changes");
    }
}

#[test]
fn only_differences_are_changed() {
    let stack = stack();
    let found = installed(&stack);
    let with = |from: &str, to: &str| {
        let text = super::CONFIGURATION.replace(from, to);
        assert_ne!(text, super::CONFIGURATION, "{from}");
        let changed = stack_of(&Config::parse(&text).unwrap(), &AccountRegion::known(ACCOUNT, REGION));
        sentences(&changes(&changed, &found).changes)
    };
    assert_eq!(
        with("memory = 512", "memory = 513"),
        ["update the settings of the function `publisher`: 513 MB, 900 s"]
    );
    assert_eq!(
        with("memory = 512", "memory = 512\nlog-retention = 90\nretries = 0"),
        [
            "set the retention of the log group `/aws/lambda/publisher` to 90 days",
            "set the retries of the function `publisher`: 0 retries within 21600 s"
        ]
    );
    assert_eq!(with("architecture = \"arm64\"", ""), ["update the code of the function `publisher` for x86_64"]);
    assert_eq!(
        with(
            "target = \"s3://mirror.acme.com/\"",
            "target = \"s3://mirror.acme.com/\"\ndelete = false\npublish-on-upload = false"
        ),
        Vec::<String>::new(),
        "the same upload publishes another site"
    );
    assert_eq!(
        with("staged = \"s3://acme-other/staged/shop/\"", "staged = \"shop\""),
        [
            "set the policy `publisher-execution` of the role `publisher-execution`",
            "remove the notifications of the bucket `acme-other` for the function",
            "remove the permission `tidegate-bucket-acme-other` from the function `publisher`",
        ]
    );
    let code = install(&stack, &found, "another").unwrap().changes;
    assert_eq!(sentences(&code), ["update the code of the function `publisher` for arm64"]);
    let mut queue = found.clone();
    queue.queue.as_mut().unwrap().encrypted = false;
    assert_eq!(changes(&stack, &queue).changes.len(), 1);
}

#[test]
fn unused_roles_are_deleted_if_install_created_them() {
    let stack = stack();
    let mut found = installed(&stack);
    let role = |owner: Option<&str>| FoundRole {
        boundary: None,
        owner: owner.map(str::to_owned),
        trust: "{}".to_owned(),
        policies: BTreeMap::from([("tidegate-site-gone".to_owned(), "{}".to_owned())]),
    };
    found.roles.insert("gone".to_owned(), role(Some("publisher")));
    found.roles.insert("by-hand".to_owned(), role(None));
    found.roles.insert("of-another".to_owned(), role(Some("another")));
    assert_eq!(
        sentences(&changes(&stack, &found).changes),
        ["delete the policy `tidegate-site-gone` of the role `gone`", "delete the role `gone`"]
    );
    let removed = after(found.clone(), &uninstall(&stack, &found));
    assert_eq!(removed.roles.keys().collect::<Vec<_>>(), ["by-hand", "of-another"]);
}

#[test]
fn other_principals_in_a_trust_policy_are_kept() {
    let stack = stack();
    let mut found = installed(&stack);
    let job = r#"{"Version":"2012-10-17","Statement":{"Sid":"Ci","Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::123456789012:role/ci"}}}"#;
    found.roles.get_mut("tidegate-blog").unwrap().trust = job.to_owned();
    let changed = changes(&stack, &found).changes;
    assert_eq!(sentences(&changed), ["set the trust policy of the role `tidegate-blog`"]);
    let trust = changed[0].document().unwrap();
    assert!(trust.contains("role/ci") && trust.contains("TrustExecutionRole"), "{trust}");
    let found = after(found, &changed);
    assert_eq!(changes(&stack, &found), InstallChanges::default());
}

#[test]
fn resources_without_the_tag_are_refused_or_unchanged() {
    let stack = stack();
    let complete = installed(&stack);
    let refused = |change: fn(&mut FoundStack)| {
        let mut found = complete.clone();
        change(&mut found);
        assert_eq!(
            uninstall(&stack, &found).len() + 1,
            uninstall(&stack, &complete).len() - usize::from(found.function != complete.function)
        );
        install(&stack, &found, CODE).unwrap_err().to_string()
    };
    assert!(refused(|found| found.queue.as_mut().unwrap().owner = None).contains("the queue `publisher-dead-letters`"));
    assert!(
        refused(|found| found.log_group.as_mut().unwrap().owner = None)
            .contains("the log group `/aws/lambda/publisher`")
    );
    assert!(
        refused(|found| found.function.as_mut().unwrap().owner = Some("x".to_owned()))
            .contains("the function `publisher`")
    );

    let mut found = empty(&stack);
    let unmanaged = FoundRole { owner: None, trust: "{}".to_owned(), boundary: None, policies: BTreeMap::new() };
    found.roles.insert("tidegate-blog".to_owned(), unmanaged.clone());
    let without_blog = changes(&stack, &found);
    assert_eq!(without_blog.unmanaged_roles, ["tidegate-blog"]);
    assert!(sentences(&without_blog.changes).iter().all(|change| !change.contains("tidegate-blog")));
    found.roles.insert("publisher-execution".to_owned(), unmanaged);
    assert!(matches!(install(&stack, &found, CODE), Err(InstallError::Unmanaged { kind: "role", .. })));
}

#[test]
fn other_notifications_are_kept_or_refused_if_they_overlap() {
    let stack = stack();
    let bucket: Bucket = "acme-artifacts".parse().unwrap();
    let with = |prefix: &str, suffix: &str, event: &str, id: &str| {
        let mut found = empty(&stack);
        let entry = NotificationEntry {
            id: id.to_owned(),
            target: "arn:aws:sns:eu-west-1:123456789012:theirs".to_owned(),
            events: vec![event.to_owned()],
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
        };
        found.notifications.insert(bucket.clone(), vec![entry.clone()]);
        install(&stack, &found, CODE).map(|install| (after(found, &install.changes), entry))
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
        assert!(found.notifications[&bucket].contains(&entry), "it is unchanged");
        let removed = after(found.clone(), &uninstall(&stack, &found));
        assert_eq!(removed.notifications[&bucket], [entry]);
    }
    let mut found = empty(&stack);
    found.notifications.remove(&bucket);
    assert_eq!(install(&stack, &found, CODE), Err(InstallError::NoBucket(bucket)));
}

#[test]
fn failed_events_go_to_the_queue_of_the_function() {
    let stack = stack();
    let found = installed(&stack);
    let dead_letters = "arn:aws:sqs:eu-west-1:123456789012:publisher-dead-letters".to_owned();
    assert_eq!(found.function.unwrap().retries, Some(RetrySettings { retries: 2, event_age: 21_600, dead_letters }));
}

#[test]
fn queues_start_the_function_and_failed_messages_are_reported() {
    let arn = |name: &str| QueueArn::try_from(format!("arn:aws:sqs:eu-central-1:123456789012:{name}")).unwrap();
    let mut stack = stack();
    stack.function.queues = vec![arn("builds"), arn("others.fifo")];
    let missing = install(&stack, &empty(&stack), CODE).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the queue `arn:aws:sqs:eu-central-1:123456789012:builds` does not exist: create it, or remove it from `queues` in `[function]`"
    );
    let mut account = empty(&stack);
    for (name, visibility) in [("builds", 30), ("others.fifo", 43_200)] {
        account.event_queues.insert(arn(name), FoundEventQueue { url: format!("https://queues/{name}"), visibility });
    }
    let first = changes(&stack, &account).changes;
    let of_queues: Vec<String> =
        sentences(&first).into_iter().filter(|line| line.contains("builds`") || line.contains("fifo")).collect();
    // Six times the timeout of 900 seconds. A longer one is kept.
    assert_eq!(
        of_queues,
        [
            "set the visibility timeout of the queue `builds` to 5400 s",
            "start the function `publisher` for messages of the queue `arn:aws:sqs:eu-central-1:123456789012:builds`",
            "start the function `publisher` for messages of the queue `arn:aws:sqs:eu-central-1:123456789012:others.fifo`",
        ]
    );
    let mut found = after(account, &first);
    assert_eq!(changes(&stack, &found), InstallChanges::default());
    // A mapping that was created by hand, and one of an earlier configuration.
    let mappings = &mut found.function.as_mut().unwrap().mappings;
    mappings.get_mut(arn("builds").as_str()).unwrap().reports_failures = false;
    let stale = FoundMapping { uuid: "uuid of the stale one".to_owned(), reports_failures: true };
    mappings.insert(arn("stale").as_str().to_owned(), stale);
    assert_eq!(
        sentences(&changes(&stack, &found).changes),
        [
            "let the function `publisher` report failed messages of the queue `arn:aws:sqs:eu-central-1:123456789012:builds`",
            "stop starting the function `publisher` for messages of the queue `arn:aws:sqs:eu-central-1:123456789012:stale`",
        ]
    );
    // Mappings would outlive the function.
    let removed = sentences(&uninstall(&stack, &found));
    assert_eq!(removed.iter().filter(|line| line.starts_with("stop starting the function")).count(), 3, "{removed:?}");
    let position = |start: &str| removed.iter().position(|line| line.starts_with(start)).unwrap();
    assert!(position("stop starting") < position("delete the function"));
}

#[test]
fn recursion_is_allowed_unless_lambda_does_not_know_the_setting() {
    let stack = stack();
    for (recursion, expected) in [
        (Some(true), vec![]),
        (None, vec![]),
        (Some(false), vec!["allow the function `publisher` to continue its runs"]),
    ] {
        let mut found = installed(&stack);
        found.function.as_mut().unwrap().recursion = recursion;
        assert_eq!(sentences(&changes(&stack, &found).changes), expected);
    }
}

#[test]
fn people_that_are_trusted_stay_trusted() {
    let stack = stack();
    let lea = ["arn:aws:iam::123456789012:user/lea".parse().unwrap()];
    let trusting = stack.clone().trusting(&lea);
    let found = installed(&stack);
    let changed = changes(&trusting, &found).changes;
    assert_eq!(changed.len(), trusting.publishers.len(), "{:?}", sentences(&changed));
    for change in &changed {
        let trust = change.document().unwrap();
        assert!(trust.contains("user/lea") && trust.contains("TrustExecutionRole"), "{trust}");
    }
    let found = after(found, &changed);
    assert_eq!(changes(&trusting, &found), InstallChanges::default(), "a second run changes nothing");
    assert_eq!(changes(&stack, &found), InstallChanges::default(), "without the option, people stay trusted");
    // Others replace them.
    let ada = ["arn:aws:iam::123456789012:user/ada".parse().unwrap()];
    let changed = changes(&stack.clone().trusting(&ada), &found).changes;
    let trust = changed[0].document().unwrap();
    assert!(trust.contains("user/ada") && !trust.contains("user/lea"), "{trust}");
    assert!(!stack.execution_role.trust.compact().unwrap().contains("user/"), "the execution role trusts no person");
}

#[test]
fn a_notification_whose_target_is_gone_is_named() {
    let stack = stack();
    let queue = "arn:aws:sqs:eu-west-1:123456789012:gone".to_owned();
    let bucket: Bucket = "acme-artifacts".parse().unwrap();
    let entry = NotificationEntry {
        id: "reports".to_owned(),
        target: queue.clone(),
        events: vec!["s3:ObjectCreated:*".to_owned()],
        prefix: "reports/".to_owned(),
        suffix: String::new(),
    };
    let mut found = empty(&stack);
    found.notifications.get_mut(&bucket).unwrap().push(entry.clone());
    assert!(install(&stack, &found, CODE).is_ok(), "a queue that exists is no obstacle");
    found.missing_targets.insert(queue.clone());
    let error = install(&stack, &found, CODE).unwrap_err().to_string();
    assert!(error.contains(&queue) && error.contains("`reports`") && error.contains("`acme-artifacts`"), "{error}");
    // What is installed already needs no change of the notifications.
    let mut found = installed(&stack);
    found.notifications.get_mut(&bucket).unwrap().push(entry);
    found.missing_targets.insert(queue);
    assert_eq!(changes(&stack, &found), InstallChanges::default());
}

#[test]
fn roles_get_the_configured_boundary_and_an_existing_execution_role_is_used() {
    let with = |settings: &str| {
        let text = super::CONFIGURATION.replace("memory = 512", settings);
        stack_of(&Config::parse(&text).unwrap(), &AccountRegion::known(ACCOUNT, REGION))
    };
    let boundary = "arn:aws:iam::123456789012:policy/boundaries/apps";
    let bounded = with(&format!("memory = 512\npermissions-boundary = \"{boundary}\""));
    let created = changes(&bounded, &empty(&bounded)).changes;
    let roles: Vec<String> = sentences(&created).into_iter().filter(|one| one.starts_with("create the role")).collect();
    assert_eq!(roles.len(), 4);
    assert!(roles.iter().all(|one| one.ends_with(&format!("with the permissions boundary {boundary}"))), "{roles:?}");
    // Roles that exist get it, and a second run changes nothing.
    let found = installed(&stack());
    let changed = changes(&bounded, &found).changes;
    assert_eq!(changed.len(), 4, "{:?}", sentences(&changed));
    let found = after(found, &changed);
    assert_eq!(changes(&bounded, &found), InstallChanges::default());
    assert_eq!(changes(&stack(), &found), InstallChanges::default(), "a boundary of others is kept");

    let role = "arn:aws:iam::123456789012:role/platform/lambda-publisher";
    let existing = with(&format!("memory = 512\nrole = \"{role}\""));
    let created = changes(&existing, &empty(&existing)).changes;
    assert!(sentences(&created).iter().all(|one| !one.contains("publisher-execution")), "{:?}", sentences(&created));
    let uses = |change: &Change| matches!(change, Change::Function(FunctionChange::CreateFunction { settings, .. }) if settings.role == role);
    assert!(created.iter().any(uses));
    assert!(
        created
            .iter()
            .filter_map(Change::document)
            .any(|trust| trust.contains("TrustExecutionRole") && trust.contains(role))
    );
    let found = after(empty(&existing), &created);
    assert_eq!(changes(&existing, &found), InstallChanges::default());
    // The role of an earlier installation is deleted after the function left it.
    let switched = changes(&existing, &installed(&stack())).changes;
    assert!(sentences(&switched).last().unwrap().contains("delete the role `publisher-execution`"));
    for invalid in
        ["*", "arn:aws:iam::123456789012:role/x", "arn:aws:iam::123456789012:policy/", "arn:aws:iam::1:policy/x"]
    {
        let text = super::CONFIGURATION.replace("memory = 512", &format!("permissions-boundary = \"{invalid}\""));
        let error = Config::parse(&text).unwrap_err().to_string();
        assert!(error.contains("invalid permissions boundary"), "{error}");
    }
    let aws = with("permissions-boundary = \"arn:aws:iam::aws:policy/PowerUserAccess\"");
    assert_eq!(aws.boundary(), Some("arn:aws:iam::aws:policy/PowerUserAccess"));
}
