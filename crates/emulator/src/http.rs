//! Addressing: finds the service and the bucket that an HTTP request is for.

use http::{HeaderMap, Uri, header};

/// The name of the service that a request is for, such as `iam`: the one in the credential scope of its signature, or
/// the first label of its host. S3 answers requests for every other name.
#[must_use]
pub fn service_name<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …
    // AWS4-ECDSA-P256-SHA256 Credential=KEY/DATE/SERVICE/aws4_request, …
    let signed_for = text(header::AUTHORIZATION)
        .and_then(|value| value.split_once("Credential="))
        .and_then(|(_, scope)| scope.split_once("/aws4_request"))
        .and_then(|(scope, _)| scope.rsplit('/').next());
    let host = text(header::HOST).or_else(|| uri.host()).unwrap_or_default();
    signed_for.unwrap_or_else(|| match host.split_once('.') {
        // The first label is the account.
        Some((_, rest)) if rest.starts_with("cloudfront-kvs.") => "cloudfront-keyvaluestore",
        Some((label, _)) => label,
        None => "",
    })
}

/// The bucket in a host such as `bucket.s3.localhost:9000` or `a.b.s3.eu-west-1.amazonaws.com`.
#[must_use]
pub fn bucket_of_host(host: &str) -> Option<&str> {
    // The last occurrence: a bucket name may contain ".s3." itself.
    host.rsplit_once(".s3.").map(|(bucket, _)| bucket).filter(|bucket| !bucket.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bucket_in_a_host() {
        assert_eq!(bucket_of_host("acme.s3.localhost:9000"), Some("acme"));
        assert_eq!(bucket_of_host("docs.acme.com.s3.eu-west-1.amazonaws.com"), Some("docs.acme.com"));
        assert_eq!(bucket_of_host("s3.us-east-1.amazonaws.com"), None);
        assert_eq!(bucket_of_host("127.0.0.1:9000"), None);
        assert_eq!(bucket_of_host("localhost"), None);
    }

    #[test]
    fn finds_the_service_by_signature_then_by_host() {
        let service = |uri: &str, authorization: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(authorization) = authorization {
                headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
            }
            service_name(&uri.parse().unwrap(), &headers).to_owned()
        };
        let signed = |service: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
            )
        };
        assert_eq!(service("http://127.0.0.1:9000/", Some(&signed("sts"))), "sts");
        assert_eq!(service("http://127.0.0.1:9000/2020-05-31/", Some(&signed("cloudfront"))), "cloudfront");
        let global =
            "AWS4-ECDSA-P256-SHA256 Credential=AKID/20260101/cloudfront-keyvaluestore/aws4_request, Signature=0";
        assert_eq!(service("http://127.0.0.1:9000/", Some(global)), "cloudfront-keyvaluestore");
        let host = "https://000000000000.cloudfront-kvs.global.api.aws/";
        assert_eq!(service(host, None), "cloudfront-keyvaluestore");
        assert_eq!(service("https://sts.amazonaws.com/", Some(&signed("s3"))), "s3");
        assert_eq!(service("https://sts.us-east-1.amazonaws.com/", None), "sts");
        // No service has this name, so S3 answers.
        assert_eq!(service("https://bucket.s3.amazonaws.com/", None), "bucket");
        for name in ["iam", "secretsmanager", "ssm"] {
            assert_eq!(service("http://127.0.0.1:9000/", Some(&signed(name))), name);
            assert_eq!(service(&format!("https://{name}.us-east-1.amazonaws.com/"), None), name);
        }
    }
}
