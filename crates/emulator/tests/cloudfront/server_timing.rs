//! `Server-Timing` in response headers policies: sampling rates, requests for the header, and its metrics. The rules are
//! those of the CloudFront Developer Guide, "Server-Timing header".

use aws_sdk_cloudfront::types::{ResponseHeadersPolicyConfig, ResponseHeadersPolicyServerTimingHeadersConfig};
use pretty_assertions::assert_eq;
use tidegate_emulator::s3::StoredHeaders;

use super::site::{Seen, Site};
use super::{refusal, refused, with_distribution};

fn policy(name: &str, enabled: bool, rate: Option<f64>) -> ResponseHeadersPolicyConfig {
    let timing = ResponseHeadersPolicyServerTimingHeadersConfig::builder().enabled(enabled).set_sampling_rate(rate);
    let timing = timing.build().expect("a section");
    ResponseHeadersPolicyConfig::builder().name(name).server_timing_headers_config(timing).build().expect("a policy")
}

#[tokio::test]
async fn sampling_rates_are_accepted_or_refused() {
    let (_account, client) = with_distribution();
    for (rate, accepted) in [
        (None, true),
        (Some(0.0), true),
        (Some(0.0001), true),
        (Some(33.3333), true),
        (Some(99.9999), true),
        (Some(100.0), true),
        (Some(0.00001), false),
        (Some(33.33333), false),
        (Some(-0.0001), false),
        (Some(100.0001), false),
    ] {
        let name = format!("rate{}", rate.unwrap_or(-1.0));
        let config = policy(&name, true, rate);
        let created =
            client.create_response_headers_policy().response_headers_policy_config(config.clone()).send().await;
        match created {
            Ok(created) => {
                assert!(accepted, "{rate:?}");
                let id = created.response_headers_policy().expect("a policy").id();
                let known = client.get_response_headers_policy_config().id(id).send().await.expect("a policy");
                assert_eq!(known.response_headers_policy_config(), Some(&config));
            }
            Err(error) => {
                assert!(!accepted, "{rate:?}");
                assert_eq!(refusal::<(), _>(Err(error)), refused(400, "InvalidArgument"), "{rate:?}");
            }
        }
    }
}

/// The names of the metrics, in order.
fn metrics(seen: &Seen) -> Vec<String> {
    assert!(seen.headers.get_all("server-timing").iter().count() <= 1, "a single header");
    let metrics = seen.header("server-timing").split(',').filter(|metric| !metric.is_empty());
    metrics.map(|metric| metric.split(';').next().expect("a name").to_owned()).collect()
}

const MISS: [&str; 8] = [
    "cdn-upstream-layer",
    "cdn-upstream-dns",
    "cdn-upstream-connect",
    "cdn-upstream-fbl",
    "cdn-cache-miss",
    "cdn-pop",
    "cdn-rid",
    "cdn-downstream-fbl",
];
const HIT: [&str; 5] = ["cdn-cache-hit", "cdn-pop", "cdn-rid", "cdn-hit-layer", "cdn-downstream-fbl"];
const REFRESH: [&str; 7] = [
    "cdn-upstream-dns",
    "cdn-upstream-connect",
    "cdn-upstream-fbl",
    "cdn-cache-refresh",
    "cdn-pop",
    "cdn-rid",
    "cdn-downstream-fbl",
];

#[tokio::test]
async fn metrics_say_what_the_cache_did() {
    let site = Site::new("").await;
    let headers = StoredHeaders { cache_control: Some("max-age=60".to_owned()), ..StoredHeaders::default() };
    site.account.s3().put("site", "a.html", "a", headers).await.expect("put");
    site.attach(policy("all", true, Some(100.0))).await;
    assert_eq!(metrics(&site.get("/a.html").await), MISS);
    let hit = site.get("/a.html").await;
    assert_eq!(metrics(&hit), HIT);
    let value = hit.header("server-timing");
    assert!(value.contains("cdn-hit-layer;desc=\"EDGE\",cdn-downstream-fbl;dur="), "{value}");
    site.account.iam().clock().advance(std::time::Duration::from_secs(61));
    assert_eq!(metrics(&site.get("/a.html").await), REFRESH);
    assert_eq!(metrics(&site.get("/none").await), MISS, "errors of the origin, too");
    let function = "function handler(event) { return { statusCode: 204 }; }";
    let origin = "function handler(event) {
        event.response.headers['server-timing'] = { value: 'db;dur=5' };
        return event.response;
    }";
    site.functions("", origin).await;
    site.put("b.html", "b").await;
    let merged = site.get("/b.html").await;
    assert_eq!(metrics(&merged).last().map(String::as_str), Some("db"), "the origin's are kept in the same header");
    assert_eq!(metrics(&site.get("/b.html").await), HIT, "a copy of the cache has only those of CloudFront");
    site.functions(function, "").await;
    let made = site.get("/a.html").await;
    assert_eq!(
        (made.status, metrics(&made)),
        (204, ["cdn-pop", "cdn-rid", "cdn-downstream-fbl"].map(str::to_owned).to_vec())
    );
}

/// Rows: whether the header is enabled, the rate, the value of `Pragma`, and how many of 400 responses have the header.
#[tokio::test]
async fn a_response_is_sampled_or_asked_for() {
    let site = Site::new("").await;
    site.put("a.html", "a").await;
    for (number, (enabled, rate, pragma, expected)) in [
        (true, Some(100.0), "no-cache", 400..=400),
        (true, Some(50.0), "no-cache", 100..=300),
        (true, Some(0.0), "no-cache", 0..=0),
        (true, None, "no-cache", 0..=0),
        (true, Some(0.0), "server-timing", 400..=400),
        (true, None, "no-cache, Server-Timing", 400..=400),
        (false, Some(100.0), "server-timing", 0..=0),
    ]
    .into_iter()
    .enumerate()
    {
        site.attach(policy(&format!("p{number}"), enabled, rate)).await;
        let mut with_header = 0;
        for _ in 0..400 {
            let seen = site.get_with("/a.html", "pragma", pragma).await;
            with_header += i32::from(!metrics(&seen).is_empty());
        }
        assert!(expected.contains(&with_header), "{enabled} {rate:?} {pragma}: {with_header}");
    }
}
