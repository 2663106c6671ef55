//! Arguments of `tidegate credentials` and `tidegate group`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tidegate_core::location::{Bucket, Prefix};
use tidegate_iam::changes::SessionSeconds;
use tidegate_iam::document::Partition;

use super::SyncPolicyArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Create credentials for buckets
    ///
    /// Creates an IAM user with an access key, or temporary credentials with `--duration`.
    #[command(after_help = "\
Examples:
  tidegate credentials create acme-docs --read-only --duration 1h
  tidegate credentials create acme-docs --prefix docs/ --username docs-editor --dry-run
  tidegate credentials create acme-uploads --create-bucket --write-only --format ini")]
    Create(Box<CreateArguments>),
    /// Print the policy that `create` would use, without a request to AWS
    Policy(BucketArguments),
    /// Print the account and identity of the current credentials
    Whoami,
    /// List the IAM users of the account
    ListUsers,
    /// Delete IAM users with their keys and policies
    DeleteUser {
        /// Names of the users
        #[arg(value_name = "USER", required = true)]
        users: Vec<String>,
        /// Show the changes without applying them
        #[arg(long)]
        dry_run: bool,
    },
    /// List the IAM roles of the account
    ListRoles {
        /// Include trust policies and permissions
        #[arg(long)]
        details: bool,
        /// Names of the roles [default: all]
        #[arg(value_name = "ROLE")]
        names: Vec<String>,
    },
    /// Print ACL, policy and public access block of buckets
    DebugBucket {
        /// Names of the buckets
        #[arg(value_name = "BUCKET", required = true)]
        buckets: Vec<Bucket>,
    },
    /// Serve temporary credentials to programs on this machine
    ///
    /// Renews the credentials before they expire. Runs until interrupted.
    Localserver(ServerArguments),
}

/// Buckets, and the access to them.
#[derive(Debug, Args)]
pub(crate) struct BucketArguments {
    /// Names of the buckets
    #[arg(value_name = "BUCKET", required = true)]
    pub(crate) buckets: Vec<Bucket>,
    /// Allow only keys below this prefix, which always ends in `/`
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) prefix: Prefix,
    /// Allow reading only
    #[arg(long, conflicts_with = "write_only")]
    pub(crate) read_only: bool,
    /// Allow writing only
    #[arg(long)]
    pub(crate) write_only: bool,
    /// Use this policy, in which `$!BUCKET_NAME!$` is replaced by each bucket
    ///
    /// A file, JSON, or `-` for standard input.
    #[arg(long, value_name = "FILE|JSON|-", conflicts_with_all = ["read_only", "write_only", "prefix"])]
    pub(crate) policy: Option<String>,
    /// Add a statement to the policy, in which `$!BUCKET_NAME!$` is replaced by each bucket
    #[arg(long, value_name = "JSON")]
    pub(crate) statement: Vec<String>,
    /// AWS partition [default: that of the credentials, or of the region]
    #[arg(long, value_name = "NAME")]
    pub(crate) partition: Option<Partition>,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) access: BucketArguments,
    /// Create temporary credentials with this lifetime, `15m` to `12h`
    #[arg(short, long, value_name = "TIME")]
    pub(crate) duration: Option<SessionSeconds>,
    /// Output format
    #[arg(short, long, value_enum, default_value = "json")]
    pub(crate) format: CredentialsOutput,
    /// Write to a new file that only you can read, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Name of the IAM user, which is created if it does not exist [default: named after its access]
    ///
    /// Repeat it for several users, each with a key of its own.
    #[arg(long, value_name = "NAME", conflicts_with = "duration")]
    pub(crate) username: Vec<String>,
    /// Create buckets that do not exist
    #[arg(short, long)]
    pub(crate) create_bucket: bool,
    /// Region of new buckets
    #[arg(long, value_name = "REGION", requires = "create_bucket")]
    pub(crate) bucket_region: Option<String>,
    /// Make new buckets public: everyone can read their objects
    #[arg(long, requires = "create_bucket")]
    pub(crate) public: bool,
    /// Make new buckets public websites and print their URLs
    #[arg(long, requires = "create_bucket")]
    pub(crate) website: bool,
    /// Permissions boundary of a new user, or `none` [default: S3 only]
    #[arg(long, value_name = "ARN|none", conflicts_with = "duration")]
    pub(crate) user_permissions_boundary: Option<String>,
    /// Print nothing but the credentials
    #[arg(long)]
    pub(crate) silent: bool,
    /// Show the changes and their policy documents without applying them
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CredentialsOutput {
    /// The response of AWS
    Json,
    /// A profile for `~/.aws/credentials`
    Ini,
    /// `export` lines for a shell
    Env,
    /// The format of `credential_process`
    Process,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    #[command(flatten)]
    pub(crate) access: BucketArguments,
    /// Lifetime of each session, `15m` to `12h`
    #[arg(short, long, value_name = "TIME", default_value = "1h")]
    pub(crate) duration: SessionSeconds,
    /// Loopback address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8094")]
    pub(crate) listen: SocketAddr,
    /// Serve every program of this machine, of all its users, without a token
    #[arg(long)]
    pub(crate) without_token: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Create a group that may publish to a prefix, or replace its policy
    Create {
        /// Name of the group
        name: String,
        #[command(flatten)]
        policy: SyncPolicyArguments,
        /// Add this user to the group
        #[arg(long, value_name = "NAME")]
        user: Vec<String>,
        /// Show the changes without applying them
        #[arg(long)]
        dry_run: bool,
    },
    /// Add users to a group
    Add {
        /// Name of the group
        name: String,
        /// Names of the users
        #[arg(value_name = "USER", required = true)]
        users: Vec<String>,
    },
    /// Remove users from a group
    Remove {
        /// Name of the group
        name: String,
        /// Names of the users
        #[arg(value_name = "USER", required = true)]
        users: Vec<String>,
    },
    /// List groups, or the users and policies of one group
    List {
        /// Name of the group
        name: Option<String>,
    },
    /// Delete a group, but not its users
    Delete {
        /// Name of the group
        name: String,
        /// Show the changes without applying them
        #[arg(long)]
        dry_run: bool,
    },
}
