//! `tidegate edge`: the CloudFront function of a site. `tidegate_publish::edge` decides and changes.

use serde_json::{Value, json};
use tidegate_core::config::Site;
use tidegate_core::edge::{MAX_FUNCTION_BYTES, is_own};
use tidegate_core::sanitize::{sanitize, sanitize_json};
use tidegate_publish::cloudfront::FoundEdgeFunction;
use tidegate_publish::edge::{
    EdgeChange, EdgeError, EdgeInstaller, EdgeItem, EdgeItemState, FoundEdge, InstallMode, InstallPlan, StoreReading,
    check as check_edge, install as install_changes, remove as remove_changes,
};

use crate::arguments::{ApplyFlags, CommonArguments, EdgeChangeArguments, EdgeCommand, EdgeSite};
use crate::configuration::Configuration;
use crate::context::{AwsContext, now};
use crate::edge_spec::edge_spec;
use crate::error::{CliError, ExitStatus};
use crate::install::confirm;
use crate::output::{DIM, GREEN, RED, YELLOW, json_line, json_lines, warn};

/// The site of a command, with what exists of its edge.
struct EdgeRun<'a> {
    common: &'a CommonArguments,
    site: Site,
    installer: EdgeInstaller,
    found: FoundEdge,
    /// The emulator stays open as long as this.
    _context: AwsContext,
}

pub(crate) async fn edge(common: &CommonArguments, command: &EdgeCommand) -> Result<ExitStatus, CliError> {
    match command {
        EdgeCommand::Show { site, code } => {
            let keys = if *code { StoreReading::Pointer } else { StoreReading::All };
            let run = EdgeRun::open(common, site, keys).await?;
            Ok(if *code { run.show_code() } else { run.show() })
        }
        EdgeCommand::Install(arguments) => EdgeRun::install(common, arguments, InstallMode::Keep).await,
        EdgeCommand::Repair(arguments) => EdgeRun::install(common, arguments, InstallMode::Replace).await,
        EdgeCommand::Try(arguments) => crate::edge_try::try_request(common, arguments).await,
        EdgeCommand::Check(site) => Ok(EdgeRun::open(common, site, StoreReading::Pointer).await?.check()),
        EdgeCommand::Remove(arguments) => {
            let run = EdgeRun::open(common, &arguments.site, StoreReading::Pointer).await?;
            let changes = remove_changes(run.installer.spec(), &run.found).map_err(cli_error)?;
            let plan = InstallPlan { changes, kept: Vec::new() };
            let status = run.apply(&plan, arguments.apply).await?;
            if status == ExitStatus::Success && !arguments.apply.dry_run && !common.json {
                errln!("{DIM}# remove `[site.edge]` of `{}` from the configuration{DIM:#}", run.site.name);
            }
            Ok(status)
        }
    }
}

fn cli_error(error: EdgeError) -> CliError {
    match error {
        EdgeError::Aws(error) => CliError::Aws(error),
        error if ExitStatus::from(error.kind()) == ExitStatus::Usage => CliError::usage(error),
        error => CliError::system(error),
    }
}

impl<'a> EdgeRun<'a> {
    async fn open(common: &'a CommonArguments, arguments: &EdgeSite, keys: StoreReading) -> Result<Self, CliError> {
        let configuration = Configuration::load(&common.config)?;
        let context = AwsContext::open(common).await?;
        let site = context.site(configuration.site(&arguments.site)?, None).await?;
        let spec = edge_spec(&site, arguments.no_error_pages)?;
        // The store is read before the releases: what a publish writes after that is not overwritten.
        let found = EdgeInstaller::new(&context.connection, spec.clone()).read(keys).await?;
        let spec = spec.with_releases(&context.connection, &site).await.map_err(CliError::system)?;
        let installer = EdgeInstaller::new(&context.connection, spec);
        Ok(Self { common, site, installer, found, _context: context })
    }

    async fn install(
        common: &'a CommonArguments,
        arguments: &EdgeChangeArguments,
        mode: InstallMode,
    ) -> Result<ExitStatus, CliError> {
        let keys = match mode {
            InstallMode::Keep => StoreReading::Pointer,
            InstallMode::Replace => StoreReading::All,
        };
        let run = Self::open(common, &arguments.site, keys).await?;
        let plan = install_changes(run.installer.spec(), &run.found, mode).map_err(cli_error)?;
        if !common.json {
            for kept in &plan.kept {
                warn(format!(
                    "{}, and it stays; `tidegate edge repair` replaces it",
                    sanitize(&kept.to_string(), usize::MAX)
                ));
            }
        }
        run.apply(&plan, arguments.apply).await
    }

