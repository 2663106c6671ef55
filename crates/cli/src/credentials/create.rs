//! `tidegate credentials create`.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{
    BucketChange, BucketSpec, Change, CredentialsKind, CredentialsSpec, PermissionsBoundary, create_credentials,
};
use tidegate_iam::credentials::{CredentialsFormat, IssuedCredentials, write_all};
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{BucketAccess, BucketGrant, parse_statement, website_url};
use tidegate_publish::StsCaller;

use crate::apply_changes::{ChangeRun, warn_of_root};
use crate::arguments::{BucketArguments, CommonArguments, CreateArguments, CredentialsOutput};
use crate::error::CliError;

/// The access to buckets that the arguments describe. `partition` is that of the caller, for arguments that name none.
pub(crate) fn bucket_grant(arguments: &BucketArguments, partition: &Partition) -> Result<BucketGrant, CliError> {
    let statements: Result<_, _> = arguments.statement.iter().map(|text| parse_statement(text)).collect();
    Ok(BucketGrant {
        partition: arguments.partition.clone().unwrap_or_else(|| partition.clone()),
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

/// The credentials that the arguments describe, for one user, in the caller's account.
fn credentials_spec(
    arguments: &CreateArguments,
    user: Option<&String>,
    caller: &CallerPrincipal,
) -> Result<CredentialsSpec, CliError> {
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
        grant: bucket_grant(&arguments.access, &caller.partition)?,
        kind: match arguments.duration {
            Some(seconds) => CredentialsKind::Temporary(seconds),
            None => CredentialsKind::Permanent { user: user.cloned(), boundary },
        },
        buckets: BucketSpec {
            create: arguments.create_bucket,
            region: arguments.bucket_region.clone(),
            public: arguments.public,
            website: arguments.website,
        },
        account: caller.account.clone(),
        caller: caller.principal.clone(),
    })
}

/// Who asks for credentials.
pub(super) struct CallerPrincipal {
    pub(super) account: String,
    pub(super) partition: Partition,
    /// The user or role; `None` for the root user.
    pub(super) principal: Option<String>,
}

impl CallerPrincipal {
    pub(super) async fn read(account: &Provisioner, caller: &StsCaller) -> Result<Self, CliError> {
        Ok(Self {
            account: caller.account.clone(),
            partition: Partition::of(&caller.arn),
            principal: account.iam().principal_of(&caller.arn).await?,
        })
    }
}

pub(super) async fn create(
    common: &CommonArguments,
    account: &Provisioner,
    region: &str,
    arguments: &CreateArguments,
) -> Result<(), CliError> {
    let users: Vec<Option<&String>> =
        if arguments.username.is_empty() { vec![None] } else { arguments.username.iter().map(Some).collect() };
    if users.len() > 1 && !matches!(arguments.format, CredentialsOutput::Json | CredentialsOutput::Ini) {
        let message = "the formats `env` and `process` hold the key of one user; use `json` or `ini` for several";
        return Err(CliError::Usage(message.to_owned()));
    }
    let caller = account.sts().caller().await?;
    let principal = CallerPrincipal::read(account, &caller).await?;
    let mut changes: Vec<Vec<Change>> = Vec::new();
    for user in users {
        let spec = credentials_spec(arguments, user, &principal)?;
        let found = account.read_identity(&spec).await?;
        let mut of_user = create_credentials(&spec, &found).map_err(CliError::usage)?;
        if !changes.is_empty() {
            // The buckets are created with the first user.
            of_user.retain(|change| !matches!(change, Change::Bucket(_)));
        }
        changes.push(of_user);
    }
    let run = ChangeRun::new(common, arguments.dry_run).silent(arguments.silent);
    if arguments.dry_run {
        run.apply(account, &changes.concat()).await?;
        return Ok(());
    }
    let file = arguments.out.as_deref().map(create_secret_file).transpose()?;
    let (mut issued, mut failure) = (Vec::new(), None);
    for changes in &changes {
        match run.apply(account, changes).await {
            Ok(credentials) => issued.extend(credentials),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    if !arguments.silent && failure.is_none() {
        let region = arguments.bucket_region.as_deref().unwrap_or(region);
        for change in changes.iter().flatten() {
            if let Change::Bucket(BucketChange::SetWebsite { bucket, .. }) = change {
                errln!("{}", website_url(bucket, region));
            }
        }
        warn_of_root(common, account, &caller).await?;
    }
    // Secrets are shown once, so those of the users before a failure are written in any case.
    if !issued.is_empty() {
        write_credentials(&issued, arguments, file)?;
    }
    failure.map_or(Ok(()), Err)
}

fn write_credentials(
    issued: &[IssuedCredentials],
    arguments: &CreateArguments,
    file: Option<SecretFile<'_>>,
) -> Result<(), CliError> {
    let format = match arguments.format {
        CredentialsOutput::Json => CredentialsFormat::Json,
        CredentialsOutput::Ini => CredentialsFormat::Ini,
        CredentialsOutput::Env => CredentialsFormat::Env,
        CredentialsOutput::Process => CredentialsFormat::Process,
    };
    let text = match issued {
        [one] => one.write(format),
        many => write_all(many, format),
    };
    let Some(SecretFile { mut file, path }) = file else {
        out!("{text}");
        return Ok(());
    };
    file.write_all(text.as_bytes()).map_err(|error| {
        let keys: Vec<String> = issued.iter().map(|one| one.access_key_id.escape_default().to_string()).collect();
        let (path, keys) = (path.display(), keys.join(", "));
        CliError::System(format!("cannot write the credentials `{path}`: {error}; delete these access keys: {keys}"))
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
