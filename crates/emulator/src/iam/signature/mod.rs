//! Verifies Signature Version 4 in the `Authorization` header for all services except S3, whose own variants the `s3s`
//! crate verifies. `asymmetric` verifies its variant for several regions, Signature Version 4A.
//!
//! Source: IAM User Guide, "Create a signed AWS API request". Source of codes and messages: "Common Errors" of the
//! services' API references.

mod asymmetric;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Request};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::caller::Caller;
use super::service::{IamService, TokenError};

/// Largest difference between the time of a signature and the machine's, in seconds. Source: as above, "requests
/// expire".
const SKEW: i64 = 15 * 60;

/// Percent-encoding of Signature Version 4, which leaves RFC 3986's unreserved characters unencoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a request is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// There is no `Authorization` header.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// The `Authorization` header is incomplete.
    #[error("{0}")]
    Incomplete(String),
    /// The access key does not exist, or the token is not its own.
    #[error("The security token included in the request is invalid.")]
    InvalidClientTokenId,
    /// The temporary credentials have expired.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The request is signed for another day, region or service.
    #[error("{0}")]
    Scope(String),
    /// The request was signed too long ago, or in the future.
    #[error("{0}")]
    Skewed(String),
    /// The signature was made with another secret, or for another request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

impl SignatureError {
    /// AWS's code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationToken",
            Self::Incomplete(_) => "IncompleteSignature",
            Self::InvalidClientTokenId => "InvalidClientTokenId",
            Self::ExpiredToken => "ExpiredToken",
            Self::Scope(_) | Self::Skewed(_) | Self::Mismatch => "SignatureDoesNotMatch",
        }
    }

    /// The HTTP status of the code.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::Incomplete(_) => http::StatusCode::BAD_REQUEST,
            _ => http::StatusCode::FORBIDDEN,
        }
    }
}

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignatureAlgorithm {
    /// Signature Version 4, with a key for one region.
    Hmac,
    /// Signature Version 4A, with a key for all regions.
    Ecdsa,
}

impl SignatureAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Hmac => "AWS4-HMAC-SHA256",
            Self::Ecdsa => "AWS4-ECDSA-P256-SHA256",
        }
    }
}

/// What requests must be signed for.
#[derive(Debug, Clone, Copy)]
pub struct CredentialScope {
    /// The service's name in the credential scope, such as `sts`.
    pub service: &'static str,
    /// The only region that the service accepts; `None` for any region.
    pub region: Option<&'static str>,
}

/// The parts of an `Authorization` header.
struct Authorization<'a> {
    access_key_id: &'a str,
    date: &'a str,
    /// Empty with [`SignatureAlgorithm::Ecdsa`].
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// Verifies a request and returns its caller.
///
/// # Errors
/// The request has no valid and recent signature of its access key for this service.
pub fn verify(iam: &IamService, request: &Request<Bytes>, scope: CredentialScope) -> Result<Caller, SignatureError> {
    verify_with(iam, request, SignatureAlgorithm::Hmac, scope)
}

/// Verifies a request that must be signed for all regions, with Signature Version 4A.
///
/// # Errors
/// As [`verify`].
pub fn verify_asymmetric(
    iam: &IamService,
    request: &Request<Bytes>,
    service: &'static str,
) -> Result<Caller, SignatureError> {
    verify_with(iam, request, SignatureAlgorithm::Ecdsa, CredentialScope { service, region: None })
}

