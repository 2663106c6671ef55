//! Permissions around the state machine that has a plan carried out in shards: those of the function and of people who start it,
//! and the role of the state machine, which invokes the function.

use std::collections::BTreeSet;

use tidegate_core::config::{FunctionConfig, Site};
use tidegate_core::iam_name::{MAX_POLICY_NAME, fitted};

use super::Grant;
use crate::document::{Partition, PolicyDocument, Statement, objects_arn};

/// Where a state machine is.
pub(super) struct StateMachinePlace<'a> {
    pub(super) partition: &'a Partition,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    /// Its name.
    pub(super) name: &'a str,
}

impl StateMachinePlace<'_> {
    fn arn(&self, resource: &str) -> String {
        let Self { partition, region, account, name } = self;
        format!("arn:{partition}:states:{region}:{account}:{resource}:{name}")
    }

    /// The ARN of the state machine.
    pub(super) fn machine(&self) -> String {
        self.arn("stateMachine")
    }

    /// The ARNs of its executions.
    fn executions(&self) -> String {
        format!("{}:*", self.arn("execution"))
    }

    /// The ARNs of the executions that publish a site: the id of a run, and the site.
    fn executions_of(&self, site: &Site) -> String {
        format!("{}:*-{}", self.arn("execution"), site.name)
    }

    /// The ARNs of the executions of its Map Runs: `execution:NAME/LABEL:ID`.
    fn children(&self) -> String {
        format!("{}/*", self.arn("execution"))
    }

    /// What the function needs.
    pub(super) fn started_by_the_function(&self) -> [Statement; 2] {
        [
            Statement::allow(["states:StartExecution"], [self.machine()])
                .because("StartExecutions", "to have a large plan carried out by the state machine"),
            Statement::allow(["states:DescribeExecution"], [self.executions()])
                .because("DescribeExecutions", "to see whether an execution still runs"),
        ]
    }
}

/// The lists of shards of a site, which an execution reads: the items of its Map Runs.
fn shard_lists(site: &Site) -> Option<String> {
    let state = site.state_root()?;
    Some(format!("{}.shards/*.json", objects_arn(&site.partition(), &state)))
}

/// A person or CI job that runs `tidegate publish --step-functions` for these sites, which are part of the policy's name. The
/// caller cannot read or write sites. But the input of an execution names a site and a source, and IAM has no condition for it.
#[must_use]
pub fn execution(sites: &[&Site], account: &str, region: &str, function: &FunctionConfig) -> Grant {
    let partition = &sites.first().map(|site| site.partition()).unwrap_or_default();
    let place = StateMachinePlace { partition, region, account, name: &function.state_machine() };
    let mut statements = vec![
        Statement::allow(["states:StartExecution"], [place.machine()]).because(
            "StartExecutions",
            "to have a site published; the state machine publishes any site of the function, from any source that it may read",
        ),
        Statement::allow(["states:DescribeExecution"], sites.iter().map(|site| place.executions_of(site)))
            .because("FollowExecutions", "to follow executions that publish these sites"),
    ];
    for site in sites {
        let Some(state) = &site.state else { continue };
        let objects = objects_arn(partition, state);
        statements.push(Statement::list(partition, state).because("ListState", "to see how many shards are done"));
        statements.push(
            Statement::allow(["s3:GetObject"], [objects.clone()])
                .because("ReadState", "to see which execution publishes the site, and how far it is"),
        );
        statements.extend(site.state_kms_key.as_ref().map(|key| {
            Statement::key_of_objects(partition, &["kms:Decrypt"], key, [(state.bucket.clone(), objects)])
                .because("UseStateKey", "to read the state encrypted with KMS, and nothing else with that key")
        }));
    }
    let names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
    Grant::policy(
        &fitted(&format!("tidegate-execution-{}", names.join(",")), MAX_POLICY_NAME),
        "Lets a person or CI job have the state machine publish sites, and follow it",
        PolicyDocument::new(statements),
    )
}

/// The role of the state machine of a function in this region.
///
/// Source: AWS Step Functions developer guide, "IAM policies for using Distributed Map states". Its older versions ask for
/// `states:StopExecution`, too.
#[must_use]
pub fn state_machine(sites: &[&Site], account: &str, region: &str, function: &FunctionConfig) -> Grant {
    let partition = &sites.first().map(|site| site.partition()).unwrap_or_default();
    let place = StateMachinePlace { partition, region, account, name: &function.state_machine() };
    let mut statements = vec![
        Statement::allow(
            ["lambda:InvokeFunction"],
            [format!("arn:{partition}:lambda:{region}:{account}:function:{}", function.name)],
        )
        .because("InvokeFunction", "to have the function plan, carry out shards and commit"),
        Statement::allow(["states:StartExecution"], [place.machine()])
            .because("StartMapRuns", "to start an execution of its own for each shard"),
        Statement::allow(["states:DescribeExecution", "states:StopExecution"], [place.executions(), place.children()])
            .because("FollowMapRuns", "to follow these executions, and to stop them after a failure"),
    ];
    let lists: BTreeSet<String> = sites.iter().filter_map(|site| shard_lists(site)).collect();
    if !lists.is_empty() {
        statements.push(
            Statement::allow(["s3:GetObject"], lists).because("ReadShardLists", "to read which shards a plan has"),
        );
    }
    for site in sites {
        let state = site.state_root().map(|state| state.bucket).zip(shard_lists(site));
        let key = site.state_kms_key.as_ref().zip(state).map(|(key, state)| {
            Statement::key_of_objects(partition, &["kms:Decrypt"], key, [state])
                .because("UseStateKey", "to read these lists encrypted with KMS, and nothing else with that key")
        });
        statements.extend(key.filter(|statement| !statements.contains(statement)));
    }
    Grant::policy(
        &format!("{}-state-machine", function.name),
        "Role of the state machine: invokes the function for each shard of a plan",
        PolicyDocument::new(statements),
    )
}
