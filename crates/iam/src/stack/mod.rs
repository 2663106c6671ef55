//! What an account needs so that sites publish themselves: one printable value, made from the configuration, from which
//! templates are written and an installation is made.
//!
//! Owns which resources these are, how they are named and what each is for. What a role may do is `grant`'s to say. Never asks
//! AWS, and never changes anything.

mod alarm;
mod cloudformation;
mod form;
pub mod install;
mod role;
mod terraform;
mod upload;

use serde::Serialize;
use tidegate_core::config::{Config, FunctionConfig, RoleArn, SiteName};

use crate::document::{PolicyDocumentError, PolicyLimit, PseudoParameter};
use crate::policies;

pub use alarm::Alarm;
pub use form::TemplateFormat;
pub use role::{RolePolicy, StackRole};
pub use upload::{KeyPattern, UploadTrigger};

/// The tag by which what `install` made is known again. Its value is the function's name.
pub const TAG: &str = "tidegate";

/// The tag of what a template makes: `install` and `uninstall` must not take it for their own.
pub const TEMPLATE_TAG: &str = "tidegate-template";

/// What the function runs in: it brings its own program. Source: AWS Lambda developer guide, "Lambda runtimes".
pub const RUNTIME: &str = "provided.al2023";

/// The program's name in the package, which is all that a handler is here.
pub const HANDLER: &str = "bootstrap";

/// Most notifications of one bucket, as a bound for one function's uploads to one. Source: Amazon S3 user guide, "Amazon S3 event
/// notifications", quotas.
pub const MAX_NOTIFICATIONS: usize = 100;

/// How long a dead letter is kept, in seconds: 14 days, the longest. Source: SQS API reference, `SetQueueAttributes`.
pub const DEAD_LETTER_SECONDS: u32 = 1_209_600;

/// Where it is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountRegion {
    /// The account's 12 digits, or what fills them in.
    account: String,
    /// The region, or what fills it in.
    region: String,
    /// The account's digits as far as they are known.
    home: Option<String>,
}

impl AccountRegion {
    /// An account that is known.
    #[must_use]
    pub fn known(account: &str, region: &str) -> Self {
        Self { account: account.to_owned(), region: region.to_owned(), home: Some(account.to_owned()) }
    }

    /// Wherever a template is deployed. `home` is the account that it is for, where somebody said so: it decides whose roles
    /// are made.
    #[must_use]
    pub fn open(home: Option<&str>) -> Self {
        Self {
            account: PseudoParameter::Account.text(),
            region: PseudoParameter::Region.text(),
            home: home.map(str::to_owned),
        }
    }

    /// The account's 12 digits, or what fills them in.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The region, or what fills it in.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }
}

/// Who makes the roles that publish the sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publishers {
    /// They come with everything else.
    Made,
    /// Somebody made them already.
    Kept,
}

/// Everything that an account needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stack {
    /// Where.
    pub place: AccountRegion,
    /// The partition of AWS.
    pub partition: crate::document::Partition,
    /// The function.
    pub function: FunctionConfig,
    /// The role that it runs as.
    pub execution_role: StackRole,
    /// The roles that publish sites.
    pub publishers: Vec<StackRole>,
    /// Names of all roles that the configuration needs in this account, made here or not.
    pub named: Vec<String>,
    /// Roles of other accounts, which have to be made there.
    pub elsewhere: Vec<(SiteName, RoleArn)>,
    /// The queue of events that failed for good.
    pub dead_letters: String,
    /// The function's log.
    pub log_group: String,
    /// Uploads that publish.
    pub uploads: Vec<UploadTrigger>,
    /// Whether the function has a URL: webhooks come by it.
    pub url: bool,
    /// What somebody should look at.
    pub alarms: Vec<Alarm>,
}

