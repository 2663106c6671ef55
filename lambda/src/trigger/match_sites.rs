//! Matches a stored object against the `staged` and `builds` of each site.
//!
//! Knows which object completes a build and which one is only a part of it. Does not look into a bucket.

use tidegate_core::config::{Config, Site, SiteName};
use tidegate_core::key::{Key, KeyError, StoredKey};
use tidegate_core::location::{ObjectLocation, Source};
use tidegate_core::staged_build::{Build, BuildKey, READY_MARKER, StagedBuildError, stem};

use super::artifact_ref::{AmbiguousKey, ArtifactRef, KeyReading, NamedArtifact, ObjectVersion, Trigger, TriggerCause};
use super::s3_event::StoredObject;

/// The sites whose places hold a stored object. Both lists are empty if the object is in no site's place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatchedSites {
    /// Sites to publish.
    pub triggers: Vec<Trigger>,
    /// Sites that the object does not publish.
    pub unmatched: Vec<UnmatchedSite>,
}

/// A site that an object in one of its places does not publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmatchedSite {
    /// The site.
    pub site: SiteName,
    /// The reason.
    pub reason: NoMatchReason,
}

/// Why an object in a site's place publishes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoMatchReason {
    /// The object is one file of a build. The marker is uploaded last.
    #[error("`{0}` is part of a build, which is published once `{1}` is uploaded")]
    Incomplete(StoredKey, String),
    /// The object is neither a zip nor in a folder.
    #[error("`{0}` is not a build; upload a zip, or a folder with a `.ready`")]
    NotABuild(StoredKey),
    /// The configuration disables uploads.
    #[error("uploads do not publish this site; set `publish-on-upload = true` to change that")]
    UploadsDisabled,
    /// The key cannot be published.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The name of the build is invalid.
    #[error(transparent)]
    Build(#[from] StagedBuildError),
}

/// Matches a stored object against the places of each site.
#[must_use]
pub fn match_sites(config: &Config, stored: &StoredObject) -> MatchedSites {
    let mut matched = MatchedSites::default();
    for site in &config.sites {
        match artifact(site, stored) {
            None => {}
            Some(Ok(NamedArtifact { release, artifact })) => matched.triggers.push(Trigger {
                site: site.name.clone(),
                artifact,
                release,
                cause: TriggerCause::Upload,
                revision: Some(stored.revision()),
                delivery: None,
                status: None,
            }),
            Some(Err(reason)) => matched.unmatched.push(UnmatchedSite { site: site.name.clone(), reason }),
        }
    }
    matched
}

/// A source with the name of its release.
struct NamedSource {
    release: String,
    source: Source,
}

/// The artifact that the object completes for a site, or `None` if the object is not in the site's places.
fn artifact(site: &Site, stored: &StoredObject) -> Option<Result<NamedArtifact, NoMatchReason>> {
    let first = source(site, stored, &stored.key);
    let second = stored.alternative.as_ref().map(|other| (&other.key, source(site, stored, &other.key)));
    let documented = stored.alternative.as_ref().is_some_and(|other| other.unlikely);
    // The version of a marker says nothing about the objects that it completes.
    let pin_of = |source: &Source| pin(stored).filter(|_| matches!(source, Source::Object(_)));
    match (first, second) {
        (Some(Ok(first)), Some((key, Some(Ok(second))))) => {
            let pin = pin_of(&first.source);
            let first_reading = KeyReading { key: stored.key.clone(), source: first.source };
            let second = KeyReading { key: key.clone(), source: second.source };
            let bucket = stored.bucket.clone();
            let key = AmbiguousKey { bucket, first: first_reading, second, documented, pin };
            Some(Ok(NamedArtifact { release: first.release, artifact: ArtifactRef::Ambiguous(Box::new(key)) }))
        }
        (Some(Err(reason)), Some(_)) if documented => Some(Err(reason)),
        // Of two readings, one may be elsewhere: the role of the function could not even ask for that object.
        (Some(Ok(found)), _) | (_, Some((_, Some(Ok(found))))) => {
            let NamedSource { release, source } = found;
            let pin = pin_of(&source);
            Some(Ok(NamedArtifact { release, artifact: ArtifactRef::Source { source, pin } }))
        }
        (Some(Err(reason)), _) | (None, Some((_, Some(Err(reason))))) => Some(Err(reason)),
        (None, None | Some((_, None))) => None,
    }
}

/// The version of the object: its version id, or its ETag in a bucket without versioning.
fn pin(stored: &StoredObject) -> Option<ObjectVersion> {
    stored.version.clone().map(ObjectVersion::Version).or_else(|| stored.etag.clone().map(ObjectVersion::Etag))
}

/// What an object with this key publishes.
fn source(site: &Site, stored: &StoredObject, key: &StoredKey) -> Option<Result<NamedSource, NoMatchReason>> {
    let found = in_staged(site, stored, key).or_else(|| in_builds(site, stored, key))?;
    let enabled = |found| if site.publishes_on_upload() { Ok(found) } else { Err(NoMatchReason::UploadsDisabled) };
    Some(found.and_then(enabled))
}

/// What the object publishes as the archive or the marker of `staged`.
fn in_staged(site: &Site, stored: &StoredObject, key: &StoredKey) -> Option<Result<NamedSource, NoMatchReason>> {
    match site.staged.as_ref()? {
        Source::Object(object) if object.bucket == stored.bucket && object.key.as_str() == key.as_str() => {
            let name = object.key.file_name();
            let release = stem(name).unwrap_or(name).to_owned();
            Some(Ok(NamedSource { release, source: Source::Object(object.clone()) }))
        }
        Source::Prefix(location) if location.bucket == stored.bucket => {
            let relative = location.prefix.relative(key.as_str())?;
            if relative.as_str() != READY_MARKER {
                let marker = location.prefix.join(READY_MARKER);
                return Some(Err(NoMatchReason::Incomplete(key.clone(), marker)));
            }
            let name = location.prefix.as_str().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let name = if name.is_empty() { location.bucket.as_str() } else { name };
            Some(Ok(NamedSource { release: name.to_owned(), source: Source::Prefix(location.clone()) }))
        }
        _ => None,
    }
}

/// What the object publishes as a build below `builds`.
fn in_builds(site: &Site, stored: &StoredObject, key: &StoredKey) -> Option<Result<NamedSource, NoMatchReason>> {
    let place = site.builds.as_ref().filter(|place| place.bucket == stored.bucket)?;
    let relative = place.prefix.relative(key.as_str())?;
    let named = |name: &str, source| NamedSource { release: name.to_owned(), source };
    Some(match BuildKey::of(&relative) {
        BuildKey::Archive(name) => Key::new(key.as_str())
            .map_err(NoMatchReason::from)
            .map(|key| named(name, Source::Object(ObjectLocation { bucket: stored.bucket.clone(), key }))),
        BuildKey::Marker(name) => match Build::new(place, name) {
            Ok(build) => Ok(named(name, Source::Prefix(build.prefix().clone()))),
            Err(error) => Err(error.into()),
        },
        BuildKey::Inside(name) => {
            let marker = StoredKey::new(&place.prefix.join(&format!("{name}/{READY_MARKER}")));
            Err(NoMatchReason::Incomplete(key.clone(), marker.to_string()))
        }
        BuildKey::Other => Err(NoMatchReason::NotABuild(key.clone())),
    })
}