fn verify_with(
    iam: &IamService,
    request: &Request<Bytes>,
    algorithm: SignatureAlgorithm,
    scope: CredentialScope,
) -> Result<Caller, SignatureError> {
    let headers = request.headers();
    let authorization = header(headers, "authorization").ok_or(SignatureError::Missing)?;
    let authorization = parse(authorization, algorithm)?;
    let time = header(headers, "x-amz-date").ok_or_else(|| {
        SignatureError::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned(),
        )
    })?;
    let signed: Vec<&str> = authorization.signed_headers.split(';').collect();
    let token = header(headers, "x-amz-security-token");
    let regions = (algorithm == SignatureAlgorithm::Ecdsa).then_some(asymmetric::REGIONS);
    let required = ["host", "x-amz-date"].into_iter().chain(token.map(|_| "x-amz-security-token")).chain(regions);
    for required in required {
        if !signed.contains(&required) {
            return Err(SignatureError::Incomplete(format!(
                "'{required}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
    }
    check_scope(&authorization, time, scope)?;
    if algorithm == SignatureAlgorithm::Ecdsa {
        asymmetric::check_regions(header(headers, asymmetric::REGIONS).unwrap_or_default())?;
    }
    let lookup = iam.secret_key(authorization.access_key_id).ok_or(SignatureError::InvalidClientTokenId)?;
    let caller = iam.caller(authorization.access_key_id).ok_or(SignatureError::InvalidClientTokenId)?;

    let canonical = canonical_request(request, authorization.signed_headers);
    let parts = [authorization.date, authorization.region, authorization.service, "aws4_request"];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let digest = hex::encode(Sha256::digest(canonical));
    let text = format!("{}\n{time}\n{}\n{digest}", algorithm.name(), parts.join("/"));
    let presented = hex::decode(authorization.signature).map_err(|_| SignatureError::Mismatch)?;
    let matches = match algorithm {
        SignatureAlgorithm::Hmac => {
            let parts: Vec<&str> = parts.into_iter().chain([text.as_str()]).collect();
            signature_matches(&lookup.secret, &parts, &presented)
        }
        SignatureAlgorithm::Ecdsa => {
            asymmetric::signature_matches(authorization.access_key_id, &lookup.secret, &text, &presented)
        }
    };
    if !matches {
        return Err(SignatureError::Mismatch);
    }
    lookup.check_token(token).map_err(|error| match error {
        TokenError::Invalid => SignatureError::InvalidClientTokenId,
        TokenError::Expired => SignatureError::ExpiredToken,
    })?;
    Ok(caller)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn parse(header: &str, algorithm: SignatureAlgorithm) -> Result<Authorization<'_>, SignatureError> {
    let incomplete = |what: &str| {
        SignatureError::Incomplete(format!("Authorization header requires '{what}' parameter. Authorization={header}"))
    };
    let parameters = header.strip_prefix(algorithm.name()).and_then(|rest| rest.strip_prefix(' '));
    let parameters = parameters.ok_or_else(|| incomplete(algorithm.name()))?;
    let find = |name: &str| {
        parameters
            .split(',')
            .find_map(|parameter| parameter.trim().strip_prefix(name)?.strip_prefix('='))
            .ok_or_else(|| incomplete(name))
    };
    let credential = find("Credential")?;
    let mut parts = credential.split('/');
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let (access_key_id, date) = (next(), next());
    let region = match algorithm {
        SignatureAlgorithm::Hmac => next(),
        SignatureAlgorithm::Ecdsa => Some(""),
    };
    match (access_key_id, date, region, next(), next(), next()) {
        (Some(access_key_id), Some(date), Some(region), Some(service), Some("aws4_request"), None) => {
            let (signed_headers, signature) = (find("SignedHeaders")?, find("Signature")?);
            Ok(Authorization { access_key_id, date, region, service, signed_headers, signature })
        }
        _ => Err(incomplete("Credential")),
    }
}

fn check_scope(authorization: &Authorization<'_>, time: &str, scope: CredentialScope) -> Result<(), SignatureError> {
    if authorization.service != scope.service {
        return Err(SignatureError::Scope(format!(
            "Credential should be scoped to correct service: '{}'. ",
            scope.service
        )));
    }
    if let Some(region) = scope.region
        && authorization.region != region
    {
        return Err(SignatureError::Scope(format!(
            "Credential should be scoped to a valid region, not '{}'. ",
            authorization.region
        )));
    }
    let signed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time)
        .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| SignatureError::Incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{time}'.")))?
        .timestamp();
    if !time.starts_with(authorization.date) {
        return Err(SignatureError::Scope(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{time}'.",
            authorization.date
        )));
    }
    // The machine's time rather than the account's clock, which signers do not know.
    let age = Timestamp::now().duration_since(signed).as_secs();
    if age > SKEW {
        return Err(SignatureError::Skewed(format!("Signature expired: {time} is more than 15 minutes ago")));
    }
    if age < -SKEW {
        return Err(SignatureError::Skewed(format!("Signature not yet current: {time} is more than 15 minutes ahead")));
    }
    Ok(())
}

fn canonical_request(request: &Request<Bytes>, signed_headers: &str) -> String {
    let path: Vec<String> = normalized(request.uri().path()).iter().map(|segment| encode(segment)).collect();
    let mut query: Vec<(String, String)> = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(&decode(name)), encode(&decode(value))))
        .collect();
    query.sort();
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let headers: String =
        signed_headers.split(';').map(|name| format!("{name}:{}\n", canonical_header(request, name))).collect();
    format!(
        "{}\n/{}\n{}\n{headers}\n{signed_headers}\n{}",
        request.method(),
        path.join("/"),
        query.join("&"),
        hex::encode(Sha256::digest(request.body()))
    )
}

