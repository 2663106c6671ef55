//! Runs a few lines of JavaScript over what a site publishes. `docs/plugins/script.md` describes the script's functions.

tidegate_plugin::export_sync!(tidegate_script_engine::ScriptSync);

#[cfg(test)]
mod tests;
