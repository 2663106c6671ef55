//! The resources of an installation, as one value.

use serde::Serialize;
use tidegate_core::config::{BoundaryArn, Config, FunctionConfig, RoleArn, Site, SiteName};
use tidegate_core::location::Location;

use super::account_region::AccountRegion;
use super::alarm::{Alarm, alarms};
use super::role::{StackRole, add_publisher, execution_role};
use super::state_machine::StateMachine;
use super::upload::{UploadTrigger, upload_triggers};
use crate::document::{Partition, PolicyDocumentError, PolicyLimit};
use crate::policies::dead_letters;

/// Whether the stack includes the roles that publish the sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publishers {
    /// It does.
    Included,
    /// They are created elsewhere.
    Excluded,
}

/// A publisher role of another account, which has to be created there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForeignRole {
    /// The site.
    pub site: SiteName,
    /// The role.
    pub role: RoleArn,
}

/// Everything that an account needs to publish the configured sites.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stack {
    /// The account and region.
    pub place: AccountRegion,
    /// The AWS partition.
    pub partition: Partition,
    /// The function.
    pub function: FunctionConfig,
    /// The function's execution role; not part of the stack where the configuration names an existing one.
    pub execution_role: StackRole,
    /// The state machine that has plans carried out in shards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_machine: Option<StateMachine>,
    /// The roles that publish sites.
    pub publishers: Vec<StackRole>,
    /// Publisher roles of other accounts.
    pub foreign_roles: Vec<ForeignRole>,
    /// Name of the dead-letter queue.
    pub dead_letters: String,
    /// Name of the log group.
    pub log_group: String,
    /// Uploads that start the function.
    pub uploads: Vec<UploadTrigger>,
    /// Whether the function has a URL, for webhooks.
    pub url: bool,
    /// Names of the sites.
    pub sites: Vec<SiteName>,
    /// Where releases are stored.
    pub state: Option<Location>,
    /// Alarms.
    pub alarms: Vec<Alarm>,
}

/// Why there is no stack for a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// The publisher roles do not identify the function's account.
    #[error(
        "the roles of the sites are in several accounts ({0}): name the function's account with `--account`, and create the roles of the others with `tidegate policy site`"
    )]
    Accounts(String),
    /// The inline policies of a role are longer than IAM allows.
    #[error(
        "the policies of the role `{role}` have {length} characters, IAM allows {most}: split the configuration into several, each with its own `name` in `[function]`"
    )]
    TooLong {
        /// The role.
        role: String,
        /// Characters without white space.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// A document cannot be serialized.
    #[error(transparent)]
    Document(#[from] PolicyDocumentError),
}

impl Stack {
    /// The stack of a configuration.
    ///
    /// # Errors
    /// [`StackError`].
    pub fn new(config: &Config, place: &AccountRegion, publishers: Publishers) -> Result<Self, StackError> {
        let name = config.function.name.as_str();
        let sites: Vec<&Site> = config.sites.iter().collect();
        let with_role = sites.iter().find(|site| site.role.is_some()).or(sites.first());
        let partition = with_role.map(|site| site.partition()).unwrap_or_default();
        let mut stack = Self {
            place: place.clone(),
            state_machine: StateMachine::new(&sites, place, &partition, &config.function),
            partition,
            function: config.function.clone(),
            execution_role: execution_role(&sites, place, &config.function),
            publishers: Vec::new(),
            foreign_roles: Vec::new(),
            dead_letters: dead_letters(name),
            log_group: format!("/aws/lambda/{name}"),
            uploads: upload_triggers(config),
            url: config.sites.iter().any(|site| !site.webhooks.is_empty()),
            sites: config.sites.iter().map(|site| site.name.clone()).collect(),
            state: config.state.clone(),
            alarms: alarms(&config.function),
        };
        let account = function_account(config, place)?;
        let execution_role = stack.execution_role_arn();
        for site in &config.sites {
            let Some(role) = &site.role else { continue };
            if publishers == Publishers::Excluded {
                continue;
            }
            if account.as_deref().is_some_and(|account| account != role.account()) {
                stack.foreign_roles.push(ForeignRole { site: site.name.clone(), role: role.clone() });
            } else {
                add_publisher(&mut stack.publishers, site, role, &execution_role);
            }
        }
        stack.check_limits()?;
        Ok(stack)
    }

    /// The execution role, where the stack includes it.
    #[must_use]
    pub fn own_execution_role(&self) -> Option<&StackRole> {
        Some(&self.execution_role).filter(|_| self.function.role.is_none())
    }

    /// ARN of the permissions boundary of the stack's roles.
    #[must_use]
    pub fn boundary(&self) -> Option<&str> {
        self.function.permissions_boundary.as_ref().map(BoundaryArn::as_str)
    }

    /// ARN of the execution role, with pseudo parameters where the account is not known.
    #[must_use]
    pub fn execution_role_arn(&self) -> String {
        if let Some(role) = &self.function.role {
            return role.as_str().to_owned();
        }
        format!("arn:{}:iam::{}:role/{}", self.partition, self.place.account(), self.execution_role.name)
    }

    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition, self.place.region(), self.place.account())
    }

    fn check_limits(&self) -> Result<(), StackError> {
        let machine = self.state_machine.as_ref().map(|machine| &machine.role);
        for role in self.own_execution_role().into_iter().chain(machine).chain(&self.publishers) {
            let mut length = 0;
            for policy in &role.policies {
                length += PolicyLimit::Role.length(&policy.document.compact()?);
            }
            let most = PolicyLimit::Role.characters();
            if length > most {
                return Err(StackError::TooLong { role: role.name.clone(), length, most });
            }
        }
        Ok(())
    }
}

/// The function's account: the one that is known, or the only one of the publisher roles.
pub(super) fn function_account(config: &Config, place: &AccountRegion) -> Result<Option<String>, StackError> {
    if let Some(account) = place.known_account() {
        return Ok(Some(account.to_owned()));
    }
    let roles = config.sites.iter().filter_map(|site| site.role.as_ref());
    let mut accounts: Vec<&str> = roles.map(RoleArn::account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    match accounts.as_slice() {
        [] => Ok(None),
        [account] => Ok(Some((*account).to_owned())),
        several => Err(StackError::Accounts(several.join(", "))),
    }
}
