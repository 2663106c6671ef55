//! The values of properties before and after a change.

use serde_json::Value;

use super::changes::ChangedProperty;

/// Longest value that is shown, in characters.
const MAX_VALUE: usize = 80;

/// Most values of one property that are shown.
const MAX_VALUES: usize = 8;

/// The values that differ within a property, by their paths. Only the name of the property, where its values are too long or
/// not known.
pub(super) fn changed_values(name: &str, before: Option<&Value>, after: Option<&Value>) -> Vec<ChangedProperty> {
    let mut found = Vec::new();
    differences(name, before, after, &mut found);
    let is_shown = !found.is_empty() && found.len() <= MAX_VALUES;
    if is_shown { found } else { vec![ChangedProperty { name: name.to_owned(), before: None, after: None }] }
}

fn differences(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<ChangedProperty>) {
    if before == after {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after)
        && !is_function(old)
        && !is_function(new)
    {
        let added = new.keys().filter(|name| !old.contains_key(*name));
        for name in old.keys().chain(added) {
            differences(&format!("{path}.{name}"), old.get(name), new.get(name), found);
        }
        return;
    }
    if let (Some(old), Some(new)) = (before.and_then(document), after.and_then(document)) {
        return differences(path, Some(&old), Some(&new), found);
    }
    let (old, new) = (before.and_then(text), after.and_then(text));
    let is_short = (before.is_none() || old.is_some()) && (after.is_none() || new.is_some());
    let missing = || Some("none".to_owned());
    found.push(ChangedProperty {
        name: path.to_owned(),
        before: if is_short { old.or_else(missing) } else { None },
        after: if is_short { new.or_else(missing) } else { None },
    });
}

/// The JSON document in a text, such as the definition of a state machine.
fn document(value: &Value) -> Option<Value> {
    serde_json::from_str(value.as_str()?).ok().filter(Value::is_object)
}

/// Whether an object is a call of an intrinsic function, whose value is not known.
fn is_function(members: &serde_json::Map<String, Value>) -> bool {
    members.len() == 1 && members.keys().any(|name| name == "Ref" || name.starts_with("Fn::"))
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Array(values) if values.iter().all(|value| value.is_string() || value.is_number()) => value.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| text.chars().count() <= MAX_VALUE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_short_values_are_shown() {
        let shown = |before: Value, after: Value| -> Vec<String> {
            changed_values("P", Some(&before), Some(&after)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(shown(json!(512), json!(1024)), ["P 512 → 1024"]);
        assert_eq!(shown(json!({ "Key": "a", "Same": 1 }), json!({ "Key": "b", "Same": 1 })), ["P.Key a → b"]);
        assert_eq!(shown(json!({ "Key": "a" }), json!({})), ["P.Key a → none"]);
        assert_eq!(shown(json!("a"), json!("x".repeat(81))), ["P"]);
        assert_eq!(shown(json!({ "Ref": "A" }), json!({ "Ref": "B" })), ["P"]);
        assert_eq!(shown(json!([{ "a": 1 }]), json!([])), ["P"]);
        assert_eq!(shown(json!(r#"{"a":{"b":8}}"#), json!(r#"{"a":{"b":9}}"#)), ["P.a.b 8 → 9"]);
        assert_eq!(shown(json!(r#"{"a":{"b":8}}"#), json!("text")), [r#"P {"a":{"b":8}} → text"#]);
        assert_eq!(shown(json!("same"), json!("same")), ["P"], "a reference that may change");
    }
}
