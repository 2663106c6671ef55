//! Distributions: what an update keeps and what it refuses.

use aws_sdk_cloudfront::types::{
    CustomErrorResponse, CustomErrorResponses, DistributionConfig, EventType, LambdaFunctionAssociation,
    LambdaFunctionAssociations, Origins,
};
use pretty_assertions::assert_eq;
use tidegate_emulator::cloudfront::{OriginAccess, S3Origin};

use super::{ID, IDENTITY, config, function_config, published, refusal, refused, with_distribution, with_functions};
use aws_sdk_cloudfront::primitives::Blob;

fn error_responses(responses: &[(i32, &str, &str)]) -> CustomErrorResponses {
    let items = responses.iter().map(|(code, page, status)| {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        CustomErrorResponse::builder()
            .error_code(*code)
            .set_response_page_path(text(page))
            .set_response_code(text(status))
            .error_caching_min_ttl(10)
            .build()
            .expect("a response")
    });
    let quantity = i32::try_from(responses.len()).expect("a small number");
    CustomErrorResponses::builder().quantity(quantity).set_items(Some(items.collect())).build().expect("responses")
}

#[tokio::test]
async fn an_update_keeps_what_it_was_sent() {
    let (account, client) = with_distribution();
    let arn = published(&client, "f", IDENTITY).await;
    let (known, version) = config(&client).await;
    let mut changed = with_functions(known, &[(EventType::ViewerRequest, &arn), (EventType::ViewerResponse, &arn)]);
    changed.custom_error_responses =
        Some(error_responses(&[(403, "/404.html", "404"), (404, "/404.html", "404"), (500, "", "")]));
    changed.default_root_object = Some("home.html".to_owned());
    "a comment <&> \"é\"".clone_into(&mut changed.comment);
    let update = |etag: &str, config: DistributionConfig| {
        client.update_distribution().id(ID).if_match(etag).distribution_config(config).send()
    };
    let updated = update(&version, changed.clone()).await.expect("updated");
    assert_eq!(updated.distribution().expect("a distribution").status(), "InProgress");
    assert_ne!(updated.e_tag(), Some(version.as_str()));
    let (stored, etag) = config(&client).await;
    assert_eq!(stored, changed);
    assert_eq!(updated.e_tag(), Some(etag.as_str()));
    assert_eq!(refusal(update(&version, changed.clone()).await), refused(412, "PreconditionFailed"));
    let unconditional = client.update_distribution().id(ID).distribution_config(changed.clone()).send().await;
    assert_eq!(refusal(unconditional), refused(400, "InvalidIfMatchVersion"));

    account.iam().clock().advance(std::time::Duration::from_secs(2));
    let output = client.get_distribution().id(ID).send().await.expect("a distribution");
    let distribution = output.distribution().expect("a distribution");
    assert_eq!(distribution.status(), "Deployed");
    assert_eq!(distribution.distribution_config(), Some(&changed));
    let list = client.list_distributions().send().await.expect("a list").distribution_list.expect("a list");
    let summary = list.items().first().expect("a distribution");
    assert_eq!(summary.default_cache_behavior(), changed.default_cache_behavior());
    assert_eq!(summary.custom_error_responses(), changed.custom_error_responses());
    assert_eq!(summary.origins(), changed.origins());

    let served = account.cloudfront().distribution(ID).expect("a distribution").served();
    assert_eq!(served.access, Some(OriginAccess::Control));
    assert_eq!(served.origin, S3Origin { bucket: "site".to_owned(), path: "/live".to_owned() });
    assert_eq!((served.viewer_request, served.viewer_response), (Some(arn.clone()), Some(arn)));
    assert_eq!(served.error_responses.len(), 3);
    assert_eq!(served.unsupported, None);
}

/// Changes a configuration so that an update of it is refused.
type Change = fn(&mut DistributionConfig);

