//! `tidegate credentials …` and `tidegate group …`.

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};
use tidegate_core::config::DistributionId;
use tidegate_core::location::{Bucket, Prefix};
use tidegate_iam::changes::SessionSeconds;
use tidegate_iam::document::Partition;

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Makes credentials for buckets: a session with `--duration`, else a user with a key.
    Create(Box<CreateArguments>),
    /// Prints the policy that `create` would give, and asks AWS nothing.
    Policy(BucketArguments),
    /// Tells who the caller is.
    Whoami,
    /// Lists the account's users.
    ListUsers,
    /// Deletes users with their keys and policies.
    DeleteUser {
        /// Their names.
        #[arg(required = true)]
        users: Vec<String>,
        /// Shows what would be done and does nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Lists the account's roles.
    ListRoles {
        /// With who may assume them, and their policies.
        #[arg(long)]
        details: bool,
        /// Only these.
        names: Vec<String>,
    },
    /// Tells what decides who can see buckets: ACL, policy, public access block.
    DebugBucket {
        /// The buckets.
        #[arg(required = true)]
        buckets: Vec<Bucket>,
    },
    /// Serves temporary credentials to programs of this machine, always with time left.
    Localserver(ServerArguments),
}

/// Which buckets, and what may be done in them.
#[derive(Debug, Args)]
pub(crate) struct BucketArguments {
    /// The buckets.
    #[arg(required = true)]
    pub(crate) buckets: Vec<Bucket>,
    /// Only keys below this prefix, which ends in `/` whatever is written.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) prefix: Prefix,
    /// They may read.
    #[arg(long, conflicts_with = "write_only")]
    pub(crate) read_only: bool,
    /// They may write, and not read what they wrote.
    #[arg(long)]
    pub(crate) write_only: bool,
    /// A policy of your own instead: a file, JSON, or `-` for standard input; `$!BUCKET_NAME!$` stands for each bucket.
    #[arg(long, value_name = "FILE|JSON|-", conflicts_with_all = ["read_only", "write_only", "prefix"])]
    pub(crate) policy: Option<String>,
    /// A statement more, as JSON.
    #[arg(long, value_name = "JSON")]
    pub(crate) statement: Vec<String>,
    /// The partition of AWS.
    #[arg(long, value_name = "NAME", default_value = "aws")]
    pub(crate) partition: Partition,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) what: BucketArguments,
    /// Temporary ones, that last so long: `15m` to `12h`.
    #[arg(short, long, value_name = "TIME")]
    pub(crate) duration: Option<SessionSeconds>,
    /// How they are printed.
    #[arg(short, long, value_enum, default_value = "json")]
    pub(crate) format: CredentialsOutput,
    /// Writes them to a new file that only you can read, and not to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<std::path::PathBuf>,
    /// The user; made if there is none. Named after what it may do where absent.
    #[arg(long, value_name = "NAME", conflicts_with = "duration")]
    pub(crate) username: Option<String>,
    /// Makes buckets that do not exist.
    #[arg(short, long)]
    pub(crate) create_bucket: bool,
    /// Where buckets are made.
    #[arg(long, value_name = "REGION", requires = "create_bucket")]
    pub(crate) bucket_region: Option<String>,
    /// Makes new buckets public: whoever knows an object's name can read it.
    #[arg(long, requires = "create_bucket")]
    pub(crate) public: bool,
    /// Makes new buckets websites, and so public; prints their addresses.
    #[arg(long, requires = "create_bucket")]
    pub(crate) website: bool,
    /// The managed policy that bounds a new user, or `none`; S3 alone where absent.
    #[arg(long, value_name = "ARN|none", conflicts_with = "duration")]
    pub(crate) user_permissions_boundary: Option<String>,
    /// Prints the credentials and nothing else.
    #[arg(long)]
    pub(crate) silent: bool,
    /// Shows every change with its documents and makes none.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CredentialsOutput {
    /// As AWS answers them.
    Json,
    /// A profile of `~/.aws/credentials`.
    Ini,
    /// `export` lines for a shell.
    Env,
    /// For `credential_process`.
    Process,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    #[command(flatten)]
    pub(crate) what: BucketArguments,
    /// How long each session lasts: `15m` to `12h`.
    #[arg(short, long, value_name = "TIME", default_value = "1h")]
    pub(crate) duration: SessionSeconds,
    /// Where it listens; only this machine's own addresses.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8094")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Makes a group that may publish to a bucket, or gives one another policy.
    Create {
        /// Its name.
        name: String,
        #[command(flatten)]
        what: super::SyncPolicyArguments,
        /// A user that joins it.
        #[arg(long, value_name = "NAME")]
        user: Vec<String>,
        /// Shows what would be done and does nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Adds users to a group.
    Add {
        /// The group.
        name: String,
        /// The users.
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// Removes users from a group.
    Remove {
        /// The group.
        name: String,
        /// The users.
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// Lists groups, or the users and policies of one.
    List {
        /// The group.
        name: Option<String>,
    },
    /// Deletes a group; its users stay.
    Delete {
        /// The group.
        name: String,
        /// Shows what would be done and does nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// A distribution, as an option takes it.
pub(super) fn distribution(text: &str) -> Result<DistributionId, String> {
    DistributionId::try_from(text.to_owned()).map_err(|error| error.to_string())
}
