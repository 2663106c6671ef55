//! Policy documents: the JSON of identity policies (what somebody may do) and of trust policies
//! (who may assume a role), parsed strictly into values that can be evaluated. It owns what is well
//! formed; `evaluate` owns what it means.
//!
//! The grammar is that of the IAM User Guide, "Grammar of the IAM JSON policy language". Everything
//! that isn't understood is an error: a stand-in that ignored an element would allow, or deny, what
//! AWS doesn't.

use std::collections::BTreeSet;

use serde::Deserialize;
use thiserror::Error;

use super::condition::{Condition, ConditionError};
use super::context::Context;
use super::json::{OneOrMany, Pairs};
use super::pattern::{ArnPattern, Pattern, PatternError, Syntax};
use super::principal::{PrincipalError, Principals, WrittenPrincipals};

/// Why a policy document is malformed; AWS answers `MalformedPolicyDocument`.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// Not JSON, an unknown or repeated element, or one of the wrong type.
    #[error("syntax errors in policy: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A version that doesn't exist.
    #[error("`{0}` isn't a policy version: write `2012-10-17`")]
    Version(String),
    /// No statement at all.
    #[error("the policy has no statement")]
    NoStatement,
    /// A statement identifier with other characters than letters and digits.
    #[error("statement IDs (SID) must be alpha-numeric, but `{0}` isn't")]
    Sid(String),
    /// Two statements with one identifier.
    #[error("statement IDs (SID) in a single policy must be unique, but `{0}` occurs twice")]
    RepeatedSid(String),
    /// An effect other than `Allow` and `Deny`.
    #[error("`{0}` isn't an effect: write `Allow` or `Deny`")]
    Effect(String),
    /// Neither or both of two elements of which a statement needs exactly one.
    #[error("a statement must contain exactly one of `{0}` and `{1}`")]
    ExactlyOne(&'static str, &'static str),
    /// An empty list where at least one value is needed.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// An element that this kind of policy can't have.
    #[error("the policy has prohibited field `{0}`")]
    Prohibited(&'static str),
    /// An action without a vendor.
    #[error("`{0}` isn't an action: actions must be prefaced by a vendor, as in `s3:GetObject`")]
    Action(String),
    /// An action in a trust policy that isn't one of STS's.
    #[error("a trust policy can only specify STS actions, but it says `{0}`")]
    TrustAction(String),
    /// A resource that is neither `*` nor an ARN.
    #[error("resource `{0}` must be in ARN format or \"*\"")]
    Resource(String),
    /// A policy variable that isn't well formed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A condition that isn't well formed.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// A principal that isn't well formed.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
}

/// What a matching statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It grants, unless something denies.
    Allow,
    /// It denies, whatever else grants.
    Deny,
}

/// A list of patterns that has to match (`Action`, `Resource`) or must not (`NotAction`,
/// `NotResource`).
#[derive(Debug, Clone, PartialEq)]
enum Selector<P> {
    Any(Vec<P>),
    None(Vec<P>),
}

impl<P> Selector<P> {
    fn selects(&self, matches: impl Fn(&P) -> bool) -> bool {
        match self {
            Self::Any(patterns) => patterns.iter().any(matches),
            Self::None(patterns) => !patterns.iter().any(matches),
        }
    }
}

/// What statements of both kinds of policy have.
#[derive(Debug, Clone, PartialEq)]
struct Clause {
    effect: Effect,
    actions: Selector<Pattern>,
    conditions: Vec<Condition>,
}

impl Clause {
    fn applies(&self, action: &str, context: &Context) -> bool {
        self.actions.selects(|pattern| pattern.matches_ignoring_case(action, context))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

/// What somebody may do: attached to a user or a role, a permissions boundary, or a session policy.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityPolicy {
    statements: Vec<(Clause, Selector<ArnPattern>)>,
}

/// Who may assume a role.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustPolicy {
    statements: Vec<(Clause, Principals)>,
}

