//! `tidegate credentials`: bucket-scoped credentials, and the users and roles of the account.

mod create;
mod server;

use serde_json::json;
use tidegate_iam::RoleFilter;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::delete_user;
use tidegate_iam::document::PolicyLimit;

pub(crate) use create::{bucket_grant, read_text};

use crate::apply_changes::{ChangeRun, warn_of_root};
use crate::arguments::{CommonArguments, CredentialsCommand};
use crate::context::AwsContext;
use crate::error::{CliError, ExitStatus};
use crate::output::{json_line, json_lines};

pub(crate) async fn credentials(
    common: &CommonArguments,
    command: &CredentialsCommand,
) -> Result<ExitStatus, CliError> {
    if let CredentialsCommand::Policy(access) = command {
        let grant = bucket_grant(access, &common.partition())?;
        let text = grant.text(PolicyLimit::Role).map_err(CliError::usage)?;
        let policy: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        outln!("{policy:#}");
        return Ok(ExitStatus::Success);
    }
    let context = AwsContext::open(common).await?;
    let account = Provisioner::new(&context.connection);
    match command {
        CredentialsCommand::Create(arguments) => {
            create::create(common, &account, &context.connection.region(), arguments).await?;
        }
        CredentialsCommand::Policy(_) => {}
        CredentialsCommand::Whoami => whoami(common, &account).await?,
        CredentialsCommand::ListUsers => list_users(common, &account).await?,
        CredentialsCommand::DeleteUser { users, dry_run } => delete_users(common, &account, users, *dry_run).await?,
        CredentialsCommand::ListRoles { details, names } => list_roles(common, &account, *details, names).await?,
        CredentialsCommand::DebugBucket { buckets } => {
            for bucket in buckets {
                outln!("{}", json_lines(&json!({ "bucket": bucket, "is": account.buckets().describe(bucket).await })));
            }
        }
        CredentialsCommand::Localserver(arguments) => server::serve(&account, arguments).await?,
    }
    Ok(ExitStatus::Success)
}

async fn whoami(common: &CommonArguments, account: &Provisioner) -> Result<(), CliError> {
    let caller = account.sts().caller().await?;
    if common.json {
        outln!("{}", json_line(&json!(caller)));
    } else {
        outln!("account  {}\narn      {}\nid       {}", caller.account, caller.arn, caller.user_id);
    }
    warn_of_root(common, account, &caller).await
}

async fn list_users(common: &CommonArguments, account: &Provisioner) -> Result<(), CliError> {
    let users = account.iam().users().await?;
    if common.json {
        outln!("{}", json_line(&json!({ "users": users })));
    } else {
        users.iter().for_each(|user| outln!("{}  {}  {}", user.created, user.arn, user.name));
    }
    Ok(())
}

async fn list_roles(
    common: &CommonArguments,
    account: &Provisioner,
    details: bool,
    names: &[String],
) -> Result<(), CliError> {
    let filter = if details { RoleFilter::Details } else { RoleFilter::Names };
    let mut roles = account.iam().roles(filter).await?;
    roles.retain(|role| names.is_empty() || names.contains(&role.name));
    if common.json {
        outln!("{}", json_line(&json!({ "roles": roles })));
    } else if details {
        outln!("{}", json_lines(&json!(roles)));
    } else {
        for role in roles {
            outln!("{}  {}", role.arn, role.description.as_deref().unwrap_or_default().escape_debug());
        }
    }
    Ok(())
}

async fn delete_users(
    common: &CommonArguments,
    account: &Provisioner,
    users: &[String],
    dry_run: bool,
) -> Result<(), CliError> {
    let mut changes = Vec::new();
    for name in users {
        let Some(user) = account.iam().user(name).await? else {
            let list = "tidegate credentials list-users";
            return Err(CliError::NotFound { what: "user", name: name.clone(), list });
        };
        changes.extend(delete_user(name, &user));
    }
    ChangeRun::new(common, dry_run).apply(account, &changes).await?;
    Ok(())
}
