//! A core module becomes a component.
//!
//! Owns the call of `wit-component` and its error. Never reads or writes files.

use wit_component::ComponentEncoder;

/// Why a core module is no component.
#[derive(Debug, thiserror::Error)]
pub enum ComponentizeError {
    /// The bytes are no core module, or its custom sections with the contract are missing or damaged.
    #[error(
        "not a core module with a plugin's contract; build it as a `cdylib` that calls an export macro of tidegate-plugin: {0}"
    )]
    Module(String),
    /// Imports, exports and contract do not fit together.
    #[error("cannot become a component; a module may import nothing beside its contract, WASI included: {0}")]
    Encode(String),
}

/// Wraps a core module, which carries its contract in custom sections as `wit-bindgen` writes them, into a component, and
/// validates the result. Equal modules give equal components.
///
/// # Errors
///
/// Modules that are damaged, have no contract, or import or lack what the contract does not say.
pub fn component(core_module: &[u8]) -> Result<Vec<u8>, ComponentizeError> {
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(core_module).map_err(|error| ComponentizeError::Module(format!("{error:#}")))?;
    encoder.encode().map_err(|error| ComponentizeError::Encode(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::{ComponentizeError, component};

    #[test]
    fn bytes_that_are_no_module_are_refused() {
        assert!(matches!(component(b"not wasm"), Err(ComponentizeError::Module(_))));
        assert!(matches!(component(b""), Err(ComponentizeError::Module(_))));
    }

    #[test]
    fn imports_beside_the_contract_are_refused_by_name() {
        let module = wat::parse_str(
            r#"(module (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32))))"#,
        )
        .unwrap();
        let error = component(&module).unwrap_err();
        assert!(matches!(error, ComponentizeError::Encode(_)), "{error}");
        assert!(error.to_string().contains("wasi_snapshot_preview1"), "{error}");
    }
}
