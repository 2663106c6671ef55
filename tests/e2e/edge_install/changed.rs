//! What others change: kept, named or replaced.

use tidegate_publish::cloudfront::CloudFront;

use super::*;

/// What others change is named by a check, stays in an installation, and is replaced by a repair.
#[tokio::test]
async fn changes_of_others_are_named_kept_and_repaired() {
    let world = world().await;
    let mut spec = spec_of(&docs());
    run_install(&installer(&world, spec.clone()), InstallMode::Keep).await.unwrap();
    spec.store = Some(
        installer(&world, spec.clone())
            .read(StoreReading::Pointer)
            .await
            .unwrap()
            .store
            .unwrap()
            .arn
            .try_into()
            .unwrap(),
    );
    let installer = installer(&world, spec);
    let drift = async |items: &[&str], kept: &[&str]| {
        let wrong = wrong(&installer).await;
        assert_eq!(wrong.len(), items.len(), "{wrong:?}");
        for (wrong, item) in wrong.iter().zip(items) {
            assert!(wrong.contains(item), "{wrong} is not {item}");
        }
        let plan = install(installer.spec(), &installer.read(StoreReading::Pointer).await.unwrap(), InstallMode::Keep)
            .unwrap();
        let names: Vec<String> = plan.kept.iter().map(KeptSetting::to_string).collect();
        assert_eq!(names.len(), kept.len(), "{names:?}");
        assert!(names.iter().zip(kept).all(|(name, kept)| name.contains(kept)), "{names:?}");
        assert_eq!(plan.changes.is_empty(), kept.len() == items.len(), "{:?}", plan.changes);
        run_install(&installer, InstallMode::Replace).await.unwrap();
        assert!(self::wrong(&installer).await.is_empty());
    };
    change(&world, |config| {
        let none = FunctionAssociations::builder().quantity(0).build().unwrap();
        config.default_cache_behavior.as_mut().unwrap().function_associations = Some(none);
        config.default_root_object = Some(String::new());
    })
    .await;
    drift(&["function at viewer-request", "function at viewer-response", "default root object"], &[]).await;
    change(&world, |config| {
        config.custom_error_responses = Some(CustomErrorResponses::builder().quantity(0).build().unwrap());
    })
    .await;
    drift(&["page instead of 403: visitors see", "page instead of 404: visitors see"], &[]).await;
    change(&world, |config| {
        let pages = config.custom_error_responses.as_mut().unwrap().items.as_mut().unwrap();
        pages[0].response_page_path = Some("/sorry.html".to_owned());
    })
    .await;
    drift(&["page instead of 403: it is not `/404.html`"], &["another page instead of 403"]).await;
    let cloudfront =
        CloudFront::new(&connection(&world, &impatient(&world, || None), world.account.root_credentials()));
    let headers = SiteHeaders::from([("x-powered-by".to_owned(), "others".to_owned())]);
    cloudfront.create_headers_policy("others", "of others", &headers).await.unwrap();
    let policy = cloudfront.headers_policy("others").await.unwrap().unwrap().id;
    change(&world, |config| {
        let behavior = config.default_cache_behavior.as_mut().unwrap();
        behavior.response_headers_policy_id = Some(policy.clone());
    })
    .await;
    drift(&["response headers policy: it is another"], &[policy.as_str()]).await;
    // Other code, and published.
    let mut other = installer.spec().clone();
    other.code = format!("{}// changed\n", other.code);
    run_install(&self::installer(&world, other), InstallMode::Keep).await.unwrap();
    drift(&["its code is not", "its code is not"], &[]).await;
    let mut other = installer.spec().clone();
    other.headers.insert("x-powered-by".to_owned(), "others".to_owned());
    run_install(&self::installer(&world, other), InstallMode::Keep).await.unwrap();
    drift(&["response headers policy `tidegate-docs`: it does not add"], &[]).await;
}