#[tokio::test]
async fn an_invalid_configuration_is_refused_and_changes_nothing() {
    let (_account, client) = with_distribution();
    let live = published(&client, "live", IDENTITY).await;
    let draft = client.create_function().name("draft").function_config(function_config(&[]));
    draft.function_code(Blob::new(IDENTITY)).send().await.expect("a function");
    let draft = live.replace("live", "draft");
    let (known, version) = config(&client).await;
    let update = |config: DistributionConfig| {
        client.update_distribution().id(ID).if_match(&version).distribution_config(config).send()
    };
    use EventType::{OriginRequest, OriginResponse, ViewerRequest};
    for (functions, name) in [
        (vec![(ViewerRequest, draft.as_str())], "a function that is not live"),
        (vec![(ViewerRequest, "arn:aws:cloudfront::000000000000:function/none")], "no function"),
        (vec![(ViewerRequest, live.as_str()), (ViewerRequest, live.as_str())], "two functions for one event"),
        (vec![(OriginRequest, live.as_str())], "an origin event"),
        (vec![(OriginResponse, live.as_str())], "an origin event"),
    ] {
        let refusal = refusal(update(with_functions(known.clone(), &functions)).await);
        assert_eq!(refusal, refused(400, "InvalidFunctionAssociation"), "{name}");
    }
    let lambda = |event: EventType| {
        let association = LambdaFunctionAssociation::builder()
            .lambda_function_arn("arn:aws:lambda:us-east-1:000000000000:function:f:1")
            .event_type(event)
            .build()
            .expect("an association");
        let mut config = with_functions(known.clone(), &[(ViewerRequest, live.as_str())]);
        if let Some(behavior) = &mut config.default_cache_behavior {
            let associations = LambdaFunctionAssociations::builder().quantity(1).items(association).build();
            behavior.lambda_function_associations = Some(associations.expect("associations"));
        }
        config
    };
    let both = refusal(update(lambda(EventType::ViewerResponse)).await);
    assert_eq!(both, refused(400, "InvalidFunctionAssociation"), "Lambda@Edge at a viewer event");

    let rows: [(Change, u16, &str); 13] = [
        (|config| config.custom_error_responses = Some(error_responses(&[(401, "", "")])), 400, "InvalidErrorCode"),
        (
            |config| config.custom_error_responses = Some(error_responses(&[(404, "", ""), (404, "", "")])),
            400,
            "InvalidErrorCode",
        ),
        (
            |config| config.custom_error_responses = Some(error_responses(&[(404, "/404.html", "299")])),
            400,
            "InvalidResponseCode",
        ),
        (
            |config| config.custom_error_responses = Some(error_responses(&[(404, "/404.html", "")])),
            400,
            "InvalidResponseCode",
        ),
        (
            |config| config.custom_error_responses = Some(error_responses(&[(404, "404.html", "404")])),
            400,
            "InvalidArgument",
        ),
        (|config| config.default_root_object = Some("/index.html".to_owned()), 400, "InvalidDefaultRootObject"),
        (|config| config.default_root_object = None, 400, "IllegalUpdate"),
        (|config| "other".clone_into(&mut config.caller_reference), 400, "IllegalUpdate"),
        (
            |config| config.custom_error_responses.as_mut().expect("responses").quantity = 1,
            400,
            "InconsistentQuantities",
        ),
        (
            |config| {
                let behavior = config.default_cache_behavior.as_mut().expect("a behavior");
                behavior.response_headers_policy_id = Some("none".to_owned());
            },
            404,
            "NoSuchResponseHeadersPolicy",
        ),
        (
            |config| {
                let behavior = config.default_cache_behavior.as_mut().expect("a behavior");
                "none".clone_into(&mut behavior.target_origin_id);
            },
            404,
            "NoSuchOrigin",
        ),
        (
            |config| origin(config, |origin| origin.origin_access_control_id = Some("E0NONE".to_owned())),
            400,
            "InvalidOriginAccessControl",
        ),
        (|config| origin(config, |origin| "example.com".clone_into(&mut origin.domain_name)), 400, "InvalidArgument"),
    ];
    for (index, (change, status, code)) in rows.into_iter().enumerate() {
        let mut changed = known.clone();
        change(&mut changed);
        assert_eq!(refusal(update(changed).await), refused(status, code), "row {index}");
    }
    assert_eq!(config(&client).await, (known, version));
    let missing = client.get_distribution_config().id("E0NONE").send().await;
    assert_eq!(refusal(missing), refused(404, "NoSuchDistribution"));
}

