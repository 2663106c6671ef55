//! Distributions that cannot have an edge, and resources of others.

use super::*;

#[tokio::test]
async fn distributions_that_do_not_fit_are_refused() {
    let refused = async |world: &World, spec: EdgeSpec| {
        let before = config(world).await;
        let error = run_install(&installer(world, spec), InstallMode::Keep).await.unwrap_err().to_string();
        assert_eq!(config(world).await, before);
        let found = installer(world, spec_of(&docs())).read(StoreReading::Pointer).await.unwrap();
        assert!(found.store.is_none(), "nothing is created");
        error
    };
    let world = world().await;
    change(&world, |config| {
        let origin = config.origins.as_mut().unwrap().items.first_mut().unwrap();
        origin.origin_access_control_id = Some(String::new());
    })
    .await;
    let error = refused(&world, spec_of(&docs())).await;
    assert!(error.contains("without an origin access control"), "{error}");
    world.account.cloudfront().set_origin_access(DISTRIBUTION, OriginAccess::Website).unwrap();
    let error = refused(&world, spec_of(&docs())).await;
    assert!(error.contains("reads the website endpoint `site.s3-website-us-east-1.amazonaws.com`"), "{error}");
    world.account.cloudfront().set_origin_access(DISTRIBUTION, OriginAccess::Control).unwrap();
    let other_bucket = site(&CONFIGURATION.replace("s3://site/", "s3://other/"));
    assert!(refused(&world, spec_of(&other_bucket)).await.contains("not the bucket of the site"));
    let folder = CONFIGURATION.replace("s3://site/", "s3://site/v1/").replace("\" }]", "\", origin-path = \"/v1\" }]");
    let error = refused(&world, spec_of(&site(&folder))).await;
    assert!(error.contains("has the path ``, the configuration says `/v1`"), "{error}");
    let mut foreign = spec_of(&docs());
    foreign.store = Some("arn:aws:cloudfront::111111111111:key-value-store/a".to_owned().try_into().unwrap());
    assert!(refused(&world, foreign).await.contains("another account"));
    // A function of others at one of the events.
    let mut other = spec_of(&docs());
    other.name = "other".to_owned();
    let others = installer(&world, other);
    run_install(&others, InstallMode::Keep).await.unwrap();
    let error = refused(&world, spec_of(&docs())).await;
    assert!(error.contains("function/other` at viewer-request") && error.contains("--code"), "{error}");
    // Also for a repair, once there is something to repair.
    run_remove(&others).await.unwrap();
    // A resource with the same name.
    client(&world).create_key_value_store().name(NAME).comment("of others").send().await.unwrap();
    let error = run_install(&installer(&world, spec_of(&docs())), InstallMode::Keep).await.unwrap_err().to_string();
    assert!(error.contains("the key value store `tidegate-docs` exists and was not created for the site"), "{error}");
    // The configuration may name it.
    let store = installer(&world, spec_of(&docs())).read(StoreReading::Pointer).await.unwrap().store.unwrap();
    let mut spec = spec_of(&docs());
    spec.store = Some(store.arn.clone().try_into().unwrap());
    let installer = installer(&world, spec);
    run_install(&installer, InstallMode::Keep).await.unwrap();
    assert_safe(&world, &installer).await;
    run_remove(&installer).await.unwrap();
    assert!(
        installer.read(StoreReading::Pointer).await.unwrap().store.is_some_and(|kept| kept == store),
        "a store of others stays"
    );
}

#[tokio::test]
async fn a_lambda_at_a_viewer_event_is_refused() {
    let world = world().await;
    change(&world, |config| {
        let lambda = "arn:aws:lambda:us-east-1:000000000000:function:edge:1";
        let lambda = aws_sdk_cloudfront::types::LambdaFunctionAssociation::builder()
            .lambda_function_arn(lambda)
            .event_type(EventType::ViewerResponse)
            .build()
            .unwrap();
        let lambdas = aws_sdk_cloudfront::types::LambdaFunctionAssociations::builder().quantity(1).items(lambda);
        let behavior = config.default_cache_behavior.as_mut().unwrap();
        behavior.lambda_function_associations = Some(lambdas.build().unwrap());
    })
    .await;
    let error = run_install(&installer(&world, spec_of(&docs())), InstallMode::Keep).await.unwrap_err().to_string();
    assert!(error.contains("Lambda@Edge function `arn:aws:lambda:us-east-1:000000000000:function:edge:1`"), "{error}");
}
