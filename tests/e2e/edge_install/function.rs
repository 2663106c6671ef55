//! The function is tested before it is published.

use super::*;

/// A function that fails or answers wrongly at CloudFront does not reach visitors.
#[tokio::test]
async fn a_function_that_fails_its_test_is_not_published() {
    let world = world().await;
    let installer = installer(&world, spec_of(&docs()));
    run_install(&installer, InstallMode::Keep).await.unwrap();
    let answers = "async function handler(event) { return event.request; }\n";
    let throws = "async function handler(event) { throw new Error('no'); }\n";
    let slow = "async function handler(event) { for (let i = 0; i < 100000000; i++) {} return event.request; }\n";
    for (code, expected) in [(answers, " instead of "), (throws, "fails for `/.r/now`"), (slow, "`/.r/now`")] {
        let mut broken = spec_of(&docs());
        code.clone_into(&mut broken.code);
        let error = run_install(&self::installer(&world, broken), InstallMode::Keep).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("it was not published"), "{error}");
        assert_safe(&world, &installer).await;
    }
    // The next run makes the stage `DEVELOPMENT` right again.
    let changes = sentences(&run_install(&installer, InstallMode::Keep).await.unwrap());
    assert_eq!(changes, ["replace the code of the function `tidegate-docs`"]);
}

#[test]
fn answers_of_functions_are_read() {
    for (output, answer) in [
        (r#"{"request":{"method":"GET","uri":"/a","headers":{}}}"#, EdgeAnswer::Forward("/a".to_owned())),
        (
            r#"{"response":{"statusCode":301,"headers":{"location":{"value":"/b"}}}}"#,
            EdgeAnswer::Respond { status: 301, location: Some("/b".to_owned()) },
        ),
        (r#"{"response":{"statusCode":200}}"#, EdgeAnswer::Respond { status: 200, location: None }),
        (r#"{"uri":"/a"}"#, EdgeAnswer::Forward("/a".to_owned())),
        ("", EdgeAnswer::Invalid),
        ("null", EdgeAnswer::Invalid),
    ] {
        assert_eq!(EdgeAnswer::read(output), answer, "{output}");
    }
}

/// The requests that a function is tested with have the same answers for every release, also with rules.
#[test]
fn the_answers_of_tests_hold_for_every_release() {
    let site = docs();
    let code = function_code(&site.name, OnFailure::Open);
    for pointer in [
        ReleaseEdge::default().pointer(0, "").unwrap(),
        ReleaseEdge::default().pointer(41, "r0000000041").unwrap(),
        ReleaseEdge { trailing_slash: TrailingSlash::Add, ..ReleaseEdge::default() }.pointer(7, "").unwrap(),
        ReleaseEdge { trailing_slash: TrailingSlash::Strip, ..ReleaseEdge::default() }.pointer(7, "r7").unwrap(),
        r#"{"v":1,"n":3,"r":"","x":1,"f":1,"w":[["/*","/x","301!"]],"a":["a/"]}"#.to_owned(),
    ] {
        let held = pointer.clone();
        let function = EdgeFunction::new(&code, move |key| (key == "docs").then(|| held.clone())).unwrap();
        for probe in probes() {
            let output = function.run(&probe.event).result.unwrap();
            assert_eq!(EdgeAnswer::read(&output.to_string()), probe.answer, "{pointer}: {}", probe.path);
        }
    }
    // Without the pointer, one of them differs: the store is not read.
    let broken = EdgeFunction::new(&code, |_| None).unwrap();
    let differs =
        |probe: &EdgeProbe| EdgeAnswer::read(&broken.run(&probe.event).result.unwrap().to_string()) != probe.answer;
    assert!(probes().iter().any(differs));
}
