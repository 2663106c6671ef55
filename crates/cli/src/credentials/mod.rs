//! `tidegate credentials …`: narrow credentials for buckets, and what becomes of them.
//!
//! Owns reading what was typed and printing what came. Which steps are taken is `tidegate_iam::provision`'s to say.

mod create;
mod server;

use serde_json::json;
use tidegate_iam::RoleFilter;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::delete_user;
use tidegate_iam::document::PolicyLimit;

pub(crate) use create::{grant, read_text};

use crate::apply_changes::{ChangeList, warn_of_root};
use crate::arguments::{CommonArguments, CredentialsCommand};
use crate::context::AwsContext;
use crate::error::{CliError, ExitStatus};

pub(crate) async fn credentials(
    common: &CommonArguments,
    command: &CredentialsCommand,
) -> Result<ExitStatus, CliError> {
    if let CredentialsCommand::Policy(what) = command {
        let text = grant(what)?.text(PolicyLimit::Role).map_err(|error| CliError::Usage(error.to_string()))?;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        println!("{value:#}");
        return Ok(ExitStatus::Done);
    }
    let session = AwsContext::open(common).await?;
    let account = Provisioner::new(&session.connection);
    match command {
        CredentialsCommand::Create(wanted) => create::create(common, &account, wanted).await,
        CredentialsCommand::Policy(_) => Ok(ExitStatus::Done),
        CredentialsCommand::Whoami => whoami(common, &account).await,
        CredentialsCommand::ListUsers => list_users(common, &account).await,
        CredentialsCommand::DeleteUser { users, dry_run } => delete(common, &account, users, *dry_run).await,
        CredentialsCommand::ListRoles { details, names } => list_roles(common, &account, *details, names).await,
        CredentialsCommand::DebugBucket { buckets } => {
            for bucket in buckets {
                println!("{:#}", json!({ "bucket": bucket, "is": account.buckets().describe(bucket).await }));
            }
            Ok(ExitStatus::Done)
        }
        CredentialsCommand::Localserver(wanted) => server::serve(&account, wanted).await,
    }
}

async fn whoami(common: &CommonArguments, account: &Provisioner) -> Result<ExitStatus, CliError> {
    let caller = account.sts().caller().await?;
    if common.json {
        println!("{}", serde_json::to_value(&caller).unwrap_or_default());
    } else {
        println!("account  {}\narn      {}\nid       {}", caller.account, caller.arn, caller.user_id);
    }
    warn_of_root(account, &caller).await?;
    Ok(ExitStatus::Done)
}

async fn list_users(common: &CommonArguments, account: &Provisioner) -> Result<ExitStatus, CliError> {
    let users = account.iam().users().await?;
    if common.json {
        println!("{}", json!({ "users": users }));
    } else {
        for user in users {
            println!("{}  {}  {}", user.created, user.arn, user.name);
        }
    }
    Ok(ExitStatus::Done)
}

async fn list_roles(
    common: &CommonArguments,
    account: &Provisioner,
    details: bool,
    names: &[String],
) -> Result<ExitStatus, CliError> {
    let how = if details { RoleFilter::Details } else { RoleFilter::Names };
    let mut roles = account.iam().roles(how).await?;
    roles.retain(|role| names.is_empty() || names.contains(&role.name));
    if common.json {
        println!("{}", json!({ "roles": roles }));
    } else if details {
        println!("{:#}", json!(roles));
    } else {
        for role in roles {
            let what = role.description.as_deref().unwrap_or_default();
            println!("{}  {}", role.arn, what.escape_debug());
        }
    }
    Ok(ExitStatus::Done)
}

async fn delete(
    common: &CommonArguments,
    account: &Provisioner,
    users: &[String],
    dry_run: bool,
) -> Result<ExitStatus, CliError> {
    let mut changes = Vec::new();
    for user in users {
        let Some(found) = account.iam().user(user).await? else {
            return Err(CliError::Usage(format!("there is no user `{}`, see `list-users`", user.escape_debug())));
        };
        changes.extend(delete_user(user, &found));
    }
    ChangeList::new(common, dry_run).apply(account, &changes).await?;
    Ok(ExitStatus::Done)
}
