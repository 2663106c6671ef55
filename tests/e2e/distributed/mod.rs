//! Publishes that several workers carry out in shards: they end as a publish in one process does, in whatever order workers
//! run and wherever they die.

mod credentials;
mod interleavings;
mod kills;
mod lease;
mod paused;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use tidegate_core::approval::Approval;
use tidegate_core::identity::ContentIdentity;
use tidegate_core::lease::ExecutionName;
use tidegate_core::manifest::ManifestRecord;
use tidegate_core::plan::DistributeWhen;
use tidegate_core::plan::shards::ShardPhase;
use tidegate_core::report::{Outcome, PublishReport};
use tidegate_publish::publish::{
    DistributedRun, DistributedStart, ExecutionChoice, PublishError, ShardError, ShardSummary, ShardTask,
};
use tidegate_tests::fault::InjectedFault;
use tidegate_tests::releases::*;
use tidegate_tests::source::{STAGING, SourceKind};
use tidegate_tests::world::{BUCKET, site};
use tidegate_tests::{BucketContents, Publish, SiteObject, SourceObject, Sources, World, calls};

const KEEP: &str = "{ releases = 9, days = 0 }";

/// A file larger than the smallest one that is found to be renamed.
const LARGE: u64 = 5_000;

/// The first release.
fn one() -> Vec<SourceObject> {
    let mut files = vec![
        SourceObject::text("a/app.js", "1"),
        SourceObject::text("a/same.css", "s"),
        SourceObject::text("a/typed.txt", "t"),
        SourceObject::sized("b/film-1.bin", LARGE, 7),
        SourceObject::text("b/gone.js", "g"),
        SourceObject::text("index.html", "one"),
        SourceObject::text("old.html", "old"),
    ];
    files.extend((0..2).map(|n| SourceObject::text(&format!("c/{n}.html"), &format!("page {n}"))));
    files
}

/// The second release: every kind of operation.
fn two() -> Vec<SourceObject> {
    let redirect = SiteObject { redirect: Some("/index.html".to_owned()), ..SiteObject::default() };
    let mut files = vec![
        SourceObject::text("a/app.js", "2"),
        SourceObject::text("a/new.js", "n"),
        SourceObject::text("a/same.css", "s"),
        SourceObject::text("a/typed.txt", "t"),
        SourceObject::sized("b/film-2.bin", LARGE, 7),
        SourceObject::text("index.html", "two"),
        SourceObject { declared: redirect, ..SourceObject::text("moved.html", "") },
    ];
    files.extend((0..2).map(|n| SourceObject::text(&format!("c/{n}.html"), &format!("page {n}, again"))));
    files
}

pub(super) fn execution() -> ExecutionName {
    ExecutionName::new("execution-1").unwrap()
}

/// A publish of these files from the staging bucket. A shard has two operations.
async fn staged(world: &World, release: &str, kind: SourceKind, objects: Vec<SourceObject>) -> Publish {
    let source = world.stage(&Sources { kind, objects }).await;
    let mut request = tidegate_tests::world::request(source);
    request.release = release.into();
    let mut publish = Publish { publisher: world.publisher(), site: site(&configuration(KEEP)), request };
    publish.publisher.shard_operations = 2;
    publish
}

/// The second release has other headers for unchanged bytes.
fn second_configuration() -> String {
    let rules = r#"{ rules = [{ glob = "*.txt", set = { cache-control = "max-age=60" } }] }"#;
    configuration(KEEP) + &crate::plugin("sync", "headers", rules)
}

/// A world with the first release, and the publish of the second.
async fn set_up(kind: SourceKind) -> (World, Publish) {
    let world = world().await;
    let first = staged(&world, "c1", kind, one()).await;
    assert_eq!(first.publish().await.unwrap().outcome, Outcome::Live);
    let mut publish = staged(&world, "c2", kind, two()).await;
    publish.site = site(&second_configuration());
    world.clear_requests();
    (world, publish)
}

