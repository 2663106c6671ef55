//! Builds the bundled plugins in the repository, and reads them from `components/` in a published crate. Writes the table
//! of plugins that `src/lib.rs` includes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest as _, Sha256};
use tidegate_plugin_build::{BuiltPlugin, PluginBuild};

/// The bundled plugins, by their folders next to this one.
const PLUGINS: [&str; 10] =
    ["budget", "exclude", "guard", "headers", "leaks", "links", "mime", "rewrite", "script", "script-policy"];

/// Those with C code, which need a C compiler for WebAssembly.
const WITH_C: [&str; 2] = ["script", "script-policy"];

/// Components by the names in configurations.
type Components = BTreeMap<String, Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Never from `components/` in the repository: a stale copy there would hide changes of the plugins.
    let repository = package.join("../..");
    let mut omitted: Vec<&str> = Vec::new();
    let components = if repository.join("plugins/bundled/build.rs").is_file() {
        if tidegate_plugin_build::wasm_c_compiler().is_none() {
            omitted.extend(WITH_C);
            println!("cargo::warning=the plugin `script` is left out: it needs clang 15 or later (apt install clang)");
            // Runs again until there is one: this file never exists.
            println!("cargo::rerun-if-changed={}", out.join("clang").display());
        }
        println!("cargo::rerun-if-env-changed=CC_wasm32_unknown_unknown");
        let names: Vec<&str> = PLUGINS.into_iter().filter(|name| !omitted.contains(name)).collect();
        build(&repository, &out, &names)
    } else {
        read(&package.join("components"))
    };
    let mut table = String::from("/// The bundled plugins, by name.\npub static PLUGINS: &[BundledPlugin] = &[\n");
    for (name, bytes) in components? {
        let path = out.join(format!("{name}.wasm"));
        fs::write(&path, &bytes)?;
        let mut digest = String::new();
        for byte in Sha256::digest(&bytes) {
            write!(digest, "{byte:02x}")?;
        }
        writeln!(
            table,
            "    BundledPlugin {{ name: {name:?}, bytes: include_bytes!({path:?}), sha256: {digest:?} }},"
        )?;
    }
    table.push_str("];\n");
    writeln!(
        table,
        "/// The bundled plugins that this build lacks, because there was no C compiler for WebAssembly.\n\
         pub static OMITTED: &[&str] = &{omitted:?};"
    )?;
    fs::write(out.join("plugins.rs"), table)?;
    Ok(())
}

/// Reads the components of a published crate.
fn read(components: &Path) -> Result<Components, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", components.display());
    let component = |name: &str| {
        let path = components.join(format!("{name}.wasm"));
        match fs::read(&path) {
            Ok(bytes) => Ok((name.to_owned(), bytes)),
            Err(error) => Err(format!("cannot read `{}`: {error}; package with `make package`", path.display()).into()),
        }
    };
    PLUGINS.into_iter().map(component).collect()
}

fn build(root: &Path, out: &Path, names: &[&str]) -> Result<Components, Box<dyn Error>> {
    for source in sources(root) {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let packages: Vec<String> = names.iter().map(|name| format!("tidegate-plugin-{name}")).collect();
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    // From `target/<profile>/build/<package>/out`: all profiles share one build of the plugins.
    let target = out.ancestors().nth(4).unwrap_or(out).join("plugins");
    let plugins = PluginBuild { manifest_dir: root, target_dir: &target, packages: &packages, profile: "plugin" };
    let components = tidegate_plugin_build::build(plugins).map_err(|error| {
        // Cargo shows these lines before the error and its backtrace.
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
        "cannot build the bundled plugins"
    })?;
    let name = |library: &str| library.strip_prefix("tidegate_plugin_").unwrap_or(library).replace('_', "-");
    Ok(components.into_iter().map(|BuiltPlugin { library, component, .. }| (name(&library), component)).collect())
}

/// The sources of the components: files, and folders that cargo watches recursively.
fn sources(root: &Path) -> Vec<PathBuf> {
    let crates = PLUGINS
        .iter()
        .map(|name| format!("plugins/{name}"))
        .chain(["plugins/references", "plugins/sdk", "plugins/script-engine", "crates/glob"].map(str::to_owned));
    let parts = crates.flat_map(|folder| [root.join(&folder).join("Cargo.toml"), root.join(folder).join("src")]);
    parts.chain([root.join("Cargo.toml"), root.join("Cargo.lock"), root.join("wit")]).collect()
}
