//! `tidegate policy ci`: the role, its trust, its permissions and the workflow file of a CI job.

use serde_json::json;
use tidegate_core::config::Site;
use tidegate_core::sanitize::sanitize;
use tidegate_iam::apply::Provisioner;
use tidegate_iam::changes::{CiJobSpec, ensure_ci_job};
use tidegate_iam::document::Partition;
use tidegate_iam::policies::{
    CiWorkflow, Grant, GrantFormat, JobTask, SessionTags, TrustedIdentity, UploadPlace, caller, site as site_grant,
    trust, trust_ci_role, upload_grant, uploader_guard,
};

use crate::apply_changes::ChangeRun;
use crate::arguments::{CiArguments, CiFormat, CommonArguments};
use crate::configuration::Configuration;
use crate::context::AwsContext;
use crate::error::{CliError, ExitStatus};
use crate::output::{DIM, json_line};

pub(crate) async fn ci(common: &CommonArguments, arguments: &CiArguments) -> Result<ExitStatus, CliError> {
    let mut configuration = Configuration::load(&common.config)?;
    let Some(region) = common.region.as_deref() else {
        return Err(CliError::Usage("no region of the buckets; name it with `--region`".to_owned()));
    };
    configuration.config.set_default_partition(&Partition::of_region(region));
    let site = configuration.site(&arguments.site)?;
    if arguments.from.chars().any(char::is_control) {
        return Err(CliError::Usage("the directory of `--from` has control characters; rename it".to_owned()));
    }
    let identity = arguments.identity();
    let task = match (&site.builds, arguments.upload) {
        (_, false) => JobTask::Publish,
        (Some(builds), true) => JobTask::Upload(builds.clone()),
        (None, true) => {
            let name = &site.name;
            return Err(CliError::Usage(format!(
                "the site `{name}` has no `builds`, where the job would upload to; add it to the configuration, or leave `--upload` out"
            )));
        }
    };
    let account = match (&arguments.account, &site.role) {
        (Some(account), _) => account.clone(),
        (None, Some(role)) => role.account().to_owned(),
        (None, None) => {
            let context = AwsContext::open(common).await?;
            Provisioner::new(&context.connection).sts().caller().await?.account
        }
    };
    let name = arguments.name.clone().unwrap_or_else(|| format!("{}-ci", site.name));
    let partition = site.partition();
    let role = format!("arn:{partition}:iam::{account}:role/{name}");
    let publisher = site.role.as_ref().filter(|role| task == JobTask::Publish && role.account() == account);
    let mut grants = job_grants(site, &identity, &task, &name, (&partition, &account))?;
    grants.extend(publisher.map(|publisher| trust_ci_role(&partition, &account, &role, publisher)));
    let site_policy = publisher.map(|_| site_grant(site, &account, &[]));
    let workflow = CiWorkflow {
        identity: &identity,
        site: site.name.as_str(),
        task: task.clone(),
        directory: &arguments.from,
        role: &role,
        region,
    };

    if arguments.apply {
        let context = AwsContext::open(common).await?;
        let provisioner = Provisioner::new(&context.connection);
        let spec = CiJobSpec {
            identity: &identity,
            partition: &partition,
            account: &account,
            grants: &grants,
            publisher: publisher.map(|role| role.role_name()).zip(site_policy.as_ref()),
        };
        let found = provisioner.read_ci_job(spec).await?;
        let changes = ensure_ci_job(spec, &found).map_err(CliError::system)?;
        ChangeRun::new(common, arguments.dry_run).apply(&provisioner, &changes).await?;
        if arguments.dry_run || common.json {
            return Ok(ExitStatus::Success);
        }
    }
    let format = match arguments.format {
        CiFormat::Workflow => None,
        CiFormat::Json => Some(GrantFormat::Json),
        CiFormat::Terraform => Some(GrantFormat::Terraform),
        CiFormat::Cloudformation => Some(GrantFormat::CloudFormation),
    };
    match format {
        // The publisher role's trust policy would have the key of the job's in a JSON object.
        Some(format) => {
            let own = grants.len() - usize::from(publisher.is_some());
            out!("{}", format.write(grants.get(..own).unwrap_or(&grants)).map_err(CliError::system)?);
        }
        None if common.json => {
            outln!("{}", json_line(&json!({ "path": workflow.path(), "workflow": workflow.text(), "role": role })));
        }
        None => out!("{}", workflow.text()),
    }
    if !common.json {
        print_hints(arguments, &workflow, site, publisher.is_some());
        print_notes(&identity);
    }
    Ok(ExitStatus::Success)
}

/// The trust policy and the permissions of the job's role, and the policy of the bucket that it uploads to.
fn job_grants(
    site: &Site,
    identity: &TrustedIdentity,
    task: &JobTask,
    name: &str,
    (partition, account): (&Partition, &str),
) -> Result<Vec<Grant>, CliError> {
    let mut trusted = trust(partition, account, identity).map_err(CliError::usage)?;
    name.clone_into(&mut trusted.name);
    let renamed = |mut grant: Grant, task: &str| {
        grant.name = format!("{name}-{task}");
        grant
    };
    Ok(match task {
        JobTask::Publish => vec![trusted, renamed(caller(&[site], account, SessionTags::None), "publish")],
        JobTask::Upload(builds) => {
            let places = [UploadPlace::Builds(builds.clone())];
            let grant = upload_grant(partition, &places, site.builds_kms_key.as_ref());
            vec![trusted, renamed(grant, "upload"), uploader_guard(partition, builds)]
        }
    })
}

/// Prints what the reader of a trust policy should know.
pub(crate) fn print_notes(identity: &TrustedIdentity) {
    for note in identity.notes() {
        errln!("{DIM}# {}{DIM:#}", sanitize(&note, usize::MAX));
    }
}

fn print_hints(arguments: &CiArguments, workflow: &CiWorkflow<'_>, site: &Site, has_publisher: bool) {
    if arguments.format == CiFormat::Workflow {
        errln!("{DIM}# write this to {} and replace `make site` by your build{DIM:#}", workflow.path());
    }
    if !arguments.apply {
        errln!("{DIM}# add `--apply` to create the role {} with its permissions{DIM:#}", workflow.role);
    }
    if let (Some(role), false, JobTask::Publish) = (&site.role, has_publisher, &workflow.task) {
        errln!("{DIM}# let {} trust the role, in its own account{DIM:#}", role.as_str());
    }
}
