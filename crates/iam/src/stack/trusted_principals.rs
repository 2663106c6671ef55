//! The parameters of a template with the people, CI roles and accounts that may assume the publisher roles, beside the
//! function.
//!
//! They have the statements of [`trust_people`](crate::policies::trust_people). `tidegate install --trust` sets them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::model::Stack;
use crate::document::terraform::{HclBody, quoted};
use crate::policies::TrustedArn;

/// The parameter with users and roles.
pub(super) const PRINCIPALS: TrustParameter = TrustParameter {
    name: "TrustedPrincipals",
    condition: "HasTrustedPrincipals",
    variable: "trusted_principals",
    description: "ARNs of users and roles that may publish too, such as people and CI jobs",
};

/// The parameter with the accounts of these users and roles, where they are not all in the account of the stack.
const HOMES: TrustParameter = TrustParameter {
    name: "TrustedPrincipalAccounts",
    condition: "HasTrustedPrincipalAccounts",
    variable: "",
    description: "ARNs of the accounts of TrustedPrincipals (arn:aws:iam::ID:root), if one of them is another account",
};

/// The parameter with whole accounts.
const ACCOUNTS: TrustParameter = TrustParameter {
    name: "TrustedAccounts",
    condition: "HasTrustedAccounts",
    variable: "trusted_accounts",
    description: "ARNs of accounts (arn:aws:iam::ID:root) whose principals may publish too, if they may assume the roles",
};

/// The parameters of a template.
pub(super) const PARAMETERS: [TrustParameter; 3] = [PRINCIPALS, HOMES, ACCOUNTS];

const ACTIONS: [&str; 2] = ["sts:AssumeRole", "sts:TagSession"];

/// A parameter with a list of ARNs, empty by default.
pub(super) struct TrustParameter {
    /// Its name in CloudFormation.
    pub(super) name: &'static str,
    /// The condition in CloudFormation that it is set.
    condition: &'static str,
    /// Its name in Terraform.
    variable: &'static str,
    description: &'static str,
}

impl TrustParameter {
    /// Its definition in CloudFormation.
    pub(super) fn definition(&self) -> Value {
        json!({ "Type": "CommaDelimitedList", "Default": "", "Description": self.description })
    }

    /// The name and the definition of its condition.
    pub(super) fn condition(&self) -> (&'static str, Value) {
        let joined = json!({ "Fn::Join": ["", { "Ref": self.name }] });
        (self.condition, json!({ "Fn::Not": [{ "Fn::Equals": [joined, ""] }] }))
    }

    /// A value that depends on whether it is set.
    fn choose(&self, set: &Value, unset: &Value) -> Value {
        json!({ "Fn::If": [self.condition, set, unset] })
    }
}

/// The values of the parameters that trust these principals, and no others.
pub(crate) fn trust_parameters(people: &[TrustedArn], account: &str) -> Vec<(&'static str, String)> {
    let join = |arns: BTreeSet<String>| arns.into_iter().collect::<Vec<_>>().join(",");
    let (accounts, named): (Vec<&TrustedArn>, Vec<&TrustedArn>) = people.iter().partition(|arn| arn.is_account());
    let is_foreign = named.iter().any(|arn| arn.place().1 != account);
    let homes = named.iter().filter_map(|arn| arn.account_root()).filter(|_| is_foreign).collect();
    let text = |arns: Vec<&TrustedArn>| join(arns.into_iter().map(ToString::to_string).collect());
    vec![(PRINCIPALS.name, text(named)), (HOMES.name, join(homes)), (ACCOUNTS.name, text(accounts))]
}

/// The account's root, which stands for the account in a trust policy.
fn root(stack: &Stack) -> String {
    format!("arn:{}:iam::{}:root", stack.partition, stack.place.account())
}

/// The statements of a trust policy, each of which is there only where its parameter is set.
pub(super) fn conditional_statements(stack: &Stack) -> [Value; 2] {
    let homes = HOMES.choose(&json!({ "Ref": HOMES.name }), &json!(root(stack)));
    let people = json!({
        "Sid": "TrustPeople",
        "Effect": "Allow",
        "Principal": { "AWS": homes },
        "Action": ACTIONS,
        "Condition": { "ArnEquals": { "aws:PrincipalArn": { "Ref": PRINCIPALS.name } } },
    });
    let accounts = json!({
        "Sid": "TrustAccounts",
        "Effect": "Allow",
        "Principal": { "AWS": { "Ref": ACCOUNTS.name } },
        "Action": ACTIONS,
    });
    let none = json!({ "Ref": "AWS::NoValue" });
    [PRINCIPALS.choose(&people, &none), ACCOUNTS.choose(&accounts, &none)]
}

/// The definitions of the variables.
pub(super) fn variables(file: &mut HclBody) {
    for parameter in [PRINCIPALS, ACCOUNTS] {
        let mut body = HclBody::default();
        body.line("type", "list(string)");
        body.line("default", "[]");
        body.line("description", &quoted(parameter.description));
        file.block(&format!("variable {}", quoted(parameter.variable)), body);
    }
}

/// The statements of a trust policy, each of which is there only where its variable is set.
pub(super) fn dynamic_statements(stack: &Stack, document: &mut HclBody) {
    let mut condition = HclBody::default();
    condition.line("test", &quoted("ArnEquals"));
    condition.line("variable", &quoted("aws:PrincipalArn"));
    condition.line("values", "statement.value");
    let home = format!("\"arn:{}:iam::${{split(\":\", arn)[4]}}:root\"", stack.partition);
    document.comment("to trust these users and roles, and no other principal of their accounts");
    let homes = format!("distinct([for arn in statement.value : {home}])");
    dynamic_statement(&PRINCIPALS, "TrustPeople", &homes, Some(condition), document);
    document.comment("to trust principals of these accounts that may assume the role");
    dynamic_statement(&ACCOUNTS, "TrustAccounts", "statement.value", None, document);
}

fn dynamic_statement(
    parameter: &TrustParameter,
    sid: &str,
    identifiers: &str,
    condition: Option<HclBody>,
    document: &mut HclBody,
) {
    let mut principals = HclBody::default();
    principals.line("type", &quoted("AWS"));
    principals.line("identifiers", identifiers);
    let (mut content, mut dynamic) = (HclBody::default(), HclBody::default());
    content.line("sid", &quoted(sid));
    content.line("effect", &quoted("Allow"));
    content.list("actions", ACTIONS.map(quoted).to_vec());
    content.block("principals", principals);
    if let Some(condition) = condition {
        content.block("condition", condition);
    }
    let variable = parameter.variable;
    dynamic.line("for_each", &format!("length(var.{variable}) == 0 ? [] : [var.{variable}]"));
    dynamic.block("content", content);
    document.block("dynamic \"statement\"", dynamic);
}
