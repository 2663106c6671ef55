//! An installation as other tools take it: a template.
//!
//! Owns which forms there are. The same installation gives the same bytes.

use super::{Stack, cloudformation, terraform};
use crate::document::PolicyDocumentError;

/// A form of template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateFormat {
    /// JSON, which is YAML as well.
    CloudFormation,
    /// Terraform's and OpenTofu's language.
    Terraform,
}

impl TemplateFormat {
    /// The template, which ends in a line feed.
    ///
    /// # Errors
    /// [`PolicyDocumentError`], a defect of Tidegate.
    pub fn write(self, installation: &Stack) -> Result<String, PolicyDocumentError> {
        match self {
            Self::CloudFormation => cloudformation::template(installation),
            Self::Terraform => Ok(terraform::template(installation)),
        }
    }
}
