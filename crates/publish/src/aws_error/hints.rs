//! Hints: what to do about a failed AWS call if AWS's own message does not say it.

/// What to do if no provider has credentials.
pub const NO_CREDENTIALS: &str = "no AWS credentials; set `AWS_PROFILE` or use `--profile`, sign in with `aws login` or `aws sso login`, or use `--local DIR` to work without an account";

/// A failed call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FailedCall<'a> {
    /// The API call.
    pub(crate) call: &'a str,
    /// AWS's error code. The response to a HEAD has none.
    pub(crate) code: Option<&'a str>,
    /// The HTTP status, if the whole call failed and not only one of its keys.
    pub(crate) status: Option<u16>,
    /// AWS's message.
    pub(crate) message: &'a str,
    /// The bucket's region, from the header `x-amz-bucket-region`. S3 sends it with the response to a HEAD as well.
    pub(crate) region: Option<&'a str>,
}

impl FailedCall<'_> {
    /// What a person can do, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        self.region_hint()
            .or_else(|| self.session_policy_hint())
            .or_else(|| self.acl_hint())
            .or_else(|| self.encryption_hint())
            .or_else(|| self.permission_hint())
    }

    /// Source: Amazon S3 API reference, "Error responses": `PermanentRedirect`, `AuthorizationHeaderMalformed`.
    fn region_hint(&self) -> Option<String> {
        let is_redirect = matches!(self.status, Some(301 | 307))
            || matches!(
                self.code,
                Some(
                    "PermanentRedirect"
                        | "TemporaryRedirect"
                        | "AuthorizationHeaderMalformed"
                        | "IllegalLocationConstraintException"
                )
            )
            || (self.status == Some(400) && self.code.is_none() && self.region.is_some());
        if !is_redirect {
            return None;
        }
        // Without the header, the message quotes the region.
        let quoted = || self.message.split("expecting '").nth(1)?.split('\'').next();
        Some(match self.region.or_else(quoted) {
            Some(region) => format!(
                "the bucket is in the region `{region}`: set `AWS_REGION={region}`, or the region of the profile"
            ),
            None => "the bucket is in another region: set `AWS_REGION`, or the region of the profile".to_owned(),
        })
    }

    /// STS limits the packed size of session policies. Source: STS API reference, `AssumeRole`, "Errors"; in the query
    /// protocol the code lacks `Exception`.
    fn session_policy_hint(&self) -> Option<String> {
        let hint = "shorten the prefixes of `target`, `staged` and `state`, name fewer distributions, or give the \
                    caller's session fewer tags";
        self.code.is_some_and(|code| code.starts_with("PackedPolicyTooLarge")).then(|| hint.to_owned())
    }

    /// Source: Amazon S3 user guide, "Controlling ownership of objects and disabling ACLs for your bucket".
    fn acl_hint(&self) -> Option<String> {
        let hint = "remove `objects.acl` or `--acl`";
        (self.code == Some("AccessControlListNotSupported")).then(|| hint.to_owned())
    }

    /// Source: Amazon S3 user guide, "Using server-side encryption with AWS KMS keys"; AWS KMS API reference, "Common
    /// errors", which S3 returns with the prefix `KMS.`.
    fn encryption_hint(&self) -> Option<String> {
        if self.code.is_some_and(|code| code.starts_with("KMS.")) {
            let hint = "enable or restore the KMS key, or set another key for the bucket or in `objects.kms-key`";
            return Some(hint.to_owned());
        }
        let hint = "allow `kms:GenerateDataKey` and `kms:Decrypt` on the key, also in the key's own policy if the key \
                    is in another account";
        (self.code == Some("AccessDenied") && self.message.contains("kms:")).then(|| hint.to_owned())
    }

    /// The missing permission. AWS names it in `… is not authorized to perform: …`, except in the response to a HEAD
    /// and except on some other servers.
    fn permission_hint(&self) -> Option<String> {
        let denied = match self.code {
            Some(code) => matches!(code, "AccessDenied" | "Forbidden" | "403"),
            None => self.status == Some(403),
        };
        if !denied || self.message.contains("not authorized to perform") {
            return None;
        }
        let hint = match self.call {
            "ListObjectsV2" => "allow `s3:ListBucket` on the bucket, for the prefix if the policy restricts it",
            "HeadObject" | "GetObject" => {
                "allow `s3:GetObject` on the object, and `s3:ListBucket` on the bucket: without the latter, S3 also \
                 denies access to an object that does not exist"
            }
            "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
                "allow `s3:PutObject` on the object, and `s3:PutObjectAcl` if `objects.acl` is set"
            }
            "CopyObject" | "UploadPartCopy" => {
                "allow `s3:PutObject` and `s3:PutObjectTagging` on the object, and `s3:GetObject` and \
                 `s3:GetObjectTagging` on the copied object"
            }
            "GetObjectAcl" => "allow `s3:GetObjectAcl` on the object, or remove `--acl`",
            "GetObjectTagging" => "allow `s3:GetObjectTagging` on the object",
            "DeleteObject" | "DeleteObjects" => {
                "allow `s3:DeleteObject` and `s3:GetObject` on the object (a delete is conditional on the ETag that \
                 the plan saw), or set `delete = false`"
            }
            "AssumeRole" => "allow `sts:AssumeRole` on the role, and name the caller in the role's trust policy",
            "GetDistributionConfig" => "allow `cloudfront:GetDistributionConfig` on the distribution",
            "CreateInvalidation" => "allow `cloudfront:CreateInvalidation` on the distribution",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// AWS's message, followed by the hint.
pub(crate) fn with_hint(why: &str, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{}; {hint}", why.trim_end_matches('.')),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed<'a>(call: &'a str, code: Option<&'a str>, status: u16, message: &'a str) -> FailedCall<'a> {
        FailedCall { call, code, status: Some(status), message, region: None }
    }

    fn hint(failed: FailedCall<'_>) -> String {
        failed.hint().unwrap_or_default()
    }

    #[test]
    fn takes_the_region_from_the_header_or_the_message() {
        let redirected = failed("HeadObject", None, 301, "HTTP status 301");
        assert!(hint(FailedCall { region: Some("eu-west-1"), ..redirected }).contains("`AWS_REGION=eu-west-1`"));
        assert!(hint(redirected).contains("another region"));
        let message = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'";
        let malformed = failed("PutObject", Some("AuthorizationHeaderMalformed"), 400, message);
        assert!(hint(malformed).contains("`eu-west-1`"));
        // S3 sends the header with every response, so only a redirect is about the region.
        let denied = failed("PutObject", Some("AccessDenied"), 403, "Access Denied");
        assert!(!hint(FailedCall { region: Some("eu-west-1"), ..denied }).contains("region"));
    }

    #[test]
    fn names_the_permission_only_if_aws_does_not() {
        let bare = failed("HeadObject", None, 403, "HTTP status 403");
        assert!(hint(bare).contains("`s3:ListBucket`") && hint(bare).contains("does not exist"));
        let named = "User: arn:aws:iam::1:user/a is not authorized to perform: s3:PutObject on resource: \"x\"";
        assert_eq!(failed("PutObject", Some("AccessDenied"), 403, named).hint(), None);
        let key = "User: arn:aws:iam::1:user/a is not authorized to perform: kms:GenerateDataKey on this resource";
        assert!(hint(failed("PutObject", Some("AccessDenied"), 403, key)).contains("`kms:Decrypt`"));
        assert_eq!(failed("PutObject", Some("SignatureDoesNotMatch"), 403, "no").hint(), None);
        assert_eq!(failed("PutObject", Some("SlowDown"), 503, "no").hint(), None);
    }

    #[test]
    fn puts_the_hint_behind_the_message() {
        assert_eq!(
            with_hint("AccessDenied: Access Denied.", Some("do it".to_owned())),
            "AccessDenied: Access Denied; do it"
        );
        assert_eq!(with_hint("SlowDown: slow.", None), "SlowDown: slow.");
    }
}
