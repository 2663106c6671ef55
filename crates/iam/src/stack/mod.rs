//! What an account needs so that uploads and webhooks publish sites: the Lambda function and everything around it.
//!
//! A [`Stack`] is made from the configuration, without asking AWS. [`TemplateFormat`] writes it as a CloudFormation or
//! Terraform template, and [`deploy`](crate::deploy) installs the former.

mod account_region;
mod alarm;
mod cloudformation;
mod dashboard;
mod definition;
mod format;
mod model;
mod outputs;
mod owners;
mod package;
mod role;
mod settings;
mod state_machine;
mod terraform;
mod trusted_principals;
mod upload;

pub use account_region::AccountRegion;
pub use alarm::{Alarm, AlarmDimension};
pub use format::TemplateFormat;
pub use model::{ForeignRole, Publishers, Stack, StackError};
pub use owners::{OwnerSetting, assumed_owners, configured_buckets, missing_owners};
pub use package::{PackageZip, PackageZipError};
pub use role::{RolePolicy, StackRole};
pub(crate) use settings::PACKAGES;
pub use settings::{DEAD_LETTER_SECONDS, DESCRIPTION, FUNCTION_DESCRIPTION, HANDLER, RUNTIME};
pub use state_machine::StateMachine;
pub(crate) use trusted_principals::trust_parameters;
pub use upload::{KeyPattern, UploadTrigger};
