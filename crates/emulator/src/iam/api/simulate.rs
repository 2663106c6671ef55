//! `SimulatePrincipalPolicy`: the permissions of a user, role or group, by the same evaluation as real requests. The
//! context consists only of the entries in the call.
//!
//! As the API Reference specifies, there is one result for each action, with the strictest decision over all resources,
//! and in it one for each resource. Deviations: the result of an action is always for the resource `*`, since the
//! emulator has no table of ARN templates, and no result contains the matching statements.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::StatusCode;

use super::super::context::ConditionContext;
use super::super::document::IdentityPolicy;
use super::super::error::IamError;
use super::super::evaluate::{AccessRefusal, EvaluatedIdentity, EvaluatedPolicy, Grants};
use super::call::{ActionResult, IamCall};
use super::form;
use super::target::PolicyTarget;
use crate::query::QueryFailure;
use crate::xml::XmlElement;

/// Types of context keys with one value, and with any number of values.
const SINGLE: [&str; 6] = ["string", "numeric", "boolean", "ip", "binary", "date"];
const LISTS: [&str; 6] = ["stringList", "numericList", "booleanList", "ipList", "binaryList", "dateList"];

pub(super) fn principal(mut call: IamCall<'_>) -> ActionResult {
    let source = call.parameters.required("PolicySourceArn", &form::ARN)?;
    let actions = actions(&mut call)?;
    let resources = resources(&mut call);
    let additional = policies(&mut call, "PolicyInputList")?;
    let boundary = boundary(&mut call)?;
    let context = context(&mut call)?;
    let page = call.page()?;

    let entity = call.iam().read().entity_of(&source);
    let Some((kind, name)) = entity else {
        // Only a caller that may simulate the identity learns that it does not exist.
        call.allow(&PolicyTarget::policy_source(&source))?;
        return Err(unknown(&source));
    };
    let target = PolicyTarget::existing(call.iam(), kind, name);
    let grants = call.allow(&target)?.read().entity_grants(kind, name)?;
    let grants = with_policies(grants, additional, boundary);

    let results = actions.iter().enumerate().map(|(number, action)| {
        // Six digits sort more actions than a request can contain.
        (format!("{number:06}"), result(&grants, action, &resources, &context))
    });
    Ok(page.of("EvaluationResults", results.collect::<Vec<_>>()))
}

fn actions(call: &mut IamCall<'_>) -> Result<Vec<String>, QueryFailure> {
    let actions = call.parameters.texts("ActionNames");
    if actions.is_empty() {
        return Err(QueryFailure::missing("ActionNames"));
    }
    for action in &actions {
        form::ACTION_NAME.check(action, "ActionNames")?;
        let is_valid = action.split_once(':').is_some_and(|(vendor, name)| !vendor.is_empty() && !name.is_empty());
        if !is_valid || action.contains(['*', '?']) {
            return Err(invalid(format!("Invalid Action Name: {action}")));
        }
    }
    Ok(actions)
}

fn resources(call: &mut IamCall<'_>) -> Vec<String> {
    let resources = call.parameters.texts("ResourceArns");
    if resources.is_empty() { vec!["*".to_owned()] } else { resources }
}

fn policies(call: &mut IamCall<'_>, parameter: &str) -> Result<Vec<Arc<IdentityPolicy>>, QueryFailure> {
    let texts = call.parameters.texts(parameter);
    let read = |text: &String| {
        form::DOCUMENT.check(text, parameter)?;
        let policy = IdentityPolicy::parse(text).map_err(|error| invalid(error.to_string()))?;
        Ok(Arc::new(policy))
    };
    texts.iter().map(read).collect()
}

fn boundary(call: &mut IamCall<'_>) -> Result<Option<Arc<IdentityPolicy>>, QueryFailure> {
    let parameter = "PermissionsBoundaryPolicyInputList";
    let mut policies = policies(call, parameter)?;
    if policies.len() > 1 {
        return Err(invalid(format!("Only one policy is allowed in {parameter}.")));
    }
    Ok(policies.pop())
}

fn context(call: &mut IamCall<'_>) -> Result<ConditionContext, QueryFailure> {
    let mut context = ConditionContext::default();
    for mut entry in call.parameters.structures("ContextEntries") {
        let key = entry.required("ContextKeyName", &form::CONTEXT_KEY)?;
        let kind = entry.take("ContextKeyType").ok_or_else(|| QueryFailure::missing("ContextKeyType"))?;
        let values = entry.texts("ContextKeyValues");
        entry.finish("SimulatePrincipalPolicy")?;
        let single = SINGLE.contains(&kind.as_str());
        if !single && !LISTS.contains(&kind.as_str()) {
            let constraint = format!("satisfy enum value set: [{}, {}]", SINGLE.join(", "), LISTS.join(", "));
            return Err(QueryFailure::constraint(&kind, "ContextKeyType", &constraint));
        }
        if context.values(&key).is_some() || values.is_empty() || (single && values.len() > 1) {
            return Err(invalid(format!("The context entry {key} must occur once and have values of its type.")));
        }
        for value in values {
            context.add(&key, value);
        }
    }
    Ok(context)
}

