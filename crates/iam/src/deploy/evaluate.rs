//! The values of a template, as far as they are known before it is deployed: parameters, pseudo parameters and conditions.
//! References to resources stay as they are.
//!
//! Source: AWS CloudFormation template reference, "Intrinsic function reference".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A template with the values that it is deployed with.
pub(super) struct Evaluator<'a> {
    pub(super) template: &'a Value,
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
}

impl Evaluator<'_> {
    /// A value of the template; `None` where it is left out.
    pub(super) fn value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(values) => Some(Value::Array(values.iter().filter_map(|value| self.value(value)).collect())),
            Value::Object(members) => match members.iter().next().filter(|_| members.len() == 1) {
                Some((function, argument)) => self.call(function, argument).unwrap_or_else(|| self.members(members)),
                None => self.members(members),
            },
            other => Some(other.clone()),
        }
    }

    fn members(&self, members: &Map<String, Value>) -> Option<Value> {
        let members = members.iter().filter_map(|(name, value)| Some((name.clone(), self.value(value)?)));
        Some(Value::Object(members.collect()))
    }

    /// The value of an intrinsic function; `None` if it is none, or its value is not known.
    fn call(&self, function: &str, argument: &Value) -> Option<Option<Value>> {
        match function {
            "Ref" if argument == "AWS::NoValue" => Some(None),
            "Ref" => self.reference(argument.as_str()?).map(Some),
            "Fn::Sub" => self.substitute(argument.as_str()?).map(Value::String).map(Some),
            "Fn::Join" => self.join(argument).map(Value::String).map(Some),
            "Fn::If" => {
                let [condition, then, otherwise] = argument.as_array()?.as_slice() else { return None };
                Some(self.value(if self.condition(condition.as_str()?)? { then } else { otherwise }))
            }
            _ => None,
        }
    }

    fn reference(&self, name: &str) -> Option<Value> {
        match name {
            "AWS::AccountId" => return Some(json!(self.account)),
            "AWS::Region" => return Some(json!(self.region)),
            _ => {}
        }
        let definition = self.template.get("Parameters")?.get(name)?;
        let default = || definition.get("Default").and_then(Value::as_str).map(str::to_owned);
        let text = self.parameters.get(name).cloned().or_else(default)?;
        Some(match definition.get("Type").and_then(Value::as_str) {
            Some("CommaDelimitedList") => {
                json!(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>())
            }
            _ => Value::String(text),
        })
    }

    fn substitute(&self, text: &str) -> Option<String> {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            let (name, remainder) = after.split_once('}')?;
            out.push_str(before);
            match name.strip_prefix('!') {
                Some(literal) => out.push_str(&format!("${{{literal}}}")),
                None => out.push_str(self.reference(name)?.as_str()?),
            }
            rest = remainder;
        }
        Some(out + rest)
    }

    fn join(&self, argument: &Value) -> Option<String> {
        let [delimiter, list] = argument.as_array()?.as_slice() else { return None };
        let list = self.value(list)?;
        let items: Option<Vec<&str>> = list.as_array()?.iter().map(Value::as_str).collect();
        Some(items?.join(delimiter.as_str()?))
    }

    fn condition(&self, name: &str) -> Option<bool> {
        self.holds(self.template.get("Conditions")?.get(name)?)
    }

    fn holds(&self, condition: &Value) -> Option<bool> {
        let (function, argument) = condition.as_object()?.iter().next()?;
        match (function.as_str(), argument.as_array()?.as_slice()) {
            ("Fn::Not", [inner]) => Some(!self.holds(inner)?),
            ("Fn::Equals", [one, other]) => Some(self.value(one)? == self.value(other)?),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_are_known_before_the_deployment() {
        let template = json!({
            "Parameters": {
                "Bucket": { "Type": "String" },
                "People": { "Type": "CommaDelimitedList", "Default": "" },
            },
            "Conditions": { "HasPeople": { "Fn::Not": [{ "Fn::Equals": [{ "Fn::Join": ["", { "Ref": "People" }] }, ""] }] } },
        });
        let statement = json!([{ "Fn::If": ["HasPeople", { "Ref": "People" }, { "Ref": "AWS::NoValue" }] }]);
        let of = |parameters: &[(&str, &str)], value: &Value| {
            let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Evaluator { template: &template, parameters: &parameters, account: "1", region: "eu" }.value(value)
        };
        assert_eq!(of(&[], &statement), Some(json!([])));
        assert_eq!(of(&[("People", "a, b")], &statement), Some(json!([["a", "b"]])));
        let text = json!({ "Fn::Sub": "arn:${AWS::AccountId}:${AWS::Region}:${!x}" });
        assert_eq!(of(&[], &text), Some(json!("arn:1:eu:${x}")));
        assert_eq!(of(&[("Bucket", "b")], &json!({ "Ref": "Bucket" })), Some(json!("b")));
        for unknown in
            [json!({ "Fn::GetAtt": ["Function", "Arn"] }), json!({ "Ref": "Function" }), json!({ "Fn::Sub": "${Url}" })]
        {
            assert_eq!(of(&[], &unknown), Some(unknown.clone()));
        }
    }
}
