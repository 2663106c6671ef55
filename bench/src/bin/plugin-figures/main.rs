//! Measures the cost of each bundled plugin, in the sandbox of production with every limit enabled. Prints JSON.
//!
//!     plugin-figures DIRECTORY       run the plugins over the site in DIRECTORY

mod chain;
mod listing;
mod run;
mod sample;

use std::error::Error;
use std::path::Path;

use serde_json::{Value, json};
use tidegate_bundled_plugins::BundledPlugin;
use tidegate_host::{CodeCache, Engine, Plugin};

use listing::FigureListing;
use sample::median;

type Failure = Box<dyn Error + Send + Sync>;

/// Entries of the generated listing: a large site.
const GENERATED: usize = 50_000;

/// Entries of the listing for the chain of plugins.
const CHAINED: usize = 100_000;

/// Repeats of measurements of 1 to 100 milliseconds.
const FEW: usize = 9;

/// Repeats of measurements of microseconds.
const MANY: usize = 101;

fn main() -> Result<(), Failure> {
    let directory = std::env::args().nth(1).ok_or("usage: plugin-figures DIRECTORY")?;
    let real = FigureListing::of_directory(Path::new(&directory))?;
    let generated = real.repeated(GENERATED)?;
    let engine = Engine::new()?;
    let mut plugins = Vec::new();
    for bundled in tidegate_bundled_plugins::PLUGINS {
        plugins.push(figures(&engine, bundled, &real, &generated)?);
    }
    let repeats = json!({ "compile": FEW, "load": MANY, "start": MANY, "run": FEW });
    let chain = chain::measure(&engine, &real.repeated(CHAINED)?, FEW)?;
    println!("{}", json!({ "repeats": repeats, "plugins": plugins, "chain": chain }));
    Ok(())
}

/// The figures of one plugin. Times are medians, in nanoseconds.
fn figures(
    engine: &Engine,
    bundled: &BundledPlugin,
    real: &FigureListing,
    generated: &FigureListing,
) -> Result<Value, Failure> {
    let compile = median(FEW, || {
        let plugin = Plugin::load(engine, None, bundled.name, bundled.bytes)?;
        Ok::<_, Failure>(plugin.load_time())
    })?;
    let directory = tempfile::tempdir()?;
    let cache = CodeCache::new(directory.path());
    let plugin = Plugin::load(engine, Some(&cache), bundled.name, bundled.bytes)?;
    let load = median(MANY, || {
        let plugin = Plugin::load(engine, Some(&cache), bundled.name, bundled.bytes)?;
        if !plugin.precompiled() {
            return Err(Failure::from("the plugin was not in the code cache"));
        }
        Ok(plugin.load_time())
    })?;
    let configured = plugin.validate(&run::settings(bundled.name))?;
    let empty = FigureListing::empty()?;
    let start = median(MANY, || Ok::<_, Failure>(run::run(&configured, &empty)?.plugin))?;
    let mut runs = Vec::new();
    for listing in [real, generated] {
        runs.push(run::measure(&configured, listing, FEW)?);
    }
    Ok(json!({
        "name": bundled.name,
        "kind": plugin.kind().as_str(),
        "component_bytes": bundled.bytes.len(),
        "compile_ns": sample::nanoseconds(compile),
        "load_ns": sample::nanoseconds(load),
        "start_ns": sample::nanoseconds(start),
        "runs": runs,
    }))
}
