//! Plugin projects in several languages: creating and building them.
//!
//! | Module | Holds |
//! |---|---|
//! | `new_project` | the files of a new project |
//! | `project` | which language a project has, and building it |
//! | `c`, `go`, `python` | the languages that need bindings or a runtime |
//! | `typescript` | the language that becomes another one |
//! | `contract` | bindings from the contract, and components with its types |
//! | `tool` | running the tools of a language |

mod c;
mod contract;
mod go;
mod new_project;
mod project;
mod python;
mod tool;
mod typescript;

use std::fmt;
use std::str::FromStr;

pub use new_project::{ProjectFile, new_project};
pub use project::{LanguageError, build_project, build_script};
pub use tool::ToolError;

/// A language of plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust, with the SDK.
    Rust,
    /// JavaScript, in the engine of the plugin `script`.
    JavaScript,
    /// TypeScript, which esbuild makes JavaScript.
    TypeScript,
    /// Python, with componentize-py.
    Python,
    /// C, with clang.
    C,
    /// Go, whose WASI is replaced.
    Go,
}

/// The world that a project is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectKind {
    /// Transforms what is published.
    Sync,
    /// Reviews the plan.
    Policy,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 6] = [Self::Rust, Self::JavaScript, Self::TypeScript, Self::Python, Self::C, Self::Go];

    /// The name, as on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Python => "python",
            Self::C => "c",
            Self::Go => "go",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown language `{0}`; use rust, javascript, typescript, python, c or go")]
pub struct UnknownLanguage(String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|language| language.as_str() == text).ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

impl ProjectKind {
    /// The name of the world in the contract.
    #[must_use]
    pub fn world(self) -> &'static str {
        match self {
            Self::Sync => "sync-plugin",
            Self::Policy => "policy-plugin",
        }
    }
}

/// Text that names no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind `{0}`; use sync or policy")]
pub struct UnknownKind(String);

impl FromStr for ProjectKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        match text {
            "sync" => Ok(Self::Sync),
            "policy" => Ok(Self::Policy),
            _ => Err(UnknownKind(text.to_owned())),
        }
    }
}
