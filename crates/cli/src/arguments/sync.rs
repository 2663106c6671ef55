//! Arguments of `tidegate sync`.

use clap::{Args, ValueEnum};
use tidegate_core::config::AccountId;
use tidegate_core::kms_key::KmsKey;
use tidegate_core::location::{Location, Prefix, Source};

use super::ReadArguments;
use super::header_argument::{HeaderArgument, cache_control, content_encoding, content_type};

#[derive(Debug, Args)]
pub(crate) struct SyncArguments {
    /// Directory, `.zip`, `s3://bucket/prefix/` or `s3://bucket/name.zip`
    pub(crate) source: Source,
    /// Target, `s3://bucket/prefix/`
    pub(crate) target: Location,
    /// Delete objects that are not in the source
    #[arg(long)]
    pub(crate) delete: bool,
    /// Exclude matching files on both sides: neither written nor deleted
    ///
    /// GLOB is a `.gitignore` pattern. `--exclude` and `--include` act in the order in which they are typed; the last one
    /// that matches decides.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Include matching files that an earlier `--exclude` excludes
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Leave out a leading folder of the source, such as the single folder in a zip
    ///
    /// What is outside of the folder is not published. Other options match the names that are left.
    #[arg(long, value_name = "FOLDER/", value_parser = folder)]
    pub(crate) strip_prefix: Option<Prefix>,
    #[command(flatten)]
    pub(crate) reading: ReadArguments,
    /// Set `Cache-Control` of all objects, or of those that match GLOB
    ///
    /// The text before the first `=` is a glob if it contains one of `/ . * ? [ {`.
    #[arg(long, value_name = "[GLOB=]VALUE", value_parser = cache_control)]
    pub(crate) cache_control: Vec<HeaderArgument>,
    /// Set `Content-Type` of all objects, or of those that match GLOB
    #[arg(long, value_name = "[GLOB=]VALUE", value_parser = content_type)]
    pub(crate) content_type: Vec<HeaderArgument>,
    /// Set `Content-Encoding` of all objects, or of those that match GLOB; `none` removes it
    #[arg(long, value_name = "[GLOB=]VALUE", value_parser = content_encoding)]
    pub(crate) content_encoding: Vec<HeaderArgument>,
    /// Use the headers and metadata of staged objects
    ///
    /// For a source `s3://bucket/prefix/`. `keep` needs one request for each of its objects.
    #[arg(long, value_enum, value_name = "MODE", default_value = "keep")]
    pub(crate) staged_headers: StagedHeadersFlag,
    /// Canned ACL of all objects
    ///
    /// Needs one request for each object that would be left unchanged, and the permission s3:GetObjectAcl.
    /// Buckets created since April 2023 reject ACLs by default.
    #[arg(long, conflicts_with = "content_only", value_enum, value_name = "ACL")]
    pub(crate) acl: Option<AclFlag>,
    /// Server-side encryption of all objects [default without a value: AES256]
    #[arg(long, conflicts_with = "content_only", value_enum, value_name = "KIND", num_args = 0..=1, default_missing_value = "AES256")]
    pub(crate) sse: Option<SseFlag>,
    /// KMS key for `--sse aws:kms`: ARN, id or `alias/NAME`
    #[arg(long, value_name = "KEY", requires = "sse")]
    pub(crate) sse_kms_key_id: Option<KmsKey>,
    /// Storage class of all objects
    #[arg(long, conflicts_with = "content_only", value_enum, value_name = "CLASS")]
    pub(crate) storage_class: Option<StorageClassFlag>,
    /// Invalidate this CloudFront distribution, with its origin path if it has one
    #[arg(long, visible_alias = "cdn", value_name = "ID[:/PATH]")]
    pub(crate) distribution: Vec<String>,
    /// Invalidate the CloudFront distributions that read the bucket; finding them needs `cloudfront:ListDistributions`
    #[arg(long, conflicts_with = "distribution")]
    pub(crate) cf_invalidate: bool,
    /// Credentials of the run: the caller's, limited to the plan, or the caller's own
    ///
    /// By default they are limited if they are temporary and STS supports it.
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) credentials: Option<CredentialsFlag>,
    /// Refuse a target bucket that another account owns
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub(crate) expected_bucket_owner: Option<AccountId>,
    /// Refuse a source bucket that another account owns [default: that of `--expected-bucket-owner` if it is the same bucket]
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub(crate) source_bucket_owner: Option<AccountId>,
    /// Show the plan without applying it
    #[arg(long, visible_alias = "dryrun")]
    pub(crate) dry_run: bool,
    /// Allow an empty source
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Compare content only, not headers
    ///
    /// Needs one listing instead of one request for each object.
    #[arg(long)]
    pub(crate) content_only: bool,
    /// Deny a plan that deletes more than COUNT objects [default: half of the site, if that is more than 20]
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_deletes: Option<u64>,
}

/// How the headers of staged objects are used.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StagedHeadersFlag {
    Keep,
    Ignore,
}

/// The credentials of a run.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CredentialsFlag {
    Scoped,
    Caller,
}

fn account(text: &str) -> Result<AccountId, String> {
    AccountId::try_from(text.to_owned()).map_err(|error| error.to_string())
}

/// A folder of the source.
fn folder(text: &str) -> Result<Prefix, String> {
    match Prefix::new(text.strip_prefix("./").unwrap_or(text)) {
        Ok(folder) if !folder.as_str().is_empty() => Ok(folder),
        Ok(_) => Err("name a folder of the source, such as `site/`".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The canned ACLs that make sense for a site.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum AclFlag {
    Private,
    PublicRead,
    AuthenticatedRead,
    AwsExecRead,
    BucketOwnerRead,
    BucketOwnerFullControl,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SseFlag {
    #[value(name = "AES256")]
    Aes256,
    #[value(name = "aws:kms")]
    Kms,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum StorageClassFlag {
    Standard,
    StandardIa,
    OnezoneIa,
    IntelligentTiering,
    ReducedRedundancy,
}
