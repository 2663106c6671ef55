//! Requests whose answers do not depend on the rules of a site. They show that the function runs where CloudFront runs it,
//! and reads its store, before visitors get it.

use serde_json::{Value, json};

use tidegate_core::edge::{PREVIEWS, RELEASES};

/// A request with the answer that the function must give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeProbe {
    /// The event, in CloudFront's form.
    pub event: Value,
    /// What it is about, for messages: the path.
    pub path: String,
    /// The answer.
    pub answer: EdgeAnswer,
}

/// What the function does with a request or response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EdgeAnswer {
    /// It asks the origin for a path.
    Forward(String),
    /// It answers itself.
    Respond {
        /// The status.
        status: u64,
        /// The header `location`.
        location: Option<String>,
    },
    /// It returns nothing that CloudFront takes.
    Invalid,
}

impl EdgeAnswer {
    /// The answer in the output of a function, as CloudFront writes it.
    #[must_use]
    pub fn read(output: &str) -> Self {
        let value: Value = serde_json::from_str(output).unwrap_or_default();
        // `TestFunction` wraps the result; an engine may return it as it is.
        let result = value.get("request").or_else(|| value.get("response")).unwrap_or(&value);
        if let Some(status) = result.get("statusCode").and_then(Value::as_u64) {
            let location = result.pointer("/headers/location/value").and_then(Value::as_str);
            return Self::Respond { status, location: location.map(str::to_owned) };
        }
        match result.get("uri").and_then(Value::as_str) {
            Some(uri) => Self::Forward(uri.to_owned()),
            None => Self::Invalid,
        }
    }
}

/// The form of messages: `301 /guide/`, `/index.html`.
impl std::fmt::Display for EdgeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forward(uri) => f.write_str(uri),
            Self::Respond { status, location: None } => write!(f, "{status}"),
            Self::Respond { status, location: Some(location) } => write!(f, "{status} {location}"),
            Self::Invalid => f.write_str("nothing"),
        }
    }
}

fn request(path: &str, query: &Value) -> Value {
    json!({
        "version": "1.0",
        "context": { "eventType": "viewer-request" },
        "viewer": { "ip": "198.51.100.1" },
        "request": { "method": "GET", "uri": path, "querystring": query, "headers": {}, "cookies": {} },
    })
}

/// A response that the function has nothing to say about.
fn response() -> EdgeProbe {
    let event = json!({
        "version": "1.0",
        "context": { "eventType": "viewer-response" },
        "viewer": { "ip": "198.51.100.1" },
        "request": {
            "method": "GET", "uri": "/.r/-", "querystring": {}, "cookies": {},
            "headers": { "x-tidegate": { "value": "200 - /" } },
        },
        "response": {
            "statusCode": 200, "statusDescription": "OK", "cookies": {},
            "headers": { "content-type": { "value": "text/html" } },
        },
    });
    let answer = EdgeAnswer::Respond { status: 200, location: None };
    EdgeProbe { event, path: "the response to `/`".to_owned(), answer }
}

/// The requests. Their answers are the same for every release of every site.
#[must_use]
pub fn probes() -> Vec<EdgeProbe> {
    let nothing = || EdgeAnswer::Forward(format!("/{RELEASES}-"));
    let redirect = |location: &str| EdgeAnswer::Respond { status: 301, location: Some(location.to_owned()) };
    let long = format!("/{}", "a".repeat(1_600));
    let answers = [
        // Without its pointer, the function would look for a page here.
        (format!("/{RELEASES}now"), EdgeAnswer::Respond { status: 200, location: None }),
        (format!("/{RELEASES}r1/index.html"), nothing()),
        (format!("/{PREVIEWS}x/index.html"), nothing()),
        ("/a/../b".to_owned(), nothing()),
        ("/%2e%2e/b".to_owned(), nothing()),
        ("/a%2fb".to_owned(), nothing()),
        ("/a%5cb".to_owned(), nothing()),
        ("/%zz".to_owned(), nothing()),
        (long, nothing()),
        ("/a//b".to_owned(), redirect("/a/b")),
        ("//example.com/a".to_owned(), redirect("/example.com/a")),
    ];
    let probe = |(path, answer): (String, EdgeAnswer)| EdgeProbe { event: request(&path, &json!({})), path, answer };
    let mut probes: Vec<EdgeProbe> = answers.into_iter().map(probe).collect();
    probes.push(EdgeProbe {
        event: request("/a//b", &json!({ "x": { "value": "1" } })),
        path: "/a//b?x=1".to_owned(),
        answer: redirect("/a/b?x=1"),
    });
    probes.push(response());
    probes
}
