//! `tidegate edge try`: what the function answers to one request. Runs the function here; AWS is asked for the releases only.

use serde_json::{Value, json};
use tidegate_core::config::Site;
use tidegate_core::edge::{EdgeKeys, function_code, spell};
use tidegate_core::sanitize::sanitize;
use tidegate_emulator::function::{EdgeFunction, request_event};
use tidegate_host::sync::Trace;

use crate::arguments::{CommonArguments, EdgeTryArguments};
use crate::configuration::Configuration;
use crate::context::{AwsContext, publish_request};
use crate::edge_spec::edge_spec;
use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, json_line};

/// The header in which the function marks a request for its response.
const MARK: &str = "x-tidegate";

/// The key that never exists.
const NOWHERE: &str = "/.r/-";

pub(crate) async fn try_request(
    common: &CommonArguments,
    arguments: &EdgeTryArguments,
) -> Result<ExitStatus, CliError> {
    let configuration = Configuration::load(&common.config)?;
    let context = AwsContext::open(common).await?;
    let site = configuration.site(&arguments.site)?;
    let keys = match &arguments.from {
        Some(from) => {
            let source = configuration.source(site, Some(from))?;
            let site = context.site(site, Some(&source)).await?;
            edge_spec(&site, true)?;
            let publisher = context.publisher(common, &configuration.directory)?;
            let request = publish_request(&site, &source, None, "edge try");
            let planned = publisher.plan(&request, &site, Trace::Off).await?;
            planned.edge_keys(&site).map_err(CliError::system)?
        }
        None => {
            let site = context.site(site, None).await?;
            let spec = edge_spec(&site, true)?;
            spec.with_releases(&context.connection, &site).await.map_err(CliError::system)?.keys
        }
    };
    let answer = Answer::of(site, keys.clone(), &arguments.path)?;
    if common.json {
        outln!("{}", json_line(&answer.json(&arguments.path)));
    } else {
        answer.print(site, &keys);
    }
    Ok(ExitStatus::Success)
}

/// What the function answers.
struct Answer {
    /// The path as the function spells it.
    spelled: Option<String>,
    /// 200 or 404 for an object.
    status: u64,
    /// The target of a redirect.
    location: Option<String>,
    /// The path that the origin is asked for.
    object: Option<String>,
}

impl Answer {
    fn of(site: &Site, keys: EdgeKeys, path: &str) -> Result<Self, CliError> {
        if !path.starts_with('/') {
            return Err(CliError::Usage(format!("the path `{}` must start with `/`", sanitize(path, 200))));
        }
        let on_failure = site.edge.as_ref().map(|edge| edge.on_failure).unwrap_or_default();
        let code = function_code(&site.name, on_failure);
        let function = EdgeFunction::new(&code, move |key| keys.get(key).cloned()).map_err(CliError::system)?;
        let result = function.request(&request_event("example.com", path)).map_err(CliError::system)?;
        let spelled = spell(path.split('?').next().unwrap_or_default());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let member = |path: &str| result.pointer(path);
        Ok(match member("/statusCode").and_then(Value::as_u64) {
            Some(status) => {
                let location = member("/headers/location/value").and_then(text);
                Self { spelled, status, location, object: None }
            }
            None => {
                let mark = member(&format!("/headers/{MARK}/value")).and_then(Value::as_str).unwrap_or_default();
                let status = mark.split(' ').next().and_then(|status| status.parse().ok()).unwrap_or(200);
                let object = member("/uri").and_then(text);
                let status = if object.as_deref() == Some(NOWHERE) { 404 } else { status };
                Self { spelled, status, location: None, object }
            }
        })
    }

    fn json(&self, path: &str) -> Value {
        let Self { spelled, status, location, object } = self;
        let object = object.as_ref().filter(|object| *object != NOWHERE);
        json!({ "path": path, "spelled": spelled, "status": status, "location": location, "object": object })
    }

    fn print(&self, site: &Site, keys: &EdgeKeys) {
        let line = |name: &str, text: &str| outln!("{DIM}{name:<8}{DIM:#} {}", sanitize(text, usize::MAX));
        match &self.spelled {
            Some(path) => {
                line("path", path);
                let name = path.strip_suffix('/').filter(|name| !name.is_empty()).unwrap_or(path);
                for rule in keys.get(&format!("{}:{name}", site.name)).map(String::as_str).unwrap_or_default().lines() {
                    line("rule", rule);
                }
            }
            None => line("path", "no object can have this path"),
        }
        match (&self.location, &self.object) {
            (Some(location), _) => line("answer", &format!("{} {location}", self.status)),
            (None, Some(object)) if object == NOWHERE => line("answer", "404, without asking for an object"),
            (None, Some(object)) if self.status == 200 => line("object", object),
            (None, Some(object)) => line("object", &format!("{object}, with status {}", self.status)),
            (None, None) => line("answer", &self.status.to_string()),
        }
    }
}