impl IdentityPolicy {
    /// Reads an identity policy: every statement has a resource, none a principal.
    ///
    /// # Errors
    /// For anything that the grammar doesn't know or the stand-in can't judge.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let document = read(text)?;
        let mut statements = Vec::new();
        for written in document.statement.into_iter() {
            if written.principal.is_some() {
                return Err(DocumentError::Prohibited("Principal"));
            }
            let resources = match (&written.resource, &written.not_resource) {
                (Some(resources), None) => Selector::Any(arns(resources, "Resource", document.variables)?),
                (None, Some(resources)) => Selector::None(arns(resources, "NotResource", document.variables)?),
                _ => return Err(DocumentError::ExactlyOne("Resource", "NotResource")),
            };
            statements.push((clause(&written, document.variables)?, resources));
        }
        Ok(Self { statements })
    }

    /// The effects of the statements that speak about `action` on `resource`.
    pub(super) fn effects(&self, action: &str, resource: &str, context: &Context) -> impl Iterator<Item = Effect> {
        self.statements
            .iter()
            .filter(move |(clause, resources)| {
                clause.applies(action, context) && resources.selects(|pattern| pattern.matches(resource, context))
            })
            .map(|(clause, _)| clause.effect)
    }
}

impl TrustPolicy {
    /// Reads a trust policy: every statement has a principal, none a resource, and all actions are
    /// of STS.
    ///
    /// # Errors
    /// For anything that the grammar doesn't know or the stand-in can't judge.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let document = read(text)?;
        let mut statements = Vec::new();
        for written in document.statement.into_iter() {
            if written.resource.is_some() {
                return Err(DocumentError::Prohibited("Resource"));
            }
            if written.not_resource.is_some() {
                return Err(DocumentError::Prohibited("NotResource"));
            }
            let named = written.action.iter().chain(&written.not_action).flat_map(OneOrMany::iter);
            if let Some(other) = named.into_iter().find(|action| !is_sts(action)) {
                return Err(DocumentError::TrustAction(other.clone()));
            }
            let Some(principals) = &written.principal else {
                return Err(DocumentError::ExactlyOne("Principal", "NotPrincipal"));
            };
            statements.push((clause(&written, document.variables)?, Principals::parse(principals)?));
        }
        Ok(Self { statements })
    }

    /// The effects of the statements that speak about `action` for the principal with these ARNs.
    pub(super) fn effects(&self, action: &str, arns: &[String], context: &Context) -> impl Iterator<Item = Effect> {
        self.statements
            .iter()
            .filter(move |(clause, principals)| clause.applies(action, context) && principals.name_any(arns))
            .map(|(clause, _)| clause.effect)
    }

    /// The ARNs of users and roles that the policy names.
    pub(super) fn named_arns(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|(_, principals)| principals.arns())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenDocument {
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<WrittenStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WrittenStatement {
    sid: Option<String>,
    effect: String,
    principal: Option<WrittenPrincipals>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    condition: Option<Pairs<Pairs<OneOrMany<Scalar>>>>,
}

/// Values of conditions may be written as strings, numbers or booleans.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Bool(bool),
    Number(serde_json::Number),
}

struct ReadDocument {
    variables: bool,
    statement: OneOrMany<WrittenStatement>,
}

fn read(text: &str) -> Result<ReadDocument, DocumentError> {
    let written: WrittenDocument = serde_json::from_str(text)?;
    let variables = match written.version.as_deref() {
        Some("2012-10-17") => true,
        // The default of a document that doesn't say, by the guide.
        Some("2008-10-17") | None => false,
        Some(other) => return Err(DocumentError::Version(other.to_owned())),
    };
    let mut sids = BTreeSet::new();
    for sid in written.statement.iter().filter_map(|statement| statement.sid.as_deref()) {
        if !sid.chars().all(|character| character.is_ascii_alphanumeric()) {
            return Err(DocumentError::Sid(sid.to_owned()));
        }
        if !sid.is_empty() && !sids.insert(sid) {
            return Err(DocumentError::RepeatedSid(sid.to_owned()));
        }
    }
    if written.statement.iter().next().is_none() {
        return Err(DocumentError::NoStatement);
    }
    Ok(ReadDocument { variables, statement: written.statement })
}

fn clause(written: &WrittenStatement, variables: bool) -> Result<Clause, DocumentError> {
    let effect = match written.effect.as_str() {
        "Allow" => Effect::Allow,
        "Deny" => Effect::Deny,
        other => return Err(DocumentError::Effect(other.to_owned())),
    };
    let actions = match (&written.action, &written.not_action) {
        (Some(actions), None) => Selector::Any(action_patterns(actions, "Action")?),
        (None, Some(actions)) => Selector::None(action_patterns(actions, "NotAction")?),
        _ => return Err(DocumentError::ExactlyOne("Action", "NotAction")),
    };
    let mut conditions = Vec::new();
    for (operator, keys) in written.condition.iter().flat_map(Pairs::iter) {
        for (key, values) in keys.iter() {
            let values: Vec<String> = values
                .iter()
                .map(|value| match value {
                    Scalar::Text(text) => text.clone(),
                    Scalar::Bool(value) => value.to_string(),
                    Scalar::Number(number) => number.to_string(),
                })
                .collect();
            conditions.push(Condition::parse(operator, key, &values, variables)?);
        }
    }
    Ok(Clause { effect, actions, conditions })
}

