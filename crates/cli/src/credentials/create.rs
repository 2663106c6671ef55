//! `tidegate credentials create`.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{
    BucketChange, BucketSpec, Change, CredentialsKind, CredentialsSpec, PermissionsBoundary, create_credentials,
};
use tidegate_iam::credentials::{CredentialsFormat, IssuedCredentials};
use tidegate_iam::policies::{BucketAccess, BucketGrant, parse_statement};

use crate::apply_changes::{ChangeRun, warn_of_root};
use crate::arguments::{BucketArguments, CommonArguments, CreateArguments, CredentialsOutput};
use crate::error::CliError;

/// The access to buckets that the arguments describe.
pub(crate) fn bucket_grant(arguments: &BucketArguments) -> Result<BucketGrant, CliError> {
    let statements: Result<_, _> = arguments.statement.iter().map(|text| parse_statement(text)).collect();
    Ok(BucketGrant {
        partition: arguments.partition.clone(),
        buckets: arguments.buckets.clone(),
        prefix: arguments.prefix.clone(),
        access: match (arguments.read_only, arguments.write_only) {
            (true, _) => BucketAccess::ReadOnly,
            (_, true) => BucketAccess::WriteOnly,
            _ => BucketAccess::ReadWrite,
        },
        custom: arguments.policy.as_deref().map(policy_text).transpose()?,
        statements: statements.map_err(CliError::usage)?,
    })
}

/// A policy given as JSON, as a file, or as `-` for standard input.
fn policy_text(policy: &str) -> Result<String, CliError> {
    if policy.trim_start().starts_with('{') { Ok(policy.to_owned()) } else { read_text("policy", Path::new(policy)) }
}

/// Reads a text file, or standard input for `-`.
pub(crate) fn read_text(what: &'static str, path: &Path) -> Result<String, CliError> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(CliError::read(what, path))
}

/// The credentials that the arguments describe, in an account.
fn credentials_spec(arguments: &CreateArguments, account: &str) -> Result<CredentialsSpec, CliError> {
    let boundary = match arguments.user_permissions_boundary.as_deref() {
        None => PermissionsBoundary::Fitting,
        Some("none") => PermissionsBoundary::None,
        Some(arn) if arn.starts_with("arn:") => PermissionsBoundary::Arn(arn.to_owned()),
        Some(other) => {
            let other = other.escape_default();
            return Err(CliError::Usage(format!(
                "`{other}` is not a permissions boundary; use the ARN of a managed policy, or `none`"
            )));
        }
    };
    Ok(CredentialsSpec {
        grant: bucket_grant(&arguments.access)?,
        kind: match arguments.duration {
            Some(seconds) => CredentialsKind::Temporary(seconds),
            None => CredentialsKind::Permanent { user: arguments.username.clone(), boundary },
        },
        buckets: BucketSpec {
            create: arguments.create_bucket,
            region: arguments.bucket_region.clone(),
            public: arguments.public,
            website: arguments.website,
        },
        account: account.to_owned(),
    })
}

pub(super) async fn create(
    common: &CommonArguments,
    account: &Provisioner,
    arguments: &CreateArguments,
) -> Result<(), CliError> {
    let caller = account.sts().caller().await?;
    let spec = credentials_spec(arguments, &caller.account)?;
    let found = account.read_identity(&spec).await?;
    let changes = create_credentials(&spec, &found).map_err(CliError::usage)?;
    let out = arguments.out.as_deref().filter(|_| !arguments.dry_run);
    let file = out.map(create_secret_file).transpose()?;
    let run = ChangeRun::new(common, arguments.dry_run).silent(arguments.silent);
    let issued = run.apply(account, &changes).await?;
    if !arguments.silent && !arguments.dry_run {
        let region = arguments.bucket_region.as_deref().unwrap_or("us-east-1");
        for change in &changes {
            if let Change::Bucket(BucketChange::SetWebsite { bucket, .. }) = change {
                errln!("http://{bucket}.s3-website.{region}.amazonaws.com/");
            }
        }
        warn_of_root(common, account, &caller).await?;
    }
    match issued {
        Some(issued) => write_credentials(&issued, arguments, file),
        None => Ok(()),
    }
}

fn write_credentials(
    issued: &IssuedCredentials,
    arguments: &CreateArguments,
    file: Option<SecretFile<'_>>,
) -> Result<(), CliError> {
    let format = match arguments.format {
        CredentialsOutput::Json => CredentialsFormat::Json,
        CredentialsOutput::Ini => CredentialsFormat::Ini,
        CredentialsOutput::Env => CredentialsFormat::Env,
        CredentialsOutput::Process => CredentialsFormat::Process,
    };
    let text = issued.write(format);
    let Some(SecretFile { mut file, path }) = file else {
        out!("{text}");
        return Ok(());
    };
    file.write_all(text.as_bytes()).map_err(|error| {
        let (path, key) = (path.display(), issued.access_key_id.escape_default());
        CliError::System(format!("cannot write the credentials `{path}`: {error}; delete the access key {key}"))
    })
}

/// A new file that only its owner can read.
struct SecretFile<'a> {
    file: File,
    path: &'a Path,
}

/// Creates the file before there are any secrets, so that none is lost. An existing file is never overwritten.
fn create_secret_file(path: &Path) -> Result<SecretFile<'_>, CliError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => Ok(SecretFile { file, path }),
        Err(error) => Err(CliError::Usage(format!("cannot create `{}`: {error}", path.display()))),
    }
}
