//! The plugin in the SDK's harness, with every size of batches.

use tidegate_plugin::testing::{SyncAnswer, TestArtifact, canonical, sync};

use super::{HeadersPlugin, HeadersSettings};

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const OTHERS: &str = "public, max-age=0, s-maxage=86400, must-revalidate";

fn answer(settings: &str, artifact: &TestArtifact) -> SyncAnswer {
    sync::<HeadersPlugin>(settings, artifact).unwrap()
}

fn cache(answer: &SyncAnswer, key: &str) -> Option<String> {
    answer.header(key, "cache-control")
}

#[test]
fn presets_distinguish_pages_fingerprints_and_other_objects() {
    let table = [
        ("index.html", "no-cache"),
        ("index.abcdef12.html", "no-cache"),
        ("about", "no-cache"),
        ("feed.xml", "no-cache"),
        ("sw.js", "no-cache"),
        ("app.webmanifest", "no-cache"),
        ("app.3f9a1c2b.js", IMMUTABLE),
        ("assets/app-BwX3kq9Z.css", IMMUTABLE),
        ("_astro/hero.webp", IMMUTABLE),
        ("docs/_next/static/build/_buildManifest.js", IMMUTABLE),
        ("_nuxt/entry.js", IMMUTABLE),
        ("_nuxt/builds/latest.json", "no-cache"),
        ("_nuxt/builds/meta/x.json", OTHERS),
        ("jquery-3.7.1.js", OTHERS),
        ("logo.png", OTHERS),
    ];
    let answer = answer("{}", &TestArtifact::new().objects(table.iter().map(|(key, _)| *key)));
    for (key, value) in table {
        assert_eq!(cache(&answer, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(answer.decided["app.3f9a1c2b.js"].rule, "/presets/fingerprinted");
    assert_eq!(answer.decided["logo.png"].rule, "/presets/others");
}

#[test]
fn each_preset_can_be_turned_off() {
    let artifact = TestArtifact::new().objects(["index.html", "app.3f9a1c2b.js", "logo.png"]);
    let none = answer(r#"{"presets":{"fingerprinted":null,"pages":null,"others":null}}"#, &artifact);
    assert!(none.decided.is_empty());
    let some = answer(r#"{"presets":{"fingerprinted":null}}"#, &artifact);
    assert_eq!(cache(&some, "app.3f9a1c2b.js").as_deref(), Some(OTHERS));
    assert_eq!(cache(&some, "index.html").as_deref(), Some("no-cache"));
}

#[test]
fn a_preset_keeps_a_value_of_an_earlier_plugin() {
    let artifact = TestArtifact::new().object_with("a.png", "x", &[("cache-control", "no-store")]);
    assert!(answer("{}", &artifact).decided.is_empty());
}

#[test]
fn later_rules_take_precedence_and_can_remove_headers() {
    let settings = r#"{"rules":[
        {"glob":"*.html","set":{"Cache-Control":"no-store","X-Amz-Meta-Owner":"docs","content-language":"en"}},
        {"glob":"/de/","set":{"content-language":"de"},"remove":["x-amz-meta-owner"]},
        {"glob":"raw/","remove":["cache-control"]}
    ]}"#;
    let artifact = TestArtifact::new().objects(["a.html", "de/a.html", "raw/a.png"]);
    let answer = answer(settings, &artifact);
    assert_eq!(cache(&answer, "a.html").as_deref(), Some("no-store"));
    assert_eq!(answer.header("a.html", "content-language").as_deref(), Some("en"));
    assert_eq!(answer.header("de/a.html", "content-language").as_deref(), Some("de"));
    let site = answer.published();
    assert_eq!(site["a.html"].metadata("owner"), Some("docs"));
    assert_eq!(site["de/a.html"].metadata("owner"), None);
    assert_eq!(cache(&answer, "raw/a.png"), None);
    let decided = &answer.decided["de/a.html"];
    assert_eq!(decided.rule, "/rules/1");
    assert_eq!(decided.reason, "cache-control: matches `*.html`; content-language: matches `/de/`");
}

#[test]
fn applies_the_file_of_the_artifact_without_publishing_it() {
    let file = "/*\n  X-Frame-Options: DENY\n  X-Amz-Meta-Team: web\n/assets/*\n  Cache-Control: public, max-age=600\n/docs/\n  Content-Language: fr\n";
    let artifact = TestArtifact::new().object("_headers", file).objects([
        "A-before-the-file.png",
        "assets/a.png",
        "docs/index.html",
        "index.html",
    ]);
    let found = answer("{}", &artifact);
    let site = found.published();
    assert!(!site.contains_key("_headers"));
    assert_eq!(
        site["A-before-the-file.png"].metadata("team"),
        Some("web"),
        "the file also applies to entries before it"
    );
    assert_eq!(cache(&found, "assets/a.png").as_deref(), Some("public, max-age=600"));
    assert_eq!(found.header("docs/index.html", "content-language").as_deref(), Some("fr"));
    assert_eq!(found.findings(), [("header-not-stored", Some("_headers"))]);
    assert!(found.summary.findings[0].message.contains("line 2 of `_headers`"));
    assert!(found.summary.findings[0].message.contains("response headers policy"));

    let configured = answer(r#"{"rules":[{"glob":"assets/","set":{"cache-control":"no-store"}}]}"#, &artifact);
    assert_eq!(
        cache(&configured, "assets/a.png").as_deref(),
        Some("no-store"),
        "the configuration takes precedence over the artifact"
    );

    let off = answer(r#"{"headers-file":{"enabled":false}}"#, &artifact);
    assert!(off.published().contains_key("_headers"));
    assert_eq!(off.findings(), []);
}

#[test]
fn a_strict_file_denies_the_run() {
    let artifact = TestArtifact::new().object("_headers", "/*\n  X-Frame-Options: DENY\n");
    let failure = sync::<HeadersPlugin>(r#"{"headers-file":{"strict":true}}"#, &artifact).unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.rule.as_str(), failure.key.as_deref()),
        ("headers-file", "/headers-file/strict", Some("_headers"))
    );
    let broken = TestArtifact::new().object("_headers", [0xff, 0xfe]);
    assert_eq!(sync::<HeadersPlugin>("{}", &broken).unwrap_err().code, "not-text");
}

#[test]
fn redirects_get_no_headers() {
    assert!(answer("{}", &TestArtifact::new().redirect("old", "/new")).decided.is_empty());
}

#[test]
fn decides_only_about_changes() {
    let artifact =
        TestArtifact::new().object_with("a.html", "", &[("cache-control", "no-cache"), ("content-language", "en")]);
    let settings =
        r#"{"rules":[{"glob":"*","set":{"cache-control":"no-cache","content-language":"en"},"remove":["expires"]}]}"#;
    assert!(answer(settings, &artifact).decided.is_empty());
}

#[test]
fn settings_have_a_canonical_form() {
    let written =
        canonical::<HeadersSettings>(r#"{"rules":[{"set":{"Expires":"x","Cache-Control":"y"},"glob":"*"}]}"#).unwrap();
    let expected = r#"{"rules":[{"glob":"*","set":{"cache-control":"y","expires":"x"},"remove":[]}],"headers-file":{"enabled":true,"key":"_headers","strict":false},"presets":{"fingerprinted":"public, max-age=31536000, immutable","pages":"no-cache","others":"public, max-age=0, s-maxage=86400, must-revalidate"},"fingerprinted-folders":["_astro/","**/_app/immutable/","**/_next/static/","_nuxt/","!**/_nuxt/builds/"]}"#;
    assert_eq!(written, expected);
}

#[test]
fn issues_point_at_wrong_settings() {
    let table = [
        (r#"{"rules":[{"glob":"["}]}"#, "/rules/0/glob"),
        (r#"{"rules":[{"glob":"*"}]}"#, "/rules/0"),
        (r#"{"rules":[{"glob":"*","set":{"cache-control":"a\r\nb"}}]}"#, "/rules/0/set/cache-control"),
        (r#"{"rules":[{"glob":"*","remove":["expires","x-frame-options"]}]}"#, "/rules/0/remove/1"),
        (r#"{"presets":{"pages":""}}"#, "/presets/pages"),
        (r#"{"presets":{"page":"x"}}"#, "/presets/page"),
        (r#"{"headers-file":{"key":"/x"}}"#, "/headers-file/key"),
        (r#"{"fingerprinted-folders":["a","{"]}"#, "/fingerprinted-folders/1"),
    ];
    for (settings, pointer) in table {
        assert_eq!(canonical::<HeadersSettings>(settings).unwrap_err()[0].0, pointer, "{settings}");
    }
    let issues =
        canonical::<HeadersSettings>(r#"{"rules":[{"glob":"*","set":{"X-Frame-Options":"DENY"}}]}"#).unwrap_err();
    assert!(issues[0].0.starts_with("/rules/0/set"), "{issues:?}");
    assert!(issues[0].1.contains("response headers policy"), "{issues:?}");
}

#[test]
fn large_sites_do_not_depend_on_batches() {
    let artifact = (0..2_100)
        .fold(TestArtifact::new().object("_headers", "/3/*\n  Content-Language: en\n"), |artifact, at| {
            artifact.object(&format!("{}/{at}.{}", at % 5, ["html", "png"][at % 2]), "")
        });
    let found = answer(r#"{"rules":[{"glob":"4/","set":{"expires":"0"}}]}"#, &artifact);
    assert_eq!(found.header("3/3.png", "content-language").as_deref(), Some("en"));
    assert_eq!(found.decided.len(), 2_101);
}
