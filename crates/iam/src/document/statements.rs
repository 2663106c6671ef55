//! Reading documents of others, in which a list of one item may be the item itself.

use serde_json::{Map, Value};

/// The statements of a document.
pub(crate) fn statements(document: &Value) -> &[Value] {
    match document.get("Statement") {
        Some(Value::Array(many)) => many,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

/// The strings of a member.
pub(crate) fn strings<'a>(statement: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    match statement.get(name) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
