//! TypeScript, which esbuild makes one script. Its stacks have the lines of the sources.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::project::LanguageError;
use super::tool::run;

/// Gives stacks the lines of the sources: a function of the parts of a source map.
const LINES: &str = include_str!("../templates/typescript/lines.js");

/// The parts of a source map that say where lines come from.
#[derive(Deserialize)]
struct SourceMap {
    sources: Vec<String>,
    mappings: String,
}

/// `plugin.ts` and what it imports, as one script.
pub(super) fn bundle(directory: &Path, work: &Path) -> Result<String, LanguageError> {
    let directory = &directory.canonicalize().map_err(LanguageError::read(directory))?;
    let work = work.canonicalize().map_err(LanguageError::read(work))?;
    let local = directory.join("node_modules/.bin/esbuild");
    let mut command = Command::new(if local.is_file() { local.as_os_str() } else { "esbuild".as_ref() });
    let script = work.join("plugin.js");
    command
        .current_dir(directory)
        .args(["plugin.ts", "--bundle", "--format=iife", "--target=es2023", "--charset=utf8"])
        .args(["--sourcemap=external", "--sources-content=false", "--log-level=warning"])
        .arg(format!("--outfile={}", script.display()));
    run(&mut command, "run `npm install` in the project")?;
    let read = |path: &Path| {
        let bytes = std::fs::read(path).map_err(LanguageError::read(path))?;
        String::from_utf8(bytes).map_err(|_| LanguageError::Text(path.to_owned()))
    };
    let code = read(&script)?;
    let map = read(&work.join("plugin.js.map"))?;
    let map: SourceMap = serde_json::from_str(&map).map_err(|error| LanguageError::SourceMap(error.to_string()))?;
    // Paths in the map are relative to its folder.
    let above =
        format!("{}/", vec![".."; work.strip_prefix(directory).map_or(0, |path| path.iter().count())].join("/"));
    let sources: Vec<&str> =
        map.sources.iter().map(|source| source.strip_prefix(&above).unwrap_or(source.as_str())).collect();
    let lines = LINES.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join(" ");
    let [sources, mappings] = [serde_json::json!(sources), serde_json::json!(map.mappings)];
    Ok(format!("{lines}({sources},{mappings});\n{code}"))
}
