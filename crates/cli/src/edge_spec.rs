//! What the edge of a site should be, from its configuration.

use tidegate_core::config::Site;
use tidegate_core::edge::{EdgeKeys, ReleaseEdge, function_code, pointer_key};
use tidegate_publish::edge::EdgeSpec;

use crate::error::CliError;

/// The edge of a site, without what its releases say.
pub(crate) fn edge_spec(site: &Site, no_error_pages: bool) -> Result<EdgeSpec, CliError> {
    let Some(edge) = &site.edge else {
        return Err(CliError::Usage(format!(
            "the site `{0}` has no `[site.edge]`; add it to the configuration",
            site.name
        )));
    };
    let code = function_code(&site.name, edge.on_failure);
    let first = ReleaseEdge {
        trailing_slash: edge.trailing_slash,
        shared: edge.shared.iter().map(ToString::to_string).collect(),
        ..ReleaseEdge::default()
    };
    let pointer = first.pointer(0, "").map_err(CliError::system)?;
    let mut spec = EdgeSpec::new(site, code).ok_or_else(|| CliError::System("no edge".to_owned()))?;
    spec.keys = EdgeKeys::from([(pointer_key(&site.name), pointer)]);
    if no_error_pages {
        spec.error_page = None;
    }
    Ok(spec)
}
