//! Installing the function: a CloudFormation stack with the template of [`Stack`](crate::stack::Stack), changed through
//! change sets.
//!
//! [`StackDeployer`] sends the requests. What it reads and shows are plain values: [`DeployedStack`], [`StackChanges`] with
//! every policy that changes, and [`StackEvent`]. CloudFormation keeps what belongs to the stack, and rolls back an operation
//! that fails.

mod changes;
mod deployer;
mod error;
mod evaluate;
mod event;
mod follow;
mod package;
mod policy_difference;
mod property_difference;
mod stack_state;

pub use changes::{ChangedProperty, PolicyDifference, ResourceAction, ResourceDifference, StackChanges};
pub use deployer::{DeployRequest, PreparedChanges, StackDeployer};
pub use error::DeployError;
pub(crate) use event::EventPage;
pub use event::{EventKind, StackEvent};
pub use package::PackagePlace;
pub use stack_state::{DeployedStack, StackPhase};
