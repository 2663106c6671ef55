//! A call of the API. Every action follows the same order: read all parameters, check the permission, then act.

use jiff::Timestamp;

use super::super::caller::{AccessRequest, Caller, CallerIdentity};
use super::super::document::{IdentityPolicy, TrustPolicy};
use super::super::error::IamError;
use super::super::kind::EntityKind;
use super::super::name::EntityPath;
use super::super::record::{StoredPolicy, Tags};
use super::super::role::check_tags;
use super::super::service::IamService;
use super::form;
use super::page::IamPage;
use super::target::PolicyTarget;
use crate::query::{Parameters, QueryFailure};
use crate::xml::XmlElement;

/// The children of an action's result; empty for an action without a result.
pub(super) type ActionResult = Result<Vec<XmlElement>, QueryFailure>;

/// A call whose parameters are being read.
pub(super) struct IamCall<'a> {
    iam: &'a IamService,
    caller: &'a Caller,
    action: &'a str,
    pub(super) parameters: Parameters,
}

impl<'a> IamCall<'a> {
    pub(super) fn new(iam: &'a IamService, caller: &'a Caller, action: &'a str, parameters: Parameters) -> Self {
        Self { iam, caller, action, parameters }
    }

    /// The identities, to find the target of a call before its permission is checked.
    pub(super) fn iam(&self) -> &'a IamService {
        self.iam
    }

    pub(super) fn caller(&self) -> &'a Caller {
        self.caller
    }

    pub(super) fn now(&self) -> Timestamp {
        self.iam.clock().now()
    }

    /// The name of an entity to create.
    pub(super) fn new_name(&mut self, kind: EntityKind) -> Result<String, QueryFailure> {
        let form = if kind == EntityKind::Group { &form::LONG_NAME } else { &form::NAME };
        self.parameters.required(kind.name_parameter(), form)
    }

    /// The name of an existing entity.
    pub(super) fn name(&mut self, kind: EntityKind) -> Result<String, QueryFailure> {
        let form = if kind == EntityKind::Role { &form::NAME } else { &form::LONG_NAME };
        self.parameters.required(kind.name_parameter(), form)
    }

    /// The name of a user; by default the calling user.
    pub(super) fn user_or_caller(&mut self) -> Result<String, QueryFailure> {
        if let Some(name) = self.parameters.text(EntityKind::User.name_parameter(), &form::LONG_NAME)? {
            return Ok(name);
        }
        match &self.caller.identity {
            CallerIdentity::User { name, .. } => Ok(name.clone()),
            CallerIdentity::Root | CallerIdentity::Session { .. } => {
                Err(QueryFailure::invalid("Must specify userName when calling with non-User credentials"))
            }
        }
    }

    pub(super) fn path(&mut self) -> Result<EntityPath, QueryFailure> {
        match self.parameters.text("Path", &form::PATH)? {
            Some(path) => Ok(EntityPath::try_from(path)?),
            None => Ok(EntityPath::default()),
        }
    }

    /// The prefix of the paths to list.
    pub(super) fn path_prefix(&mut self) -> Result<String, QueryFailure> {
        let Some(prefix) = self.parameters.text("PathPrefix", &form::PATH)? else {
            return Ok("/".to_owned());
        };
        if prefix.starts_with('/') {
            return Ok(prefix);
        }
        let constraint = r"satisfy regular expression pattern: \u002F[\u0021-\u007F]*";
        Err(QueryFailure::constraint(&prefix, "PathPrefix", constraint))
    }

    pub(super) fn page(&mut self) -> Result<IamPage, QueryFailure> {
        let marker = self.parameters.text("Marker", &form::MARKER)?;
        Ok(IamPage::new(marker, self.parameters.number("MaxItems", 1..=1_000)?))
    }

    pub(super) fn tags(&mut self) -> Result<Tags, QueryFailure> {
        let mut tags = Tags::new();
        for mut tag in self.parameters.structures("Tags") {
            let key = tag.required("Key", &form::TAG_KEY)?;
            let value = tag.required("Value", &form::TAG_VALUE)?;
            tag.finish(self.action)?;
            if key.to_ascii_lowercase().starts_with("aws:") {
                return Err(invalid_tag("System tags cannot be added/updated by requester."));
            }
            if tags.keys().any(|known: &String| known.eq_ignore_ascii_case(&key)) {
                return Err(invalid_tag("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
            }
            tags.insert(key, value);
        }
        check_tags(&tags)?;
        Ok(tags)
    }

    pub(super) fn policy_name(&mut self) -> Result<String, QueryFailure> {
        self.parameters.required("PolicyName", &form::LONG_NAME)
    }

    pub(super) fn policy_arn(&mut self) -> Result<String, QueryFailure> {
        self.parameters.required("PolicyArn", &form::ARN)
    }

    pub(super) fn document(&mut self) -> Result<StoredPolicy<IdentityPolicy>, QueryFailure> {
        let text = self.parameters.required("PolicyDocument", &form::DOCUMENT)?;
        Ok(StoredPolicy::try_from(text).map_err(IamError::from)?)
    }

    pub(super) fn trust(&mut self, parameter: &str) -> Result<StoredPolicy<TrustPolicy>, QueryFailure> {
        let text = self.parameters.required(parameter, &form::DOCUMENT)?;
        Ok(StoredPolicy::try_from(text).map_err(IamError::from)?)
    }

    /// Checks that all parameters were read and that the caller has the permission for `target`, and returns the
    /// service to act on.
    pub(super) fn allow(self, target: &PolicyTarget) -> Result<&'a IamService, QueryFailure> {
        let action = format!("iam:{}", self.action);
        self.allow_all(&[&action], target)
    }

    /// The same for a call that also needs the permission `tagging` if it has tags.
    pub(super) fn allow_tagging(
        self,
        target: &PolicyTarget,
        tagging: &str,
        tags: &Tags,
    ) -> Result<&'a IamService, QueryFailure> {
        let action = format!("iam:{}", self.action);
        let actions: &[&str] = if tags.is_empty() { &[&action] } else { &[&action, tagging] };
        self.allow_all(actions, target)
    }

    fn allow_all(self, actions: &[&str], target: &PolicyTarget) -> Result<&'a IamService, QueryFailure> {
        self.parameters.finish(self.action)?;
        let context: Vec<(&str, &str)> =
            target.context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        for action in actions {
            let access = AccessRequest { action, resource: &target.arn, context: &context };
            self.iam.authorize(&self.caller.access_key_id, &access).map_err(|denied| target.denied(denied))?;
        }
        Ok(self.iam)
    }
}

fn invalid_tag(message: &str) -> QueryFailure {
    QueryFailure::new(http::StatusCode::BAD_REQUEST, "InvalidInput", message)
}
