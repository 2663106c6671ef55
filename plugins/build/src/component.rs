//! Converts a core module to a component.

use wit_component::ComponentEncoder;

use crate::script::with_code_segment;

/// A core module cannot be converted to a component.
#[derive(Debug, thiserror::Error)]
pub enum ComponentizeError {
    /// The bytes are not a core module, or its custom sections with the contract are missing or damaged.
    #[error(
        "it is not a core module with the plugin contract ({0}); build it as a `cdylib` that calls `export_sync!` or `export_policy!`"
    )]
    Module(String),
    /// Imports and exports do not match the contract.
    #[error("it cannot be converted to a component ({0}); remove imports other than the contract's, such as WASI")]
    Encode(String),
}

/// Wraps a core module into a component, and validates the result. `wit-bindgen` stores the contract in custom sections
/// of the module. Equal modules become equal components.
///
/// # Errors
///
/// The module is damaged, has no contract, or does not match it.
pub fn component(core_module: &[u8]) -> Result<Vec<u8>, ComponentizeError> {
    let core_module = with_code_segment(core_module).map_err(|error| ComponentizeError::Module(error.to_string()))?;
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(&core_module).map_err(|error| ComponentizeError::Module(format!("{error:#}")))?;
    encoder.encode().map_err(|error| ComponentizeError::Encode(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::{ComponentizeError, component};

    #[test]
    fn refuses_bytes_that_are_not_a_module() {
        assert!(matches!(component(b"not wasm"), Err(ComponentizeError::Module(_))));
        assert!(matches!(component(b""), Err(ComponentizeError::Module(_))));
    }

    #[test]
    fn refuses_other_imports_by_name() {
        let module = wat::parse_str(
            r#"(module (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32))))"#,
        )
        .unwrap();
        let error = component(&module).unwrap_err();
        assert!(matches!(error, ComponentizeError::Encode(_)), "{error}");
        assert!(error.to_string().contains("wasi_snapshot_preview1"), "{error}");
    }
}
