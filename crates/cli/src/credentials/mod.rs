//! `tidegate credentials …`: narrow credentials for buckets, and what becomes of them.
//!
//! Owns reading what was typed and printing what came. Which steps are taken is `tidegate_iam::provision`'s to say.

mod create;
mod server;

use serde_json::json;
use tidegate_iam::Roles;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::delete_user;
use tidegate_iam::document::Limit;

pub(crate) use create::{grant, read_text};

use crate::apply_changes::{Steps, warn_of_root};
use crate::arguments::{Common, CredentialsCommand};
use crate::context::Session;
use crate::error::{Ending, Trouble};

pub(crate) async fn credentials(common: &Common, command: &CredentialsCommand) -> Result<Ending, Trouble> {
    if let CredentialsCommand::Policy(what) = command {
        let text = grant(what)?.text(Limit::Role).map_err(|error| Trouble::Usage(error.to_string()))?;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        println!("{value:#}");
        return Ok(Ending::Done);
    }
    let session = Session::open(common).await?;
    let account = Provisioner::new(&session.connection);
    match command {
        CredentialsCommand::Create(wanted) => create::create(common, &account, wanted).await,
        CredentialsCommand::Policy(_) => Ok(Ending::Done),
        CredentialsCommand::Whoami => whoami(common, &account).await,
        CredentialsCommand::ListUsers => list_users(common, &account).await,
        CredentialsCommand::DeleteUser { users, dry_run } => delete(common, &account, users, *dry_run).await,
        CredentialsCommand::ListRoles { details, names } => list_roles(common, &account, *details, names).await,
        CredentialsCommand::DebugBucket { buckets } => {
            for bucket in buckets {
                println!("{:#}", json!({ "bucket": bucket, "is": account.buckets().told(bucket).await }));
            }
            Ok(Ending::Done)
        }
        CredentialsCommand::Localserver(wanted) => server::serve(&account, wanted).await,
    }
}

async fn whoami(common: &Common, account: &Provisioner) -> Result<Ending, Trouble> {
    let caller = account.sts().caller().await?;
    if common.json {
        println!("{}", serde_json::to_value(&caller).unwrap_or_default());
    } else {
        println!("account  {}\narn      {}\nid       {}", caller.account, caller.arn, caller.user_id);
    }
    warn_of_root(account, &caller).await?;
    Ok(Ending::Done)
}

async fn list_users(common: &Common, account: &Provisioner) -> Result<Ending, Trouble> {
    let users = account.iam().users().await?;
    if common.json {
        println!("{}", json!({ "users": users }));
    } else {
        for user in users {
            println!("{}  {}  {}", user.created, user.arn, user.name);
        }
    }
    Ok(Ending::Done)
}

async fn list_roles(
    common: &Common,
    account: &Provisioner,
    details: bool,
    names: &[String],
) -> Result<Ending, Trouble> {
    let how = if details { Roles::Details } else { Roles::Names };
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
    Ok(Ending::Done)
}

async fn delete(common: &Common, account: &Provisioner, users: &[String], dry_run: bool) -> Result<Ending, Trouble> {
    let mut changes = Vec::new();
    for user in users {
        let Some(found) = account.iam().user(user).await? else {
            return Err(Trouble::Usage(format!("there is no user `{}`, see `list-users`", user.escape_debug())));
        };
        changes.extend(delete_user(user, &found));
    }
    Steps::new(common, dry_run).take(account, &changes).await?;
    Ok(Ending::Done)
}
