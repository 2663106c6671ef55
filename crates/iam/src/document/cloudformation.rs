//! A policy document as CloudFormation's templates have it: JSON, which is YAML as well.
//!
//! Owns resources for documents. Never writes a function or a bucket.

use serde_json::{Value, json};

use super::{PseudoParameter, TextPiece, pieces};

/// A value in which what only the account knows is filled in by CloudFormation: `Fn::Sub` wherever a text needs it, and
/// nothing else changed.
pub(crate) fn substituted(value: Value) -> Value {
    match value {
        Value::String(text) => substituted_text(text),
        Value::Array(values) => Value::Array(values.into_iter().map(substituted).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, substituted(value))).collect())
        }
        other => other,
    }
}

fn substituted_text(text: String) -> Value {
    let (mut out, mut needed) = (String::with_capacity(text.len()), false);
    for piece in pieces(&text) {
        match piece {
            // `${!x}` is how a template writes `${x}`.
            TextPiece::Text(text) => out.push_str(&text.replace("${", "${!")),
            TextPiece::Pseudo(pseudo) => {
                needed = true;
                out.push_str(match pseudo {
                    PseudoParameter::Account => "${AWS::AccountId}",
                    PseudoParameter::Region => "${AWS::Region}",
                });
            }
        }
    }
    if needed { json!({ "Fn::Sub": out }) } else { Value::String(text) }
}

/// A name that CloudFormation takes for a resource: letters and digits.
pub(crate) fn logical(text: &str) -> String {
    let mut name = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        name.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        name.extend(letters);
    }
    name
}
