//! Trust policies: who may assume a role, and what would let others do so.
//!
//! The rules cover the kinds of mistakes that are public: roles that any repository on GitHub can assume (Datadog Security
//! Labs, Tinder, Rezonate), those that IAM Access Analyzer, parliament and cloudsplaining find, and what IAM refuses.

mod principal;
mod provider;
mod subject;

use serde_json::{Map, Value};

use super::super::statements::strings;
use super::conditions::{LintCondition, is_only_wildcards};
use super::{Linter, quoted};
use principal::{TrustedPrincipals, is_caller_key};
use provider::{FederatedProvider, audience_claim, demanded_claim, is_for_people};
use subject::{SubjectFlaw, subject_flaw};

const WEB_IDENTITY: &str = "sts:AssumeRoleWithWebIdentity";
const SAML: &str = "sts:AssumeRoleWithSAML";
const ASSUME: &str = "sts:AssumeRole";
/// Actions that go with each of the others. Source: Service Authorization Reference, AWS STS.
const WITH_ANY: [&str; 3] = ["sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext"];

impl Linter {
    pub(super) fn trust(
        &mut self,
        statement_pointer: &str,
        statement: &Map<String, Value>,
        allows: bool,
        conditions: &[LintCondition<'_>],
    ) {
        let pointer = format!("{statement_pointer}/Principal");
        let principals = self.principals(&pointer, statement);
        self.trust_actions(statement_pointer, statement, &principals);
        if !allows {
            return;
        }
        if statement.contains_key("NotPrincipal") {
            let pointer = format!("{statement_pointer}/NotPrincipal");
            self.warn(
                &pointer,
                "everyone except these principals may assume the role: name the principals in `Principal`",
            );
        }
        let restricts_caller = conditions.iter().any(|one| is_caller_key(one.key) && one.requires_value());
        if principals.anyone && !restricts_caller {
            let message = if conditions.is_empty() {
                "every AWS account may assume the role: name the principals"
            } else {
                "every AWS account may assume the role if it meets the conditions, which do not say who: name the principals"
            };
            self.warn(&pointer, message);
        }
        if !restricts_caller {
            for name in principals.aws.iter().filter(|name| !name.contains('/')) {
                self.note(
                    &pointer,
                    format!(
                        "{} trusts every user and role of the account that its own policies allow: if it is another organization's, require `sts:ExternalId`",
                        quoted(name)
                    ),
                );
            }
        }
        for condition in conditions.iter().filter(|one| one.is_on("sts:ExternalId")) {
            let is_open = |value: &&str| condition.has_wildcards() && value.contains(['*', '?']);
            if condition.values.iter().any(is_open) {
                self.warn(
                    &condition.pointer,
                    "an external id with a wildcard can be guessed: compare it with `StringEquals`",
                );
            }
        }
        if principals.providers.len() > 1 {
            self.warn(&pointer, "conditions are on the claims of one provider: write a statement for each provider");
        }
        match principals.providers.as_slice() {
            [FederatedProvider::OpenId(host)] => self.tokens(&pointer, host, conditions),
            [FederatedProvider::Saml] => {
                let keys = ["saml:aud", "saml:iss", "saml:sub"];
                let has = conditions.iter().any(|one| one.requires_value() && keys.iter().any(|key| one.is_on(key)));
                if !has {
                    self.warn(
                        &pointer,
                        "assertions for any recipient may assume the role: add a condition on `SAML:aud`",
                    );
                }
            }
            _ => {}
        }
    }

    /// Actions that are not of STS, and those that the principals cannot use.
    fn trust_actions(
        &mut self,
        statement_pointer: &str,
        statement: &Map<String, Value>,
        principals: &TrustedPrincipals<'_>,
    ) {
        let pointer = format!("{statement_pointer}/Action");
        let mut fitting = Vec::new();
        for provider in &principals.providers {
            fitting.push(match provider {
                FederatedProvider::OpenId(_) => ("an OpenID Connect provider", WEB_IDENTITY),
                FederatedProvider::Saml => ("a SAML provider", SAML),
            });
        }
        if !principals.aws.is_empty() {
            fitting.push(("a principal of an AWS account", ASSUME));
        }
        if !principals.services.is_empty() {
            fitting.push(("a service", ASSUME));
        }
        let actions = strings(statement, "Action");
        if statement.contains_key("NotAction") {
            let pointer = format!("{statement_pointer}/NotAction");
            self.warn(&pointer, "it allows all other ways to assume the role: name the action in `Action`");
            return;
        }
        let covers = |action: &str, known: &str| {
            let (action, known) = (action.to_ascii_lowercase(), known.to_ascii_lowercase());
            match action.split_once('*') {
                Some((start, "")) => known.starts_with(start),
                _ => action == known,
            }
        };
        for action in &actions {
            let is_sts = *action == "*" || action.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sts:"));
            if !is_sts && action.contains(':') {
                let message =
                    format!("{} is not of STS: a trust policy has `sts:AssumeRole…` actions only", quoted(action));
                self.error(&pointer, message);
            } else if is_sts && action.contains('*') {
                let message = format!("{} allows every way to assume the role: name the action", quoted(action));
                self.warn(&pointer, message);
            } else if is_sts && !fitting.is_empty() && !WITH_ANY.iter().any(|known| covers(action, known)) {
                let fits = fitting.iter().any(|(_, known)| covers(action, known));
                if let (false, Some((who, known))) = (fits, fitting.first()) {
                    self.error(
                        &pointer,
                        format!("{} has no effect: {who} assumes a role by `{known}`; write that", quoted(action)),
                    );
                }
            }
        }
    }

    /// Conditions on the claims of the tokens of an OpenID Connect provider.
    fn tokens(&mut self, pointer: &str, host: &str, conditions: &[LintCondition<'_>]) {
        let (subject_key, audience) = (format!("{host}:sub"), audience_claim(host));
        let audience_key = format!("{host}:{audience}");
        let demanded = demanded_claim(host);
        self.foreign_claims(host, conditions);
        let requires = |key: &str| conditions.iter().any(|one| one.is_on(key) && one.requires_value());
        for key in [&subject_key, &audience_key] {
            for condition in conditions.iter().filter(|one| one.is_on(key) && !requires(key)) {
                if let Some(why) = condition.why_open() {
                    self.warn(&condition.pointer, format!("it does not restrict who may assume the role: {why}"));
                }
            }
        }
        let has_key = |key: &str| conditions.iter().any(|one| one.is_on(key));
        if !requires(&subject_key) && !is_for_people(host) {
            let message = format!(
                "every token of this provider may assume the role: add a condition on its `sub`, {} with `StringEquals` or `StringLike`",
                quoted(&subject_key)
            );
            if demanded == Some("sub") && !has_key(&subject_key) {
                self.error(pointer, format!("{message}; IAM refuses the document without it"));
            } else {
                self.warn(pointer, message);
            }
        }
        if !requires(&audience_key) {
            let message = format!(
                "tokens for any audience may assume the role: add a condition on `{audience}`, {}",
                quoted(&audience_key)
            );
            if demanded == Some("aud") && !has_key(&audience_key) {
                self.error(pointer, format!("{message}; IAM refuses the document without it"));
            } else {
                self.warn(pointer, message);
            }
        }
        for condition in conditions.iter().filter(|one| one.is_on(&audience_key) && one.requires_value()) {
            let is_open = |value: &&&str| condition.has_wildcards() && value.starts_with(['*', '?']);
            if let Some(value) = condition.values.iter().find(is_open) {
                let message = format!("{} matches audiences of others: write the audience in full", quoted(value));
                self.warn(&condition.pointer, message);
            }
        }
        for condition in conditions.iter().filter(|one| one.is_on(&subject_key) && one.requires_value()) {
            self.subjects(host, condition);
        }
    }

    /// Claims that are not of the provider, so that the condition is never met.
    fn foreign_claims(&mut self, host: &str, conditions: &[LintCondition<'_>]) {
        for condition in conditions {
            let Some((name, claim)) = condition.key.rsplit_once(':') else { continue };
            let is_claim = matches!(claim.to_ascii_lowercase().as_str(), "sub" | "aud" | "amr" | "oaud" | "azp");
            if is_claim && !name.eq_ignore_ascii_case(host) {
                self.error(
                    &condition.pointer,
                    format!(
                        "{} is not a key of this provider's tokens, so the condition is never met: write {}",
                        quoted(condition.key),
                        quoted(&format!("{host}:{claim}"))
                    ),
                );
            }
        }
    }

    fn subjects(&mut self, host: &str, condition: &LintCondition<'_>) {
        let is_pattern = condition.has_wildcards();
        let mut flaws: Vec<(&str, SubjectFlaw)> = Vec::new();
        for value in condition.values.iter().filter(|value| !is_only_wildcards(value)) {
            // A wildcard under an exact operator is reported already.
            if is_pattern || !value.contains(['*', '?']) {
                flaws.extend(subject_flaw(host, value, is_pattern).map(|flaw| (*value, flaw)));
            }
        }
        // A list with both forms is for repositories of both kinds.
        let has_ids =
            condition.values.iter().any(|value| value.split(':').nth(1).is_some_and(|name| name.contains('@')));
        for (value, flaw) in flaws {
            let message = flaw.message(host, value);
            match flaw {
                SubjectFlaw::OldForm if has_ids => {}
                flaw if flaw.is_note() => self.note(&condition.pointer, message),
                _ => self.warn(&condition.pointer, message),
            }
        }
    }
}
