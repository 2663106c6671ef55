//! The `Principal` element of trust policies.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use thiserror::Error;

use super::json::{OneOrMany, Pairs};

/// Why a `Principal` element cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PrincipalError {
    /// A kind other than `AWS`, `Service`, `Federated` and `CanonicalUser`.
    #[error("unknown kind of principal `{0}`; use `AWS`, `Service` or `Federated`")]
    Kind(String),
    /// Not an account, an ARN or `*`.
    #[error("invalid principal in policy: \"AWS\":\"{0}\"")]
    Aws(String),
    /// A kind without a principal.
    #[error("the principal `{0}` is empty")]
    Empty(String),
}

/// The element in JSON: `"*"`, or kinds with one or more names each.
#[derive(Debug)]
pub(super) enum PrincipalsJson {
    Any,
    Kinds(Pairs<OneOrMany<String>>),
}

impl<'de> Deserialize<'de> for PrincipalsJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PrincipalForm;
        impl<'de> Visitor<'de> for PrincipalForm {
            type Value = PrincipalsJson;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("\"*\" or an object of principals")
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Self::Value, E> {
                match value {
                    "*" => Ok(PrincipalsJson::Any),
                    other => Err(E::custom(format_args!("invalid principal in policy: \"{other}\""))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let kinds = Pairs::deserialize(MapAccessDeserializer::new(map)).map_err(A::Error::custom)?;
                Ok(PrincipalsJson::Kinds(kinds))
            }
        }
        deserializer.deserialize_any(PrincipalForm)
    }
}

/// The principals of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Principals {
    any: bool,
    /// ARNs. An account written as a number is stored as the ARN of its root.
    arns: Vec<String>,
    /// Identity providers, by ARN or name.
    federated: Vec<String>,
    /// AWS services, such as `cloudfront.amazonaws.com`.
    services: Vec<String>,
}

impl Principals {
    pub(super) fn parse(written: &PrincipalsJson) -> Result<Self, PrincipalError> {
        let mut principals = Self { any: false, arns: Vec::new(), federated: Vec::new(), services: Vec::new() };
        match written {
            PrincipalsJson::Any => principals.any = true,
            PrincipalsJson::Kinds(kinds) => {
                for (kind, names) in kinds.iter() {
                    if names.iter().next().is_none() {
                        return Err(PrincipalError::Empty(kind.to_owned()));
                    }
                    match kind {
                        "AWS" => names.iter().try_for_each(|name| principals.add_aws(name))?,
                        "Federated" => principals.federated.extend(names.iter().cloned()),
                        "Service" => principals.services.extend(names.iter().cloned()),
                        // No caller of the emulator has such an ID.
                        "CanonicalUser" => {}
                        other => return Err(PrincipalError::Kind(other.to_owned())),
                    }
                }
            }
        }
        Ok(principals)
    }

    fn add_aws(&mut self, name: &str) -> Result<(), PrincipalError> {
        let is_account = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
        if name == "*" {
            self.any = true;
        } else if is_account {
            self.arns.push(format!("arn:aws:iam::{name}:root"));
        } else if (name.starts_with("arn:aws:iam::") || name.starts_with("arn:aws:sts::"))
            && name.split(':').count() == 6
            && !name.contains(['*', '?'])
        {
            self.arns.push(name.to_owned());
        } else {
            return Err(PrincipalError::Aws(name.to_owned()));
        }
        Ok(())
    }

    /// Whether one of the caller's ARNs is named. A caller has several: itself, the role it assumed, its account.
    pub(super) fn name_any(&self, arns: &[String]) -> bool {
        self.any || self.arns.iter().chain(&self.federated).any(|named| arns.contains(named))
    }

    /// Whether a service is named.
    pub(super) fn name_service(&self, service: &str) -> bool {
        self.any || self.services.iter().any(|named| named == service)
    }

    pub(super) fn federated(&self) -> &[String] {
        &self.federated
    }

    pub(super) fn arns(&self) -> impl Iterator<Item = &str> {
        self.arns.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Principals, String> {
        let written: PrincipalsJson = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Principals::parse(&written).map_err(|error| error.to_string())
    }

    #[test]
    fn accepts_an_account_as_a_number_or_as_its_root() {
        let root = ["arn:aws:iam::000000000000:root".to_owned()];
        let other = ["arn:aws:iam::111111111111:root".to_owned()];
        for text in [r#"{"AWS":"000000000000"}"#, r#"{"AWS":["arn:aws:iam::000000000000:root"]}"#] {
            assert!(parse(text).expect(text).name_any(&root));
            assert!(!parse(text).expect(text).name_any(&other));
        }
        for text in [r#""*""#, r#"{"AWS":"*"}"#] {
            assert!(parse(text).expect(text).name_any(&other));
        }
        let service = parse(r#"{"Service":"lambda.amazonaws.com"}"#).expect("principals");
        assert!(!service.name_any(&root));
        assert!(service.name_service("lambda.amazonaws.com") && !service.name_service("cloudfront.amazonaws.com"));
    }

    #[test]
    fn rejects_invalid_principals() {
        for (text, expected) in [
            (r#""lea""#, "invalid principal"),
            (r#"{"AWS":"lea"}"#, "invalid principal"),
            (r#"{"AWS":"arn:aws:iam::000000000000:role/*"}"#, "invalid principal"),
            (r#"{"AWS":[]}"#, "is empty"),
            (r#"{"Aws":"*"}"#, "unknown kind of principal"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(expected), "{text} says `{message}`");
        }
    }
}
