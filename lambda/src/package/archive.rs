//! The zip of a deployment package: the same files are the same bytes, on every machine and at any time.
//!
//! Owns what a zip says beside names and bytes: order, time, mode, method. Decides nothing of what is in it.

use std::io::{Cursor, Write};

use tidegate_core::lambda_package::PackageContents;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// Deflate's best. Packages are made seldom, and a smaller one starts sooner.
const LEVEL: i64 = 9;

/// Packs files in the order of their paths, all of the first instant that a zip can name.
pub(super) fn pack(contents: &PackageContents) -> Result<Vec<u8>, ZipError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, file) in contents.files() {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .last_modified_time(DateTime::default())
            .system(System::Unix)
            .unix_permissions(file.mode);
        archive.start_file(path, options)?;
        archive.write_all(&file.bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}
