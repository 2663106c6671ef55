//! IAM: the only room that names its SDK.
//!
//! Owns the requests: looking at users, roles, groups and policies, changing one thing at a time, and asking IAM what a role
//! may do. Never decides what to change: `crate::provision` does.

mod bucket;
mod change;
mod stack_role;
mod read;
mod notification;
mod simulate;

use aws_sdk_iam::Client;
use tidegate_publish::Connection;

pub use bucket::BucketClient;
pub(crate) use change::ChangeResult;
pub use read::{RoleFilter, RoleInfo, UserInfo};
pub use simulate::{SimulationRequest, SimulationResult};

/// A client of IAM.
#[derive(Debug, Clone)]
pub struct IamClient {
    client: Client,
}

impl IamClient {
    /// Makes a client.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }
}

/// A document as IAM answers it: percent-encoded.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
