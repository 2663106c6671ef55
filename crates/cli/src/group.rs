//! `tidegate group …`: people and systems that may publish alike.

use serde_json::json;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{IamChange, delete_group, group};

use crate::apply_changes::{ChangeList, warn_of_root};
use crate::arguments::{CommonArguments, GroupCommand};
use crate::context::AwsContext;
use crate::error::{CliError, ExitStatus};
use crate::policy::sync_grant;

pub(crate) async fn run(common: &CommonArguments, command: &GroupCommand) -> Result<ExitStatus, CliError> {
    let session = AwsContext::open(common).await?;
    let account = Provisioner::new(&session.connection);
    let caller = account.sts().caller().await?;
    match command {
        GroupCommand::Create { name, what, user, dry_run } => {
            let grant = sync_grant(what, &caller.account);
            let found = account.iam().group(name).await?;
            let changes = group(name, Some(&grant), user, found.as_ref());
            let changes = changes.map_err(|error| CliError::System(error.to_string()))?;
            ChangeList::new(common, *dry_run).apply(&account, &changes).await?;
        }
        GroupCommand::Add { name, users } => {
            let found = there(&account, name).await?;
            let new = users.iter().filter(|user| !found.users.contains(user));
            let changes: Vec<IamChange> =
                new.map(|user| IamChange::AddUserToGroup { group: name.clone(), user: user.clone() }).collect();
            ChangeList::new(common, false).apply(&account, &changes).await?;
        }
        GroupCommand::Remove { name, users } => {
            let found = there(&account, name).await?;
            if let Some(user) = users.iter().find(|user| !found.users.contains(user)) {
                let user = user.escape_debug();
                return Err(CliError::Usage(format!("`{user}` is not in the group `{}`", name.escape_debug())));
            }
            let changes: Vec<IamChange> = users
                .iter()
                .map(|user| IamChange::RemoveUserFromGroup { group: name.clone(), user: user.clone() })
                .collect();
            ChangeList::new(common, false).apply(&account, &changes).await?;
        }
        GroupCommand::List { name: None } => {
            let groups = account.iam().groups().await?;
            if common.json {
                println!("{}", json!({ "groups": groups }));
            } else {
                groups.iter().for_each(|group| println!("{group}"));
            }
        }
        GroupCommand::List { name: Some(name) } => {
            let found = there(&account, name).await?;
            if common.json {
                let policies: serde_json::Map<String, serde_json::Value> = found
                    .policies
                    .iter()
                    .map(|(name, text)| (name.clone(), serde_json::from_str(text).unwrap_or_default()))
                    .collect();
                println!(
                    "{}",
                    json!({ "group": name, "users": found.users, "policies": policies, "attached": found.attached })
                );
            } else {
                found.users.iter().for_each(|user| println!("user    {user}"));
                found.policies.iter().for_each(|(name, _)| println!("policy  {name}"));
                found.attached.iter().for_each(|arn| println!("policy  {arn}"));
            }
        }
        GroupCommand::Delete { name, dry_run } => {
            let found = there(&account, name).await?;
            ChangeList::new(common, *dry_run).apply(&account, &delete_group(name, &found)).await?;
        }
    }
    warn_of_root(&account, &caller).await?;
    Ok(ExitStatus::Done)
}

async fn there(account: &Provisioner, name: &str) -> Result<tidegate_iam::changes::FoundGroup, CliError> {
    let found = account.iam().group(name).await?;
    found.ok_or_else(|| CliError::Usage(format!("there is no group `{}`, see `group list`", name.escape_debug())))
}