/// A distribution that changes between reading and writing keeps the change, and the edge is added to it.
#[tokio::test]
async fn a_change_at_the_same_time_is_kept() {
    let world = Arc::new(world().await);
    let clock = world.account.iam().clock().clone();
    let changed = Arc::new(AtomicUsize::new(0));
    let (other, counter) = (Arc::clone(&world), Arc::clone(&changed));
    let faults = Faults::new(move |call| {
        if call.operation == "GetDistribution" {
            clock.advance(Duration::from_secs(1));
        }
        // `UpdateDistribution`, after its configuration was read.
        let is_update = call.service == AwsService::CloudFront && call.operation == "UpdateDistribution";
        if is_update && counter.fetch_add(1, Ordering::Relaxed) < 2 {
            let cloudfront = other.account.cloudfront();
            cloudfront
                .set_cache_tags(DISTRIBUTION, Some(&format!("x-tag-{}", counter.load(Ordering::Relaxed))))
                .unwrap();
        }
        None
    });
    let installer = installer_with(&world, spec_of(&docs()), &faults);
    run_install(&installer, InstallMode::Keep).await.unwrap();
    assert_eq!(changed.load(Ordering::Relaxed), 3, "two conflicts");
    assert_eq!(config(&world).await.cache_tag_config.unwrap().header_name, "x-tag-2");
    assert_safe(&world, &installer).await;
}

/// The keys of a store that lost some, or has others, are those of the releases after a repair.
#[tokio::test]
async fn a_repair_writes_the_keys_of_the_releases() {
    let world = world().await;
    world.account.s3().create_bucket("state").await.unwrap();
    let publish = async |text: &str, release: &str| {
        let files = Sources::prefix([SourceObject::text("index.html", release), SourceObject::text("404.html", "no")]);
        let mut publish = world.publish(text, &files).await;
        publish.request.release = release.into();
        let report = publish.run().await;
        assert_eq!(report.outcome, Outcome::Live, "{report}");
    };
    let connection = connection(&world, &impatient(&world, || None), world.account.root_credentials());
    let installer = async |text: &str| {
        let site = site(text);
        let spec = EdgeSpec::new(&site, function_code(&site.name, OnFailure::Open)).unwrap();
        let spec = spec.with_releases(&connection, &site).await.unwrap();
        EdgeInstaller::new(&connection, spec).with_interval(Duration::from_millis(1))
    };
    publish(CONFIGURATION, "1").await;
    let first = installer(CONFIGURATION).await;
    assert!(first.spec().keys["docs"].contains("\"n\":1"), "{:?}", first.spec().keys);
    run_install(&first, InstallMode::Keep).await.unwrap();
    let store: StoreArn = first.read(StoreReading::Pointer).await.unwrap().store.unwrap().arn.try_into().unwrap();
    let text = format!("{CONFIGURATION}store = \"{}\"\n", store.as_str());
    publish(&text, "2").await;
    let installer = installer(&text).await;
    assert!(wrong(&installer).await.is_empty(), "{:?}", wrong(&installer).await);
    let wanted = installer.spec().keys.clone();
    assert!(wanted["docs"].contains("\"n\":2"), "{wanted:?}");

    let values = KeyValues::new(&connection, &store);
    let version = values.version().await.unwrap();
    let puts = vec![("docs:/gone".to_owned(), "1- 410".to_owned()), ("other".to_owned(), "1".to_owned())];
    values.update(&version, &KeyBatch { puts, deletes: vec!["docs".to_owned()] }).await.unwrap();
    let hints = wrong(&installer).await;
    assert!(hints.len() == 1 && hints[0].contains("key `docs`: it is gone"), "{hints:?}");
    // What is written after the store was read stays.
    let plan =
        install(installer.spec(), &installer.read(StoreReading::All).await.unwrap(), InstallMode::Replace).unwrap();
    let version = values.version().await.unwrap();
    let puts = vec![("docs".to_owned(), "newer".to_owned())];
    values.update(&version, &KeyBatch { puts, deletes: Vec::new() }).await.unwrap();
    let error = installer.apply(&plan.changes, "test", |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("another program wrote the key value store `tidegate-docs`"), "{error}");
    assert_eq!(values.value("docs").await.unwrap().as_deref(), Some("newer"));
    let changes = run_install(&installer, InstallMode::Replace).await.unwrap();
    assert_eq!(sentences(&changes), ["write 1 key to the key value store `tidegate-docs`, and delete 1"]);
    let mut held = values.keys().await.unwrap();
    assert_eq!(held.remove("other").as_deref(), Some("1"), "keys of others stay");
    assert_eq!(held, wanted);
    assert!(run_install(&installer, InstallMode::Replace).await.unwrap().is_empty());
}