/// The segments of a path without `.`, `..` and empty ones. A path that ends in `/` keeps its last empty segment.
fn normalized(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    if path.ends_with('/') && !segments.is_empty() {
        segments.push("");
    }
    segments
}

fn canonical_header(request: &Request<Bytes>, name: &str) -> String {
    let values: Vec<String> = request
        .headers()
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    if values.is_empty() && name == "host" {
        // In process there may be no `Host` header. A client would derive it from the address.
        return host(request.uri());
    }
    values.join(",")
}

fn host(uri: &http::Uri) -> String {
    let name = uri.host().unwrap_or_default();
    match (uri.scheme_str(), uri.port_u16()) {
        (_, None) | (Some("https"), Some(443)) | (Some("http"), Some(80)) => name.to_owned(),
        (_, Some(port)) => format!("{name}:{port}"),
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The signature is the last of a chain of HMACs, in which the result of each is the key of the next.
fn signature_matches(secret: &str, parts: &[&str], presented: &[u8]) -> bool {
    let mut key = format!("AWS4{secret}").into_bytes();
    let Some((text, scope)) = parts.split_last() else {
        return false;
    };
    for part in scope {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else {
            return false;
        };
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else {
        return false;
    };
    mac.update(text.as_bytes());
    mac.verify_slice(presented).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "get-vanilla" of AWS's test suite for Signature Version 4.
    #[test]
    fn verifies_the_published_example() {
        let request = Request::get("https://example.amazonaws.com/")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .body(Bytes::new())
            .expect("a request");
        let canonical = canonical_request(&request, "host;x-amz-date");
        assert_eq!(
            hex::encode(Sha256::digest(&canonical)),
            "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63"
        );
        let text = format!(
            "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n{}",
            hex::encode(Sha256::digest(&canonical))
        );
        let parts = ["20150830", "us-east-1", "service", "aws4_request", &text];
        let published = hex::decode("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31").expect("hex");
        assert!(signature_matches("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &parts, &published));
        assert!(!signature_matches("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEZ", &parts, &published));
    }

    #[test]
    fn normalizes_paths_and_encodes_them_again() {
        let canonical = |uri: &str| {
            let request = Request::get(uri).header("host", "h").body(Bytes::new()).expect("a request");
            canonical_request(&request, "host").lines().skip(1).take(2).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(canonical("https://h/a//b/./c/../d%20e/"), "/a/b/d%2520e/ ");
        assert_eq!(canonical("https://h"), "/ ");
        assert_eq!(canonical("https://h/?b=2&a=%2F&a=1&c"), "/ a=%2F&a=1&b=2&c=");
    }

    #[test]
    fn derives_a_missing_host_header_from_the_address() {
        for (uri, expected) in [("https://h:443/", "h"), ("http://h:80/", "h"), ("http://h:9000/", "h:9000")] {
            assert_eq!(host(&uri.parse().expect("an address")), expected);
        }
    }
}