fn action_patterns(actions: &OneOrMany<String>, element: &'static str) -> Result<Vec<Pattern>, DocumentError> {
    let patterns = actions
        .iter()
        .map(|action| {
            let vendor = action.split_once(':').map(|(vendor, name)| {
                !vendor.is_empty() && !name.is_empty() && vendor.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            });
            if action != "*" && vendor != Some(true) {
                return Err(DocumentError::Action(action.clone()));
            }
            Ok(Pattern::parse(action, Syntax::Wildcards)?)
        })
        .collect::<Result<Vec<_>, DocumentError>>()?;
    if patterns.is_empty() { Err(DocumentError::Empty(element)) } else { Ok(patterns) }
}

fn arns(
    resources: &OneOrMany<String>,
    element: &'static str,
    variables: bool,
) -> Result<Vec<ArnPattern>, DocumentError> {
    let syntax = if variables { Syntax::WildcardsAndVariables } else { Syntax::Wildcards };
    let patterns = resources
        .iter()
        .map(|resource| {
            if resource != "*" && !resource.starts_with("arn:") {
                return Err(DocumentError::Resource(resource.clone()));
            }
            Ok(ArnPattern::parse(resource, syntax)?)
        })
        .collect::<Result<Vec<_>, DocumentError>>()?;
    if patterns.is_empty() { Err(DocumentError::Empty(element)) } else { Ok(patterns) }
}

