//! Why a configuration is rejected.

use super::edge::EdgeConfigError;
use super::plugin_use::PluginUseError;
use super::value::{DistributionId, PluginReference, SiteName};
use super::webhook::WebhookError;
use crate::location::{Location, LocationError};

/// Why a configuration is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or an unknown or invalid field. The text names line and field.
    #[error("invalid configuration: {0}")]
    Form(String),
    /// Two sites have the same name.
    #[error("duplicate site name `{0}`; rename one of the sites")]
    SameName(SiteName),
    /// Each site would delete the other's objects.
    #[error("the targets of the sites `{0}` and `{1}` overlap; give each site its own prefix")]
    Overlap(SiteName, SiteName),
    /// Publishing could trigger the next publish.
    #[error(
        "publishing the site `{site}` could trigger a publish of `{other}`: `target` overlaps `{field}`; separate them"
    )]
    Loop {
        /// The site that is published.
        site: SiteName,
        /// The site that has its builds there.
        other: SiteName,
        /// `staged` or `builds`.
        field: &'static str,
    },
    /// One upload would have two meanings.
    #[error(
        "ambiguous uploads: `{field}` of the site `{site}` and `{other_field}` of the site `{other}` overlap; \
         give each its own prefix"
    )]
    AmbiguousUploads {
        /// A site.
        site: SiteName,
        /// `staged` or `builds`.
        field: &'static str,
        /// The other site.
        other: SiteName,
        /// `staged` or `builds`.
        other_field: &'static str,
    },
    /// One bucket with two owners.
    #[error(
        "the bucket `{bucket}` of the site `{site}` has two owners; make `owner`, `builds-owner` and `state-owner` agree"
    )]
    Owners {
        /// The site.
        site: SiteName,
        /// The bucket.
        bucket: String,
    },
    /// Credentials of a role that is not configured.
    #[error("the site `{0}` has `credentials = \"role\"`, but no `role`; add the ARN of its publisher role")]
    NoRole(SiteName),
    /// An edge that cannot serve the site.
    #[error("invalid `edge` of the site `{site}`: {error}")]
    Edge {
        /// The site.
        site: SiteName,
        /// The cause.
        error: EdgeConfigError,
    },
    /// A staged object whose name policies cannot contain.
    #[error("invalid `staged` of the site `{site}`: {error}")]
    Staged {
        /// The site.
        site: SiteName,
        /// The cause.
        error: LocationError,
    },
    /// A webhook that cannot publish the site.
    #[error("invalid webhook of the site `{site}`: {error}")]
    Webhook {
        /// The site.
        site: SiteName,
        /// The cause.
        error: WebhookError,
    },
    /// A publish would delete, publish or react to the state.
    #[error("`state` overlaps `{field}` of the site `{site}`; give it its own prefix")]
    State {
        /// The site.
        site: SiteName,
        /// `target`, `staged` or `builds`.
        field: &'static str,
    },
    /// A plugin whose fields contradict each other.
    #[error("invalid plugin `{plugin}` of the site `{site}`: {error}")]
    Plugin {
        /// The site.
        site: SiteName,
        /// The plugin.
        plugin: PluginReference,
        /// The cause.
        error: PluginUseError,
    },
    /// Signatures that no key can verify.
    #[error("`require-signatures` without `trusted-keys`; add the public keys of those who sign your plugins")]
    NoTrustedKeys,
    /// The distribution serves another part of the bucket.
    #[error(
        "the origin path of `{distribution}` does not match the target `{target}`; use one of the target's folders"
    )]
    Origin {
        /// The distribution.
        distribution: DistributionId,
        /// The site's target.
        target: Location,
    },
    /// The manifest of the previous release says which cached copies carry which tags.
    #[error("`cache-tags` of the distribution `{0}` needs the manifest of the previous release; set `state`")]
    CacheTags(DistributionId),
    /// No site has this name.
    #[error("unknown site `{name}`; available: {known}")]
    UnknownSite {
        /// The requested name.
        name: String,
        /// The configured names.
        known: String,
    },
}
