//! ARNs of executions of a Step Functions state machine.
//!
//! Source: AWS Step Functions developer guide, "Resource types" and the API reference of `StartExecution`.

use std::fmt;

use crate::arn::Arn;
use crate::iam_name::fitted;

/// Longest name of an execution, in characters.
const MAX_NAME: usize = 80;

/// What the resource of an execution begins with.
const RESOURCE: &str = "execution:";

/// The ARN of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionArn(String);

impl ExecutionArn {
    /// Parses an ARN.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let arn = Arn::parse(text)?;
        let (machine, name) = arn.resource.strip_prefix(RESOURCE)?.split_once(':')?;
        let valid = arn.service == "states" && !arn.region.is_empty() && !machine.is_empty() && !name.is_empty();
        valid.then(|| Self(text.to_owned()))
    }

    /// An execution of a state machine. `function` is the ARN of a function in the same account and region. Nothing if it
    /// is not an ARN.
    #[must_use]
    pub fn beside(function: &str, machine: &str, name: &str) -> Option<Self> {
        let Arn { partition, region, account, .. } = Arn::parse(function)?;
        let name = fitted(name, MAX_NAME);
        Self::parse(&format!("arn:{partition}:states:{region}:{account}:{RESOURCE}{machine}:{name}"))
    }

    /// Another execution of the same state machine.
    #[must_use]
    pub fn with_name(&self, name: &str) -> Self {
        let machine = self.0.rsplit_once(':').map_or("", |(machine, _)| machine);
        Self(format!("{machine}:{}", fitted(name, MAX_NAME)))
    }

    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }

    /// The name of the execution.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or_default()
    }

    /// The ARN of the state machine.
    #[must_use]
    pub fn state_machine(&self) -> String {
        let machine = self.0.rsplit_once(':').map_or("", |(machine, _)| machine);
        machine.replacen(&format!(":{RESOURCE}"), ":stateMachine:", 1)
    }
}

impl fmt::Display for ExecutionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_has_the_place_of_its_function() {
        let function = "arn:aws-cn:lambda:cn-north-1:123456789012:function:tidegate";
        let arn = ExecutionArn::beside(function, "tidegate-publish", "c0ffee-0-docs").unwrap();
        assert_eq!(arn.as_str(), "arn:aws-cn:states:cn-north-1:123456789012:execution:tidegate-publish:c0ffee-0-docs");
        assert_eq!((arn.region(), arn.name()), ("cn-north-1", "c0ffee-0-docs"));
        assert_eq!(arn.state_machine(), "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:tidegate-publish");
        assert_eq!(ExecutionArn::parse(arn.as_str()), Some(arn));
        let long = ExecutionArn::beside(function, "m", "r").unwrap().with_name(&"x".repeat(200));
        assert_eq!((long.name().len(), ExecutionArn::parse(long.as_str()).as_ref()), (MAX_NAME, Some(&long)));
    }

    #[test]
    fn other_texts_are_no_executions() {
        for text in ["", "execution-1", "arn:aws:states:eu-west-1:123456789012:stateMachine:m", "arn:aws:s3:::b"] {
            assert_eq!(ExecutionArn::parse(text), None, "{text}");
        }
        assert_eq!(ExecutionArn::beside("tidegate", "m", "r"), None);
    }
}
