//! What a stranger's request costs before its signature is verified. The allocator is counted, so the file has one test.

use peak_alloc::PeakAlloc;
use tidegate_core::config::Config;
use tidegate_lambda::trigger::{HttpRequest, MAX_PAYLOAD_BYTES};
use tidegate_lambda::webhook::candidates;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Bytes that selecting the secrets may allocate, whatever the size of the payload.
const LIMIT: usize = 64 * 1024;

const CONFIGURATION: &str = r#"
    state = "s3://acme-state/"

    [[site]]
    name   = "docs"
    builds = "s3://acme-artifacts/builds/docs/"
    target = "s3://docs.acme.com/"

    [[site.webhook]]
    provider   = "github"
    repository = "acme/docs"
    branch     = "main"
    secrets    = ["ssm:/github"]

    [[site.webhook]]
    provider = "generic"
    secrets  = ["ssm:/generic"]
"#;

/// A payload as long as one can be, of one element again and again.
fn payload(selector: &str, element: &str) -> String {
    let mut payload = format!("{{{selector},\"x\":[");
    while payload.len() + element.len() + 3 < MAX_PAYLOAD_BYTES {
        payload += element;
        payload.push(',');
    }
    payload.truncate(payload.len() - 1);
    payload + "]}"
}

#[test]
fn memory_does_not_depend_on_an_unverified_payload() {
    let config = Config::parse(CONFIGURATION).unwrap();
    let signature = format!("sha256={}", "0".repeat(64));
    let senders: [(&str, &[(&str, &str)]); 2] = [
        (
            "\"repository\":{\"full_name\":\"acme/docs\"}",
            &[("x-github-event", "push"), ("x-hub-signature-256", &signature)],
        ),
        ("\"site\":\"docs\"", &[("x-tidegate-timestamp", "1780000000"), ("x-tidegate-signature-256", &signature)]),
    ];
    // The payload ends in a form that is valid, is cut off, or names the selector again.
    for (selector, headers) in senders {
        for element in ["0", "{\"\":0}", "[[]]", "\"\\u00e9\"", "{\"a\":{\"a\":{\"a\":[{},{}]}}}", "1e308", selector] {
            let element = if element == selector { format!("{{{element}}}") } else { element.to_owned() };
            let whole = payload(selector, &element);
            let cut = whole.get(..whole.len() - 1).unwrap().to_owned();
            let repeated = format!("{},{selector}}}", cut.trim_end_matches('}'));
            for (body, accepted) in [(whole, true), (cut, false), (repeated, false)] {
                let request = HttpRequest::new("POST", "/", headers.iter().copied(), body.into_bytes());
                let before = ALLOCATOR.current_usage();
                ALLOCATOR.reset_peak_usage();
                let found = candidates(&request, &config);
                let needed = ALLOCATOR.peak_usage() - before;
                assert_eq!(found.is_ok(), accepted, "{element}");
                assert!(needed < LIMIT, "{element}: {needed} bytes");
            }
        }
    }
}