async fn start(publish: &Publish) -> Result<DistributedStart, PublishError> {
    let Publish { publisher, site, request } = publish;
    let execution = &execution();
    let distribution = ExecutionChoice { execution, within: true, when: DistributeWhen::Writes(0) };
    Box::pin(publisher.start_distributed(distribution, request, site, Approval::Policies, |_| ())).await
}

async fn started(publish: &Publish) -> DistributedRun {
    match start(publish).await.unwrap() {
        DistributedStart::Started(run) => run,
        DistributedStart::Finished(report) => panic!("{report}"),
    }
}

async fn execute(publish: &Publish, task: &ShardTask) -> Result<ShardSummary, PublishError> {
    Box::pin(publish.publisher.execute_shard(&publish.site, task)).await
}

/// Carries out all shards: those of a phase in any order, some twice, and some at the same time.
async fn execute_all(publish: &Publish, run: &DistributedRun, random: &mut fastrand::Rng) {
    for phase in ShardPhase::ALL {
        let mut tasks: Vec<ShardTask> = run.tasks(phase).collect();
        let twice: Vec<ShardTask> = tasks.iter().filter(|_| random.bool()).cloned().collect();
        tasks.extend(twice);
        random.shuffle(&mut tasks);
        let summaries: Vec<_> =
            stream::iter(&tasks).map(|task| execute(publish, task)).buffer_unordered(3).collect().await;
        for summary in summaries {
            let summary = summary.unwrap();
            assert!(summary.is_done() && summary.phase == phase, "{summary:?}");
        }
    }
}

/// Finishes without waiting for workers: none of them runs any more.
async fn finish(world: &World, publish: &Publish) -> Result<PublishReport, PublishError> {
    expire_lease(world).await;
    let Publish { publisher, site, request } = publish;
    Box::pin(publisher.finish_distributed(&execution(), request, site, Approval::Policies, |_| ())).await
}

/// What a publish leaves, as far as it does not depend on the number of runs.
#[derive(Debug, PartialEq)]
struct Published {
    site: BucketContents,
    manifest: Vec<ManifestRecord>,
    bodies: BTreeSet<String>,
    paths: BTreeSet<String>,
}

impl Published {
    async fn of(world: &World) -> Self {
        let live = pointer(&world.account).await.live().unwrap().manifest.unwrap();
        let mut manifest = manifest(&world.account, live).await;
        // Digests besides the MD5 are known only to a run that computed them or asked S3 for them.
        for ManifestRecord { identity, .. } in &mut manifest {
            *identity = ContentIdentity { md5: identity.md5, ..ContentIdentity::default() };
        }
        Self {
            site: world.site().await,
            manifest,
            bodies: state_files(&world.account, "bodies/"),
            paths: invalidated_paths(&world.account).pop().unwrap(),
        }
    }

    /// What the second release leaves after a publish in one process.
    async fn in_one_process(kind: SourceKind) -> Self {
        let (world, publish) = set_up(kind).await;
        assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
        Self::of(&world).await
    }
}

fn heads(world: &World) -> usize {
    let of_site = |call: &tidegate_tests::fault::ApiCall| call.bucket.as_deref() == Some(BUCKET);
    calls::count(&world.faults.calls().into_iter().filter(of_site).collect::<Vec<_>>(), "HeadObject")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_publish_what_one_process_publishes() {
    for kind in [SourceKind::Prefix, SourceKind::StagedZip] {
        let expected = Published::in_one_process(kind).await;
        for seed in 0..4 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (world, publish) = set_up(kind).await;
            let run = started(&publish).await;
            let counts = ShardPhase::ALL.map(|phase| run.tasks(phase).count());
            assert!(counts.iter().all(|count| *count > 1), "{counts:?}");
            // What a Lambda passes on.
            let text = serde_json::to_string(&run).unwrap();
            let run = serde_json::from_str::<DistributedRun>(&text).unwrap();
            execute_all(&publish, &run, &mut random).await;
            world.clear_requests();
            let report = finish(&world, &publish).await.unwrap();
            assert_eq!(report.outcome, Outcome::Live, "{report}");
            assert_eq!(heads(&world), 0, "results say what workers wrote");
            assert_eq!((report.done.written, report.done.headers), (0, 0), "{kind:?} {report}");
            assert_eq!(report.drift, []);
            assert_eq!(Published::of(&world).await, expected, "{kind:?}, seed {seed}");
            assert_tidy(&world.account).await;
            let results =
                state_files(&world.account, "releases/").into_iter().filter(|name| name.contains(".results/"));
            assert_eq!(results.count(), 0);
            assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Unchanged);
        }
    }
}

