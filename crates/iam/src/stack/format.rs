//! The formats of templates.

use super::model::Stack;
use super::{cloudformation, terraform};
use crate::document::PolicyDocumentError;

/// A format of template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateFormat {
    /// CloudFormation, as JSON.
    CloudFormation,
    /// Terraform and OpenTofu.
    Terraform,
}

impl TemplateFormat {
    /// The template, with a final line feed. The same stack gives the same bytes.
    ///
    /// # Errors
    /// [`PolicyDocumentError`], a bug in Tidegate.
    pub fn write(self, stack: &Stack) -> Result<String, PolicyDocumentError> {
        match self {
            Self::CloudFormation => cloudformation::template(stack),
            Self::Terraform => Ok(terraform::template(stack)),
        }
    }
}
