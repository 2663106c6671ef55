//! Builds the bundled plugins, and writes the table of them that `src/lib.rs` includes.
//!
//! Owns that table's form. How plugins are built is `tidegate-componentize`'s business.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest as _, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let plugins = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../wasm");
    let contract = plugins.join("../../wit");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed={}", tidegate_componentize::RUSTC);
    for source in sources(&plugins)?.into_iter().chain([contract]) {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let components = match tidegate_componentize::build(&plugins, &out.join("target")) {
        Ok(components) => components,
        Err(error) => {
            // Cargo shows these lines by themselves, before the error and its backtrace.
            for line in error.to_string().lines() {
                println!("cargo::error={line}");
            }
            return Err("the bundled plugins could not be built".into());
        }
    };
    let mut table =
        String::from("/// The plugins that come with Tidegate, by name.\npub static PLUGINS: &[Bundled] = &[\n");
    for (library, bytes) in components {
        let name = library.strip_prefix("tidegate_plugin_").unwrap_or(&library).replace('_', "-");
        let path = out.join(format!("{name}.wasm"));
        fs::write(&path, &bytes)?;
        let mut digest = String::new();
        for byte in Sha256::digest(&bytes) {
            write!(digest, "{byte:02x}")?;
        }
        writeln!(table, "    Bundled {{ name: {name:?}, bytes: include_bytes!({path:?}), sha256: {digest:?} }},")?;
    }
    table.push_str("];\n");
    fs::write(out.join("plugins.rs"), table)?;
    Ok(())
}

/// What the components are made of, as files and folders. Cargo looks into folders itself, but it must not look at the
/// target directory that somebody's `cargo test` leaves in the workspace, nor be blind to a new plugin beside the others.
fn sources(plugins: &Path) -> io::Result<Vec<PathBuf>> {
    let mut sources = vec![plugins.join("Cargo.toml"), plugins.join("Cargo.lock")];
    for entry in fs::read_dir(plugins)? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file() {
            sources.extend([path.join("Cargo.toml"), path.join("src")]);
        }
    }
    sources.sort();
    Ok(sources)
}
