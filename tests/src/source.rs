//! Sources of a publish as values: their files, and whether these are in a directory, a zip or a bucket.

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

/// One file of a source.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourceObject {
    /// Path within the source.
    pub key: String,
    /// The content as text.
    pub body: Option<String>,
    /// Size of generated content, if there is no text.
    pub size: Option<u64>,
    /// Seed of generated content.
    pub seed: u64,
    /// Modification time, in seconds since 1970.
    pub modified: Option<u64>,
    /// If set, this is a symbolic link to that path instead of a file.
    pub link: Option<String>,
    /// Part size, if it is staged by a multipart upload.
    pub parts: Option<u64>,
    /// Encryption in the staging bucket.
    pub encryption: Option<String>,
    /// Headers, metadata and redirect in the staging bucket.
    pub declared: SiteObject,
}

/// The kind of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A local directory.
    #[default]
    Directory,
    /// A local zip.
    Zip,
    /// A local zip that says it was made on DOS.
    DosZip,
    /// A prefix of the staging bucket.
    Prefix,
    /// A zip in the staging bucket.
    StagedZip,
}

/// A source.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sources {
    /// Directory, zip or bucket.
    pub kind: SourceKind,
    /// The files.
    #[serde(rename = "object")]
    pub objects: Vec<SourceObject>,
}

/// The bucket that sources are staged in.
pub const STAGING: &str = "staging";

impl SourceObject {
    /// A text file.
    #[must_use]
    pub fn text(key: &str, body: &str) -> Self {
        Self { key: key.to_owned(), body: Some(body.to_owned()), ..Self::default() }
    }

    /// A file of `size` bytes generated from `seed`.
    #[must_use]
    pub fn sized(key: &str, size: u64, seed: u64) -> Self {
        Self { key: key.to_owned(), size: Some(size), seed, ..Self::default() }
    }

    /// The content as bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        body::bytes(self.body.as_deref(), self.size, self.seed)
    }
}

impl Sources {
    /// A source in a local directory.
    #[must_use]
    pub fn directory(objects: impl IntoIterator<Item = SourceObject>) -> Self {
        Self { kind: SourceKind::Directory, objects: objects.into_iter().collect() }
    }

    /// A source below a prefix of the staging bucket.
    #[must_use]
    pub fn prefix(objects: impl IntoIterator<Item = SourceObject>) -> Self {
        Self { kind: SourceKind::Prefix, objects: objects.into_iter().collect() }
    }

    /// Writes the files to `directory` or to the staging bucket, replacing an earlier source there. Returns its
    /// location.
    pub async fn stage(&self, directory: &Path, client: &Client) -> Source {
        match self.kind {
            SourceKind::Directory => {
                let root = directory.join("source");
                let _ = fs::remove_dir_all(&root);
                fs::create_dir_all(&root).unwrap();
                self.objects.iter().for_each(|object| write(&root, object));
                Source::Directory(root)
            }
            SourceKind::Zip | SourceKind::DosZip => {
                let path = directory.join("source.zip");
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
                        ..object.declared.clone()
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
            if let Some(target) = &object.link {
                zip.add_symlink(object.key.as_str(), target.as_str(), options).unwrap();
                continue;
            }
            zip.start_file(&object.key, options).unwrap();
            zip.write_all(&object.bytes()).unwrap();
        }
        let mut bytes = zip.finish().unwrap().into_inner();
        if self.kind == SourceKind::DosZip {
            let headers = bytes.windows(4).enumerate().filter(|(_, bytes)| *bytes == b"PK\x01\x02");
            for at in headers.map(|(at, _)| at).collect::<Vec<_>>() {
                // The high byte of "version made by".
                *bytes.get_mut(at + 5).unwrap() = 0;
            }
        }
        bytes
    }
}

async fn empty(client: &Client, prefix: &str) {
    let listed = client.list_objects_v2().bucket(STAGING).prefix(prefix).send().await.unwrap();
    for object in listed.contents() {
        client.delete_object().bucket(STAGING).key(object.key().unwrap()).send().await.unwrap();
    }
}

/// Writes one file or link into a directory.
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
