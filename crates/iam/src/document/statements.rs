//! Reading documents of others, in which one of something may stand without its list.

use serde_json::{Map, Value};

/// The statements of a document, which may be one or many.
pub(crate) fn statements(document: &Value) -> &[Value] {
    match document.get("Statement") {
        Some(Value::Array(many)) => many,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

/// The values of a member that may be one text or many.
pub(super) fn texts<'a>(statement: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    match statement.get(name) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
