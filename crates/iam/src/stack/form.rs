//! An installation as other tools take it: a template.
//!
//! Owns which forms there are. The same installation gives the same bytes.

use super::{Installation, cloudformation, terraform};
use crate::document::DocumentError;

/// A form of template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// JSON, which is YAML as well.
    CloudFormation,
    /// Terraform's and OpenTofu's language.
    Terraform,
}

impl Template {
    /// The template, which ends in a line feed.
    ///
    /// # Errors
    /// [`DocumentError`], a defect of Tidegate.
    pub fn write(self, installation: &Installation) -> Result<String, DocumentError> {
        match self {
            Self::CloudFormation => cloudformation::template(installation),
            Self::Terraform => Ok(terraform::template(installation)),
        }
    }
}
