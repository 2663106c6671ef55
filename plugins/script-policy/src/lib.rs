//! Runs a few lines of JavaScript over a plan. `docs/plugins/script.md` describes the script's functions.

tidegate_plugin::export_policy!(tidegate_script_engine::ScriptPolicy);

#[cfg(test)]
mod tests;
