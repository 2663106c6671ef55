//! What to do about a refusal of AWS whose own words do not say it.
//!
//! Owns the advice, by call and code. Never decides whether anything is tried again.

/// One refusal, as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Denial<'a> {
    /// The API call.
    pub(crate) call: &'a str,
    /// AWS's code; an answer to a HEAD has none.
    pub(crate) code: Option<&'a str>,
    /// The HTTP status, where the refusal is the whole answer and not one key's.
    pub(crate) status: Option<u16>,
    /// AWS's words.
    pub(crate) message: &'a str,
    /// The region that the answer says the bucket is in: S3 tells it in `x-amz-bucket-region`, to a HEAD as well.
    pub(crate) region: Option<&'a str>,
}

impl Denial<'_> {
    /// What a person can do, if that is known.
    pub(crate) fn advice(&self) -> Option<String> {
        self.elsewhere()
            .or_else(|| self.packed())
            .or_else(|| self.acl())
            .or_else(|| self.encryption())
            .or_else(|| self.permission())
    }

    /// Source: Amazon S3 API reference, "Error responses": `PermanentRedirect`, `AuthorizationHeaderMalformed`.
    fn elsewhere(&self) -> Option<String> {
        let elsewhere = matches!(self.status, Some(301 | 307))
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
        // The message has it in quotes where the header is missing.
        let told = || self.message.split("expecting '").nth(1)?.split('\'').next();
        match (elsewhere, self.region.or_else(told)) {
            (false, _) => None,
            (true, Some(region)) => Some(format!(
                "the bucket is in the region `{region}`, set `AWS_REGION={region}` or the profile's region"
            )),
            (true, None) => {
                Some("the bucket is in another region, set `AWS_REGION` or the profile's region to it".to_owned())
            }
        }
    }

    /// STS packs session policies, and its limit for that is its own. Source: STS API reference, `AssumeRole`, "Errors";
    /// the query protocol gives the code without `Exception`.
    fn packed(&self) -> Option<String> {
        let told = "shorten the prefixes of `target`, `staged` and `state`, name fewer distributions, or give the caller's \
                    session fewer tags";
        self.code.is_some_and(|code| code.starts_with("PackedPolicyTooLarge")).then(|| told.to_owned())
    }

    /// Source: Amazon S3 user guide, "Controlling ownership of objects and disabling ACLs for your bucket".
    fn acl(&self) -> Option<String> {
        let told = "its ACLs are disabled (bucket owner enforced), remove `objects.acl` or `--acl`";
        (self.code == Some("AccessControlListNotSupported")).then(|| told.to_owned())
    }

    /// Source: Amazon S3 user guide, "Using server-side encryption with AWS KMS keys"; AWS KMS API reference, "Common
    /// errors", which S3 hands on with the prefix `KMS.`.
    fn encryption(&self) -> Option<String> {
        if self.code.is_some_and(|code| code.starts_with("KMS.")) {
            return Some(
                "enable or restore the KMS key, or give the bucket or `objects.kms-key` another one".to_owned(),
            );
        }
        let about_key = self.message.contains("kms:") || self.message.contains(":kms:");
        let told = "allow `kms:GenerateDataKey` and `kms:Decrypt` on the key, in the key's own policy as well where it is not \
                    in this account";
        (about_key && self.code == Some("AccessDenied")).then(|| told.to_owned())
    }

    /// Which permission is missing, where AWS does not name it: it does in `… is not authorized to perform: …`, which an
    /// answer to a HEAD and some servers lack.
    fn permission(&self) -> Option<String> {
        let denied = match self.code {
            Some(code) => matches!(code, "AccessDenied" | "Forbidden" | "403"),
            None => self.status == Some(403),
        };
        if !denied || self.message.contains("not authorized to perform") {
            return None;
        }
        let told = match self.call {
            "ListObjectsV2" => "allow `s3:ListBucket` on the bucket, with the prefix where the policy has one",
            "HeadObject" | "GetObject" => {
                "allow `s3:GetObject` on it, and `s3:ListBucket` on the bucket: without that, S3 says the same of an object \
                 that does not exist"
            }
            "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
                "allow `s3:PutObject` on it, and `s3:PutObjectAcl` where `objects.acl` is set"
            }
            "CopyObject" | "UploadPartCopy" => {
                "allow `s3:PutObject` and `s3:PutObjectTagging` on it, `s3:GetObject` and `s3:GetObjectTagging` on what is \
                 copied"
            }
            "GetObjectTagging" => "allow `s3:GetObjectTagging` on it",
            "DeleteObject" | "DeleteObjects" => {
                "allow `s3:DeleteObject` and `s3:GetObject` on it, the second because a delete names the ETag that the plan \
                 saw, or set `delete = false`"
            }
            "AssumeRole" => "allow `sts:AssumeRole` on the role, and name the caller in the role's trust policy",
            "GetDistributionConfig" => "allow `cloudfront:GetDistributionConfig` on the distribution",
            "CreateInvalidation" => "allow `cloudfront:CreateInvalidation` on the distribution",
            _ => return None,
        };
        Some(told.to_owned())
    }
}

/// AWS's words with what to do behind them.
pub(crate) fn with_advice(why: &str, advice: Option<String>) -> String {
    match advice {
        Some(advice) => format!("{}; {advice}", why.trim_end_matches('.')),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<'a>(call: &'a str, code: Option<&'a str>, status: u16, message: &'a str) -> Denial<'a> {
        Denial { call, code, status: Some(status), message, region: None }
    }

    fn advice(refusal: Denial<'_>) -> String {
        refusal.advice().unwrap_or_default()
    }

    #[test]
    fn the_region_is_taken_from_the_header_or_from_the_words() {
        let moved = refusal("HeadObject", None, 301, "HTTP status 301");
        assert!(advice(Denial { region: Some("eu-west-1"), ..moved }).contains("`AWS_REGION=eu-west-1`"));
        assert!(advice(moved).contains("another region"));
        let words = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'";
        let malformed = refusal("PutObject", Some("AuthorizationHeaderMalformed"), 400, words);
        assert!(advice(malformed).contains("`eu-west-1`"));
        // Every answer has the header; what is no redirect is not about it.
        let denied = refusal("PutObject", Some("AccessDenied"), 403, "Access Denied");
        assert!(!advice(Denial { region: Some("eu-west-1"), ..denied }).contains("region"));
    }

    #[test]
    fn a_permission_is_named_only_where_aws_does_not() {
        let silent = refusal("HeadObject", None, 403, "HTTP status 403");
        assert!(advice(silent).contains("`s3:ListBucket`") && advice(silent).contains("does not exist"));
        let spoken = "User: arn:aws:iam::1:user/a is not authorized to perform: s3:PutObject on resource: \"x\"";
        assert_eq!(refusal("PutObject", Some("AccessDenied"), 403, spoken).advice(), None);
        let key = "User: arn:aws:iam::1:user/a is not authorized to perform: kms:GenerateDataKey on this resource";
        assert!(advice(refusal("PutObject", Some("AccessDenied"), 403, key)).contains("`kms:Decrypt`"));
        assert_eq!(refusal("PutObject", Some("SignatureDoesNotMatch"), 403, "no").advice(), None);
        assert_eq!(refusal("PutObject", Some("SlowDown"), 503, "no").advice(), None);
    }

    #[test]
    fn advice_follows_the_words() {
        assert_eq!(
            with_advice("AccessDenied: Access Denied.", Some("do it".to_owned())),
            "AccessDenied: Access Denied; do it"
        );
        assert_eq!(with_advice("SlowDown: slow.", None), "SlowDown: slow.");
    }
}
