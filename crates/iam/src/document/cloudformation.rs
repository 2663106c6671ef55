//! Values and names in CloudFormation templates.

use serde_json::{Value, json};

use super::pseudo_parameter::with_placeholders;
use super::{PseudoParameter, TextPiece, pieces};

/// A value with [`PseudoParameter`]s written for CloudFormation: `Fn::Sub` for the texts that have some.
pub(crate) fn substitute(value: Value) -> Value {
    match value {
        Value::String(text) => substitute_text(text),
        Value::Array(values) => Value::Array(values.into_iter().map(substitute).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, substitute(value))).collect())
        }
        other => other,
    }
}

/// A JSON document as a text, with [`PseudoParameter`]s written for CloudFormation.
pub(crate) fn substitute_json(document: &Value) -> Value {
    substitute_text(with_placeholders(&document.to_string()))
}

fn substitute_text(text: String) -> Value {
    let (mut out, mut has_pseudo) = (String::with_capacity(text.len()), false);
    for piece in pieces(&text) {
        match piece {
            // In `Fn::Sub`, `${!x}` is the text `${x}`.
            TextPiece::Text(text) => out.push_str(&text.replace("${", "${!")),
            TextPiece::Pseudo(pseudo) => {
                has_pseudo = true;
                out.push_str(match pseudo {
                    PseudoParameter::Account => "${AWS::AccountId}",
                    PseudoParameter::Region => "${AWS::Region}",
                });
            }
        }
    }
    if has_pseudo { json!({ "Fn::Sub": out }) } else { Value::String(text) }
}

/// The logical id of a resource, of letters and digits: `docs-a` becomes `DocsA`.
pub(crate) fn logical_id(text: &str) -> String {
    let mut name = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        name.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        name.extend(letters);
    }
    name
}
