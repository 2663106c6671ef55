//! The client of IAM.

mod change;
mod read;
mod simulate;

use aws_sdk_iam::Client;
use tidegate_publish::Connection;

pub use read::{RoleFilter, RoleInfo, UserInfo};

/// A client of IAM.
#[derive(Debug, Clone)]
pub struct IamClient {
    client: Client,
}

impl IamClient {
    /// A client with the caller's connection.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.config()) }
    }
}
