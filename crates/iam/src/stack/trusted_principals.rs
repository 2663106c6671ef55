//! The parameter of a template with the people and CI roles that may assume the publisher roles, beside the function.
//!
//! `tidegate install --trust` writes the same statement, [`trust_people`](crate::policies::trust_people).

use serde_json::{Value, json};

use super::model::Stack;
use crate::document::terraform::{HclBody, quoted};

/// The parameter in CloudFormation.
pub(super) const PARAMETER: &str = "TrustedPrincipals";

/// The condition in CloudFormation that the parameter is set.
const CONDITION: &str = "HasTrustedPrincipals";

/// The variable in Terraform.
const VARIABLE: &str = "trusted_principals";

const DESCRIPTION: &str = "ARNs of users and roles of this account that may publish too, such as people and CI jobs";

const SID: &str = "TrustPeople";

const ACTIONS: [&str; 2] = ["sts:AssumeRole", "sts:TagSession"];

/// The account's root, which stands for the account in a trust policy.
fn root(stack: &Stack) -> String {
    format!("arn:{}:iam::{}:root", stack.partition, stack.place.account())
}

/// The definition of the parameter.
pub(super) fn parameter() -> Value {
    json!({ "Type": "CommaDelimitedList", "Default": "", "Description": DESCRIPTION })
}

/// The name and definition of the condition.
pub(super) fn condition() -> (&'static str, Value) {
    let joined = json!({ "Fn::Join": ["", { "Ref": PARAMETER }] });
    (CONDITION, json!({ "Fn::Not": [{ "Fn::Equals": [joined, ""] }] }))
}

/// The statement of a trust policy, which is there only where the parameter is set.
pub(super) fn conditional_statement(stack: &Stack) -> Value {
    let statement = json!({
        "Sid": SID,
        "Effect": "Allow",
        "Principal": { "AWS": root(stack) },
        "Action": ACTIONS,
        "Condition": { "ArnEquals": { "aws:PrincipalArn": { "Ref": PARAMETER } } },
    });
    json!({ "Fn::If": [CONDITION, statement, { "Ref": "AWS::NoValue" }] })
}

/// The definition of the variable.
pub(super) fn variable(file: &mut HclBody) {
    let mut body = HclBody::default();
    body.line("type", "list(string)");
    body.line("default", "[]");
    body.line("description", &quoted(DESCRIPTION));
    file.block(&format!("variable {}", quoted(VARIABLE)), body);
}

/// The statement of a trust policy, which is there only where the variable is set.
pub(super) fn dynamic_statement(stack: &Stack, document: &mut HclBody) {
    let (mut principals, mut condition) = (HclBody::default(), HclBody::default());
    principals.line("type", &quoted("AWS"));
    principals.list("identifiers", vec![quoted(&root(stack))]);
    condition.line("test", &quoted("ArnEquals"));
    condition.line("variable", &quoted("aws:PrincipalArn"));
    condition.line("values", "statement.value");
    let (mut content, mut dynamic) = (HclBody::default(), HclBody::default());
    content.line("sid", &quoted(SID));
    content.line("effect", &quoted("Allow"));
    content.list("actions", ACTIONS.map(quoted).to_vec());
    content.block("principals", principals);
    content.block("condition", condition);
    dynamic.line("for_each", &format!("length(var.{VARIABLE}) == 0 ? [] : [var.{VARIABLE}]"));
    dynamic.block("content", content);
    document.comment("to trust these users and roles, and no other principal of the account");
    document.block("dynamic \"statement\"", dynamic);
}
