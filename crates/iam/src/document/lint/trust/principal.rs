//! Principals of trust policies: what IAM refuses, and what trusts more than it should.
//!
//! Source: IAM user guide, "AWS JSON policy elements: Principal".

use serde_json::{Map, Value};

use super::super::super::statements::strings;
use super::super::{Linter, quoted};
use super::provider::{FederatedProvider, is_account, provider_of};

/// The principals of a statement.
#[derive(Debug, Default)]
pub(super) struct TrustedPrincipals<'a> {
    /// `"*"` or `{"AWS": "*"}`.
    pub(super) anyone: bool,
    pub(super) aws: Vec<&'a str>,
    pub(super) services: Vec<&'a str>,
    pub(super) providers: Vec<FederatedProvider<'a>>,
}

/// Condition keys that say who the caller is.
const CALLER_KEYS: [&str; 10] = [
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalServiceName",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
    "aws:userid",
    "sts:ExternalId",
];

pub(super) fn is_caller_key(key: &str) -> bool {
    CALLER_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
        || key.get(..17).is_some_and(|start| start.eq_ignore_ascii_case("aws:PrincipalTag/"))
}

impl Linter {
    /// Reports principals that IAM refuses, and returns the others.
    pub(super) fn principals<'a>(&mut self, pointer: &str, statement: &'a Map<String, Value>) -> TrustedPrincipals<'a> {
        let mut principals = TrustedPrincipals::default();
        let kinds = match statement.get("Principal") {
            None => return principals,
            Some(Value::String(text)) if text == "*" => {
                principals.anyone = true;
                return principals;
            }
            Some(Value::Object(kinds)) => kinds,
            Some(_) => {
                self.error(pointer, "write `{\"AWS\": …}`, `{\"Service\": …}` or `{\"Federated\": …}`");
                return principals;
            }
        };
        if kinds.is_empty() {
            self.error(pointer, "it is empty: name who may assume the role");
        }
        for kind in kinds.keys() {
            let names = strings(kinds, kind);
            if names.is_empty() {
                self.error(pointer, format!("{} is empty: name who may assume the role", quoted(kind)));
            }
            match kind.as_str() {
                "AWS" => {
                    for name in names {
                        principals.anyone |= name == "*";
                        if name != "*" && self.aws_principal(pointer, name) {
                            principals.aws.push(name);
                        }
                    }
                }
                "Service" => {
                    for name in names {
                        let is_service = [".amazonaws.com", ".amazonaws.com.cn", ".aws.internal"]
                            .iter()
                            .any(|end| name.strip_suffix(end).is_some_and(|name| !name.is_empty()));
                        if !is_service || name.contains(['*', '?']) {
                            let message = format!("{} is no service: write `NAME.amazonaws.com`", quoted(name));
                            self.error(pointer, message);
                        }
                        principals.services.push(name);
                    }
                }
                "Federated" => {
                    for name in names {
                        match provider_of(name) {
                            Some(provider) => principals.providers.push(provider),
                            None => {
                                self.error(
                                    pointer,
                                    format!(
                                        "{} is no identity provider: write `arn:aws:iam::ACCOUNT:oidc-provider/HOST` or `arn:aws:iam::ACCOUNT:saml-provider/NAME`",
                                        quoted(name)
                                    ),
                                );
                                // An example with a placeholder for the account.
                                let host = name.split_once(":oidc-provider/").map(|(_, host)| host);
                                principals.providers.extend(host.map(FederatedProvider::OpenId));
                            }
                        }
                    }
                }
                "CanonicalUser" => {
                    self.error(
                        pointer,
                        "`CanonicalUser` is for bucket policies: write `AWS` with an ARN or account id",
                    );
                }
                other => {
                    let message = format!("{} is no kind of principal: use AWS, Service, Federated", quoted(other));
                    self.error(pointer, message);
                }
            }
        }
        principals
    }

    /// Whether IAM accepts a principal of the kind `AWS`.
    fn aws_principal(&mut self, pointer: &str, name: &str) -> bool {
        if is_account(name) {
            return true;
        }
        let is_id = name.len() >= 16 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if is_id && ["AIDA", "AROA"].iter().any(|start| name.starts_with(start)) {
            let message = format!(
                "{} is the id of a deleted user or role: write the ARN of a principal that exists",
                quoted(name)
            );
            self.error(pointer, message);
            return false;
        }
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        let problem = match parts.as_slice() {
            _ if name.contains(['*', '?']) && !name.contains("${") => {
                "principals have no wildcards: name the account, and restrict it by a condition on `aws:PrincipalArn`"
            }
            ["arn", _, "iam" | "sts", "", account, resource] if is_account(account) => {
                let kind = resource.split('/').next().unwrap_or(resource);
                match kind {
                    "root" | "user" | "role" | "assumed-role" | "federated-user"
                        if resource.len() > kind.len() || kind == "root" =>
                    {
                        return true;
                    }
                    "group" => "a group is no principal: name its users, or a role that they assume",
                    "oidc-provider" | "saml-provider" => "an identity provider is a principal of the kind `Federated`",
                    "instance-profile" => "an instance profile is no principal: name its role",
                    _ => "write the ARN of an account, a user or a role",
                }
            }
            _ if name.ends_with(".amazonaws.com") => "a service is a principal of the kind `Service`",
            _ => "write an account id of 12 digits, or the ARN of an account, a user or a role",
        };
        self.error(pointer, format!("{} cannot be trusted: {problem}", quoted(name)));
        false
    }
}