fn is_sts(action: &str) -> bool {
    action.split_once(':').is_some_and(|(vendor, _)| vendor.eq_ignore_ascii_case("sts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(statement: &str, action: &str, resource: &str, context: &Context) -> Vec<Effect> {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        IdentityPolicy::parse(&text).expect("a policy").effects(action, resource, context).collect()
    }

    #[test]
    fn one_statement_or_many_one_value_or_many() {
        let context = Context::default();
        let one = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}"#;
        let many = r#"[{"Sid":"A","Effect":"Allow","Action":["s3:Get*"],"Resource":["arn:aws:s3:::a/*","arn:aws:s3:::b/*"]},
                       {"Sid":"B","Effect":"Deny","NotAction":"s3:List*","NotResource":"arn:aws:s3:::a/*"}]"#;
        assert_eq!(effects(one, "S3:getobject", "arn:aws:s3:::a/x", &context), [Effect::Allow]);
        assert_eq!(effects(one, "s3:GetObject", "arn:aws:s3:::A/x", &context), []);
        assert_eq!(effects(many, "s3:GetObject", "arn:aws:s3:::a/x", &context), [Effect::Allow]);
        assert_eq!(effects(many, "s3:GetObject", "arn:aws:s3:::b/x", &context), [Effect::Allow, Effect::Deny]);
        assert_eq!(effects(many, "s3:ListBucket", "arn:aws:s3:::b", &context), []);
    }

    #[test]
    fn conditions_of_one_statement_all_have_to_hold() {
        let statement = r#"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*",
            "Condition":{"StringLike":{"s3:prefix":["docs/*","docs"]},"NumericLessThanEquals":{"s3:max-keys":1000},"Bool":{"aws:SecureTransport":true}}}"#;
        let context = |prefix: &str, keys: &str| {
            Context::default().with("s3:prefix", prefix).with("s3:max-keys", keys).with("aws:SecureTransport", "true")
        };
        let action = "s3:ListBucket";
        assert_eq!(effects(statement, action, "arn:aws:s3:::a", &context("docs/x", "1000")), [Effect::Allow]);
        assert_eq!(effects(statement, action, "arn:aws:s3:::a", &context("docs2/x", "1000")), []);
        assert_eq!(effects(statement, action, "arn:aws:s3:::a", &context("docs/x", "1001")), []);
    }

    #[test]
    fn variables_work_only_in_documents_of_2012() {
        let context = Context::default().with("aws:username", "lea");
        let statement = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*"}"#;
        for (version, expected) in [(r#""Version":"2012-10-17","#, 1), (r#""Version":"2008-10-17","#, 0), ("", 0)] {
            let policy = IdentityPolicy::parse(&format!(r#"{{{version}"Statement":{statement}}}"#)).expect("a policy");
            assert_eq!(policy.effects("s3:GetObject", "arn:aws:s3:::home/lea/x", &context).count(), expected);
        }
    }

    /// Rows: a document, and what the message has to say.
    #[test]
    fn what_is_not_understood_is_refused() {
        let base = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"*""#;
        let rows = [
            ("{".to_owned(), "syntax errors in policy"),
            ("{}".to_owned(), "missing field `Statement`"),
            (r#"{"Statement":[]}"#.to_owned(), "no statement"),
            (format!(r#"{{"Version":"2012-10-18","Statement":{{{base}}}}}"#), "isn't a policy version"),
            (format!(r#"{{"version":"2012-10-17","Statement":{{{base}}}}}"#), "unknown field `version`"),
            (format!(r#"{{"Statement":{{{base},"Resources":"*"}}}}"#), "unknown field `Resources`"),
            (format!(r#"{{"Statement":{{{base},"Effect":"Deny"}}}}"#), "duplicate field `Effect`"),
            (format!(r#"{{"Statement":{{{base},"NotPrincipal":"*"}}}}"#), "unknown field `NotPrincipal`"),
            (format!(r#"{{"Statement":{{{base},"Principal":"*"}}}}"#), "prohibited field `Principal`"),
            (format!(r#"{{"Statement":{{{base},"Sid":"a b"}}}}"#), "must be alpha-numeric"),
            (format!(r#"{{"Statement":[{{{base},"Sid":"a"}},{{{base},"Sid":"a"}}]}}"#), "must be unique"),
            (format!(r#"{{"Statement":{{{base},"NotAction":"s3:*"}}}}"#), "exactly one of `Action` and `NotAction`"),
            (format!(r#"{{"Statement":{{{base},"NotResource":"*"}}}}"#), "exactly one of `Resource`"),
            (format!(r#"{{"Statement":{{{base},"Condition":{{"IpAddress":{{"aws:SourceIp":"10.0.0.0/8"}}}}}}}}"#), "isn't supported"),
            (
                format!(r#"{{"Statement":{{{base},"Condition":{{"StringLike":{{"s3:prefix":"a"}},"StringLike":{{"s3:prefix":"b"}}}}}}}}"#),
                "`StringLike` occurs twice",
            ),
            (r#"{"Statement":{"Effect":"allow","Action":"s3:*","Resource":"*"}}"#.to_owned(), "isn't an effect"),
            (r#"{"Statement":{"Effect":"Allow","Action":"GetObject","Resource":"*"}}"#.to_owned(), "prefaced by a vendor"),
            (r#"{"Statement":{"Effect":"Allow","Action":[],"Resource":"*"}}"#.to_owned(), "`Action` is empty"),
            (r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"site/*"}}"#.to_owned(), "ARN format"),
            (r#"{"Statement":{"Effect":"Allow","Action":"s3:*"}}"#.to_owned(), "exactly one of `Resource`"),
            (
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${a"}}"#.to_owned(),
                "isn't closed",
            ),
        ];
        for (document, expected) in rows {
            let message = IdentityPolicy::parse(&document).expect_err(&document).to_string();
            assert!(message.contains(expected), "{document} says `{message}`, not `{expected}`");
        }
    }

    #[test]
    fn trust_policies_name_principals_and_actions_of_sts() {
        let parse =
            |statement: &str| TrustPolicy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#));
        let root = r#"{"AWS":"arn:aws:iam::000000000000:root"}"#;
        let policy =
            parse(&format!(r#"{{"Effect":"Allow","Principal":{root},"Action":"sts:AssumeRole"}}"#)).expect("a policy");
        let arns = ["arn:aws:iam::000000000000:root".to_owned()];
        assert_eq!(policy.effects("sts:AssumeRole", &arns, &Context::default()).count(), 1);
        assert_eq!(policy.effects("sts:TagSession", &arns, &Context::default()).count(), 0);
        for (statement, expected) in [
            (format!(r#"{{"Effect":"Allow","Principal":{root},"Action":"s3:GetObject"}}"#), "only specify STS actions"),
            (format!(r#"{{"Effect":"Allow","Principal":{root},"Action":"*"}}"#), "only specify STS actions"),
            (
                format!(r#"{{"Effect":"Allow","Principal":{root},"Action":"sts:AssumeRole","Resource":"*"}}"#),
                "prohibited field `Resource`",
            ),
            (r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#.to_owned(), "exactly one of `Principal`"),
        ] {
            let message = parse(&statement).expect_err(&statement).to_string();
            assert!(message.contains(expected), "{statement} says `{message}`, not `{expected}`");
        }
    }
}
