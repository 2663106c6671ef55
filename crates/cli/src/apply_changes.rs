//! Changes in an AWS account: applied and logged, or shown with their policy documents.

use serde_json::json;
use tidegate_core::sanitize::sanitize_json;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::Change;
use tidegate_iam::credentials::IssuedCredentials;
use tidegate_publish::StsCaller;

use crate::arguments::CommonArguments;
use crate::error::CliError;
use crate::output::{json_line, print_document, warn};

/// How changes are applied and shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeRun {
    dry_run: bool,
    json: bool,
    silent: bool,
}

impl ChangeRun {
    pub(crate) fn new(common: &CommonArguments, dry_run: bool) -> Self {
        Self { dry_run, json: common.json, silent: false }
    }

    /// Applies without logging the changes.
    pub(crate) fn silent(self, silent: bool) -> Self {
        Self { silent, ..self }
    }

    /// Applies the changes, or shows them in a dry run.
    pub(crate) async fn apply(
        self,
        account: &Provisioner,
        changes: &[Change],
    ) -> Result<Option<IssuedCredentials>, CliError> {
        if self.dry_run {
            self.preview(changes);
            return Ok(None);
        }
        if changes.is_empty() && !self.json && !self.silent {
            errln!("up to date");
        }
        let issued = account.apply(changes, |change| self.log(change)).await?;
        // Credentials are the output of the commands that create them.
        if self.json && issued.is_none() {
            outln!("{}", json_line(&json!({ "dry-run": false, "changes": changes })));
        }
        Ok(issued)
    }

    fn log(self, change: &Change) {
        if self.silent {
            return;
        }
        if self.json {
            errln!("{}", json_line(&json!(change)));
        } else {
            errln!("{change}");
            change.difference().iter().for_each(|line| errln!("  {}", sanitize_json(line)));
        }
    }

    fn preview(self, changes: &[Change]) {
        if self.json {
            outln!("{}", json_line(&json!({ "dry-run": true, "changes": changes })));
            return;
        }
        if changes.is_empty() {
            outln!("up to date");
        }
        for change in changes {
            outln!("would {change}");
            change.difference().iter().for_each(|line| outln!("  {}", sanitize_json(line)));
            print_document(change.document(), "  ");
        }
    }
}

/// Warns if the root user's access keys are in use or exist: they can do everything, and no policy restricts them.
/// The caller in the emulator is always its root user, so there is no warning.
pub(crate) async fn warn_of_root(
    common: &CommonArguments,
    account: &Provisioner,
    caller: &StsCaller,
) -> Result<(), CliError> {
    if common.local.is_some() {
        return Ok(());
    }
    if caller.is_root() {
        warn("these are root access keys, which no policy restricts; create a user or a role instead and delete them");
    } else if account.iam().root_has_keys().await? == Some(true) {
        warn("the root user has access keys, which no policy restricts; delete them once nothing uses them");
    }
    Ok(())
}

/// Warns of users whose permissions boundary allows S3 only, so that permissions for CloudFront have no effect.
pub(crate) async fn warn_of_boundaries(account: &Provisioner, users: &[String]) -> Result<(), CliError> {
    for user in users {
        let boundary = account.iam().user_boundary(user).await?.unwrap_or_default();
        if boundary.ends_with(":policy/AmazonS3FullAccess") || boundary.ends_with(":policy/AmazonS3ReadOnlyAccess") {
            let user = user.escape_debug();
            warn(format!(
                "the permissions boundary of `{user}` allows S3 only, so it cannot invalidate a distribution: create the user with `--user-permissions-boundary none`, or remove it with `aws iam delete-user-permissions-boundary --user-name {user}`"
            ));
        }
    }
    Ok(())
}
