//! Where sites are staged, beside where they are published: rules between sites that keep one upload from meaning two things,
//! and a publish from starting the next one.
//!
//! Owns these rules. Never knows what an upload publishes: that is `tidegate-lambda`'s.

use super::ConfigError;
use super::site::Site;
use crate::location::{Location, ObjectLocation, Source};

/// A place in S3 in which uploads matter to a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SourceLocation<'a> {
    /// `staged`, one artifact below a prefix.
    Prefix(&'a Location),
    /// `staged`, one zip.
    Object(&'a ObjectLocation),
    /// `builds`, an artifact below each name.
    Builds(&'a Location),
}

impl SourceLocation<'_> {
    fn field(self) -> &'static str {
        match self {
            Self::Prefix(_) | Self::Object(_) => "staged",
            Self::Builds(_) => "builds",
        }
    }

    /// Whether something below `location` is in this place, or the other way round.
    fn overlaps(self, location: &Location) -> bool {
        match self {
            Self::Prefix(place) | Self::Builds(place) => place.overlaps(location),
            Self::Object(object) => {
                object.bucket == location.bucket && location.prefix.relative(object.key.as_str()).is_some()
            }
        }
    }

    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Object(object), Self::Object(other)) => object == other,
            (place, Self::Prefix(location) | Self::Builds(location)) => place.overlaps(location),
            (Self::Prefix(location) | Self::Builds(location), object) => object.overlaps(location),
        }
    }
}

fn places(site: &Site) -> impl Iterator<Item = SourceLocation<'_>> {
    let staged = match &site.staged {
        Some(Source::Prefix(location)) => Some(SourceLocation::Prefix(location)),
        Some(Source::Object(object)) => Some(SourceLocation::Object(object)),
        Some(Source::Directory(_) | Source::Archive(_) | Source::Release(_)) | None => None,
    };
    staged.into_iter().chain(site.builds.as_ref().map(SourceLocation::Builds))
}

/// The field of the site whose place overlaps a location.
pub(super) fn overlapping(site: &Site, location: &Location) -> Option<&'static str> {
    places(site).find(|place| place.overlaps(location)).map(SourceLocation::field)
}

/// Checks all sites against each other.
pub(super) fn check(sites: &[Site]) -> Result<(), ConfigError> {
    for (at, site) in sites.iter().enumerate() {
        // A publish that lands in a staging place, whosever, would start a publish.
        for other in sites {
            if let Some(field) = overlapping(other, &site.target) {
                return Err(ConfigError::Loop { site: site.name.clone(), other: other.name.clone(), field });
            }
        }
        for (before, other) in sites.iter().enumerate().take(at + 1) {
            for place in places(site) {
                for other_place in places(other) {
                    if place.meets(other_place) && !may_meet(site, place, other, other_place, at == before) {
                        return Err(ConfigError::Places {
                            site: other.name.clone(),
                            field: other_place.field(),
                            other: site.name.clone(),
                            other_field: place.field(),
                        });
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether two places that share keys can be told apart.
///
/// The very same place for two sites is fine: one build is published to both, as to two regions, or to one by its upload and
/// to the other by a webhook. Of two that lie within each other, one takes for a file what the other takes for a build. Two
/// artifacts within each other are fine as long as people and webhooks choose what is published.
fn may_meet(
    site: &Site,
    place: SourceLocation<'_>,
    other: &Site,
    other_place: SourceLocation<'_>,
    itself: bool,
) -> bool {
    if place == other_place {
        return true;
    }
    let artifacts = !matches!(place, SourceLocation::Builds(_)) && !matches!(other_place, SourceLocation::Builds(_));
    !itself && artifacts && !(site.publishes_on_upload() && other.publishes_on_upload())
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
    fn one_upload_means_one_thing() {
        for (sites, fine) in [
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
            assert_eq!(parse(&sites).is_ok(), fine, "{sites:?}");
        }
    }
}