/// The grants to simulate: those of the identity, the additional policies of the call, and the call's boundary in place
/// of the identity's.
fn with_policies(
    mut grants: Grants,
    additional: Vec<Arc<IdentityPolicy>>,
    boundary: Option<Arc<IdentityPolicy>>,
) -> Grants {
    if let EvaluatedIdentity::Policies(policies) = &mut grants.identity {
        policies.extend(additional);
    }
    grants.boundary = boundary.or(grants.boundary);
    grants
}

fn result(grants: &Grants, action: &str, resources: &[String], context: &ConditionContext) -> XmlElement {
    let simulated: Vec<SimulatedAction<'_>> =
        resources.iter().map(|resource| SimulatedAction::new(grants, action, resource, context)).collect();
    let strictest =
        simulated.iter().map(|simulated| simulated.decision).max().unwrap_or(SimulatedDecision::ImplicitDeny);
    let missing: BTreeSet<&str> = simulated.iter().flat_map(|simulated| simulated.missing.iter().copied()).collect();
    let within = simulated.iter().all(|simulated| simulated.within_boundary);
    let specific = simulated.iter().map(|simulated| simulated.element(grants));
    XmlElement::new("member")
        .with(XmlElement::text("EvalActionName", action))
        .with(XmlElement::text("EvalResourceName", "*"))
        .with(XmlElement::text("EvalDecision", strictest.name()))
        .with(XmlElement::new("MatchedStatements"))
        .with(names("MissingContextValues", &missing))
        .with_each(boundary_detail(grants, within))
        .with(XmlElement::new("ResourceSpecificResults").with_each(specific))
}

/// The decision for one action on one resource, ordered by strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SimulatedDecision {
    Allowed,
    ImplicitDeny,
    ExplicitDeny,
}

impl SimulatedDecision {
    fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ImplicitDeny => "implicitDeny",
            Self::ExplicitDeny => "explicitDeny",
        }
    }
}

struct SimulatedAction<'a> {
    resource: &'a str,
    decision: SimulatedDecision,
    missing: BTreeSet<&'a str>,
    within_boundary: bool,
}

impl<'a> SimulatedAction<'a> {
    fn new(grants: &'a Grants, action: &str, resource: &'a str, context: &ConditionContext) -> Self {
        let outcome = grants.evaluate(action, resource, context);
        let decision = match outcome {
            Ok(()) => SimulatedDecision::Allowed,
            Err(AccessRefusal::Implicit(_)) => SimulatedDecision::ImplicitDeny,
            Err(AccessRefusal::Explicit(_)) => SimulatedDecision::ExplicitDeny,
        };
        let identity: &[Arc<IdentityPolicy>] = match &grants.identity {
            EvaluatedIdentity::Policies(policies) => policies,
            EvaluatedIdentity::Root => &[],
        };
        let policies = identity.iter().chain(&grants.boundary);
        let missing = policies
            .flat_map(|policy| policy.required_keys(action, resource, context))
            .filter(|key| context.values(key).is_none())
            .collect();
        let boundary_only = Grants { boundary: grants.boundary.clone(), ..Grants::of(EvaluatedIdentity::Root) };
        let within_boundary = !matches!(
            boundary_only.evaluate(action, resource, context),
            Err(AccessRefusal::Implicit(EvaluatedPolicy::Boundary) | AccessRefusal::Explicit(EvaluatedPolicy::Boundary))
        );
        Self { resource, decision, missing, within_boundary }
    }

    fn element(&self, grants: &Grants) -> XmlElement {
        XmlElement::new("member")
            .with(XmlElement::text("EvalResourceName", self.resource))
            .with(XmlElement::text("EvalResourceDecision", self.decision.name()))
            .with(XmlElement::new("MatchedStatements"))
            .with(names("MissingContextValues", &self.missing))
            .with_each(boundary_detail(grants, self.within_boundary))
    }
}

fn boundary_detail(grants: &Grants, within: bool) -> Option<XmlElement> {
    grants.boundary.as_ref()?;
    let allowed = XmlElement::text("AllowedByPermissionsBoundary", &within);
    Some(XmlElement::new("PermissionsBoundaryDecisionDetail").with(allowed))
}

fn names(element: &'static str, names: &BTreeSet<&str>) -> XmlElement {
    XmlElement::new(element).with_each(names.iter().map(|name| XmlElement::text("member", name)))
}

fn invalid(message: String) -> QueryFailure {
    QueryFailure::new(StatusCode::BAD_REQUEST, "InvalidInput", message)
}

/// The error for an ARN that is not a user's, role's or group's.
fn unknown(arn: &str) -> QueryFailure {
    let kind = ["user", "role", "group"].into_iter().find(|kind| arn.contains(&format!(":{kind}/")));
    match kind {
        Some(kind) => IamError::NoSuchEntity { kind, name: arn.to_owned() }.into(),
        None => invalid(format!("invalid entity ARN `{arn}`; use the ARN of a user, role or group")),
    }
}
