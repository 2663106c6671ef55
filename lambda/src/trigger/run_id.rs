//! Ids of runs.

use serde::{Deserialize, Serialize};

/// Identifies one invocation's part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunId {
    /// The id of the run, the same in every invocation.
    pub id: String,
    /// How many times the run was continued before. The count ends a run that would never finish.
    pub continuations: u32,
}

impl RunId {
    /// The first part of a run.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), continuations: 0 }
    }

    /// The first part of a run with a random id: 16 hexadecimal digits, unique enough for a log and short enough to
    /// read out.
    ///
    /// # Errors
    /// The operating system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)?;
        Ok(Self::new(hex::encode(bytes)))
    }

    /// The part that the next invocation does.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { id: self.id.clone(), continuations: self.continuations + 1 }
    }
}
