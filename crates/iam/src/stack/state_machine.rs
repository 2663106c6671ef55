//! The state machine of a stack, with its role.

use serde::Serialize;
use tidegate_core::config::{FunctionConfig, Site};
use tidegate_core::iam_name::{MAX_NAME, fitted};

use super::account_region::AccountRegion;
use super::role::{RolePolicy, StackRole};
use crate::document::Partition;
use crate::policies::{state_machine, trust_state_machine};

/// The state machine of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateMachine {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: StackRole,
}

impl StateMachine {
    /// The state machine, if the configuration has one.
    pub(super) fn new(
        sites: &[&Site],
        place: &AccountRegion,
        partition: &Partition,
        function: &FunctionConfig,
    ) -> Option<Self> {
        let name = function.engine.has_state_machine().then(|| function.state_machine())?;
        let grant = state_machine(sites, place.account(), place.region(), function);
        let role = StackRole {
            name: fitted(&grant.name, MAX_NAME),
            path: "/".to_owned(),
            description: format!("Role of the state machine {name}, which invokes the function for each shard"),
            trust: trust_state_machine(partition, place.account(), place.region(), &name).document,
            policies: vec![RolePolicy { name: grant.name, document: grant.document }],
        };
        Some(Self { name, role })
    }
}