#[tokio::test]
async fn a_rollback_is_carried_out_in_shards() {
    let (world, publish) = set_up(SourceKind::Prefix).await;
    let before = world.site().await;
    assert_eq!(publish.publish().await.unwrap().outcome, Outcome::Live);
    let mut back = rollback_to(&world, KEEP, "r1");
    back.publisher.shard_operations = 2;
    let run = started(&back).await;
    execute_all(&back, &run, &mut fastrand::Rng::with_seed(1)).await;
    world.clear_requests();
    let report = finish(&world, &back).await.unwrap();
    assert_eq!((report.outcome, heads(&world)), (Outcome::Live, 0), "{report}");
    let after: BTreeMap<_, _> =
        world.site().await.objects.into_iter().map(|object| (object.key.clone(), object)).collect();
    for object in before.objects {
        assert_eq!(after.get(&object.key), Some(&object));
    }
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn a_small_empty_or_denied_plan_is_not_distributed() {
    let (world, publish) = set_up(SourceKind::Prefix).await;
    let Publish { publisher, site, request } = &publish;
    let when = DistributeWhen::Takes(Duration::from_secs(60));
    let distribution = ExecutionChoice { execution: &execution(), within: true, when };
    let small = publisher.start_distributed(distribution, request, site, Approval::Policies, |_| ()).await.unwrap();
    assert!(matches!(&small, DistributedStart::Finished(report) if report.outcome == Outcome::Live), "{small:?}");
    assert_tidy(&world.account).await;
    assert!(!state_files(&world.account, "releases/").iter().any(|name| name.contains("shards")));
    let empty = start(&publish).await.unwrap();
    assert!(matches!(&empty, DistributedStart::Finished(report) if report.outcome == Outcome::Unchanged), "{empty:?}");
    let nothing = staged(&world, "c3", SourceKind::Prefix, Vec::new()).await;
    let denied = start(&nothing).await.unwrap();
    assert!(matches!(&denied, DistributedStart::Finished(report) if report.outcome == Outcome::Denied), "{denied:?}");
    assert_eq!(lease(&world.account).await.holder, "", "the lease is free");
}

#[tokio::test]
async fn a_source_on_this_machine_is_refused() {
    let world = world().await;
    for kind in [SourceKind::Directory, SourceKind::Zip] {
        let error = start(&staged(&world, "c1", kind, one()).await).await.unwrap_err();
        assert!(matches!(error, PublishError::Shard(ShardError::LocalSource(_))), "{error}");
    }
    assert_eq!(calls::writes(&world.faults.calls()), Vec::<String>::new());
    let mut publish = staged(&world, "c1", SourceKind::Prefix, one()).await;
    publish.site.state = None;
    assert!(matches!(start(&publish).await.unwrap_err(), PublishError::NoReleases(_)));
}

#[tokio::test]
async fn no_page_is_written_before_every_asset_and_every_asset_after_the_archive() {
    let (world, publish) = set_up(SourceKind::Prefix).await;
    let run = started(&publish).await;
    let before = world.site().await;
    for phase in [ShardPhase::Pages, ShardPhase::Assets] {
        for task in run.tasks(phase) {
            let error = execute(&publish, &task).await.unwrap_err();
            assert!(matches!(error, PublishError::Shard(ShardError::Early { .. })), "{error}");
        }
    }
    assert_eq!(world.site().await, before);
    // All but one of the assets are written.
    for task in run.tasks(ShardPhase::Archive).chain(run.tasks(ShardPhase::Assets).skip(1)) {
        assert!(execute(&publish, &task).await.unwrap().is_done());
    }
    let page = run.tasks(ShardPhase::Pages).next().unwrap();
    let error = execute(&publish, &page).await.unwrap_err();
    assert!(matches!(error, PublishError::Shard(ShardError::Early { .. })), "{error}");
}

#[tokio::test]
async fn a_shard_of_another_plan_configuration_or_source_is_not_carried_out() {
    let (world, mut publish) = set_up(SourceKind::StagedZip).await;
    let run = started(&publish).await;
    let archive = run.tasks(ShardPhase::Archive).collect::<Vec<_>>();
    let first = archive.first().unwrap();
    for unknown in
        [ShardTask { shard: 99, ..first.clone() }, ShardTask { release: "r7".parse().unwrap(), ..first.clone() }]
    {
        let error = execute(&publish, &unknown).await.unwrap_err();
        assert!(matches!(error, PublishError::Shard(ShardError::Unknown(..))), "{error}");
    }
    for task in &archive {
        assert!(execute(&publish, task).await.unwrap().is_done());
    }
    let asset = run.tasks(ShardPhase::Assets).next().unwrap();
    let before = world.site().await;
    let storage_class = publish.site.objects.storage_class.replace("STANDARD_IA".to_owned());
    let error = execute(&publish, &asset).await.unwrap_err();
    assert!(matches!(error, PublishError::Shard(ShardError::Reconfigured(_))), "{error}");
    publish.site.objects.storage_class = storage_class;
    // Another build is staged.
    let next = staged(&world, "c3", SourceKind::StagedZip, one()).await;
    let error = execute(&publish, &asset).await.unwrap_err();
    assert!(matches!(error, PublishError::Shard(ShardError::SourceChanged(_))), "{error}");
    // A damaged shard.
    let name = format!("tidegate/docs/releases/{}.shards/{:06}.gz", run.release.stem(), asset.shard);
    world.client().put_object().bucket(STATE).key(name).body(b"x".to_vec().into()).send().await.unwrap();
    let error = execute(&publish, &asset).await.unwrap_err();
    assert!(error.to_string().contains("its digest is not the one in the index"), "{error}");
    assert_eq!(world.site().await, before);
    drop(next);
}

#[tokio::test]
async fn the_next_run_completes_what_a_failed_shard_left() {
    let expected = Published::in_one_process(SourceKind::Prefix).await;
    for by_the_execution in [true, false] {
        let (world, publish) = set_up(SourceKind::Prefix).await;
        let run = started(&publish).await;
        for task in run.tasks(ShardPhase::Archive) {
            assert!(execute(&publish, &task).await.unwrap().is_done());
        }
        world.inject_faults(|call| {
            let fails = call.bucket.as_deref() == Some(BUCKET) && call.key.as_deref() == Some("docs/a/new.js");
            fails.then(|| InjectedFault::answer(403, "AccessDenied"))
        });
        let mut failed = 0;
        for task in run.tasks(ShardPhase::Assets) {
            let summary = execute(&publish, &task).await.unwrap();
            failed += summary.failed;
            assert_eq!(summary.failures.len() as u64, summary.failed);
        }
        assert_eq!(failed, 1);
        world.stop_faults();
        world.clear_requests();
        let report = if by_the_execution {
            finish(&world, &publish).await.unwrap()
        } else {
            expire_lease(&world).await;
            publish.publish().await.unwrap()
        };
        assert_eq!(report.outcome, Outcome::Live, "{report}");
        assert!(report.done.written > 0 && heads(&world) <= 2, "only the failed shard is asked about");
        assert_eq!(Published::of(&world).await, expected);
        assert_tidy(&world.account).await;
    }
}

#[tokio::test]
async fn what_an_unfinished_execution_left_is_deleted() {
    let (world, publish) = set_up(SourceKind::Prefix).await;
    let run = started(&publish).await;
    for task in run.tasks(ShardPhase::Archive).chain(run.tasks(ShardPhase::Assets)) {
        assert!(execute(&publish, &task).await.unwrap().is_done());
    }
    expire_lease(&world).await;
    // Of another source, twice, with one kept release: nothing of the execution is needed any more.
    for (release, files) in [("c3", one()), ("c4", two()), ("c5", one())] {
        let mut next = staged(&world, release, SourceKind::Prefix, files).await;
        next.site = site(&configuration("{ releases = 1, days = 0 }"));
        assert_eq!(next.publish().await.unwrap().outcome, Outcome::Live);
        assert_tidy(&world.account).await;
    }
    let left = state_files(&world.account, "releases/");
    assert!(!left.iter().any(|name| name.contains(".shards") || name.contains(".results")), "{left:?}");
}

#[tokio::test]
async fn headers_that_an_unfinished_run_replaced_are_not_trusted() {
    // The bytes stay, and so does the ETag: only S3 knows the headers.
    let world = world().await;
    let file = |cache: &str| {
        let declared = SiteObject { cache_control: Some(cache.to_owned()), ..SiteObject::default() };
        vec![SourceObject { declared, ..SourceObject::text("a.txt", "a") }, SourceObject::text("index.html", "i")]
    };
    let first = staged(&world, "c1", SourceKind::Prefix, file("max-age=1")).await;
    assert_eq!(first.publish().await.unwrap().outcome, Outcome::Live);
    // S3 dates objects by seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let second = staged(&world, "c2", SourceKind::Prefix, file("max-age=2")).await;
    world.inject_faults(|call| {
        call.key
            .as_deref()
            .is_some_and(|key| key.ends_with(".manifest.gz") && call.operation == "PutObject")
            .then_some(InjectedFault::Refuse)
    });
    assert_eq!(second.publish().await.unwrap().outcome, Outcome::Partial);
    world.stop_faults();
    expire_lease(&world).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let back = staged(&world, "c1", SourceKind::Prefix, file("max-age=1")).await;
    back.publish().await.unwrap();
    let head = world.client().head_object().bucket(BUCKET).key("docs/a.txt").send().await.unwrap();
    assert_eq!(head.cache_control(), Some("max-age=1"));
    assert_tidy(&world.account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_starts_with_few_writes_and_survives_throttling() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let world = world().await;
    let files = (0..40).map(|n| SourceObject::text(&format!("a/{n}.js"), "x")).collect();
    let mut publish = staged(&world, "c1", SourceKind::Prefix, files).await;
    publish.publisher = world.publisher_with(world.account.root_credentials(), 6);
    publish.publisher.shard_operations = 100;
    let run = started(&publish).await;
    let tasks: Vec<ShardTask> = ShardPhase::ALL.iter().flat_map(|phase| run.tasks(*phase)).collect();
    let [task] = tasks.as_slice() else { panic!("{tasks:?}") };
    let (gate, copies) = (tidegate_tests::fault::FaultGate::closed(), Arc::new(AtomicUsize::new(0)));
    let (closed, count) = (gate.clone(), Arc::clone(&copies));
    world.inject_faults(move |call| {
        if call.operation != "CopyObject" {
            return None;
        }
        let number = count.fetch_add(1, Ordering::SeqCst);
        if number < 8 {
            Some(InjectedFault::Hold(closed.clone()))
        } else {
            // Every third request is too many.
            (number % 3 == 0).then(|| InjectedFault::answer(503, "SlowDown"))
        }
    });
    let look = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let first = copies.load(Ordering::SeqCst);
        gate.open();
        first
    };
    let (summary, first) = tokio::join!(execute(&publish, task), look);
    assert_eq!(first, 8, "a worker starts with few writes in flight");
    assert!(summary.unwrap().is_done());
    assert!(copies.load(Ordering::SeqCst) > 41, "throttled requests are sent again");
    world.stop_faults();
    assert_eq!(finish(&world, &publish).await.unwrap().outcome, Outcome::Live);
    assert_tidy(&world.account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_outside_the_execution_hands_the_lease_over() {
    let expected = Published::in_one_process(SourceKind::Prefix).await;
    let (world, publish) = set_up(SourceKind::Prefix).await;
    assert_eq!(publish.publisher.shard_progress(&publish.site).await.unwrap(), None);
    let Publish { publisher, site, request } = &publish;
    let choice = ExecutionChoice { execution: &execution(), within: false, when: DistributeWhen::Writes(0) };
    let started = publisher.start_distributed(choice, request, site, Approval::Policies, |_| ()).await.unwrap();
    let DistributedStart::Started(run) = started else { panic!("{started:?}") };
    let held = lease(&world.account).await;
    assert!(held.is_of(&run.lease), "{held:?}");
    assert_eq!(held.holder, execution().as_str());
    let mut done = 0;
    for phase in ShardPhase::ALL {
        let tasks: Vec<ShardTask> = run.tasks(phase).collect();
        assert_eq!(run.lists.contains_key(&phase), !tasks.is_empty());
        for task in tasks {
            assert!(execute(&publish, &task).await.unwrap().is_done());
            done += 1;
            let progress = publisher.shard_progress(site).await.unwrap().unwrap();
            assert_eq!((progress.done().shards, progress.total().shards), (done, run.shards.len() as u64));
        }
    }
    assert_eq!(finish(&world, &publish).await.unwrap().outcome, Outcome::Live);
    assert_eq!(Published::of(&world).await, expected);
    assert_eq!(publisher.shard_progress(site).await.unwrap(), None);
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn an_expired_lease_is_not_taken_from_an_execution_that_may_run() {
    let (world, publish) = set_up(SourceKind::Prefix).await;
    let arn = "arn:aws:states:us-east-1:123456789012:execution:tidegate-publish:run-1-docs";
    let held = tidegate_core::lease::LeaseRecord { holder: arn.to_owned(), ..lease(&world.account).await };
    replace_lease(&world, &held).await;
    expire_lease(&world).await;
    let before = world.site().await;
    // The account in the test has no Step Functions to ask.
    let error = publish.publish().await.unwrap_err().to_string();
    assert!(error.contains("whether it runs is unknown") && error.contains("states:DescribeExecution"), "{error}");
    assert_eq!(lease(&world.account).await.holder, arn);
    assert_eq!(world.site().await, before);
}

#[tokio::test]
async fn failures_of_shards_are_kept_for_people_until_the_next_release() {
    let (world, publish) = set_up(SourceKind::Prefix).await;
    let run = started(&publish).await;
    world.inject_faults(|call| {
        let fails = call.operation == "CopyObject" && call.bucket.as_deref() == Some(STATE);
        fails.then(|| InjectedFault::answer(403, "AccessDenied"))
    });
    for task in run.tasks(ShardPhase::Archive) {
        assert!(!execute(&publish, &task).await.unwrap().is_done());
    }
    world.stop_faults();
    let failures = publish.publisher.shard_failures(&publish.site, run.release).await.unwrap();
    assert!(failures.iter().all(|failed| failed.failed > 0 && !failed.failures.is_empty()), "{failures:?}");
    assert!(!failures.is_empty());
    for task in run.tasks(ShardPhase::Archive) {
        assert!(execute(&publish, &task).await.unwrap().is_done());
    }
    assert_eq!(publish.publisher.shard_failures(&publish.site, run.release).await.unwrap(), []);
    assert_eq!(finish(&world, &publish).await.unwrap().outcome, Outcome::Live);
    assert!(!state_files(&world.account, "releases/").iter().any(|name| name.contains(".failures/")));
    assert_tidy(&world.account).await;
}

#[tokio::test]
async fn a_worker_sends_few_requests_beside_its_writes() {
    let (world, mut publish) = set_up(SourceKind::Prefix).await;
    publish.publisher.shard_operations = 100;
    let run = started(&publish).await;
    let mut beside = BTreeSet::new();
    for phase in ShardPhase::ALL {
        for task in run.tasks(phase) {
            world.clear_requests();
            let summary = execute(&publish, &task).await.unwrap();
            assert!(summary.is_done() && summary.done > 1, "{summary:?}");
            beside.insert(world.faults.calls().len() as u64 - summary.done);
        }
    }
    // The index, the results so far, the shard, the lease twice, credentials, the result. A redirect is not copied.
    assert!(beside.iter().all(|requests| *requests <= 8), "{beside:?}");
}
