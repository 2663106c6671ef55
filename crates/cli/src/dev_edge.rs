//! The edge of a site in the local AWS emulator: `tidegate dev` previews it with the function that is deployed.

use tidegate_core::config::{Site, StoreArn};
use tidegate_publish::edge::{EdgeInstaller, InstallMode, StoreReading, install};

use crate::context::AwsContext;
use crate::edge_spec::edge_spec;
use crate::error::CliError;

/// Installs the edge of a site in the emulator. Returns the site with the emulator's store: the one in the configuration is in
/// AWS.
pub(crate) async fn install_edge(context: &AwsContext, mut site: Site) -> Result<Site, CliError> {
    let Some(edge) = &mut site.edge else { return Ok(site) };
    edge.store = None;
    let spec = edge_spec(&site, false)?;
    let spec = spec.with_releases(&context.connection, &site).await.map_err(CliError::system)?;
    let installer = EdgeInstaller::new(&context.connection, spec);
    let found = installer.read(StoreReading::All).await?;
    let mode = if found.is_installed() { InstallMode::Replace } else { InstallMode::Keep };
    let plan = install(installer.spec(), &found, mode).map_err(CliError::system)?;
    installer.apply(&plan.changes, "dev", |_| ()).await.map_err(CliError::system)?;
    let store = installer.read(StoreReading::Pointer).await?.store;
    if let (Some(store), Some(edge)) = (store, &mut site.edge) {
        edge.store = Some(StoreArn::try_from(store.arn).map_err(CliError::system)?);
    }
    Ok(site)
}