    /// Shows the changes, asks for confirmation and applies them.
    async fn apply(&self, plan: &InstallPlan, flags: ApplyFlags) -> Result<ExitStatus, CliError> {
        let changes = &plan.changes;
        if !self.common.json {
            if changes.is_empty() {
                outln!("the edge of `{}`: up to date", self.site.name);
            } else {
                outln!("the edge of `{}`:", self.site.name);
                changes.iter().for_each(|change| outln!("  {}", text(change)));
            }
        }
        if !changes.is_empty() && !flags.dry_run {
            if !flags.yes && !confirm(self.common)? {
                errln!("cancelled; nothing was changed");
                return Ok(ExitStatus::Denied);
            }
            let reference = format!("{}-{}", self.site.name, now().milliseconds());
            let on_start = |change: &EdgeChange| errln!("{} …", text(change));
            self.installer.apply(changes, &reference, on_start).await.map_err(cli_error)?;
        }
        let store = if flags.dry_run { None } else { self.new_store().await? };
        if self.common.json {
            let (site, kept) = (&self.site.name, &plan.kept);
            let output =
                json!({ "dry-run": flags.dry_run, "site": site, "changes": changes, "kept": kept, "store": store });
            outln!("{}", json_line(&output));
        } else if let Some(store) = store {
            errln!(
                "{DIM}# set this in `[site.edge]` of `{}`, so that publishes write to the store:{DIM:#}",
                self.site.name
            );
            outln!("store = \"{}\"", sanitize(&store, usize::MAX));
        }
        Ok(ExitStatus::Success)
    }

    /// The ARN of the store, unless the configuration has it.
    async fn new_store(&self) -> Result<Option<String>, CliError> {
        let store = self.installer.read(StoreReading::Pointer).await?.store.map(|store| store.arn);
        let configured = self.installer.spec().store.as_ref().map(|arn| arn.as_str().to_owned());
        Ok(store.filter(|store| Some(store) != configured.as_ref()))
    }

    fn check(&self) -> ExitStatus {
        let items = check_edge(self.installer.spec(), &self.found);
        if self.common.json {
            outln!("{}", json_line(&json!({ "site": self.site.name, "items": items })));
        } else {
            items.iter().for_each(print_item);
        }
        let is_wrong = |item: &EdgeItem| matches!(item.state, EdgeItemState::Missing | EdgeItemState::Changed);
        if items.iter().any(is_wrong) { ExitStatus::Failure } else { ExitStatus::Success }
    }

    fn show_code(&self) -> ExitStatus {
        let found = self.found.live.as_ref().or(self.found.development.as_ref());
        let code = found.map_or(&self.installer.spec().code, |found| &found.function.code);
        out!("{}", code.lines().map(|line| sanitize_json(line) + "\n").collect::<String>());
        ExitStatus::Success
    }

    fn show(&self) -> ExitStatus {
        let Self { found, installer, .. } = self;
        let spec = installer.spec();
        let function = |found: &Option<FoundEdgeFunction>| {
            found
                .as_ref()
                .map(|found| json!({ "bytes": found.function.code.len(), "current": found.function.code == spec.code }))
        };
        let store = found.store.as_ref().map(|store| {
            let keys = found.held.as_ref().map(|keys| keys.keys().filter(|key| is_own(&spec.site, key)).count());
            json!({ "name": store.name, "arn": store.arn, "ready": store.ready, "keys": keys })
        });
        let distributions = found.distributions.iter().map(|(id, found)| {
            let functions = found.functions.iter().map(|(event, arn)| (event.as_str().to_owned(), json!(arn)));
            let functions: serde_json::Map<String, Value> = functions.collect();
            json!({ "distribution": id, "deployed": found.deployed, "origin": found.origin.domain, "functions": functions })
        });
        let shown = json!({
            "site": spec.site, "name": spec.name, "most-bytes": MAX_FUNCTION_BYTES,
            "development": function(&found.development), "live": function(&found.live),
            "store": store, "pointer": found.pointer, "distributions": distributions.collect::<Vec<_>>(),
        });
        outln!("{}", if self.common.json { json_line(&shown) } else { json_lines(&shown) });
        ExitStatus::Success
    }
}

/// The sentence of a change. Names come from AWS.
fn text(change: &EdgeChange) -> String {
    sanitize(&change.to_string(), usize::MAX)
}

fn print_item(item: &EdgeItem) {
    let (style, state) = match item.state {
        EdgeItemState::Right => (GREEN, "right"),
        EdgeItemState::Note => (DIM, "note"),
        EdgeItemState::Missing => (RED, "missing"),
        EdgeItemState::Changed => (YELLOW, "changed"),
    };
    let line = if item.message.is_empty() { item.item.clone() } else { format!("{}: {}", item.item, item.message) };
    outln!("{style}{state:<8}{style:#} {}", sanitize(&line, usize::MAX));
}
