//! `tidegate credentials create`.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{
    BucketSpec, CredentialsKind, CredentialsSpec, IamChange, PermissionsBoundary, plan_changes,
};
use tidegate_iam::credentials::CredentialsFormat;
use tidegate_iam::policies::{BucketAccess, BucketGrant, checked_statement};

use crate::apply_changes::{ChangeList, warn_of_root};
use crate::arguments::{BucketArguments, CommonArguments, CreateArguments, CredentialsOutput};
use crate::error::{CliError, ExitStatus};

/// What was typed of buckets and policies.
pub(crate) fn grant(what: &BucketArguments) -> Result<BucketGrant, CliError> {
    let usage = |error: &dyn std::fmt::Display| CliError::Usage(error.to_string());
    let statements: Result<Vec<_>, _> = what.statement.iter().map(|text| checked_statement(text)).collect();
    let custom = what.policy.as_deref().map(policy_text).transpose()?;
    let grant = BucketGrant {
        partition: what.partition.clone(),
        buckets: what.buckets.clone(),
        prefix: what.prefix.clone(),
        access: match (what.read_only, what.write_only) {
            (true, _) => BucketAccess::ReadOnly,
            (_, true) => BucketAccess::WriteOnly,
            _ => BucketAccess::ReadWrite,
        },
        custom,
        statements: statements.map_err(|error| usage(&error))?,
    };
    Ok(grant)
}

/// A policy as JSON, from a file, or from standard input.
fn policy_text(given: &str) -> Result<String, CliError> {
    if given.trim_start().starts_with('{') {
        return Ok(given.to_owned());
    }
    read_text(Path::new(given))
}

/// A file's text; `-` is standard input.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|error| CliError::Usage(format!("`{}` cannot be read: {error}", path.display())))
}

/// What was asked for, in the caller's account.
fn asked(wanted: &CreateArguments, account: &str) -> Result<CredentialsSpec, CliError> {
    let boundary = match wanted.user_permissions_boundary.as_deref() {
        None => PermissionsBoundary::Fitting,
        Some("none") => PermissionsBoundary::None,
        Some(arn) if arn.starts_with("arn:") => PermissionsBoundary::Arn(arn.to_owned()),
        Some(other) => {
            let other = other.escape_default();
            return Err(CliError::Usage(format!("`{other}` is no managed policy, write its ARN, or `none`")));
        }
    };
    Ok(CredentialsSpec {
        grant: grant(&wanted.what)?,
        kind: match wanted.duration {
            Some(seconds) => CredentialsKind::Temporary(seconds),
            None => CredentialsKind::Permanent { user: wanted.username.clone(), boundary },
        },
        buckets: BucketSpec {
            create: wanted.create_bucket,
            region: wanted.bucket_region.clone(),
            public: wanted.public,
            website: wanted.website,
        },
        account: account.to_owned(),
    })
}

pub(super) async fn create(
    common: &CommonArguments,
    account: &Provisioner,
    wanted: &CreateArguments,
) -> Result<ExitStatus, CliError> {
    let caller = account.sts().caller().await?;
    let asked = asked(wanted, &caller.account)?;
    let found = account.read_identity(&asked).await?;
    let changes = plan_changes(&asked, &found).map_err(|error| CliError::Usage(error.to_string()))?;
    let kept = match wanted.out.as_deref().filter(|_| !wanted.dry_run) {
        Some(path) => Some((secret_file(path)?, path)),
        None => None,
    };
    let steps = ChangeList::new(common, wanted.dry_run).quietly(wanted.silent);
    let issued = steps.apply(account, &changes).await?;
    let region = wanted.bucket_region.as_deref().unwrap_or("us-east-1");
    if !wanted.silent && !wanted.dry_run {
        for change in &changes {
            if let IamChange::SetWebsite { bucket, .. } = change {
                anstream::eprintln!("http://{bucket}.s3-website.{region}.amazonaws.com/");
            }
        }
        warn_of_root(account, &caller).await?;
    }
    if let Some(issued) = issued {
        let form = match wanted.format {
            CredentialsOutput::Json => CredentialsFormat::Json,
            CredentialsOutput::Ini => CredentialsFormat::Ini,
            CredentialsOutput::Env => CredentialsFormat::Env,
            CredentialsOutput::Process => CredentialsFormat::Process,
        };
        match kept {
            None => print!("{}", issued.write(form)),
            Some((mut file, path)) => file.write_all(issued.write(form).as_bytes()).map_err(|error| {
                let key = issued.access_key_id.escape_default();
                CliError::System(format!(
                    "`{}` cannot be written: {error}; delete the access key {key}",
                    path.display()
                ))
            })?,
        }
    }
    Ok(ExitStatus::Done)
}

/// A new file for secrets, which only its owner can read: made before there are any.
fn secret_file(path: &Path) -> Result<File, CliError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| CliError::Usage(format!("`{}` cannot be made: {error}", path.display())))
}
