//! Rules between the locations of sites: every upload has one meaning, and a publish never triggers another one.

use super::error::ConfigError;
use super::site::Site;
use crate::location::{Location, ObjectLocation, Source};

/// A location in S3 whose uploads can publish a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceLocation<'a> {
    /// `staged`: one artifact, the whole prefix.
    Prefix(&'a Location),
    /// `staged`: one zip.
    Object(&'a ObjectLocation),
    /// `builds`: one artifact for each name below the prefix.
    Builds(&'a Location),
}

impl SourceLocation<'_> {
    fn field(self) -> &'static str {
        match self {
            Self::Prefix(_) | Self::Object(_) => "staged",
            Self::Builds(_) => "builds",
        }
    }

    /// Whether one of the two is within the other.
    fn overlaps(self, location: &Location) -> bool {
        match self {
            Self::Prefix(prefix) | Self::Builds(prefix) => prefix.overlaps(location),
            Self::Object(object) => {
                object.bucket == location.bucket && location.prefix.relative(object.key.as_str()).is_some()
            }
        }
    }

    /// Whether the two share a key.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Object(object), Self::Object(other)) => object == other,
            (source, Self::Prefix(location) | Self::Builds(location)) => source.overlaps(location),
            (Self::Prefix(location) | Self::Builds(location), object) => object.overlaps(location),
        }
    }
}

fn source_locations(site: &Site) -> impl Iterator<Item = SourceLocation<'_>> {
    let staged = match &site.staged {
        Some(Source::Prefix(location)) => Some(SourceLocation::Prefix(location)),
        Some(Source::Object(object)) => Some(SourceLocation::Object(object)),
        Some(Source::Directory(_) | Source::Archive(_) | Source::Release(_)) | None => None,
    };
    staged.into_iter().chain(site.builds.as_ref().map(SourceLocation::Builds))
}

/// The field of the site that overlaps a location.
pub(super) fn overlapping(site: &Site, location: &Location) -> Option<&'static str> {
    source_locations(site).find(|source| source.overlaps(location)).map(SourceLocation::field)
}

/// Checks all sites against each other.
pub(super) fn check(sites: &[Site]) -> Result<(), ConfigError> {
    for (at, site) in sites.iter().enumerate() {
        // A publish into a location with builds, even one of another site, would trigger a publish.
        for other in sites {
            if let Some(field) = overlapping(other, &site.target) {
                return Err(ConfigError::Loop { site: site.name.clone(), other: other.name.clone(), field });
            }
        }
        for other in sites.iter().take(at + 1) {
            for source in source_locations(site) {
                for other_source in source_locations(other) {
                    let (one, two) = (SiteSource { site, source }, SiteSource { site: other, source: other_source });
                    if source.meets(other_source) && !one.may_meet(two) {
                        return Err(ConfigError::AmbiguousUploads {
                            site: other.name.clone(),
                            field: other_source.field(),
                            other: site.name.clone(),
                            other_field: source.field(),
                        });
                    }
                }
            }
        }
    }
    Ok(())
}

/// A location and the site that has its builds there.
#[derive(Clone, Copy)]
struct SiteSource<'a> {
    site: &'a Site,
    source: SourceLocation<'a>,
}

impl SiteSource<'_> {
    /// Whether an upload has one meaning although the two share keys.
    ///
    /// Two sites may have the same location: one build is published to both, such as to two regions, or to one by its upload
    /// and to the other by a webhook. If one is within the other, a file of the one could be a build of the other. Two
    /// artifacts may be within each other if uploads publish at most one of the sites.
    fn may_meet(self, other: Self) -> bool {
        if self.source == other.source {
            return true;
        }
        let is_artifact = |source| !matches!(source, SourceLocation::Builds(_));
        self.site.name != other.site.name
            && is_artifact(self.source)
            && is_artifact(other.source)
            && !(self.site.publishes_on_upload() && other.site.publishes_on_upload())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};

    fn parse(sites: &[&str]) -> Result<Config, ConfigError> {
        let text: Vec<String> = (sites.iter().enumerate())
            .map(|(at, fields)| format!("[[site]]\nname = \"s{at}\"\ntarget = \"s3://site-{at}/\"\n{fields}\n"))
            .collect();
        Config::parse(&text.concat())
    }

    #[test]
    fn an_upload_has_one_meaning() {
        for (sites, valid) in [
            (vec![r#"builds = "s3://inbox/b/""#, r#"builds = "s3://inbox/b/""#], true),
            (vec![r#"builds = "s3://inbox/b/""#, r#"builds = "s3://inbox/c/""#], true),
            (vec![r#"builds = "s3://inbox/b/""#, r#"builds = "s3://inbox/b2/""#], true),
            (vec![r#"builds = "s3://inbox/b/""#, r#"builds = "s3://inbox/b/c/""#], false),
            (vec![r#"builds = "s3://inbox/b/c/""#, r#"builds = "s3://inbox/""#], false),
            (vec![r#"builds = "s3://inbox/b/""#, r#"staged = "s3://inbox/b/""#], false),
            (vec![r#"builds = "s3://inbox/b/""#, r#"staged = "s3://inbox/b/x.zip""#], false),
            (vec![r#"staged = "s3://inbox/b/x.zip""#, r#"staged = "s3://inbox/b/x.zip""#], true),
            (vec![r#"staged = "s3://inbox/b/x.zip""#, r#"staged = "s3://inbox/b/y.zip""#], true),
            (vec![r#"staged = "s3://inbox/b/""#, r#"staged = "s3://inbox/b/""#], true),
            (vec![r#"staged = "s3://inbox/b/""#, r#"staged = "s3://inbox/b/en/""#], false),
            (vec![r#"staged = "s3://inbox/b/""#, "staged = \"s3://inbox/b/en/\"\npublish-on-upload = false"], true),
            (vec!["staged = \"s3://inbox/b/\"\nbuilds = \"s3://inbox/b/en/\""], false),
            (vec!["staged = \"s3://inbox/a/\"\nbuilds = \"s3://inbox/b/\""], true),
        ] {
            assert_eq!(parse(&sites).is_ok(), valid, "{sites:?}");
        }
    }
}
