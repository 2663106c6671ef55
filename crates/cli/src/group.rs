//! `tidegate group`: IAM groups of users that publish.

use serde_json::json;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{Change, FoundGroup, add_to_group, delete_group, ensure_group, remove_from_group};
use tidegate_iam::document::Partition;

use crate::apply_changes::{ChangeRun, warn_of_boundaries, warn_of_root};
use crate::arguments::{CommonArguments, GroupCommand};
use crate::context::AwsContext;
use crate::error::{CliError, ExitStatus};
use crate::output::json_line;
use crate::policy::sync_grant;

pub(crate) async fn group(common: &CommonArguments, command: &GroupCommand) -> Result<ExitStatus, CliError> {
    let context = AwsContext::open(common).await?;
    let account = Provisioner::new(&context.connection);
    let caller = account.sts().caller().await?;
    match command {
        GroupCommand::Create { name, policy, user, dry_run } => {
            let partition = policy.partition.clone().unwrap_or_else(|| Partition::of(&caller.arn));
            let grant = sync_grant(policy, &partition, &caller.account);
            let found = account.iam().group(name).await?;
            let changes = ensure_group(name, &grant, user, found.as_ref()).map_err(CliError::system)?;
            ChangeRun::new(common, *dry_run).apply(&account, &changes).await?;
            if grant.allows_service("cloudfront") {
                warn_of_boundaries(&account, user).await?;
            }
        }
        GroupCommand::Add { name, users } => {
            let found = find(&account, name).await?;
            let new = users.iter().filter(|user| !found.users.contains(user));
            let changes: Vec<Change> = new.map(|user| add_to_group(name, user)).collect();
            ChangeRun::new(common, false).apply(&account, &changes).await?;
            if found.policies.iter().any(|(_, document)| document.contains("\"cloudfront:")) {
                warn_of_boundaries(&account, users).await?;
            }
        }
        GroupCommand::Remove { name, users } => {
            let found = find(&account, name).await?;
            if let Some(user) = users.iter().find(|user| !found.users.contains(user)) {
                let (user, name) = (user.escape_debug(), name.escape_debug());
                return Err(CliError::Usage(format!("`{user}` is not in the group `{name}`")));
            }
            let changes: Vec<Change> = users.iter().map(|user| remove_from_group(name, user)).collect();
            ChangeRun::new(common, false).apply(&account, &changes).await?;
        }
        GroupCommand::List { name: None } => {
            let groups = account.iam().groups().await?;
            if common.json {
                outln!("{}", json_line(&json!({ "groups": groups })));
            } else {
                groups.iter().for_each(|group| outln!("{group}"));
            }
        }
        GroupCommand::List { name: Some(name) } => print(common, name, &find(&account, name).await?),
        GroupCommand::Delete { name, dry_run } => {
            let found = find(&account, name).await?;
            ChangeRun::new(common, *dry_run).apply(&account, &delete_group(name, &found)).await?;
        }
    }
    warn_of_root(common, &account, &caller).await?;
    Ok(ExitStatus::Success)
}

async fn find(account: &Provisioner, name: &str) -> Result<FoundGroup, CliError> {
    let found = account.iam().group(name).await?;
    found.ok_or_else(|| CliError::NotFound { what: "group", name: name.to_owned(), list: "tidegate group list" })
}

fn print(common: &CommonArguments, name: &str, group: &FoundGroup) {
    if common.json {
        let policies: serde_json::Map<String, serde_json::Value> = group
            .policies
            .iter()
            .map(|(name, text)| (name.clone(), serde_json::from_str(text).unwrap_or_default()))
            .collect();
        let attached = &group.attached;
        outln!(
            "{}",
            json_line(&json!({ "group": name, "users": group.users, "policies": policies, "attached": attached }))
        );
        return;
    }
    group.users.iter().for_each(|user| outln!("user    {user}"));
    group.policies.iter().for_each(|(name, _)| outln!("policy  {name}"));
    group.attached.iter().for_each(|arn| outln!("policy  {arn}"));
}
