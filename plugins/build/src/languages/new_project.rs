//! The files of a new project: an example that builds, and a small site to try it on.

use super::project::KIND_FILE;
use super::{Language, ProjectKind, c, go};
use crate::LanguageError;

/// A file of a new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// Its path in the project, with `/`.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
}

/// The site of every project: a page, a draft, and data.
const SITE: [(&str, &str); 3] = [
    ("site/index.html", include_str!("../templates/site/index.html")),
    ("site/drafts/next.html", include_str!("../templates/site/drafts/next.html")),
    ("site/data/feed.json", include_str!("../templates/site/data/feed.json")),
];

/// The types for editors: those of both kinds, and those of one.
fn types(kind: ProjectKind) -> String {
    let of_kind = match kind {
        ProjectKind::Sync => include_str!("../templates/javascript/sync.d.ts"),
        ProjectKind::Policy => include_str!("../templates/javascript/policy.d.ts"),
    };
    format!("{}{of_kind}", include_str!("../templates/javascript/tidegate.d.ts"))
}

/// Whether a name can be that of a folder, a cargo package and an npm package.
fn check_name(name: &str) -> Result<(), LanguageError> {
    let valid = name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if valid { Ok(()) } else { Err(LanguageError::Name(name.to_owned())) }
}

/// The files of a new project.
///
/// # Errors
/// [`LanguageError::Name`].
pub fn new_project(name: &str, language: Language, kind: ProjectKind) -> Result<Vec<ProjectFile>, LanguageError> {
    check_name(name)?;
    let either = |sync, policy| match kind {
        ProjectKind::Sync => sync,
        ProjectKind::Policy => policy,
    };
    let component = if language == Language::Rust { name.replace('-', "_") } else { name.to_owned() };
    let text = |path: &str, content: &str| ProjectFile {
        path: path.to_owned(),
        content: content.replace("{{name}}", name).replace("{{component}}", &component).into_bytes(),
    };
    let mut files: Vec<ProjectFile> = SITE.map(|(path, content)| text(path, content)).into();
    files.push(text("README.md", &readme(language)));
    files.push(text(".gitignore", "target/\nnode_modules/\n*.wasm\n"));
    if language != Language::Rust {
        files.push(text(KIND_FILE, either("sync\n", "policy\n")));
    }
    match language {
        Language::Rust => {
            files.push(text("Cargo.toml", include_str!("../templates/rust/Cargo.toml.txt")));
            let source = either(include_str!("../templates/rust/sync.rs"), include_str!("../templates/rust/policy.rs"));
            files.push(text("src/lib.rs", source));
        }
        Language::JavaScript => {
            let source = either(
                include_str!("../templates/javascript/sync.js"),
                include_str!("../templates/javascript/policy.js"),
            );
            // Editors find the types through this line.
            files.push(text("plugin.js", &format!("/// <reference path=\"./tidegate.d.ts\" />\n{source}")));
            files.push(text("tidegate.d.ts", &types(kind)));
        }
        Language::TypeScript => {
            let source = either(
                include_str!("../templates/typescript/sync.ts"),
                include_str!("../templates/typescript/policy.ts"),
            );
            files.push(text("plugin.ts", source));
            files.push(text("tidegate.d.ts", &types(kind)));
            files.push(text("package.json", include_str!("../templates/typescript/package.json")));
            files.push(text("tsconfig.json", include_str!("../templates/typescript/tsconfig.json")));
        }
        Language::Python => {
            let source =
                either(include_str!("../templates/python/sync.py"), include_str!("../templates/python/policy.py"));
            files.push(text("plugin.py", source));
            files.push(text("tidegate.py", include_str!("../templates/python/tidegate.py")));
        }
        Language::C => {
            let source = either(include_str!("../templates/c/sync.c"), include_str!("../templates/c/policy.c"));
            files.push(text("plugin.c", source));
            let headers = c::bindings(kind)?.into_iter().filter(|(name, _)| name.ends_with(".h"));
            files.extend(headers.map(|(path, content)| ProjectFile { path, content }));
        }
        Language::Go => files.extend(go::files(name, kind)?),
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn readme(language: Language) -> String {
    let needs = match language {
        Language::Rust => {
            "Building needs Rust and its target: `rustup target add wasm32-unknown-unknown`. `cargo test` runs the tests."
        }
        Language::JavaScript => {
            "Building needs nothing else. A site can also use the file itself: `plugin = \"plugin.js\"`.\n`tidegate.d.ts` has the types for editors."
        }
        Language::TypeScript => "Building needs esbuild: `npm install`. `npx tsc` checks the types.",
        Language::Python => {
            "Building needs componentize-py: `pip install componentize-py==0.25.1`. The component has 18 MB, and each build\nhas another digest."
        }
        Language::C => {
            "Building needs clang and lld: `apt install clang lld`. The header is generated; do not edit it."
        }
        Language::Go => {
            "Building needs Go 1.24 or later, and downloads nothing. The packages in `tidegate` and `internal/wit` are generated; do\nnot edit them. Printed lines are log records, a panic is a failure with its line, and there are no files."
        }
    };
    format!(
        "# {{{{name}}}}\n\nA plugin for Tidegate.\n\n{needs}\n\n```console\n$ tidegate plugin build\n$ tidegate plugin run {{{{component}}}}.wasm --from site\n```\n\nTo test it, record a run once, and replay it after each change:\n\n```console\n$ tidegate plugin record {{{{component}}}}.wasm --from site --out site.jsonl\n$ tidegate plugin replay {{{{component}}}}.wasm site.jsonl\n```\n"
    )
}
