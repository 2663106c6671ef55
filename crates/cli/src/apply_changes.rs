//! Steps in an account, for people: shown before they are taken, and with their documents where nothing is done.
//!
//! Owns how they look. Which they are and how they are taken is decided elsewhere.

use serde_json::{Value, json};
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::IamChange;
use tidegate_iam::credentials::IssuedCredentials;
use tidegate_publish::StsCaller;

use crate::arguments::CommonArguments;
use crate::error::CliError;

/// How steps are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeList {
    /// Nothing is said.
    silent: bool,
    dry_run: bool,
    json: bool,
}

impl ChangeList {
    pub(crate) fn new(common: &CommonArguments, dry_run: bool) -> Self {
        Self { silent: false, dry_run, json: common.json }
    }

    /// Says nothing where that was asked for.
    pub(crate) fn quietly(self, silent: bool) -> Self {
        Self { silent, ..self }
    }

    /// Takes the steps, or shows what each would do.
    pub(crate) async fn apply(
        self,
        account: &Provisioner,
        changes: &[IamChange],
    ) -> Result<Option<IssuedCredentials>, CliError> {
        if self.dry_run {
            self.preview(changes);
            return Ok(None);
        }
        let issued = account.apply(changes, |change| self.print(change)).await?;
        Ok(issued)
    }

    fn print(self, change: &IamChange) {
        if self.silent {
            return;
        }
        if self.json {
            anstream::eprintln!("{}", json!(change));
        } else {
            anstream::eprintln!("{change}");
        }
    }

    fn preview(self, changes: &[IamChange]) {
        if self.json {
            println!("{}", json!({ "dry-run": true, "changes": changes }));
            return;
        }
        if changes.is_empty() {
            println!("nothing to do");
        }
        for change in changes {
            println!("would {change}");
            let document = change.document().and_then(|text| serde_json::from_str::<Value>(text).ok());
            for line in document.map(|document| format!("{document:#}")).unwrap_or_default().lines() {
                println!("  {line}");
            }
        }
    }
}

/// Root keys can do everything, and nothing narrows them: whoever has some is told to let go of them.
pub(crate) async fn warn_of_root(account: &Provisioner, caller: &StsCaller) -> Result<(), CliError> {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    if caller.is_root() {
        anstream::eprintln!(
            "{yellow}warning{yellow:#}: these are the account's root keys, which nobody can narrow; make a user or a role for this, and delete them"
        );
    } else if account.iam().root_has_keys().await? == Some(true) {
        anstream::eprintln!(
            "{yellow}warning{yellow:#}: the account's root has access keys, which nobody can narrow; delete them once nothing uses them"
        );
    }
    Ok(())
}
