//! Builds that CI uploads below a site's `builds`: `NAME.zip`, or `NAME/…` completed by `NAME/.ready`.

use serde::{Deserialize, Serialize};

use crate::key::{Key, MAX_KEY_BYTES, StoredKey};
use crate::location::{Location, LocationError, ObjectLocation, Prefix, Source};
use crate::sanitize::sanitize_name;
use crate::timestamp::Timestamp;

/// The object that marks a build prefix as complete. It is uploaded last and never published.
pub const READY_MARKER: &str = ".ready";

/// A build in a `builds` location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredBuild", into = "StoredBuild")]
pub struct Build {
    place: Location,
    name: String,
    archive: ObjectLocation,
    prefix: Location,
    marker: ObjectLocation,
}

/// The stored form of a build.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBuild {
    place: Location,
    name: String,
}

/// The meaning of a key below `builds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildKey<'a> {
    /// The archive of a build.
    Archive(&'a str),
    /// The ready marker of a build.
    Marker(&'a str),
    /// A file of a build.
    Inside(&'a str),
    /// Something else.
    Other,
}

/// Why a build cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StagedBuildError {
    /// The name is empty, too long, or contains a folder.
    #[error("invalid build name `{0}`; a build is one folder or one zip directly below `builds`")]
    Segment(String),
    /// The name cannot be part of a key.
    #[error(transparent)]
    Name(#[from] LocationError),
    /// Neither form exists.
    #[error("the build `{0}` is not uploaded yet: neither its zip nor its `.ready` exists")]
    Absent(String),
    /// The folder has no marker.
    #[error("the build `{0}` is not complete: its `.ready` does not exist; upload it last")]
    Unfinished(String),
    /// Both forms exist, which is ambiguous.
    #[error("the build `{0}` exists both as a zip and as a folder; delete one of them")]
    Twice(String),
}

/// An object of a listing, with the fields that [`newest`] needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedObject {
    /// The full key.
    pub key: StoredKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last modified.
    pub modified: Timestamp,
}

impl Build {
    /// The build with a name.
    ///
    /// # Errors
    /// [`StagedBuildError`] if the name is invalid.
    pub fn new(place: &Location, name: &str) -> Result<Self, StagedBuildError> {
        if name.is_empty() || name.len() > MAX_KEY_BYTES || name.contains('/') {
            return Err(StagedBuildError::Segment(sanitize_name(name)));
        }
        let bucket = &place.bucket;
        let prefix = Prefix::new(&place.prefix.join(name))?;
        let object = |key: String| -> Result<ObjectLocation, LocationError> {
            let key = Key::new(&key).map_err(|error| LocationError::Object(sanitize_name(&key), error))?;
            Ok(ObjectLocation { bucket: bucket.clone(), key })
        };
        Ok(Self {
            archive: object(place.prefix.join(&format!("{name}.zip")))?,
            marker: object(prefix.join(READY_MARKER))?,
            prefix: Location { bucket: bucket.clone(), prefix },
            place: place.clone(),
            name: name.to_owned(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key of its zip.
    #[must_use]
    pub fn archive(&self) -> &ObjectLocation {
        &self.archive
    }

    /// Its prefix.
    #[must_use]
    pub fn prefix(&self) -> &Location {
        &self.prefix
    }

    /// The key of its ready marker.
    #[must_use]
    pub fn marker(&self) -> &ObjectLocation {
        &self.marker
    }

    /// The source to publish, given which of [`Self::archive`] and [`Self::marker`] exist.
    ///
    /// # Errors
    /// [`StagedBuildError`] if none or both exist.
    pub fn source(&self, archive: bool, marker: bool) -> Result<Source, StagedBuildError> {
        match (archive, marker) {
            (true, false) => Ok(Source::Object(self.archive.clone())),
            (false, true) => Ok(Source::Prefix(self.prefix.clone())),
            (false, false) => Err(StagedBuildError::Absent(self.name.clone())),
            (true, true) => Err(StagedBuildError::Twice(self.name.clone())),
        }
    }
}

impl<'a> BuildKey<'a> {
    /// Classifies a key relative to `builds`.
    #[must_use]
    pub fn of(relative: &'a StoredKey) -> Self {
        let key = relative.as_str();
        match key.split_once('/') {
            Some(("", _)) => Self::Other,
            Some((name, READY_MARKER)) => Self::Marker(name),
            Some((name, _)) => Self::Inside(name),
            None => stem(key).map_or(Self::Other, Self::Archive),
        }
    }
}

/// The name of a file without `.zip` in any case; `None` for other files.
#[must_use]
pub fn stem(file: &str) -> Option<&str> {
    let (stem, extension) = file.rsplit_once('.')?;
    (!stem.is_empty() && extension.eq_ignore_ascii_case("zip")).then_some(stem)
}

/// The newest complete build of a listing in any order, with its name. Between two builds of the same time, the name that sorts
/// last wins, so that the result does not depend on the order.
#[must_use]
pub fn newest(
    place: &Location,
    listing: impl IntoIterator<Item = UploadedObject>,
) -> Option<(String, Source, Timestamp)> {
    let ready = listing.into_iter().filter_map(|landed| {
        let relative = place.prefix.relative(landed.key.as_str())?;
        let (name, source) = match BuildKey::of(&relative) {
            BuildKey::Archive(name) if landed.size > 0 => {
                let key = Key::new(landed.key.as_str()).ok()?;
                (name, Source::Object(ObjectLocation { bucket: place.bucket.clone(), key }))
            }
            BuildKey::Marker(name) => (name, Source::Prefix(Build::new(place, name).ok()?.prefix)),
            BuildKey::Archive(_) | BuildKey::Inside(_) | BuildKey::Other => return None,
        };
        Some((name.to_owned(), source, landed.modified))
    });
    ready.max_by(|a, b| a.2.cmp(&b.2).then_with(|| a.0.cmp(&b.0)))
}

impl TryFrom<StoredBuild> for Build {
    type Error = StagedBuildError;
    fn try_from(named: StoredBuild) -> Result<Self, StagedBuildError> {
        Self::new(&named.place, &named.name)
    }
}

impl From<Build> for StoredBuild {
    fn from(build: Build) -> Self {
        Self { place: build.place, name: build.name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Location {
        "s3://acme/builds/".parse().unwrap()
    }

    #[test]
    fn classifies_keys_below_builds() {
        for (key, part) in [
            ("r1.zip", BuildKey::Archive("r1")),
            ("docs-1.2.ZIP", BuildKey::Archive("docs-1.2")),
            ("r1/.ready", BuildKey::Marker("r1")),
            ("r1/index.html", BuildKey::Inside("r1")),
            ("r1/files.zip", BuildKey::Inside("r1")),
            ("r1/en/.ready", BuildKey::Inside("r1")),
            (".ready", BuildKey::Other),
            (".zip", BuildKey::Other),
            ("/x.zip", BuildKey::Other),
            ("notes.txt", BuildKey::Other),
        ] {
            assert_eq!(BuildKey::of(&StoredKey::new(key)), part, "{key}");
        }
    }

    #[test]
    fn a_build_is_one_folder_or_one_zip() {
        let build = Build::new(&place(), "c0ffee").unwrap();
        assert_eq!(build.archive().to_string(), "s3://acme/builds/c0ffee.zip");
        assert_eq!(build.marker().to_string(), "s3://acme/builds/c0ffee/.ready");
        assert_eq!(build.source(true, false).unwrap().to_string(), "s3://acme/builds/c0ffee.zip");
        assert_eq!(build.source(false, true).unwrap().to_string(), "s3://acme/builds/c0ffee/");
        assert_eq!(build.source(false, false), Err(StagedBuildError::Absent("c0ffee".to_owned())));
        assert_eq!(build.source(true, true), Err(StagedBuildError::Twice("c0ffee".to_owned())));
        for bad in ["", "a/b", "..", "a\nb", "a*", &"x".repeat(1020)] {
            assert!(Build::new(&place(), bad).is_err(), "{bad:?}");
        }
        let text = serde_json::to_string(&build).unwrap();
        assert_eq!(serde_json::from_str::<Build>(&text).unwrap(), build);
        assert!(serde_json::from_str::<Build>(&text.replace("c0ffee", "../c0ffee")).is_err());
    }

    #[test]
    fn ignores_incomplete_builds() {
        let landed = |key: &str, size: u64, at: u64| UploadedObject {
            key: StoredKey::new(&format!("builds/{key}")),
            size,
            modified: Timestamp::from_milliseconds(at),
        };
        let mut listing = vec![
            landed("a.zip", 9, 1),
            landed("b/index.html", 9, 8),
            landed("b/.ready", 0, 2),
            landed("c/index.html", 9, 9),
            landed("d.zip", 0, 9),
            landed("notes.txt", 9, 9),
        ];
        for _ in 0..listing.len() {
            listing.rotate_left(1);
            let (name, source, _) = newest(&place(), listing.clone()).unwrap();
            assert_eq!((name.as_str(), source.to_string().as_str()), ("b", "s3://acme/builds/b/"));
        }
        listing.push(landed("a2.zip", 1, 2));
        assert_eq!(newest(&place(), listing).unwrap().0, "b");
        assert_eq!(newest(&place(), [landed("c/index.html", 9, 9)]), None);
    }
}
