//! Installing the function without CloudFormation or Terraform: the changes that lead from what the account has to a
//! [`Stack`](super::Stack), and back.
//!
//! Resources are created before those that refer to them, and the notifications that start the function come last, so a
//! failure in between leaves no half-configured function running. Only resources with the tag
//! [`TAG`](crate::changes::TAG) of this function are changed or deleted.

mod create;
mod delete;
mod error;
mod found;
mod notification;
mod queue;
mod role;

pub use create::{InstallChanges, install};
pub use delete::uninstall;
pub use error::InstallError;
pub use found::{FoundEventQueue, FoundFunction, FoundLogGroup, FoundMapping, FoundQueue, FoundRole, FoundStack};
pub use notification::NotificationOverlap;
