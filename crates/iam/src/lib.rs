//! IAM: policy documents, what people and functions need, and making it.

/// Sends a request whose answer is of no interest: its call, what it is about, and the request itself.
macro_rules! sent {
    ($call:literal, $subject:expr, $request:expr) => {
        $request.send().await.map(drop).map_err(|error| ::tidegate_publish::AwsError::new($call, $subject, &error))
    };
}

pub mod apply;
pub mod stack;
pub mod preflight;
pub mod check;
mod client;
pub mod document;
pub mod policies;
pub mod install;
pub mod credentials;
pub mod changes;

pub use client::{BucketClient, IamClient, RoleFilter, RoleInfo, SimulationRequest, SimulationResult, UserInfo};