/// Changes the only origin.
fn origin(config: &mut DistributionConfig, change: fn(&mut aws_sdk_cloudfront::types::Origin)) {
    let mut origins: Vec<_> = config.origins.as_ref().expect("origins").items().to_vec();
    origins.iter_mut().for_each(change);
    let origins = Origins::builder().quantity(1).set_items(Some(origins)).build();
    config.origins = Some(origins.expect("origins"));
}

#[tokio::test]
async fn the_preview_refuses_what_it_cannot_serve() {
    let (account, client) = with_distribution();
    let (known, version) = config(&client).await;
    let mut disabled = known;
    disabled.enabled = false;
    let update = client.update_distribution().id(ID).if_match(version).distribution_config(disabled);
    update.send().await.expect("a configuration that AWS accepts");
    assert_eq!(account.cloudfront().distribution(ID).expect("a distribution").served().unsupported, Some("Enabled"));
}

#[tokio::test]
async fn an_origin_access_control_in_use_is_not_deleted() {
    use aws_sdk_cloudfront::types::{
        OriginAccessControlConfig, OriginAccessControlOriginTypes, OriginAccessControlSigningBehaviors,
        OriginAccessControlSigningProtocols,
    };
    let (_account, client) = with_distribution();
    let create = |name: &str| {
        let config = OriginAccessControlConfig::builder()
            .name(name)
            .signing_protocol(OriginAccessControlSigningProtocols::Sigv4)
            .signing_behavior(OriginAccessControlSigningBehaviors::Always)
            .origin_access_control_origin_type(OriginAccessControlOriginTypes::S3)
            .build()
            .expect("a configuration");
        client.create_origin_access_control().origin_access_control_config(config).send()
    };
    let created = create("own").await.expect("an access control");
    assert_eq!(refusal(create("own").await), refused(409, "OriginAccessControlAlreadyExists"));
    let id = created.origin_access_control().expect("an access control").id().to_owned();
    let etag = created.e_tag().expect("an ETag").to_owned();
    let (mut known, version) = config(&client).await;
    let used = known.origins().expect("origins").items().first().and_then(|origin| origin.origin_access_control_id());
    let used = used.expect("an access control").to_owned();
    let list = client.list_origin_access_controls().send().await.expect("a list");
    let items = list.origin_access_control_list().expect("a list").items();
    let ids: std::collections::BTreeSet<_> = items.iter().map(|item| item.id().to_owned()).collect();
    assert_eq!(ids, [id.clone(), used.clone()].into());
    let old = client.get_origin_access_control().id(&used).send().await.expect("an access control");
    let delete = |id: &str, etag: &str| client.delete_origin_access_control().id(id).if_match(etag).send();
    assert_eq!(refusal(delete(&used, old.e_tag().expect("an ETag")).await), refused(409, "OriginAccessControlInUse"));
    assert_eq!(refusal(delete(&id, "E0").await), refused(412, "PreconditionFailed"));

    let mut origins: Vec<_> = known.origins.as_ref().expect("origins").items().to_vec();
    for origin in &mut origins {
        origin.origin_access_control_id = Some(id.clone());
    }
    known.origins = Some(Origins::builder().quantity(1).set_items(Some(origins)).build().expect("origins"));
    let update = client.update_distribution().id(ID).if_match(version).distribution_config(known);
    update.send().await.expect("updated");
    delete(&used, old.e_tag().expect("an ETag")).await.expect("deleted");
    assert_eq!(refusal(delete(&id, &etag).await), refused(409, "OriginAccessControlInUse"));
    let missing = client.get_origin_access_control().id(&used).send().await;
    assert_eq!(refusal(missing), refused(404, "NoSuchOriginAccessControl"));
}
