//! Runs the functions of the account: for the preview, and for `TestFunction`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::error::{CloudFrontError, RefusalCode};
use super::function::{FunctionStage, FunctionVersion, missing};
use super::keys::LiveStore;
use super::shape::DocumentShape::{OneOf, Structure, Text};
use super::shape::{self, DocumentShape, optional, required};
use super::wire::CloudFrontAnswer;
use super::{CloudFrontService, check_match};
use crate::function::{EdgeFunction, EdgeFunctionError, FunctionRun, check_request, check_response};
use crate::xml::XmlElement;

/// Compiled functions to keep for each thread. A site has one, and tests have a few.
const KEPT: usize = 8;

/// Largest event, in bytes. Source: CloudFront API Reference, "TestFunction".
const MAX_EVENT: usize = 40_960;

const TEST: DocumentShape =
    Structure(&[optional("Stage", &OneOf(&["DEVELOPMENT", "LIVE"])), required("EventObject", &Text)]);

thread_local! {
    /// Compiled functions with the versions of their code; the one that was used last is at the end. An engine belongs
    /// to one thread.
    static COMPILED: RefCell<Vec<(String, Rc<EdgeFunction>)>> = const { RefCell::new(Vec::new()) };
}

impl CloudFrontService {
    /// Runs the live code of a function for an event.
    pub(crate) fn run_live(&self, arn: &str, event: &Value) -> Result<FunctionRun, CloudFrontError> {
        let function = self.lock().functions.values().find(|function| function.arn() == arn).cloned();
        let function = function.ok_or_else(missing)?;
        Ok(self.run_version(function.version(FunctionStage::Live)?, event))
    }

    fn run_version(&self, version: &FunctionVersion, event: &Value) -> FunctionRun {
        match self.compiled(version) {
            Ok(function) => function.run(event),
            Err(error) => FunctionRun { result: Err(error), logs: Vec::new(), utilization: 0 },
        }
    }

    fn compiled(&self, version: &FunctionVersion) -> Result<Rc<EdgeFunction>, EdgeFunctionError> {
        let kept = COMPILED.with_borrow_mut(|compiled| {
            let position = compiled.iter().position(|(etag, _)| *etag == version.etag)?;
            let found = compiled.remove(position);
            let function = Rc::clone(&found.1);
            compiled.push(found);
            Some(function)
        });
        if let Some(function) = kept {
            return Ok(function);
        }
        let code = std::str::from_utf8(&version.code)
            .map_err(|_| EdgeFunctionError::Execution("SyntaxError: the code is not UTF-8".to_owned()))?;
        let store = LiveStore::new(Arc::downgrade(&self.state), version.store_arn().map(str::to_owned));
        let function = Rc::new(EdgeFunction::with_store(code, store)?);
        let added = (version.etag.clone(), Rc::clone(&function));
        COMPILED.with_borrow_mut(|compiled| {
            if compiled.len() == KEPT {
                compiled.remove(0);
            }
            compiled.push(added);
        });
        Ok(function)
    }

    /// `TestFunction`.
    pub(super) fn test_function(
        &self,
        name: &str,
        request: &Request<Bytes>,
    ) -> Result<CloudFrontAnswer, CloudFrontError> {
        let invalid = |message: String| CloudFrontError::refused(RefusalCode::InvalidArgument, message);
        let document = shape::read(request.body(), "TestFunctionRequest", &TEST)?;
        let stage = FunctionStage::parse(document.text_at(&["Stage"]))?;
        let function = self.function(name)?;
        let version = function.version(stage)?;
        check_match(request.headers(), &version.etag)?;
        let event = STANDARD.decode(document.text_at(&["EventObject"]).unwrap_or_default().trim());
        let event = event.map_err(|_| invalid("The event object is not valid base64.".to_owned()))?;
        if event.len() > MAX_EVENT {
            return Err(invalid(format!("The event object has more than {MAX_EVENT} bytes.")));
        }
        let event: Value = serde_json::from_slice(&event)
            .map_err(|error| invalid(format!("The event object is not valid JSON: {error}.")))?;
        let has = |name: &str| event.get(name).is_some_and(Value::is_object);
        if event.get("version").and_then(Value::as_str) != Some("1.0") || !has("request") {
            return Err(invalid("The event object needs version 1.0 and a request.".to_owned()));
        }
        let run = self.run_version(version, &event);
        let output = run.result.and_then(|result| {
            let result = if has("response") { check_response(&event, result)? } else { check_request(&event, result)? };
            let kind = if result.get("statusCode").is_some() { "response" } else { "request" };
            Ok(json!({ kind: result }).to_string())
        });
        let (output, message) = match output {
            Ok(output) => (output, String::new()),
            Err(error) => (String::new(), error.to_string()),
        };
        let logs = run.logs.iter().map(|line| XmlElement::text("member", line));
        let summary = function.summary(&self.lock(), stage)?;
        let result = XmlElement::new("TestResult")
            .with(summary)
            .with(XmlElement::text("ComputeUtilization", &run.utilization))
            .with(XmlElement::new("FunctionExecutionLogs").with_each(logs))
            .with(XmlElement::text("FunctionErrorMessage", &message))
            .with(XmlElement::text("FunctionOutput", &output));
        Ok(CloudFrontAnswer::ok(result))
    }
}