/// Why nothing can be installed for a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// Nobody can tell which account the function is in.
    #[error(
        "the roles of the sites are in the accounts {0}, say with `--account` in which of them the function is; the others' roles are made there, see `tidegate policy site`"
    )]
    Accounts(String),
    /// A role with more than IAM takes.
    #[error(
        "the policies of the role `{role}` have {length} characters, IAM takes {most}: split the configuration into several, each with a `[function]` name of its own"
    )]
    TooLong {
        /// The role.
        role: String,
        /// Characters, white space left out.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// A bucket with more notifications than S3 takes.
    #[error("{count} kinds of uploads would be watched in the bucket `{bucket}`, S3 takes {most}: use several buckets")]
    TooMany {
        /// The bucket.
        bucket: tidegate_core::location::Bucket,
        /// How many.
        count: usize,
        /// The limit.
        most: usize,
    },
    /// A document that cannot be written.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
}

impl Stack {
    /// What the configuration needs.
    ///
    /// # Errors
    /// [`StackError`].
    pub fn new(config: &Config, place: &AccountRegion, publishers: Publishers) -> Result<Self, StackError> {
        let function = config.function.clone();
        let name = function.name.as_str().to_owned();
        let sites: Vec<_> = config.sites.iter().collect();
        let partition = sites.iter().find_map(|site| site.role.as_ref()).map(RoleArn::partition).unwrap_or_default();
        let home = home(config, place)?;
        let standing = role::execution_role(&sites, place, &name);
        let arn = format!("arn:{partition}:iam::{}:role/{}", place.account(), standing.name);
        let (mut made, mut elsewhere) = (Vec::new(), Vec::new());
        let mut named = vec![standing.name.clone()];
        for site in &config.sites {
            let Some(role) = &site.role else { continue };
            named.push(role.role_name().to_owned());
            if publishers == Publishers::Kept {
                continue;
            }
            if home.as_deref().is_some_and(|home| home != role.account()) {
                elsewhere.push((site.name.clone(), role.clone()));
            } else {
                role::publisher(&mut made, site, role, &arn);
            }
        }
        let uploads = upload::uploads(config);
        let found = Self {
            partition,
            dead_letters: policies::dead_letters(&name),
            log_group: format!("/aws/lambda/{name}"),
            url: config.sites.iter().any(|site| !site.webhooks.is_empty()),
            alarms: alarm::alarms(&name),
            place: place.clone(),
            publishers: made,
            named,
            function,
            execution_role: standing,
            elsewhere,
            uploads,
        };
        found.check()?;
        Ok(found)
    }

    /// The ARN of the role that the function runs as.
    #[must_use]
    pub fn execution_role_arn(&self) -> String {
        format!("arn:{}:iam::{}:role/{}", self.partition, self.place.account(), self.execution_role.name)
    }

    /// The function's ARN.
    #[must_use]
    pub fn function_arn(&self) -> String {
        self.arn("lambda", &format!("function:{}", self.function.name))
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.place.region(), self.place.account())
    }

    fn check(&self) -> Result<(), StackError> {
        for role in [&self.execution_role].into_iter().chain(&self.publishers) {
            let mut length = 0;
            for policy in &role.policies {
                length += PolicyLimit::Role.length(&policy.document.compact()?);
            }
            let most = PolicyLimit::Role.characters();
            if length > most {
                return Err(StackError::TooLong { role: role.name.clone(), length, most });
            }
        }
        for upload in &self.uploads {
            let same = self.uploads.iter().filter(|other| other.bucket == upload.bucket);
            let count = same.map(|upload| upload.patterns().len()).sum();
            if count > MAX_NOTIFICATIONS {
                let bucket = upload.bucket.clone();
                return Err(StackError::TooMany { bucket, count, most: MAX_NOTIFICATIONS });
            }
        }
        Ok(())
    }
}

/// The account that the function is in: as it was said, or the one that all roles are in.
fn home(config: &Config, place: &AccountRegion) -> Result<Option<String>, StackError> {
    if place.home.is_some() {
        return Ok(place.home.clone());
    }
    let mut accounts: Vec<&str> =
        config.sites.iter().filter_map(|site| site.role.as_ref()).map(RoleArn::account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    match accounts.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).to_owned())),
        many => Err(StackError::Accounts(many.join(", "))),
    }
}
