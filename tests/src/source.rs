//! Sources of a publish that are described: their files, and where they lie.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::Client;
use serde::Deserialize;
use tidegate_core::location::Source;

use crate::body;
use crate::site::SiteObject;

/// One file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourceObject {
    /// Its name.
    pub key: String,
    /// Its text.
    pub body: Option<String>,
    /// Its size, where it has no text.
    pub size: Option<u64>,
    /// What its bytes are made from.
    pub seed: u64,
    /// When it was changed, in seconds since 1970.
    pub modified: Option<u64>,
    /// A link to another name instead of a file.
    pub link: Option<String>,
    /// Size of the parts that it is staged in.
    pub parts: Option<u64>,
    /// Its encryption in the staging bucket.
    pub encryption: Option<String>,
}

/// Where it lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A directory of this machine.
    #[default]
    Directory,
    /// A zip of this machine.
    Zip,
    /// A prefix of the staging bucket.
    Prefix,
    /// A zip in the staging bucket.
    StagedZip,
}

/// A whole source.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sources {
    /// Where it lies.
    pub kind: SourceKind,
    /// Its files.
    #[serde(rename = "object")]
    pub objects: Vec<SourceObject>,
}

/// The bucket that sources are staged in.
pub const STAGING: &str = "staging";

impl SourceObject {
    /// A file with a text.
    #[must_use]
    pub fn text(key: &str, body: &str) -> Self {
        Self { key: key.to_owned(), body: Some(body.to_owned()), ..Self::default() }
    }

    /// A file of a size.
    #[must_use]
    pub fn sized(key: &str, size: u64, seed: u64) -> Self {
        Self { key: key.to_owned(), size: Some(size), seed, ..Self::default() }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        body::bytes(self.body.as_deref(), self.size, self.seed)
    }
}

impl Sources {
    /// Files of a directory.
    #[must_use]
    pub fn directory(objects: impl IntoIterator<Item = SourceObject>) -> Self {
        Self { kind: SourceKind::Directory, objects: objects.into_iter().collect() }
    }

    /// Objects below a staged prefix.
    #[must_use]
    pub fn prefix(objects: impl IntoIterator<Item = SourceObject>) -> Self {
        Self { kind: SourceKind::Prefix, objects: objects.into_iter().collect() }
    }

    /// Puts it where it belongs and says where that is. What an earlier source left in `place` goes.
    pub async fn lay(&self, place: &Path, client: &Client) -> Source {
        match self.kind {
            SourceKind::Directory => {
                let directory = place.join("source");
                let _ = fs::remove_dir_all(&directory);
                fs::create_dir_all(&directory).unwrap();
                self.objects.iter().for_each(|object| write(&directory, object));
                Source::Directory(directory)
            }
            SourceKind::Zip => {
                let path = place.join("source.zip");
                fs::write(&path, self.zipped()).unwrap();
                Source::Archive(path)
            }
            SourceKind::Prefix => {
                empty(client, "build/").await;
                for object in &self.objects {
                    let staged = SiteObject {
                        key: format!("build/{}", object.key),
                        body: object.body.clone(),
                        size: object.size,
                        seed: object.seed,
                        parts: object.parts,
                        encryption: object.encryption.clone(),
                        ..SiteObject::default()
                    };
                    staged.seed(client, STAGING).await;
                }
                format!("s3://{STAGING}/build/").parse().unwrap()
            }
            SourceKind::StagedZip => {
                let body = self.zipped().into();
                client.put_object().bucket(STAGING).key("build.zip").body(body).send().await.unwrap();
                format!("s3://{STAGING}/build.zip").parse().unwrap()
            }
        }
    }

    fn zipped(&self) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        for object in &self.objects {
            zip.start_file(&object.key, options).unwrap();
            zip.write_all(&object.bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

async fn empty(client: &Client, prefix: &str) {
    let listed = client.list_objects_v2().bucket(STAGING).prefix(prefix).send().await.unwrap();
    for object in listed.contents() {
        client.delete_object().bucket(STAGING).key(object.key().unwrap()).send().await.unwrap();
    }
}

/// Writes one file into a directory.
pub fn write(directory: &Path, object: &SourceObject) {
    let path = directory.join(&object.key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    if let Some(target) = &object.link {
        symlink(target, &path).unwrap();
        return;
    }
    fs::write(&path, object.bytes()).unwrap();
    if let Some(seconds) = object.modified {
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
}
