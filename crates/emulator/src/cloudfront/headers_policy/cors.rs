//! The CORS headers of a policy: what CloudFront accepts, and which headers it adds to responses.
//!
//! Source: CloudFront Developer Guide, "Understand response headers policies", "CORS headers", and "Use managed response
//! headers policies" (which headers only a preflight gets); CloudFront API Reference, "ResponseHeadersPolicyCorsConfig".
//!
//! They leave some cases open. What is refused then: an item twice, `ALL` beside other methods, and several wildcards in
//! one name. That AWS refuses lists without items, `ALL` as an origin, and wildcards in origins and headers with
//! credentials is known from reports, as is its message for the last.

use std::collections::BTreeSet;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::super::error::{CloudFrontError, RefusalCode};
use super::origin;
use crate::xml::XmlElement;

/// The headers that a policy can add.
const CORS_HEADERS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// What `ALL` includes, in the order of the guide.
const ALL_METHODS: [&str; 7] = ["GET", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The texts of a list.
fn texts<'a>(cors: &'a XmlElement, list: &str) -> Vec<&'a str> {
    cors.items_at(&[list]).iter().map(XmlElement::content).collect()
}

fn is_true(cors: &XmlElement, member: &str) -> bool {
    cors.text_at(&[member]) == Some("true")
}

/// Checks the CORS headers of a policy.
pub(super) fn check(config: &XmlElement) -> Result<(), CloudFrontError> {
    let Some(cors) = config.at(&["CorsConfig"]) else { return Ok(()) };
    let refuse = |message: String| Err(CloudFrontError::refused(RefusalCode::InvalidArgument, message));
    for (list, header, may_be_empty) in [
        ("AccessControlAllowOrigins", "Access-Control-Allow-Origin", false),
        ("AccessControlAllowHeaders", "Access-Control-Allow-Headers", false),
        ("AccessControlAllowMethods", "Access-Control-Allow-Methods", false),
        ("AccessControlExposeHeaders", "Access-Control-Expose-Headers", true),
    ] {
        let items = texts(cors, list);
        if items.is_empty() && !may_be_empty {
            return refuse(format!("The parameter {header} needs at least one value."));
        }
        let is_valid = |item: &str| match list {
            "AccessControlAllowOrigins" => origin::is_pattern(item) && item != "ALL",
            "AccessControlAllowHeaders" => item == "*" || is_name(&item.replacen('*', "x", 1)),
            "AccessControlExposeHeaders" => item == "*" || is_name(item),
            _ => true,
        };
        let mut known = BTreeSet::new();
        for item in &items {
            if !is_valid(item) {
                return refuse(format!("The parameter {header} contains the invalid value `{item}`."));
            }
            if !known.insert(item.to_ascii_lowercase()) {
                return refuse(format!("The parameter {header} contains `{item}` twice."));
            }
        }
        let has_wildcard = match list {
            "AccessControlAllowOrigins" => items.contains(&"*"),
            "AccessControlAllowHeaders" => items.iter().any(|item| item.contains('*')),
            _ => false,
        };
        if has_wildcard && is_true(cors, "AccessControlAllowCredentials") {
            return refuse(format!("The parameter {header} cannot contain * when allowCredentials is true."));
        }
        if list == "AccessControlAllowMethods" && items.contains(&"ALL") && items.len() > 1 {
            return refuse(format!("The parameter {header} cannot contain ALL and other methods."));
        }
    }
    let max_age = cors.text_at(&["AccessControlMaxAgeSec"]).map(|text| text.trim().parse::<i32>());
    if max_age.is_some_and(|seconds| !seconds.is_ok_and(|seconds| seconds >= 0)) {
        return refuse(format!("The parameter Access-Control-Max-Age must be from 0 to {}.", i32::MAX));
    }
    Ok(())
}

/// Whether this is the name of a header, without a wildcard. The syntax of HTTP allows `*` in names.
fn is_name(text: &str) -> bool {
    HeaderName::try_from(text).is_ok() && !text.contains('*')
}

/// Adds the headers to the response to a CORS request, which has an `Origin` that the policy allows.
///
/// The guide names no `Vary` header, so none is added.
pub(super) fn apply(config: &XmlElement, method: &Method, viewer: &HeaderMap, headers: &mut HeaderMap) {
    let Some(cors) = config.at(&["CorsConfig"]) else { return };
    let text = |name: HeaderName| viewer.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(ORIGIN) else { return };
    let origins = texts(cors, "AccessControlAllowOrigins");
    let allowed = if origins.contains(&"*") {
        "*"
    } else if origins.iter().any(|pattern| origin::allows(pattern, origin)) {
        origin
    } else {
        return;
    };
    // The guide leaves open whether the other headers of the policy are added if the origin sent one of them. None is:
    // headers of two sources could allow more than either.
    let overrides = is_true(cors, "OriginOverride");
    if !overrides && CORS_HEADERS.iter().any(|name| headers.contains_key(name)) {
        return;
    }
    let mut add = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    };
    add(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if is_true(cors, "AccessControlAllowCredentials") {
        add(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    add(ACCESS_CONTROL_EXPOSE_HEADERS, &texts(cors, "AccessControlExposeHeaders").join(", "));
    if *method == Method::OPTIONS && viewer.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        let methods = texts(cors, "AccessControlAllowMethods");
        let methods = if methods.contains(&"ALL") { ALL_METHODS.to_vec() } else { methods };
        add(ACCESS_CONTROL_ALLOW_METHODS, &methods.join(", "));
        let requested = text(ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let names = allowed_headers(&texts(cors, "AccessControlAllowHeaders"), requested);
        add(ACCESS_CONTROL_ALLOW_HEADERS, &names.join(", "));
        add(ACCESS_CONTROL_MAX_AGE, cors.text_at(&["AccessControlMaxAgeSec"]).unwrap_or_default().trim());
    }
}

/// The names for `Access-Control-Allow-Headers`. A browser understands only `*` alone, so a name with a wildcard stands
/// for the requested names that it covers. `Authorization` is never covered.
fn allowed_headers<'a>(allowed: &[&'a str], requested: &'a str) -> Vec<&'a str> {
    let requested =
        || requested.split(',').map(str::trim).filter(|name| !name.eq_ignore_ascii_case(AUTHORIZATION.as_str()));
    let mut names = Vec::new();
    for allowed in allowed {
        match allowed.split_once('*') {
            Some((start, end)) if *allowed != "*" => {
                let (start, end) = (start.to_ascii_lowercase(), end.to_ascii_lowercase());
                names.extend(requested().filter(|name| {
                    let lower = name.to_ascii_lowercase();
                    lower.strip_prefix(&start).is_some_and(|rest| rest.ends_with(&end))
                }));
            }
            _ => names.push(*allowed),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_in_a_name_stands_for_requested_names() {
        for (allowed, requested, expected) in [
            (&["x-a", "x-b"][..], "", "x-a,x-b"),
            (&["*"], "x-a", "*"),
            (&["x-amz-*"], "x-amz-test, X-Amz-, x-amz, x-other", "x-amz-test,X-Amz-"),
            (&["x-*-amz"], "x-test-amz,x--amz,x-amz", "x-test-amz,x--amz"),
            (&["x-a", "auth*"], "Authorization, authority", "x-a,authority"),
            (&["authorization", "x-*"], "x-c", "authorization,x-c"),
        ] {
            assert_eq!(allowed_headers(allowed, requested).join(","), expected, "{allowed:?} {requested}");
        }
    }
}
